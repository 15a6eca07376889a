//! That what a publisher promised did not come. It is the router's word, as no author can sign what nobody said.

use bytes::Bytes;
use jiff::tz::TimeZone;
use tocsin_protocol::{Entry, EventNumber, Overdue, RecipientId, Status, Subject, Timestamp, from_body};

use crate::{
    clean,
    read::{Fault, SHOWN, Unfit},
    when::clock,
};

/// That an update was promised by a time, and none came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCome {
    /// What was promised, by whom, by when.
    pub overdue: Overdue,
    /// The broker's time at which that was found.
    pub stored_at: Timestamp,
    /// The newest event of the incident that this desk has a notice of, where that is a later one: more has come since.
    pub superseded_by: Option<EventNumber>,
    /// Its exact bytes: JSON.
    pub body: Bytes,
}

impl NotCome {
    /// In words, for a person. `zone` is the one in which people here read times.
    pub fn words(&self, now: Timestamp, zone: &TimeZone) -> String {
        let Overdue { incident, event, status, publisher, promised_by, .. } = &self.overdue;
        let mark = match status {
            Status::Actual => "",
            Status::Exercise => "EXERCISE EXERCISE EXERCISE - ",
            Status::Test => "TEST TEST TEST - ",
        };
        let by = clock(*promised_by, now, zone);
        let since = if self.superseded_by.is_some() {
            "More has come since: read that."
        } else {
            "Nothing new is known. Go by what you have, and ask who answers for the incident."
        };
        format!(
            "{mark}NO UPDATE CAME: {publisher} promised more on {incident} by {by} (event {event}). {since}"
        )
    }
}

/// Reads what the router tells this recipient on such a subject; `None` when the subject is another's.
pub(crate) fn read(entry: &Entry, recipient: &RecipientId) -> Option<Result<NotCome, Unfit>> {
    let Ok(Subject::Overdue { recipient: to, incident, event, step }) = entry.subject.parse() else {
        return None;
    };
    let unfit = |fault| Unfit {
        subject: clean::line(&entry.subject, SHOWN),
        sequence: entry.sequence,
        of: Some((incident.clone(), event)),
        fault,
    };
    if to != *recipient {
        return Some(Err(unfit(Fault::NotForUs)));
    }
    let overdue: Overdue = match from_body("overdue", &entry.body) {
        Ok(overdue) => overdue,
        Err(why) => return Some(Err(unfit(Fault::Unreadable(clean::line(&why.to_string(), SHOWN))))),
    };
    if (&overdue.incident, overdue.event, overdue.step, &overdue.recipient)
        != (&incident, event, step, recipient)
    {
        return Some(Err(unfit(Fault::Contradiction("it is of another event than its subject says"))));
    }
    Some(Ok(NotCome { overdue, stored_at: entry.time, superseded_by: None, body: entry.body.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::overdue as entry;

    #[test]
    fn it_is_told_in_words_that_a_person_can_act_on() {
        let here = "pol-kent".parse().unwrap();
        let read = read(&entry("tocsin.notice.pol-kent.bt-999.1.overdue.3"), &here).unwrap().unwrap();
        insta::assert_snapshot!(
            read.words(read.stored_at, &TimeZone::UTC),
            @"EXERCISE EXERCISE EXERCISE - NO UPDATE CAME: bt-cha promised more on bt-999 by 06:15:00 UTC (event 1). Nothing new is known. Go by what you have, and ask who answers for the incident."
        );
    }

    #[test]
    fn what_is_anothers_or_says_otherwise_than_its_subject_is_not_believed() {
        let here = "pol-kent".parse().unwrap();
        assert!(read(&entry("tocsin.notice.pol-kent.bt-999.1"), &here).is_none(), "a notice");
        for (subject, fault) in [
            ("tocsin.notice.ofcom.bt-999.1.overdue.3", "is no notice to this recipient"),
            ("tocsin.notice.pol-kent.bt-999.1.overdue.4", "it is of another event than its subject says"),
        ] {
            let unfit = read(&entry(subject), &here).unwrap().unwrap_err().to_string();
            assert!(unfit.contains(fault), "{unfit}");
        }
    }
}
