//! What a report says of recipients, each promise by its own small story.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "calls/mod.rs"]
mod calls;
#[path = "judged/duties.rs"]
mod duties;
#[path = "kept/mod.rs"]
mod kept;
#[path = "judged/operator.rs"]
mod operator;
mod support;
#[path = "watch/mod.rs"]
mod watch;

use support::{World, id, minutes, number, seconds, start};
use tocsin_audit::{ProblemCode, RecipientReport, Report, Request, State};
use tocsin_protocol::{
    EventKind, Outcome, Platform, ReceiptMethod, RefusalCode, SignedDuration, Signer, Status, StepNumber,
    Subject,
};

fn row<'r>(report: &'r Report, who: &str) -> &'r RecipientReport {
    report.recipients.iter().find(|row| row.id.as_str() == who).unwrap()
}

fn codes(report: &Report) -> Vec<ProblemCode> {
    report.problems.iter().map(|problem| problem.code).collect()
}

const NONE: fn(&mut tocsin_protocol::Event) = |_| {};

fn adds_up(report: &Report) {
    for totals in report.events.iter().map(|event| &event.totals).chain([&report.totals]) {
        assert_eq!(totals.asked, totals.acknowledged_in_time + totals.acknowledged_late + totals.never);
        assert!(totals.open + totals.excused <= totals.never);
    }
    let kinds = &report.timeliness.by_kind;
    assert_eq!(kinds.iter().map(|kind| kind.required).sum::<u32>(), report.totals.asked);
    assert_eq!(
        kinds.iter().map(|kind| kind.acknowledged_in_time).sum::<u32>(),
        report.totals.acknowledged_in_time
    );
}

#[test]
fn all_in_time_is_a_report_without_problems() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&[], 1).at(minutes(40));
    let report = world.report();
    adds_up(&report);
    assert_eq!(codes(&report), []);
    let totals = report.totals;
    assert_eq!((totals.required, totals.informed, totals.asked, totals.delivered), (5, 1, 5, 6));
    assert_eq!((totals.acknowledged_in_time, totals.escalated, totals.neither), (5, 0, 0));
    assert_eq!(report.timeliness.share_in_time, Some(1.0));
    assert_eq!(report.incident.operator_delay_seconds.from_began, Some(120.0));
    let ofcom = row(&report, "ofcom");
    assert_eq!((ofcom.state, ofcom.in_time), (State::InTime, Some(true)));
    assert_eq!(ofcom.acknowledged_by.as_ref().unwrap().role, "control room supervisor");
    // 06:26 and some milliseconds of dispatch.
    assert!(ofcom.noticed_at.unwrap().duration_since(start()) < seconds(1));
}

#[test]
fn exactly_at_due_is_in_time_and_just_after_is_late() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE);
    world.at(minutes(15)).acknowledged("ofcom", 1);
    world.at(minutes(15) + SignedDuration::from_nanos(1)).acknowledged("dsit", 1).at(minutes(16));
    let report = world.report();
    adds_up(&report);
    assert_eq!(row(&report, "ofcom").due_at, Some(start() + minutes(15)));
    assert_eq!(row(&report, "ofcom").acknowledged_at, Some(start() + minutes(15)));
    assert_eq!(row(&report, "ofcom").in_time, Some(true));
    assert_eq!((row(&report, "dsit").state, row(&report, "dsit").in_time), (State::Late, Some(false)));
}

#[test]
fn late_is_kept_as_late_with_its_seconds() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&["ofcom"], 1).at(minutes(16));
    world.attempt("ofcom", (1, 1), 1, Some(Outcome::Accepted)).at(minutes(20)).acknowledged("ofcom", 1);
    world.at(minutes(40));
    let report = world.report();
    adds_up(&report);
    let ofcom = row(&report, "ofcom");
    assert_eq!((ofcom.state, ofcom.late_by_seconds), (State::Late, Some(300.0)));
    assert_eq!(ofcom.escalations.len(), 1);
    assert_eq!(ofcom.escalations[0].outcome, Some(Outcome::Accepted));
    assert_eq!(ofcom.escalations[0].address, "duty@ofcom.example");
    assert_eq!((report.totals.acknowledged_late, report.totals.escalated, report.totals.neither), (1, 1, 0));
    assert_eq!(codes(&report), []);
}

#[test]
fn silence_to_the_second_step_has_two_escalations() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&["ofcom"], 1).at(minutes(16));
    world.attempt("ofcom", (1, 1), 1, Some(Outcome::Accepted)).at(minutes(31));
    world.attempt("ofcom", (1, 2), 1, Some(Outcome::Accepted));
    let report = world.report();
    adds_up(&report);
    let ofcom = row(&report, "ofcom");
    assert_eq!((ofcom.state, ofcom.in_time, ofcom.acknowledged_at), (State::Silent, Some(false), None));
    let contacts: Vec<_> = ofcom.escalations.iter().map(|e| e.contact.as_str()).collect();
    assert_eq!(contacts, ["duty", "senior"]);
    assert_eq!((report.totals.never, report.totals.escalated, report.totals.mails_accepted), (1, 1, 2));
    assert_eq!(report.events[0].steps[1].silent, Some(1));
}

#[test]
fn the_informed_are_never_asked_and_never_escalated_to() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(40));
    let report = world.report();
    adds_up(&report);
    let forum = row(&report, "lrf-kent");
    assert_eq!((forum.state, forum.in_time, forum.due_at), (State::NotAsked, None, None));
    assert!(forum.escalations.is_empty());
    assert!(forum.noticed_at.is_some());
    assert_eq!((report.totals.asked, report.totals.escalated, report.totals.informed), (5, 5, 1));
}

#[test]
fn a_later_acknowledgement_covers_the_earlier_events() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(5));
    world.say(EventKind::Update, |event| event.platform = Some(Platform::None)).at(minutes(6));
    world.acknowledged("ofcom", 2).at(minutes(50));
    let report = world.report();
    adds_up(&report);
    assert!(report.events[1].acknowledge, "a worsening needs an acknowledgement anew");
    let first = report.events[0].recipients.iter().find(|row| row.id == id("ofcom")).unwrap();
    assert_eq!((first.in_time, first.acknowledged_event), (Some(true), Some(number(2))));
    assert_eq!(row(&report, "ofcom").in_time, Some(true));
}

#[test]
fn the_summary_is_the_worst_event() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(1)).acknowledged("ofcom", 1).at(minutes(2));
    world.say(EventKind::Update, |event| event.platform = Some(Platform::None)).at(minutes(60));
    let report = world.report();
    adds_up(&report);
    let ofcom = row(&report, "ofcom");
    assert_eq!((ofcom.event, ofcom.state), (number(2), State::Silent));
    assert_eq!(report.events[0].totals.acknowledged_in_time, 1);
    assert_eq!(report.totals.acknowledged_in_time, 0);
}

#[test]
fn an_open_window_is_neither_late_nor_silent() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(5)).acknowledged("ofcom", 1);
    let report = world.report();
    adds_up(&report);
    assert_eq!((report.totals.open, report.totals.never, report.totals.neither), (4, 4, 0));
    assert_eq!(row(&report, "dsit").in_time, None);
    assert_eq!(codes(&report), []);
}

#[test]
fn a_cancelled_incident_excuses_the_silent() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(5)).acknowledged("ofcom", 1).at(minutes(6));
    world.say(EventKind::Cancelled, NONE).at(minutes(60));
    let report = world.report();
    adds_up(&report);
    assert_eq!((report.totals.excused, report.totals.escalated, report.totals.neither), (4, 0, 0));
    assert_eq!((row(&report, "dsit").state, row(&report, "dsit").in_time), (State::Excused, None));
    assert_eq!(report.events[0].steps[0].stopped_by.as_ref().unwrap().kind, EventKind::Cancelled);
    assert_eq!(codes(&report), []);
}

#[test]
fn unknown_and_repeated_mails_are_told() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&["ofcom", "dsit"], 1).at(minutes(16));
    world.attempt("ofcom", (1, 1), 1, Some(Outcome::Unknown)).attempt(
        "ofcom",
        (1, 1),
        2,
        Some(Outcome::Accepted),
    );
    world.attempt("dsit", (1, 1), 1, None);
    let report = world.report();
    let totals = report.totals;
    assert_eq!((totals.mails_accepted, totals.mails_unknown, totals.mails_repeated), (1, 2, 1));
    assert_eq!(
        codes(&report),
        [ProblemCode::UnknownSend, ProblemCode::UnknownSend, ProblemCode::RepeatedMail]
    );
    let mail = &row(&report, "ofcom").escalations[0];
    assert_eq!((mail.attempts, mail.unknown, mail.outcome), (2, 1, Some(Outcome::Accepted)));
    assert_eq!(row(&report, "dsit").escalations[0].outcome, None);
}

#[test]
fn an_address_that_is_refused_for_good_is_told() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&["ofcom"], 1).at(minutes(16));
    world.attempt("ofcom", (1, 1), 1, Some(Outcome::RelayFault)).attempt(
        "ofcom",
        (1, 1),
        2,
        Some(Outcome::Permanent),
    );
    let report = world.report();
    assert_eq!(
        codes(&report),
        [ProblemCode::Unreachable, ProblemCode::NotHandedOver, ProblemCode::RelayFault],
        "the next contact is owed a mail at once, and none was begun"
    );
    assert!(report.problems[0].text.contains("duty@ofcom.example"), "{}", report.problems[0].text);
}

#[test]
fn a_forged_receipt_is_a_refusal_and_counts_for_nobody() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(1)).forged("ofcom", 1, "dsit").at(minutes(16));
    let report = world.report();
    adds_up(&report);
    assert_eq!(row(&report, "ofcom").acknowledged_at, None);
    assert_eq!(report.refusals.len(), 1);
    assert_eq!((report.refusals[0].code, report.refusals[0].recorded), (RefusalCode::BadSignature, true));
    assert_eq!(report.refusals[0].at, Some(start() + minutes(1)));
    let forged = report.problems.iter().find(|problem| problem.code == ProblemCode::Forged).unwrap();
    assert_eq!(forged.recipients, [id("ofcom")]);
}

#[test]
fn through_which_door_and_with_whose_key_each_acknowledgement_came_is_told() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(1)).acknowledged("dsit", 1).on_the_page("pol-gwent", 1);
    world.at(minutes(16)).by_the_link("ofcom", 1, 1).at(minutes(17)).acknowledged("ofcom", 1);
    let report = world.report();
    adds_up(&report);
    let door = |who: &str| {
        let row = row(&report, who);
        (row.acknowledged_method, row.acknowledged_signer, row.acknowledged_step.map(StepNumber::get))
    };
    assert_eq!(door("dsit"), (Some(ReceiptMethod::Desk), Some(Signer::Recipient), None));
    assert_eq!(door("pol-gwent"), (Some(ReceiptMethod::Page), Some(Signer::Console), None));
    assert_eq!(door("ofcom"), (Some(ReceiptMethod::Link), Some(Signer::Console), Some(1)));
    assert_eq!(row(&report, "ofcom").acknowledged_key, Some(support::console_key().public()));
    assert_eq!(row(&report, "ofcom").acknowledged_at, Some(start() + minutes(16)));
    assert_eq!(report.refusals[0].code, RefusalCode::AlreadySaid, "the desk's came second");
    let page = tocsin_audit::render::html(&report, &tocsin_audit::render::View::default()).unwrap();
    for told in [
        "at its desk",
        "on the console&#39;s page, signed by the console for account pol-gwent.control, session 01234567",
        "by the link in the mail of step 1",
    ] {
        assert!(page.contains(told), "{told}");
    }
}

#[test]
fn a_link_of_a_mail_that_nobody_owed_is_found_out() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(1)).by_the_link("ofcom", 1, 1).all_but(&["ofcom"], 1);
    let report = world.at(minutes(40)).report();
    let found = report.problems.iter().find(|problem| problem.code == ProblemCode::LinkOfNoMail).unwrap();
    assert_eq!(found.recipients, [id("ofcom")]);
    let after =
        World::small().say(EventKind::Initial, NONE).at(minutes(16)).by_the_link("ofcom", 1, 2).report();
    assert!(codes(&after).contains(&ProblemCode::LinkOfNoMail), "step 2's mail was not owed yet");
}

#[test]
fn a_router_that_writes_no_finding_is_found_out() {
    let mut world = World::small();
    world.withheld = |subject| matches!(subject, Subject::Finding { .. } | Subject::Escalation { .. });
    world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&["ofcom"], 1).at(minutes(16));
    let report = world.report();
    adds_up(&report);
    assert_eq!(report.totals.neither, 1);
    assert_eq!(codes(&report), [ProblemCode::Neither, ProblemCode::MissingFinding]);
}

#[test]
fn a_router_that_leaves_out_a_mail_is_found_out() {
    let mut world = World::small();
    world.withheld = |subject| subject.to_string().contains(".escalation.ofcom.");
    world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&["ofcom", "dsit"], 1).at(minutes(16));
    world.attempt("dsit", (1, 1), 1, Some(Outcome::Accepted));
    let report = world.report();
    assert_eq!((report.totals.neither, report.totals.escalated), (1, 1));
    assert_eq!(codes(&report), [ProblemCode::Neither, ProblemCode::MissingEscalation]);
}

#[test]
fn a_router_that_keeps_quiet_about_a_refusal_is_found_out() {
    let mut world = World::small();
    world.withheld = |subject| subject.to_string().contains(".refusal.");
    world.say(EventKind::Initial, NONE).at(minutes(1)).forged("ofcom", 1, "dsit");
    let report = world.report();
    assert_eq!(codes(&report), [ProblemCode::UnrecordedRefusal, ProblemCode::Forged]);
}

#[test]
fn a_refusal_of_what_counts_is_disputed() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(1)).acknowledged("ofcom", 1);
    world.log(
        "tocsin.refusal.ofcom.2",
        br#"{"said":2,"subject":"tocsin.receipt.ofcom.bt-999-2023-06-25.1.acknowledged","code":"bad-signature","reasons":["no"]}"#,
    );
    let report = world.report();
    assert_eq!(codes(&report), [ProblemCode::DisputedRefusal]);
    assert_eq!(row(&report, "ofcom").in_time, Some(true), "the report goes by the rules");
    assert!(report.refusals.is_empty(), "what counts is not listed among what does not");
}

#[test]
fn an_event_without_dispatch_is_told() {
    let mut world = World::small();
    world.withheld = |subject| subject.to_string().contains(".dispatch.");
    world.say(EventKind::Initial, NONE);
    let report = world.report();
    assert!(codes(&report).contains(&ProblemCode::MissingDispatch));
    assert_eq!(report.events[0].dispatched_at, None);
}

#[test]
fn a_missing_or_altered_notice_is_told() {
    let mut world = World::small();
    world.withheld = |subject| {
        subject.to_string().contains(".notice.ofcom.") || subject.to_string().contains(".notice.dsit.")
    };
    world.say(EventKind::Initial, NONE);
    world.log(
        "tocsin.notice.dsit.bt-999-2023-06-25.1",
        br#"{"incident":"bt-999-2023-06-25","event":1,"recipient":"dsit","status":"actual","requirement":"required",
            "acknowledge":true,"policies":["uk-999"],"directory":1,"said":1,"published_at":"2023-06-25T05:26:00Z",
            "key":"U","signature":"x","said_body":{"headline":"all is well"}}"#,
    );
    let report = world.report();
    assert_eq!(codes(&report), [ProblemCode::MissingNotice, ProblemCode::AlteredNotice]);
    assert_eq!(report.problems[0].recipients, [id("ofcom")]);
    assert_eq!(report.problems[1].recipients, [id("dsit")]);
}

#[test]
fn junk_on_the_log_is_left_out_and_told() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&[], 1);
    world.log("tocsin.escalation.ofcom.bt-999-2023-06-25.1.1", b"{}").at(minutes(16));
    let report = world.report();
    assert_eq!(codes(&report), [ProblemCode::FaultyRecord]);
    assert_eq!(report.totals.escalated, 0);
}

#[test]
fn a_window_that_the_broker_forgot_is_told_by_the_readers_clock() {
    let mut world = World::small();
    world.withheld = |subject| subject.to_string().contains(".due.");
    world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&["ofcom"], 1).at(minutes(20));
    assert_eq!(codes(&world.report()), []);
    let request = Request { as_of: Some(start() + minutes(20)), ..Request::default() };
    let report = world.report_with(request);
    assert_eq!(codes(&report), [ProblemCode::Neither, ProblemCode::OverdueWindow]);
}

#[test]
fn a_failure_that_was_published_late_is_the_operators_delay() {
    let mut world = World::small();
    world.say(EventKind::Initial, |event| event.began_at = Some(start() - minutes(41))).at(minutes(1));
    world.all_but(&[], 1).at(minutes(10));
    world.say(EventKind::Update, |event| event.began_at = Some(start() - minutes(50)));
    let report = world.report();
    assert_eq!(report.incident.operator_delay_seconds.from_began, Some(3_000.0));
    assert_eq!(codes(&report), [ProblemCode::LateEntry, ProblemCode::LateEntry, ProblemCode::RevisedStart]);
    let stated: Vec<_> = report.problems.iter().map(|problem| problem.event.unwrap().get()).collect();
    assert_eq!(stated, [1, 2, 2], "each statement was late");
    assert_eq!(report.timeliness.share_in_time, Some(1.0));
}

#[test]
fn a_forged_receipt_saves_nobody_from_an_escalation() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&["ofcom"], 1).at(minutes(2));
    world.forged("ofcom", 1, "dsit").at(minutes(16)).attempt("ofcom", (1, 1), 1, Some(Outcome::Accepted));
    let report = world.report();
    adds_up(&report);
    let ofcom = row(&report, "ofcom");
    assert_eq!((ofcom.state, ofcom.in_time, ofcom.escalations.len()), (State::Silent, Some(false), 1));
    assert_eq!((report.totals.escalated, report.totals.neither), (1, 0));
    assert_eq!(row(&report, "dsit").in_time, Some(true), "who forged it keeps its own");
}

#[test]
fn a_worsening_is_asked_anew_and_an_update_that_is_none_is_not() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&[], 1).at(minutes(20));
    world.say(EventKind::Update, |event| event.platform = Some(Platform::None)).at(minutes(21));
    world.all_but(&["ofcom"], 2).at(minutes(36));
    world.attempt("ofcom", (2, 1), 1, Some(Outcome::Accepted)).at(minutes(37));
    world.say(EventKind::Update, |event| event.platform = Some(Platform::None)).at(minutes(40));
    let report = world.report();
    adds_up(&report);
    let asked: Vec<_> = report.events.iter().map(|event| (event.acknowledge, event.totals.asked)).collect();
    assert_eq!(asked, [(true, 5), (true, 5), (false, 0)]);
    assert!(!report.events[1].worsened.is_empty() && report.events[2].worsened.is_empty());
    assert_eq!((row(&report, "ofcom").event, row(&report, "ofcom").state), (number(2), State::Silent));
    assert_eq!(report.events[0].recipients[0].in_time, Some(true));
}

#[test]
fn a_resolved_incident_stops_what_it_makes_pointless() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(16)).attempt("ofcom", (1, 1), 1, Some(Outcome::Accepted));
    world.at(minutes(20)).say(EventKind::Resolved, NONE).at(minutes(21)).all_but(&[], 2).at(minutes(60));
    let report = world.report();
    adds_up(&report);
    let second = &report.events[0].steps[1];
    assert_eq!(
        second.stopped_by.as_ref().map(|by| (by.event, by.kind)),
        Some((number(2), EventKind::Resolved))
    );
    assert!(row(&report, "ofcom").escalations.iter().all(|mail| mail.step.get() == 1), "no second mail");
    assert_eq!((report.events[1].totals.acknowledged_in_time, report.totals.neither), (5, 0));
}

#[test]
fn an_exercise_is_judged_as_actual_and_says_what_it_is() {
    let story = |status| {
        let mut world = World::small();
        world.status = status;
        world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&["ofcom"], 1).at(minutes(16));
        world.report()
    };
    let (actual, exercise) = (story(Status::Actual), story(Status::Exercise));
    assert_eq!(exercise.incident.status, Status::Exercise);
    assert_eq!((exercise.totals, exercise.problems), (actual.totals, actual.problems));
}

#[test]
fn a_finding_that_says_other_than_the_receipts_is_found_out() {
    let mut world = World::small();
    world.withheld = |subject| matches!(subject, Subject::Finding { .. } | Subject::Escalation { .. });
    world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&["ofcom"], 1).at(minutes(16));
    world.log(
        "tocsin.finding.bt-999-2023-06-25.1.1",
        br#"{"incident":"bt-999-2023-06-25","event":1,"step":1,"policy":"uk-999","status":"actual",
            "due_at":"2023-06-25T05:41:00Z","closed_at":"2023-06-25T05:41:00.001Z","required":5,"acknowledged":4,
            "silent":["dsit"],"late":[]}"#,
    );
    let report = world.report();
    let differ = report.problems.iter().find(|p| p.code == ProblemCode::DifferingFinding).unwrap();
    assert_eq!(differ.recipients, [id("dsit"), id("ofcom")]);
    assert!(
        codes(&report).contains(&ProblemCode::MissingEscalation),
        "dsit was found silent and not written to"
    );
    assert_eq!((row(&report, "ofcom").state, row(&report, "dsit").state), (State::Silent, State::InTime));
    assert_eq!(report.totals.neither, 1, "the report goes by the receipts");
}

#[test]
fn a_window_that_the_broker_closes_again_is_no_fault_and_the_first_closing_counts() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(minutes(1)).all_but(&["ofcom"], 1).at(minutes(16));
    let before = world.report();
    world.log(
        "tocsin.due.bt-999-2023-06-25.1.1",
        br#"{"incident":"bt-999-2023-06-25","event":1,"step":1,"due_at":"2023-06-25T05:41:00Z"}"#,
    );
    let after = world.report();
    assert_eq!((&after.problems, &after.events), (&before.problems, &before.events));
}
