//! The publishers: incidents drawn from the seed, each event published by the real program, which is killed too. They
//! promise to say more, and do or do not; they owe reports and calls, and are in time or are not; they correct themselves,
//! and withdraw what they said.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    process::Command,
    sync::{Semaphore, SemaphorePermit, watch},
    task::JoinSet,
};

use super::{
    chance::Chance,
    checker::Told,
    gate::Gate,
    people::{AREAS, NARROW, OWED, PUBLISHERS, REGULATORS, WIDE},
    process::Guard,
};

/// In the order in which they are worse.
const SEVERITIES: [&str; 4] = ["minor", "moderate", "severe", "extreme"];

/// Between two tries to log a call.
const BETWEEN_CALLS: Duration = Duration::from_millis(300);

/// Programs that publish at once.
const AT_ONCE: usize = 6;

/// One event as it is to be published.
#[derive(Debug, Clone)]
struct Planned {
    /// After the one before it, or after the beginning of the run.
    after: Duration,
    event: Value,
    /// The moments that it tells, by their names: so many seconds from the moment at which it is given to the program.
    moments: Vec<(&'static str, f64)>,
    /// Who is telephoned about it, and how long after it stands on the bus.
    calls: Vec<(&'static str, Duration)>,
    /// The program that publishes it is killed after this time, once.
    killed_after: Option<Duration>,
}

impl Planned {
    /// The event as it is said now, and ever after.
    fn said_now(&self) -> Value {
        let now = jiff::Timestamp::now();
        let mut event = self.event.clone();
        for (name, seconds) in &self.moments {
            event[*name] = (now + jiff::SignedDuration::from_secs_f64(*seconds)).to_string().into();
        }
        event
    }
}

/// Who publishes, and what was told to them.
pub(super) struct Authors {
    program: PathBuf,
    directory: PathBuf,
    urls: String,
    gate: Arc<Gate>,
    guard: Arc<Guard>,
    turn: Semaphore,
    /// How many events have been given to a program so far: whoever strikes at a dispatch waits for the next.
    pub(super) published: watch::Sender<u64>,
    closes: Mutex<Vec<Instant>>,
    told: Mutex<Vec<Told>>,
    /// What the program says should never be said, such as that an event of ours cannot be used.
    pub(super) wrong: Mutex<Vec<String>>,
    pub(super) incidents: AtomicU64,
    pub(super) kills: AtomicU64,
}

impl Authors {
    /// Publishers whose keys stand as `<id>.nk` in this directory.
    pub(super) fn new(
        program: &Path,
        directory: &Path,
        (urls, gate): (String, &Arc<Gate>),
        guard: &Arc<Guard>,
    ) -> Arc<Self> {
        Arc::new(Self {
            program: program.to_owned(),
            directory: directory.to_owned(),
            urls,
            gate: Arc::clone(gate),
            guard: Arc::clone(guard),
            turn: Semaphore::new(AT_ONCE),
            published: watch::Sender::new(0),
            closes: Mutex::default(),
            told: Mutex::default(),
            wrong: Mutex::default(),
            incidents: AtomicU64::new(0),
            kills: AtomicU64::new(0),
        })
    }

    /// What was acknowledged to the publishers.
    pub(super) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// Publishes incidents for this time, and goes on with each until all its events are acknowledged.
    pub(super) async fn publish(self: Arc<Self>, seed: u64, time: Duration, kills: bool) {
        let mut incidents = JoinSet::new();
        for incident in plan(seed, time, kills) {
            incidents.spawn(Arc::clone(&self).incident(incident));
        }
        incidents.join_all().await;
    }

    async fn incident(self: Arc<Self>, events: Vec<Planned>) {
        let mut kept = Vec::new();
        let mut calling = JoinSet::new();
        for planned in events {
            tokio::time::sleep(planned.after).await;
            let turn = self.turn.acquire().await.unwrap();
            // Not before its turn: a promise that waits for one would be over when it is made.
            let event = planned.said_now();
            if event["sequence"] == 1 {
                self.incidents.fetch_add(1, Ordering::Relaxed);
            }
            let mut given = self.give(turn, &event, planned.killed_after).await;
            while !given {
                // It was killed: whether it is in the spool by now, nobody knows.
                given = self.give(self.turn.acquire().await.unwrap(), &event, None).await;
            }
            if self.is_told(&event) {
                Arc::clone(&self).calls(&event, planned.calls, &mut calling);
            } else {
                kept.push((event, planned.calls));
            }
        }
        for (event, calls) in kept {
            while !self.is_told(&event) {
                self.give(self.turn.acquire().await.unwrap(), &event, None).await;
            }
            Arc::clone(&self).calls(&event, calls, &mut calling);
        }
        calling.join_all().await;
    }

    /// The calls about an event that stands on the bus, each when its time has come.
    fn calls(
        self: Arc<Self>,
        event: &Value,
        planned: Vec<(&'static str, Duration)>,
        calling: &mut JoinSet<()>,
    ) {
        for (recipient, after) in planned {
            calling.spawn(Arc::clone(&self).telephone(event.clone(), recipient, after));
        }
    }

    /// Logs a call by the real program, in the same words until the bus has it.
    async fn telephone(self: Arc<Self>, event: Value, recipient: &'static str, after: Duration) {
        tokio::time::sleep(after).await;
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        let (publisher, incident, number) =
            (text("publisher"), text("incident"), event["sequence"].to_string());
        let at = jiff::Timestamp::now().to_string();
        loop {
            let turn = self.turn.acquire().await.unwrap();
            let mut command = self.program(publisher);
            command
                .args(["called", incident, "--event", &number, "--to", recipient, "--at", &at])
                .args(["--spoke-to", "B. Example", "--their-role", "supervisor"])
                .args(["--as", publisher, "--by", "A. Example", "--role", "duty manager", "--wait", "300ms"])
                .arg("--key")
                .arg(self.directory.join(format!("{publisher}.nk")));
            let ended = self.ended(command, None).await;
            drop(turn);
            let Some(ended) = ended else { continue };
            let why = String::from_utf8_lossy(&ended.stderr).into_owned();
            match ended.status.code() {
                Some(0) => {
                    let subject =
                        format!("tocsin.incident.{publisher}.{incident}.{number}.called.{recipient}");
                    return self.told.lock().unwrap().push(Told { subject, sequence: None, fact: None });
                }
                Some(1) if !why.contains("does not count") => tokio::time::sleep(BETWEEN_CALLS).await,
                _ => {
                    let what = format!(
                        "logging a call about {incident} {number} ended with {}: {why}",
                        ended.status
                    );
                    return self.wrong.lock().unwrap().push(what);
                }
            }
        }
    }

    /// The program, which speaks to the bus over the publishers' links.
    fn program(&self, publisher: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("NATS_URL", &self.urls)
            .envs(self.gate.environment(publisher))
            .env("RUST_LOG", "error")
            .env("TOCSIN_PUBLISHER", publisher)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    /// How the program ended. None when it was killed.
    async fn ended(&self, mut command: Command, kill: Option<Duration>) -> Option<Output> {
        let child = command.spawn().unwrap();
        let id = child.id();
        if let Some(id) = id {
            self.guard.watch(id);
        }
        let ended = child.wait_with_output();
        let ended = match kill {
            Some(time) => tokio::time::timeout(time, ended).await,
            None => Ok(ended.await),
        };
        if let Some(id) = id {
            self.guard.forget(id);
        }
        if ended.is_err() {
            self.kills.fetch_add(1, Ordering::Relaxed);
        }
        ended.ok().map(Result::unwrap)
    }

    /// When the next window closes after this moment, as far as the authors can know.
    pub(super) fn next_close(&self, after: Instant) -> Option<Instant> {
        let mut closes = self.closes.lock().unwrap();
        closes.retain(|close| *close > after);
        closes.iter().min().copied()
    }

    fn is_told(&self, event: &Value) -> bool {
        self.told.lock().unwrap().iter().any(|told| told.fact.as_ref() == Some(event))
    }

    /// Gives an event to the program. False when that was killed.
    async fn give(&self, _turn: SemaphorePermit<'_>, event: &Value, kill: Option<Duration>) -> bool {
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        let (publisher, incident, number) = (text("publisher"), text("incident"), &event["sequence"]);
        let file = self.directory.join(format!("{incident}.{number}.json"));
        std::fs::write(&file, event.to_string()).unwrap();
        let mut command = self.program(publisher);
        command
            .arg("publish")
            .arg(&file)
            .args(["--as", publisher, "--yes", "--wait", "4s", "--key"])
            .arg(self.directory.join(format!("{publisher}.nk")))
            .arg("--spool")
            .arg(self.directory.join(format!("spool-{publisher}")));
        // An update that nobody gives is owed a second time.
        let again = 2.0 * OWED[1];
        let windows = [WIDE, NARROW, OWED].concat().into_iter().chain([again]).map(Duration::from_secs_f64);
        let promised: Option<jiff::Timestamp> =
            event["next_update_by"].as_str().and_then(|by| by.parse().ok());
        let promised = promised.and_then(|by| by.duration_since(jiff::Timestamp::now()).try_into().ok());
        let now = Instant::now();
        self.closes.lock().unwrap().extend(windows.chain(promised).map(|window| now + window));
        self.published.send_modify(|published| *published += 1);
        let Some(ended) = self.ended(command, kill).await else { return false };
        match ended.status.code() {
            Some(0) => {
                let subject = format!("tocsin.incident.{publisher}.{incident}.{number}");
                let told = Told { subject, sequence: None, fact: Some(event.clone()) };
                self.told.lock().unwrap().push(told);
            }
            // It is kept, or stands on the bus and nobody answers for it yet.
            Some(1) => {}
            _ => {
                let why = String::from_utf8_lossy(&ended.stderr).into_owned();
                let what = format!("publishing {incident} {number} ended with {}: {why}", ended.status);
                self.wrong.lock().unwrap().push(what);
                // Whatever it is, it will be no other the next time: as if it were told.
                let told = Told { subject: String::new(), sequence: None, fact: Some(event.clone()) };
                self.told.lock().unwrap().push(told);
            }
        }
        true
    }
}

/// The incidents of a run: about one a second, each with what becomes of it.
fn plan(seed: u64, time: Duration, kills: bool) -> Vec<Vec<Planned>> {
    let mut chance = Chance::of(seed, "incidents");
    let mut incidents = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        at += chance.millis(400..2_200);
        if at >= time && !incidents.is_empty() {
            return incidents;
        }
        let incident = format!("i-{}", incidents.len() + 1);
        let mut events = one(&mut chance, &incident, at, kills);
        owing(&mut Chance::of(seed, &format!("what {incident} owes")), &mut events, kills);
        incidents.push(events);
    }
}

fn one(chance: &mut Chance, incident: &str, at: Duration, kills: bool) -> Vec<Planned> {
    let publisher = PUBLISHERS[usize::from(chance.percent(25))];
    let status = chance.pick(&["actual", "actual", "actual", "actual", "exercise", "test"]);
    let services = match chance.below(100) {
        0..65 => json!(["ecall"]),
        65..85 => json!(["999-voice", "ecall"]),
        _ => json!(["999-voice"]),
    };
    let mut severity = 0;
    let mut events = Vec::new();
    let mut kind = "initial";
    let mut after = at;
    loop {
        let number = events.len() + 1;
        // The publisher's clock may be stepped too; what it claims decides nothing.
        let claimed = jiff::Timestamp::now()
            - jiff::SignedDuration::from_mins(i64::try_from(chance.below(2_880)).unwrap());
        let event = json!({
            "incident": incident,
            "sequence": number,
            "kind": kind,
            "status": status,
            "publisher": publisher,
            "category": "outage",
            "services": services,
            "headline": format!("Calls are failing: {incident}, event {number}"),
            "areas": ["uk"],
            "severity": SEVERITIES[severity],
            "began_at": claimed.to_string(),
        });
        let killed_after = (kills && chance.percent(20)).then(|| chance.millis(5..250));
        events.push(Planned { after, event, moments: Vec::new(), calls: Vec::new(), killed_after });
        if kind == "resolved" || kind == "cancelled" || number == 4 {
            return events;
        }
        after = chance.millis(300..6_000);
        kind = match chance.below(100) {
            0..30 => "update",
            30..50 => {
                severity = (severity + 1).min(3);
                "update"
            }
            50..70 => "resolved",
            70..80 => "cancelled",
            _ => return events,
        };
    }
}

/// What the publisher of an incident promises and owes, corrects and withdraws, of a chance of its own.
fn owing(chance: &mut Chance, events: &mut Vec<Planned>, kills: bool) {
    if events.last().is_some_and(|last| last.event["kind"] == "resolved") {
        for _ in 0..chance.below(3) {
            let after = chance.millis(300..7_000);
            let killed_after = (kills && chance.percent(20)).then(|| chance.millis(5..250));
            let mut next = Planned { after, killed_after, ..events[events.len() - 1].clone() };
            next.event["sequence"] = (events.len() + 1).into();
            next.event["kind"] = "update".into();
            next.event["stage"] = chance.pick(&["update", "full", "final", "final"]).into();
            if chance.percent(20) {
                next.event["platform"] = chance.pick(&["primary", "backup"]).into();
            }
            events.push(next);
        }
    }
    let grows_at = chance.percent(40).then(|| 2 + chance.below(3));
    let mut handed = [0; AREAS.len()];
    let next: Vec<_> = events.iter().skip(1).map(|next| Some(next.after)).chain([None]).collect();
    for ((number, planned), next) in (1..).zip(events.iter_mut()).zip(next) {
        let event = &mut planned.event;
        if grows_at.is_some_and(|from| number >= from) {
            event["services"] = json!(["999-voice", "ecall"]);
        }
        if chance.percent(35) {
            planned.moments.extend(promise(chance, next).map(|by| ("next_update_by", by)));
        }
        if chance.percent(40) {
            planned.moments.push(("detected_at", -chance.millis(0..12_000).as_secs_f64()));
        }
        if event["kind"] == "resolved" && chance.percent(50) {
            planned.moments.push(("restored_at", -chance.millis(0..8_000).as_secs_f64()));
        }
        if event["kind"] == "cancelled" && chance.percent(50) {
            event["kind"] = "sent-in-error".into();
        }
        if event["kind"] == "update" {
            match chance.below(100) {
                0..20 => {
                    event["kind"] = "correction".into();
                    event["corrects"] = (1 + chance.below(number - 1)).into();
                }
                20..45 => event["stage"] = chance.pick(&["full", "full", "final"]).into(),
                45..55 => event["material"] = true.into(),
                _ => {}
            }
        }
        if number > 1 && chance.percent(20) {
            let place = usize::try_from(chance.below(AREAS.len() as u64)).unwrap();
            handed[place] += chance.below(40);
            let of = |many: &u64| json!({"handed_to_police": many});
            let by_area = AREAS.iter().copied().zip(handed.iter().map(of));
            event["recontact"] = json!({"by_area": by_area.collect::<std::collections::BTreeMap<_, _>>()});
        }
        for regulator in REGULATORS {
            match chance.below(100) {
                0..45 if number == 1 => planned.calls.push((regulator, chance.millis(0..3_000))),
                45..60 if number == 1 => planned.calls.push((regulator, chance.millis(4_000..8_000))),
                // A call about a later event covers the earlier ones.
                60..70 => planned.calls.push((regulator, chance.millis(0..1_000))),
                _ => {}
            }
        }
    }
}

/// When a publisher promises to say more, in seconds from when it speaks, given how long after that it will: mostly late
/// enough, with what faults may take of it; now and then too early, or a moment that is over. Whoever says no more
/// promises it less often, and never keeps it.
fn promise(chance: &mut Chance, next: Option<Duration>) -> Option<f64> {
    let drawn = chance.below(100);
    if drawn < 6 {
        return Some(-3.0);
    }
    let by = chance.millis(1_500..9_000).as_secs_f64();
    match next.map(|next| next.as_secs_f64()) {
        Some(next) if drawn < 70 => Some(next + 5.0 + 2.0 * by),
        Some(next) => Some(by.min(next * 0.9)),
        None => (drawn < 50).then_some(by),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_incidents_again_and_every_kind_of_event_is_drawn() {
        let of = |seed| plan(seed, Duration::from_mins(2), true);
        let words = |incidents: &[Vec<Planned>]| -> Vec<Value> {
            let without_claims = |planned: &Planned| {
                let mut event = planned.event.clone();
                event["began_at"] = Value::Null;
                event
            };
            incidents.iter().flatten().map(without_claims).collect()
        };
        assert_eq!(words(&of(7)), words(&of(7)));
        let all = of(1);
        let kinds: std::collections::BTreeSet<&str> =
            all.iter().flatten().filter_map(|planned| planned.event["kind"].as_str()).collect();
        let every = ["cancelled", "correction", "initial", "resolved", "sent-in-error", "update"];
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), every);
        assert!(all.iter().flatten().any(|planned| !planned.calls.is_empty()));
        assert!(all.iter().flatten().any(|planned| planned.event["recontact"].is_object()));
        for name in ["next_update_by", "detected_at", "restored_at"] {
            assert!(
                all.iter().flatten().any(|planned| planned.moments.iter().any(|(of, _)| *of == name)),
                "{name}"
            );
        }
        for incident in &all {
            assert!(incident.iter().map(|planned| &planned.event["sequence"]).eq(1..=incident.len()));
        }
    }

    #[test]
    fn promises_are_drawn_that_can_be_kept_and_that_cannot() {
        let mut drawn: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
        for incident in plan(1, Duration::from_mins(2), true) {
            let next = incident.iter().skip(1).map(|next| Some(next.after.as_secs_f64())).chain([None]);
            for (planned, next) in incident.iter().zip(next) {
                let Some((_, by)) = planned.moments.iter().find(|(name, _)| *name == "next_update_by") else {
                    continue;
                };
                let what = match next {
                    _ if *by < 0.0 => "over",
                    None => "nothing follows",
                    Some(next) if next < *by => "in time",
                    Some(_) => "too late",
                };
                *drawn.entry(what).or_default() += 1;
            }
        }
        assert!(drawn["in time"] > drawn["too late"], "{drawn:?}");
        assert!(drawn["in time"] > drawn["nothing follows"], "{drawn:?}");
        for what in ["over", "nothing follows", "in time", "too late"] {
            assert!(drawn[what] > 2, "{drawn:?}");
        }
    }
}
