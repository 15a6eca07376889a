//! The publishers: incidents drawn from the seed, each event published by the real program, which is killed too.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{process::Command, sync::Semaphore, sync::watch};

use super::{
    chance::Chance,
    checker::Told,
    people::{NARROW, PUBLISHERS, WIDE},
    process::Guard,
};

/// In the order in which they are worse.
const SEVERITIES: [&str; 4] = ["minor", "moderate", "severe", "extreme"];

/// Programs that publish at once.
const AT_ONCE: usize = 6;

/// One event as it is to be published.
#[derive(Debug, Clone)]
struct Planned {
    /// After the one before it, or after the beginning of the run.
    after: Duration,
    event: Value,
    /// The program that publishes it is killed after this time, once.
    killed_after: Option<Duration>,
}

/// Who publishes, and what was told to them.
pub(super) struct Authors {
    program: PathBuf,
    directory: PathBuf,
    urls: String,
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
    pub(super) fn new(program: &Path, directory: &Path, urls: String, guard: &Arc<Guard>) -> Arc<Self> {
        Arc::new(Self {
            program: program.to_owned(),
            directory: directory.to_owned(),
            urls,
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
        let mut incidents = tokio::task::JoinSet::new();
        for incident in plan(seed, time, kills) {
            incidents.spawn(Arc::clone(&self).incident(incident));
        }
        incidents.join_all().await;
    }

    async fn incident(self: Arc<Self>, events: Vec<Planned>) {
        let mut kept = Vec::new();
        for planned in events {
            tokio::time::sleep(planned.after).await;
            if planned.event["sequence"] == 1 {
                self.incidents.fetch_add(1, Ordering::Relaxed);
            }
            let mut kill = planned.killed_after;
            while !self.give(&planned.event, kill.take()).await {
                // It was killed: whether it is in the spool by now, nobody knows.
            }
            if !self.is_told(&planned.event) {
                kept.push(planned.event);
            }
        }
        for event in kept {
            while !self.is_told(&event) {
                self.give(&event, None).await;
            }
        }
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
    async fn give(&self, event: &Value, kill: Option<Duration>) -> bool {
        let _turn = self.turn.acquire().await.unwrap();
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        let (publisher, incident, number) = (text("publisher"), text("incident"), &event["sequence"]);
        let file = self.directory.join(format!("{incident}.{number}.json"));
        std::fs::write(&file, event.to_string()).unwrap();
        let mut command = Command::new(&self.program);
        command
            .arg("publish")
            .arg(&file)
            .args(["--as", publisher, "--yes", "--wait", "4s", "--key"])
            .arg(self.directory.join(format!("{publisher}.nk")))
            .arg("--spool")
            .arg(self.directory.join(format!("spool-{publisher}")))
            .env("NATS_URL", &self.urls)
            .env("NATS_NKEY", "")
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let windows = [WIDE, NARROW].concat().into_iter().map(Duration::from_secs_f64);
        let now = Instant::now();
        self.closes.lock().unwrap().extend(windows.map(|window| now + window));
        let child = command.spawn().unwrap();
        self.published.send_modify(|published| *published += 1);
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
        let Ok(ended) = ended else {
            self.kills.fetch_add(1, Ordering::Relaxed);
            return false;
        };
        let ended = ended.unwrap();
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
        incidents.push(one(&mut chance, &incident, at, kills));
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
        events.push(Planned { after, event, killed_after });
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
