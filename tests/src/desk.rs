//! Desks that behave as they are told to.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tocsin_desk::{Acknowledge, Arrival, Arrivals, Content, Desk, ReadNotice};
use tocsin_protocol::{IncidentId, Person, ReceiptMethod};
use tokio::{sync::watch, task::JoinHandle};

/// A door that a test opens.
#[derive(Debug, Clone)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// A closed gate.
    #[allow(clippy::new_without_default, reason = "a gate is closed by no default")]
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Opens it for all who wait.
    pub fn open(&self) {
        self.0.send_replace(true);
    }
}

/// How a desk behaves.
#[derive(Debug, Clone)]
pub enum Manner {
    /// Acknowledges whatever asks for it, at once.
    Acknowledges,
    /// Takes notices in and acknowledges nothing.
    Silent,
    /// Takes notices in, and acknowledges the newest event of each incident once the gate is open.
    AcknowledgesOnce(Gate),
}

/// A desk at work, as a task. It ends when it is dropped.
#[derive(Debug)]
pub struct RunningDesk {
    seen: Arc<Mutex<Vec<ReadNotice>>>,
    task: JoinHandle<()>,
}

impl RunningDesk {
    pub(crate) fn start(desk: Desk, manner: Manner) -> Self {
        let seen = Arc::default();
        let task = tokio::spawn(work(desk, manner, Arc::clone(&seen)));
        Self { seen, task }
    }

    /// The notices in the order in which they came, each event once.
    pub fn seen(&self) -> Vec<(IncidentId, u32)> {
        self.notices().iter().map(|read| (read.notice.incident.clone(), read.notice.event.get())).collect()
    }

    /// The same, whole.
    pub fn notices(&self) -> Vec<ReadNotice> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for RunningDesk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Works for ever: what fails is tried again, as a desk program that is restarted does.
async fn work(desk: Desk, manner: Manner, seen: Arc<Mutex<Vec<ReadNotice>>>) {
    loop {
        if let Ok(arrivals) = desk.arrivals().await {
            take(&desk, arrivals, &manner, &seen).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn take(desk: &Desk, mut arrivals: Arrivals, manner: &Manner, seen: &Mutex<Vec<ReadNotice>>) {
    let mut waiting: BTreeMap<IncidentId, ReadNotice> = BTreeMap::new();
    let mut open = match manner {
        Manner::AcknowledgesOnce(gate) => Some(gate.0.subscribe()),
        _ => None,
    };
    loop {
        let arrival: Arrival = tokio::select! {
            arrival = arrivals.next() => match arrival {
                Ok(arrival) => arrival,
                Err(_) => return,
            },
            () = opened(&mut open) => {
                for read in std::mem::take(&mut waiting).into_values() {
                    acknowledge(desk, &read).await;
                }
                open = None;
                continue;
            }
        };
        if let Content::Notice(arrived) = &arrival.content {
            let read = arrived.read.clone();
            keep(seen, &read);
            match (manner, &open) {
                (Manner::AcknowledgesOnce(_), Some(_)) => {
                    waiting.insert(read.notice.incident.clone(), read);
                }
                (Manner::Acknowledges | Manner::AcknowledgesOnce(_), _) if read.notice.acknowledge => {
                    acknowledge(desk, &read).await;
                }
                _ => {}
            }
        }
        // An error means that it is given out again.
        let _ = arrival.settle().await;
    }
}

async fn opened(gate: &mut Option<watch::Receiver<bool>>) {
    match gate {
        Some(gate) => _ = gate.wait_for(|open| *open).await,
        None => std::future::pending().await,
    }
}

fn keep(seen: &Mutex<Vec<ReadNotice>>, read: &ReadNotice) {
    let mut seen = seen.lock().unwrap();
    let same = |known: &ReadNotice| {
        (&known.notice.incident, known.notice.event) == (&read.notice.incident, read.notice.event)
    };
    if !seen.iter().any(same) {
        seen.push(read.clone());
    }
}

async fn acknowledge(desk: &Desk, read: &ReadNotice) {
    let what = Acknowledge {
        by: Person { name: "A Person".to_owned(), role: "Supervisor".to_owned() },
        method: ReceiptMethod::Desk,
        on_behalf_of: None,
        note: None,
    };
    while desk.acknowledge_notice(read, &what).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
