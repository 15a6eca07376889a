//! One drill from beginning to end.

use std::{
    fs,
    io::IsTerminal as _,
    sync::Mutex,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tocsin_audit::Request;
use tocsin_ledger::Follow;
use tocsin_protocol::IncidentId;
use tokio::task::JoinHandle;
use tracing_subscriber::EnvFilter;

use super::{
    Options,
    cast::Cast,
    clock::{Clock, bst},
    closing::Closing,
    compare::comparison,
    day::{BEGAN, CALLS_UNSUCCESSFUL, HAPPENINGS, INCIDENT, moment, stretches},
    front::Front,
    leave::{a_mail, files, shown, write},
    measured,
    operator::Operator,
    parts::{Home, Parts},
    progress::{Line, Progress, Tone},
    screen::Screen,
    split::split,
    verdict::{Known, against},
    view::{self, span},
    world::{World, again},
};
use crate::{error::Error, nats, place};

/// From the start of the parts to the first minute of the day.
const BREATH: SignedDuration = SignedDuration::from_millis(200);
/// How often the screen is drawn.
const FRAME: Duration = Duration::from_millis(100);
/// How long what is under way at the end may take.
const SETTLING: Duration = Duration::from_secs(15);
/// Runs a drill.
///
/// # Errors
/// When a part fails, when it was interrupted, and when the drill did not pass.
pub(crate) async fn run(options: &Options) -> Result<(), Error> {
    let begun = Instant::now();
    let binary = nats::server()?;
    let (home, _lock) = Home::clear(&place::target().join("drill"))?;
    log(&home)?;
    let mut interrupted = Box::pin(interrupted()?);
    let played = tokio::select! {
        played = drill(options, binary, &home, begun) => played?,
        () = &mut interrupted => {
            return Err(Error::told("stopped: the drill was interrupted, and nothing of it is running any more"));
        }
    };
    if let Some((mut parts, front)) = played.held {
        for line in front.lines() {
            println!("{line}");
        }
        println!("Everything stays up. Ctrl-C ends it.");
        tokio::select! {
            () = &mut interrupted => {}
            why = parts.broken() => return Err(why),
        }
        println!("\nStopping.");
        parts.stop().await?;
    }
    played.passed
}

/// What is left of a drill once its day is over.
struct Played {
    /// Whether it passed.
    passed: Result<(), Error>,
    /// What is still running.
    held: Option<(Parts, Front)>,
}

/// What the parts say of themselves goes to a file: the screen is the day's. `RUST_LOG` chooses how much.
fn log(home: &Home) -> Result<(), Error> {
    let path = home.log();
    let file = fs::File::create(&path).map_err(|why| Error::io(format!("write {}", path.display()), why))?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .try_init()
        .map_err(|why| Error::part("write a log", why))
}

/// The operator's wish to end it: ctrl-c, or SIGTERM.
fn interrupted() -> Result<impl Future<Output = ()>, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|why| Error::io("listen for signals", why));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

async fn drill(
    options: &Options,
    binary: std::path::PathBuf,
    home: &Home,
    begun: Instant,
) -> Result<Played, Error> {
    let mut screen = Screen::open();
    let world = World::load(options.speed(), options.recipients)?;
    let cast = Cast::of(&world, options)?;
    let mut progress = Progress::of(&world.document);
    let by_area = split(CALLS_UNSUCCESSFUL, &world.populations());
    let publisher = again(&world.publisher)?;
    let agency = cast.agency(&world.document)?;
    for line in opening(options, &world, &cast) {
        println!("{line}");
    }
    let starting = Instant::now();
    let mut parts =
        Parts::start(binary, home, world, cast.people.clone(), (options.speed(), options.secure)).await?;
    let front = parts.console(home, agency).await?;
    println!("Everything is ready after {:.1} s.", starting.elapsed().as_secs_f64());
    for line in front.lines() {
        println!("{line}");
    }
    if options.hold && std::io::stdin().is_terminal() {
        println!("\nSign in there first. Then press Enter here, and the day begins.");
        entered().await;
    }
    println!("The day begins.\n");

    let clock = Clock::new(Timestamp::now() + BREATH, options.speed(), &stretches()?);
    let operator = Operator {
        connection: parts.connection(&publisher)?,
        home: home.clone(),
        key: publisher,
        clock: clock.clone(),
        by_area,
    };
    let mut conductor = Spawned(tokio::spawn(operator.work()));
    let follower = parts.auditor().await?;
    let follow = follower.follow().await.map_err(|why| Error::part("follow both streams", why))?;
    let mut watch = Watch { follow, clock: &clock, last: Vec::new(), left_out: 0 };
    let pressed = watch.until_over(&mut progress, &mut screen, &mut parts, &mut conductor.0).await?;
    screen.clear();

    let incident = IncidentId::new(INCIDENT).map_err(|why| Error::part("name the incident", why))?;
    let evidence = tocsin_audit::read(&parts.ledger, Some(&incident))
        .await
        .map_err(|why| Error::part("read both streams for the report", why))?;
    let told =
        |request| evidence.report(&incident, request).map_err(|why| Error::part("compute the report", why));
    let as_of = Some(Timestamp::now());
    let mut clock = clock;
    let first = told(Request::default())?;
    if let Some(began_at) = first.incident.began_at {
        clock.anchor(began_at, moment(BEGAN)?);
    }
    for (event, happening) in first.events.iter().zip(&HAPPENINGS) {
        clock.anchor(event.published_at, happening.at()?);
    }
    let comparison = comparison(&told(Request { as_of, ..Request::default() })?, &clock, options.seed)?;
    let report = told(Request { as_of, comparison: Some(comparison.clone()), only: None })?;
    let known = Known {
        recipients: cast.recipients,
        never: cast.never(),
        desks: parts.notes.read(),
        calls: CALLS_UNSUCCESSFUL,
        split_over: cast.forces.clone(),
        mails: parts.sink.counts().mails,
        files: files(&home.mail())?,
    };
    let one = a_mail(&home.mail())?;
    let held = if options.hold {
        Some((parts, front))
    } else {
        parts.stop().await?;
        None
    };

    let view = clock.view();
    write(home, &report, &view)?;
    println!("{}", tocsin_audit::render::table(&report, &view));
    let against = against(&report, &known);
    let measures = measured::of(&report, &pressed);
    let closing = Closing {
        report: &report,
        clock: &clock,
        measures: &measures,
        comparison: &comparison,
        against: &against,
        seed: options.seed,
        synthetic: options.recipients,
        overtaken: cast.overtaken(&report),
        mails: (known.mails, one),
        place: shown(&home.0),
        held: held.as_ref().map(|(_, front)| front.address),
        took: SignedDuration::from_secs_f64(begun.elapsed().as_secs_f64()),
    };
    for line in closing.lines(screen.paint()) {
        println!("{line}");
    }
    let passed = if against.is_empty() {
        Ok(())
    } else {
        Err(Error::told(format!("the drill did not pass: see above, and {}", shown(&home.log()))))
    };
    Ok(Played { passed, held })
}

/// Waits for the enter key. The thread that reads it is left behind when the drill is interrupted: it ends with the process.
async fn entered() {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Whatever comes, even an error, is somebody's wish to go on.
        let _ = std::io::stdin().read_line(&mut String::new());
        let _ = tell.send(());
    });
    let _ = told.await;
}

/// What is about to happen.
fn opening(options: &Options, world: &World, cast: &Cast) -> Vec<String> {
    let windows: Vec<_> = world
        .windows
        .iter()
        .map(|(then, here)| format!("{} here {:.1} s", span(*then), here.as_secs_f64()))
        .collect();
    vec![
        "Tocsin drill: the day on which the UK's 999 failed, 25 June 2023, through the real parts."
            .to_owned(),
        "  real parts: a nats-server of its own (every write forced to disk), router, notifier, console, an SMTP server, publisher"
            .to_owned(),
        format!(
            "  and {} desks, each with its own key: {} must acknowledge, {} are informed",
            cast.recipients,
            cast.recipients - cast.informed,
            cast.informed
        ),
        format!(
            "  speed {}: a second here is {} of that day, and so the windows are shorter: {}",
            options.speed(),
            span(SignedDuration::from_secs(i64::from(options.speed()))),
            windows.join(", ")
        ),
        format!(
            "  who is silent, and how fast the others answer, is drawn by lot (seed {}); no real person is named",
            options.seed
        ),
        String::new(),
    ]
}

/// A task that ends with its handle.
struct Spawned<T>(JoinHandle<T>);

impl<T> Drop for Spawned<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Watches the day go by.
struct Watch<'a> {
    follow: Follow,
    clock: &'a Clock,
    last: Vec<Line>,
    /// How many of the stretches that are left out have been told.
    left_out: usize,
}

impl Watch<'_> {
    /// Shows what happens until the day is over and everything that follows from it is done.
    async fn until_over(
        &mut self,
        progress: &mut Progress,
        screen: &mut Screen,
        parts: &mut Parts,
        conductor: &mut JoinHandle<Result<Vec<SignedDuration>, Error>>,
    ) -> Result<Vec<SignedDuration>, Error> {
        let mut ticks = tokio::time::interval(FRAME);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let until = self.clock.ends() + SignedDuration::try_from(SETTLING).unwrap_or_default();
        let mut pressed = None;
        loop {
            tokio::select! {
                read = self.follow.next() => {
                    let read = read.map_err(|why| Error::part("follow both streams", why))?;
                    read.entries.iter().for_each(|entry| progress.take(entry));
                }
                _ = ticks.tick() => {
                    parts.bus()?;
                    let now = Timestamp::now();
                    self.show(progress, screen, now);
                    if pressed.is_some() && now > self.clock.ends() && (progress.is_settled() || now > until) {
                        return Ok(pressed.unwrap_or_default());
                    }
                }
                done = &mut *conductor, if pressed.is_none() => {
                    pressed = Some(done.map_err(|why| Error::part("publish: the operator's task broke", why))??);
                }
                why = parts.broken() => return Err(why),
            }
        }
    }

    fn show(&mut self, progress: &mut Progress, screen: &mut Screen, now: Timestamp) {
        for (at, (from, to)) in self.clock.left_out().enumerate().skip(self.left_out) {
            let goes_on = self.clock.machine(to);
            if now < goes_on {
                break;
            }
            self.left_out = at + 1;
            let format = if bst(from, "%d") == bst(to, "%d") { "%H:%M" } else { "%H:%M on %-d %B" };
            let text = format!(
                "nothing is due until {}: {} left out",
                bst(to, format),
                span(to.duration_since(from))
            );
            progress.tell(goes_on, Tone::Plain, text);
        }
        let paint = screen.paint();
        for line in progress.news() {
            if screen.is_live() {
                self.last.push(line);
            } else {
                println!("{}", view::line(&line, self.clock, paint));
            }
        }
        if screen.is_live() {
            screen.draw(&view::frame(progress, &self.last, self.clock, now, paint));
        }
    }
}
