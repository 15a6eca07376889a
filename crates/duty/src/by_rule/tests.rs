//! The rules by which a report becomes an event, at their edges.

use serde_json::{Value, json};
use tocsin_protocol::{
    DirectoryDocument, Event, EventNumber, PublisherId, Report, SignedDuration, Status, Timestamp, schema,
    to_body,
};

use super::*;
use crate::Directory;

const SAID: &str = "2023-06-25T05:25:00Z";

fn at(seconds: i64) -> Timestamp {
    SAID.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

fn bt() -> PublisherId {
    "bt".parse().unwrap()
}

fn directory() -> Directory {
    let document: DirectoryDocument = serde_json::from_value(json!({
        "name": "t", "time_zone": "Europe/London",
        "areas": [{"id": "uk", "name": "UK"}, {"id": "kent", "name": "Kent", "within": "uk"},
                  {"id": "essex", "name": "Essex", "within": "uk"}, {"id": "man", "name": "Man"}],
        "publishers": [{"id": "bt", "name": "BT", "areas": ["uk"]}],
    }))
    .unwrap();
    Directory::build(1, document).unwrap()
}

fn rules(fields: &str) -> Rules {
    let text = format!(
        r#"
        id = "calls-fail"
        publisher = "bt"
        may_open = "event"
        monitors = ["alertmanager", "probe"]
        labels = {{ alertname = "CallsFail" }}
        services = ["999-voice"]
        held_for = "60s"
        within = "10m"
        {fields}
        [event]
        category = "outage"
        headline = "999 calls fail, as monitoring sees"
        instruction = "Expect fewer calls than usual."
        "#
    );
    Rules { rules: vec![toml::from_str(&text).unwrap()], most_an_hour: 2 }
}

fn report(fields: &Value) -> Report {
    let mut report = json!({
        "report": "am-1", "body": "bt", "status": "actual", "says": "failing", "observed_at": "2023-06-25T05:24:00Z",
        "services": ["999-voice"], "areas": ["kent", "man"], "headline": "WORDS OF THE MONITOR", "source": "monitoring",
        "alert": {"monitor": "alertmanager", "fingerprint": "f", "labels": {"alertname": "CallsFail", "site": "x"}},
    });
    report.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(report).unwrap()
}

fn judge(rules: &Rules, report: &Report, seconds: i64, known: &[KnownIncident]) -> Judged {
    let reported = Reported { report, said_at: at(0), over: false };
    judge_report(rules, &bt(), reported, at(seconds), &directory(), known)
}

/// An incident that another report of this fingerprint became, so many seconds after this report was said.
fn known(incident: &str, fingerprint: Option<&str>, seconds: i64) -> KnownIncident {
    let mut by = rules("").rules[0].by_rule(&report(&json!({"report": incident})));
    by.fingerprint = fingerprint.map(str::to_owned);
    KnownIncident {
        incident: incident.parse().unwrap(),
        by_rule: Some(by),
        opened_at: at(seconds),
        ended_at: None,
        looked_at: false,
        status: Status::Actual,
        services: vec!["101-voice".parse().unwrap()],
        areas: vec!["essex".parse().unwrap()],
    }
}

fn why(judged: Judged) -> Why {
    match judged {
        Judged::Draft(_, why) => why,
        other => panic!("no draft: {other:?}"),
    }
}

fn event(judged: Judged) -> Event {
    match judged {
        Judged::Opens(event) => *event,
        other => panic!("no event: {other:?}"),
    }
}

#[test]
fn what_a_rule_opens_says_so_and_has_no_words_of_the_monitors() {
    let event = event(judge(&rules(""), &report(&json!({"calls_lost": 7})), 60, &[]));
    schema::check_event(&to_body("event", &event).unwrap()).unwrap();
    let by = event.by_rule.as_ref().unwrap();
    assert_eq!(
        by.to_string(),
        "by rule calls-fail, from report am-1 of bt, by monitor alertmanager: no person had looked"
    );
    assert_eq!(event.headline, "999 calls fail, as monitoring sees");
    assert_eq!(event.areas, ["kent".parse().unwrap()], "of Man BT may not speak");
    assert_eq!(event.detected_at, Some("2023-06-25T05:24:00Z".parse().unwrap()));
    let impact = event.impact.as_ref().unwrap();
    assert_eq!((impact.calls_unsuccessful, impact.provisional), (Some(7), Some(true)));
    let told = event.description.as_deref().unwrap();
    assert!(told.contains("calls-fail") && told.contains("No person had looked"), "{told}");
    assert!(!serde_json::to_string(&event).unwrap().contains("WORDS OF THE MONITOR"));
}

#[test]
fn the_same_report_is_the_same_event_whenever_and_wherever_it_is_judged() {
    let first = event(judge(&rules(""), &report(&json!({})), 60, &[]));
    let later = event(judge(&rules(""), &report(&json!({})), 659, &[]));
    assert_eq!(first, later);
    assert_eq!(first.sequence, EventNumber::FIRST);
    assert!(first.incident.as_str().starts_with("bt-20230625-0525z-"), "{}", first.incident);
    let other = event(judge(&rules(""), &report(&json!({"report": "am-2"})), 60, &[]));
    assert_ne!(first.incident, other.incident);
    // However long the publisher's name is.
    let mut rules = rules("");
    rules.rules[0].publisher = "p".repeat(64).parse().unwrap();
    let long = rules.rules[0].event(&report(&json!({})), at(0), Vec::new()).unwrap();
    assert_eq!(long.incident.as_str().len(), 64);
}

#[test]
fn a_rule_is_for_what_it_names_and_for_nothing_else() {
    let cases = [
        (json!({}), true),
        (json!({"source": "operator", "by": {"name": "A", "role": "b"}}), false),
        (json!({"says": "restored", "adds_to": "am-0"}), false),
        (json!({"adds_to": "am-0"}), false),
        (json!({"services": ["101-voice"]}), false),
        (json!({"services": ["101-voice", "999-voice"]}), true),
        (json!({"alert": {"monitor": "stranger", "labels": {"alertname": "CallsFail"}}}), false),
        (json!({"alert": {"monitor": "alertmanager", "labels": {"alertname": "Disk"}}}), false),
        (json!({"alert": {"monitor": "alertmanager"}}), false),
        (json!({"body": "probe", "alert": {"labels": {"alertname": "CallsFail"}}}), true),
        // Another body cannot call itself one of the publisher's accounts.
        (
            json!({"body": "stranger", "alert": {"monitor": "alertmanager", "labels": {"alertname": "CallsFail"}}}),
            false,
        ),
    ];
    for (fields, is_for) in cases {
        let judged = judge(&rules(""), &report(&fields), 60, &[]);
        assert_eq!(judged != Judged::NoRule, is_for, "{fields}: {judged:?}");
    }
    let another: PublisherId = "other".parse().unwrap();
    let report = report(&json!({}));
    let reported = Reported { report: &report, said_at: at(0), over: false };
    assert_eq!(judge_report(&rules(""), &another, reported, at(60), &directory(), &[]), Judged::NoRule);
}

#[test]
fn nothing_is_opened_unless_the_rule_says_so() {
    let mut rules = rules("");
    rules.rules[0].may_open = May::default();
    assert_eq!(why(judge(&rules, &report(&json!({})), 60, &[])), Why::OfTheRule);
}

#[test]
fn a_report_waits_until_it_has_held_and_is_too_late_after_its_time() {
    for (second, expected) in [(0, "waits"), (59, "waits"), (60, "opens"), (660, "opens"), (661, "late")] {
        let found = match judge(&rules(""), &report(&json!({})), second, &[]) {
            Judged::Waits(_, until) if until == at(60) => "waits",
            Judged::Opens(_) => "opens",
            Judged::Draft(_, Why::Late) => "late",
            other => panic!("{second}: {other:?}"),
        };
        assert_eq!(found, expected, "{second} seconds after it was said");
    }
    let report = report(&json!({}));
    let over = Reported { report: &report, said_at: at(0), over: true };
    assert_eq!(why(judge_report(&rules(""), &bt(), over, at(60), &directory(), &[])), Why::Over);
    for (seen, ahead) in [("2023-06-25T05:27:00Z", false), ("2023-06-25T05:27:01Z", true)] {
        let judged = judge(&rules(""), &self::report(&json!({"observed_at": seen})), 60, &[]);
        assert_eq!(matches!(judged, Judged::Draft(_, Why::Future)), ahead, "{seen}: {judged:?}");
    }
}

#[test]
fn one_alert_and_one_outage_are_one_incident_as_long_as_it_is_open() {
    let id = |known: &KnownIncident| known.incident.clone();
    let rules = rules("");
    let ours = report(&json!({}));
    let mut same = known("same", Some("f"), -7200);
    assert_eq!(why(judge(&rules, &ours, 60, std::slice::from_ref(&same))), Why::SameAlert(id(&same)));
    let unnamed = known("unnamed", None, -7200);
    let of_unnamed = judge(&rules, &ours, 60, std::slice::from_ref(&unnamed));
    assert_eq!(why(of_unnamed), Why::SameAlert(id(&unnamed)));
    // It fires on when that one had ended before it had held; what was a draft then does not become an event later.
    same.ended_at = Some(at(60));
    assert!(
        matches!(judge(&rules, &ours, 90, std::slice::from_ref(&same)), Judged::Opens(_)),
        "it fires anew"
    );
    same.ended_at = Some(at(61));
    assert_eq!(why(judge(&rules, &ours, 90, std::slice::from_ref(&same))), Why::SameAlert(id(&same)));
    let mut other = known("other", Some("g"), -7200);
    assert!(
        matches!(judge(&rules, &ours, 60, std::slice::from_ref(&other)), Judged::Opens(_)),
        "it is of elsewhere"
    );
    // What a person began of the same service, in what is around the place.
    other.by_rule = None;
    other.services = vec!["999-voice".parse().unwrap()];
    other.areas = vec!["uk".parse().unwrap()];
    assert_eq!(why(judge(&rules, &ours, 60, std::slice::from_ref(&other))), Why::SameOutage(id(&other)));
    other.status = Status::Exercise;
    assert!(
        matches!(judge(&rules, &ours, 60, &[other]), Judged::Opens(_)),
        "an exercise is of nothing actual"
    );
    // Said again, or judged again after a crash, it is what it became.
    let mut own = known("own", Some("f"), 61);
    own.by_rule = Some(rules.rules[0].by_rule(&ours));
    assert_eq!(judge(&rules, &ours, 600, std::slice::from_ref(&own)), Judged::Stands(id(&own)));
}

#[test]
fn so_many_are_opened_in_an_hour_and_what_was_refused_then_stays_refused() {
    let rules = rules("");
    let ours = report(&json!({}));
    let others = |first: i64| [known("one", Some("1"), first), known("two", Some("2"), -60)];
    // The report is ripe at 60: an hour before that is -3540.
    assert_eq!(why(judge(&rules, &ours, 60, &others(-3539))), Why::Ceiling(2));
    assert_eq!(why(judge(&rules, &ours, 600, &others(-3539))), Why::Ceiling(2), "whenever it is judged");
    assert!(matches!(judge(&rules, &ours, 60, &others(-3540)), Judged::Opens(_)));
    let by_people = others(-60).map(|known| KnownIncident { by_rule: None, ..known });
    assert!(matches!(judge(&rules, &ours, 60, &by_people), Judged::Opens(_)), "people's own do not count");
    let none = Rules { most_an_hour: 0, ..rules };
    assert_eq!(why(judge(&none, &ours, 60, &[])), Why::Ceiling(0));
}

#[test]
fn an_exercise_never_becomes_more_than_one() {
    for (of_report, of_rule, expected) in [
        ("actual", "actual", Status::Actual),
        ("actual", "exercise", Status::Exercise),
        ("exercise", "actual", Status::Exercise),
        ("exercise", "test", Status::Exercise),
        ("test", "actual", Status::Test),
    ] {
        let rules = rules(&format!("status = \"{of_rule}\""));
        let event = event(judge(&rules, &report(&json!({"status": of_report})), 60, &[]));
        assert_eq!(event.status, expected, "{of_report} by a rule of {of_rule}");
    }
}

#[test]
fn areas_of_which_the_publisher_may_not_speak_open_nothing() {
    assert_eq!(why(judge(&rules(""), &report(&json!({"areas": ["man"]})), 60, &[])), Why::NotOfTheirAreas);
}

#[test]
fn an_end_is_a_draft_unless_the_rule_says_otherwise_and_no_person_has_spoken() {
    let over = report(&json!({"report": "am-1-over", "says": "restored", "adds_to": "am-1"}));
    let lets = rules("resolves = \"event\"");
    let mut own = known("own", Some("f"), -600);
    own.by_rule = Some(lets.rules[0].by_rule(&report(&json!({}))));
    let judge = |rules: &Rules, known: &KnownIncident, seconds: i64, fires: bool| {
        judge_later(rules, &bt(), (&over, at(0)), at(seconds), std::slice::from_ref(known), |_| fires)
    };
    let Judged::Resolves(incident, by) = judge(&lets, &own, 60, false) else { panic!("not resolved") };
    assert_eq!((incident.as_str(), by.report.as_str()), ("own", "am-1-over"));
    assert!(matches!(judge(&lets, &own, 59, false), Judged::Waits(_, until) if until == at(60)));
    assert_eq!(why(judge(&lets, &own, 661, false)), Why::Late);
    assert_eq!(why(judge(&lets, &own, 60, true)), Why::FiresAgain(own.incident.clone()));
    assert_eq!(why(judge(&rules(""), &own, 60, false)), Why::ForAPerson(own.incident.clone()));
    let looked_at = KnownIncident { looked_at: true, ..own.clone() };
    assert_eq!(why(judge(&lets, &looked_at, 60, false)), Why::LookedAt(own.incident.clone()));
    let ended = KnownIncident { ended_at: Some(at(1)), ..own.clone() };
    assert_eq!(judge(&lets, &ended, 60, false), Judged::Stands(own.incident.clone()));
    let of_another = report(
        &json!({"report": "o", "says": "restored", "adds_to": "am-1", "alert": {"monitor": "stranger"}}),
    );
    let more = report(&json!({"report": "more", "adds_to": "am-1"}));
    for report in [&of_another, &more] {
        let judged =
            judge_later(&lets, &bt(), (report, at(0)), at(60), std::slice::from_ref(&own), |_| false);
        assert_eq!(why(judged), Why::ForAPerson(own.incident.clone()));
    }
    let another = known("another", Some("f"), -600);
    assert_eq!(judge(&lets, &another, 60, false), Judged::NoRule, "it is of another report");
}

/// Makes a rule that cannot be used of one that can.
type Spoil = fn(&mut EventRule);

#[test]
fn a_rule_that_could_say_nothing_is_refused_with_what_to_do() {
    let cases: [(Spoil, &str); 5] = [
        (|rule| rule.monitors.clear(), "name the accounts"),
        (|rule| rule.within = SignedDuration::ZERO, "held_for and within"),
        (|rule| rule.event.headline = "two\nlines".to_owned(), "headline"),
        (|rule| (rule.resolves, rule.may_open) = (May::Event, May::Draft), "may_open"),
        (|rule| rule.event.marking = Some(String::new()), "marking"),
    ];
    rules("").check().unwrap();
    for (spoil, words) in cases {
        let mut rules = rules("");
        spoil(&mut rules.rules[0]);
        let why = rules.check().unwrap_err();
        assert!(why.contains("calls-fail") && why.contains(words), "{why}");
    }
    let mut twice = rules("");
    twice.rules.push(twice.rules[0].clone());
    assert!(twice.check().unwrap_err().contains("two of that name"));
}
