//! The desk's ear: it listens for as long as the desk is there, whatever becomes of the bus.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tocsin_desk::{Acknowledge, Acknowledged, Arrival, Content, Desk, HandedOver, Program, ReadNotice};
use tocsin_ledger::{Ledger, Wait};
use tocsin_protocol::{AuthorKey, Person, PublisherId, Receipt, ReceiptMethod, RecipientId, SigningKey};
use tokio::sync::mpsc;

use crate::{bus, failure::Failure};

pub(super) type Sender = mpsc::Sender<Heard>;

/// What happened at the desk.
pub(super) enum Heard {
    /// The bus is heard.
    Open(Box<Open>),
    /// It is not, and why.
    Deaf(String),
    /// A notice, to be shown and settled.
    Arrived(Box<Arrival>),
    /// A notice, to be shown; it is settled when the program has taken it.
    Shown(Box<Content>),
    /// Something to be told: of which notice, and what the program made of it.
    HandedOver(String, Box<HandedOver>),
    /// The router refused an acknowledgement: what to tell, and of which notice.
    Refused(String, Box<ReadNotice>),
    /// Another desk of this recipient, or a command, acknowledged.
    Elsewhere(Box<Receipt>),
    /// The person wrote a line.
    Line(String),
}

/// A desk that hears.
pub(super) struct Open {
    pub(super) desk: Desk,
    pub(super) ledger: Ledger,
    tell: Sender,
}

/// Whose desk it is.
pub(super) struct Opening {
    pub(super) recipient: RecipientId,
    pub(super) key: SigningKey,
    pub(super) pinned: BTreeMap<PublisherId, AuthorKey>,
    pub(super) control_room: Option<String>,
}

/// How long a write is tried before the person is told that it failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries to reach the bus.
const AGAIN: Duration = Duration::from_secs(2);
/// How many notices may wait for the program.
const PROGRAM_QUEUE: usize = 1024;

/// Listens for ever; ends when nobody hears it any more.
pub(super) async fn listen(opening: Opening, program: Option<(Program, Person)>, tell: Sender) {
    let opening = Arc::new(opening);
    let mut told = String::new();
    while !tell.is_closed() {
        if let Err(why) = session(&opening, program.as_ref(), &tell).await
            && why.words() != told
        {
            why.words().clone_into(&mut told);
            if tell.send(Heard::Deaf(told.clone())).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// From one connection to its end.
async fn session(
    opening: &Arc<Opening>,
    program: Option<&(Program, Person)>,
    tell: &Sender,
) -> Result<(), Failure> {
    let ledger = Ledger::connect(&bus::connection("desk", Wait::Fail(PATIENCE))?).await?;
    let key = SigningKey::from_seed(&opening.key.seed()?)?;
    let mut desk = Desk::new(ledger.clone(), opening.recipient.clone(), key)?.pinning(opening.pinned.clone());
    if let Some(room) = &opening.control_room {
        desk = desk.in_control_room(room.clone());
    }
    let mut arrivals = desk.arrivals().await?;
    let open = Open { desk: desk.clone(), ledger, tell: tell.clone() };
    if tell.send(Heard::Open(Box::new(open))).await.is_err() {
        return Ok(());
    }
    let program = program.map(|(program, by)| hand_on(desk, program.clone(), by.clone(), tell.clone()));
    loop {
        let arrival = arrivals.next().await?;
        let sent = match &program {
            None => tell.send(Heard::Arrived(Box::new(arrival))).await.is_ok(),
            Some(program) => {
                let content = match &arrival.content {
                    Content::Notice(arrived) => Content::Notice(arrived.clone()),
                    Content::Overdue(overdue) => Content::Overdue(overdue.clone()),
                    Content::Unfit(unfit) => Content::Unfit(unfit.clone()),
                };
                tell.send(Heard::Shown(Box::new(content))).await.is_ok()
                    && program.send(arrival).await.is_ok()
            }
        };
        if !sent {
            return Ok(());
        }
    }
}

/// Hands notices to the program, one after the other. Each is settled when the program has ended: until then the bus
/// gives it out again after a crash of this desk.
fn hand_on(desk: Desk, program: Program, by: Person, tell: Sender) -> mpsc::Sender<Arrival> {
    let (give, mut take) = mpsc::channel::<Arrival>(PROGRAM_QUEUE);
    let by = Acknowledge { by, method: ReceiptMethod::Program, on_behalf_of: None, note: None };
    tokio::spawn(async move {
        while let Some(arrival) = take.recv().await {
            let handed = match &arrival.content {
                Content::Notice(arrived) => Some((
                    format!("{} event {}", arrived.read.notice.incident, arrived.read.notice.event),
                    desk.hand_over(arrived, &program, &by).await,
                )),
                Content::Overdue(not_come) => Some((
                    format!("{} event {}, no update came", not_come.overdue.incident, not_come.overdue.event),
                    desk.hand_over_overdue(not_come, &program).await,
                )),
                Content::Unfit(_) => None,
            };
            if let Some((what, handed)) = handed
                && tell.send(Heard::HandedOver(what, Box::new(handed))).await.is_err()
            {
                return;
            }
            if let Err(why) = arrival.settle().await {
                tracing::warn!("a notice that the program has taken may be handed to it again: {why}");
            }
        }
    });
    give
}

impl Open {
    /// Tells the person when the router refuses an acknowledgement.
    pub(super) fn watch_refusal(&self, acknowledged: Acknowledged, read: ReadNotice) {
        const WITHIN: Duration = Duration::from_secs(10);
        let (desk, tell) = (self.desk.clone(), self.tell.clone());
        tokio::spawn(async move {
            if let Ok(Some(refusal)) = desk.refusal(&acknowledged, WITHIN).await {
                let told = format!(
                    "THE ACKNOWLEDGEMENT OF {} event {} DOES NOT COUNT: {}\nTelephone, and tell the administrator of the bus.",
                    acknowledged.incident,
                    acknowledged.event,
                    refusal.reasons.join("; ")
                );
                // An error means that the desk has ended.
                let _ = tell.send(Heard::Refused(told, Box::new(read))).await;
            }
        });
    }

    /// Looks whether these were acknowledged at another desk of this recipient.
    pub(super) fn look_elsewhere(&self, open: Vec<ReadNotice>) {
        let (desk, tell) = (self.desk.clone(), self.tell.clone());
        tokio::spawn(async move {
            for read in open {
                let Ok(Some(receipt)) = desk.acknowledgement_of(&read).await else { continue };
                if tell.send(Heard::Elsewhere(Box::new(receipt))).await.is_err() {
                    return;
                }
            }
        });
    }
}
