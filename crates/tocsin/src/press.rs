//! What the console publishes with: the operator's side, as `tocsin publish` uses it.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::{Timestamp, tz::TimeZone};
use tocsin_console::{
    Config, Draft, Fate, Fault, Foreseen, Known, More, Press, Says, Told, Waiting, WhoIsTold, Word,
};
use tocsin_ledger::{Connection, Ledger, Wait};
use tocsin_protocol::{Event, IncidentId, PublisherId, SigningKey, from_body};
use tocsin_publisher::{
    Answer, Changes, Details, Error, FirstMinute, FollowUp, Past, Prepared, Published, Spool, await_answer,
    begin, prepare, prepare_bytes, preview, publish, say_link, say_report, send,
};

use crate::{failure::Failure, seed};

/// How long somebody at a page waits for the bus.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long for a router, once the event stands on the bus.
const ANSWER: Duration = Duration::from_secs(3);
/// Between two tries to send what waits.
const AGAIN: Duration = Duration::from_secs(2);
/// How long one such try may take.
const TRY: Duration = Duration::from_secs(20);

/// The desks of the publishers whose keys the configuration names.
#[derive(Clone)]
pub(crate) struct OperatorPress {
    desks: Arc<BTreeMap<PublisherId, Desk>>,
}

/// One publisher's key, its way to the bus, and its events on disk.
struct Desk {
    publisher: PublisherId,
    key: SigningKey,
    connection: Connection,
    spool: Spool,
}

impl OperatorPress {
    /// Reads the keys and opens the spools; `None` where the configuration names no publisher. `connection` is the
    /// console's own: where the bus asks for a login, a publisher logs in with its own key.
    pub(crate) fn open(config: &Config, connection: &Connection) -> Result<Option<Self>, Failure> {
        if config.publishers.is_empty() {
            return Ok(None);
        }
        let desk = |(publisher, file): (&PublisherId, &std::path::PathBuf)| {
            let key = seed::read(file)?;
            // One each, as one publisher's login may not say another's events.
            let spool = Spool::open(&config.spool.join(publisher.as_str()))?.trusting(config.trusts.clone());
            let connection = as_publisher(connection, publisher, file);
            let desk = Desk { publisher: publisher.clone(), key, connection, spool };
            Ok::<_, Failure>((publisher.clone(), desk))
        };
        let desks: BTreeMap<_, _> = config.publishers.iter().map(desk).collect::<Result<_, _>>()?;
        Ok(Some(Self { desks: Arc::new(desks) }))
    }

    /// Tries to send what waits on disk, for ever. It may be dropped at any moment.
    pub(crate) async fn keep_sending(&self) {
        loop {
            for desk in self.desks.values() {
                desk.send_what_waits().await;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn desk(&self, publisher: &PublisherId) -> Result<&Desk, Vec<Fault>> {
        self.desks.get(publisher).ok_or_else(|| {
            whole(format!(
                "This console holds no key of {publisher}. Whoever runs it can name one under [console.publishers]; until then use `tocsin publish`, or the telephone."
            ))
        })
    }
}

/// The same way to the bus, with the login of a publisher where it asks for one. In an account of its own there are no
/// prefixes.
fn as_publisher(connection: &Connection, publisher: &PublisherId, seed: &Path) -> Connection {
    let name = format!("tocsin-console-{publisher}");
    let asks = connection.nkey_seed_file.is_some() || connection.nkey_seed.is_some();
    if !asks {
        return Connection { name, ..connection.clone() };
    }
    Connection {
        name,
        nkey_seed_file: Some(seed.to_owned()),
        nkey_seed: None,
        inbox_prefix: None,
        api_prefix: None,
        ..connection.clone()
    }
}

impl Press for OperatorPress {
    fn publishers(&self) -> Vec<PublisherId> {
        self.desks.keys().cloned().collect()
    }

    fn draft(&self, draft: Draft, known: Known) -> BoxFuture<'_, Result<Foreseen, Vec<Fault>>> {
        Box::pin(async move { self.desk(&draft.publisher)?.draft(draft, known).await })
    }

    fn publish(&self, publisher: PublisherId, body: Bytes) -> BoxFuture<'_, Result<Fate, Vec<Fault>>> {
        let this = self.clone();
        // On a task of its own: a browser that goes away ends the request, and must not end the sending.
        let done = tokio::spawn(async move { this.desk(&publisher)?.publish(&body).await });
        Box::pin(async move { done.await.unwrap_or_else(|why| Err(whole(why.to_string()))) })
    }

    fn say(&self, publisher: PublisherId, word: Word) -> BoxFuture<'_, Result<u64, Told>> {
        let this = self.clone();
        let done = tokio::spawn(async move {
            let desk = this.desk(&publisher).map_err(|faults| Told(words_of(faults)))?;
            desk.say(&word).await.map_err(|why| Told(why.to_string()))
        });
        Box::pin(async move { done.await.unwrap_or_else(|why| Err(Told(why.to_string()))) })
    }

    fn waiting(&self, publisher: PublisherId) -> BoxFuture<'_, Result<Vec<Waiting>, Told>> {
        Box::pin(async move {
            let Some(desk) = self.desks.get(&publisher) else { return Ok(Vec::new()) };
            let pending = desk.spool.pending().map_err(|why| Told(why.to_string()))?;
            let waiting = pending.events.iter().filter_map(|spooled| {
                let event = from_body("event", spooled.body()).ok()?;
                Some(Waiting { event, since: spooled.spooled_at() })
            });
            Ok(waiting.collect())
        })
    }
}

impl Desk {
    async fn draft(&self, draft: Draft, known: Known) -> Result<Foreseen, Vec<Fault>> {
        let Draft { says, category, services, areas, headline, more, .. } = draft;
        let (event, earlier) = match says {
            Says::Begins(status) => {
                let category = category.ok_or_else(|| missing("category", "what has happened"))?;
                let first = FirstMinute {
                    publisher: self.publisher.clone(),
                    incident: None,
                    status,
                    category,
                    services,
                    areas,
                    headline: headline.unwrap_or_default(),
                    details: details(more),
                };
                let zone = known.directory.as_ref().and_then(|d| TimeZone::get(d.time_zone()).ok());
                let taken = |name: &IncidentId| known.taken.contains(name);
                let zone = zone.unwrap_or(TimeZone::UTC);
                (begin(&self.spool, None, taken, first, known.now, &zone).await.map_err(faults)?, Vec::new())
            }
            Says::Update(incident) => self.follow(
                FollowUp::Update,
                &incident,
                changes(category, services, areas, headline, more),
                &known,
            )?,
            Says::Resolved(incident) => self.follow(
                FollowUp::Resolve,
                &incident,
                changes(category, services, areas, headline, more),
                &known,
            )?,
            Says::Cancelled(incident) => self.follow(
                FollowUp::Cancel,
                &incident,
                changes(category, services, areas, headline, more),
                &known,
            )?,
            Says::SentInError(incident) => self.follow(
                FollowUp::Withdraw,
                &incident,
                changes(category, services, areas, headline, more),
                &known,
            )?,
            Says::Correction(incident, wrong) => self.follow(
                FollowUp::Correct(wrong),
                &incident,
                changes(category, services, areas, headline, more),
                &known,
            )?,
        };
        let prepared = prepare(&event, &self.key, &self.publisher).map_err(faults)?;
        let told = match &known.directory {
            Some(directory) => {
                let foreseen = preview(directory, &earlier, &event, &prepared.signed().key, known.now);
                Some(who_is_told(foreseen.map_err(faults)?))
            }
            None => None,
        };
        let before = earlier.last().cloned();
        Ok(Foreseen { event, body: prepared.body().clone(), before, told })
    }

    fn follow(
        &self,
        kind: FollowUp,
        incident: &IncidentId,
        changes: Changes,
        known: &Known,
    ) -> Result<(Event, Vec<Event>), Vec<Fault>> {
        let on_bus = Some(known.earlier.clone()).filter(|earlier| !earlier.is_empty());
        let past = Past::of(&self.spool, &self.publisher, incident, on_bus).map_err(faults)?;
        let event = past.follow(kind, changes).map_err(faults)?;
        let earlier = past.before(&event);
        Ok((event, earlier))
    }

    async fn publish(&self, body: &[u8]) -> Result<Fate, Vec<Fault>> {
        let prepared = prepare_bytes(body, &self.key, &self.publisher).map_err(faults)?;
        let connection = Connection { wait: Wait::Fail(PATIENCE), ..self.connection.clone() };
        match publish(&connection, &self.spool, &prepared, Timestamp::now(), PATIENCE).await {
            Ok(Published { ledger, sent, .. }) => match await_answer(&ledger, &sent, ANSWER).await {
                Ok(Answer::Dispatched(_)) => Ok(Fate::Dispatched),
                Ok(refused @ Answer::Refused(_)) => Ok(Fate::Refused(refused.to_string())),
                Ok(Answer::NotYet) | Err(_) => Ok(Fate::OnTheBus),
            },
            Err(why) if self.waits(&prepared) => Ok(Fate::Kept(kept_why(&why))),
            Err(why) => Err(faults(why)),
        }
    }

    async fn say(&self, word: &Word) -> Result<u64, Error> {
        let connection = Connection { wait: Wait::Fail(PATIENCE), ..self.connection.clone() };
        let ledger = Ledger::connect(&connection).await?;
        let spoken = match word {
            Word::Report(report) => say_report(&ledger, &self.key, report).await?,
            Word::Link(linking) => say_link(&ledger, &self.key, linking).await?,
        };
        Ok(spoken.sequence)
    }

    fn waits(&self, prepared: &Prepared) -> bool {
        let pending = self.spool.pending().map(|pending| pending.events).unwrap_or_default();
        pending.iter().any(|spooled| spooled.body() == prepared.body())
    }

    async fn send_what_waits(&self) {
        let publisher = &self.publisher;
        match self.spool.pending() {
            Ok(pending) if pending.events.is_empty() => return,
            Ok(_) => {}
            Err(why) => return tracing::error!(%publisher, error = %why, "the spool cannot be read"),
        }
        let until = Instant::now() + TRY;
        let connection = Connection { wait: Wait::Fail(PATIENCE), ..self.connection.clone() };
        let ledger = match Ledger::connect(&connection).await {
            Ok(ledger) => ledger,
            Err(why) => {
                return tracing::warn!(%publisher, error = %why, "events wait on disk and cannot be sent yet");
            }
        };
        match send(&ledger, &self.spool, until.saturating_duration_since(Instant::now())).await {
            Ok(sending) => tracing::info!(%publisher, "what waited on disk: {sending}"),
            Err(why) => {
                tracing::warn!(%publisher, error = %why, "events wait on disk and cannot be sent yet");
            }
        }
    }
}

/// Why an event is kept and was not sent, without the advice that is for a command line.
fn kept_why(error: &Error) -> String {
    match error {
        Error::BusAway { why, .. } | Error::BusUnfit { why, .. } | Error::RefusedAtTheDoor { why, .. } => {
            why.to_string()
        }
        Error::NotTrusted { why, .. } => why.to_string(),
        Error::HeldBack { behind, .. } => format!("{behind}, which comes before it, could not be sent"),
        other => other.to_string(),
    }
}

fn faults(error: Error) -> Vec<Fault> {
    match error {
        Error::Invalid { problems } => problems
            .into_iter()
            .map(|problem| {
                let field = problem.pointer.split('/').nth(1).filter(|field| !field.is_empty());
                Fault { field: field.map(str::to_owned), words: problem.message }
            })
            .collect(),
        Error::WouldBeRefused { problems } => {
            problems.into_iter().map(|words| Fault { field: None, words }).collect()
        }
        other => whole(other.to_string()),
    }
}

fn words_of(faults: Vec<Fault>) -> String {
    faults.into_iter().map(|fault| fault.words).collect::<Vec<_>>().join("; ")
}

fn whole(words: String) -> Vec<Fault> {
    vec![Fault { field: None, words }]
}

fn missing(field: &str, what: &str) -> Vec<Fault> {
    vec![Fault { field: Some(field.to_owned()), words: format!("Say {what}") }]
}

fn who_is_told(preview: tocsin_publisher::Preview) -> WhoIsTold {
    let tocsin_publisher::Preview { problems, notified, without_history } = preview;
    WhoIsTold {
        recipients: notified.recipients.into_iter().map(|one| (one.id, one.requirement)).collect(),
        windows: notified.windows,
        worsened: notified.worsened,
        without_history,
        problems,
    }
}

fn changes(
    category: Option<tocsin_protocol::Category>,
    services: Vec<tocsin_protocol::Service>,
    areas: Vec<tocsin_protocol::AreaId>,
    headline: Option<String>,
    more: More,
) -> Changes {
    Changes {
        category,
        services: Some(services).filter(|services| !services.is_empty()),
        areas: Some(areas).filter(|areas| !areas.is_empty()),
        headline,
        details: details(more),
    }
}

fn details(more: More) -> Details {
    Details {
        description: more.description,
        instruction: more.instruction,
        public_advice: more.public_advice,
        public_advice_in: more.public_advice_in,
        severity: more.severity,
        platform: more.platform,
        began_at: more.began_at,
        detected_at: more.detected_at,
        restored_at: more.restored_at,
        expected_restoration_at: more.expected_restoration_at,
        next_update_by: more.next_update_by,
        material: more.material,
        impact: more.impact,
        contact: more.contact,
        ..Details::default()
    }
}
