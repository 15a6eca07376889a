//! Whether the drill passed: nobody between acknowledged in time and escalated, and the report says what the drill
//! itself knows.

use std::collections::BTreeSet;

use tocsin_audit::{Problem, ProblemCode, RecipientReport, Report, StepReport};
use tocsin_protocol::{EventNumber, ReceiptMethod, RecipientId, Requirement};

use super::desks::Noted;

/// What the drill itself knows, without the ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// How many events the scenario has.
    pub(crate) events: usize,
    /// How many are owed any of them.
    pub(crate) recipients: usize,
    /// Who never answers.
    pub(crate) never: BTreeSet<RecipientId>,
    /// What the desks know.
    pub(crate) desks: Noted,
    /// The calls lost, where they were split over areas, and who serves those, one each.
    pub(crate) shares: Option<(u64, BTreeSet<RecipientId>)>,
    /// Whether anybody is silent, so that a mail is owed.
    pub(crate) silence: bool,
    /// The addresses at which no mail is taken.
    pub(crate) refused: BTreeSet<String>,
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
        report.events.len() == known.events,
        format!("{} events were published, the report has {}", known.events, report.events.len()),
    );
    must(
        report.recipients.len() == known.recipients,
        format!(
            "{} recipients are owed something, the report has {}",
            known.recipients,
            report.recipients.len()
        ),
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
    must(!known.silence || totals.mails_accepted > 0, "no mail went out".to_owned());
    for fault in &known.desks.faults {
        must(false, fault.clone());
    }
    desks(report, known, &mut must);
    never(report, known, &mut must);
    if let Some((calls, forces)) = &known.shares {
        shares(*calls, forces, known, &mut must);
    }
    // A mailbox that the scenario has gone is to be told as gone.
    let as_told = |text: &str| known.refused.iter().any(|address| text.contains(address.as_str()));
    for Problem { code, text, .. } in &report.problems {
        let holds = !grave(*code) || (*code == ProblemCode::Unreachable && as_told(text));
        must(holds, format!("the report finds: {text}"));
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
            if by_a_visitor(row) {
                continue;
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

/// Who never answers was written to at every step of each event that asks and that nothing lifted, as far as there is a
/// mailbox.
fn never(report: &Report, known: &Known, must: &mut impl FnMut(bool, String)) {
    for event in report.events.iter().filter(|event| event.acknowledge) {
        for row in event.recipients.iter().filter(|row| known.never.contains(&row.id)) {
            let taken = row.escalations.iter().filter(|mail| mail.accepted_at.is_some()).count();
            if by_a_visitor(row) {
                continue;
            }
            // What ended the incident later lifted nothing.
            let in_time = |step: &&StepReport| {
                step.stopped_by.as_ref().is_some_and(|stopped| stopped.published_at <= step.due_at)
            };
            let lifted = event.steps.iter().filter(in_time).count();
            let refused = row.escalations.iter().filter(|mail| known.refused.contains(&mail.address)).count();
            let steps = event.steps.len() - lifted - refused;
            must(
                row.requirement != Requirement::Required || taken == steps,
                format!(
                    "{} never answers: of event {} it is owed {steps} mails, {taken} were taken",
                    row.id, event.event
                ),
            );
        }
    }
}

/// Whether somebody who watches the drill has acknowledged for them: the drill itself knows nothing of that.
pub(crate) fn by_a_visitor(row: &RecipientReport) -> bool {
    matches!(row.acknowledged_method, Some(ReceiptMethod::Page | ReceiptMethod::Link))
}

/// Each force was told its own share of the calls lost, and the shares are the whole.
fn shares(lost: u64, forces: &BTreeSet<RecipientId>, known: &Known, must: &mut impl FnMut(bool, String)) {
    let told: u64 =
        known.desks.calls_here.iter().filter(|(id, _)| forces.contains(*id)).map(|(_, calls)| calls).sum();
    must(told == lost, format!("{lost} calls were lost, the notices to the forces add up to {told}"));
}

/// A drill in which nothing goes wrong has none of these.
fn grave(code: ProblemCode) -> bool {
    code <= ProblemCode::NotHandedOver
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of the shipped example, as if all five events had been published, and the drill that fits it.
    fn passed() -> (Report, Known) {
        let example = include_str!("../../../../schemas/examples/valid/timeliness-report-one-late.json");
        let mut report: Report = serde_json::from_str(example).unwrap();
        report.problems.clear();
        report.totals.mails_unknown = 0;
        for row in report.events.iter_mut().flat_map(|event| &mut event.recipients) {
            row.acknowledged_method = row.acknowledged_method.map(|_| ReceiptMethod::Desk);
        }
        let first = report.events[0].clone();
        report.events = (1..=5)
            .map(|number: u32| {
                let mut event = first.clone();
                event.event = number.to_string().parse().unwrap();
                event.acknowledge = number == 1;
                if number > 1 {
                    for row in &mut event.recipients {
                        (row.delivered_at, row.acknowledged_at) = (None, None);
                    }
                }
                event
            })
            .collect();
        let mut desks = Noted::default();
        for row in &first.recipients {
            let key = (row.id.clone(), first.event);
            if row.delivered_at.is_some() {
                desks.delivered.insert(key.clone());
            }
            desks.acknowledged.extend(row.acknowledged_at.map(|at| (key, at)));
        }
        desks.calls_here.insert("pol-west-mercia".parse().unwrap(), 30);
        desks.calls_here.insert("ofcom".parse().unwrap(), 30);
        let known = Known {
            events: 5,
            recipients: 2,
            never: BTreeSet::new(),
            desks,
            shares: Some((30, ["pol-west-mercia".parse().unwrap()].into())),
            silence: true,
            refused: BTreeSet::new(),
            mails: 1,
            files: 1,
        };
        (report, known)
    }

    #[test]
    fn a_drill_passes_when_its_report_says_what_it_knows() {
        let (report, known) = passed();
        assert_eq!(against(&report, &known), Vec::<String>::new());
    }

    #[test]
    fn a_drill_fails_on_whatever_its_report_does_not_bear_out() {
        type Change = fn(&mut Report, &mut Known);
        let changes: &[(&str, Change)] = &[
            ("neither acknowledged in time nor", |report, _| report.totals.neither = 1),
            ("5 events were published, the report has 4", |report, _| drop(report.events.pop())),
            ("3 recipients are owed something", |_, known| known.recipients = 3),
            ("took 2 mails, the report counts 1", |_, known| (known.mails, known.files) = (2, 2)),
            ("took 1 mails, 0 are on disk", |_, known| known.files = 0),
            ("no mail went out", |report, known| {
                (report.totals.mails_accepted, known.mails, known.files) = (0, 0, 0);
            }),
            ("the desk of ofcom: gone", |_, known| {
                known.desks.faults.push("the desk of ofcom: gone".to_owned());
            }),
            ("the report has None", |report, _| report.events[0].recipients[0].acknowledged_at = None),
            ("has not acknowledged, the report says", |_, known| known.desks.acknowledged.clear()),
            ("differ on 1 notices", |_, known| drop(known.desks.delivered.pop_first())),
            ("add up to 29", |_, known| {
                known.desks.calls_here.insert("pol-west-mercia".parse().unwrap(), 29);
            }),
            ("ofcom never answers: of event 1 it is owed 1 mails, 0 were taken", |report, known| {
                known.never.insert("ofcom".parse().unwrap());
                report.events[0].recipients[1].escalations.clear();
            }),
            ("the report finds: nobody at gone@b.example", |report, known| {
                known.refused.insert("gone@a.example".to_owned());
                for address in ["gone@a.example", "gone@b.example"] {
                    report.problems.push(Problem {
                        code: ProblemCode::Unreachable,
                        event: None,
                        recipients: Vec::new(),
                        text: format!("nobody at {address}"),
                    });
                }
            }),
            ("the report finds: no finding", |report, _| {
                report.problems.push(Problem {
                    code: ProblemCode::MissingFinding,
                    event: None,
                    recipients: Vec::new(),
                    text: "no finding".to_owned(),
                });
            }),
        ];
        for (expected, change) in changes {
            let (mut report, mut known) = passed();
            change(&mut report, &mut known);
            let found = against(&report, &known);
            assert!(found.iter().any(|why| why.contains(expected)), "{expected}: {found:?}");
        }
    }

    #[test]
    fn whoever_a_visitor_acknowledges_for_is_not_held_to_what_the_drill_knows() {
        let (mut report, mut known) = passed();
        known.never.insert("ofcom".parse().unwrap());
        known.desks.acknowledged.clear();
        for row in &mut report.events[0].recipients {
            row.acknowledged_method = Some(ReceiptMethod::Page);
            row.escalations.clear();
        }
        assert_eq!(against(&report, &known), Vec::<String>::new());
    }

    #[test]
    fn a_mail_of_unknown_fate_may_have_arrived_or_not() {
        let (mut report, mut known) = passed();
        report.totals.mails_unknown = 1;
        assert_eq!(against(&report, &known), Vec::<String>::new());
        (known.mails, known.files) = (2, 2);
        assert_eq!(against(&report, &known), Vec::<String>::new());
    }
}
