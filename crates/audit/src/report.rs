//! The report as a value: what the schema `timeliness-report` describes, and what every rendering shows.
//!
//! Times are the broker's unless a field says otherwise. Seconds are plain numbers, never rounded; whether something
//! was in time is decided on the broker's timestamps, never on these numbers.

mod duty;
mod operator;

use serde::{Deserialize, Serialize};
use tocsin_duty::Course;
use tocsin_protocol::{
    ByRule, EscalationReason, EventKind, EventNumber, IncidentId, Outcome, Person, PolicyId, PublisherId,
    Reach, ReceiptMethod, RecipientId, RefusalCode, Requirement, Signer, Stage, Status, StepNumber,
    StoppedBy, Timestamp, Via,
};

use crate::{linked::LinkedReport, problem::Problem};
pub use duty::*;
pub use operator::*;

/// The version of the report's form, as `schema_version` has it.
pub const SCHEMA_VERSION: u32 = 1;

/// Who knew what, when, of one incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of this form: [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The incident, and how timely its operator was.
    pub incident: IncidentReport,
    /// The counts over the incident as a whole: a recipient counts as it did at its worst event.
    pub totals: Totals,
    /// How timely the operator was; absent from a report that was written before there was this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<OperatorTimeliness>,
    /// How timely the recipients were.
    pub timeliness: Timeliness,
    /// What the publisher owed, counted.
    #[serde(default)]
    pub duty_totals: DutyTotals,
    /// What the publisher owed, each time that it did, in the order in which it was due.
    #[serde(default)]
    pub duties: Vec<DutyReport>,
    /// The telephone calls that its people logged.
    #[serde(default)]
    pub calls: Vec<CallReport>,
    /// The lists of lost callers that were handed to forces.
    #[serde(default)]
    pub handovers: Vec<HandoverReport>,
    /// How the figures moved: of the whole, and for a recipient of the areas that it serves.
    #[serde(default)]
    pub figures: Vec<FigureReport>,
    /// The events that had to be taken in anew, and when those did who had acknowledged less.
    #[serde(default)]
    pub anew: Vec<AnewReport>,
    /// Every event, in order.
    pub events: Vec<EventReport>,
    /// Every recipient once, by its worst event, in the order of the directory.
    pub recipients: Vec<RecipientReport>,
    /// Reports and incidents that a person has said are of the same outage, or are not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub linked: Vec<LinkedReport>,
    /// What was said of this incident and does not count.
    pub refusals: Vec<RefusalReport>,
    /// What a reader must know before believing the rest.
    pub problems: Vec<Problem>,
    /// Another timeliness to hold this one against, where the caller gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// From what the report was made.
    pub provenance: Provenance,
}

/// The incident, and how timely its operator was. The recipients' timeliness is another thing and stands elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentReport {
    /// Its identifier.
    pub id: IncidentId,
    /// Who published it.
    pub publisher: PublisherId,
    /// Actual, exercise or test.
    pub status: Status,
    /// The headline of the first event.
    pub headline: String,
    /// How it goes, by every event; absent from a report that was written before there was this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub course: Option<Course>,
    /// When the failure began, as the publisher last stated it: a claim.
    pub began_at: Option<Timestamp>,
    /// When it was noticed, as the publisher last stated it: a claim.
    pub detected_at: Option<Timestamp>,
    /// When the first event was stored.
    pub published_at: Timestamp,
    /// When the first notice of any event was stored.
    pub first_noticed_at: Option<Timestamp>,
    /// When the last recipient's first notice was stored: from here on, everyone who was owed it had it waiting.
    pub last_noticed_at: Option<Timestamp>,
    /// How long the operator took.
    pub operator_delay_seconds: OperatorDelay,
}

/// How long the operator took to publish the first event. Negative where the stated moment is later than that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct OperatorDelay {
    /// From the beginning of the failure to the first event, in seconds.
    pub from_began: Option<f64>,
    /// From its detection to the first event, in seconds.
    pub from_detected: Option<f64>,
}

/// Counts of recipients. `asked` is the sum of `acknowledged_in_time`, `acknowledged_late` and `never`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Those whom a policy requires to acknowledge.
    pub required: u32,
    /// Those who are told, and never escalated to.
    pub informed: u32,
    /// The required of whom an acknowledgement was asked; an event may ask for none.
    pub asked: u32,
    /// Those, required or informed, whose system said that it holds the notice (of every event owed to it).
    pub delivered: u32,
    /// Acknowledged not after `due_at`.
    pub acknowledged_in_time: u32,
    /// Acknowledged after `due_at`.
    pub acknowledged_late: u32,
    /// Asked, and has not acknowledged.
    pub never: u32,
    /// Those of `never` whose window is still open.
    pub open: u32,
    /// Those of `never` for whom a resolved or cancelled event lifted the duty before the window closed.
    pub excused: u32,
    /// Those to whom at least one e-mail was owed.
    pub escalated: u32,
    /// Those whose window closed without an acknowledgement in time and without an escalation. It must be 0.
    pub neither: u32,
    /// E-mails that a relay took.
    pub mails_accepted: u32,
    /// Attempts of which nobody knows whether the relay took the mail.
    pub mails_unknown: u32,
    /// E-mails that may have arrived again: those taken or unknown beyond the first of an escalation.
    pub mails_repeated: u32,
}

/// How timely the recipients were, from notice to acknowledgement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeliness {
    /// `acknowledged_in_time` by `asked`; absent where nobody was asked.
    pub share_in_time: Option<f64>,
    /// How many acknowledgements the figures below are of: one for each event and recipient that was asked.
    pub measured: u32,
    /// The median of notice to acknowledgement in seconds, nearest rank, late ones among them.
    pub median_seconds: Option<f64>,
    /// The 95th percentile of the same.
    pub p95_seconds: Option<f64>,
    /// The slowest of the same, slowest first.
    pub slowest: Vec<Slow>,
    /// The counts by kind of recipient, in the order of the directory.
    pub by_kind: Vec<KindReport>,
}

/// One slow acknowledgement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slow {
    /// Whose.
    pub recipient: RecipientId,
    /// Of which event.
    pub event: EventNumber,
    /// From notice to acknowledgement, in seconds.
    pub seconds: f64,
}

/// The recipients of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindReport {
    /// Such as `police-territorial`.
    pub kind: String,
    /// Those required of whom an acknowledgement was asked.
    pub required: u32,
    /// Acknowledged not after `due_at`.
    pub acknowledged_in_time: u32,
    /// Acknowledged after it.
    pub acknowledged_late: u32,
    /// Has not acknowledged.
    pub never: u32,
    /// At least one e-mail was owed.
    pub escalated: u32,
    /// Those who were told and not asked.
    pub informed: u32,
    /// How many acknowledgements the figures below are of: one for each event and recipient that was asked.
    #[serde(default)]
    pub measured: u32,
    /// The median of notice to acknowledgement in seconds, nearest rank, late ones among them.
    #[serde(default)]
    pub median_seconds: Option<f64>,
    /// The 95th percentile of the same.
    #[serde(default)]
    pub p95_seconds: Option<f64>,
    /// The slowest of the same.
    #[serde(default)]
    pub slowest_seconds: Option<f64>,
}

/// One event of the incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventReport {
    /// Its number.
    pub event: EventNumber,
    /// Initial, update, correction, resolved, cancelled or sent in error.
    pub kind: EventKind,
    /// How much of a report it is.
    #[serde(default)]
    pub stage: Option<Stage>,
    /// Which earlier event it corrects.
    #[serde(default)]
    pub corrects: Option<EventNumber>,
    /// By when the publisher said in it that it would say more.
    #[serde(default)]
    pub next_update_by: Option<Timestamp>,
    /// What it said.
    pub headline: String,
    /// When it was stored.
    pub published_at: Timestamp,
    /// When its dispatch was stored; absent where there is none.
    pub dispatched_at: Option<Timestamp>,
    /// Under which version of the directory.
    pub directory: Option<u64>,
    /// Whether it needed an acknowledgement.
    pub acknowledge: bool,
    /// Why an update needed one anew.
    pub worsened: Vec<String>,
    /// That no person said it, and by which rule of the publisher's it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_rule: Option<ByRule>,
    /// Its windows, in order of closing.
    pub steps: Vec<StepReport>,
    /// The counts for this event alone.
    pub totals: Totals,
    /// Every recipient of this event, in the order of the directory.
    pub recipients: Vec<RecipientReport>,
}

/// One window of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its number.
    pub step: StepNumber,
    /// The policy that it comes from.
    pub policy: PolicyId,
    /// Who is written to when it closes on silence, by the word in the recipient's contacts.
    pub contact: String,
    /// Whose contact that is.
    #[serde(default, skip_serializing_if = "Reach::is_own")]
    pub reach: Reach,
    /// The last moment that is in time.
    pub due_at: Timestamp,
    /// When the broker closed it.
    pub closed_at: Option<Timestamp>,
    /// When the router wrote what it found.
    pub found_at: Option<Timestamp>,
    /// How many required recipients it was about, as found.
    pub required: Option<u32>,
    /// How many of them were silent, as found.
    pub silent: Option<u32>,
    /// The later event that lifted the duty.
    pub stopped_by: Option<StoppedBy>,
}

/// How a recipient stood to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// No acknowledgement was asked.
    NotAsked,
    /// Acknowledged not after `due_at`.
    InTime,
    /// Not acknowledged; a resolved or cancelled event lifted the duty before the window closed.
    Excused,
    /// Not acknowledged; the window is open.
    Open,
    /// Acknowledged after `due_at`.
    Late,
    /// Not acknowledged, and the window has closed.
    Silent,
}

impl State {
    /// The words that people read.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotAsked => "not asked",
            Self::InTime => "in time",
            Self::Excused => "excused",
            Self::Open => "window open",
            Self::Late => "late",
            Self::Silent => "silent",
        }
    }
}

/// What is known of one recipient: of one event, or by its worst event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecipientReport {
    /// Its identifier.
    pub id: RecipientId,
    /// Its name in the directory of that event; the identifier where that has none.
    pub name: String,
    /// What sort of body.
    pub kind: String,
    /// Required or informed: the strictest of any policy.
    pub requirement: Requirement,
    /// The event that this row is about. In the incident's own list: the recipient's worst.
    pub event: EventNumber,
    /// How it stood to that event.
    pub state: State,
    /// When its notice was stored.
    pub noticed_at: Option<Timestamp>,
    /// When its system said that it holds the notice.
    pub delivered_at: Option<Timestamp>,
    /// When it acknowledged this event or a later one.
    pub acknowledged_at: Option<Timestamp>,
    /// Who did so there.
    pub acknowledged_by: Option<Person>,
    /// Which event that acknowledgement was of: this one or a later one.
    pub acknowledged_event: Option<EventNumber>,
    /// Through which door it came.
    pub acknowledged_method: Option<ReceiptMethod>,
    /// In which of its control rooms.
    #[serde(default)]
    pub acknowledged_control_room: Option<String>,
    /// On whose behalf, where they say that it was not their own.
    #[serde(default)]
    pub acknowledged_on_behalf_of: Option<String>,
    /// Whose key signed it: its own, or the console's.
    #[serde(default)]
    pub acknowledged_signer: Option<Signer>,
    /// The public key that did.
    #[serde(default)]
    pub acknowledged_key: Option<String>,
    /// Which account was signed in, where the console vouches for it.
    #[serde(default)]
    pub acknowledged_account: Option<String>,
    /// Which session or API token of that account, as the console's log has it.
    #[serde(default)]
    pub acknowledged_session: Option<String>,
    /// By the link of which step's mail it came, when it carries the proof of that.
    #[serde(default)]
    pub acknowledged_step: Option<StepNumber>,
    /// When that was by the recipient's own clock: a claim, which decides nothing.
    pub acknowledged_claimed_at: Option<Timestamp>,
    /// The last moment that was in time: of the first step of the strictest policy that requires it.
    pub due_at: Option<Timestamp>,
    /// Whether it acknowledged in time; absent where none was asked, the window is open, or the duty was lifted.
    pub in_time: Option<bool>,
    /// How late the acknowledgement was, in seconds. Late is kept as late, never rejected.
    pub late_by_seconds: Option<f64>,
    /// The e-mails owed to it: of this event, or in the incident's own list of every event.
    pub escalations: Vec<EscalationReport>,
}

/// One e-mail owed, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscalationReport {
    /// Of which event.
    pub event: EventNumber,
    /// Of which step.
    pub step: StepNumber,
    /// To whom, by the word in the recipient's contacts.
    pub contact: String,
    /// The address.
    pub address: String,
    /// Whose contact that is, where it is not the recipient's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// Why it was owed.
    pub reason: EscalationReason,
    /// The last moment that would have been in time.
    pub due_at: Timestamp,
    /// When the broker closed that window.
    pub closed_at: Option<Timestamp>,
    /// When it was written down as owed.
    pub owed_at: Timestamp,
    /// When a relay first took it: that is hand-over, not reading.
    pub accepted_at: Option<Timestamp>,
    /// The relay that did; else the one tried last.
    pub relay: Option<String>,
    /// How many attempts were begun.
    pub attempts: u32,
    /// How it ended: accepted once any attempt was; else as the last attempt did; absent while none has ended.
    pub outcome: Option<Outcome>,
    /// How many attempts there are of which nobody knows whether the relay took the mail.
    pub unknown: u32,
    /// How many escalations its mail named, where it went in a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<u32>,
}

/// Something that was said of this incident and does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalReport {
    /// Its sequence in `TOCSIN_SAID`.
    pub said: u64,
    /// When it was stored there.
    pub at: Option<Timestamp>,
    /// Its subject, cut to a length that can be shown.
    pub subject: String,
    /// Why, for machines.
    pub code: RefusalCode,
    /// Why, for people.
    pub reasons: Vec<String>,
    /// Whether the router wrote the refusal down.
    pub recorded: bool,
}

/// Another timeliness to hold this one against. The caller's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// What is compared.
    pub title: String,
    /// The figures.
    pub rows: Vec<ComparisonRow>,
    /// What must be known to read them.
    pub notes: Vec<String>,
}

/// One figure beside another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparisonRow {
    /// What was measured.
    pub label: String,
    /// Then.
    pub then: String,
    /// Now.
    pub now: String,
    /// What must be known to read it; empty where nothing.
    #[serde(default)]
    pub note: String,
}

/// From what the report was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The moment for which it holds.
    pub as_of: Timestamp,
    /// The zone of the local times shown beside UTC.
    pub time_zone: String,
    /// What the directory calls itself.
    pub directory_name: Option<String>,
    /// The versions of the directory under which events were dispatched.
    pub directory_versions: Vec<u64>,
    /// Every directory of the log, where any was to be signed or is not in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<DirectoryRead>,
    /// What was read of `TOCSIN_SAID`.
    pub said: StreamRead,
    /// What was read of `TOCSIN_LOG`.
    pub log: StreamRead,
}

/// A directory on the log, by its signature as verified anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryRead {
    /// Its subject, which has its version.
    pub subject: String,
    /// The broker's time of it.
    pub at: Timestamp,
    /// The key that was to sign it, and did. `None` when none was, and for one that is not in force.
    pub signed_by: Option<String>,
    /// Why it is not in force, and so changes nothing.
    pub not_in_force: Option<String>,
}

impl DirectoryRead {
    /// By whom it is signed, or why it is not in force, in words.
    pub fn words(&self) -> String {
        match (&self.not_in_force, &self.signed_by) {
            (Some(why), _) => format!("not in force: {why}"),
            (None, Some(key)) => format!("signed by {key}"),
            (None, None) => "not signed, and none was to sign it".to_owned(),
        }
    }
}

/// How much of a stream was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRead {
    /// How many entries, of every incident.
    pub entries: u64,
    /// The sequence of the last.
    pub last_sequence: u64,
    /// The broker's time of the last.
    pub last_at: Option<Timestamp>,
}
