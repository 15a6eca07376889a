//! What the machine did, from the report: measured by the broker's clock, never scaled.

use jiff::{SignedDuration, Timestamp};
use tocsin_audit::Report;

/// One of the machine's lengths, over all that were measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measure {
    /// From what to what.
    pub(crate) what: &'static str,
    /// How many were measured.
    pub(crate) count: usize,
    /// The one in the middle, nearest rank.
    pub(crate) median: SignedDuration,
    /// The longest.
    pub(crate) slowest: SignedDuration,
}

/// The machine's lengths that a report holds, in the order of the day. What did not happen is left out.
pub(crate) fn of(report: &Report, pressed: &[SignedDuration]) -> Vec<Measure> {
    let rows = || report.events.iter().flat_map(|event| event.recipients.iter().map(move |row| (event, row)));
    let after = |from: Timestamp, to: Option<Timestamp>| Some(to?.duration_since(from));
    let steps = || report.events.iter().flat_map(|event| &event.steps);
    let found_at = |row: &tocsin_audit::EscalationReport| {
        let event = report.events.iter().find(|event| event.event == row.event)?;
        event.steps.iter().find(|step| step.step == row.step)?.found_at
    };
    let mails = || {
        report
            .events
            .iter()
            .flat_map(|event| &event.recipients)
            .flat_map(|row| &row.escalations)
            .filter_map(|mail| Some(mail.accepted_at?.duration_since(found_at(mail)?)))
    };
    [
        measure("operator presses send -> event on the bus, on disk", pressed.iter().copied()),
        measure(
            "event on the bus -> a recipient's notice stored",
            rows().filter_map(|(event, row)| after(event.published_at, row.noticed_at)),
        ),
        measure(
            "event on the bus -> the desk's receipt that it has it",
            rows().filter_map(|(event, row)| after(event.published_at, row.delivered_at)),
        ),
        measure(
            "window closes -> the broker says so",
            steps().filter_map(|step| after(step.due_at, step.closed_at)),
        ),
        measure(
            "window closes -> finding: who is silent",
            steps().filter_map(|step| after(step.due_at, step.found_at)),
        ),
        measure("finding -> a mail taken by the relay", mails()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn measure(what: &'static str, lengths: impl Iterator<Item = SignedDuration>) -> Option<Measure> {
    let mut lengths: Vec<_> = lengths.collect();
    lengths.sort();
    let slowest = *lengths.last()?;
    let median = lengths[(lengths.len() - 1) / 2];
    Some(Measure { what, count: lengths.len(), median, slowest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_one_that_was_measured() {
        let lengths = [5, 1, 9, 7].map(SignedDuration::from_millis);
        let measure = measure("x", lengths.into_iter()).unwrap();
        assert_eq!((measure.count, measure.median.as_millis(), measure.slowest.as_millis()), (4, 5, 9));
        assert_eq!(super::measure("x", std::iter::empty()), None);
    }
}
