//! Reports for many who ask: of a log that grows, one at a time, and each kept until the log has moved.
//!
//! What was read once is not read again: the evidence is gathered on from where it stood. Reading and reckoning happen
//! beside whoever serves pages, never in their way; who would have to wait behind too many others is told so at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as Lock, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::{Timestamp, civil::Date};
use tocsin_ledger::{Follow, Ledger};
use tocsin_protocol::{IncidentId, PublisherId, RecipientId, Status, Stream};
use tokio::{
    sync::{Mutex, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    Bundle, CallListRequest, Error, Evidence, PeriodRequest, Request, Told,
    read::read_covered,
    render::{
        View, call_list_fragment, call_list_html, call_list_json, call_list_pdf, csv, fragment, html, json,
        pdf, period_csv, period_fragment, period_html, period_json, period_pdf, verdict_fragment,
        verdict_json,
    },
    verify::verify,
};

/// So many may ask at once, the one who is served among them.
const PLACES: usize = 12;
/// How long the bus may take to say where its streams end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a checkpoint is waited for that covers what stands.
const COVERED: Duration = Duration::from_secs(5);
/// When nothing has come for this long, it is asked what is there to come: the last entry may be one that the broker has
/// removed, as it does with windows.
const QUIET: Duration = Duration::from_millis(300);
/// How long nothing may come of what is still to be read.
const STALLED: Duration = Duration::from_secs(20);
/// How long a report is kept at most: a window that the broker should have closed is overdue by the clock.
const KEPT_FOR: Duration = Duration::from_mins(1);
/// How many are kept, and how large each may be, in bytes.
const KEPT: usize = 32;
const KEPT_BYTES: usize = 4 * 1024 * 1024;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Asked {
    /// The report of one incident.
    Incident(IncidentId),
    /// The report over a period, both days included, of incidents of one status.
    Period(Date, Date, Status),
    /// What a bundle of one incident proves, or of everything.
    Verdict(Option<IncidentId>),
    /// Who of one incident is still silent, or of all of them.
    CallList(Option<IncidentId>),
}

/// For whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Whose {
    /// Somebody who sees everything.
    Everybodys,
    /// An operator: its own incidents.
    Publishers(PublisherId),
    /// An agency: its own rows of the incidents that it was told of. Neither a verdict nor a call list is for it.
    Recipients(RecipientId),
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Written {
    /// HTML to stand in another page: see [`STYLE`](crate::render::STYLE).
    Part,
    /// One self-contained page. Of a verdict there is none.
    Html,
    /// A table. Of a verdict or a call list there is none.
    Csv,
    /// For programs.
    Json,
    /// Tagged, to print or keep. Of a verdict there is none.
    Pdf,
}

impl Written {
    fn file(self, body: Bytes, name: &str) -> Made {
        let (media_type, ending) = match self {
            Self::Part | Self::Html => ("text/html; charset=utf-8", "html"),
            Self::Csv => ("text/csv; charset=utf-8", "csv"),
            Self::Json => ("application/json", "json"),
            Self::Pdf => ("application/pdf", "pdf"),
        };
        Made { body, media_type, name: format!("{name}.{ending}") }
    }
}

/// A report as a file.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its bytes.
    pub body: Bytes,
    /// What they are.
    pub media_type: &'static str,
    /// What the file is called.
    pub name: String,
}

type Key = (Asked, Whose, Written);
/// The ends of `TOCSIN_SAID` and `TOCSIN_LOG`.
type Ends = (u64, u64);

/// Makes reports for many.
pub struct Reporter {
    ledger: Ledger,
    places: Semaphore,
    known: Mutex<Option<Known>>,
    kept: Lock<HashMap<Key, (Ends, Instant, Made)>>,
}

/// What was read so far.
struct Known {
    evidence: Evidence,
    follow: Follow,
    read: Ends,
    caught_up: bool,
}

impl Reporter {
    /// A reporter that has read nothing yet.
    pub fn new(ledger: Ledger) -> Arc<Self> {
        Arc::new(Self {
            ledger,
            places: Semaphore::new(PLACES),
            known: Mutex::new(None),
            kept: Lock::new(HashMap::new()),
        })
    }

    /// Makes a report, or gives the one that was made of the same log.
    ///
    /// # Errors
    /// [`Error::Busy`] when too many ask at once, [`Error::Ledger`] when the bus does not answer,
    /// [`Error::UnknownIncident`] for an incident that is not there for them, [`Error::Period`] for days that are none,
    /// [`Error::NoSuchForm`], and [`Error::Render`].
    pub async fn make(self: &Arc<Self>, asked: Asked, whose: Whose, written: Written) -> Result<Made, Error> {
        let key = (asked, whose, written);
        if matches!(key, (Asked::Verdict(_), _, Written::Html | Written::Csv | Written::Pdf))
            || matches!(key, (Asked::CallList(_), _, Written::Csv))
            || matches!(key, (Asked::Verdict(_) | Asked::CallList(_), Whose::Recipients(_), _))
            || matches!(key, (Asked::Verdict(None), Whose::Publishers(_), _))
        {
            return Err(Error::NoSuchForm);
        }
        let this = Arc::clone(self);
        // It goes on when whoever asked has left: the next finds what was read, and two never reckon at once.
        let made = tokio::spawn(async move {
            let _place = this.places.try_acquire().map_err(|_| Error::Busy)?;
            this.answer(key).await
        });
        made.await.unwrap_or_else(|why| Err(broken(&why.to_string())))
    }

    async fn answer(&self, key: Key) -> Result<Made, Error> {
        let ends = self.ends().await?;
        if let Some(made) = self.kept(&key, ends) {
            return Ok(made);
        }
        let mut known = self.known.lock().await;
        let ends = self.ends().await?;
        // Whoever was before in the queue may have asked the same.
        if let Some(made) = self.kept(&key, ends) {
            return Ok(made);
        }
        let made = if let (Asked::Verdict(incident), whose, _) = &key {
            self.verdict(incident.as_ref(), whose, key.2).await?
        } else {
            let read = match known.take() {
                Some(before) => before,
                None => Known {
                    evidence: Evidence::of(None),
                    follow: self.ledger.follow().await?,
                    read: (0, 0),
                    caught_up: false,
                },
            };
            // Should reading fail, it begins anew the next time.
            let Known { evidence, follow, read, caught_up } = read.on(&self.ledger, ends).await?;
            let asked = key.clone();
            let (evidence, made) = spawn_blocking(move || {
                let made = made(&evidence, &asked);
                (evidence, made)
            })
            .await
            .map_err(|why| broken(&why.to_string()))?;
            *known = Some(Known { evidence, follow, read, caught_up });
            made?
        };
        self.keep(key, ends, &made);
        Ok(made)
    }

    async fn verdict(
        &self,
        incident: Option<&IncidentId>,
        whose: &Whose,
        written: Written,
    ) -> Result<Made, Error> {
        let entries = read_covered(&self.ledger, COVERED).await?;
        let (incident, whose) = (incident.cloned(), whose.clone());
        let made = spawn_blocking(move || {
            let bundle = Bundle::of(&entries, incident.as_ref())?;
            let verdict = verify(&bundle, &[]);
            if let (Some(incident), Whose::Publishers(publisher)) = (&incident, &whose) {
                let of = verdict.reports.first().map(|report| &report.incident.publisher);
                owned(of, publisher, incident)?;
            }
            let told = Told::of(&bundle, &verdict);
            let body = match written {
                Written::Part => verdict_fragment(&told)?,
                _ => verdict_json(&told)?,
            };
            let of = incident.map_or_else(|| "everything".to_owned(), |id| id.to_string());
            Ok::<_, Error>(written.file(body.into(), &format!("tocsin-verdict-{of}")))
        });
        made.await.map_err(|why| broken(&why.to_string()))?
    }

    async fn ends(&self) -> Result<Ends, Error> {
        let touch = self.ledger.touch(PATIENCE).await?;
        Ok((touch.said_end, touch.log_end))
    }

    fn kept(&self, key: &Key, ends: Ends) -> Option<Made> {
        // Whoever panicked while holding it has changed nothing by halves.
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, since, made) = kept.get(key)?;
        (*of == ends && since.elapsed() < KEPT_FOR).then(|| made.clone())
    }

    fn keep(&self, key: Key, ends: Ends, made: &Made) {
        if made.body.len() > KEPT_BYTES {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (of, since, _)| *of == ends && since.elapsed() < KEPT_FOR);
        if kept.len() < KEPT {
            kept.insert(key, (ends, Instant::now(), made.clone()));
        }
    }
}

impl Known {
    /// Reads on, up to these ends at least, or to the last entries that are still there.
    async fn on(mut self, ledger: &Ledger, mut ends: Ends) -> Result<Self, Error> {
        let mut heard = Instant::now();
        while !self.caught_up || self.read.0 < ends.0 || self.read.1 < ends.1 {
            let Ok(read) = timeout(QUIET, self.follow.next()).await else {
                if heard.elapsed() > STALLED {
                    return Err(broken("the bus stopped answering while it was read; try again"));
                }
                if self.caught_up {
                    ends.0 = ends.0.min(last_there(ledger, Stream::Said).await?);
                    ends.1 = ends.1.min(last_there(ledger, Stream::Log).await?);
                }
                continue;
            };
            let read = read?;
            heard = Instant::now();
            self.caught_up |= read.caught_up;
            for entry in &read.entries {
                match entry.stream {
                    Stream::Said => self.read.0 = entry.sequence,
                    Stream::Log => self.read.1 = entry.sequence,
                }
            }
            // Every signature is verified: that takes a while.
            let mut evidence = self.evidence;
            self.evidence = spawn_blocking(move || {
                read.entries.iter().for_each(|entry| evidence.take(entry));
                evidence
            })
            .await
            .map_err(|why| broken(&why.to_string()))?;
        }
        Ok(self)
    }
}

/// The sequence of the last entry that can be read; 0 for none.
async fn last_there(ledger: &Ledger, stream: Stream) -> Result<u64, Error> {
    Ok(ledger.last_matching(stream, ">").await?.map_or(0, |entry| entry.sequence))
}

fn broken(why: &str) -> Error {
    Error::Render { what: "what was asked for".to_owned(), form: "a file", why: why.to_owned() }
}

/// An incident is there for its own publisher alone.
fn owned(of: Option<&PublisherId>, asking: &PublisherId, incident: &IncidentId) -> Result<(), Error> {
    if of == Some(asking) {
        return Ok(());
    }
    Err(Error::UnknownIncident { incident: incident.clone(), said: 0 })
}

fn made(evidence: &Evidence, (asked, whose, written): &Key) -> Result<Made, Error> {
    let as_of = Some(Timestamp::now());
    let only = match whose {
        Whose::Recipients(recipient) => Some(recipient.clone()),
        Whose::Everybodys | Whose::Publishers(_) => None,
    };
    let (body, name): (Bytes, String) = match asked {
        Asked::Incident(incident) => {
            let report = evidence.report(incident, Request { as_of, only, comparison: None })?;
            if let Whose::Publishers(publisher) = whose {
                owned(Some(&report.incident.publisher), publisher, incident)?;
            }
            let view = View::default();
            let body = match written {
                Written::Part => fragment(&report, &view)?.into(),
                Written::Html => html(&report, &view)?.into(),
                Written::Csv => csv(&report)?.into(),
                Written::Json => json(&report)?.into(),
                Written::Pdf => pdf(&report, &view)?.into(),
            };
            (body, format!("tocsin-{incident}"))
        }
        Asked::Period(from, to, status) => {
            let publisher = match whose {
                Whose::Publishers(publisher) => Some(publisher.clone()),
                Whose::Everybodys | Whose::Recipients(_) => None,
            };
            let request = PeriodRequest { from: *from, to: *to, status: *status, as_of, publisher, only };
            let report = evidence.period(&request)?;
            let body = match written {
                Written::Part => period_fragment(&report)?.into(),
                Written::Html => period_html(&report)?.into(),
                Written::Csv => period_csv(&report)?.into(),
                Written::Json => period_json(&report)?.into(),
                Written::Pdf => period_pdf(&report)?.into(),
            };
            (body, format!("tocsin-{status}-{from}-{to}"))
        }
        Asked::CallList(incident) => {
            let publisher = match whose {
                Whose::Publishers(publisher) => Some(publisher.clone()),
                Whose::Everybodys => None,
                Whose::Recipients(_) => return Err(Error::NoSuchForm),
            };
            let list =
                evidence.call_list(&CallListRequest { incident: incident.clone(), publisher, as_of })?;
            let body = match written {
                Written::Part => call_list_fragment(&list)?.into(),
                Written::Html => call_list_html(&list)?.into(),
                Written::Json => call_list_json(&list)?.into(),
                Written::Pdf => call_list_pdf(&list)?.into(),
                Written::Csv => return Err(Error::NoSuchForm),
            };
            let of = incident.as_ref().map_or_else(|| "everything".to_owned(), ToString::to_string);
            (body, format!("tocsin-call-list-{of}"))
        }
        Asked::Verdict(_) => return Err(Error::NoSuchForm),
    };
    Ok(written.file(body, &name))
}
