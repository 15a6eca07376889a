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

use std::{
    env,
    ffi::OsString,
    fmt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

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
            Ended::Code(0 | EXIT_ACKNOWLEDGED) => write!(f, "the program took the notice ({took:.1} s)")?,
            Ended::Code(code) => {
                write!(
                    f,
                    "the program failed with code {code} ({took:.1} s): the notice still waits for a person"
                )?;
            }
            Ended::Signal => {
                write!(
                    f,
                    "the program was ended by a signal ({took:.1} s): the notice still waits for a person"
                )?;
            }
            Ended::Overrun => {
                write!(
                    f,
                    "the program did not end within {took:.1} s and was killed: the notice still waits for a person"
                )?;
            }
            Ended::NotStarted(why) => {
                write!(f, "the program could not be started ({why}): the notice still waits for a person")?;
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
        let mut handed = run(program, arrived).await;
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
}

fn acknowledges(ended: &Ended, on: AcknowledgeOn) -> bool {
    match ended {
        Ended::Code(EXIT_ACKNOWLEDGED) => on != AcknowledgeOn::Never,
        Ended::Code(0) => on == AcknowledgeOn::Success,
        _ => false,
    }
}

async fn run(program: &Program, arrived: &Arrived) -> HandedOver {
    let begun = Instant::now();
    let mut command = Command::new(&program.path);
    command
        .args(&program.arguments)
        .envs(environment(arrived))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // What opens the bus for this desk, or names another notice, is not for the program.
    for (name, _) in env::vars_os() {
        let known = name.to_string_lossy();
        if known.starts_with("NATS_") || (known.starts_with("TOCSIN_") && !is_told(&known)) {
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
        feed(&mut child, arrived),
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

/// Writes the notice to the program. One that ends, or closes its input, without reading is no failure.
fn feed(child: &mut Child, arrived: &Arrived) -> Option<JoinHandle<()>> {
    let mut pipe = child.stdin.take()?;
    let body = arrived.read.body.clone();
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

/// The variables that every program is given; see [`environment`].
const TOLD: [&str; 14] = [
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
    "TOCSIN_AUTHOR",
    "TOCSIN_SEEN_BEFORE",
    "TOCSIN_SUPERSEDED_BY",
];

fn is_told(name: &str) -> bool {
    TOLD.contains(&name)
}

/// What a program is told in its environment. Every variable is always there; what is not known is empty.
fn environment(arrived: &Arrived) -> [(&'static str, String); TOLD.len()] {
    let (notice, event) = (&arrived.read.notice, &arrived.read.event);
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let author = match arrived.read.author {
        Author::Pinned => "pinned",
        Author::NotPinned { .. } => "not-pinned",
    };
    let values = [
        notice.recipient.to_string(),
        notice.incident.to_string(),
        notice.event.to_string(),
        event.kind.to_string(),
        notice.status.to_string(),
        event.publisher.to_string(),
        event.category.to_string(),
        event.severity.map(|severity| severity.to_string()).unwrap_or_default(),
        clean::line(&event.headline, 200),
        yes(notice.acknowledge),
        notice.due_at.map(|at| at.to_string()).unwrap_or_default(),
        author.to_owned(),
        yes(arrived.seen_before()),
        arrived.superseded_by.map(|event| event.to_string()).unwrap_or_default(),
    ];
    let mut values = values.into_iter();
    TOLD.map(|name| (name, values.next().unwrap_or_default()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::fixture;

    fn shell(script: &str) -> Program {
        Program {
            path: "/bin/sh".into(),
            arguments: ["-c", script].map(OsString::from).to_vec(),
            timeout: Duration::from_mins(1),
            acknowledge: AcknowledgeOn::Code,
        }
    }

    async fn run_shell(script: &str) -> HandedOver {
        run(&shell(script), &fixture::arrived(|_| {})).await
    }

    #[tokio::test]
    async fn a_program_gets_the_exact_notice_and_its_environment_without_what_opens_the_bus() {
        let handed = run_shell(
            r#"read -r notice; case "$notice" in '{"incident":"bt-cha-2023-06-25-0624"'*) ;; *) exit 3;; esac
               echo "$TOCSIN_INCIDENT/$TOCSIN_EVENT $TOCSIN_STATUS $TOCSIN_ACKNOWLEDGE $TOCSIN_DUE_AT" >&2
               env | grep -c '^NATS_'"#,
        )
        .await;
        assert_eq!(handed.ended, Ended::Code(1), "{handed}");
        assert_eq!(
            handed.output.lines().collect::<Vec<_>>(),
            ["bt-cha-2023-06-25-0624/1 actual yes 2023-06-25T05:48:00Z", "0"]
        );
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
        let handed = run(&program, &fixture::arrived(|_| {})).await;
        assert_eq!(handed.ended, Ended::Overrun);
        assert!(handed.took < Duration::from_mins(1), "{handed}");
        assert!(handed.to_string().contains("still waits for a person"), "{handed}");
    }

    #[tokio::test]
    async fn a_program_that_never_reads_its_input_harms_nothing() {
        // Larger than the pipe, so that the writer would wait for ever.
        let large = fixture::arrived(|event| event.description = Some("x".repeat(200_000)));
        let handed = run(&shell("exit 0"), &large).await;
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
        let handed = run(&absent, &fixture::arrived(|_| {})).await;
        assert!(matches!(&handed.ended, Ended::NotStarted(why) if why.starts_with("no-such-program: ")));
        assert_eq!(run_shell("kill -9 $$").await.ended, Ended::Signal);
    }
}
