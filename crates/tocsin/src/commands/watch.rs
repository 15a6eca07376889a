//! `tocsin watch`: a watcher in another place.

use std::{
    ffi::OsString,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use tocsin_audit::{AlarmState, Bell, Limits, Rung, Watcher};
use tocsin_ledger::Wait;
use tokio::{io::AsyncWriteExt as _, process::Command, sync::mpsc, task::JoinHandle};

use crate::{
    bus,
    commands::Manner,
    failure::{Exit, Failure},
    moment, out,
    shutdown::Shutdown,
    systemd,
    trust::Trust,
};

/// Watch the bus from another place, and raise an alarm when router, notifier, relays, the log or the bus itself stand
/// still, or a promised update is overdue
///
/// It only reads: the auditor's login is enough. Each alarm is told once, and once that it is over.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  NATS_URL=tls://bus-1.example:4222 NATS_NKEY=/etc/tocsin/auditor.nk tocsin watch --alarm /usr/local/bin/page-us
  tocsin watch --once

Run it on another provider's machine and network than the bus, and have it raise its alarm by another way than the
notifier's relays: --alarm starts a program without a shell, with the alarm as JSON on its standard input and TOCSIN_ALARM,
TOCSIN_STATE (raised or over) and TOCSIN_TEXT in its environment. The JSON is that of schemas/alarm.schema.json. One that fails is started again, three times in all.
With --once it looks once, for cron or Nagios.

Exit codes of --once: 0 all is well, 1 an alarm is up (a bus that does not answer is one), 2 wrong usage.")]
pub(crate) struct Args {
    /// Look once, tell what is wrong, and end
    #[arg(long)]
    once: bool,
    /// How alarms are written, a line each
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// How long the bus may take to answer
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = length)]
    bus_within: SignedDuration,
    /// How long a router may take to write what follows
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = length)]
    router_within: SignedDuration,
    /// How long the broker may take to close a window
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = length)]
    window_within: SignedDuration,
    /// How long a notifier may take to begin to send a mail
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = length)]
    notifier_within: SignedDuration,
    /// How long it may take until a relay has taken it
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = length)]
    taken_within: SignedDuration,
    /// How long what stands in the log may be unsigned
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = length)]
    signed_within: SignedDuration,
    /// How long after its promised time an update may come
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = length)]
    update_within: SignedDuration,
    /// Hand each alarm to this program
    #[arg(long, value_name = "PROGRAM [ARGS]", num_args = 1.., allow_hyphen_values = true, value_terminator = ";")]
    alarm: Vec<OsString>,
    /// How long the program may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = moment::length)]
    alarm_timeout: Duration,
    #[command(flatten)]
    trust: Trust,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: the JSON that --alarm gives to its program.
    Json,
}

fn length(text: &str) -> Result<SignedDuration, String> {
    let length = moment::length(text)?;
    SignedDuration::try_from(length).map_err(|_| "expected a shorter time".to_owned())
}

impl Args {
    /// Once it is a command, else a service.
    pub(crate) fn manner(&self) -> Manner {
        if self.once { Manner::Command } else { Manner::Service }
    }

    fn limits(&self) -> Limits {
        Limits {
            bus: self.bus_within,
            router: self.router_within,
            window: self.window_within,
            notifier: self.notifier_within,
            taken: self.taken_within,
            signed: self.signed_within,
            update: self.update_within,
        }
    }
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let connection = bus::connection("watch", Wait::UntilConnected)?;
    let mut watcher = Watcher::new(connection, args.limits()).trusting(args.trust.pin()?);
    let mut program = Program::of(&args);
    if args.once {
        let alarms = watcher.once().await;
        for rung in Bell::default().ring(alarms.iter().cloned(), Timestamp::now()) {
            tell(&rung, args.format)?;
            if let Some(program) = &program {
                program.tell(rung);
            }
        }
        if let Some(program) = program {
            program.end().await;
        }
        return if alarms.is_empty() {
            out::line("OK: the bus answers, and nothing is late")
        } else {
            Err(Failure::told(Exit::Failed))
        };
    }
    let shutdown = Shutdown::listen()?;
    systemd::at_work();
    tracing::info!("watching");
    let ends = shutdown.wait();
    tokio::pin!(ends);
    loop {
        tokio::select! {
            rung = watcher.next() => {
                systemd::still_there();
                let Some(rung) = rung else { continue };
                match rung.state {
                    AlarmState::Raised => tracing::error!(code = rung.alarm.code.as_str(), "{}", rung.alarm.text),
                    AlarmState::Over => tracing::info!(code = rung.alarm.code.as_str(), "over"),
                }
                tell(&rung, args.format)?;
                if let Some(program) = &program {
                    program.tell(rung);
                }
            }
            () = &mut ends => break,
        }
    }
    if let Some(program) = program.take() {
        program.end().await;
    }
    Ok(())
}

fn tell(rung: &Rung, format: Format) -> Result<(), Failure> {
    let json = || {
        serde_json::to_string(rung)
            .map_err(|why| Failure::failed(format!("an alarm cannot be written as JSON: {why}")))
    };
    match (format, rung.state) {
        (Format::Json, _) => out::line(&json()?),
        (Format::Text, AlarmState::Raised) => out::line(&format!(
            "{} ALARM {}: {} {}",
            rung.at,
            rung.alarm.code.as_str(),
            tocsin_desk::clean::line(&rung.alarm.text, 2_000),
            rung.action
        )),
        (Format::Text, AlarmState::Over) => {
            let what = rung.alarm.incident.as_ref().map(|id| format!(" of {id}")).unwrap_or_default();
            out::line(&format!("{} OVER  {}{what}", rung.at, rung.alarm.code.as_str()))
        }
    }
}

/// How often a program that fails is started for one alarm.
const TRIES: u32 = 3;
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(2);
/// How long the alarms under way are waited for when the watcher ends.
const ENDING: Duration = Duration::from_mins(1);

/// Hands alarms to a program, in their order, beside the watching.
struct Program {
    alarms: mpsc::UnboundedSender<Rung>,
    handing: JoinHandle<()>,
}

impl Program {
    fn of(args: &Args) -> Option<Self> {
        let (path, arguments) = args.alarm.split_first()?;
        let start =
            Start { path: PathBuf::from(path), arguments: arguments.to_vec(), timeout: args.alarm_timeout };
        // Alarms come and go by the second at the most, so that what waits stays small.
        let (alarms, mut wanted) = mpsc::unbounded_channel();
        let handing = tokio::spawn(async move {
            while let Some(rung) = wanted.recv().await {
                start.hand(&rung).await;
            }
        });
        Some(Self { alarms, handing })
    }

    fn tell(&self, rung: Rung) {
        // It ends only after this.
        let _ = self.alarms.send(rung);
    }

    async fn end(self) {
        drop(self.alarms);
        if tokio::time::timeout(ENDING, self.handing).await.is_err() {
            tracing::error!("the alarm program did not end in time: some alarms were not handed over");
        }
    }
}

struct Start {
    path: PathBuf,
    arguments: Vec<OsString>,
    timeout: Duration,
}

impl Start {
    async fn hand(&self, rung: &Rung) {
        for attempt in 1..=TRIES {
            let began = Instant::now();
            match self.once(rung).await {
                Ok(()) => return,
                Err(why) => tracing::error!(
                    code = rung.alarm.code.as_str(),
                    program = %self.path.display(),
                    attempt,
                    took = ?began.elapsed(),
                    "the alarm program failed: {why}"
                ),
            }
            if attempt < TRIES {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn once(&self, rung: &Rung) -> Result<(), String> {
        let body = serde_json::to_vec(rung).map_err(|why| why.to_string())?;
        let mut command = Command::new(&self.path);
        // What opens the bus is not for the program.
        for (name, _) in std::env::vars_os() {
            let known = name.to_string_lossy();
            if known.starts_with("NATS_") || known.starts_with("TOCSIN_") {
                command.env_remove(&name);
            }
        }
        let state = match rung.state {
            AlarmState::Raised => "raised",
            AlarmState::Over => "over",
        };
        command
            .args(&self.arguments)
            .env("TOCSIN_ALARM", rung.alarm.code.as_str())
            .env("TOCSIN_STATE", state)
            .env("TOCSIN_TEXT", tocsin_desk::clean::line(&rung.alarm.text, 2_000))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|why| format!("it could not be started: {why}"))?;
        let pipe = child.stdin.take();
        let done = async {
            if let Some(mut pipe) = pipe {
                // One that ends without reading is no failure: its exit code is its word.
                let _ = pipe.write_all(&body).await;
                let _ = pipe.write_all(b"\n").await;
            }
            child.wait().await
        };
        match tokio::time::timeout(self.timeout, done).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("{status}")),
            Ok(Err(why)) => Err(why.to_string()),
            Err(_) => Err(format!("it took longer than {:?} and was killed", self.timeout)),
        }
    }
}
