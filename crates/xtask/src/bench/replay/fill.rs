//! Filling both streams with what incidents leave, as the parties and a router would have written it.

use async_nats::{Client, HeaderMap, jetstream};
use bytes::Bytes;
use tocsin_duty::{Fold, Trust};
use tocsin_protocol::{
    EventNumber, IncidentId, KEY_HEADER, Person, Receipt, ReceiptMethod, ReceiptStage, RecipientId,
    SIGNATURE_HEADER, Signed, SignedDuration, SigningKey, Stream, Subject, Timestamp, to_body,
};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    bench::{
        bus::{Account, Bus},
        raw::{self, Message},
        world::{World, directory_fact, incident, log_entry, said_entry},
    },
    error::{Attempt, Error},
};

/// Recipients of each incident.
const RECIPIENTS: usize = 100;
/// Incidents written together.
const TOGETHER: usize = 5;

/// What is made, in order.
enum Made {
    Messages(Vec<Message>),
    /// There are as many as were asked for next.
    Enough,
}

/// Both streams while they are filled, to one size after another.
///
/// The receipts of strangers go in as atomic batches, which SAID does not take: so it is opened to them for the
/// while, as only an administrator can. One by one, each with its own disk sync, they would take many minutes.
pub(super) struct Filling {
    client: Client,
    context: jetstream::Context,
    said: jetstream::stream::Config,
    made: mpsc::Receiver<Made>,
    making: JoinHandle<Result<(), Error>>,
    written: u64,
}

impl Filling {
    /// Whoever has this key may vouch for what the streams hold.
    pub(super) async fn begin(bus: &Bus, sizes: Vec<u64>, checkpoints: &SigningKey) -> Result<Self, Error> {
        bus.set_up(Account::Replay).await?;
        let client = bus.raw(Account::Replay).await?;
        let context = jetstream::new(client.clone());
        let said = context.get_stream(Stream::Said.name()).await.attempt("find SAID")?;
        let said = said.cached_info().config.clone();
        let opened = jetstream::stream::Config { allow_atomic_publish: true, ..said.clone() };
        context.update_stream(opened).await.attempt("open SAID to batches")?;
        let (give, made) = mpsc::channel(4);
        let checkpoints = checkpoints.public();
        let making = tokio::task::spawn_blocking(move || make(&sizes, &give, checkpoints));
        Ok(Self { client, context, said, made, making, written: 0 })
    }

    /// Writes until the next size is reached, and gives how many entries `TOCSIN_SAID` and `TOCSIN_LOG` then have.
    pub(super) async fn next(&mut self) -> Result<(u64, u64), Error> {
        while let Some(Made::Messages(messages)) = self.made.recv().await {
            self.written += 1;
            raw::store(&self.client, &format!("fill-{}", self.written), messages).await?;
        }
        let mut ends = [0; 2];
        for (end, stream) in ends.iter_mut().zip([Stream::Said, Stream::Log]) {
            let mut stream = self.context.get_stream(stream.name()).await.attempt("find a stream")?;
            *end = stream.info().await.attempt("read a stream's state")?.state.messages;
        }
        Ok((ends[0], ends[1]))
    }

    pub(super) async fn end(self) -> Result<(), Error> {
        drop(self.made);
        self.making.await.attempt("make the entries to be replayed")??;
        self.context.update_stream(self.said).await.attempt("close SAID to batches").map(drop)
    }
}

/// Makes entries until there are as many as each of these sizes, and gives them out as they are to be written.
fn make(sizes: &[u64], give: &mpsc::Sender<Made>, checkpoints: String) -> Result<(), Error> {
    let send = |made: Made| {
        give.blocking_send(made).map_err(|_| Error::told("the entries to be replayed are not taken"))
    };
    let mut maker = Maker::new()?;
    send(Made::Messages(vec![maker.directory(checkpoints)?]))?;
    for size in sizes {
        while maker.said + maker.log < *size {
            for messages in maker.incidents()? {
                send(Made::Messages(messages))?;
            }
        }
        send(Made::Enough)?;
    }
    Ok(())
}

struct Maker {
    world: World,
    fold: Fold,
    said: u64,
    log: u64,
    incidents: usize,
}

impl Maker {
    fn new() -> Result<Self, Error> {
        let fold = Fold::trusting(Trust { through: u64::MAX, ..Trust::default() });
        Ok(Self { world: World::new(RECIPIENTS)?, fold, said: 0, log: 0, incidents: 0 })
    }

    fn directory(&mut self, checkpoints: String) -> Result<Message, Error> {
        let mut directory = self.world.directory(RECIPIENTS, SignedDuration::from_hours(24));
        directory.checkpoint_key = Some(checkpoints);
        let fact = directory_fact(1, &directory)?;
        self.log += 1;
        self.fold.apply(&log_entry(self.log, Timestamp::now(), &fact));
        Ok(logged(&fact.subject, fact.body, 0))
    }

    /// What is written of the next incidents: the events, what follows, the receipts.
    fn incidents(&mut self) -> Result<[Vec<Message>; 3], Error> {
        let now = Timestamp::now();
        let together = (0..TOGETHER).map(|n| incident(&format!("incident-{}", self.incidents + n)));
        let together = together.collect::<Result<Vec<_>, _>>()?;
        self.incidents += TOGETHER;
        let (mut events, mut receipts) = (Vec::new(), Vec::new());
        for incident in &together {
            let said = self.world.say(incident)?;
            events.push(self.say(now, said));
        }
        let facts = self.fold.follows().into_iter().flat_map(|batch| batch.facts);
        let follow = facts
            .map(|fact| {
                self.log += 1;
                self.fold.apply(&log_entry(self.log, now, &fact));
                logged(&fact.subject, fact.body, self.said)
            })
            .collect();
        for incident in &together {
            for n in 0..self.world.recipients.len() {
                for stage in [ReceiptStage::Delivered, ReceiptStage::Acknowledged] {
                    let (recipient, key) = &self.world.recipients[n];
                    let said = receipt(incident, recipient, key, stage, now)?;
                    receipts.push(self.say(now, said));
                }
            }
        }
        Ok([events, follow, receipts])
    }

    fn say(&mut self, now: Timestamp, (subject, body, signed): (Subject, Bytes, Signed)) -> Message {
        self.said += 1;
        self.fold.apply(&said_entry(self.said, now, &subject, body.clone(), signed.clone()));
        signed_message(&subject, body, &signed)
    }
}

fn receipt(
    incident: &IncidentId,
    recipient: &RecipientId,
    key: &SigningKey,
    stage: ReceiptStage,
    at: Timestamp,
) -> Result<(Subject, Bytes, Signed), Error> {
    let acknowledged = stage == ReceiptStage::Acknowledged;
    let receipt = Receipt {
        stage,
        by: acknowledged.then(|| Person {
            name: "Supervisor on duty".to_owned(),
            role: "Control room supervisor".to_owned(),
        }),
        method: acknowledged.then_some(ReceiptMethod::Desk),
        ..Receipt::delivered(recipient.clone(), incident.clone(), EventNumber::FIRST, at)
    };
    let (subject, body) = (receipt.subject(), to_body("receipt", &receipt).attempt("write a receipt")?);
    let signed = key.sign(&subject.to_string(), &body).attempt("sign a receipt")?;
    Ok((subject, body, signed))
}

fn signed_message(subject: &Subject, body: Bytes, signed: &Signed) -> Message {
    let mut headers = HeaderMap::new();
    headers.insert(KEY_HEADER, signed.key.as_str());
    headers.insert(SIGNATURE_HEADER, signed.signature.as_str());
    Message { subject: subject.to_string(), headers, body }
}

fn logged(subject: &Subject, body: Bytes, said_through: u64) -> Message {
    let mut headers = HeaderMap::new();
    headers.insert(tocsin_protocol::SAID_THROUGH_HEADER, said_through.to_string());
    Message { subject: subject.to_string(), headers, body }
}
