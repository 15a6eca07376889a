//! Many desks in one process, which can be killed like any other.
//!
//! Each has its own connection, as an agency has. Whatever was acknowledged to a desk, the process prints: one line for
//! each, once the bus has said that it stands.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tocsin_desk::{Acknowledge, Acknowledged, Arrivals, Content, Delivered, Desk, ReadNotice, Standing};
use tocsin_ledger::{Connection, Ledger, Wait};
use tocsin_protocol::{Person, Receipt, ReceiptMethod, SignedDuration, SigningKey, Timestamp, to_body};

use super::{
    chance::Chance,
    people::{Manner, manner},
};

/// What such a process is told, in a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Desks {
    /// The bus.
    pub(super) urls: String,
    /// Of the run.
    pub(super) seed: u64,
    /// Each recipient's id and private key.
    pub(super) keys: BTreeMap<String, String>,
}

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
    let key = || SigningKey::from_seed(&told.keys[&id]).unwrap();
    let connection =
        Connection { name: id.clone(), wait: Wait::UntilConnected, ..Connection::to(&told.urls) };
    let ledger = loop {
        match Ledger::connect(&connection).await {
            Ok(ledger) => break ledger,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    };
    let desk = Desk::new(ledger.clone(), id.parse().unwrap(), key()).unwrap();
    loop {
        if let Ok(mut arrivals) = desk.arrivals().await {
            take(&told, &desk, &ledger, &key, &mut arrivals).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn take(
    told: &Arc<Desks>,
    desk: &Desk,
    ledger: &Ledger,
    key: &impl Fn() -> SigningKey,
    arrivals: &mut Arrivals,
) {
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
                let (desk, ledger, key, read) = (desk.clone(), ledger.clone(), key(), read.clone());
                let stepped = stepped(told.seed, id);
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    match stepped {
                        Some(by) => acknowledge_as_of(&ledger, &desk, &key, &read, by).await,
                        None => acknowledge(&desk, &read).await,
                    }
                });
            }
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

/// How far this desk's clock is from everybody's: every eighth was stepped, by up to two days to either side. What a
/// desk's clock says is its claim in the receipt, and nothing else of it reaches the bus.
fn stepped(seed: u64, id: &str) -> Option<SignedDuration> {
    let mut chance = Chance::of(seed, id);
    let hours = i64::try_from(chance.below(96)).unwrap() - 48;
    (chance.below(8) == 0).then(|| SignedDuration::from_hours(hours))
}

/// Acknowledges as the desk does, by a clock that was stepped.
async fn acknowledge_as_of(
    ledger: &Ledger,
    desk: &Desk,
    key: &SigningKey,
    read: &ReadNotice,
    by: SignedDuration,
) {
    let receipt = Receipt::acknowledged(
        desk.recipient().clone(),
        read.notice.incident.clone(),
        read.notice.event,
        Timestamp::now() + by,
        (person(), ReceiptMethod::Program),
    );
    let (subject, body) = (receipt.subject(), to_body("receipt", &receipt).unwrap());
    let signed = key.sign(&subject.to_string(), &body).unwrap();
    loop {
        match ledger.say(&subject, &signed, body.clone()).await {
            Ok(said) => return tell(desk, read, said.position().sequence),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
