//! An agency's own notices, to be taken in without a place on the bus.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State as Ours},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tocsin_protocol::{Event, IncidentId, RecipientId, Subject, Timestamp};
use tokio::time::Instant;

use super::{
    problem::{Asked, Problem},
    read::{bounded, heard, id},
    view::{Duty, Heard},
};
use crate::{
    app::App,
    session::{Sees, Visitor},
};

/// The longest that an answer waits for a notice, in seconds.
const WAIT_MOST: u64 = 60;
/// How long the bus is waited for that a notice is read from.
const READ_WITHIN: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    after: Option<u64>,
    limit: Option<usize>,
    wait: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Batch {
    hearing: Heard,
    notices: Vec<Notice>,
    /// What to ask for `after` next: it is there even when nothing else is.
    cursor: u64,
}

#[derive(Serialize)]
struct Notice {
    cursor: u64,
    incident: IncidentId,
    published_at: Timestamp,
    #[serde(flatten)]
    duty: Duty,
    said: Event,
}

/// Whose notices they may read.
fn recipient(visitor: &Visitor) -> Result<&RecipientId, Problem> {
    match &visitor.sees {
        Sees::Recipient(recipient) => Ok(recipient),
        _ => Err(Problem::forbidden("notices are a recipient's: this account is not one's")),
    }
}

pub(super) async fn notices(
    Ours(app): Ours<App>,
    visitor: Visitor,
    Asked(which): Asked<Which>,
) -> Result<Json<Batch>, Problem> {
    let (mine, limit) = (recipient(&visitor)?, bounded(which.limit)?);
    let wait = which.wait.unwrap_or_default();
    if wait > WAIT_MOST {
        let detail = format!("wait is {wait}: use at most {WAIT_MOST} seconds");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let (after, until) = (which.after.unwrap_or_default(), Instant::now() + Duration::from_secs(wait));
    let mut changes = app.model().changes();
    loop {
        changes.mark_unchanged();
        let hearing = heard(&app)?;
        let notices = after_cursor(&app, mine, after, limit);
        if !notices.is_empty() || Instant::now() >= until {
            let cursor = notices.last().map_or(after, |notice| notice.cursor);
            return Ok(Json(Batch { hearing, notices, cursor }));
        }
        // An error means that the console ends.
        let _ = tokio::time::timeout_at(until, changes.changed()).await;
        if !visitor.still(&app) {
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "this token is worth nothing any more"));
        }
    }
}

/// The notices whose cursor is after this, in order.
fn after_cursor(app: &App, recipient: &RecipientId, after: u64, limit: usize) -> Vec<Notice> {
    let state = app.model().read();
    let mut found = Vec::new();
    for incident in state.incidents() {
        let Some(standing) = incident.standing(recipient).filter(|standing| standing.changed > after) else {
            continue;
        };
        for duty in standing.duties.iter().filter(|duty| duty.noticed_revision > after) {
            if let Some(said) = incident.event(duty.event) {
                found.push((duty.noticed_revision, incident, standing, duty, said));
            }
        }
    }
    found.sort_by_key(|(cursor, ..)| *cursor);
    found.truncate(limit);
    let notice = |(cursor, incident, standing, duty, said): (
        _,
        &crate::model::Incident,
        _,
        _,
        &crate::model::Said,
    )| Notice {
        cursor,
        incident: incident.id.clone(),
        published_at: said.published_at,
        duty: Duty::of(incident, standing, duty),
        said: (*said.event).clone(),
    };
    found.into_iter().map(notice).collect()
}

/// One notice, in the very bytes that stand on the bus: with the author's signature over the event's.
pub(super) async fn notice(
    Ours(app): Ours<App>,
    visitor: Visitor,
    Path((incident, event)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let recipient = recipient(&visitor)?.clone();
    let subject = Subject::Notice { recipient, incident: id(&incident)?, event: id(&event)? };
    let read = tokio::time::timeout(READ_WITHIN, app.ledger().last(&subject)).await;
    match read {
        Ok(Ok(Some(entry))) => Ok(([(CONTENT_TYPE, "application/json")], entry.body).into_response()),
        Ok(Ok(None)) => Err(Problem::absent()),
        Ok(Err(_)) | Err(_) => {
            let detail = "the bus does not answer: ask again, or see /notices for what is known";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).after(5))
        }
    }
}
