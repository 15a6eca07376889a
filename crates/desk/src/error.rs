//! What can go wrong at a desk, in words for the person there.

use tocsin_protocol::{EventNumber, IncidentId, RecipientId, schema::Problem};

use crate::read::Unfit;

/// A failure at a desk.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The acknowledgement is not as the schema says: a name is missing, or too long. Nothing was sent.
    #[error("the acknowledgement is not valid and was not sent:{}", listed(problems))]
    Invalid {
        /// Each fault: where, what was given, what is expected.
        problems: Vec<Problem>,
    },
    /// There is no such notice to acknowledge.
    #[error("there is no notice to {recipient} of {}: check the incident's name; only what this recipient was told can be acknowledged", of(incident, *event))]
    NoNotice {
        /// To whom.
        recipient: RecipientId,
        /// Of which incident.
        incident: IncidentId,
        /// Of which event; of any when none is given.
        event: Option<EventNumber>,
    },
    /// The notice is not fit to be acknowledged.
    #[error("not acknowledged: {0}; ask the publisher by telephone, and tell the administrator of the bus")]
    Unfit(Box<Unfit>),
    /// The bus failed.
    #[error(transparent)]
    Ledger(#[from] tocsin_ledger::Error),
    /// A word that is not one of ours.
    #[error(transparent)]
    Word(#[from] tocsin_protocol::Error),
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |all, problem| all + "\n  " + &problem.message)
}

fn of(incident: &IncidentId, event: Option<EventNumber>) -> String {
    match event {
        Some(event) => format!("event {event} of {incident}"),
        None => incident.to_string(),
    }
}
