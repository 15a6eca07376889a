//! `tocsin publish`: says on the bus that an emergency call service has failed, or what has become of it.

mod flags;
mod prompt;

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::{Timestamp, tz::TimeZone};
use tocsin_desk::clean;
use tocsin_duty::Directory;
use tocsin_ledger::{Ledger, Wait};
use tocsin_protocol::{
    AreaId, AuthorKey, Category, Event, EventNumber, IncidentId, PublisherId, Service, SigningKey, Status,
};
use tocsin_publisher::{
    Answer, Error, FirstMinute, FollowUp, Past, Prepared, Published, Spool, await_answer, begin, events_of,
    newest_directory, prepare, prepare_bytes, preview, publish,
};

use self::flags::{First, More};
use crate::{
    bus,
    commands::spool::SpoolDir,
    failure::{Exit, Failure},
    moment, out,
    seed::KeyFile,
    terminal,
};

/// Tell everyone who must know: a new incident, an update, its end
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin publish --as bt-cha --key bt-cha.nk
      asks four questions, shows who will be told, and publishes
  tocsin publish --as bt-cha --key bt-cha.nk --category outage --services 999-voice,112-voice \\
      --areas uk --headline \"999 and 112 calls are not being connected\" --began-at 06:24
  tocsin publish --as bt-cha --key bt-cha.nk --update bt-cha-2023-06-25-0624 --platform backup
  tocsin publish --as bt-cha --key bt-cha.nk --resolve bt-cha-2023-06-25-0624 --restored-at 21:29
  tocsin publish event.json --as bt-cha --key bt-cha.nk
  generate | tocsin publish - --as bt-cha --key bt-cha.nk

The event is on disk before the network is tried. When the bus is away it is kept, and sent in order by
`tocsin spool send` or by the same command again; no event is said twice.

Exit codes: 0 everyone who is owed it is being told; 1 not so yet, the event is kept or stands on the bus; 2 the event
cannot be used and was not sent.")]
pub(crate) struct Args {
    /// The event as JSON (see schemas/event.schema.json), or - for standard input
    file: Option<PathBuf>,
    /// As which publisher of the directory
    #[arg(long = "as", value_name = "PUBLISHER", env = "TOCSIN_PUBLISHER")]
    publisher: PublisherId,
    #[command(flatten)]
    key: KeyFile,
    /// More, or other, is known of this incident: give only what has changed
    #[arg(long, value_name = "INCIDENT", conflicts_with_all = ["resolve", "cancel"])]
    update: Option<IncidentId>,
    /// The service is restored
    #[arg(long, value_name = "INCIDENT", conflicts_with = "cancel")]
    resolve: Option<IncidentId>,
    /// It was no incident
    #[arg(long, value_name = "INCIDENT")]
    cancel: Option<IncidentId>,
    /// Something that an earlier event said was wrong (which one: --event): goes to those who had that
    #[arg(long, value_name = "INCIDENT", requires = "event", conflicts_with_all = ["update", "resolve", "cancel"])]
    correct: Option<IncidentId>,
    /// Which event is corrected
    #[arg(long, value_name = "N", requires = "correct")]
    event: Option<EventNumber>,
    /// It should not have been sent: goes to those who had any of it, and ends it
    #[arg(long, value_name = "INCIDENT", conflicts_with_all = ["update", "resolve", "cancel", "correct"])]
    withdraw: Option<IncidentId>,
    /// Of a new incident: actual, exercise or test [default: actual]
    #[arg(long, value_name = "WORD")]
    status: Option<Status>,
    /// Of a new incident: its name [default: publisher, day and minute]
    #[arg(long, value_name = "INCIDENT")]
    incident: Option<IncidentId>,
    #[command(flatten)]
    first: First,
    #[command(flatten)]
    more: More,
    #[command(flatten)]
    spool: SpoolDir,
    /// How long to try to send, and to wait for who is told
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = moment::length)]
    wait: Duration,
    /// Do not ask before an actual incident is published
    #[arg(long, short)]
    yes: bool,
    /// Show what would be published and who would be told, and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// How long a person waits for the bus before the first question.
const LOOK: Duration = Duration::from_secs(3);

/// The largest event file that is read; the schema's own bound is well below it.
const FILE_MAX: u64 = 1024 * 1024;

/// What the bus knows already, where it can be reached.
struct Known {
    ledger: Option<Ledger>,
    directory: Option<Directory>,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let key = args.key.read()?;
    let spool = args.spool.open()?;
    let from_stdin = args.file.as_deref() == Some(Path::new("-"));
    let asks = terminal::somebody_is_there() && !from_stdin;
    // A script's event goes to the disk before anything else; a person is shown who will be told.
    let looks = args.dry_run || asks || args.follows().is_some();
    let known = if looks { look().await? } else { Known { ledger: None, directory: None } };
    let (prepared, earlier) = Box::pin(draft(&args, &key, &spool, &known, asks)).await?;
    let confirmed = args.yes || prepared.event().status != Status::Actual;
    if args.dry_run || asks {
        let told = show(&prepared, &earlier, &known)?;
        if args.dry_run {
            return out::line("Nothing was sent (--dry-run).");
        }
        if !confirmed {
            prompt::confirm(told).await?;
        }
    }
    drop(known);
    send(&args, &spool, &prepared).await
}

/// A technical test, of which everything but its reach is fixed.
pub(super) struct TestCall {
    pub(super) publisher: PublisherId,
    pub(super) key: KeyFile,
    pub(super) areas: Vec<AreaId>,
    pub(super) services: Vec<Service>,
    pub(super) spool: SpoolDir,
    pub(super) wait: Duration,
}

/// Publishes a technical test as any other event is published, so that what is tested is the true path. One that waits in
/// the spool, because the bus was away, is sent instead of another.
pub(super) async fn test_call(call: TestCall) -> Result<(), Failure> {
    let first = First {
        category: Some(Category::PlannedWork),
        services: call.services,
        areas: call.areas,
        headline: Some("Test call: nothing has failed".to_owned()),
    };
    run(Args {
        file: None,
        publisher: call.publisher,
        key: call.key,
        update: None,
        resolve: None,
        cancel: None,
        correct: None,
        event: None,
        withdraw: None,
        status: Some(Status::Test),
        incident: None,
        first,
        more: More::default()
            .instructing("Nobody need do anything. Your system has taken this in by itself."),
        spool: call.spool,
        wait: call.wait,
        yes: true,
        dry_run: false,
    })
    .await
}

impl Args {
    fn follows(&self) -> Option<(FollowUp, &IncidentId)> {
        let kinds = [
            (FollowUp::Update, &self.update),
            (FollowUp::Resolve, &self.resolve),
            (FollowUp::Cancel, &self.cancel),
            (FollowUp::Withdraw, &self.withdraw),
        ];
        if let (Some(wrong), Some(incident)) = (self.event, &self.correct) {
            return Some((FollowUp::Correct(wrong), incident));
        }
        kinds.into_iter().find_map(|(kind, incident)| Some((kind, incident.as_ref()?)))
    }
}

/// Looks at the bus for what helps a person; that it is away stops nobody.
async fn look() -> Result<Known, Failure> {
    let connection = bus::connection("publish", Wait::Fail(LOOK))?;
    let ledger = match tokio::time::timeout(LOOK, Ledger::connect(&connection)).await {
        Ok(Ok(ledger)) => ledger,
        Ok(Err(why)) => {
            tracing::debug!("the bus cannot be reached before drafting: {why}");
            return Ok(Known { ledger: None, directory: None });
        }
        Err(_) => return Ok(Known { ledger: None, directory: None }),
    };
    let directory = newest_directory(&ledger).await.ok().flatten();
    Ok(Known { ledger: Some(ledger), directory })
}

/// The event, checked and signed, and those before it where they are known.
async fn draft(
    args: &Args,
    key: &SigningKey,
    spool: &Spool,
    known: &Known,
    asks: bool,
) -> Result<(Prepared, Vec<Event>), Failure> {
    let publisher = &args.publisher;
    if let Some(file) = &args.file {
        let said = args.follows().is_some() || args.status.is_some() || args.incident.is_some();
        if said || args.first != First::default() || args.more != More::default() {
            return Err(Failure::wrong(
                "an event comes from a file or from options, not from both: leave one of them out",
            ));
        }
        return Ok((prepare_bytes(&read(file)?, key, publisher).map_err(told)?, Vec::new()));
    }
    let (now, zone) = (Timestamp::now(), TimeZone::system());
    let details = args.more.clone().details(now, &zone)?;
    if let Some((kind, incident)) = args.follows() {
        if args.status.is_some() || args.incident.is_some() {
            return Err(Failure::wrong(
                "--status and --incident are of a new incident: an incident keeps both to its end",
            ));
        }
        let on_bus = match &known.ledger {
            Some(ledger) => {
                let public = AuthorKey::new(&key.public())?;
                events_of(ledger, publisher, incident, &public).await.ok()
            }
            None => None,
        };
        let past = Past::of(spool, publisher, incident, on_bus).map_err(told)?;
        let event = past.follow(kind, args.first.clone().changes(details)).map_err(told)?;
        let earlier = past.before(&event);
        return Ok((prepare(&event, key, publisher).map_err(told)?, earlier));
    }
    let status = args.status.unwrap_or(Status::Actual);
    let mut first = args.first.clone();
    let missing = first.missing();
    if !missing.is_empty() {
        if !asks {
            return Err(Failure::wrong(format!(
                "a new incident needs {}: give them, or a FILE, or run it at a terminal to be asked",
                missing.join(", ")
            )));
        }
        first = prompt::first_minute(first, status, publisher, known.directory.as_ref()).await?;
    }
    let (Some(category), Some(headline)) = (first.category, first.headline) else {
        return Err(Failure::wrong("a new incident needs --category and --headline"));
    };
    let known_so_far = FirstMinute {
        publisher: publisher.clone(),
        incident: args.incident.clone(),
        status,
        category,
        services: first.services,
        areas: first.areas,
        headline,
        details,
    };
    let event =
        begin(spool, known.ledger.as_ref(), |_| false, known_so_far, now, &zone).await.map_err(told)?;
    Ok((prepare(&event, key, publisher).map_err(told)?, Vec::new()))
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let shown = file.display();
    let cannot = |why: std::io::Error| Failure::wrong(format!("cannot read the event {shown}: {why}"));
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    } else {
        let opened = std::fs::File::open(file).map_err(cannot)?;
        opened.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    }
    if bytes.len() as u64 > FILE_MAX {
        return Err(Failure::wrong(format!("{shown} is larger than any event may be ({FILE_MAX} bytes)")));
    }
    Ok(bytes)
}

/// Shows what will go out and to whom; returns how many will be told, where that is known.
fn show(prepared: &Prepared, earlier: &[Event], known: &Known) -> Result<Option<usize>, Failure> {
    terminal::tell(&prompt::summary(prepared.event()));
    let Some(directory) = &known.directory else {
        terminal::tell(match known.ledger {
            Some(_) => "\nNo directory can be read on the bus, so who would be told cannot be shown.\n",
            None => {
                "\nTHE BUS CANNOT BE REACHED NOW. The event will be kept on this machine's disk and sent when it is back.\nUse the telephone as well.\n"
            }
        });
        return Ok(None);
    };
    let seen = preview(directory, earlier, prepared.event(), &prepared.signed().key, Timestamp::now())
        .map_err(told)?;
    if !seen.problems.is_empty() {
        return Err(told(Error::WouldBeRefused { problems: seen.problems }));
    }
    terminal::tell(&format!(
        "\nWill be told, by directory {}:\n{}\n",
        directory.version(),
        hanging(&seen.to_string())
    ));
    Ok(Some(seen.notified.recipients.len()))
}

/// Lines of ours, set in, those that are too long for a terminal wrapped.
fn hanging(text: &str) -> String {
    const WIDTH: usize = 74;
    let mut lines = Vec::new();
    for line in text.lines() {
        for (place, part) in clean::wrapped(line, WIDTH).into_iter().enumerate() {
            lines.push(format!("{}{part}", if place == 0 { "  " } else { "      " }));
        }
    }
    lines.join("\n")
}

async fn send(args: &Args, spool: &Spool, prepared: &Prepared) -> Result<(), Failure> {
    let until = Instant::now() + args.wait;
    let connection = bus::connection("publish", Wait::Fail(args.wait))?;
    if terminal::somebody_is_there() {
        spool.put(prepared, Timestamp::now()).map_err(told)?;
        terminal::tell("Safe on disk. Sending it to the bus ...\n");
    }
    let Published { ledger, sent, sending } =
        publish(&connection, spool, prepared, Timestamp::now(), args.wait).await.map_err(told)?;
    for other in sending.sent.iter().filter(|other| other.spooled.subject() != prepared.subject()) {
        out::line(&format!("{other} (it waited in the spool)"))?;
    }
    for set_aside in &sending.set_aside {
        terminal::tell(&format!("set aside in the spool: {set_aside}\n"));
    }
    let answer = await_answer(&ledger, &sent, until.saturating_duration_since(Instant::now())).await;
    let incident = &prepared.event().incident;
    match answer.map_err(told)? {
        Answer::Dispatched(dispatched) => {
            let told = dispatched.to_string();
            let (first, rest) = told.split_once('\n').unwrap_or((&told, ""));
            out::line(&format!("PUBLISHED: {first}\n{}", hanging(rest)))?;
            out::line(&format!(
                "\nWho has acknowledged:  tocsin report {incident}\nWhen more is known:    tocsin publish --update {incident} ... (as {})",
                args.publisher
            ))
        }
        refused @ Answer::Refused(_) => {
            Err(Failure::failed(format!("the event stands on the bus, but nobody was told: {refused}")))
        }
        Answer::NotYet => Err(Failure::failed(format!(
            "{sent}\nThe event is safe on the bus, but no router has dispatched it yet, so nobody has been told. See that `tocsin router` runs, then look with `tocsin report {incident}`. Until then, use the telephone."
        ))),
    }
}

/// What the person gave cannot be used, or it could not be done.
pub(super) fn told(error: Error) -> Failure {
    match error {
        Error::Invalid { .. }
        | Error::AnothersEvent { .. }
        | Error::Closed { .. }
        | Error::AlreadySpooled { .. }
        | Error::NothingToFollow { .. }
        | Error::WouldBeRefused { .. } => Failure::input(&error),
        other => other.into(),
    }
}

/// For the exit code of what was told in full already.
pub(super) fn failed_already() -> Failure {
    Failure::told(Exit::Failed)
}
