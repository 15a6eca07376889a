//! What a reader must know before believing the rest: what is missing from the record, what contradicts itself, and
//! what nobody can know.

mod duty;
mod mail;
mod record;
mod said;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tocsin_protocol::{EventNumber, RecipientId, Timestamp};

use crate::{
    compute::{Judged, JudgedEvent},
    facts::Facts,
    report::OperatorTimeliness,
    words::{plain, some},
};

/// Something that a reader must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What sort, for machines.
    pub code: ProblemCode,
    /// The event that it is about, when it is about one.
    pub event: Option<EventNumber>,
    /// The recipients that it is about.
    pub recipients: Vec<RecipientId>,
    /// What it is, for people.
    pub text: String,
}

impl Problem {
    /// Whether one recipient may be told of it: it is about that recipient alone, or about what everyone was told.
    pub(crate) fn is_for(&self, recipient: &RecipientId) -> bool {
        match self.code {
            ProblemCode::LateEntry
            | ProblemCode::RevisedStart
            | ProblemCode::ClosedBeforeNotice
            | ProblemCode::AssumedClock
            | ProblemCode::UnknownTimeZone => true,
            _ => self.recipients == [recipient.clone()],
        }
    }
}

/// The sorts of problem, gravest first. The words are stable: programs may rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemCode {
    /// A window closed, and a required recipient neither acknowledged in time nor was escalated to.
    Neither,
    /// An event has no dispatch.
    MissingDispatch,
    /// A dispatch owes a notice that is not there.
    MissingNotice,
    /// The broker has not closed a window that was due.
    OverdueWindow,
    /// A window closed, and no finding is there.
    MissingFinding,
    /// A finding names a silent recipient, and the escalation is not there.
    MissingEscalation,
    /// Something that the publisher owes was found overdue, and somebody who is to be told of that was not.
    OverdueNotTold,
    /// A finding says other than the receipts.
    DifferingFinding,
    /// A dispatch says another time of the event than the broker.
    DifferingDispatch,
    /// A notice does not carry the bytes that the publisher signed.
    AlteredNotice,
    /// A fact of the log cannot be used.
    FaultyRecord,
    /// The router recorded a refusal, and by the rules what was said counts.
    DisputedRefusal,
    /// What was said does not count by the rules, and the router has recorded no refusal.
    UnrecordedRefusal,
    /// An acknowledgement came by the link of a mail that nobody owed: the key that signs links may be stolen.
    LinkOfNoMail,
    /// Said in another's name: unsigned, or not signed by its author.
    Forged,
    /// Said, and refused for another reason.
    Refused,
    /// A relay will never take mail for a recipient's address: it cannot be reached so.
    Unreachable,
    /// No relay has taken a mail that is owed.
    NotHandedOver,
    /// The notifier's own relay configuration was at fault.
    RelayFault,
    /// Nobody knows whether a relay took a mail.
    UnknownSend,
    /// A mail may have arrived more than once.
    RepeatedMail,
    /// A moment of the failure was first stated, or put earlier, long after it.
    LateEntry,
    /// The publisher changed its word on a moment of the failure.
    RevisedStart,
    /// A window had closed before the notice was there: nobody could be in time.
    ClosedBeforeNotice,
    /// The event did not tell the moment from which a policy's windows run.
    AssumedClock,
    /// There is more of this sort than is kept.
    NotAllTold,
    /// The directory's time zone is not known: local times are shown as UTC.
    UnknownTimeZone,
}

impl ProblemCode {
    /// A few words that name it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Neither => "neither told in time nor escalated",
            Self::MissingDispatch => "no dispatch",
            Self::MissingNotice => "no notice",
            Self::OverdueWindow => "window not closed",
            Self::MissingFinding => "no finding",
            Self::MissingEscalation => "no escalation",
            Self::OverdueNotTold => "overdue not told",
            Self::DifferingFinding => "finding and receipts differ",
            Self::DifferingDispatch => "dispatch and broker differ",
            Self::AlteredNotice => "notice altered",
            Self::FaultyRecord => "record faulty",
            Self::DisputedRefusal => "refusal disputed",
            Self::UnrecordedRefusal => "refusal not recorded",
            Self::LinkOfNoMail => "link of no mail",
            Self::Forged => "forged",
            Self::Refused => "refused",
            Self::Unreachable => "cannot be reached",
            Self::NotHandedOver => "mail not handed over",
            Self::RelayFault => "relay fault",
            Self::UnknownSend => "send unknown",
            Self::RepeatedMail => "mail repeated",
            Self::LateEntry => "late entry",
            Self::RevisedStart => "start revised",
            Self::ClosedBeforeNotice => "closed before notice",
            Self::AssumedClock => "clock assumed",
            Self::NotAllTold => "not all told",
            Self::UnknownTimeZone => "time zone unknown",
        }
    }
}

/// What the finders look at.
struct Case<'a> {
    facts: &'a Facts,
    operator: &'a OperatorTimeliness,
    events: &'a [JudgedEvent],
    names: BTreeMap<&'a RecipientId, &'a str>,
    as_of: Timestamp,
}

impl Case<'_> {
    /// Names of recipients, cut to a length that can be read.
    fn names<'r>(&self, recipients: impl IntoIterator<Item = &'r RecipientId>) -> String {
        let names: Vec<String> = recipients.into_iter().map(|id| self.name(id)).collect();
        some(names.iter().map(String::as_str))
    }

    fn name(&self, id: &RecipientId) -> String {
        plain(self.names.get(id).copied().unwrap_or(id.as_str()))
    }
}

/// Finds every problem, gravest first.
pub(crate) fn find(
    facts: &Facts,
    operator: &OperatorTimeliness,
    events: &[JudgedEvent],
    whole: &[Judged],
    as_of: Timestamp,
) -> Vec<Problem> {
    let names = whole.iter().map(|judged| (&judged.row.id, judged.row.name.as_str())).collect();
    let case = Case { facts, operator, events, names, as_of };
    let mut problems = record::find(&case);
    problems.extend(duty::find(&case));
    problems.extend(mail::find(&case));
    problems.extend(said::find(&case));
    problems.sort_by_key(|problem| (problem.code, problem.event));
    problems
}

/// `1 recipient`, `3 recipients`.
fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
