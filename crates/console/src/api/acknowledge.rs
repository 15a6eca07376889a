//! An agency's acknowledgement, given by a program of its own in a person's name.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Ours, rejection::BytesRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tocsin_protocol::{
    EventNumber, IncidentId, Person, Receipt, ReceiptMethod, RecipientId, Timestamp, schema, to_body,
};

use super::{problem::Problem, publish::counted, read::id, view::Acknowledged};
use crate::{
    app::App,
    page::acknowledge::{Fate, say_receipt},
    session::{Sees, Visitor},
};

/// Who acknowledges, and whatever is to be kept with it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    by: Person,
    control_room: Option<String>,
    on_behalf_of: Option<String>,
    note: Option<String>,
}

#[derive(Serialize)]
struct Standing {
    incident: IncidentId,
    event: EventNumber,
    /// Whether it is this one that counts, or one that was first.
    stands: &'static str,
    acknowledged: Acknowledged,
}

pub(super) async fn acknowledge(
    Ours(app): Ours<App>,
    visitor: Visitor,
    Path((incident, event)): Path<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let Sees::Recipient(recipient) = visitor.sees.clone() else {
        return Err(Problem::forbidden(
            "a recipient alone acknowledges, and for itself: this account is not one's",
        ));
    };
    let (incident, event): (IncidentId, EventNumber) = (id(&incident)?, id(&event)?);
    counted(&app, &visitor)?;
    let body = body.map_err(|why| Problem::of_body(&why))?;
    let given: Given = serde_json::from_slice(&body).map_err(|why| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the acknowledgement: {why}"))
    })?;
    {
        let state = app.model().read();
        let owed = state.incident(&incident).and_then(|known| known.standing(&recipient)?.duty(event));
        owed.ok_or_else(Problem::absent)?;
        app.voice()
            .of(&state, &recipient, ReceiptMethod::Program)
            .map_err(|why| Problem::new(StatusCode::CONFLICT, why))?;
    }
    let receipt = Receipt {
        control_room: given.control_room,
        on_behalf_of: given.on_behalf_of,
        note: given.note,
        signed_in: Some(visitor.signed_in()),
        ..Receipt::acknowledged(
            recipient.clone(),
            incident.clone(),
            event,
            Timestamp::now(),
            (given.by, ReceiptMethod::Program),
        )
    };
    let unfit = |why: tocsin_protocol::Error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why.to_string());
    let said = to_body("receipt", &receipt).map_err(unfit)?;
    schema::check_receipt(&said).map_err(|problems| Problem::of_schema(&problems, &said))?;
    match say_receipt(&app, receipt).await {
        Fate::Counts => standing(&app, &recipient, &incident, event, StatusCode::CREATED, "this"),
        Fate::Another => standing(&app, &recipient, &incident, event, StatusCode::OK, "earlier"),
        Fate::Refused(why) => Err(Problem::new(StatusCode::CONFLICT, why)),
        Fate::NotSaid(why) => {
            let detail = format!("it was NOT said: {why} Put it again, or acknowledge by another way");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).after(5))
        }
        Fate::Unknown(why) => {
            let detail = format!("it is not known whether it was said: {why} Put it again: it ends as one");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).after(5))
        }
    }
}

/// The acknowledgement that counts.
fn standing(
    app: &App,
    recipient: &RecipientId,
    incident: &IncidentId,
    event: EventNumber,
    status: StatusCode,
    stands: &'static str,
) -> Result<Response, Problem> {
    let state = app.model().read();
    let known = state.incident(incident).and_then(|known| known.standing(recipient)?.acknowledgement(event));
    let acknowledged = Acknowledged::of(known.ok_or_else(Problem::absent)?);
    Ok((status, Json(Standing { incident: incident.clone(), event, stands, acknowledged })).into_response())
}
