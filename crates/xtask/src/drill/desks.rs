//! The desks, and the people at them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tocsin_desk::{Acknowledge, Arrived, Content, Delivered, Desk};
use tocsin_ledger::{Connection, Ledger, Wait};
use tocsin_notifier::sink::Sink;
use tocsin_protocol::{Contact, EventNumber, ReceiptMethod, RecipientId, SigningKey};
use tokio::{sync::watch, task::JoinSet};

use super::{
    clock::shortened,
    parts::stopped,
    people::{Answer, Behaviour},
    way::Way,
};
use crate::error::Error;

/// How long a desk may take to connect.
const CONNECTING: Duration = Duration::from_secs(30);
/// The most connections that the desks hold; beyond it some share one, as a process may open only so many
/// files. On a guarded bus each has its own.
const CONNECTIONS: usize = 400;
/// How many desks are opened at once.
const AT_ONCE: usize = 16;
/// Longer than any drill: a wait for a mail ends with the drill.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);

/// Somebody's desk: whose, with which key, and who sits there.
pub(crate) struct Seat {
    /// Whose.
    pub(crate) recipient: RecipientId,
    /// The recipient's key.
    pub(crate) key: SigningKey,
    /// Who is written to when it is silent.
    pub(crate) contacts: BTreeMap<String, Contact>,
    /// What the person there does; nobody answers where an answer is not asked.
    pub(crate) behaviour: Option<Behaviour>,
}

/// What the desks themselves know: held against the report at the end.
#[derive(Debug, Default, Clone)]
pub(crate) struct Noted {
    /// Which notices the desks hold.
    pub(crate) delivered: BTreeSet<(RecipientId, EventNumber)>,
    /// What they acknowledged, with the broker's time.
    pub(crate) acknowledged: BTreeMap<(RecipientId, EventNumber), Timestamp>,
    /// The calls lost in each recipient's own areas, as its notice told them.
    pub(crate) calls_here: BTreeMap<RecipientId, u64>,
    /// What went wrong at a desk.
    pub(crate) faults: Vec<String>,
}

/// The desks' common notes. Clones share them.
#[derive(Debug, Default, Clone)]
pub(crate) struct Notes(Arc<Mutex<Noted>>);

impl Notes {
    /// What the desks know.
    pub(crate) fn read(&self) -> Noted {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, recipient: &RecipientId, why: impl std::fmt::Display) {
        self.lock().faults.push(format!("the desk of {recipient}: {why}"));
    }
}

/// What every desk shares.
#[derive(Clone)]
struct Common {
    sink: Arc<Sink>,
    notes: Notes,
    speed: i32,
    stop: watch::Receiver<bool>,
}

/// Opens every desk, each with a connection of its own up to a bound, and waits until all of them listen.
///
/// # Errors
/// When one cannot be opened.
pub(crate) async fn open(
    way: &Way,
    seats: Vec<Seat>,
    sink: &Arc<Sink>,
    speed: i32,
    stop: watch::Receiver<bool>,
) -> Result<(JoinSet<()>, Notes), Error> {
    let notes = Notes::default();
    let common = Common { sink: Arc::clone(sink), notes: notes.clone(), speed, stop };
    let shared = if way.is_guarded() { seats.len() } else { seats.len().min(CONNECTIONS) };
    let connecting = seats.iter().take(shared).map(|seat| connect(way, seat));
    let ledgers: Vec<Ledger> = stream::iter(connecting).buffered(AT_ONCE).try_collect().await?;
    let opening = seats.into_iter().enumerate().map(|(at, seat)| {
        let ledger = ledgers[at % shared].clone();
        async move {
            let Seat { recipient, key, contacts, behaviour } = seat;
            let cannot = |why| Error::part(format!("open the desk of {recipient}"), why);
            let desk = Desk::new(ledger, recipient.clone(), key).map_err(cannot)?;
            let arrivals = desk.arrivals().await.map_err(cannot)?;
            Ok::<_, Error>((
                desk,
                arrivals,
                behaviour.map(|behaviour| Arc::new(Sitting { behaviour, contacts })),
            ))
        }
    });
    let opened: Vec<_> = stream::iter(opening).buffered(AT_ONCE).try_collect().await?;
    let mut desks = JoinSet::new();
    for (desk, arrivals, person) in opened {
        desks.spawn(sit(desk, arrivals, person, common.clone()));
    }
    Ok((desks, notes))
}

async fn connect(way: &Way, Seat { recipient, key, .. }: &Seat) -> Result<Ledger, Error> {
    let connection = Connection {
        name: format!("desk {recipient}"),
        wait: Wait::Fail(CONNECTING),
        ..way.body(recipient.as_str(), key)?
    };
    Ledger::connect(&connection)
        .await
        .map_err(|why| Error::part(format!("connect the desk of {recipient}"), why))
}

/// The person at a desk, and how they would be reached.
struct Sitting {
    behaviour: Behaviour,
    contacts: BTreeMap<String, Contact>,
}

/// Takes notices in until the drill is over.
async fn sit(desk: Desk, mut arrivals: tocsin_desk::Arrivals, person: Option<Arc<Sitting>>, common: Common) {
    let mut replies = JoinSet::new();
    let stop = stopped(common.stop.clone());
    tokio::pin!(stop);
    loop {
        let arrival = tokio::select! {
            () = &mut stop => break,
            arrival = arrivals.next() => arrival,
        };
        let arrival = match arrival {
            Ok(arrival) => arrival,
            Err(why) => return common.notes.fault(desk.recipient(), why),
        };
        if let Err(why) = arrival.settle().await {
            common.notes.fault(desk.recipient(), why);
        }
        let arrived = match arrival.content {
            Content::Notice(arrived) => arrived,
            Content::Overdue(_) => continue,
            Content::Unfit(unfit) => {
                common.notes.fault(desk.recipient(), unfit);
                continue;
            }
        };
        note(&desk, &arrived, &common.notes);
        if !arrived.read.notice.acknowledge {
            continue;
        }
        let event = arrived.read.notice.event;
        let answer = person.as_ref().and_then(|sitting| sitting.behaviour.answers.get(&event)).cloned();
        if let (Some(sitting), Some(answer)) = (person.clone(), answer) {
            replies.spawn(reply(desk.clone(), arrived, sitting, answer, common.clone()));
        }
    }
    replies.shutdown().await;
}

fn note(desk: &Desk, arrived: &Arrived, notes: &Notes) {
    let (recipient, notice) = (desk.recipient().clone(), &arrived.read.notice);
    if let Delivered::NotSaid(why) = &arrived.delivered {
        notes.fault(&recipient, format!("the receipt could not be said: {why}"));
        return;
    }
    let mut known = notes.lock();
    known.delivered.insert((recipient.clone(), notice.event));
    if let Some(calls) = notice.calls_unsuccessful_here {
        known.calls_here.insert(recipient, calls);
    }
}

/// The person answers, in their own time: unasked, or once the mail to their contact has arrived.
async fn reply(desk: Desk, arrived: Box<Arrived>, sitting: Arc<Sitting>, answer: Answer, common: Common) {
    let published_at = arrived.read.notice.published_at;
    match answer {
        Answer::Never => return,
        Answer::After(delay) => {
            let at = published_at + shortened(delay, common.speed);
            tokio::time::sleep(at.duration_since(Timestamp::now()).try_into().unwrap_or_default()).await;
        }
        Answer::AfterMail(contacted, delay) => {
            let Some(contact) = sitting.contacts.get(&contacted) else {
                return common.notes.fault(desk.recipient(), format!("no {contacted} contact"));
            };
            let mailed = common.sink.wait_until(FOR_EVER, |seen| {
                seen.to(&contact.email)
                    .any(|mail| Timestamp::try_from(mail.at).is_ok_and(|at| at >= published_at))
            });
            if mailed.await.is_err() {
                return;
            }
            tokio::time::sleep(shortened(delay, common.speed).unsigned_abs()).await;
        }
    }
    let what = Acknowledge {
        by: sitting.behaviour.person.clone(),
        method: ReceiptMethod::Desk,
        on_behalf_of: None,
        note: None,
    };
    match desk.acknowledge_notice(&arrived.read, &what).await {
        Ok(acknowledged) => {
            let key = (desk.recipient().clone(), acknowledged.event);
            common.notes.lock().acknowledged.insert(key, acknowledged.position.time);
        }
        Err(why) => common.notes.fault(desk.recipient(), why),
    }
}
