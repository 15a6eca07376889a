//! What became of the mails, as far as it is not plain.

use std::collections::BTreeMap;

use tocsin_protocol::{AttemptEnded, EventNumber, Outcome, RecipientId, StepNumber, Timestamp};

use super::{Case, Problem, ProblemCode, counted};
use crate::{
    compute::is_unknown,
    facts::{At, Attempt},
    words::{plain, utc},
};

/// What a relay said, cut to a length that can be read.
const REPLY_SHOWN: usize = 160;

pub(super) fn find(case: &Case) -> Vec<Problem> {
    let none = BTreeMap::new();
    let mut problems = Vec::new();
    let mut faults: BTreeMap<&str, Vec<&At<AttemptEnded>>> = BTreeMap::new();
    for (key, owed) in &case.facts.escalations {
        let mail = Mail {
            key,
            contact: &owed.fact.contact,
            address: &owed.fact.to.email,
            owed_at: owed.time,
            attempts: case.facts.attempts.get(key).unwrap_or(&none),
        };
        problems.extend(mail.problems(case));
        for end in mail.ended().filter(|end| end.fact.outcome == Outcome::RelayFault) {
            faults.entry(end.fact.relay.as_str()).or_default().push(end);
        }
    }
    problems.extend(faults.into_iter().filter_map(|(relay, ends)| relay_fault(relay, &ends)));
    problems
}

/// A relay whose configuration was at fault: one problem, however many mails met it.
fn relay_fault(relay: &str, ends: &[&At<AttemptEnded>]) -> Option<Problem> {
    let first = ends.iter().min_by_key(|end| end.time)?;
    Some(Problem {
        code: ProblemCode::RelayFault,
        event: None,
        recipients: Vec::new(),
        text: format!(
            "Relay {} failed by its configuration at {}, first at {}: \"{}\". That is the operator's to mend; the mails \
             were tried again.",
            plain(relay),
            counted(ends.len(), "attempt"),
            utc(first.time),
            shown(&first.fact.reply)
        ),
    })
}

struct Mail<'a> {
    key: &'a (RecipientId, EventNumber, StepNumber),
    contact: &'a str,
    address: &'a str,
    owed_at: Timestamp,
    attempts: &'a BTreeMap<u32, Attempt>,
}

impl<'a> Mail<'a> {
    fn ended(&self) -> impl DoubleEndedIterator<Item = &'a At<AttemptEnded>> + use<'a> {
        self.attempts.values().filter_map(|attempt| attempt.ended.as_ref())
    }

    fn problems(&self, case: &Case) -> Vec<Problem> {
        let (recipient, event, step) = self.key;
        let mail = format!(
            "The e-mail to {} ({} {}) of event {event}, step {step}",
            case.name(recipient),
            plain(self.contact),
            plain(self.address)
        );
        let problem =
            |code, text| Problem { code, event: Some(*event), recipients: vec![recipient.clone()], text };
        let accepted = self.ended().filter(|end| end.fact.outcome == Outcome::Accepted).count();
        let unknown = self.attempts.values().filter(|attempt| is_unknown(attempt)).count();
        let mut problems = Vec::new();
        if let Some(end) = self.ended().find(|end| end.fact.outcome == Outcome::Permanent) {
            problems.push(problem(
                ProblemCode::Unreachable,
                format!(
                    "{mail} will never be taken: \"{}\" ({}).",
                    shown(&end.fact.reply),
                    plain(&end.fact.relay)
                ),
            ));
        }
        if unknown > 0 {
            problems.push(problem(
                ProblemCode::UnknownSend,
                format!(
                    "{mail}: of {} nobody knows whether the relay took it{}.",
                    counted(unknown, "attempt"),
                    if accepted > 0 { "; it was sent again under the same Message-ID" } else { "" }
                ),
            ));
        }
        if accepted + unknown > 1 {
            problems.push(problem(
                ProblemCode::RepeatedMail,
                format!("{mail} may have arrived up to {} times, under one Message-ID.", accepted + unknown),
            ));
        }
        let settled = self.ended().any(|end| {
            matches!(end.fact.outcome, Outcome::Accepted | Outcome::Permanent | Outcome::StoodDown)
        });
        if !settled && unknown == 0 {
            problems.push(problem(
                ProblemCode::NotHandedOver,
                format!(
                    "{mail} has been owed since {}, and no relay has taken it after {}.",
                    utc(self.owed_at),
                    counted(self.attempts.len(), "attempt")
                ),
            ));
        }
        problems
    }
}

fn shown(reply: &str) -> String {
    plain(reply).chars().take(REPLY_SHOWN).collect()
}
