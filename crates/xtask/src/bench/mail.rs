//! (b) Mails a second for overdue recipients, beside lettre alone to the same kind of sink over as many connections.
//!
//! Twice: to a relay that takes a millisecond over each mail, as any on a network takes at least, and to one that takes
//! no time at all. Against the second, all that is measured is processor time, which the sink, the nats-server and ours
//! share.
//!
//! Ours is measured from the moment at which the router begins to write the escalations until the sink has accepted
//! the last mail: reading the work, asking whether there still is need, rendering, and writing down that each attempt
//! has begun are in it. lettre's mails are rendered beforehand.

use std::time::{Duration, Instant};

use lettre::{
    address::Envelope,
    transport::smtp::{client::AsyncSmtpConnection, extension::ClientId},
};
use tocsin_ledger::Ledger;
use tocsin_notifier::{
    Config, Mail, Notifier, Told,
    sink::{Behaviour, Sink, SinkOptions},
};
use tocsin_protocol::{
    Contact, Escalation, EscalationReason, Event, EventNumber, NewFact, PolicyId, Status, StepNumber, Stream,
    Subject, Timestamp, to_body,
};
use tokio::{net::TcpStream, sync::oneshot, task::JoinSet};

use super::{
    bus::{Account, Bus},
    spread::Spread,
    world::{World, incident},
};
use crate::error::{Attempt, Error};

/// As many as a relay commonly allows one sender.
pub(super) const CONNECTIONS: usize = 4;
/// The longest that one round may take.
const ROUND_MOST: Duration = Duration::from_mins(3);

/// How long the sink takes over each mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relay {
    /// A millisecond.
    Networked,
    /// No time.
    Instant,
}

impl Relay {
    fn takes(self) -> Duration {
        match self {
            Self::Networked => Duration::from_millis(1),
            Self::Instant => Duration::ZERO,
        }
    }
}

/// Rounds of each kind, in mails a second.
#[derive(Debug)]
pub(super) struct Mails {
    pub(super) relay: Relay,
    pub(super) connections: usize,
    pub(super) count: usize,
    /// Until the sink has accepted the last mail.
    pub(super) ours: Spread,
    /// Until the log also says so of every one.
    pub(super) recorded: Spread,
    pub(super) lettre: Spread,
}

/// Measures in turn: lettre, ours, lettre, ...
pub(super) async fn measure(
    bus: &Bus,
    relay: Relay,
    connections: usize,
    (mails, rounds): (usize, usize),
) -> Result<Mails, Error> {
    let world = World::new(mails)?;
    let ledger = bus.set_up(Account::Mail).await?;
    let sink = sink(relay).await?;
    let config = config(sink.address().port(), connections)?;
    let notifier =
        Notifier::new(bus.ledger(Account::Mail).await?, &config).attempt("make the bench's notifier")?;
    let (stop, stopped) = oneshot::channel::<()>();
    let notifier = tokio::spawn(notifier.run(async { drop(stopped.await) }));
    let (mut ours, mut recorded, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let said =
            Said::new(&ledger, &world, &format!("overdue-{relay:?}-{connections}-{round}").to_lowercase())
                .await?;
        let lettre = lettre_alone(&said, &world, &config, (relay, connections)).await?;
        let before = sink.counts().mails;
        let (handed, written) = notify(&ledger, &sink, &said, &world, before + mails as u64).await?;
        // The first round warms both sides.
        if round > 0 {
            alone.push(rate(mails, lettre));
            ours.push(rate(mails, handed));
            recorded.push(rate(mails, written));
        }
    }
    drop(stop);
    notifier.await.attempt("stop the bench's notifier")?.attempt("run the bench's notifier")?;
    Ok(Mails {
        relay,
        connections,
        count: mails,
        ours: Spread::of(ours),
        recorded: Spread::of(recorded),
        lettre: Spread::of(alone),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a count of mails is far below 2^52")]
fn rate(mails: usize, within: Duration) -> f64 {
    mails as f64 / within.as_secs_f64()
}

async fn sink(relay: Relay) -> Result<Sink, Error> {
    let sink = Sink::start(SinkOptions::default()).await.attempt("start the bench's SMTP sink")?;
    if relay != Relay::Instant {
        sink.script_all([Behaviour::Delay(relay.takes())]);
    }
    Ok(sink)
}

/// The rounds follow each other at once, each about an incident of its own: none is to wait for the others' minute.
fn config(port: u16, connections: usize) -> Result<Config, Error> {
    toml::from_str(&format!(
        "from = 'Tocsin <tocsin@operator.example>'\nmessage_id_domain = 'tocsin.operator.example'\n\
         digest = '1ms'\n[[relays]]\nname = 'sink'\nhost = '127.0.0.1'\nport = {port}\ntls = 'none'\nconnections = {connections}\n"
    ))
    .attempt("configure the bench's notifier")
}

/// An event on the bus that nobody has acknowledged.
pub(super) struct Said {
    event: Event,
    sequence: u64,
    at: Timestamp,
}

impl Said {
    pub(super) async fn new(ledger: &Ledger, world: &World, name: &str) -> Result<Self, Error> {
        let incident = incident(name)?;
        let (subject, body, signed) = world.say(&incident)?;
        let said = ledger.say(&subject, &signed, body).await.attempt("say the bench's event")?.position();
        Ok(Self { event: world.event(&incident), sequence: said.sequence, at: said.time })
    }

    pub(super) fn escalations(&self, world: &World, status: Status) -> Result<Vec<Escalation>, Error> {
        let policy = PolicyId::new("bench").attempt("name the bench's policy")?;
        let escalation = |(id, _): &(tocsin_protocol::RecipientId, _)| Escalation {
            duty: None,
            via: None,
            incident: self.event.incident.clone(),
            event: EventNumber::FIRST,
            step: StepNumber::FIRST,
            recipient: id.clone(),
            recipient_name: format!("Police force {id}"),
            policy: Some(policy.clone()),
            status,
            said: self.sequence,
            due_at: self.at,
            reason: EscalationReason::Silent,
            contact: "duty".to_owned(),
            to: Contact {
                role: "Duty officer".to_owned(),
                email: format!("duty@{id}.example"),
                phone: Some("0300 000 000".to_owned()),
            },
            time_zone: "Europe/London".to_owned(),
        };
        Ok(world.recipients.iter().map(escalation).collect())
    }
}

/// lettre's own connections, the mails rendered beforehand.
///
/// Not its pooled transport: that leaves Nagle's algorithm on and writes the end of a mail by itself, so that each mail
/// waits 40 ms for the far end's delayed ACK. To be quicker than that would prove nothing.
async fn lettre_alone(
    said: &Said,
    world: &World,
    config: &Config,
    (relay, connections): (Relay, usize),
) -> Result<Duration, Error> {
    let sink = sink(relay).await?;
    let mails = world.recipients.len();
    let letterhead = config.letterhead().attempt("configure the bench's mails")?;
    let mut waiting = Vec::with_capacity(mails);
    for escalation in said.escalations(world, Status::Exercise)? {
        let told = Told {
            escalation: &escalation,
            escalated_at: said.at,
            event: Some(&said.event),
            published_at: Some(said.at),
            directory: None,
        };
        let mail = Mail::render(&told, &letterhead).attempt("render the bench's mails")?;
        let envelope = Envelope::new(Some(mail.from), vec![mail.to]).attempt("address the bench's mails")?;
        waiting.push((envelope, mail.bytes));
    }
    let share = mails.div_ceil(connections);
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    while !waiting.is_empty() {
        let share = waiting.split_off(waiting.len().saturating_sub(share));
        let address = sink.address();
        tasks.spawn(async move {
            let wrong = "send mails with lettre";
            let stream = TcpStream::connect(address).await.attempt(wrong)?;
            stream.set_nodelay(true).attempt(wrong)?;
            let stream = Box::new(stream);
            let mut line = AsyncSmtpConnection::connect_with_transport(stream, &ClientId::default())
                .await
                .attempt(wrong)?;
            for (envelope, bytes) in share {
                line.send(&envelope, &bytes).await.attempt(wrong)?;
            }
            line.quit().await.attempt(wrong)
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.attempt("send mails with lettre")??;
    }
    let taken = start.elapsed();
    if sink.counts().mails != mails as u64 {
        return Err(Error::told("the sink lacks mails that lettre sent"));
    }
    Ok(taken)
}

/// Escalations as a router writes them.
pub(super) fn escalation_facts(escalations: &[Escalation]) -> Result<Vec<NewFact>, Error> {
    let fact = |escalation: &Escalation| {
        Ok(NewFact {
            subject: Subject::Escalation {
                recipient: escalation.recipient.clone(),
                incident: escalation.incident.clone(),
                event: escalation.event,
                step: escalation.step,
            },
            body: to_body("escalation", escalation).attempt("write the bench's escalations")?,
            schedule: None,
        })
    };
    escalations.iter().map(fact).collect()
}

/// The notifier, until the sink has so many mails; and until all of them are written down.
async fn notify(
    ledger: &Ledger,
    sink: &Sink,
    said: &Said,
    world: &World,
    until: u64,
) -> Result<(Duration, Duration), Error> {
    let facts = escalation_facts(&said.escalations(world, Status::Exercise)?)?;
    let start = Instant::now();
    ledger.append_all(&facts, None).await.attempt("write the bench's escalations")?;
    sink.wait_until(ROUND_MOST, |seen| seen.counts.mails >= until)
        .await
        .attempt("see every mail accepted")?;
    let handed = start.elapsed();
    let filter = format!("tocsin.attempt.*.{}.*.*.*.ended", said.event.incident);
    let recorded = async {
        loop {
            let ended = ledger.entries(Stream::Log, std::slice::from_ref(&filter)).await;
            if ended.attempt("read the attempts")?.len() >= facts.len() {
                return Ok::<_, Error>(start.elapsed());
            }
        }
    };
    let recorded =
        tokio::time::timeout(ROUND_MOST, recorded).await.attempt("see every attempt recorded")??;
    Ok((handed, recorded))
}
