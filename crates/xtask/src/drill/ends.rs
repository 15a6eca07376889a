//! Whether it ended as the scenario tells: each of its sentences, held against the report.

use std::collections::{BTreeMap, BTreeSet};

use tocsin_audit::{EscalationReport, EventReport, RecipientReport, Report, State};
use tocsin_protocol::{EscalationReason, EventNumber, RecipientId, Requirement, Timestamp};
use tocsin_scenario::{Acknowledged, Expectation, Whose};

use super::{clock::Clock, day::Day, verdict::by_a_visitor};

/// One sentence of the end, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The sentence.
    pub(crate) says: String,
    /// What bears it out; else everything that speaks against it.
    pub(crate) came: Result<String, Vec<String>>,
}

/// What the sentences are held against.
pub(crate) struct Held<'a> {
    /// The day.
    pub(crate) day: &'a Day,
    /// The two clocks.
    pub(crate) clock: &'a Clock,
    /// The report.
    pub(crate) report: &'a Report,
    /// Who was late because the machine could not keep up: nothing is held against them.
    pub(crate) overtaken: &'a BTreeSet<(RecipientId, EventNumber)>,
    /// Where nobody reads what is sent.
    pub(crate) retired: &'a BTreeSet<String>,
    /// Whether the lots are the scenario's own, so that its figures hold.
    pub(crate) own_lots: bool,
}

impl Held<'_> {
    /// Every sentence of the end, and what came of it.
    pub(crate) fn endings(&self) -> Vec<Ending> {
        let mut endings: Vec<_> =
            self.day.scenario.expect.iter().map(|expected| self.ending(expected)).collect();
        endings.extend(self.figures());
        endings
    }

    /// The figures of the end, with the scenario's own lots: others silence others.
    fn figures(&self) -> Option<Ending> {
        let (end, totals) = (self.day.scenario.end, &self.report.totals);
        let visited = self.report.recipients.iter().any(by_a_visitor);
        if !self.own_lots || visited || !self.overtaken.is_empty() {
            return None;
        }
        let figures = [
            ("in time", end.in_time.map(u64::from), u64::from(totals.acknowledged_in_time)),
            ("escalated to", end.escalated.map(u64::from), u64::from(totals.escalated)),
            ("mails taken by the relay", end.mails, u64::from(totals.mails_accepted)),
        ];
        let told: Vec<_> =
            figures.iter().filter_map(|(what, told, came)| Some((what, (*told)?, came))).collect();
        if told.is_empty() {
            return None;
        }
        let says: Vec<_> = told.iter().map(|(what, told, _)| format!("{told} {what}")).collect();
        let against: Vec<_> = told
            .iter()
            .filter(|(_, told, came)| told != *came)
            .map(|(what, told, came)| format!("{what}: {told} were told, {came} came"))
            .collect();
        let came = if against.is_empty() { Ok("so it was".to_owned()) } else { Err(against) };
        Some(Ending { says: format!("It ends with {}", says.join(", ")), came })
    }

    fn ending(&self, expected: &Expectation) -> Ending {
        let came = match self.report.events.iter().find(|event| event.event == expected.event) {
            Some(event) => self.held(expected, event),
            None => Err(vec![format!("event {} is not in the report", expected.event)]),
        };
        Ending { says: expected.says.clone(), came }
    }

    fn held(&self, expected: &Expectation, event: &EventReport) -> Result<String, Vec<String>> {
        let rows: Vec<_> =
            event.recipients.iter().filter(|row| expected.whose.is(&row.id, &row.kind)).collect();
        let mut against = Vec::new();
        if let Whose::These(these) = &expected.whose {
            let there: BTreeSet<_> = rows.iter().map(|row| &row.id).collect();
            let missing = these.iter().filter(|id| !there.contains(id));
            against.extend(missing.map(|id| format!("{id} was not owed event {}", event.event)));
        } else if rows.is_empty() {
            against.push(format!("nobody of them was owed event {}", event.event));
        }
        let (mut facts, mut left_out) = (BTreeMap::<String, usize>::new(), 0);
        for row in &rows {
            if row.noticed_at.is_none() || row.delivered_at.is_none() {
                against.push(format!("{} was not told", row.id));
            }
            if by_a_visitor(row) || self.overtaken.contains(&(row.id.clone(), event.event)) {
                left_out += 1;
                continue;
            }
            against.extend(self.row(expected, event, row));
            *facts.entry(Self::fact(event, row)).or_default() += 1;
        }
        if !against.is_empty() {
            return Err(against);
        }
        let mut told: Vec<_> = match rows[..] {
            // Of one body it is worth telling how it went.
            [row] if left_out == 0 => vec![format!("{}: {}", row.name, self.story(event, row))],
            _ => facts.into_iter().map(|(fact, count)| format!("{count} {fact}")).collect(),
        };
        if left_out > 0 {
            told.push(format!(
                "{left_out} left out: a visitor answered for them, or the machine could not keep up"
            ));
        }
        Ok(told.join("; "))
    }

    /// What speaks against one recipient's part.
    fn row(&self, expected: &Expectation, event: &EventReport, row: &RecipientReport) -> Vec<String> {
        let mut against = Vec::new();
        let id = &row.id;
        let mut must = |holds: bool, text: String| {
            if !holds {
                against.push(text);
            }
        };
        let told = |requirement| {
            if requirement == Requirement::Required { "must acknowledge" } else { "is informed" }
        };
        if let Some(wanted) = expected.requirement {
            must(row.requirement == wanted, format!("{id} {}", told(row.requirement)));
        }
        match expected.acknowledged {
            None => {}
            Some(Acknowledged::InTime) => {
                must(row.state == State::InTime, format!("{id} is {}", row.state.words()));
            }
            Some(Acknowledged::Late) => {
                must(row.state == State::Late, format!("{id} is {}", row.state.words()));
            }
            Some(Acknowledged::Never) => {
                must(row.acknowledged_at.is_none(), format!("{id} has acknowledged"));
            }
            Some(Acknowledged::Anew) => {
                let before = self.report.events.iter().filter(|earlier| earlier.event < event.event);
                let mut before = before.flat_map(|earlier| &earlier.recipients).filter(|one| one.id == *id);
                must(
                    before.any(|one| one.acknowledged_event.is_some_and(|of| of < event.event)),
                    format!("{id} had acknowledged nothing before event {}", event.event),
                );
                let anew =
                    !event.worsened.is_empty() && row.acknowledged_event.is_some_and(|of| of >= event.event);
                must(anew, format!("{id} has not acknowledged event {} anew", event.event));
            }
        }
        if let Some(length) = expected.silent_after {
            let window =
                self.day.course.windows(event.event).into_iter().position(|(window, _)| window == length);
            let step = window.and_then(|at| event.steps.get(at)).map(|step| step.step);
            let found =
                row.escalations.iter().any(|mail| mail.event == event.event && Some(mail.step) == step);
            must(found, format!("{id} was not found silent by the window of {length:#}"));
        }
        if let Some(wanted) = &expected.mailed {
            let mailed: Vec<_> = mails(event, row).map(|mail| mail.contact.clone()).collect();
            must(mailed == *wanted, format!("{id} was written to at {mailed:?}, not {wanted:?}"));
        }
        against
    }

    /// How it went with one of many.
    fn fact(event: &EventReport, row: &RecipientReport) -> String {
        let mailed = if mails(event, row).next().is_some() { ", after an e-mail" } else { "" };
        match row.state {
            State::NotAsked => "told, and not asked".to_owned(),
            State::InTime => "acknowledged in time".to_owned(),
            State::Late => format!("acknowledged late{mailed}"),
            state => format!("{}{}", state.words(), if mailed.is_empty() { "" } else { ", and written to" }),
        }
    }

    /// How it went with one.
    fn story(&self, event: &EventReport, row: &RecipientReport) -> String {
        let hour = |at: Timestamp| self.clock.hour(self.clock.day(at));
        let mut story = vec![format!("told {}", hour(event.published_at))];
        for mail in mails(event, row) {
            let due = hour(mail.due_at);
            let became = if self.retired.contains(&mail.address) {
                "taken by the relay, read by nobody: that mailbox is retired"
            } else if mail.accepted_at.is_some() {
                "taken by the relay"
            } else {
                "refused: there is no such mailbox"
            };
            let found = if mail.reason == EscalationReason::Silent {
                format!("silent at {due}")
            } else {
                "so without waiting".to_owned()
            };
            story.push(format!("{found}, mail to its {} contact ({became})", mail.contact));
        }
        story.push(match row.acknowledged_at {
            Some(at) => format!("acknowledged {}", hour(at)),
            None if row.state == State::NotAsked => "not asked".to_owned(),
            None => "not acknowledged".to_owned(),
        });
        story.join("; ")
    }
}

/// The mails owed to a recipient for one event.
fn mails<'r>(
    event: &EventReport,
    row: &'r RecipientReport,
) -> impl Iterator<Item = &'r EscalationReport> + use<'r> {
    let number = event.event;
    row.escalations.iter().filter(move |mail| mail.event == number)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::drill::compare::tests::example;

    /// What comes of a sentence about the shipped example, in which the regulator was late and was written to.
    fn came(whose: &str, change: impl FnOnce(&mut Expectation)) -> Result<String, Vec<String>> {
        let (mut report, day, clock) = example();
        for row in report.events.iter_mut().flat_map(|event| &mut event.recipients) {
            row.delivered_at = row.noticed_at;
            row.acknowledged_method = row.acknowledged_method.map(|_| tocsin_protocol::ReceiptMethod::Desk);
        }
        let whose = match whose {
            "all" => Whose::Everybody,
            id => Whose::These(vec![id.parse().unwrap()]),
        };
        let mut expected = Expectation {
            says: "So it is".to_owned(),
            event: EventNumber::FIRST,
            whose,
            requirement: None,
            acknowledged: None,
            silent_after: None,
            mailed: None,
        };
        change(&mut expected);
        let (overtaken, retired) = (BTreeSet::new(), BTreeSet::new());
        let held = Held {
            day: &day,
            clock: &clock,
            report: &report,
            overtaken: &overtaken,
            retired: &retired,
            own_lots: true,
        };
        held.ending(&expected).came
    }

    #[test]
    fn a_sentence_that_holds_is_borne_out_by_what_happened() {
        let told = came("ofcom", |expected| {
            expected.acknowledged = Some(Acknowledged::Late);
            expected.requirement = Some(Requirement::Required);
            expected.silent_after = Some(SignedDuration::from_mins(15));
            expected.mailed = Some(vec!["duty".to_owned()]);
        });
        insta::assert_snapshot!(told.unwrap());
    }

    #[test]
    fn a_sentence_that_does_not_hold_says_what_speaks_against_it() {
        type Change = fn(&mut Expectation);
        let cases: &[(&str, Change, &str)] = &[
            ("dsit", |_| {}, "dsit was not owed event 1"),
            ("ofcom", |expected| expected.acknowledged = Some(Acknowledged::InTime), "ofcom is late"),
            ("ofcom", |expected| expected.acknowledged = Some(Acknowledged::Never), "ofcom has acknowledged"),
            (
                "ofcom",
                |expected| expected.acknowledged = Some(Acknowledged::Anew),
                "ofcom had acknowledged nothing before event 1",
            ),
            (
                "ofcom",
                |expected| expected.requirement = Some(Requirement::Informed),
                "ofcom must acknowledge",
            ),
            (
                "ofcom",
                |expected| expected.mailed = Some(Vec::new()),
                "ofcom was written to at [\"duty\"], not []",
            ),
            (
                "ofcom",
                |expected| expected.silent_after = Some(SignedDuration::from_mins(30)),
                "ofcom was not found silent by the window of 30m",
            ),
            ("all", |expected| expected.event = expected.event.next(), "event 2 is not in the report"),
        ];
        for (whose, change, wanted) in cases {
            let against = came(whose, change).unwrap_err();
            assert!(against.iter().any(|told| told == wanted), "{wanted}: {against:?}");
        }
    }
}
