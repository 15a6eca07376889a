//! Incidents, as the caller sees them.

use axum::{
    Json,
    extract::{Path, State as Ours},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use tocsin_protocol::{IncidentId, PublisherId, Recipient, RecipientId, Status, Timestamp};

use super::{
    problem::{Asked, Problem},
    view::{Counts, Heard, Moment, Spoken, Standing, Summary},
};
use crate::{
    app::App,
    model::{Hearing, Sight},
    operate::presence::Attendance,
    page::names::Names,
    session::{Sees, Visitor},
};

/// The most of anything in one answer, and how many where nobody says.
pub(super) const MOST: usize = 500;
pub(super) const USUALLY: usize = 100;

/// How much of something is wanted.
pub(super) fn bounded(limit: Option<usize>) -> Result<usize, Problem> {
    match limit.unwrap_or(USUALLY) {
        limit @ 1..=MOST => Ok(limit),
        limit => Err(Problem::new(StatusCode::BAD_REQUEST, format!("limit is {limit}: use 1 to {MOST}"))),
    }
}

/// Whether the bus is heard; a problem before its record has been read for the first time, as an answer would look as
/// if nothing had been said.
pub(super) fn heard(app: &App) -> Result<Heard, Problem> {
    let hearing = app.model().ear().hearing;
    if let Hearing::Reading(left) = hearing {
        let detail = format!("the record is still being read ({left} entries to come): ask again soon");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).after(5));
    }
    Ok(hearing.into())
}

/// An identifier out of a path: what cannot be one is not there.
pub(super) fn id<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::absent())
}

#[derive(Serialize)]
pub(super) struct Me {
    account: String,
    sees: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<RecipientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publisher: Option<PublisherId>,
    hearing: Heard,
    /// The broker's time.
    now: Timestamp,
    revision: u64,
}

pub(super) async fn me(Ours(app): Ours<App>, visitor: Visitor) -> Json<Me> {
    let (sees, recipient, publisher) = match visitor.sees {
        Sees::Recipient(id) => ("recipient", Some(id), None),
        Sees::Publisher(id) => ("publisher", None, Some(id)),
        Sees::Everything => ("everything", None, None),
    };
    let (ear, revision) = (app.model().ear(), app.model().read().revision());
    let account = visitor.account;
    Json(Me { account, sees, recipient, publisher, hearing: ear.hearing.into(), now: ear.now(), revision })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    open: Option<bool>,
    status: Option<Status>,
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
pub(super) struct Listed {
    hearing: Heard,
    incidents: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<IncidentId>,
}

pub(super) async fn incidents(
    Ours(app): Ours<App>,
    visitor: Visitor,
    Asked(which): Asked<Which>,
) -> Result<Json<Listed>, Problem> {
    let (hearing, limit) = (heard(&app)?, bounded(which.limit)?);
    let state = app.model().read();
    let mut found = state
        .seen_by(&visitor.sees)
        .map(|(incident, _)| incident)
        .filter(|incident| which.after.as_deref().is_none_or(|after| incident.id.as_str() > after))
        .filter(|incident| which.open.is_none_or(|open| incident.is_open() == open))
        .filter(|incident| which.status.is_none_or(|status| incident.status == status));
    let page: Vec<_> = found.by_ref().take(limit).collect();
    let next = found.next().and(page.last().map(|incident| incident.id.clone()));
    Ok(Json(Listed { hearing, incidents: page.into_iter().map(Summary::of).collect(), next }))
}

#[derive(Serialize)]
pub(super) struct One {
    hearing: Heard,
    #[serde(flatten)]
    summary: Summary,
    said: Vec<Spoken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<Counts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    own: Option<Standing>,
}

pub(super) async fn incident(
    Ours(app): Ours<App>,
    visitor: Visitor,
    Path(incident): Path<String>,
) -> Result<Json<One>, Problem> {
    let hearing = heard(&app)?;
    let state = app.model().read();
    let (incident, sight) = state.seen(&visitor.sees, &id(&incident)?).ok_or_else(Problem::absent)?;
    let names = Names::of(&state, incident);
    let (counts, own) = match sight {
        Sight::Whole => (Some(incident.tally.into()), None),
        Sight::Own(standing) => (None, Some(Standing::of(incident, standing, &names))),
    };
    let said = incident.events.iter().map(Spoken::of).collect();
    Ok(Json(One { hearing, summary: Summary::of(incident), said, counts, own }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page<T> {
    after: Option<T>,
    limit: Option<usize>,
}

#[derive(Serialize)]
pub(super) struct Wall {
    hearing: Heard,
    recipients: Vec<Standing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<RecipientId>,
}

pub(super) async fn wall(
    Ours(app): Ours<App>,
    visitor: Visitor,
    Path(incident): Path<String>,
    Asked(page): Asked<Page<String>>,
) -> Result<Json<Wall>, Problem> {
    let (hearing, limit) = (heard(&app)?, bounded(page.limit)?);
    let state = app.model().read();
    let (incident, sight) = state.seen(&visitor.sees, &id(&incident)?).ok_or_else(Problem::absent)?;
    let names = Names::of(&state, incident);
    let after = page.after.unwrap_or_default();
    let mut all: Vec<_> = incident
        .standings
        .iter()
        .filter(|standing| {
            sight.takes_in(&standing.recipient) && standing.recipient.as_str() > after.as_str()
        })
        .collect();
    all.sort_by(|a, b| a.recipient.cmp(&b.recipient));
    let more = all.len() > limit;
    all.truncate(limit);
    let next = all.last().filter(|_| more).map(|standing| standing.recipient.clone());
    let recipients = all.into_iter().map(|standing| Standing::of(incident, standing, &names)).collect();
    Ok(Json(Wall { hearing, recipients, next }))
}

#[derive(Serialize)]
pub(super) struct Timeline {
    hearing: Heard,
    moments: Vec<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

pub(super) async fn timeline(
    Ours(app): Ours<App>,
    visitor: Visitor,
    Path(incident): Path<String>,
    Asked(page): Asked<Page<u64>>,
) -> Result<Json<Timeline>, Problem> {
    let (hearing, limit) = (heard(&app)?, bounded(page.limit)?);
    let state = app.model().read();
    let (incident, sight) = state.seen(&visitor.sees, &id(&incident)?).ok_or_else(Problem::absent)?;
    let after = page.after.unwrap_or_default();
    let mut seen = incident
        .moments
        .iter()
        .filter(|moment| moment.revision > after)
        .filter_map(|moment| Moment::of(incident, sight, moment));
    let moments: Vec<_> = seen.by_ref().take(limit).collect();
    let next = seen.next().and(moments.last().map(|moment| moment.revision));
    Ok(Json(Timeline { hearing, moments, next }))
}

#[derive(Serialize)]
pub(super) struct Desks {
    hearing: Heard,
    recipients: Vec<Attending>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<RecipientId>,
}

#[derive(Serialize)]
struct Attending {
    recipient: RecipientId,
    name: String,
    kind: String,
    desk: &'static str,
    /// How long it has been heard without a break, or not any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    for_seconds: Option<u64>,
}

/// Whose desk is at work. A recipient sees its own alone.
pub(super) async fn desks(
    Ours(app): Ours<App>,
    visitor: Visitor,
    Asked(page): Asked<Page<String>>,
) -> Result<Json<Desks>, Problem> {
    let (hearing, limit) = (heard(&app)?, bounded(page.limit)?);
    let directory = app.model().read().fold.directory().cloned();
    let after = page.after.unwrap_or_default();
    let mine = visitor.sees.recipient();
    let mut all: Vec<_> = directory
        .iter()
        .flat_map(|directory| &directory.document().recipients)
        .filter(|entry| mine.is_none_or(|mine| entry.id == *mine) && entry.id.as_str() > after.as_str())
        .collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    let more = all.len() > limit;
    all.truncate(limit);
    let attendances = app.model().presence().of_all(all.iter().map(|entry| &entry.id));
    let desk = |(entry, attendance): (&&Recipient, &Attendance)| {
        let since = match attendance {
            Attendance::Connected(since) => Some(*since),
            Attendance::Absent(since) => *since,
            Attendance::Unknown => None,
        };
        Attending {
            recipient: entry.id.clone(),
            name: entry.name.clone(),
            kind: entry.kind.clone(),
            desk: attendance.as_str(),
            for_seconds: since.map(|since| since.as_secs()),
        }
    };
    let next = all.last().filter(|_| more).map(|entry| entry.id.clone());
    Ok(Json(Desks { hearing, recipients: all.iter().zip(&attendances).map(desk).collect(), next }))
}
