//! Reports, what is proposed because of them, and what people say of it.

use serde_json::{Value, json};
use tocsin_duty::Verdict;
use tocsin_protocol::{LinkAnswer, NewFact, Proposal, RefusalCode, Subject, Trail, from_body};

use crate::story::{DIRECTORY, Story, event, key, subjects};

const HOUR: i64 = 3600;

/// A report of a body's, of Kent's 999, with these fields instead.
fn report(body: &str, name: &str, fields: &Value) -> Value {
    let mut report = json!({
        "report": name, "body": body, "status": "actual", "says": "failing",
        "observed_at": "2023-06-25T05:24:00Z", "services": ["999-voice"], "areas": ["kent"],
        "headline": "No 999 call reaches us", "source": "agency", "by": {"name": "A", "role": "supervisor"},
    });
    report.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    report
}

fn link(name: &str, incident: &str, with: &Value, answer: &str) -> Value {
    json!({
        "link": name, "publisher": "bt", "incident": incident, "with": with, "answer": answer,
        "at": "2023-06-25T05:44:00Z", "by": {"name": "B", "role": "duty manager"}, "note": "seen by both",
    })
}

impl Story {
    fn report(&mut self, second: i64, author: &str, body: &Value) -> Verdict {
        let subject =
            format!("tocsin.report.{}.{}", body["body"].as_str().unwrap(), body["report"].as_str().unwrap());
        self.say(second, Some(author), &subject, &body.to_string())
    }

    fn link(&mut self, second: i64, author: &str, body: &Value) -> Verdict {
        let subject =
            format!("tocsin.link.{}.{}", body["publisher"].as_str().unwrap(), body["link"].as_str().unwrap());
        self.say(second, Some(author), &subject, &body.to_string())
    }

    /// An incident of a publisher's, of Kent's 999.
    fn incident(&mut self, second: i64, publisher: &str, incident: &str, fields: &str) -> Verdict {
        let body = event(publisher, &format!(r#""incident": "{incident}"{fields}"#));
        let subject = format!("tocsin.incident.{publisher}.{incident}.{}", body["sequence"]);
        self.say(second, Some(publisher), &subject, &body.to_string())
    }
}

fn proposals(facts: &[NewFact]) -> Vec<Proposal> {
    let proposals = facts.iter().filter(|fact| matches!(fact.subject, Subject::Proposal { .. }));
    proposals.map(|fact| from_body("proposal", &fact.body).unwrap()).collect()
}

/// To whom, and with which trails.
fn told(facts: &[NewFact]) -> Vec<(String, Vec<String>)> {
    let trails =
        |proposal: &Proposal| proposal.candidates.iter().map(|one| one.seen.trail.to_string()).collect();
    proposals(facts).iter().map(|one| (one.publisher.to_string(), trails(one))).collect()
}

fn code(verdict: Verdict) -> RefusalCode {
    match verdict {
        Verdict::Refused(refusal) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_report_is_proposed_to_who_may_speak_of_its_areas_and_tells_nobody_else() {
    let mut story = Story::new();
    assert!(matches!(
        story.report(1, "kent-fire", &report("kent-fire", "r", &json!({}))),
        Verdict::Report(_)
    ));
    let facts = story.follow(2);
    assert_eq!(subjects(&facts), ["tocsin.proposal.bt.1", "tocsin.proposal.kent-police.1"]);
    assert_eq!(told(&facts), [("bt".to_owned(), vec![]), ("kent-police".to_owned(), vec![])]);
    assert_eq!(proposals(&facts)[0].of.headline.as_deref(), Some("No 999 call reaches us"));
    // Said again it is the same report, and in other words it is refused.
    let again = report("kent-fire", "r", &json!({}));
    assert_eq!(story.report(3, "kent-fire", &again), Verdict::Repeated);
    let other = report("kent-fire", "r", &json!({"headline": "Other words"}));
    assert_eq!(code(story.report(4, "kent-fire", &other)), RefusalCode::AlreadySaid);
}

#[test]
fn an_incident_that_comes_after_its_reports_is_proposed_with_them_the_newest_first() {
    let mut story = Story::new();
    story.report(0, "kent-fire", &report("kent-fire", "early", &json!({})));
    story.report(60, "kent-police", &report("kent-police", "later", &json!({})));
    let of_reports = story.follow(61);
    // BT has both, and is told that the second may be of the first's; Kent's own force not of its own.
    let bt: Vec<_> = told(&of_reports).into_iter().filter(|(who, _)| who == "bt").collect();
    assert_eq!(bt[1].1, ["report early of kent-fire"]);
    story.incident(780, "bt", "x", "");
    let facts = story.follow(781);
    assert_eq!(
        told(&facts),
        [(
            "bt".to_owned(),
            vec!["report later of kent-police".to_owned(), "report early of kent-fire".to_owned()]
        )]
    );
    let proposal = &proposals(&facts)[0];
    assert_eq!(proposal.candidates[0].apart_seconds, 720);
    assert_eq!(proposal.candidates[1].apart_seconds, 780);
    // An update brings what is new alone.
    story.report(800, "essex-police", &report("essex-police", "ours", &json!({"areas": ["essex"]})));
    story.follow(801);
    story.incident(900, "bt", "x", r#", "sequence": 2, "kind": "update", "areas": ["kent", "essex"]"#);
    assert_eq!(told(&story.follow(901)), [("bt".to_owned(), vec!["report ours of essex-police".to_owned()])]);
}

#[test]
fn two_publishers_incidents_are_proposed_to_both_and_of_one_publisher_to_nobody() {
    let mut story = Story::new();
    story.incident(0, "bt", "x", "");
    story.incident(1, "bt", "y", "");
    assert_eq!(told(&story.follow(2)), []);
    story.incident(600, "kent-police", "ours", "");
    let told = told(&story.follow(601));
    assert_eq!(
        told,
        [
            ("bt".to_owned(), vec!["incident y".to_owned(), "incident x".to_owned()]),
            ("kent-police".to_owned(), vec!["incident y".to_owned(), "incident x".to_owned()]),
        ]
    );
}

#[test]
fn what_a_publishers_own_machine_sees_is_for_its_people() {
    let mut story = Story::new();
    let seen = json!({"source": "monitoring", "areas": ["uk"]});
    story.report(0, "bt", &report("bt", "alert", &seen));
    assert_eq!(told(&story.follow(1)), [("bt".to_owned(), vec![])]);
    story.incident(60, "bt", "x", "");
    assert_eq!(told(&story.follow(61)), [("bt".to_owned(), vec!["report alert of bt".to_owned()])]);
    // What its people say they need not be told.
    story.report(70, "bt", &report("bt", "desk", &json!({"source": "operator", "areas": ["essex"]})));
    assert_eq!(told(&story.follow(71)), []);
}

#[test]
fn what_does_not_fit_is_not_proposed() {
    let cases = [
        ("another status", json!({"status": "exercise"}), 60),
        ("another service", json!({"services": ["text-relay"]}), 60),
        ("another place", json!({"body": "essex-police", "areas": ["essex"]}), 60),
        ("a word of long before", json!({}), 6 * HOUR + 1),
    ];
    for (what, fields, second) in cases {
        let mut story = Story::new();
        story.incident(0, "bt", "x", "");
        story.follow(1);
        let body = fields["body"].as_str().unwrap_or("kent-fire").to_owned();
        assert!(
            matches!(story.report(second, &body, &report(&body, "r", &fields)), Verdict::Report(_)),
            "{what}"
        );
        let facts = story.follow(second + 1);
        assert!(told(&facts).iter().all(|(_, with)| with.is_empty()), "{what}: {:?}", told(&facts));
    }
    // And one within the time is.
    let mut story = Story::new();
    story.incident(0, "bt", "x", "");
    story.follow(1);
    story.report(6 * HOUR, "kent-fire", &report("kent-fire", "r", &json!({"areas": ["medway"]})));
    assert_eq!(told(&story.follow(6 * HOUR + 1))[0].1, ["incident x"]);
}

#[test]
fn of_what_was_over_before_it_was_seen_nothing_is_proposed_and_of_what_was_not_it_is() {
    let mut story = Story::new();
    story.incident(0, "bt", "x", "");
    story.incident(600, "bt", "x", r#", "sequence": 2, "kind": "resolved""#);
    story.follow(601);
    // Said after the end, and seen before it.
    let seen = |at: &str| json!({"observed_at": at});
    story.report(700, "kent-fire", &report("kent-fire", "during", &seen("2023-06-25T05:30:00Z")));
    story.report(701, "kent-fire", &report("kent-fire", "after", &seen("2023-06-25T05:35:00Z")));
    let told = told(&story.follow(702));
    let bt: Vec<_> = told.iter().filter(|(who, _)| who == "bt").map(|(_, with)| with.clone()).collect();
    assert_eq!(bt, [vec!["incident x".to_owned()], vec![]]);
    // What was cancelled was none.
    let mut story = Story::new();
    story.incident(0, "bt", "x", "");
    story.incident(600, "bt", "x", r#", "sequence": 2, "kind": "cancelled""#);
    story.follow(601);
    story.report(700, "kent-fire", &report("kent-fire", "during", &seen("2023-06-25T05:30:00Z")));
    assert!(self::told(&story.follow(701)).iter().all(|(_, with)| with.is_empty()));
}

#[test]
fn a_later_word_belongs_to_its_report_and_is_proposed_with_nothing() {
    let mut story = Story::new();
    story.report(0, "kent-fire", &report("kent-fire", "r", &json!({})));
    story.follow(1);
    let back = report("kent-fire", "back", &json!({"says": "restored", "adds_to": "r"}));
    assert!(matches!(story.report(10, "kent-fire", &back), Verdict::Report(_)));
    assert_eq!(story.follow(11), []);
    let of_nothing = report("kent-fire", "more", &json!({"adds_to": "never-said"}));
    assert_eq!(code(story.report(12, "kent-fire", &of_nothing)), RefusalCode::UnknownReport);
    let of_another = report("kent-police", "more", &json!({"adds_to": "r"}));
    assert_eq!(code(story.report(13, "kent-police", &of_another)), RefusalCode::UnknownReport);
    let exercise = report("kent-fire", "more", &json!({"adds_to": "r", "status": "exercise"}));
    assert_eq!(code(story.report(14, "kent-fire", &exercise)), RefusalCode::StatusChanged);
}

#[test]
fn who_may_not_report_so_is_refused_by_a_code() {
    let probe = key("probe").public();
    let directory = format!(
        "console_key = \"{}\"\n{DIRECTORY}\nmonitors = [{{ id = \"probe\", name = \"Probe\", areas = [\"kent\"], key = \"{probe}\" }}]\n",
        key("console_key").public()
    )
    .replacen("name = \"Kent Police\", kind", "name = \"Kent Police\", console = \"links\", kind", 1);
    let cases = [
        ("nobody", "stranger", "mallory", json!({}), Err(RefusalCode::UnknownBody)),
        ("another's key", "essex-police", "kent-fire", json!({}), Err(RefusalCode::BadSignature)),
        (
            "not its area",
            "kent-fire",
            "kent-fire",
            json!({"areas": ["essex"]}),
            Err(RefusalCode::AreaNotAllowed),
        ),
        (
            "around its area",
            "kent-fire",
            "kent-fire",
            json!({"areas": ["uk"]}),
            Err(RefusalCode::AreaNotAllowed),
        ),
        (
            "no such area",
            "kent-fire",
            "kent-fire",
            json!({"areas": ["atlantis"]}),
            Err(RefusalCode::UnknownArea),
        ),
        ("within its area", "kent-fire", "kent-fire", json!({"areas": ["medway"]}), Ok(())),
        ("an operator's people", "bt", "bt", json!({"source": "operator", "areas": ["uk"]}), Ok(())),
        ("an operator as an agency", "bt", "bt", json!({}), Err(RefusalCode::DoorNotAllowed)),
        ("both, as either", "kent-police", "kent-police", json!({"source": "operator"}), Ok(())),
        ("a machine", "probe", "probe", json!({"source": "monitoring", "by": null}), Ok(())),
        ("a machine as people", "probe", "probe", json!({}), Err(RefusalCode::DoorNotAllowed)),
        (
            "a machine elsewhere",
            "probe",
            "probe",
            json!({"source": "monitoring", "areas": ["essex"]}),
            Err(RefusalCode::AreaNotAllowed),
        ),
        ("on the console's page", "console_key", "kent-fire", json!({}), Ok(())),
        (
            "on the page of a console that may use links alone",
            "console_key",
            "kent-police",
            json!({}),
            Err(RefusalCode::BadSignature),
        ),
        (
            "the console as a machine",
            "console_key",
            "kent-fire",
            json!({"source": "monitoring"}),
            Err(RefusalCode::DoorNotAllowed),
        ),
        (
            "the console for an operator",
            "console_key",
            "bt",
            json!({"source": "operator"}),
            Err(RefusalCode::BadSignature),
        ),
        (
            "in more than is known",
            "kent-fire",
            "kent-fire",
            json!({"callers": []}),
            Err(RefusalCode::BadSchema),
        ),
    ];
    for (what, author, body, fields, expected) in cases {
        let mut story = Story::new();
        story.apply(0, 2, &directory);
        let mut said = report(body, "r", &fields);
        if said["by"].is_null() {
            said.as_object_mut().unwrap().remove("by");
        }
        match (story.report(1, author, &said), expected) {
            (Verdict::Report(_), Ok(())) => {}
            (verdict, Err(expected)) => assert_eq!(code(verdict), expected, "{what}"),
            (verdict, Ok(())) => panic!("{what}: {verdict:?}"),
        }
    }
}

#[test]
fn a_person_links_two_trails_or_says_that_they_are_not_one_and_the_newest_word_holds() {
    let mut story = Story::new();
    story.report(0, "kent-fire", &report("kent-fire", "r", &json!({})));
    story.incident(60, "bt", "x", "");
    story.incident(61, "kent-police", "ours", "");
    let facts = story.follow(62);
    let of_x =
        proposals(&facts).into_iter().find(|one| one.publisher.as_str() == "bt" && one.of.said == 2).unwrap();
    assert_eq!(story.fold.answers().open(&of_x).unwrap().len(), 1);
    let kent_fire = json!({"body": "kent-fire", "report": "r"});
    let words = link("one", "x", &kent_fire, "not-the-same");
    assert!(matches!(story.link(70, "bt", &words), Verdict::Link(_)));
    assert_eq!(story.link(71, "bt", &words), Verdict::Repeated);
    assert!(matches!(story.link(72, "bt", &link("two", "x", &kent_fire, "same")), Verdict::Link(_)));
    let x = Trail::incident("bt".parse().unwrap(), "x".parse().unwrap());
    let r = Trail::report("kent-fire".parse().unwrap(), "r".parse().unwrap());
    assert_eq!(story.fold.answers().of(&r, &x), Some(LinkAnswer::Same));
    assert_eq!(story.fold.answers().open(&of_x), None, "it waits no more");
    // What was answered is proposed no more, whatever is said of either.
    story.incident(80, "bt", "x", r#", "sequence": 2, "kind": "update""#);
    assert_eq!(told(&story.follow(81)), []);
    // A link notifies nobody.
    let with = json!({"publisher": "kent-police", "incident": "ours"});
    assert!(matches!(story.link(90, "bt", &link("three", "x", &with, "same")), Verdict::Link(_)));
    assert_eq!(story.follow(91), []);
}

#[test]
fn who_may_not_link_so_is_refused_by_a_code() {
    let report_of = |body: &str, name: &str| json!({"body": body, "report": name});
    let mut exercise = report("kent-fire", "drill", &json!({}));
    exercise["status"] = json!("exercise");
    let mut forced = link("l", "x", &report_of("kent-fire", "r"), "same");
    forced["publisher"] = json!("kent-police");
    let mut unknown = link("l", "x", &report_of("kent-fire", "r"), "same");
    unknown["publisher"] = json!("mallory");
    let itself = json!({"publisher": "bt", "incident": "x"});
    let cases = [
        ("bt", link("l", "never", &report_of("kent-fire", "r"), "same"), RefusalCode::UnknownIncident),
        ("bt", link("l", "x", &report_of("kent-fire", "never"), "same"), RefusalCode::UnknownReport),
        ("bt", link("l", "x", &report_of("kent-fire", "drill"), "same"), RefusalCode::StatusChanged),
        ("bt", link("l", "x", &itself, "same"), RefusalCode::UnknownIncident),
        ("kent-police", forced, RefusalCode::AnothersIncident),
        ("stranger", unknown, RefusalCode::UnknownPublisher),
        ("kent-police", link("l", "x", &report_of("kent-fire", "r"), "same"), RefusalCode::BadSignature),
        ("bt", link("l", "x", &report_of("kent-fire", "r"), "perhaps"), RefusalCode::BadSchema),
    ];
    for (author, words, expected) in cases {
        let mut story = Story::new();
        story.report(0, "kent-fire", &report("kent-fire", "r", &json!({})));
        story.report(1, "kent-fire", &exercise);
        story.incident(2, "bt", "x", "");
        story.follow(3);
        assert_eq!(code(story.link(4, author, &words)), expected, "{words}");
    }
}

#[test]
fn a_storm_of_reports_is_proposed_with_no_more_than_twenty() {
    let mut story = Story::new();
    for n in 0..60 {
        let body = if n % 2 == 0 { "kent-fire" } else { "kent-police" };
        story.report(n, body, &report(body, &format!("r-{n}"), &json!({})));
    }
    let facts = story.follow(61);
    assert!(proposals(&facts).iter().all(|proposal| proposal.candidates.len() <= 20));
    story.incident(62, "bt", "x", "");
    assert_eq!(told(&story.follow(63))[0].1.len(), 20);
}
