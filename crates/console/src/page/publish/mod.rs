//! Publishing: the duty manager's form for the first minute, and what follows from an incident's page.
//!
//! The way of a draft is form, preview, confirm. Nothing of it is kept here between two requests: the preview carries the
//! filled form, so that it can be changed, and the exact event, so that what is confirmed is what was seen. The event's
//! incident and number are its identity, so a confirmation that is sent twice, or reloaded, leaves one event; and where
//! somebody else was faster under the same name, the draft is shown anew and confirmed again.

mod fate;
mod field;
mod filled;
mod foreseen;
mod form;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, OriginalUri, Path, Query, State as Extracted},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use bytes::Bytes;
use serde::Deserialize;
use tocsin_protocol::{Event, IncidentId, PublisherId, Status, from_body};
use tokio::time::timeout;

use self::filled::Filled;
use super::{absent, frame::Frame, words::Zone};
use crate::{
    app::App,
    hands::{Fate, Fault, Foreseen, Known, Press, Says},
    session::{Posted, Refusal, Sees, Visitor},
};

pub(super) use fate::{look_again, waiting};

/// The largest form, in bytes: a preview carries the event and the fields that it was made from.
const FORM_MAX: usize = 512 * 1024;
/// How long the page waits to see what was just published.
const SEEN_WITHIN: Duration = Duration::from_secs(3);

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/publish", get(begin).post(confirm))
        .route("/publish/preview", get(again).post(preview))
        .route("/publish/change", get(again).post(change))
        .route("/publish/{incident}/{event}", get(fate::show))
        .route("/incidents/{id}/publish", get(follow))
        .layer(DefaultBodyLimit::max(FORM_MAX))
}

/// Somebody who may publish, and by whom it is done.
struct Operator {
    app: App,
    visitor: Visitor,
    publisher: PublisherId,
    press: Arc<dyn Press>,
}

impl Operator {
    fn of(app: App, visitor: Visitor, uri: &OriginalUri) -> Result<Self, Refusal> {
        let Sees::Publisher(publisher) = &visitor.sees else {
            return Err(Refusal::forbidden(
                uri,
                "Only the operator of a service publishes. This account may look, and an agency's may acknowledge.",
            ));
        };
        let publisher = publisher.clone();
        let press = app.hands().press.clone().filter(|press| press.publishers().contains(&publisher));
        let Some(press) = press else {
            return Err(Refusal::forbidden(
                uri,
                format!(
                    "This console holds no key of {publisher}, so nothing can be published here. Use `tocsin publish`, or the telephone. Whoever runs the console can name the key under [console.publishers]."
                ),
            ));
        };
        Ok(Self { app, visitor, publisher, press })
    }

    /// The event that a follow-up follows: the newest on the bus, or one that waits on disk.
    async fn before(&self, incident: &IncidentId, known: &Known) -> Option<Event> {
        let waiting = self.press.waiting(self.publisher.clone()).await.unwrap_or_default();
        let waiting = waiting.into_iter().map(|one| one.event).filter(|event| event.incident == *incident);
        known.earlier.iter().cloned().chain(waiting).max_by_key(|event| event.sequence)
    }

    /// The incident that a form follows, if it follows one; what is known; and the event before it.
    async fn followed(&self, filled: &Filled) -> (Option<IncidentId>, Known, Option<Event>) {
        let incident = filled.text("incident").and_then(|id| id.parse().ok());
        let known = known(&self.app, &self.publisher, incident.as_ref());
        let before = match &incident {
            Some(incident) => self.before(incident, &known).await,
            None => None,
        };
        (incident, known, before)
    }

    fn frame(&self, status: Option<Status>) -> Frame {
        let frame = Frame::of(&self.app, &self.visitor, "publish");
        match status {
            Some(status) => frame.about(status),
            None => frame,
        }
    }

    async fn draft(&self, filled: &Filled) -> Result<Foreseen, Vec<Fault>> {
        let (_, known, before) = self.followed(filled).await;
        let zone = Zone::of(&self.app.model().read());
        let draft = filled.draft(&self.publisher, &zone, before.as_ref())?;
        if before.is_none() && !matches!(draft.says, Says::Begins(_)) {
            return Err(vec![Fault {
                field: None,
                words: "There is no such incident of yours to follow".to_owned(),
            }]);
        }
        self.press.draft(draft, known).await
    }

    /// The form, filled in.
    async fn form(&self, filled: &Filled, faults: &[Fault]) -> Response {
        let (incident, known, before) = self.followed(filled).await;
        if incident.is_some() && before.is_none() {
            return absent(&self.app, &self.visitor);
        }
        form::page(self, filled, faults, before.as_ref(), known.directory.as_deref())
    }

    /// The preview, or the form with what is wrong. `notes` are told above all else.
    async fn preview(&self, filled: &Filled, notes: Vec<String>) -> Response {
        match self.draft(filled).await {
            Ok(foreseen) => foreseen::page(self, filled, foreseen, notes),
            Err(faults) => self.form(filled, &faults).await,
        }
    }
}

/// What is known: of the incident that is to be followed, if one is and it is theirs.
pub(crate) fn known(app: &App, publisher: &PublisherId, incident: Option<&IncidentId>) -> Known {
    let state = app.model().read();
    let of_theirs = incident.and_then(|id| state.incident(id)).filter(|one| one.publisher == *publisher);
    let earlier = of_theirs.map(|one| one.events.iter().map(|said| (*said.event).clone()).collect());
    Known {
        directory: state.fold.directory().cloned(),
        earlier: earlier.unwrap_or_default(),
        taken: state.incidents().map(|one| one.id.clone()).collect(),
        now: app.model().now(),
    }
}

type Pairs = Vec<(String, String)>;

/// What somebody asks for by a link to the form.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    says: String,
    /// The report from which a new incident is begun: whose, and which.
    #[serde(default)]
    body: String,
    #[serde(default)]
    report: String,
}

async fn begin(
    Extracted(app): Extracted<App>,
    visitor: Visitor,
    uri: OriginalUri,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let operator = Operator::of(app, visitor, &uri)?;
    let filled = Filled::default().with("says", "begins");
    let filled = operator.filled_from(filled, &wanted);
    Ok(operator.form(&filled, &[]).await)
}

impl Operator {
    /// The same with what a report tells, where one is named of an area of which this publisher may speak. It is a draft:
    /// nothing is said before a person has seen it.
    fn filled_from(&self, filled: Filled, wanted: &Wanted) -> Filled {
        let state = self.app.model().read();
        let named = wanted.body.parse().ok().zip(wanted.report.parse().ok());
        let said = named.and_then(|(body, report)| state.trails.said(&body, &report));
        let directory = state.fold.directory();
        let (Some(said), Some(directory)) = (said, directory) else { return filled };
        let Some(known) = directory.publisher(&self.publisher) else { return filled };
        let areas: Vec<_> =
            said.report.areas.iter().filter(|area| directory.may_speak_of(known, area)).collect();
        if areas.is_empty() {
            return filled;
        }
        let report = &said.report;
        let filled = filled.with("status", &report.status.to_string()).with("headline", &report.headline);
        let services = report.services.iter().map(|service| ("services", service.to_string()));
        let areas = areas.into_iter().map(|area| ("areas", area.to_string()));
        services.chain(areas).fold(filled, |filled, (name, value)| filled.with(name, &value))
    }
}

async fn follow(
    Extracted(app): Extracted<App>,
    visitor: Visitor,
    uri: OriginalUri,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let operator = Operator::of(app, visitor, &uri)?;
    let says = ["update", "resolved", "correction", "cancelled", "sent-in-error"]
        .into_iter()
        .find(|says| *says == wanted.says);
    let filled = Filled::default().with("says", says.unwrap_or("update")).with("incident", &id);
    Ok(operator.form(&filled, &[]).await)
}

/// The address of a form that was posted, asked for by itself.
async fn again() -> Redirect {
    Redirect::to("/publish")
}

async fn preview(
    Extracted(app): Extracted<App>,
    uri: OriginalUri,
    posted: Posted<Pairs>,
) -> Result<Response, Refusal> {
    let operator = Operator::of(app, posted.visitor, &uri)?;
    Ok(operator.preview(&Filled::new(posted.form), Vec::new()).await)
}

async fn change(
    Extracted(app): Extracted<App>,
    uri: OriginalUri,
    posted: Posted<Pairs>,
) -> Result<Response, Refusal> {
    let operator = Operator::of(app, posted.visitor, &uri)?;
    Ok(operator.form(&Filled::new(posted.form), &[]).await)
}

async fn confirm(
    Extracted(app): Extracted<App>,
    uri: OriginalUri,
    posted: Posted<Pairs>,
) -> Result<Response, Refusal> {
    let operator = Operator::of(app, posted.visitor, &uri)?;
    let filled = Filled::new(posted.form);
    let body = Bytes::from(filled.text("event").unwrap_or_default().to_owned());
    let Ok(event) = from_body::<Event>("event", &body) else {
        return Ok(operator.preview(&filled, Vec::new()).await);
    };
    let sent = format!("?sent={}", filled.draft_key());
    match operator.standing(&event) {
        Standing::Free => {}
        Standing::Same => {
            return Ok(Redirect::to(&format!("/incidents/{}{sent}", event.incident)).into_response());
        }
        Standing::Taken(words) => return Ok(operator.preview(&filled, vec![words]).await),
    }
    let told = |place: String| Ok(Redirect::to(&(place + &sent)).into_response());
    match operator.press.publish(operator.publisher.clone(), body).await {
        Ok(Fate::Dispatched) => {
            operator.seen(&event).await;
            told(format!("/incidents/{}", event.incident))
        }
        Ok(Fate::OnTheBus | Fate::Kept(_)) => told(format!("/publish/{}/{}", event.incident, event.sequence)),
        Ok(Fate::Refused(why)) => Ok(fate::refused(&operator, &event, why)),
        Err(faults) => {
            let words = faults.into_iter().map(|fault| fault.words).collect();
            Ok(operator.preview(&filled, words).await)
        }
    }
}

/// How an event's place is before it is published.
enum Standing {
    Free,
    /// It stands there already: it was confirmed twice.
    Same,
    /// Another does, and what to do.
    Taken(String),
}

impl Operator {
    fn standing(&self, event: &Event) -> Standing {
        let state = self.app.model().read();
        let Some(incident) = state.incident(&event.incident) else { return Standing::Free };
        let ours = incident.publisher == self.publisher;
        match incident.event(event.sequence) {
            Some(said) if ours && *said.event == *event => Standing::Same,
            Some(said) if ours => Standing::Taken(format!(
                "Meanwhile another event {} of incident {} was published: \u{201c}{}\u{201d}. If it tells the same, cancel this one. If not, check it again: it is numbered or named anew.",
                event.sequence, event.incident, said.event.headline
            )),
            Some(_) => Standing::Taken(format!(
                "Meanwhile somebody else's incident took the name {}. Check this one again: it is named anew.",
                event.incident
            )),
            None => Standing::Free,
        }
    }

    /// Waits until the console itself has read that the event was dispatched, so that the next page shows it.
    async fn seen(&self, event: &Event) {
        let mut changes = self.app.model().changes();
        let is_there = || {
            let state = self.app.model().read();
            let said = state.incident(&event.incident).and_then(|one| one.event(event.sequence));
            said.is_some_and(|said| said.dispatch.is_some())
        };
        let waited = async { while !is_there() && changes.changed().await.is_ok() {} };
        // The next page tells what it knows, if this took too long.
        let _ = timeout(SEEN_WITHIN, waited).await;
    }
}
