//! What was said against its authors' keys, and what the router wrote against the rules.

use tocsin_duty::{Fold, Verdict};
use tocsin_protocol::Entry;

use super::{
    counted,
    fault::{FaultCode, Faults},
};
use crate::{
    evidence::{Evidence, Request},
    problem::ProblemCode,
};

pub(super) fn judge(entries: &[&Entry], evidence: &Evidence, faults: &mut Faults, proven: &mut Vec<String>) {
    let mut fold = Fold::new();
    let (mut events, mut receipts, mut refused) = (0, 0, 0);
    for entry in entries {
        match fold.apply(entry) {
            Verdict::Event(_) => events += 1,
            Verdict::Receipt(_) => receipts += 1,
            Verdict::Refused(_) => refused += 1,
            Verdict::Foreign => {
                faults.of(FaultCode::Record, entry, "is nothing that a service of ours writes.");
            }
            Verdict::Repeated | Verdict::Trusted | Verdict::Recorded(_) => {}
        }
    }
    if events + receipts > 0 {
        proven.push(format!(
            "{} and {} are signed by their authors and counted{}.",
            counted(events, "event"),
            counted(receipts, "receipt"),
            if refused > 0 {
                format!("; {refused} more that was said does not count")
            } else {
                String::new()
            }
        ));
    }
    for incident in evidence.incidents() {
        let Ok(report) = evidence.report(incident, Request::default()) else { continue };
        for problem in report.problems.iter().filter(|problem| contradicts(problem.code)) {
            faults.add(FaultCode::Record, format!("Incident {incident}: {}", problem.text));
        }
    }
}

/// Whether a problem of the report says that the record was not written as the rules have it. The others are for the
/// report: they tell of people, relays and time.
fn contradicts(code: ProblemCode) -> bool {
    use ProblemCode as Code;
    match code {
        Code::AlteredNotice
        | Code::DifferingDispatch
        | Code::DifferingFinding
        | Code::DisputedRefusal
        | Code::FaultyRecord => true,
        Code::Neither
        | Code::MissingDispatch
        | Code::MissingNotice
        | Code::OverdueWindow
        | Code::MissingFinding
        | Code::MissingEscalation
        | Code::UnrecordedRefusal
        | Code::Forged
        | Code::Refused
        | Code::Unreachable
        | Code::NotHandedOver
        | Code::RelayFault
        | Code::UnknownSend
        | Code::RepeatedMail
        | Code::LateEntry
        | Code::RevisedStart
        | Code::ClosedBeforeNotice
        | Code::AssumedClock
        | Code::NotAllTold
        | Code::UnknownTimeZone => false,
    }
}
