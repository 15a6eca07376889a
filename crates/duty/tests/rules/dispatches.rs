use tocsin_protocol::{Dispatch, Notice, Requirement, Subject};

use crate::story::{POLICY, Story, directory, read, subjects};

fn dispatch(facts: &[tocsin_protocol::NewFact]) -> Dispatch {
    read(facts, |subject| matches!(subject, Subject::Dispatch { .. }))
}

fn notice(facts: &[tocsin_protocol::NewFact], to: &str) -> Notice {
    read(facts, |subject| matches!(subject, Subject::Notice { recipient, .. } if recipient.as_str() == to))
}

#[test]
fn an_event_is_dispatched_with_its_windows_and_a_notice_for_each_who_is_owed_one() {
    let mut story = Story::new();
    story.event(0, r#""areas": ["medway"], "impact": {"calls_unsuccessful": 30, "by_area": {"medway": 20, "essex": 10}}"#);
    let facts = story.follow(1);
    assert_eq!(
        subjects(&facts),
        [
            "tocsin.dispatch.bt.x.1",
            "tocsin.window.x.1.1",
            "tocsin.window.x.1.2",
            "tocsin.notice.essex-police.x.1",
            "tocsin.notice.kent-fire.x.1",
            "tocsin.notice.kent-lrf.x.1",
            "tocsin.notice.kent-police.x.1",
            "tocsin.notice.ofcom.x.1",
        ]
    );
    let (windows, due) = (&facts[1..3], |minutes: i64| story.at(minutes * 60));
    assert_eq!(
        windows.iter().map(|w| w.schedule.as_ref().unwrap().at).collect::<Vec<_>>(),
        [due(15), due(30)]
    );

    let police = notice(&facts, "kent-police");
    assert_eq!(
        (police.requirement, police.acknowledge, police.due_at),
        (Requirement::Required, true, Some(due(15)))
    );
    assert_eq!(police.calls_unsuccessful_here, Some(20), "its own figure: Medway is in Kent, Essex is not");
    let neighbour = notice(&facts, "essex-police");
    assert_eq!(
        (neighbour.requirement, neighbour.acknowledge, neighbour.due_at),
        (Requirement::Informed, false, None)
    );
}

#[test]
fn windows_run_from_the_moment_that_the_policy_names_or_from_the_broker_s_where_that_is_not_told() {
    let told = r#""began_at": "2023-06-25T05:00:00Z", "detected_at": "2023-06-25T05:10:00Z", "aware_at": "2023-06-25T05:12:00Z",
        "discovered_at": "2023-06-25T05:11:00Z", "classified_at": "2023-06-25T05:20:00Z""#;
    let cases = [
        ("published", "05:24", false),
        ("occurred", "05:00", false),
        ("detected", "05:10", false),
        ("aware", "05:12", false),
        ("discovered", "05:11", false),
        ("classified", "05:20", false),
        ("restored", "05:24", true),
    ];
    for (clock, expected, assumed) in cases {
        let mut story = Story::under(&POLICY.replace("\"published\"", &format!("\"{clock}\"")));
        story.event(0, told);
        let dispatch = dispatch(&story.follow(1));
        let [policy] = &dispatch.policies[..] else { panic!("{clock}: {:?}", dispatch.policies) };
        assert_eq!(policy.clock_at.to_string(), format!("2023-06-25T{expected}:00Z"), "{clock}");
        assert_eq!(policy.clock_assumed, assumed, "{clock}");
    }
}

#[test]
fn an_update_needs_an_acknowledgement_only_when_it_is_worse_and_goes_to_all_who_were_told() {
    let mut story = Story::new();
    story.event(0, r#""areas": ["kent"], "platform": "backup""#);
    story.follow(1);
    story.event(
        60,
        r#""sequence": 2, "kind": "update", "areas": ["essex"], "platform": "backup", "headline": "moved""#,
    );
    let moved = dispatch(&story.follow(61));
    assert_eq!(moved.worsened, ["areas added: essex"]);
    assert!(moved.acknowledge);
    assert!(moved.recipients().keys().any(|id| id.as_str() == "kent-fire"), "who was told stays told");
    story.event(120, r#""sequence": 3, "kind": "update", "areas": ["essex"], "platform": "backup""#);
    let no_news = dispatch(&story.follow(121));
    assert!(!no_news.acknowledge && no_news.steps.is_empty());
    story.event(180, r#""sequence": 4, "kind": "update", "areas": ["essex"], "platform": "none""#);
    let worse = dispatch(&story.follow(181));
    assert_eq!(worse.worsened, ["platform went from backup to none"]);
    assert_eq!(worse.steps.len(), 2);
}

#[test]
fn an_event_of_a_service_that_no_policy_is_about_is_owed_to_nobody_and_dispatched_all_the_same() {
    let mut story = Story::new();
    story.event(0, r#""services": ["101-voice"]"#);
    assert_eq!(subjects(&story.follow(1)), ["tocsin.dispatch.bt.x.1"]);
}

#[test]
fn what_a_crash_left_out_of_a_dispatch_is_owed_still() {
    let mut story = Story::new();
    story.event(0, "");
    let facts: Vec<_> = story.fold.follows().into_iter().flat_map(|batch| batch.facts).collect();
    for fact in &facts[..4] {
        story.log(1, &fact.subject.to_string(), fact.body.clone());
    }
    let rest = story.follow(2);
    assert_eq!(subjects(&rest), subjects(&facts[4..]));
    assert_eq!(rest, facts[4..], "byte for byte");
}

#[test]
fn neighbours_help_in_both_directions_and_areas_touch_up_and_down() {
    let directory = directory();
    let policy = &directory.policies()[0];
    let owed = |area: &str| -> Vec<(String, Requirement)> {
        let owed = directory.owed(policy, &[area.parse().unwrap()], &[]);
        owed.into_iter().map(|(recipient, requirement)| (recipient.id.to_string(), requirement)).collect()
    };
    let (required, informed) = (Requirement::Required, Requirement::Informed);
    let line = |id: &str, requirement| (id.to_owned(), requirement);
    assert_eq!(
        owed("essex"),
        [line("ofcom", required), line("kent-police", informed), line("essex-police", required)]
    );
    assert_eq!(owed("uk").len(), 5, "all of the country's areas are in it");
    assert!(owed("uk").contains(&line("kent-lrf", informed)));
    assert_eq!(owed("medway"), owed("kent"));
}

#[test]
fn a_technical_test_reaches_everyone_who_is_owed_an_event_and_asks_nobody_to_acknowledge() {
    let mut story = Story::new();
    story.event(0, r#""status": "test""#);
    let facts = story.follow(1);
    assert!(!subjects(&facts).iter().any(|subject| subject.starts_with("tocsin.window.")), "nobody is woken");
    let dispatch = dispatch(&facts);
    assert!(!dispatch.acknowledge && dispatch.steps.is_empty());
    assert!(!dispatch.recipients().is_empty());
    let police = notice(&facts, "kent-police");
    assert_eq!(
        (police.requirement, police.acknowledge, police.due_at),
        (Requirement::Required, false, None),
        "it is told that it would be required, and is not asked"
    );
    // A worsening needs an acknowledgement under every policy; that of a test needs none either.
    story.event(60, r#""status": "test", "sequence": 2, "kind": "update", "platform": "none""#);
    let facts = story.follow(61);
    assert!(!self::dispatch(&facts).acknowledge);

    let mut exercise = Story::new();
    exercise.event(0, r#""status": "exercise""#);
    assert!(self::dispatch(&exercise.follow(1)).acknowledge, "an exercise is for people");
}
