//! Handing a notice to a program: a control room's own system, a klaxon, a script.
//!
//! The program is started without a shell, gets the notice's exact JSON on its standard input and what is most asked
//! for in its environment, and says by its exit code what became of it:
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | taken; acknowledged too where [`AcknowledgeOn::Success`] is set |
//! | 10 | taken and acknowledged by a person there, unless [`AcknowledgeOn::Never`] is set |
//! | other, a signal, overrun | failed: told, not tried again; silence is escalated |
//!
//! That a promised update did not come is handed over in the same way. `TOCSIN_FACT` says which of the two it is, by the
//! name of its schema: `notice` or `overdue`. Of the latter nothing is acknowledged, whatever the exit code.

use std::{
    env,
    ffi::OsString,
    fmt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tocsin_protocol::TraceId;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    task::JoinHandle,
};

use crate::{
    acknowledge::{Acknowledge, Acknowledged},
    arrivals::Arrived,
    clean,
    desk::Desk,
    error::Error,
    overdue::NotCome,
    read::Author,
};

/// The exit code by which a program says that a person has acknowledged.
pub const EXIT_ACKNOWLEDGED: i32 = 10;

/// The most of a program's output that is kept, in bytes.
const OUTPUT_MAX: usize = 8 * 1024;

/// How long the rest of the output is waited for after the program's end: a child of its own may hold the pipe.
const OUTPUT_GRACE: Duration = Duration::from_millis(500);

/// A program that takes notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// What it is started with.
    pub arguments: Vec<OsString>,
    /// How long it may take; it is killed then. Its own children are its own to end.
    pub timeout: Duration,
    /// When its exit code acknowledges.
    pub acknowledge: AcknowledgeOn,
}

/// When a program's exit code acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AcknowledgeOn {
    /// Never: it only takes the notice.
    Never,
    /// With [`EXIT_ACKNOWLEDGED`] alone.
    #[default]
    Code,
    /// With 0 too.
    Success,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By a signal that was not ours.
    Signal,
    /// It overran its time and was killed.
    Overrun,
    /// It could not be started: why.
    NotStarted(String),
}

/// What became of a notice that was handed to a program.
#[derive(Debug)]
pub struct HandedOver {
    /// How the program ended.
    pub ended: Ended,
    /// The beginning of what it printed, on both channels, fit to be shown.
    pub output: String,
    /// How long it took.
    pub took: Duration,
    /// The acknowledgement, when the exit code gave one: where it stands, or why it could not be said.
    pub acknowledged: Option<Result<Acknowledged, Error>>,
}

impl HandedOver {
    /// Whether the program took the notice.
    pub fn is_taken(&self) -> bool {
        matches!(self.ended, Ended::Code(0 | EXIT_ACKNOWLEDGED))
    }
}

impl fmt::Display for HandedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = self.took.as_secs_f64();
        match &self.ended {
            Ended::Code(0 | EXIT_ACKNOWLEDGED) => write!(f, "the program took it ({took:.1} s)")?,
            Ended::Code(code) => {
                write!(f, "the program failed with code {code} ({took:.1} s): it still waits for a person")?;
            }
            Ended::Signal => {
                write!(f, "the program was ended by a signal ({took:.1} s): it still waits for a person")?;
            }
            Ended::Overrun => {
                write!(
                    f,
                    "the program did not end within {took:.1} s and was killed: it still waits for a person"
                )?;
            }
            Ended::NotStarted(why) => {
                write!(f, "the program could not be started ({why}): it still waits for a person")?;
            }
        }
        match &self.acknowledged {
            Some(Ok(acknowledged)) => write!(f, "\n{acknowledged}")?,
            Some(Err(why)) => write!(f, "\nthe acknowledgement could not be said: {why}")?,
            None => {}
        }
        if self.output.is_empty() { Ok(()) } else { write!(f, "\n{}", self.output) }
    }
}

impl Desk {
    /// Hands a notice to a program, and acknowledges in the name of `by` when its exit code says so. A failure of the
    /// program is told in what is returned: the notice stays unacknowledged, and is not handed over again.
    pub async fn hand_over(&self, arrived: &Arrived, program: &Program, by: &Acknowledge) -> HandedOver {
        let mut handed = run(program, &arrived.read.body, of_notice(arrived)).await;
        if acknowledges(&handed.ended, program.acknowledge) {
            handed.acknowledged = Some(self.acknowledge_notice(&arrived.read, by).await);
        }
        tracing::info!(
            trace_id = %TraceId::of(&arrived.read.notice.incident, arrived.read.notice.event),
            incident = %arrived.read.notice.incident,
            event = %arrived.read.notice.event,
            program = %program.path.display(),
            ended = ?handed.ended,
            "handed over"
        );
        handed
    }

    /// Hands to a program that a promised update did not come. Nothing is acknowledged by it.
    pub async fn hand_over_overdue(&self, overdue: &NotCome, program: &Program) -> HandedOver {
        run(program, &overdue.body, of_overdue(overdue)).await
    }
}

fn acknowledges(ended: &Ended, on: AcknowledgeOn) -> bool {
    match ended {
        Ended::Code(EXIT_ACKNOWLEDGED) => on != AcknowledgeOn::Never,
        Ended::Code(0) => on == AcknowledgeOn::Success,
        _ => false,
    }
}

/// Runs the program on this body. `known` are those of [`TOLD`] that are known; the others are empty.
async fn run(
    program: &Program,
    body: &Bytes,
    known: impl IntoIterator<Item = (&'static str, String)>,
) -> HandedOver {
    let begun = Instant::now();
    let mut command = Command::new(&program.path);
    command
        .args(&program.arguments)
        .envs(TOLD.map(|name| (name, "")))
        .envs(known)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // What opens the bus for this desk, or names another notice, is not for the program.
    for (name, _) in env::vars_os() {
        let known = name.to_string_lossy();
        if known.starts_with("NATS_") || (known.starts_with("TOCSIN_") && !TOLD.contains(&&*known)) {
            command.env_remove(&name);
        }
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(why) => {
            let ended = Ended::NotStarted(format!("{}: {why}", program.path.display()));
            return HandedOver { ended, output: String::new(), took: begun.elapsed(), acknowledged: None };
        }
    };
    let output = Output::default();
    let pipes = [
        feed(&mut child, body.clone()),
        child.stdout.take().map(|pipe| output.keep(pipe)),
        child.stderr.take().map(|pipe| output.keep(pipe)),
    ];
    let ended = match tokio::time::timeout(program.timeout, child.wait()).await {
        Ok(Ok(status)) => ended(status),
        Ok(Err(why)) => Ended::NotStarted(format!("it was lost: {why}")),
        Err(_) => {
            // An error means that it has ended meanwhile.
            let _ = child.kill().await;
            Ended::Overrun
        }
    };
    let until = tokio::time::Instant::now() + OUTPUT_GRACE;
    for mut pipe in pipes.into_iter().flatten() {
        if tokio::time::timeout_at(until, &mut pipe).await.is_err() {
            pipe.abort();
        }
    }
    HandedOver { ended, output: output.shown(), took: begun.elapsed(), acknowledged: None }
}

fn ended(status: ExitStatus) -> Ended {
    status.code().map_or(Ended::Signal, Ended::Code)
}

/// Writes the body to the program. One that ends, or closes its input, without reading is no failure.
fn feed(child: &mut Child, body: Bytes) -> Option<JoinHandle<()>> {
    let mut pipe = child.stdin.take()?;
    Some(tokio::spawn(async move {
        let written = async {
            pipe.write_all(&body).await?;
            pipe.write_all(b"\n").await?;
            pipe.shutdown().await
        };
        if let Err(why) = written.await {
            tracing::debug!("the program did not read its input to the end: {why}");
        }
    }))
}

/// What a program prints, up to the bound; the rest is read and dropped, so that it never blocks.
#[derive(Default, Clone)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn keep(&self, mut pipe: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
        let kept = self.clone();
        tokio::spawn(async move {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
                let mut kept = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
                let room = OUTPUT_MAX.saturating_sub(kept.len()).min(count);
                kept.extend_from_slice(&chunk[..room]);
            }
        })
    }

    fn shown(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clean::wrapped(&String::from_utf8_lossy(&kept), OUTPUT_MAX).join("\n").trim_end().to_owned()
    }
}

/// The variables that every program is given. Every one is always there; what is not known is empty.
const TOLD: [&str; 16] = [
    "TOCSIN_FACT",
    "TOCSIN_RECIPIENT",
    "TOCSIN_INCIDENT",
    "TOCSIN_EVENT",
    "TOCSIN_KIND",
    "TOCSIN_STATUS",
    "TOCSIN_PUBLISHER",
    "TOCSIN_CATEGORY",
    "TOCSIN_SEVERITY",
    "TOCSIN_HEADLINE",
    "TOCSIN_ACKNOWLEDGE",
    "TOCSIN_DUE_AT",
    "TOCSIN_PROMISED_BY",
    "TOCSIN_AUTHOR",
    "TOCSIN_SEEN_BEFORE",
    "TOCSIN_SUPERSEDED_BY",
];

/// `None` is empty.
fn or_empty(value: Option<impl fmt::Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// What is told of a notice.
fn of_notice(arrived: &Arrived) -> [(&'static str, String); 15] {
    let (notice, event) = (&arrived.read.notice, &arrived.read.event);
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let author = match arrived.read.author {
        Author::Pinned => "pinned",
        Author::NotPinned { .. } => "not-pinned",
    };
    [
        ("TOCSIN_FACT", "notice".to_owned()),
        ("TOCSIN_RECIPIENT", notice.recipient.to_string()),
        ("TOCSIN_INCIDENT", notice.incident.to_string()),
        ("TOCSIN_EVENT", notice.event.to_string()),
        ("TOCSIN_KIND", event.kind.to_string()),
        ("TOCSIN_STATUS", notice.status.to_string()),
        ("TOCSIN_PUBLISHER", event.publisher.to_string()),
        ("TOCSIN_CATEGORY", event.category.to_string()),
        ("TOCSIN_SEVERITY", or_empty(event.severity)),
        ("TOCSIN_HEADLINE", clean::line(&event.headline, 200)),
        ("TOCSIN_ACKNOWLEDGE", yes(notice.acknowledge)),
        ("TOCSIN_DUE_AT", or_empty(notice.due_at)),
        ("TOCSIN_AUTHOR", author.to_owned()),
        ("TOCSIN_SEEN_BEFORE", yes(arrived.seen_before())),
        ("TOCSIN_SUPERSEDED_BY", or_empty(arrived.superseded_by)),
    ]
}

/// What is told of an update that did not come.
fn of_overdue(not_come: &NotCome) -> [(&'static str, String); 8] {
    let overdue = &not_come.overdue;
    [
        ("TOCSIN_FACT", "overdue".to_owned()),
        ("TOCSIN_RECIPIENT", overdue.recipient.to_string()),
        ("TOCSIN_INCIDENT", overdue.incident.to_string()),
        ("TOCSIN_EVENT", overdue.event.to_string()),
        ("TOCSIN_STATUS", overdue.status.to_string()),
        ("TOCSIN_PUBLISHER", overdue.publisher.to_string()),
        ("TOCSIN_PROMISED_BY", overdue.promised_by.to_string()),
        ("TOCSIN_SUPERSEDED_BY", or_empty(not_come.superseded_by)),
    ]
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::{fixture, overdue};

    fn shell(script: &str) -> Program {
        Program {
            path: "/bin/sh".into(),
            arguments: ["-c", script].map(OsString::from).to_vec(),
            timeout: Duration::from_mins(1),
            acknowledge: AcknowledgeOn::Code,
        }
    }

    async fn run_shell(script: &str) -> HandedOver {
        given(&shell(script), &fixture::arrived(|_| {})).await
    }

    async fn given(program: &Program, arrived: &Arrived) -> HandedOver {
        run(program, &arrived.read.body, of_notice(arrived)).await
    }

    #[tokio::test]
    async fn a_program_gets_the_exact_notice_and_its_environment_without_what_opens_the_bus() {
        let handed = run_shell(
            r#"read -r notice; case "$notice" in '{"incident":"bt-cha-2023-06-25-0624"'*) ;; *) exit 3;; esac
               echo "$TOCSIN_FACT $TOCSIN_INCIDENT/$TOCSIN_EVENT $TOCSIN_STATUS $TOCSIN_ACKNOWLEDGE $TOCSIN_DUE_AT" >&2
               env | grep -c '^NATS_'"#,
        )
        .await;
        assert_eq!(handed.ended, Ended::Code(1), "{handed}");
        assert_eq!(
            handed.output.lines().collect::<Vec<_>>(),
            ["notice bt-cha-2023-06-25-0624/1 actual yes 2023-06-25T05:48:00Z", "0"]
        );
    }

    #[tokio::test]
    async fn an_update_that_did_not_come_is_handed_over_as_itself_and_acknowledges_nothing() {
        let script = r#"cat; echo "$TOCSIN_FACT $TOCSIN_PROMISED_BY [$TOCSIN_ACKNOWLEDGE] $TOCSIN_SUPERSEDED_BY"; exit 10"#;
        let overdue = fixture::overdue("tocsin.notice.pol-kent.bt-999.1.overdue.3");
        let recipient = fixture::RECIPIENT.parse().unwrap();
        let mut not_come = overdue::read(&overdue, &recipient).unwrap().unwrap();
        not_come.superseded_by = Some("2".parse().unwrap());
        let program = shell(script);
        let handed = run(&program, &not_come.body, of_overdue(&not_come)).await;
        let body = std::str::from_utf8(&overdue.body).unwrap();
        assert_eq!(handed.output.lines().collect::<Vec<_>>(), [body, "overdue 2023-06-25T06:15:00Z [] 2"]);
        assert!(handed.is_taken() && handed.acknowledged.is_none(), "{handed}");
    }

    #[test]
    fn only_the_exit_code_that_was_agreed_acknowledges() {
        use AcknowledgeOn::{Code, Never, Success};
        for (ended, never, code, success) in [
            (Ended::Code(0), false, false, true),
            (Ended::Code(EXIT_ACKNOWLEDGED), false, true, true),
            (Ended::Code(1), false, false, false),
            (Ended::Signal, false, false, false),
            (Ended::Overrun, false, false, false),
            (Ended::NotStarted(String::new()), false, false, false),
        ] {
            let found = [Never, Code, Success].map(|on| acknowledges(&ended, on));
            assert_eq!(found, [never, code, success], "{ended:?}");
        }
    }

    #[tokio::test]
    async fn a_program_that_overruns_is_killed_and_told() {
        let program = Program { timeout: Duration::from_millis(50), ..shell("exec sleep 600") };
        let handed = given(&program, &fixture::arrived(|_| {})).await;
        assert_eq!(handed.ended, Ended::Overrun);
        assert!(handed.took < Duration::from_mins(1), "{handed}");
        assert!(handed.to_string().contains("still waits for a person"), "{handed}");
    }

    #[tokio::test]
    async fn a_program_that_never_reads_its_input_harms_nothing() {
        // Larger than the pipe, so that the writer would wait for ever.
        let large = fixture::arrived(|event| event.description = Some("x".repeat(200_000)));
        let handed = given(&shell("exit 0"), &large).await;
        assert_eq!(handed.ended, Ended::Code(0), "{handed}");
        assert!(handed.is_taken());
    }

    #[tokio::test]
    async fn a_program_that_prints_without_end_is_neither_blocked_nor_kept() {
        let handed =
            run_shell(r"head -c 3000000 /dev/zero | tr '\0' 'x'; printf '\033[2J' >&2; exit 10").await;
        assert_eq!(handed.ended, Ended::Code(EXIT_ACKNOWLEDGED));
        assert!(handed.output.len() <= OUTPUT_MAX, "{}", handed.output.len());
        assert!(!handed.output.contains('\u{1b}'));
    }

    #[tokio::test]
    async fn a_child_that_outlives_the_program_does_not_hold_the_desk() {
        let begun = Instant::now();
        let handed = run_shell("sleep 5 & exit 0").await;
        assert_eq!(handed.ended, Ended::Code(0));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_or_dies_is_told() {
        let absent = Program { path: "no-such-program".into(), ..shell("") };
        let handed = given(&absent, &fixture::arrived(|_| {})).await;
        assert!(matches!(&handed.ended, Ended::NotStarted(why) if why.starts_with("no-such-program: ")));
        assert_eq!(run_shell("kill -9 $$").await.ended, Ended::Signal);
    }
}
