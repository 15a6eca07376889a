//! What can go wrong while a report is made.

use jiff::civil::Date;
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
    /// Two days that are no period.
    #[error("no report from {from} to {to}: {why}")]
    Period {
        /// The first day that was asked for.
        from: Date,
        /// The last.
        to: Date,
        /// What is wrong, and what to give.
        why: &'static str,
    },
    /// Too many ask for reports at once.
    #[error("too many reports are being made at this moment: try again in a minute")]
    Busy,
    /// There is no such thing in that form, or for whoever asked.
    #[error("there is no such report in that form, or it is not for you")]
    NoSuchForm,
    /// A file that is no bundle.
    #[error("this is no bundle that can be verified: {why}; make one with `tocsin audit export`")]
    NoBundle {
        /// What is wrong with it.
        why: String,
    },
    /// The streams could not be read.
    #[error("the streams could not be read for the report: {0}")]
    Ledger(#[from] tocsin_ledger::Error),
    /// The bus did not answer.
    #[error("no answer within {waited:?}: see that nats-server runs there, and NATS_URL")]
    Silent {
        /// How long it was waited for.
        waited: std::time::Duration,
    },
    /// A report could not be rendered.
    #[error("the report of {what} could not be written as {form}: {why}")]
    Render {
        /// The incident or the period.
        what: String,
        /// Table, JSON, CSV, HTML or PDF.
        form: &'static str,
        /// What the library says.
        why: String,
    },
}
