//! `tocsin desk`: an agency's end of the bus, with a person or a program at it.

mod bus;
mod screen;
mod table;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{BufRead as _, IsTerminal as _},
    path::PathBuf,
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use tocsin_desk::{Acknowledge, AcknowledgeOn, Arrived, Content, NotCome, Program, Unfit, clean};
use tocsin_protocol::{AuthorKey, Person, PublisherId, ReceiptMethod, RecipientId};
use tokio::sync::mpsc;

use self::{
    bus::{Heard, Sender},
    screen::Screen,
    table::{Chosen, Table},
};
use crate::{commands::Manner, failure::Failure, moment, seed::KeyFile, shutdown::Shutdown};

/// Take in a recipient's notices: show them, hand them to a program, acknowledge
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin desk --as pol-kent --key pol-kent.nk
      shows each notice and rings; write a and Enter to acknowledge, h for help
  tocsin desk --as pol-kent --key pol-kent.nk --by \"Duty desk\" --role \"control room system\" \\
      --exec ./alarm.sh --loud
      hands each notice to a program on its standard input; exit code 10 acknowledges

The program is started without a shell. It gets the notice as JSON on its standard input and TOCSIN_INCIDENT,
TOCSIN_EVENT, TOCSIN_STATUS, TOCSIN_HEADLINE, TOCSIN_ACKNOWLEDGE, TOCSIN_DUE_AT and others in its environment.
TOCSIN_FACT is notice; or overdue where a promised update did not come (TOCSIN_PROMISED_BY), of which nothing is
acknowledged. The JSON is then that of schemas/overdue.schema.json.
--exec takes the rest of the line, or up to a lone \\; .

Of several desks of one recipient each shows every notice it is given; an acknowledgement at one counts for all.")]
pub(crate) struct Args {
    /// For which recipient of the directory
    #[arg(long = "as", value_name = "RECIPIENT", env = "TOCSIN_RECIPIENT")]
    recipient: RecipientId,
    #[command(flatten)]
    key: KeyFile,
    /// The person at this desk, who acknowledges [default: asked for once]
    #[arg(long, value_name = "NAME", requires = "role")]
    by: Option<String>,
    /// That person's role
    #[arg(long, value_name = "ROLE", requires = "by")]
    role: Option<String>,
    /// The control room that this desk stands in
    #[arg(long, value_name = "NAME")]
    control_room: Option<String>,
    /// A publisher's public key, known by other ways than the bus: what it says must be signed with it
    #[arg(long = "pin", value_name = "PUBLISHER=KEY", value_parser = pin)]
    pinned: Vec<(PublisherId, AuthorKey)>,
    /// Do not ring the terminal's bell
    #[arg(long)]
    no_bell: bool,
    /// Hand each notice to this program
    #[arg(long, value_name = "PROGRAM [ARGS]", num_args = 1.., allow_hyphen_values = true, value_terminator = ";")]
    exec: Vec<OsString>,
    /// When the program's exit code acknowledges: code (10 alone), success (0 too), never
    #[arg(long, value_name = "WORD", default_value = "code", value_parser = acknowledge_on, requires = "exec")]
    acknowledge_on: AcknowledgeOn,
    /// How long the program may take
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = moment::length)]
    exec_timeout: Duration,
}

fn pin(text: &str) -> Result<(PublisherId, AuthorKey), String> {
    let (publisher, key) = text.split_once('=').ok_or("expected PUBLISHER=KEY, such as bt-cha=UABC...")?;
    let told = |why: tocsin_protocol::Error| why.to_string();
    Ok((publisher.parse().map_err(told)?, AuthorKey::new(key).map_err(told)?))
}

fn acknowledge_on(text: &str) -> Result<AcknowledgeOn, String> {
    match text {
        "never" => Ok(AcknowledgeOn::Never),
        "code" => Ok(AcknowledgeOn::Code),
        "success" => Ok(AcknowledgeOn::Success),
        _ => Err("expected one of: code, success, never".to_owned()),
    }
}

impl Args {
    /// At a terminal it is a command that a person ends; elsewhere a service.
    pub(crate) fn manner() -> Manner {
        if std::io::stdout().is_terminal() { Manner::Command } else { Manner::Service }
    }

    fn program(&self) -> Result<Option<Program>, Failure> {
        let Some((path, arguments)) = self.exec.split_first() else { return Ok(None) };
        if self.acknowledge_on != AcknowledgeOn::Never && self.by.is_none() {
            return Err(Failure::wrong(
                "an acknowledgement by the program's exit code needs a name and role: give --by and --role before --exec, or --acknowledge-on never",
            ));
        }
        Ok(Some(Program {
            path: PathBuf::from(path),
            arguments: arguments.to_vec(),
            timeout: self.exec_timeout,
            acknowledge: self.acknowledge_on,
        }))
    }
}

/// Between two looks at the clock, the bus and what was acknowledged elsewhere.
const TICK: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let key = args.key.read()?;
    let program = args.program()?;
    let person = args.by.clone().zip(args.role.clone()).map(|(name, role)| Person { name, role });
    let shutdown = match Args::manner() {
        Manner::Service => Some(Shutdown::listen()?),
        Manner::Command => None,
    };
    let (tell, mut heard) = mpsc::channel(64);
    let pinned: BTreeMap<_, _> = args.pinned.iter().cloned().collect();
    let opening =
        bus::Opening { recipient: args.recipient.clone(), key, pinned, control_room: args.control_room };
    let by = person.clone();
    tokio::spawn(bus::listen(opening, program.zip(Some(by.unwrap_or_else(nobody))), tell.clone()));
    read_lines(tell);
    let mut session = Session {
        recipient: args.recipient,
        zone: TimeZone::system(),
        screen: Screen::new(!args.no_bell),
        table: Table::default(),
        person,
        asking: Asking::Nothing,
        desk: None,
        deaf_since: None,
        ticks: 0,
    };
    session.screen.print(&format!(
        "Desk of {}. Waiting for the bus. {}",
        session.recipient,
        if session.screen.is_terminal() { "h and Enter for help, Ctrl-C to end." } else { "" }
    ))?;
    let mut tick = tokio::time::interval(TICK);
    let end = async {
        match &shutdown {
            Some(shutdown) => shutdown.wait().await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            _ = tick.tick() => session.tick()?,
            heard = heard.recv() => match heard {
                Some(heard) => if session.take(heard).await? { return Ok(()) },
                None => return Err(Failure::failed("the desk's own tasks have ended: start it again")),
            },
        }
    }
}

/// Stands in where the program never acknowledges.
fn nobody() -> Person {
    Person { name: "nobody".to_owned(), role: "none".to_owned() }
}

/// Reads what the person writes, on a thread of its own: a read of a terminal cannot be cancelled.
fn read_lines(tell: Sender) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if tell.blocking_send(Heard::Line(line)).is_err() {
                return;
            }
        }
    });
}

/// What the person was asked for last.
enum Asking {
    Nothing,
    Name(Chosen),
    Role(Chosen, String),
    Confirm(Chosen),
}

struct Session {
    recipient: RecipientId,
    zone: TimeZone,
    screen: Screen,
    table: Table,
    person: Option<Person>,
    asking: Asking,
    desk: Option<bus::Open>,
    /// Since when the bus has not been heard, once that was told.
    deaf_since: Option<Timestamp>,
    ticks: u64,
}

impl Session {
    /// Takes in what happened. True when the person ends the desk.
    async fn take(&mut self, heard: Heard) -> Result<bool, Failure> {
        match heard {
            Heard::Open(open) => self.opened(*open).await?,
            Heard::Deaf(why) => self.deaf(&why)?,
            Heard::Arrived(arrival) => {
                match &arrival.content {
                    Content::Notice(arrived) => self.notice(arrived)?,
                    Content::Overdue(overdue) => self.overdue(overdue)?,
                    Content::Unfit(unfit) => self.unfit(unfit)?,
                }
                if let Err(why) = arrival.settle().await {
                    tracing::warn!("a notice that was shown may be shown again: {why}");
                }
            }
            Heard::Shown(content) => match *content {
                Content::Notice(arrived) => self.notice(&arrived)?,
                Content::Overdue(overdue) => self.overdue(&overdue)?,
                Content::Unfit(unfit) => self.unfit(&unfit)?,
            },
            Heard::HandedOver(what, handed) => {
                if let Some(Ok(acknowledged)) = &handed.acknowledged {
                    self.table.acknowledged(&acknowledged.incident, acknowledged.event);
                }
                self.screen.print(&format!("{what}: {handed}"))?;
            }
            Heard::Refused(told, read) => {
                self.screen.ring();
                self.screen.print(&told)?;
                self.table.found(vec![*read]);
            }
            Heard::Elsewhere(receipt) => {
                if self.table.acknowledged(&receipt.incident, receipt.event) {
                    let by = receipt.by.as_ref().map_or_else(String::new, |Person { name, role }| {
                        format!(" by {}, {}", clean::line(name, 60), clean::line(role, 60))
                    });
                    self.screen.print(&format!(
                        "{} event {} was acknowledged elsewhere{by}.",
                        receipt.incident, receipt.event
                    ))?;
                }
            }
            Heard::Line(line) => return self.line(line.trim()).await,
        }
        self.prompt()?;
        Ok(false)
    }

    async fn opened(&mut self, open: bus::Open) -> Result<(), Failure> {
        let words =
            if self.deaf_since.take().is_some() { "Hearing the bus again" } else { "Hearing the bus" };
        self.screen.print(&format!("{words}, since {}.", self.clock(Timestamp::now())))?;
        match open.desk.unacknowledged().await {
            Ok(reads) => self.table.found(reads),
            // Only what comes from now on is known then.
            Err(why) => tracing::debug!("what was not acknowledged before is not known: {why}"),
        }
        self.desk = Some(open);
        self.ticks = 0;
        Ok(())
    }

    fn deaf(&mut self, why: &str) -> Result<(), Failure> {
        let now = Timestamp::now();
        if self.deaf_since.is_none() {
            self.deaf_since = Some(now);
            self.screen.ring();
        }
        self.screen.print(&format!(
            "DEAF since {}: notices do not reach this desk. {why}\nIt tries again by itself; what comes meanwhile is kept on the bus. Watch the telephone.",
            self.clock(self.deaf_since.unwrap_or(now))
        ))
    }

    fn notice(&mut self, arrived: &Arrived) -> Result<(), Failure> {
        self.screen.notice(arrived, &self.zone)?;
        if let Some(lifted) = self.table.arrived(arrived) {
            self.screen.print(&lifted)?;
        }
        if arrived.read.notice.acknowledge && arrived.is_news() {
            self.screen.ring();
        }
        Ok(())
    }

    fn overdue(&mut self, overdue: &NotCome) -> Result<(), Failure> {
        if overdue.superseded_by.is_none() {
            self.screen.ring();
        }
        self.screen.print(&overdue.words(Timestamp::now(), &self.zone))
    }

    fn unfit(&mut self, unfit: &Unfit) -> Result<(), Failure> {
        self.screen.ring();
        self.screen.print(&format!(
            "A NOTICE THAT CANNOT BE BELIEVED was put before this desk. It was neither delivered nor acknowledged.\n{unfit}\nAsk the operator by telephone, and tell the administrator of the bus."
        ))
    }

    async fn line(&mut self, line: &str) -> Result<bool, Failure> {
        self.screen.line_ended(line);
        match std::mem::replace(&mut self.asking, Asking::Nothing) {
            Asking::Name(chosen) => {
                self.asking =
                    if line.is_empty() { Asking::Nothing } else { Asking::Role(chosen, line.to_owned()) };
            }
            Asking::Role(chosen, name) => {
                if !line.is_empty() {
                    self.person = Some(Person { name, role: line.to_owned() });
                    self.confirm(chosen)?;
                }
            }
            Asking::Confirm(chosen) => match line {
                "" | "y" | "yes" => self.acknowledge(&chosen).await?,
                "w" | "who" => self.asking = Asking::Name(chosen),
                _ => self.screen.print("Not acknowledged.")?,
            },
            Asking::Nothing => {
                if self.command(line)? {
                    return Ok(true);
                }
            }
        }
        self.prompt()?;
        Ok(false)
    }

    fn command(&mut self, line: &str) -> Result<bool, Failure> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "" => {}
            "a" | "ack" | "acknowledge" => match self.table.choose(rest.trim()) {
                Ok(chosen) => match self.person {
                    Some(_) => self.confirm(chosen)?,
                    None => self.asking = Asking::Name(chosen),
                },
                Err(why) => self.screen.print(&why)?,
            },
            "l" | "list" => self.list()?,
            "s" | "show" => match self.table.choose(rest.trim()) {
                Ok(chosen) => {
                    for read in self.table.of(&chosen) {
                        self.screen.read(&read, &self.zone)?;
                    }
                }
                Err(why) => self.screen.print(&why)?,
            },
            "w" | "who" => {
                self.person = None;
                self.screen.print("Whoever acknowledges next is asked for name and role.")?;
            }
            "q" | "quit" => return Ok(true),
            _ => self.screen.print(
                "a          acknowledge (a 2: number 2; a all: everything)\n\
                 l          list what is to be acknowledged\n\
                 s          show it again (s 2: number 2)\n\
                 w          another person is at this desk\n\
                 q          end this desk; what comes meanwhile is kept on the bus",
            )?,
        }
        Ok(false)
    }

    /// Says what is about to be acknowledged, and as whom.
    fn confirm(&mut self, chosen: Chosen) -> Result<(), Failure> {
        if let Some(Person { name, role }) = &self.person {
            let (what, name, role) =
                (self.table.names(&chosen), clean::line(name, 100), clean::line(role, 100));
            self.screen.print(&format!("Acknowledge {what}\n  for {} as {name}, {role}.", self.recipient))?;
        }
        self.asking = Asking::Confirm(chosen);
        Ok(())
    }

    fn list(&mut self) -> Result<(), Failure> {
        let now = Timestamp::now();
        let lines = self.table.lines(now, &self.zone);
        if lines.is_empty() {
            return self.screen.print("Nothing is to be acknowledged.");
        }
        self.screen.print(&lines.join("\n"))
    }

    async fn acknowledge(&mut self, chosen: &Chosen) -> Result<(), Failure> {
        let (Some(open), Some(person)) = (&self.desk, &self.person) else {
            return self
                .screen
                .print("Not acknowledged: the bus has not been heard yet. Write a again when it is.");
        };
        let what =
            Acknowledge { by: person.clone(), method: ReceiptMethod::Desk, on_behalf_of: None, note: None };
        for read in self.table.of(chosen) {
            match open.desk.acknowledge_notice(&read, &what).await {
                Ok(acknowledged) => {
                    self.table.acknowledged(&acknowledged.incident, acknowledged.event);
                    let told = acknowledged.told(Timestamp::now(), &self.zone);
                    self.screen.print(&told)?;
                    open.watch_refusal(acknowledged, read);
                }
                Err(why) => {
                    self.screen.ring();
                    self.screen.print(&format!("NOT ACKNOWLEDGED: {why}\nWrite a again, or telephone."))?;
                }
            }
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), Failure> {
        self.ticks += 1;
        let now = Timestamp::now();
        let connected = self.desk.as_ref().map(|open| open.ledger.is_connected());
        if let Some(connected) = connected {
            match (connected, self.deaf_since) {
                (false, None) if self.screen_is_quiet() => self.deaf("The connection to the bus is lost.")?,
                (true, Some(_)) => {
                    self.deaf_since = None;
                    self.screen.print(&format!(
                        "Hearing the bus again, since {}. What came meanwhile follows.",
                        self.clock(now)
                    ))?;
                }
                _ => {}
            }
        }
        if let Some(open) = &self.desk
            && self.ticks.is_multiple_of(5)
            && open.ledger.is_connected()
        {
            open.look_elsewhere(self.table.every());
        }
        if self.ticks == 2 {
            let before = self.table.told_before(now, &self.zone);
            if !before.is_empty() {
                self.screen.ring();
                self.screen.print(&format!(
                    "Still to be acknowledged from before:\n{}\ns shows one again, a acknowledges.",
                    before.join("\n")
                ))?;
            }
        }
        for closed in self.table.closed(now) {
            self.screen.ring();
            self.screen.print(&closed)?;
        }
        if self.ticks.is_multiple_of(60) && !self.table.is_empty() {
            self.screen.ring();
        }
        self.prompt()
    }

    /// A break of less than a second is no news.
    fn screen_is_quiet(&self) -> bool {
        self.ticks > 1
    }

    /// The line that says what waits, and the question under it.
    fn prompt(&mut self) -> Result<(), Failure> {
        let now = Timestamp::now();
        let status = match self.deaf_since {
            Some(since) => {
                format!("DEAF since {}; {}", self.clock(since), self.table.status(now, &self.zone))
            }
            None => self.table.status(now, &self.zone),
        };
        let question = match &self.asking {
            Asking::Name(_) => "Your name (Enter alone: not now): ",
            Asking::Role(..) => "Your role: ",
            Asking::Confirm(_) => "Right? Enter: yes; n: no; w: someone else> ",
            Asking::Nothing if self.table.is_empty() => "> ",
            Asking::Nothing => "a and Enter: acknowledge; h: help> ",
        };
        self.screen.prompt(&status, question)
    }

    fn clock(&self, at: Timestamp) -> String {
        tocsin_desk::clock(at, Timestamp::now(), &self.zone)
    }
}
