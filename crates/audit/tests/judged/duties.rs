//! What the publisher owed, aimed at and promised, and what became of each.

use tocsin_audit::{DutyReport, DutyState, DutyTally, Evidence, ProblemCode, Report, Request, State};
use tocsin_protocol::{
    AreaId, Channel, DutyDocument, EventKind, Recontact, RecontactFigures, Stage, Subject,
};

use crate::support::{
    World, id, minutes, number,
    owing::{aware, duty, handover, owing, term},
    seconds, start,
};

const NONE: fn(&mut tocsin_protocol::Event) = |_| {};

fn of<'r>(report: &'r Report, name: &str) -> Vec<&'r DutyReport> {
    report.duties.iter().filter(|duty| duty.duty.as_str() == name).collect()
}

/// But for the mails, which nobody sends here.
fn codes(report: &Report) -> Vec<ProblemCode> {
    let codes = report.problems.iter().map(|problem| problem.code);
    codes.filter(|code| *code != ProblemCode::NotHandedOver).collect()
}

#[test]
fn each_duty_is_in_time_late_overdue_or_open_and_counted_once() {
    let mut world = owing(vec![
        duty("first", Stage::Initial, Some("5m")),
        duty("second", Stage::Update, Some("30m")),
        duty("full", Stage::Full, Some("40m")),
        duty("final", Stage::Final, Some("2h")),
    ]);
    world.say(EventKind::Initial, aware).at(minutes(1)).all_but(&[], 1).at(minutes(33));
    world.say(EventKind::Update, aware).at(minutes(50));
    let report = world.report();
    assert_eq!(codes(&report), []);
    let told: Vec<_> = report.duties.iter().map(|duty| (duty.duty.as_str(), duty.state)).collect();
    assert_eq!(
        told,
        [
            ("first", DutyState::InTime),
            ("second", DutyState::Late),
            ("full", DutyState::Overdue),
            ("final", DutyState::Open)
        ]
    );
    let [second] = of(&report, "second")[..] else { panic!("{:?}", report.duties) };
    assert_eq!((second.met_by, second.due_at), (Some(number(2)), start() + minutes(30)));
    assert!((second.late_by_seconds.unwrap() - 180.0).abs() < 1e-9);
    assert_eq!(second.basis.as_deref(), Some("Our own windows"));
    assert!(second.reminder.is_some(), "the publisher was reminded when it was due");
    let expected = DutyTally { owed: 3, in_time: 1, late: 1, overdue: 1, open: 1, ..DutyTally::default() };
    assert_eq!(report.duty_totals.duties, expected);
    assert_eq!(report.totals.escalated, 0, "a reminder of the publisher is no recipient's mail");
}

#[test]
fn exactly_at_due_is_in_time_and_just_after_is_late() {
    for (at, state) in [(minutes(30), DutyState::InTime), (minutes(30) + seconds(1), DutyState::Late)] {
        let mut world = owing(vec![duty("second", Stage::Update, Some("30m"))]);
        world.say(EventKind::Initial, aware).at(at).say(EventKind::Update, aware).at(minutes(40));
        let report = world.report();
        let [second] = of(&report, "second")[..] else { panic!("{:?}", report.duties) };
        assert_eq!(second.state, state);
        assert!(!codes(&report).contains(&ProblemCode::DifferingFinding), "{:?}", report.problems);
    }
}

#[test]
fn a_target_is_never_a_breach_nor_in_what_is_owed() {
    let target = DutyDocument { target: Some(term("10m")), ..duty("second", Stage::Update, None) };
    let mut world = owing(vec![target]);
    world.say(EventKind::Initial, aware).at(minutes(20)).say(EventKind::Update, aware).at(minutes(21));
    let report = world.report();
    let [second] = of(&report, "second")[..] else { panic!("{:?}", report.duties) };
    assert!(second.target);
    assert_eq!(second.state.words(second.target), "beyond target");
    assert_eq!(report.duty_totals.duties, DutyTally::default());
    assert_eq!(report.duty_totals.targets, DutyTally { owed: 1, late: 1, ..DutyTally::default() });
}

#[test]
fn a_call_is_told_with_both_names_and_who_was_not_called_is_named() {
    let by_telephone = |within| DutyDocument {
        channels: vec![Channel::Telephone, Channel::Writing],
        kinds: vec!["police-territorial".into()],
        ..duty("first", Stage::Initial, Some(within))
    };
    let mut world = owing(vec![by_telephone("30m")]);
    world.say(EventKind::Initial, aware).at(minutes(10)).called("pol-gwent", 1).at(minutes(20));
    let open = world.report();
    assert_eq!(of(&open, "first")[0].state, DutyState::Open, "there is time yet to call the other");
    let report = world.at(minutes(40)).called("pol-west-mercia", 1).report();
    let [first] = of(&report, "first")[..] else { panic!("{:?}", report.duties) };
    assert_eq!((first.state, &first.not_called), (DutyState::NotCalled, &vec![id("pol-west-mercia")]));
    assert_eq!(first.telephone.len(), 2);
    let [gwent, late] = &report.calls[..] else { panic!("{:?}", report.calls) };
    assert_eq!(
        (gwent.name.as_str(), gwent.spoke_to.name.as_str()),
        ("Gwent Police", "A. Person of pol-gwent")
    );
    assert_eq!((gwent.by.name.as_str(), gwent.logged_at), ("C. Aller", start() + minutes(10)));
    assert_eq!(late.logged_at, start() + minutes(40), "a late call is kept, and helps no more");
    assert!(!codes(&report).contains(&ProblemCode::DifferingFinding), "{:?}", report.problems);
    let own = world.report_with(Request { only: Some(id("pol-gwent")), ..Request::default() });
    assert_eq!(own.calls.len(), 1, "a recipient is told of the calls to itself");
    assert!(own.duties.is_empty(), "and not of what the law asks of the publisher");
}

#[test]
fn a_repeated_duty_is_told_each_time() {
    let repeated = DutyDocument { repeat: Some(term("30m")), ..duty("again", Stage::Update, Some("30m")) };
    let mut world = owing(vec![repeated]);
    world.say(EventKind::Initial, aware).at(minutes(20)).say(EventKind::Update, aware);
    world.at(minutes(45)).say(EventKind::Update, aware).at(minutes(90));
    let report = world.report();
    let told: Vec<_> = of(&report, "again").iter().map(|duty| (duty.due_at, duty.state)).collect();
    assert_eq!(
        told,
        [
            (start() + minutes(30), DutyState::InTime),
            (start() + minutes(50), DutyState::InTime),
            (start() + minutes(75), DutyState::Overdue),
            (start() + minutes(105), DutyState::Open)
        ]
    );
}

#[test]
fn each_time_that_a_repeated_duty_is_missed_is_told_and_held_against_the_policy() {
    let repeated = DutyDocument {
        repeat: Some(term("30m")),
        lasting: Some(term("2h")),
        ..duty("again", Stage::Update, Some("30m"))
    };
    let mut world = owing(vec![repeated]);
    world.say(EventKind::Initial, aware).at(minutes(1)).all_but(&[], 1);
    world.at(minutes(45)).at(minutes(75)).say(EventKind::Update, aware).at(minutes(100)).at(minutes(200));
    let report = world.report();
    let told: Vec<_> = of(&report, "again")
        .iter()
        .map(|duty| (duty.event.get(), duty.due_at, duty.state, duty.reminder.is_some()))
        .collect();
    let at = |of: i64| start() + minutes(of);
    assert_eq!(
        told,
        [
            (1, at(30), DutyState::Late, true),
            (1, at(60), DutyState::Late, true),
            (1, at(90), DutyState::InTime, false),
            (2, at(105), DutyState::Overdue, true),
        ],
        "of what runs from the second event no more lies within two hours"
    );
    assert_eq!((report.duty_totals.duties.owed, report.duty_totals.duties.late), (4, 2));
    assert_eq!(codes(&report), []);
}

#[test]
fn a_finding_that_makes_a_duty_due_again_otherwise_than_its_policy_is_found_out() {
    let repeated = DutyDocument { repeat: Some(term("30m")), ..duty("again", Stage::Update, Some("30m")) };
    for (duty, differs) in [
        (r#""repeated": true, "again": {"step": 6, "due_at": "2023-06-25T06:26:00Z"}"#, false),
        (r#""repeated": true, "again": {"step": 6, "due_at": "2023-06-25T06:27:00Z"}"#, true),
        (r#""repeated": true, "again": {"step": 7, "due_at": "2023-06-25T06:26:00Z"}"#, true),
        (r#""repeated": true"#, true),
        (r#""repeated": false, "again": {"step": 6, "due_at": "2023-06-25T06:26:00Z"}"#, true),
        // As the first releases wrote it.
        (r#""target": false"#, false),
    ] {
        let mut world = owing(vec![repeated.clone()]);
        world.withheld = |subject| matches!(subject, Subject::Finding { step, .. } if step.get() >= 3);
        world.say(EventKind::Initial, aware).at(minutes(1)).all_but(&[], 1).at(minutes(31));
        let body = format!(
            r#"{{"incident":"bt-999-2023-06-25","event":1,"step":3,"policy":"uk-999","status":"actual",
                "due_at":"2023-06-25T05:56:00Z","closed_at":"2023-06-25T05:56:00.001Z","required":0,"acknowledged":0,
                "silent":[],"duty":{{"duty":"again","overdue":true,{duty}}}}}"#
        );
        world.log("tocsin.finding.bt-999-2023-06-25.1.3", body.leak().as_bytes());
        assert_eq!(codes(&world.report()).contains(&ProblemCode::DifferingFinding), differs, "{duty}");
    }
}

#[test]
fn a_clock_that_is_told_anew_supersedes_the_window_that_ran_from_the_old() {
    let mut world = owing(vec![duty("full", Stage::Full, Some("30m"))]);
    world.say(EventKind::Initial, aware).at(minutes(5));
    world.say(EventKind::Update, |event| event.aware_at = Some(start() + minutes(4))).at(minutes(33));
    let whole = |event: &mut tocsin_protocol::Event| event.stage = Some(Stage::Full);
    let report = world.say(EventKind::Update, whole).at(minutes(50)).report();
    let told: Vec<_> = of(&report, "full").iter().map(|duty| (duty.state, duty.superseded_by)).collect();
    assert_eq!(told, [(DutyState::Superseded, Some(number(2))), (DutyState::InTime, None)]);
    assert!(!codes(&report).contains(&ProblemCode::DifferingFinding), "{:?}", report.problems);
}

#[test]
fn an_incident_that_was_none_lifts_what_was_owed() {
    let mut world = owing(vec![duty("full", Stage::Full, Some("30m"))]);
    world.say(EventKind::Initial, aware).at(minutes(5)).say(EventKind::SentInError, NONE).at(minutes(40));
    let report = world.report();
    let [full] = of(&report, "full")[..] else { panic!("{:?}", report.duties) };
    assert_eq!((full.state, full.lifted_by), (DutyState::Lifted, Some(number(2))));
    assert_eq!(report.duty_totals.duties.owed, 0);
}

#[test]
fn a_promised_update_that_did_not_come_was_told_to_all_who_had_the_promise() {
    let promise = |event: &mut tocsin_protocol::Event| event.next_update_by = Some(start() + minutes(15));
    let mut world = owing(Vec::new());
    world.say(EventKind::Initial, promise).at(minutes(1)).all_but(&[], 1).at(minutes(20));
    let report = world.report();
    let [promised] = of(&report, "next-update")[..] else { panic!("{:?}", report.duties) };
    assert_eq!((promised.state, promised.told_overdue), (DutyState::Overdue, 6));
    assert!(promised.reminder.is_some() && promised.policy.is_none());
    assert_eq!((report.duty_totals.promises.overdue, report.duty_totals.duties.owed), (1, 0));
    assert_eq!(codes(&report), []);
    let own = world.report_with(Request { only: Some(id("ofcom")), ..Request::default() });
    let [own] = &own.duties[..] else { panic!("{:?}", own.duties) };
    assert_eq!((own.told_overdue, &own.reminder), (1, &None), "to whom else it was told is not its own");
}

#[test]
fn an_overdue_that_was_not_told_is_a_problem() {
    let promise = |event: &mut tocsin_protocol::Event| event.next_update_by = Some(start() + minutes(15));
    let mut world = owing(Vec::new());
    world.withheld = |subject| {
        matches!(subject, Subject::Escalation { .. })
            || matches!(subject, Subject::Overdue { recipient, .. } if recipient.as_str() == "dsit")
    };
    world.say(EventKind::Initial, promise).at(minutes(1)).all_but(&[], 1).at(minutes(20));
    let report = world.report();
    let untold: Vec<_> = report.problems.iter().filter(|p| p.code == ProblemCode::OverdueNotTold).collect();
    assert_eq!(untold.len(), 2, "{:?}", report.problems);
    assert!(untold.iter().any(|problem| problem.recipients == [id("dsit")]));
}

#[test]
fn a_duty_window_without_its_finding_is_a_problem() {
    let mut world = owing(vec![duty("full", Stage::Full, Some("30m"))]);
    world.withheld = |subject| matches!(subject, Subject::Finding { step, .. } if step.get() == 3);
    world.say(EventKind::Initial, aware).at(minutes(1)).all_but(&[], 1).at(minutes(40));
    let report = world.report();
    assert_eq!(codes(&report), [ProblemCode::MissingFinding]);
    assert_eq!(of(&report, "full")[0].state, DutyState::Overdue, "the report goes by what was said");
}

#[test]
fn a_duty_finding_that_says_other_than_what_was_said_is_found_out() {
    let mut world = owing(vec![duty("full", Stage::Full, Some("30m"))]);
    world.withheld = |subject| matches!(subject, Subject::Finding { step, .. } if step.get() == 3);
    world.say(EventKind::Initial, aware).at(minutes(1)).all_but(&[], 1).at(minutes(40));
    world.log(
        "tocsin.finding.bt-999-2023-06-25.1.3",
        br#"{"incident":"bt-999-2023-06-25","event":1,"step":3,"policy":"uk-999","status":"actual",
            "due_at":"2023-06-25T05:56:00Z","closed_at":"2023-06-25T05:56:00.001Z","required":0,"acknowledged":0,
            "silent":[],"duty":{"duty":"full","overdue":false,"met_by":1,"met_at":"2023-06-25T05:26:01Z"}}"#,
    );
    assert!(codes(&world.report()).contains(&ProblemCode::DifferingFinding));
}

#[test]
fn each_force_has_the_length_of_its_own_list_and_when_it_took_that_in() {
    let mut world = World::small();
    world.change_directory(2, handover).at(seconds(1));
    world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&[], 1).at(minutes(30));
    world.say(EventKind::Update, |event| {
        let handed = RecontactFigures { handed_to_police: Some(7), ..RecontactFigures::default() };
        let by_area = [(AreaId::new("uk").unwrap(), handed)].into();
        event.recontact = Some(Recontact { total: handed, by_area, ..Recontact::default() });
    });
    world.at(minutes(35)).acknowledged("pol-gwent", 2).at(minutes(80));
    let report = world.report();
    let told: Vec<_> = report
        .handovers
        .iter()
        .map(|of| (of.recipient.as_str(), of.list.handed_to_police, of.state, of.acknowledged_at.is_some()))
        .collect();
    assert_eq!(
        told,
        [("pol-west-mercia", Some(7), State::Silent, false), ("pol-gwent", Some(7), State::InTime, true)]
    );
    let own = world.report_with(Request { only: Some(id("pol-gwent")), ..Request::default() });
    assert_eq!(own.handovers.len(), 1, "another's list is not its own");
}

#[test]
fn duties_are_the_same_however_often_and_by_whomever_they_are_told() {
    let mut world = owing(vec![duty("full", Stage::Full, Some("30m"))]);
    world.say(EventKind::Initial, aware).at(minutes(40));
    let report = world.report();
    let evidence: Evidence = tocsin_audit::gather(&world.entries, None);
    let again = evidence.report(&report.incident.id, Request::default()).unwrap();
    assert_eq!(again.duties, report.duties);
}
