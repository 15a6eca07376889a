//! That what a publisher promised did not come. It is the router's word, as no author can sign what nobody said.

use jiff::tz::TimeZone;
use tocsin_protocol::{Entry, Overdue, RecipientId, Status, Subject, Timestamp, from_body};

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
    /// True where a later event of the incident is at this desk: more has come since.
    pub come_since: bool,
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
        let since = if self.come_since {
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
    Some(Ok(NotCome { overdue, stored_at: entry.time, come_since: false }))
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::{Stream, to_body};

    use super::*;

    fn entry(subject: &str) -> Entry {
        let overdue = Overdue {
            incident: "bt-999".parse().unwrap(),
            event: "1".parse().unwrap(),
            step: "3".parse().unwrap(),
            recipient: "pol-kent".parse().unwrap(),
            status: Status::Exercise,
            publisher: "bt-cha".parse().unwrap(),
            promised_by: "2023-06-25T06:15:00Z".parse().unwrap(),
        };
        Entry {
            stream: Stream::Log,
            sequence: 7,
            time: "2023-06-25T06:15:00.001Z".parse().unwrap(),
            subject: subject.to_owned(),
            signed: None,
            said_through: None,
            body: to_body("overdue", &overdue).unwrap(),
        }
    }

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
