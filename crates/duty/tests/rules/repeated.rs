//! What is owed again and again: each time that nobody meets is found by itself, until an event meets it, the incident is
//! over, or its repetition ends.

use std::collections::BTreeMap;

use bytes::Bytes;
use tocsin_duty::Verdict;
use tocsin_protocol::{
    Again, Due, Finding, NewFact, Schedule, StepNumber, Subject, Timestamp, from_body, to_body,
};

use crate::story::{DIRECTORY, POLICY, Story, read, subjects};

const HOURLY: &str = r#"
    [[duties]]
    id = "updates"
    what = "An update every hour"
    stage = "update"
    from = "published"
    target = "60m"
    repeat = "60m"
"#;

/// A policy that asks nobody to acknowledge, with these duties.
fn policy(duties: &str) -> String {
    format!("{}\n{duties}", POLICY.replace("acknowledge = [\"initial\"]", "acknowledge = []"))
}

/// The directory with somebody whom BT is reminded by.
fn reminded() -> String {
    DIRECTORY.replace(
        "{ id = \"bt\", name = \"BT\", areas = \"all\" }",
        "{ id = \"bt\", name = \"BT\", areas = \"all\", contacts.duty = { role = \"Duty manager\", email = \"duty@bt.example\" } }",
    )
}

/// A broker that holds the windows of a story, and closes them.
struct Broker {
    story: Story,
    armed: BTreeMap<(Timestamp, u32, u32), Subject>,
    /// What was found: of which event, when it was due, and what became of it.
    found: Vec<(u32, i64, Became)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    InTime,
    Late,
    Missed,
    Withdrawn,
}

use Became::{InTime, Late, Missed, Withdrawn};

impl Broker {
    fn new(story: Story) -> Self {
        Self { story, armed: BTreeMap::new(), found: Vec::new() }
    }

    fn take(&mut self, facts: &[NewFact]) {
        for fact in facts {
            let Some(Schedule { at, target }) = &fact.schedule else { continue };
            let due: Due = from_body("due", &fact.body).unwrap();
            let window = Subject::Window { incident: due.incident, event: due.event, step: due.step };
            assert_eq!((fact.subject.clone(), due.due_at), (window, *at));
            let held = self.armed.insert((*at, due.event.get(), due.step.get()), target.clone());
            assert_eq!(held, None, "armed twice");
        }
    }

    fn say(&mut self, second: i64, fields: &str) {
        let verdict = self.story.event(second, fields);
        assert!(matches!(verdict, Verdict::Event(_)), "{verdict:?}");
        let facts = self.story.follow(second);
        self.take(&facts);
    }

    /// Closes the windows that are due by a moment, each so many seconds late; one that was over before, at once.
    fn close(&mut self, until: i64, late: i64) {
        while let Some(((at, event, step), _)) = self.armed.first_key_value().map(|(k, v)| (*k, v.clone())) {
            let second = at.duration_since(self.story.at(0)).as_secs();
            if second > until {
                return;
            }
            self.armed.pop_first();
            let facts = self.story.close(second.max(0) + late, event, step);
            let finding: Finding = read(&facts, |subject| matches!(subject, Subject::Finding { .. }));
            // Those who are silent to a relapse, which is acknowledged anew.
            let Some(duty) = finding.duty else { continue };
            let reminders =
                facts.iter().filter(|fact| matches!(fact.subject, Subject::Escalation { .. })).count();
            let became = match (finding.stopped_by, duty.overdue, duty.met_by) {
                (Some(_), ..) => Withdrawn,
                (None, false, _) => InTime,
                (None, true, Some(_)) => Late,
                (None, true, None) => Missed,
            };
            assert_eq!(reminders, usize::from(matches!(became, Late | Missed)), "{at}: reminded once");
            assert!(duty.repeated);
            if let Some(Again { step: next, .. }) = duty.again {
                assert_eq!(became, Missed);
                let found = format!("tocsin.finding.x.{event}.{step}");
                let window = format!("tocsin.window.x.{event}.{next}");
                assert_eq!(subjects(&facts)[..2], [found, window], "in one append, the finding first");
            }
            self.found.push((event, second, became));
            self.take(&facts);
        }
    }
}

/// What is found until a second, where these events are said.
fn told(duties: &str, first: &str, said: &[(i64, &str)], until: i64) -> Vec<(u32, i64, Became)> {
    let mut broker = Broker::new(Story::with(&reminded(), &policy(duties)));
    broker.say(0, first);
    for (number, (second, fields)) in (2..).zip(said) {
        broker.close(second - 1, 0);
        broker.say(*second, &format!(r#""sequence": {number}, {fields}"#));
    }
    broker.close(until, 0);
    broker.found
}

const HOUR: i64 = 3600;

#[test]
fn each_hour_without_an_update_is_found_and_reminded_of_by_itself_until_one_comes_or_it_is_over() {
    const UPDATE: &str = r#""kind": "update""#;
    let missed = |hours: &[i64]| hours.iter().map(|hour| (1, hour * HOUR, Missed)).collect::<Vec<_>>();
    let (first, second) = (HOUR + 600, 2 * HOUR + 600);
    for (what, said, until, expected) in [
        ("nobody says anything", vec![], 5, missed(&[1, 2, 3, 4, 5])),
        (
            "an update comes after the first hour",
            vec![(first, UPDATE)],
            4,
            [
                missed(&[1]),
                vec![(1, 2 * HOUR, InTime), (2, first + HOUR, Missed), (2, first + 2 * HOUR, Missed)],
            ]
            .concat(),
        ),
        (
            "each is in time",
            vec![(HOUR, UPDATE), (2 * HOUR, UPDATE)],
            3,
            vec![(1, HOUR, InTime), (2, 2 * HOUR, InTime), (3, 3 * HOUR, Missed)],
        ),
        (
            "a correction is a word too",
            vec![(first, r#""kind": "correction", "corrects": 1"#)],
            2,
            [missed(&[1]), vec![(1, 2 * HOUR, InTime)]].concat(),
        ),
        (
            "it is over",
            vec![(first, r#""kind": "resolved""#)],
            9,
            [missed(&[1]), vec![(1, 2 * HOUR, InTime)]].concat(),
        ),
        (
            "it was called off",
            vec![(first, r#""kind": "cancelled""#)],
            9,
            [missed(&[1]), vec![(1, 2 * HOUR, Withdrawn)]].concat(),
        ),
        (
            "it fails again",
            vec![(first, r#""kind": "resolved""#), (second, r#""kind": "update", "platform": "none""#)],
            4,
            [missed(&[1]), vec![(1, 2 * HOUR, InTime), (3, second + HOUR, Missed)]].concat(),
        ),
        (
            "more is told of what is over",
            vec![(first, r#""kind": "resolved""#), (second, UPDATE)],
            9,
            [missed(&[1]), vec![(1, 2 * HOUR, InTime)]].concat(),
        ),
    ] {
        for status in ["actual", "exercise"] {
            let with: Vec<_> =
                said.iter().map(|(at, fields)| (*at, format!(r#"{fields}, "status": "{status}""#))).collect();
            let with: Vec<_> = with.iter().map(|(at, fields)| (*at, fields.as_str())).collect();
            let found = told(HOURLY, &format!(r#""status": "{status}""#), &with, until * HOUR);
            assert_eq!(found, expected, "{what}, {status}");
        }
    }
    assert_eq!(told(HOURLY, r#""status": "test""#, &[], 5 * HOUR), [], "a test is owed to nobody");
}

#[test]
fn its_repetition_ends_with_the_last_time_that_is_no_later_than_its_end() {
    let three = vec![(1, HOUR, Missed), (1, 2 * HOUR, Missed), (1, 3 * HOUR, Missed)];
    for (lasting, expected) in
        [("3h", &three[..]), ("10801s", &three), ("10799s", &three[..2]), ("1h", &three[..1])]
    {
        let duties = format!("{HOURLY}\n    for = \"{lasting}\"");
        assert_eq!(told(&duties, "", &[], 9 * HOUR), expected, "{lasting}");
    }
    // It runs from the first event and not from the update: of the second hour after that nothing is owed.
    let duties = format!("{HOURLY}\n    for = \"3h\"");
    let found = told(&duties, "", &[(HOUR + 600, r#""kind": "update""#)], 9 * HOUR);
    assert_eq!(found, [(1, HOUR, Missed), (1, 2 * HOUR, InTime), (2, 2 * HOUR + 600, Missed)]);
}

#[test]
fn a_word_that_comes_before_the_broker_closes_the_window_is_late_and_makes_the_next_time_due_itself() {
    let mut broker = Broker::new(Story::with(&reminded(), &policy(HOURLY)));
    broker.say(0, "");
    broker.story.event(HOUR + 2, r#""sequence": 2, "kind": "update""#);
    let facts = broker.story.follow(HOUR + 2);
    broker.take(&facts);
    broker.close(HOUR, 5);
    assert_eq!(broker.found, [(1, HOUR, Late)]);
    broker.close(3 * HOUR, 0);
    assert_eq!(broker.found[1..], [(2, 2 * HOUR + 2, Missed)], "one window at a time");
}

#[test]
fn a_word_that_comes_while_its_finding_is_written_meets_the_next_time() {
    let mut broker = Broker::new(Story::with(&reminded(), &policy(HOURLY)));
    broker.say(0, "");
    broker.close(HOUR, 0);
    broker.say(HOUR, r#""sequence": 2, "kind": "update""#);
    broker.close(3 * HOUR, 0);
    assert_eq!(
        broker.found,
        [(1, HOUR, Missed), (1, 2 * HOUR, InTime), (2, 2 * HOUR, Missed), (2, 3 * HOUR, Missed)]
    );
}

#[test]
fn a_report_that_an_update_is_not_is_owed_on_until_the_incident_is_over() {
    let full = HOURLY.replace("stage = \"update\"", "stage = \"full\"");
    let said = [(600, r#""kind": "update""#), (HOUR + 600, r#""kind": "resolved""#)];
    // The time that ran when it was resolved stands, and no other follows.
    assert_eq!(told(&full, "", &said, 9 * HOUR), [(1, HOUR, Missed), (1, 2 * HOUR, Missed)]);
    let said = [(600, r#""kind": "update""#), (HOUR + 600, r#""kind": "sent-in-error""#)];
    assert_eq!(told(&full, "", &said, 9 * HOUR), [(1, HOUR, Missed), (1, 2 * HOUR, Withdrawn)]);
}

#[test]
fn a_time_by_law_and_a_target_are_owed_again_each_by_its_own_windows() {
    let both = HOURLY.replace("target = \"60m\"", "within = \"90m\"\n    target = \"30m\"");
    let found = told(&both, "", &[], 3 * HOUR);
    let due: Vec<_> = found.iter().map(|(_, second, _)| second / 60).collect();
    assert_eq!(due, [30, 90, 90, 150, 150]);
}

#[test]
fn a_directory_that_comes_meanwhile_changes_nothing_of_what_runs_and_holds_from_the_next_event() {
    let mut broker = Broker::new(Story::with(&reminded(), &policy(HOURLY)));
    broker.say(0, "");
    broker.close(HOUR, 0);
    let slower = HOURLY.replace("repeat = \"60m\"", "repeat = \"2h\"");
    broker.story.apply_under(HOUR + 60, 2, &reminded(), &policy(&slower));
    broker.close(2 * HOUR, 0);
    broker.say(2 * HOUR + 60, r#""sequence": 2, "kind": "update""#);
    broker.story.apply_under(2 * HOUR + 120, 3, &reminded(), &policy(""));
    broker.close(7 * HOUR, 0);
    let (missed, again) = ([(1, HOUR, Missed), (1, 2 * HOUR, Missed)], 2 * HOUR + 60);
    let after = [(1, 3 * HOUR, InTime), (2, again + 2 * HOUR, Missed), (2, again + 4 * HOUR, Missed)];
    assert_eq!(broker.found, [&missed[..], &after].concat());
    broker.say(7 * HOUR, r#""sequence": 3, "kind": "update""#);
    broker.close(20 * HOUR, 0);
    assert_eq!(broker.found[5..], [(2, again + 6 * HOUR, InTime)], "no policy asks for it any more");
}

#[test]
fn a_day_ends_at_the_same_time_of_day_over_both_changes_of_the_clock() {
    let daily = HOURLY
        .replace("target = \"60m\"", "within = \"1 day\"")
        .replace("repeat = \"60m\"", "repeat = \"1 day\"");
    for (began, expected) in [
        // Of 29 March 01:30 is left out, and its end is an hour later by the clock; the day after is not moved by that.
        ("2026-03-27T01:30:00Z", ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"]),
        // Of 25 October 01:30 comes twice: the first counts.
        ("2026-10-23T00:30:00Z", ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    ] {
        let story = Story::of_its_own(&reminded(), &policy(&daily), began.parse().unwrap());
        let mut broker = Broker::new(story);
        broker.say(0, "");
        broker.close(80 * HOUR, 0);
        let due: Vec<_> =
            broker.found.iter().map(|(_, second, _)| broker.story.at(*second).to_string()).collect();
        assert_eq!(due, expected, "{began}");
    }
}

#[test]
fn of_a_clock_that_began_long_ago_no_more_is_owed_than_time_has_passed_since_the_event() {
    let ago = HOURLY.replace("from = \"published\"", "from = \"occurred\"");
    let found = told(&ago, r#""began_at": "1970-01-01T00:00:00Z""#, &[], 2 * HOUR);
    let long_ago = "1970-01-01T01:00:00Z".parse::<Timestamp>().unwrap();
    let began = "2023-06-25T05:24:00Z".parse::<Timestamp>().unwrap();
    let first = long_ago.duration_since(began).as_secs();
    assert_eq!(found.iter().map(|(_, second, _)| *second).collect::<Vec<_>>(), [first, HOUR, 2 * HOUR]);
}

#[test]
fn what_a_crash_left_out_of_a_time_that_was_missed_is_owed_still() {
    let mut story = Story::with(&reminded(), &policy(HOURLY));
    story.event(0, "");
    story.follow(0);
    story.log(HOUR, "tocsin.due.x.1.1", Bytes::from_static(b"{}"));
    let batches = story.fold.follows();
    let [batch] = &batches[..] else { panic!("one append: {batches:?}") };
    let all = ["tocsin.finding.x.1.1", "tocsin.window.x.1.2", "tocsin.escalation.bt.x.1.1"];
    assert_eq!(subjects(&batch.facts), all);
    for fact in &batch.facts[..2] {
        story.log(HOUR, &fact.subject.to_string(), fact.body.clone());
    }
    assert_eq!(story.follow(HOUR), batch.facts[2..], "byte for byte");
    // And of the next one.
    story.log(2 * HOUR, "tocsin.due.x.1.2", Bytes::from_static(b"{}"));
    let next = story.fold.follows().remove(0).facts;
    for fact in &next[..2] {
        story.log(2 * HOUR, &fact.subject.to_string(), fact.body.clone());
    }
    assert_eq!(story.follow(2 * HOUR), next[2..], "byte for byte");
}

#[test]
fn the_finding_of_an_earlier_release_makes_nothing_due_and_a_window_that_nobody_armed_is_none() {
    let mut story = Story::with(&reminded(), &policy(HOURLY));
    story.event(0, "");
    story.follow(0);
    assert_eq!(story.log(HOUR, "tocsin.due.x.1.2", Bytes::from_static(b"{}")), Verdict::Foreign, "not yet");
    story.log(HOUR, "tocsin.due.x.1.1", Bytes::from_static(b"{}"));
    let mut finding: Finding =
        read(&story.fold.follows()[0].facts, |subject| matches!(subject, Subject::Finding { .. }));
    let duty = finding.duty.as_mut().unwrap();
    assert_eq!(duty.again, Some(Again { step: StepNumber::new(2).unwrap(), due_at: story.at(2 * HOUR) }));
    (duty.again, duty.repeated) = (None, false);
    story.log(HOUR, "tocsin.finding.x.1.1", to_body("finding", &finding).unwrap());
    assert_eq!(subjects(&story.follow(HOUR)), ["tocsin.escalation.bt.x.1.1"]);
    assert_eq!(story.log(2 * HOUR, "tocsin.due.x.1.2", Bytes::from_static(b"{}")), Verdict::Foreign);
    assert_eq!(subjects(&story.follow(2 * HOUR)), [""; 0]);
}
