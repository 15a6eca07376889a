//! By somebody who has signed in for an agency.

use axum::{
    extract::{OriginalUri, Path, State as Extracted},
    http::{StatusCode, Uri},
    response::{IntoResponse as _, Redirect, Response},
};
use tocsin_protocol::{EventNumber, IncidentId, ReceiptMethod, RecipientId};

use super::{
    say::{Fate, Given, say},
    view::{Faults, Fields, Subject, Telling, Way, acknowledged, fate, form},
};
use crate::{
    app::App,
    model::State,
    page::{absent, frame::Frame},
    session::{Posted, Refusal, Sees, Visitor},
};

pub(super) async fn show(
    Extracted(app): Extracted<App>,
    visitor: Visitor,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Response {
    let recipient = match agency(&visitor, &uri) {
        Ok(recipient) => recipient.clone(),
        Err(refusal) => return refusal.into_response(),
    };
    let fields = Fields::of(visitor.person.as_ref());
    shown(&app, &visitor, &recipient, &id, fields, Faults::default())
}

pub(super) async fn post(
    Extracted(app): Extracted<App>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
    Posted { visitor, form: fields }: Posted<Fields>,
) -> Response {
    let recipient = match agency(&visitor, &uri) {
        Ok(recipient) => recipient.clone(),
        Err(refusal) => return refusal.into_response(),
    };
    let by = match fields.person() {
        Ok(by) => by,
        Err(faults) => return shown(&app, &visitor, &recipient, &id, fields, faults),
    };
    let wanted = {
        let state = app.model().read();
        wanted(&state, &recipient, &id, fields.event)
    };
    let Some((incident, event)) = wanted else { return absent(&app, &visitor) };
    let given = Given {
        recipient: recipient.clone(),
        incident: incident.clone(),
        event,
        by,
        method: ReceiptMethod::Page,
        link: None,
        signed_in: Some(visitor.signed_in()),
    };
    let became = say(&app, given).await;
    if became == Fate::Counts {
        // The page that it leads to says by whom and when: to load it again gives nothing again.
        return Redirect::to(&here(&incident)).into_response();
    }
    let state = app.model().read();
    let frame = Frame::on(&state, &app, &visitor, "board");
    let Some(subject) = Subject::of(&state, &incident, &recipient, event, false) else {
        drop(state);
        return absent(&app, &visitor);
    };
    let told = fate(&app, &frame, &subject, &became, &way(&visitor, &incident));
    told.page(frame.about(subject.incident.status))
}

/// The recipient for whom somebody may acknowledge.
fn agency<'v>(visitor: &'v Visitor, uri: &Uri) -> Result<&'v RecipientId, Refusal> {
    match &visitor.sees {
        Sees::Recipient(recipient) => Ok(recipient),
        Sees::Publisher(_) | Sees::Everything => Err(Refusal::forbidden(
            uri,
            "Only an agency acknowledges, and for itself alone. Your account is not an agency's.",
        )),
    }
}

fn here(incident: &IncidentId) -> String {
    format!("/incidents/{incident}/acknowledge")
}

fn way(visitor: &Visitor, incident: &IncidentId) -> Way {
    let back = Some(format!("/incidents/{incident}"));
    Way { csrf: Some(visitor.csrf()), action: here(incident), back }
}

/// The incident, and the event that is meant: the one that was seen, else the newest that the recipient is owed.
fn wanted(
    state: &State,
    recipient: &RecipientId,
    id: &str,
    seen: Option<EventNumber>,
) -> Option<(IncidentId, EventNumber)> {
    let incident = state.incident(&id.parse().ok()?)?;
    let duties = &incident.standing(recipient)?.duties;
    let event = match seen {
        Some(seen) => duties.iter().find(|duty| duty.event == seen)?.event,
        None => duties.last()?.event,
    };
    Some((incident.id.clone(), event))
}

/// The form, or that there is nothing more to acknowledge.
fn shown(
    app: &App,
    visitor: &Visitor,
    recipient: &RecipientId,
    id: &str,
    fields: Fields,
    faults: Faults,
) -> Response {
    let state = app.model().read();
    let subject = wanted(&state, recipient, id, fields.event)
        .and_then(|(incident, event)| Subject::of(&state, &incident, recipient, event, false));
    let Some(subject) = subject else {
        drop(state);
        return absent(app, visitor);
    };
    let frame = Frame::on(&state, app, visitor, "board");
    let way = way(visitor, &subject.incident.id);
    if let Some(by) = subject.acknowledgement() {
        let told = acknowledged(&frame, &subject, by, way.back);
        return told.page(frame.about(subject.incident.status));
    }
    if let Err(why) = app.voice().of(&state, recipient, ReceiptMethod::Page) {
        let told = Telling::cannot(app, StatusCode::CONFLICT, "Not on this console", why);
        return Telling { back: way.back, ..told }.page(frame.about(subject.incident.status));
    }
    form(app, frame, &subject, way, fields, faults)
}
