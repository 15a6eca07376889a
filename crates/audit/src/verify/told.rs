//! The verdict as a value: what the schema `verdict` describes.

use serde::{Deserialize, Serialize};
use tocsin_protocol::{IncidentId, Status, Stream, Timestamp};

use super::{FaultCode, Standing, Verdict};
use crate::{
    bundle::Bundle,
    report::{Report, Totals},
};

/// The version of the verdict's form.
const SCHEMA_VERSION: u32 = 1;

/// What a bundle proves, for programs and for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The version of this form: 1.
    pub schema_version: u32,
    /// What it comes to.
    pub standing: Standing,
    /// The same in words.
    pub words: String,
    /// The incident that the bundle is of; none for everything.
    pub incident: Option<IncidentId>,
    /// How many entries it holds.
    pub entries: u64,
    /// The checkpoint that its proofs are held against.
    pub checkpoint: Option<u64>,
    /// The newest checkpoint that some recipient signed for and the log has.
    pub witnessed: Option<u64>,
    /// What is proven.
    pub proven: Vec<String>,
    /// What is not.
    pub faults: Vec<ToldFault>,
    /// What a bundle of this sort cannot prove.
    pub limits: Vec<String>,
    /// The headline figures of each incident, computed anew.
    pub incidents: Vec<ToldIncident>,
}

/// Something that a bundle fails to prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldFault {
    /// Which sort.
    pub code: FaultCode,
    /// The stream of the entry that it is about, if it is about one.
    pub stream: Option<Stream>,
    /// Its sequence there.
    pub sequence: Option<u64>,
    /// In words.
    pub text: String,
}

impl ToldFault {
    /// Whether something is missing, rather than altered, put in or written anew.
    pub fn is_missing(&self) -> bool {
        matches!(self.code, FaultCode::Missing | FaultCode::Uncovered | FaultCode::NoCheckpoint)
    }
}

/// An incident of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldIncident {
    /// Its identifier.
    pub id: IncidentId,
    /// Actual, exercise or test.
    pub status: Status,
    /// When its first event was stored.
    pub published_at: Timestamp,
    /// The counts over the whole of it.
    pub totals: Totals,
}

impl Told {
    /// The verdict on a bundle as a value.
    pub fn of(bundle: &Bundle, verdict: &Verdict) -> Self {
        let standing = verdict.standing();
        let fault = |fault: &super::Fault| {
            let (stream, sequence) = fault.entry.unzip();
            ToldFault { code: fault.code, stream, sequence, text: fault.text.clone() }
        };
        Self {
            schema_version: SCHEMA_VERSION,
            standing,
            words: standing.words().to_owned(),
            incident: bundle.incident.clone(),
            entries: bundle.entries.len() as u64,
            checkpoint: bundle.newest,
            witnessed: verdict.witnessed,
            proven: verdict.proven.clone(),
            faults: verdict.faults.iter().map(fault).collect(),
            limits: verdict.limits.clone(),
            incidents: verdict.reports.iter().map(ToldIncident::of).collect(),
        }
    }
}

impl ToldIncident {
    fn of(report: &Report) -> Self {
        let incident = &report.incident;
        Self {
            id: incident.id.clone(),
            status: incident.status,
            published_at: incident.published_at,
            totals: report.totals,
        }
    }
}
