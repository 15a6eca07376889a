//! What can go wrong while a report is made.

use tocsin_protocol::IncidentId;

/// A report that could not be made, and what the reader can do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The streams hold no event of the incident that counts.
    #[error(
        "no report of incident {incident}: none of the {said} entries read of TOCSIN_SAID is an event of it that counts; \
         check the identifier with `tocsin incidents`, and the refusals with `tocsin refusals`"
    )]
    UnknownIncident {
        /// The incident that was asked for.
        incident: IncidentId,
        /// How many entries of `TOCSIN_SAID` were read.
        said: u64,
    },
    /// A file that is no bundle.
    #[error("this is no bundle that can be verified: {why}; make one with `tocsin audit export`")]
    NoBundle {
        /// What is wrong with it.
        why: String,
    },
    /// The streams could not be read.
    #[error("the streams could not be read for the report: {0}")]
    Ledger(#[from] tocsin_ledger::Error),
    /// A report could not be rendered.
    #[error("the report of incident {incident} could not be written as {form}: {why}")]
    Render {
        /// The incident.
        incident: IncidentId,
        /// Table, JSON, CSV or HTML.
        form: &'static str,
        /// What the library says.
        why: String,
    },
}
