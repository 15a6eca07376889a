//! A publisher's own events: drafted, and said.
//!
//! An event is put at its own address, which is its identity: the same once more leaves one event, however often it is
//! tried and whatever restarted in between.

use std::collections::BTreeMap;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Ours, rejection::BytesRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tocsin_protocol::{
    AreaId, Category, Event, EventContact, EventKind, EventNumber, Impact, IncidentId, Language, Platform,
    PublisherId, RecipientId, Requirement, Service, Severity, Status, StepNumber, Timestamp, from_body,
    schema, to_body,
};

use super::{problem::Problem, read::id};
use crate::{
    app::App,
    hands::{Draft, Fate, Foreseen, More, Press, Says},
    page::publish::known,
    session::{Sees, Visitor},
};

/// The publisher that they may speak for, and who does it.
fn press<'a>(app: &'a App, visitor: &Visitor) -> Result<(PublisherId, &'a dyn Press), Problem> {
    let Sees::Publisher(publisher) = &visitor.sees else {
        return Err(Problem::forbidden("events are a publisher's: this account is not one's"));
    };
    let press = app.hands().press.as_deref().filter(|press| press.publishers().contains(publisher));
    let press = press.ok_or_else(|| {
        let detail = format!(
            "this console holds no key of {publisher}: whoever runs it gives it one, or publish with `tocsin publish`"
        );
        Problem::new(StatusCode::CONFLICT, detail)
    })?;
    Ok((publisher.clone(), press))
}

/// Counts one post of this account.
pub(super) fn counted(app: &App, visitor: &Visitor) -> Result<(), Problem> {
    app.sessions().post_by_token(&visitor.account).map_err(|wait| {
        let detail = "too many posts of this account: nothing was done";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).after(wait.as_secs() + 1)
    })
}

/// What is to be said: of an incident that goes on, only what has changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    kind: EventKind,
    incident: Option<IncidentId>,
    status: Option<Status>,
    category: Option<Category>,
    #[serde(default)]
    services: Vec<Service>,
    #[serde(default)]
    areas: Vec<AreaId>,
    headline: Option<String>,
    description: Option<String>,
    instruction: Option<String>,
    public_advice: Option<String>,
    #[serde(default)]
    public_advice_in: BTreeMap<Language, String>,
    severity: Option<Severity>,
    platform: Option<Platform>,
    began_at: Option<Timestamp>,
    detected_at: Option<Timestamp>,
    restored_at: Option<Timestamp>,
    expected_restoration_at: Option<Timestamp>,
    next_update_by: Option<Timestamp>,
    corrects: Option<EventNumber>,
    material: Option<bool>,
    impact: Option<Impact>,
    contact: Option<EventContact>,
}

impl Wanted {
    fn says(&self) -> Result<Says, Problem> {
        let wrong = |detail: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
        match (self.kind, self.incident.clone(), self.status) {
            (EventKind::Initial, None, Some(status)) => Ok(Says::Begins(status)),
            (EventKind::Initial, None, None) => {
                Err(wrong("status: is missing: use one of actual, exercise, test"))
            }
            (EventKind::Initial, Some(_), _) => {
                Err(wrong("incident: a new one is given its name here: leave it out"))
            }
            (_, None, _) => Err(wrong("incident: is missing: which one goes on")),
            (_, Some(_), Some(_)) => {
                Err(wrong("status: is that of the incident and never changes: leave it out"))
            }
            (EventKind::Update, Some(incident), None) => Ok(Says::Update(incident)),
            (EventKind::Resolved, Some(incident), None) => Ok(Says::Resolved(incident)),
            (EventKind::Correction, Some(incident), None) => match self.corrects {
                Some(wrong) => Ok(Says::Correction(incident, wrong)),
                None => Err(wrong("corrects: is missing: the number of the event that is corrected")),
            },
            (EventKind::Cancelled, Some(incident), None) => Ok(Says::Cancelled(incident)),
            (EventKind::SentInError, Some(incident), None) => Ok(Says::SentInError(incident)),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Drafted {
    /// Where to put it.
    put_at: String,
    event: Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<Told>,
}

#[derive(Serialize)]
struct Told {
    recipients: Vec<Recipient>,
    windows: Vec<Window>,
    worsened: Vec<String>,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Recipient {
    recipient: RecipientId,
    requirement: Requirement,
}

#[derive(Serialize)]
struct Window {
    step: StepNumber,
    due_at: Timestamp,
}

pub(super) async fn draft(
    Ours(app): Ours<App>,
    visitor: Visitor,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Drafted>, Problem> {
    let (publisher, press) = press(&app, &visitor)?;
    counted(&app, &visitor)?;
    let body = body.map_err(|why| Problem::of_body(&why))?;
    let wanted: Wanted = serde_json::from_slice(&body)
        .map_err(|why| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the draft: {why}")))?;
    let says = wanted.says()?;
    let known = known(&app, &publisher, wanted.incident.as_ref());
    let more = More {
        description: wanted.description,
        instruction: wanted.instruction,
        public_advice: wanted.public_advice,
        public_advice_in: wanted.public_advice_in,
        severity: wanted.severity,
        platform: wanted.platform,
        began_at: wanted.began_at,
        detected_at: wanted.detected_at,
        restored_at: wanted.restored_at,
        expected_restoration_at: wanted.expected_restoration_at,
        next_update_by: wanted.next_update_by,
        material: wanted.material,
        impact: wanted.impact,
        contact: wanted.contact,
    };
    let draft = Draft {
        publisher,
        says,
        category: wanted.category,
        services: wanted.services,
        areas: wanted.areas,
        headline: wanted.headline,
        more,
    };
    let Foreseen { event, told, .. } = press.draft(draft, known).await.map_err(Problem::of_press)?;
    let told = told.map(|told| Told {
        recipients: told
            .recipients
            .into_iter()
            .map(|(recipient, requirement)| Recipient { recipient, requirement })
            .collect(),
        windows: told.windows.iter().map(|step| Window { step: step.step, due_at: step.due_at }).collect(),
        worsened: told.worsened,
        problems: told.problems,
    });
    let put_at = format!("/api/v1/incidents/{}/events/{}", event.incident, event.sequence);
    Ok(Json(Drafted { put_at, event, told }))
}

#[derive(Serialize)]
struct Outcome {
    incident: IncidentId,
    event: EventNumber,
    fate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

pub(super) async fn say(
    Ours(app): Ours<App>,
    visitor: Visitor,
    Path((incident, number)): Path<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let (incident, number): (IncidentId, EventNumber) = (id(&incident)?, id(&number)?);
    let (publisher, press) = press(&app, &visitor)?;
    counted(&app, &visitor)?;
    let body = body.map_err(|why| Problem::of_body(&why))?;
    let body = body.trim_ascii();
    schema::check_event(body).map_err(|problems| Problem::of_schema(&problems, body))?;
    let unread =
        |why: tocsin_protocol::Error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why.to_string());
    let event: Event = from_body("event", body).map_err(unread)?;
    if (&event.incident, event.sequence, &event.publisher) != (&incident, number, &publisher) {
        let detail = format!(
            "the body is event {} of {} by {}: put it there, as {} may",
            event.sequence, event.incident, event.publisher, event.publisher
        );
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    // However its fields were ordered, the same event is the same bytes.
    let body = to_body("event", &event).map_err(unread)?;
    let outcome = |status: StatusCode, fate, detail| {
        let outcome = Outcome { incident: incident.clone(), event: number, fate, detail };
        (status, Json(outcome)).into_response()
    };
    let stands = {
        let state = app.model().read();
        let known = state.incident(&incident).and_then(|known| known.event(number));
        known.map(|said| (*said.event == event, said.dispatch.is_some()))
    };
    match stands {
        Some((true, true)) => return Ok(outcome(StatusCode::OK, "dispatched", None)),
        Some((true, false)) => return Ok(outcome(StatusCode::OK, "on-the-bus", None)),
        Some((false, _)) => {
            let detail = format!(
                "event {number} of {incident} stands and says something else: read it, and say more as the next"
            );
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        }
        None => {}
    }
    match press.publish(publisher, body).await.map_err(Problem::of_press)? {
        Fate::Dispatched => Ok(outcome(StatusCode::CREATED, "dispatched", None)),
        Fate::OnTheBus => Ok(outcome(StatusCode::ACCEPTED, "on-the-bus", None)),
        Fate::Kept(why) => Ok(outcome(StatusCode::ACCEPTED, "kept", Some(why))),
        Fate::Refused(why) => Err(Problem::new(StatusCode::CONFLICT, why)),
    }
}
