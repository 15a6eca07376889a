//! One run, from its beginning to what was found.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tocsin_protocol::IncidentId;
use tokio::task::JoinSet;

use super::{
    checker::{self, Checked, Evidence, Finding, Promise},
    faults::{Strike, schedule},
    keep::keep,
    process::Guard,
    strike::{strike, targets},
    world::World,
};

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The seed of the first run, from which those of the others follow.
    pub seed: u64,
    /// How long faults are done, over all runs, with what it takes to begin and end them.
    pub time: Duration,
    /// Nothing is done to anybody.
    pub quiet: bool,
    /// Waits until every notice has reached its desk. The bus gives a notice that a killed desk had in its hand out again
    /// after a minute, so that this takes longer than a short run does.
    pub deliveries: bool,
    /// Where what a failed run left behind is kept.
    pub keep: std::path::PathBuf,
}

/// How long everything may take to come to its end once nothing is done to it any more. A window is up to twelve seconds,
/// electing leaders for a hundred consumers takes as long, and a machine may be slow: only a failure takes so long.
const SETTLING: Duration = Duration::from_mins(4);

/// How much longer, at least, for what follows from the desks' last words.
const AFTERWARDS: Duration = Duration::from_secs(30);

/// For how long the services are left alone after the last duty has come to its end: whatever they do too often, they
/// do now. Routers state a checkpoint of what stands once it has been quiet for a second.
const QUIET: Duration = Duration::from_millis(1500);

/// How often it is told what is waited for.
const TELLING: Duration = Duration::from_secs(10);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(700);

/// What a run did and found.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) findings: Vec<Finding>,
}

/// Does one run. Nothing of it stays on the disk but what a broken promise is kept by.
///
/// # Errors
/// When its world does not start, in words.
pub(super) async fn one(seed: u64, time: Duration, options: &Options) -> Result<Outcome, String> {
    let began = Instant::now();
    let directory = tempfile::Builder::new().prefix("tocsin-chaos-").tempdir().unwrap();
    let guard = Guard::over(directory.path());
    let world = match World::start(seed, directory.path(), &guard).await {
        Ok(world) => Arc::new(world),
        Err(why) => {
            guard.close();
            return Err(why);
        }
    };
    let started = began.elapsed();
    // What it takes to begin and to end is of the time that was asked for, where that is short.
    let striking = time.saturating_sub(started).max(time / 2);
    let faults_began = Instant::now();
    let mut publishing = JoinSet::new();
    publishing.spawn(Arc::clone(&world.authors).publish(seed, striking, !options.quiet));
    if options.quiet {
        tokio::time::sleep(striking).await;
    } else {
        strikes(&world, seed, striking).await;
    }
    let struck = faults_began.elapsed();
    world.heal();
    let mut outcome = Outcome::default();
    let (evidence, mut checked) = settle(&world, &mut publishing, options, &mut outcome).await;
    drop(publishing);
    outcome.findings.append(&mut checked.findings);
    if let Some(evidence) = &evidence {
        outcome.reports(&world, &checked).await;
        outcome.bundle(&world).await;
        outcome.count("entries of TOCSIN_SAID", evidence.said.len());
        outcome.count("entries of TOCSIN_LOG", evidence.log.len());
        outcome.count("facts acknowledged to their authors", evidence.told.len());
    }
    outcome.wrong(&world);
    outcome.counts.extend(checked.counts.into_iter().map(|(what, many)| (what.to_owned(), many)));
    for (promise, often) in checked.held {
        outcome.counts.insert(format!("held: {promise:?}"), often);
    }
    outcome.figures(&world);
    outcome.counts.insert(format!("worlds with {} bus", world.gate.name()), 1);
    let promises =
        outcome.counts.iter().filter(|(what, _)| what.starts_with("held: ")).map(|(_, often)| *often);
    let promises = promises.sum();
    outcome.counts.insert("promises checked".to_owned(), promises);
    outcome.findings.sort();
    let ending = began.elapsed().saturating_sub(started + struck);
    println!(
        "  {} bus, {:.0} s: {:.0} to begin, {:.0} of faults, {:.0} to end",
        world.gate.name(),
        began.elapsed().as_secs_f64(),
        started.as_secs_f64(),
        struck.as_secs_f64(),
        ending.as_secs_f64()
    );
    print(&outcome.counts);
    if !outcome.findings.is_empty() {
        println!("  FOUND {}:", outcome.findings.len());
        outcome.findings.iter().take(25).for_each(|finding| println!("    {finding}"));
        let kept =
            keep(&options.keep.join(format!("seed-{seed}")), &outcome.findings, evidence.as_ref(), &world);
        println!("  kept in {}", kept.display());
        if world.is_out_of_disk() {
            println!("  the disk of this machine was full meanwhile: what was found may be of that");
        }
    }
    // Nobody else holds the world: every strike has ended.
    drop(world);
    guard.close();
    Ok(outcome)
}

/// Does all faults of a seed, each when its time has come, and waits until the last has ended.
async fn strikes(world: &Arc<World>, seed: u64, time: Duration) {
    let began = tokio::time::Instant::now();
    let mut striking = tokio::task::JoinSet::new();
    for Strike { at, lasts, fault } in schedule(seed, time, targets(world)) {
        tokio::time::sleep_until(began + at).await;
        let lasts = lasts.min(time.saturating_sub(at));
        striking.spawn(strike(Arc::clone(world), Strike { at, lasts, fault }));
    }
    tokio::time::sleep_until(began + time).await;
    striking.join_all().await;
}

/// Waits until nothing is unfinished, or a promise is broken for good. Then every desk is closed, so that nothing more is
/// said, and what stands is judged once more.
async fn settle(
    world: &World,
    publishing: &mut JoinSet<()>,
    options: &Options,
    outcome: &mut Outcome,
) -> (Option<Evidence>, Checked) {
    let mut deadline = Instant::now() + SETTLING;
    let mut closed = false;
    let mut told = Instant::now();
    loop {
        let began = Instant::now();
        if !closed {
            world.processes().for_each(|process| world.see(process));
        }
        let why = match world.evidence().await {
            Ok(evidence) => {
                let mut checked = checker::check(&evidence);
                if !options.deliveries {
                    checked.findings.retain(|finding| finding.promise != Promise::Delivered);
                }
                while let Some(ended) = publishing.try_join_next() {
                    ended.unwrap();
                }
                if !publishing.is_empty() {
                    let what = "a publisher has not yet been told that its event stands and is dispatched";
                    checked.unfinished(Promise::NothingLost, what);
                }
                let unfinished = checked.findings.iter().filter(|finding| finding.unfinished).count();
                let ended = unfinished == 0 || Instant::now() > deadline;
                if closed && ended {
                    return (Some(evidence), checked);
                }
                if ended {
                    world.close_desks();
                    closed = true;
                    deadline = deadline.max(Instant::now() + AFTERWARDS);
                    tokio::time::sleep(QUIET).await;
                    continue;
                }
                let first =
                    checked.findings.iter().find(|finding| finding.unfinished).map(ToString::to_string);
                format!("{unfinished} unfinished, such as {}", first.unwrap_or_default())
            }
            Err(why) if Instant::now() > deadline => {
                outcome.broken(Promise::NothingLost, why);
                return (None, Checked::default());
            }
            Err(why) => why,
        };
        if told.elapsed() > TELLING {
            told = Instant::now();
            println!("  waits: {why}");
        }
        tokio::time::sleep(LOOK + began.elapsed() * 2).await;
    }
}

impl Outcome {
    fn broken(&mut self, promise: Promise, what: impl Into<String>) {
        self.findings.push(Finding { promise, unfinished: false, what: what.into() });
    }

    fn count(&mut self, what: &str, many: usize) {
        *self.counts.entry(what.to_owned()).or_default() += many as u64;
    }

    /// Holds the audit's report of each incident against what the checker found.
    async fn reports(&mut self, world: &World, checked: &Checked) {
        let audit = match tocsin_audit::read(&world.ledger, None).await {
            Ok(audit) => audit,
            Err(why) => return self.broken(Promise::Report, format!("the audit cannot read: {why}")),
        };
        for (incident, rows) in &checked.rows {
            let debts = checked.debts.get(incident).map_or(&[][..], Vec::as_slice);
            let id: IncidentId = incident.parse().unwrap();
            match audit.report(&id, tocsin_audit::Request::default()) {
                Ok(report) => {
                    let report = serde_json::to_value(&report).unwrap();
                    self.findings.extend(checker::differences(incident, rows, debts, &report));
                }
                Err(why) => self.broken(Promise::Report, format!("{incident} has no report: {why}")),
            }
        }
        self.count("reports held against the checker", checked.rows.len());
    }

    /// Takes everything away in a bundle and has the real program verify it. Until the routers have stated a checkpoint of
    /// the last entry there is something that nothing vouches for, so it is tried again.
    async fn bundle(&mut self, world: &World) {
        let deadline = Instant::now() + AFTERWARDS;
        while let Err(why) = verified(world).await {
            if Instant::now() > deadline {
                return self.broken(Promise::Report, why);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn wrong(&mut self, world: &World) {
        for (promise, what) in world.wrong.lock().unwrap().drain(..) {
            self.broken(promise, what);
        }
        for what in world.authors.wrong.lock().unwrap().drain(..) {
            self.broken(Promise::NothingLost, what);
        }
    }

    fn figures(&mut self, world: &World) {
        let incidents = world.authors.incidents.load(Ordering::Relaxed);
        self.counts.insert("incidents".to_owned(), incidents);
        let publishing = world.authors.kills.load(Ordering::Relaxed);
        self.counts.insert("kills".to_owned(), world.kills.load(Ordering::Relaxed) + publishing);
        let done = world.done();
        self.counts.insert("faults".to_owned(), done.values().sum::<u64>() + publishing);
        self.counts.insert("fault: program that publishes killed".to_owned(), publishing);
        self.counts.extend(done.into_iter().map(|(what, many)| (format!("fault: {what}"), many)));
    }
}

/// Exports everything and verifies it, by the real program.
async fn verified(world: &World) -> Result<(), String> {
    let file = world.directory.join("everything.bundle");
    for arguments in [vec!["audit", "export", "--all"], vec!["audit", "verify"]] {
        let ran = tokio::process::Command::new(crate::program::binary())
            .args(&arguments)
            .arg(&file)
            .env("NATS_URL", world.urls())
            .envs(world.gate.environment("auditor"))
            .env("RUST_LOG", "error")
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        if !ran.status.success() {
            let told = [ran.stdout, ran.stderr].concat();
            let told: String = String::from_utf8_lossy(&told).chars().take(2_000).collect();
            return Err(format!("tocsin {}: {}: {told}", arguments.join(" "), ran.status));
        }
    }
    Ok(())
}

/// Prints figures: those of the run, those of single faults, and how often each promise was held against something.
pub(super) fn print(counts: &BTreeMap<String, u64>) {
    const PARTS: [(&str, &str); 2] = [("fault: ", "of the faults"), ("held: ", "promises held")];
    let told = |own: &dyn Fn(&str) -> Option<String>| {
        let own =
            counts.iter().filter(|(_, many)| **many > 0).filter_map(|(what, many)| Some((own(what)?, many)));
        own.map(|(what, many)| format!("{what} {many}")).collect::<Vec<_>>().join(", ")
    };
    let is_of_none = |what: &str| PARTS.iter().all(|(prefix, _)| !what.starts_with(prefix));
    println!("  {}", told(&|what| is_of_none(what).then(|| what.to_owned())));
    for (prefix, name) in PARTS {
        println!("  {name}: {}", told(&|what| what.strip_prefix(prefix).map(str::to_owned)));
    }
}
