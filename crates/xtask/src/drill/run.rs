//! One drill from beginning to end.

use std::{
    collections::BTreeSet,
    fs,
    io::IsTerminal as _,
    net::SocketAddr,
    sync::Mutex,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tocsin_audit::{Evidence, Request};
use tocsin_ledger::Follow;
use tocsin_protocol::RecipientId;
use tocsin_scenario::Fate;
use tokio::task::JoinHandle;
use tracing_subscriber::EnvFilter;

use super::{
    Options, cast,
    cast::Cast,
    clock::Clock,
    closing::Closing,
    compare::comparison,
    day::{Day, find},
    ends::Held,
    front::Front,
    leave::{a_mail, files, shown, write},
    measured,
    operator::Operator,
    paint::Paint,
    parts::{Home, Parts},
    progress::{Line, Progress, Tone},
    screen::Screen,
    verdict::{Known, against},
    view::{self, span},
    world::{World, again},
};
use crate::{error::Error, interrupted::interrupted, nats, place};

/// From the start of the parts to the first minute of the day.
const BREATH: SignedDuration = SignedDuration::from_millis(200);
/// How often the screen is drawn.
const FRAME: Duration = Duration::from_millis(100);
/// How long what is under way at the end may take.
const SETTLING: Duration = Duration::from_secs(15);

/// What is left out is told from this length on.
const WORTH_TELLING: SignedDuration = SignedDuration::from_mins(2);

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

/// What is settled before anything runs.
struct Setting {
    day: Day,
    cast: Cast,
    seed: u64,
    /// Where nobody reads what is sent.
    retired: BTreeSet<String>,
    /// Where no mail is taken.
    refused: BTreeSet<String>,
    /// The calls lost, where they are split, and who serves those areas.
    shares: Option<(u64, BTreeSet<RecipientId>)>,
    /// To whom a mail goes that is worth a look.
    looked_at: Option<String>,
}

impl Setting {
    fn of(world: &World, options: &Options) -> Result<Self, Error> {
        let (day, document) = (world.day.clone(), &world.document);
        let seed = options.seed.unwrap_or(day.scenario.seed);
        let addresses = |fate| cast::mailboxes(&day, document, fate).into_iter().collect();
        Ok(Self {
            cast: Cast::of(&day, document, seed),
            retired: addresses(Fate::Retired),
            refused: addresses(Fate::Refused),
            shares: cast::shares(&day, document, &world.populations()?),
            looked_at: cast::worth_a_look(&day, document),
            seed,
            day,
        })
    }
}

async fn drill(
    options: &Options,
    binary: std::path::PathBuf,
    home: &Home,
    begun: Instant,
) -> Result<Played, Error> {
    let mut screen = Screen::open();
    let scenario = find(options.scenario())?;
    let speed = options.speed(scenario.scenario.speed);
    let world = World::of(scenario, speed, options.recipients)?;
    let setting = Setting::of(&world, options)?;
    let Setting { day, cast, seed, .. } = &setting;
    let mut progress = Progress::of(&world.document);
    let populations = world.populations()?;
    let publisher = again(&world.publisher)?;
    let agency = cast.agency(day, &world.document)?;
    for line in opening(&world, cast, *seed) {
        println!("{line}");
    }
    let starting = Instant::now();
    let mut parts = Parts::start(binary, home, world, cast.people.clone(), options.secure).await?;
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

    let clock = Clock::new(Timestamp::now() + BREATH, speed, &day.stretches(), day.zone.clone());
    let operator = Operator {
        connection: parts.connection(&publisher)?,
        home: home.clone(),
        key: publisher,
        clock: clock.clone(),
        day: day.clone(),
        populations,
    };
    let mut conductor = Spawned(tokio::spawn(operator.work()));
    let follower = parts.auditor().await?;
    let follow = follower.follow().await.map_err(|why| Error::part("follow both streams", why))?;
    let began_at = day.scenario.began_at;
    let mut watch = Watch { follow, clock: &clock, last: Vec::new(), left_out: 0, began_at, begun: false };
    let pressed = watch.until_over(&mut progress, &mut screen, &mut parts, &mut conductor.0).await?;
    screen.clear();

    let evidence = tocsin_audit::read(&parts.ledger, Some(&day.scenario.incident))
        .await
        .map_err(|why| Error::part("read both streams for the report", why))?;
    let known = Known {
        events: day.scenario.events.len(),
        recipients: cast.owed,
        never: cast.never(),
        desks: parts.notes.read(),
        shares: setting.shares.clone(),
        silence: cast.silence(),
        refused: setting.refused.clone(),
        mails: parts.sink.counts().mails,
        files: files(&home.mail())?,
    };
    let held = if options.hold {
        Some((parts, front))
    } else {
        parts.stop().await?;
        None
    };
    let over = Over {
        options,
        home,
        setting: &setting,
        pressed: &pressed,
        known: &known,
        held: held.as_ref().map(|(_, front)| front.address),
        begun,
    };
    let passed = over.tell(&evidence, clock, screen.paint())?;
    Ok(Played { passed, held })
}

/// A day that is over.
struct Over<'a> {
    options: &'a Options,
    home: &'a Home,
    setting: &'a Setting,
    /// How long each event took from the key pressed to the bus.
    pressed: &'a [SignedDuration],
    known: &'a Known,
    /// Where the console still is.
    held: Option<SocketAddr>,
    begun: Instant,
}

impl Over<'_> {
    /// Leaves the report, tells how it went, and says whether it passed.
    fn tell(&self, evidence: &Evidence, mut clock: Clock, paint: Paint) -> Result<Result<(), Error>, Error> {
        let Setting { day, cast, seed, retired, looked_at, .. } = self.setting;
        let told = |request| {
            let report = evidence.report(&day.scenario.incident, request);
            report.map_err(|why| Error::part("compute the report", why))
        };
        let as_of = Some(Timestamp::now());
        let first = told(Request::default())?;
        if let Some(began_at) = first.incident.began_at {
            clock.anchor(began_at, day.scenario.began_at);
        }
        for (event, happening) in first.events.iter().zip(&day.scenario.events) {
            clock.anchor(event.published_at, happening.at);
        }
        let comparison = comparison(&told(Request { as_of, ..Request::default() })?, day, &clock, *seed);
        let report = told(Request { as_of, comparison: Some(comparison.clone()), only: None })?;
        let view = clock.view(&day.date());
        write(self.home, &report, &view)?;
        println!("{}", tocsin_audit::render::table(&report, &view));

        let overtaken = cast.overtaken(&report);
        let own_lots = *seed == day.scenario.seed && self.options.recipients == 0;
        let endings =
            Held { day, clock: &clock, report: &report, overtaken: &overtaken, retired, own_lots }.endings();
        let mut against = against(&report, self.known);
        let untold = endings.iter().filter(|ending| ending.came.is_err());
        against.extend(untold.map(|ending| format!("it did not end as told: {}", ending.says)));
        let closing = Closing {
            day,
            scenario: self.options.scenario.as_deref(),
            endings: &endings,
            report: &report,
            clock: &clock,
            measures: &measured::of(&report, self.pressed),
            comparison: &comparison,
            against: &against,
            seed: *seed,
            synthetic: self.options.recipients,
            overtaken: overtaken.len(),
            mails: (self.known.mails, a_mail(&self.home.mail(), looked_at.as_deref())?),
            place: shown(&self.home.0),
            held: self.held,
            took: SignedDuration::from_secs_f64(self.begun.elapsed().as_secs_f64()),
        };
        for line in closing.lines(paint) {
            println!("{line}");
        }
        let why = || format!("the drill did not pass: see above, and {}", shown(&self.home.log()));
        Ok(if against.is_empty() { Ok(()) } else { Err(Error::told(why())) })
    }
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
fn opening(world: &World, cast: &Cast, seed: u64) -> Vec<String> {
    let everybody = world.desks.len();
    let windows: Vec<_> = world
        .windows
        .iter()
        .map(|(then, here)| format!("{} here {:.1} s", span(*then), here.as_secs_f64()))
        .collect();
    vec![
        format!("Tocsin drill: {}, through the real parts.", world.day.scenario.name),
        "  real parts: a nats-server of its own (every write forced to disk), router, notifier, console, an SMTP server, publisher"
            .to_owned(),
        format!(
            "  and {everybody} desks, each with its own key: {} must acknowledge, {} are informed{}",
            cast.required,
            cast.owed - cast.required,
            match everybody - cast.owed {
                0 => String::new(),
                n => format!(", {n} are not to hear of it"),
            }
        ),
        format!(
            "  speed {}: a second here is {} of that day, and so the windows are shorter: {}",
            world.speed,
            span(SignedDuration::from_secs(i64::from(world.speed))),
            windows.join(", ")
        ),
        format!(
            "  who is silent, and how fast the others answer, is drawn by lot (seed {seed}); no real person is named"
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
    /// When the failure began, and whether that has been told.
    began_at: Timestamp,
    begun: bool,
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
        if !self.begun && now >= self.clock.machine(self.began_at) {
            self.begun = true;
            let text = "the failure begins".to_owned();
            progress.tell(self.clock.machine(self.began_at), Tone::Plain, text);
        }
        for (at, (from, to)) in self.clock.left_out().into_iter().enumerate().skip(self.left_out) {
            let goes_on = self.clock.machine(to);
            if now < goes_on {
                break;
            }
            self.left_out = at + 1;
            let left_out = to.duration_since(from);
            if left_out < WORTH_TELLING {
                continue;
            }
            let date = |day| self.clock.told(day, "%Y-%m-%d");
            let format = if date(from) == date(to) { "%H:%M" } else { "%H:%M on %-d %B" };
            let text =
                format!("nothing is due until {}: {} left out", self.clock.told(to, format), span(left_out));
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
