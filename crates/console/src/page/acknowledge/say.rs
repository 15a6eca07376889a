//! Saying an acknowledgement, and learning what became of it.

use std::time::Duration;

use tocsin_ledger::{Error as LedgerError, Position};
use tocsin_protocol::{
    EventNumber, IncidentId, Person, Receipt, ReceiptMethod, RecipientId, SignedIn, Timestamp, schema,
    to_body,
};

use crate::{
    app::App,
    model::{Hearing, State},
};

/// How long the bus is given to take it.
const SAID_WITHIN: Duration = Duration::from_secs(5);
/// How long it may then take until this console has read it back.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// The longest name or role, in characters, as the schema has it.
pub(super) const LINE_MAX: usize = 120;

/// An acknowledgement that somebody gives.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) recipient: RecipientId,
    pub(super) incident: IncidentId,
    pub(super) event: EventNumber,
    pub(super) by: Person,
    pub(super) method: ReceiptMethod,
    /// The token of the link by which it came.
    pub(super) link: Option<String>,
    /// Who was signed in.
    pub(super) signed_in: Option<SignedIn>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It counts.
    Counts,
    /// Another counts, which was first.
    Another,
    /// It stands on the bus and counts for nothing, and why.
    Refused(String),
    /// It was not said, and why.
    NotSaid(String),
    /// Nobody knows whether the bus has it, or it was not read back.
    Unknown(String),
}

/// Says an acknowledgement and waits until it is known whether it counts. What stands already is not said again.
pub(super) async fn say(app: &App, given: Given) -> Fate {
    let receipt = Receipt {
        link: given.link,
        signed_in: given.signed_in,
        ..Receipt::acknowledged(
            given.recipient,
            given.incident,
            given.event,
            Timestamp::now(),
            (given.by, given.method),
        )
    };
    say_receipt(app, receipt).await
}

/// The same, of an acknowledgement with all that is to be kept with it.
pub(crate) async fn say_receipt(app: &App, receipt: Receipt) -> Fate {
    let subject = receipt.subject();
    let (body, signed) = {
        let state = app.model().read();
        if first(&state, &receipt).is_some() {
            return Fate::Another;
        }
        if let Some(why) = unheard(app) {
            return Fate::NotSaid(why);
        }
        // Whoever comes here has named the door.
        let door = receipt.method.unwrap_or(ReceiptMethod::Page);
        let key = match app.voice().of(&state, &receipt.recipient, door) {
            Ok(key) => key,
            Err(why) => return Fate::NotSaid(why),
        };
        let signed =
            to_body("receipt", &receipt).and_then(|body| Ok((key.sign(&subject.to_string(), &body)?, body)));
        match signed {
            Ok((signed, body)) => (body, signed),
            Err(why) => return Fate::NotSaid(why.to_string()),
        }
    };
    if let Err(problems) = schema::check_receipt(&body) {
        let why = problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>();
        return Fate::NotSaid(why.join("; "));
    }
    let said = tokio::time::timeout(SAID_WITHIN, app.ledger().say(&subject, &signed, body)).await;
    let position = match said {
        Ok(Ok(said)) => said.position(),
        Ok(Err(why @ (LedgerError::Denied { .. } | LedgerError::NoStream { .. }))) => {
            tracing::error!(%subject, error = %why, "an acknowledgement could not be said");
            return Fate::NotSaid(
                "The bus does not let this console say it. Tell whoever runs the console.".to_owned(),
            );
        }
        Ok(Err(why)) => {
            tracing::warn!(%subject, error = %why, "it is not known whether an acknowledgement was said");
            return Fate::Unknown("The bus did not confirm it.".to_owned());
        }
        Err(_) => {
            tracing::warn!(%subject, "the bus did not answer an acknowledgement in time");
            return Fate::Unknown("The bus did not answer in time.".to_owned());
        }
    };
    read_back(app, &receipt, position).await
}

/// The acknowledgement that counts for exactly this recipient and event: one alone can.
pub(super) fn first<'s>(state: &'s State, of: &Receipt) -> Option<&'s crate::model::Acknowledgement> {
    let standing = state.incident(&of.incident)?.standing(&of.recipient)?;
    standing.acknowledgements.iter().find(|known| known.receipt.event == of.event)
}

async fn read_back(app: &App, receipt: &Receipt, position: Position) -> Fate {
    let mut changes = app.model().changes();
    let read = async {
        while app.model().read().fold.said_through() < position.sequence {
            if changes.changed().await.is_err() {
                // The follower has ended, and with it the console.
                std::future::pending::<()>().await;
            }
        }
    };
    if tokio::time::timeout(READ_WITHIN, read).await.is_err() {
        return Fate::Unknown("It stands on the bus, and this console has not read it back.".to_owned());
    }
    let state = app.model().read();
    match first(&state, receipt) {
        Some(known) if *known.receipt == *receipt => Fate::Counts,
        Some(_) => Fate::Another,
        None => {
            let incident = state.incident(&receipt.incident);
            let refusals = incident.map(|incident| &incident.refusals[..]).unwrap_or_default();
            let refused = refusals.iter().find(|refused| refused.refusal.said == position.sequence);
            let why = refused.map(|refused| refused.refusal.reasons.join("; "));
            Fate::Refused(why.unwrap_or_else(|| "It does not count by the rules.".to_owned()))
        }
    }
}

/// Why nothing can be said now. A client that has lost its connection would keep what it is given and send it later, when
/// the person has long been told otherwise.
fn unheard(app: &App) -> Option<String> {
    match app.model().ear().hearing {
        _ if !app.ledger().is_connected() => Some("The console has lost touch with the bus.".to_owned()),
        Hearing::Deaf(_) => Some("The console has lost touch with the bus.".to_owned()),
        Hearing::Reading(_) => Some(
            "The console has just started and is still reading the record: try again in a moment.".to_owned(),
        ),
        Hearing::Well | Hearing::Behind(_) => None,
    }
}
