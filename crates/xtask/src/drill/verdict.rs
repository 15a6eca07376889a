//! Whether the drill passed: nobody between acknowledged in time and escalated, and the report says what the drill
//! itself knows.

use std::collections::BTreeSet;

use tocsin_audit::{Problem, ProblemCode, Report};
use tocsin_protocol::{EventNumber, RecipientId, Requirement};

use super::{day::HAPPENINGS, desks::Noted};

/// What the drill itself knows, without the ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// How many recipients the directory lists.
    pub(crate) recipients: usize,
    /// Who never answers.
    pub(crate) never: BTreeSet<RecipientId>,
    /// What the desks know.
    pub(crate) desks: Noted,
    /// The calls lost, by the split that was published.
    pub(crate) calls: u64,
    /// Who serves the areas of that split, one each.
    pub(crate) split_over: BTreeSet<RecipientId>,
    /// How many mails the SMTP server took.
    pub(crate) mails: u64,
    /// How many of them are on disk.
    pub(crate) files: u64,
}

/// Everything that speaks against the drill; nothing when it passed.
pub(crate) fn against(report: &Report, known: &Known) -> Vec<String> {
    let mut against = Vec::new();
    let mut must = |holds: bool, text: String| {
        if !holds {
            against.push(text);
        }
    };
    let totals = &report.totals;
    must(
        totals.neither == 0,
        format!("{} required recipients neither acknowledged in time nor were escalated to", totals.neither),
    );
    must(
        report.events.len() == HAPPENINGS.len(),
        format!("{} events were published, the report has {}", HAPPENINGS.len(), report.events.len()),
    );
    must(
        report.recipients.len() == known.recipients,
        format!("the directory has {} recipients, the report {}", known.recipients, report.recipients.len()),
    );
    let (fewest, greatest) =
        (u64::from(totals.mails_accepted), u64::from(totals.mails_accepted + totals.mails_unknown));
    must(
        (fewest..=greatest).contains(&known.mails),
        format!("the SMTP server took {} mails, the report counts {fewest} as accepted", known.mails),
    );
    must(
        known.files == known.mails,
        format!("the SMTP server took {} mails, {} are on disk", known.mails, known.files),
    );
    must(totals.mails_accepted > 0, "no mail went out".to_owned());
    for fault in &known.desks.faults {
        must(false, fault.clone());
    }
    desks(report, known, &mut must);
    never(report, known, &mut must);
    calls(known, &mut must);
    for Problem { code, text, .. } in &report.problems {
        must(!grave(*code), format!("the report finds: {text}"));
    }
    against
}

/// What the desks said, and when, is what the report says.
fn desks(report: &Report, known: &Known, must: &mut impl FnMut(bool, String)) {
    let mut told: BTreeSet<(RecipientId, EventNumber)> = BTreeSet::new();
    for event in &report.events {
        for row in &event.recipients {
            let key = (row.id.clone(), event.event);
            if row.delivered_at.is_some() {
                told.insert(key.clone());
            }
            let said = known.desks.acknowledged.get(&key);
            must(
                said.is_none_or(|said| row.acknowledged_at == Some(*said)),
                format!(
                    "{} acknowledged event {} at {said:?}, the report has {:?}",
                    row.id, event.event, row.acknowledged_at
                ),
            );
            must(
                row.acknowledged_at.is_none() || known.desks.acknowledged.keys().any(|(id, _)| *id == row.id),
                format!("{} has not acknowledged, the report says that it has", row.id),
            );
        }
    }
    let differ = told.symmetric_difference(&known.desks.delivered).count();
    must(differ == 0, format!("desks and report differ on {differ} notices that were delivered"));
}

/// Who never answers was written to twice of each event that asks.
fn never(report: &Report, known: &Known, must: &mut impl FnMut(bool, String)) {
    for event in report.events.iter().filter(|event| event.acknowledge) {
        for row in event.recipients.iter().filter(|row| known.never.contains(&row.id)) {
            let taken = row.escalations.iter().filter(|mail| mail.accepted_at.is_some()).count();
            must(
                taken == event.steps.len() && row.requirement == Requirement::Required,
                format!(
                    "{} never answers: of event {} it is owed {} mails, {taken} were taken",
                    row.id,
                    event.event,
                    event.steps.len()
                ),
            );
        }
    }
}

/// Each force was told its own share of the calls lost, and the shares are the whole.
fn calls(known: &Known, must: &mut impl FnMut(bool, String)) {
    let told: u64 = known
        .desks
        .calls_here
        .iter()
        .filter(|(id, _)| known.split_over.contains(*id))
        .map(|(_, calls)| calls)
        .sum();
    must(
        told == known.calls,
        format!("{} calls were lost, the notices to the forces add up to {told}", known.calls),
    );
}

/// A drill in which nothing goes wrong has none of these.
fn grave(code: ProblemCode) -> bool {
    code <= ProblemCode::NotHandedOver
}
