//! The report as a value: what the schema `period-report` describes.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tocsin_protocol::{EventNumber, IncidentId, Outcome, PublisherId, RecipientId, Status, Timestamp};

use crate::{
    problem::ProblemCode,
    report::{DutyTotals, OperatorDelay, StreamRead},
};

/// The version of the report's form, as `schema_version` has it.
pub const PERIOD_SCHEMA_VERSION: u32 = 1;

/// How timely everybody was between two days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeriodReport {
    /// The version of this form: [`PERIOD_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Which days, and of what.
    pub period: Period,
    /// The incidents of those days that are of another status and not counted.
    pub left_out: Vec<LeftOut>,
    /// All recipients of all incidents.
    pub figures: Figures,
    /// The slowest acknowledgements, slowest first.
    pub slowest: Vec<PeriodSlow>,
    /// The figures of each kind of recipient, in the order of the directory.
    pub by_kind: Vec<PeriodKind>,
    /// The figures of each recipient, in the order of the directory.
    pub by_recipient: Vec<PeriodRecipient>,
    /// The figures of each week or month, in order; those without an incident too.
    pub trend: Vec<PeriodPart>,
    /// The incidents, in order of publication.
    pub incidents: Vec<PeriodIncident>,
    /// How timely each operator was. The recipients' timeliness is another thing.
    pub operators: Vec<OperatorFigures>,
    /// The recipients that were owed a notice, and of which no receipt of any sort came in the whole period.
    pub never_heard: Vec<NeverHeard>,
    /// The contacts whose mail a relay would not take, or of which nobody knows whether it did.
    pub contacts: Vec<Contact>,
    /// The mails of all incidents.
    pub mails: MailFigures,
    /// What a reader of the incidents' own reports must know, by sort.
    pub problems: Vec<PeriodProblem>,
    /// From what the report was made.
    pub provenance: PeriodProvenance,
}

/// Which days, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// The directory's time zone, in which those days are.
    pub time_zone: String,
    /// When it begins.
    pub begins_at: Timestamp,
    /// The first moment after it.
    pub ends_at: Timestamp,
    /// Which incidents count.
    pub status: Status,
    /// What its trend is by.
    pub parts: Each,
    /// The one publisher whose incidents count.
    pub publisher: Option<PublisherId>,
    /// The one recipient whose figures these are.
    pub recipient: Option<RecipientId>,
}

/// What a trend is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Each {
    /// Weeks, from Monday.
    Week,
    /// Months.
    Month,
}

/// Incidents of another status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Which.
    pub status: Status,
    /// How many.
    pub incidents: u32,
}

/// Counts of recipients, each once for an incident, by its worst event. `asked` is the sum of
/// `acknowledged_in_time`, `acknowledged_late`, `silent`, `open` and `excused`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The incidents of which at least one of them was owed a notice.
    pub incidents: u32,
    /// Those that were owed a notice.
    pub told: u32,
    /// Those of `told` whose system said that it holds every notice owed.
    pub delivered: u32,
    /// Those of `told` of whom an acknowledgement was asked.
    pub asked: u32,
    /// Acknowledged not after `due_at`.
    pub acknowledged_in_time: u32,
    /// Acknowledged after it.
    pub acknowledged_late: u32,
    /// Has not acknowledged, and the window has closed.
    pub silent: u32,
    /// Has not acknowledged, and the window is open.
    pub open: u32,
    /// Has not acknowledged, and the incident ended before the window closed.
    pub excused: u32,
    /// Those of `told` to whom at least one e-mail was owed.
    pub escalated: u32,
    /// Those whose window closed without an acknowledgement in time and without an e-mail. It must be 0.
    pub neither: u32,
    /// `acknowledged_in_time` by `asked`; absent where nobody was asked.
    pub share_in_time: Option<f64>,
    /// How many acknowledgements the figures below are of: one for each event and recipient that was asked.
    pub measured: u32,
    /// The median of notice to acknowledgement in seconds, nearest rank, late ones among them.
    pub median_seconds: Option<f64>,
    /// The 95th percentile of the same.
    pub p95_seconds: Option<f64>,
    /// The longest of the same.
    pub slowest_seconds: Option<f64>,
}

/// One slow acknowledgement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeriodSlow {
    /// Of which incident.
    pub incident: IncidentId,
    /// Of which event.
    pub event: EventNumber,
    /// Whose.
    pub recipient: RecipientId,
    /// Its name.
    pub name: String,
    /// From notice to acknowledgement, in seconds.
    pub seconds: f64,
}

/// The recipients of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeriodKind {
    /// Such as `police-territorial`.
    pub kind: String,
    /// Theirs.
    pub figures: Figures,
}

/// One recipient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeriodRecipient {
    /// Its identifier.
    pub id: RecipientId,
    /// Its name at the last of the incidents.
    pub name: String,
    /// Its kind then.
    pub kind: String,
    /// Its own.
    pub figures: Figures,
}

/// A week or a month, as far as it is within the period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeriodPart {
    /// Its first day.
    pub from: Date,
    /// Its last day.
    pub to: Date,
    /// The figures of the incidents published in it.
    pub figures: Figures,
}

/// One incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeriodIncident {
    /// Its identifier.
    pub id: IncidentId,
    /// Who published it.
    pub publisher: PublisherId,
    /// The headline of its first event.
    pub headline: String,
    /// When that was stored.
    pub published_at: Timestamp,
    /// How many events it has.
    pub events: u32,
    /// How long the operator took.
    pub operator_delay_seconds: OperatorDelay,
    /// How many problems its own report tells of.
    pub problems: u32,
    /// The recipients'.
    pub figures: Figures,
}

/// How timely one operator was: from the failure to the first event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorFigures {
    /// Which publisher.
    pub publisher: PublisherId,
    /// How many incidents it published.
    pub incidents: u32,
    /// From the beginning of the failure, as it stated it.
    pub from_began: Spread,
    /// From its detection, as it stated it.
    pub from_detected: Spread,
    /// What it owed, aimed at and promised, counted.
    #[serde(default)]
    pub duties: DutyTotals,
}

/// Lengths of time of several incidents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many: of the others the moment was not stated.
    pub of: u32,
    /// The median in seconds, nearest rank.
    pub median_seconds: Option<f64>,
    /// The longest in seconds.
    pub slowest_seconds: Option<f64>,
}

/// A recipient of which nothing was heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeverHeard {
    /// Its identifier.
    pub id: RecipientId,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Of how many incidents it was owed a notice.
    pub incidents: u32,
}

/// A contact for which an attempt to send failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Whose.
    pub recipient: RecipientId,
    /// The recipient's name.
    pub name: String,
    /// By the word in the recipient's contacts.
    pub contact: String,
    /// The address.
    pub address: String,
    /// How many mails were owed to it.
    pub mails: u32,
    /// How many of those a relay took.
    pub taken: u32,
    /// How many attempts were begun.
    pub attempts: u32,
    /// What became of those that failed, by outcome and reply code.
    pub failed: Vec<Failed>,
}

/// Attempts that failed alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// How they ended: `temporary`, `permanent`, or `unknown`.
    pub outcome: Outcome,
    /// The SMTP reply code; absent where there was no reply.
    pub code: Option<u16>,
    /// How many.
    pub attempts: u32,
    /// When the last of them ended, or began where no end is known.
    pub last_at: Timestamp,
    /// What the relay said to the last of them.
    pub last_reply: String,
}

/// Mails, and attempts to send them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailFigures {
    /// Mails owed.
    pub owed: u32,
    /// Mails of `owed` that a relay took: handed over, not read.
    pub taken: u32,
    /// Attempts begun.
    pub attempts: u32,
    /// Attempts that ended with the relay taking the mail.
    pub accepted: u32,
    /// Attempts that failed for now.
    pub temporary: u32,
    /// Attempts after which no relay will ever take a mail for that address.
    pub permanent: u32,
    /// Attempts of which nobody knows whether the relay took the mail.
    pub unknown: u32,
    /// Attempts that failed by the relay's configuration: no contact's fault.
    pub relay_fault: u32,
    /// Mails stood down before they were sent.
    pub stood_down: u32,
}

/// Problems of one sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodProblem {
    /// Which sort.
    pub code: ProblemCode,
    /// In how many incidents.
    pub incidents: u32,
    /// How many of them.
    pub problems: u32,
}

/// From what the report was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodProvenance {
    /// The moment for which it holds.
    pub as_of: Timestamp,
    /// What the newest directory calls itself.
    pub directory_name: Option<String>,
    /// Its version.
    pub directory_version: Option<u64>,
    /// What was read of `TOCSIN_SAID`.
    pub said: StreamRead,
    /// What was read of `TOCSIN_LOG`.
    pub log: StreamRead,
}
