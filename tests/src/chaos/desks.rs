//! Many desks in one process, which can be killed like any other.
//!
//! Each has its own connection, as an agency has. Whatever was acknowledged to a desk, the process prints: one line for
//! each, once the bus has said that it stands.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tocsin_desk::{
    Acknowledge, Acknowledged, Arrivals, Clock, Content, Delivered, Desk, ReadNotice, Standing,
};
use tocsin_ledger::{Connection, Ledger, Wait};
use tocsin_protocol::{Person, ReceiptMethod, SignedDuration, SigningKey, Timestamp};
use tocsin_provision::Bus;

use super::{
    chance::Chance,
    people::{Manner, manner},
};

/// What such a process is told, in a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Desks {
    /// The bus, and where its files are, if it is provisioned.
    pub(super) urls: String,
    pub(super) bus: Option<PathBuf>,
    /// Of the run.
    pub(super) seed: u64,
    /// Each recipient's id and private key.
    pub(super) keys: BTreeMap<String, String>,
}

/// How long a clock that is stepped stands as it is.
const CLOCK_STANDS: Duration = Duration::from_secs(4);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// Works at all of them until it is killed.
pub(super) async fn run(file: &Path) {
    let told: Desks = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let told = Arc::new(told);
    let mut working = tokio::task::JoinSet::new();
    for id in told.keys.keys().cloned() {
        working.spawn(one(Arc::clone(&told), id));
    }
    working.join_all().await;
}

/// One desk. What fails is tried again, as a desk program that is restarted does.
async fn one(told: Arc<Desks>, id: String) {
    let key = SigningKey::from_seed(&told.keys[&id]).unwrap();
    let connection = match &told.bus {
        Some(bus) => Bus::at(bus).body(&id, &key, &told.urls).unwrap(),
        None => Connection { name: id.clone(), ..Connection::to(&told.urls) },
    };
    let connection = Connection { wait: Wait::UntilConnected, ..connection };
    let ledger = loop {
        match Ledger::connect(&connection).await {
            Ok(ledger) => break ledger,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    };
    let desk = Desk::new(ledger, id.parse().unwrap(), key).unwrap().by_clock(clock(told.seed, &id));
    loop {
        if let Ok(mut arrivals) = desk.arrivals().await {
            take(&told, &desk, &mut arrivals).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn take(told: &Arc<Desks>, desk: &Desk, arrivals: &mut Arrivals) {
    while let Ok(arrival) = arrivals.next().await {
        if let Content::Notice(arrived) = &arrival.content {
            let read = &arrived.read;
            let (id, incident, event) =
                (desk.recipient().as_str(), read.notice.incident.as_str(), read.notice.event.get());
            if matches!(arrived.delivered, Delivered::Said(_)) {
                println!("delivered {id} {incident} {event} -");
            }
            if read.notice.acknowledge
                && let Manner::After(time) = manner(told.seed, id, incident, event)
            {
                let (desk, read) = (desk.clone(), read.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    acknowledge(&desk, &read).await;
                });
            }
        }
        if let Content::Overdue(overdue) = &arrival.content {
            let overdue = &overdue.overdue;
            let (incident, event, step) = (&overdue.incident, overdue.event, overdue.step);
            println!("overdue {} {incident} {event} {step}", desk.recipient());
        }
        // An error means that it is given out again.
        let _ = arrival.settle().await;
    }
}

fn person() -> Person {
    Person { name: "A Person".to_owned(), role: "Supervisor".to_owned() }
}

async fn acknowledge(desk: &Desk, read: &ReadNotice) {
    let what = Acknowledge { by: person(), method: ReceiptMethod::Desk, on_behalf_of: None, note: None };
    loop {
        match desk.acknowledge_notice(read, &what).await {
            Ok(Acknowledged { standing: Standing::Earlier(_), .. }) => return,
            Ok(acknowledged) => return tell(desk, read, acknowledged.position.sequence),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn tell(desk: &Desk, read: &ReadNotice, sequence: u64) {
    let (id, incident, event) = (desk.recipient(), &read.notice.incident, read.notice.event);
    println!("acknowledged {id} {incident} {event} {sequence}");
}

/// The clock of a desk: every eighth is stepped, again and again, by up to two days to either side. Nobody's duty may
/// depend on it.
fn clock(seed: u64, id: &str) -> Clock {
    if Chance::of(seed, id).below(8) != 0 {
        return Clock::default();
    }
    let (id, began) = (id.to_owned(), Instant::now());
    Clock::new(move || {
        let turn = began.elapsed().as_millis() / CLOCK_STANDS.as_millis();
        let hours = i64::try_from(Chance::of(seed, &format!("{id} at {turn}")).below(96)).unwrap() - 48;
        Timestamp::now() + SignedDuration::from_hours(hours)
    })
}
