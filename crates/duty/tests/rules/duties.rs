//! What a publisher owes: by when, what meets it, and what follows when nothing does.

use tocsin_duty::Verdict;
use tocsin_protocol::{
    Dispatch, DispatchDuty, DutyFinding, Escalation, EscalationReason, EventNumber, Finding, NewFact, Notice,
    Overdue, RefusalCode, Subject, Timestamp,
};

use crate::story::{DIRECTORY, POLICY, Story, read, subjects};

fn dispatch(facts: &[NewFact]) -> Dispatch {
    read(facts, |subject| matches!(subject, Subject::Dispatch { .. }))
}

fn found(facts: &[NewFact]) -> (Finding, DutyFinding) {
    let finding: Finding = read(facts, |subject| matches!(subject, Subject::Finding { .. }));
    let duty = finding.duty.clone().unwrap();
    (finding, duty)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A policy that asks nobody to acknowledge, with these duties.
fn policy(duties: &str) -> String {
    let whole: String = POLICY.replace("acknowledge = [\"initial\"]", "acknowledge = []");
    format!("{whole}\n{duties}")
}

/// The directory with somebody whom BT is reminded by.
fn reminded() -> String {
    DIRECTORY.replace(
        "{ id = \"bt\", name = \"BT\", areas = \"all\" }",
        "{ id = \"bt\", name = \"BT\", areas = \"all\", contacts.duty = { role = \"Duty manager\", email = \"duty@bt.example\" } }",
    )
}

fn seconds(after: i64, fields: &str) -> String {
    let begun = at("2023-06-25T05:24:00Z") + jiff::SignedDuration::from_secs(after);
    fields.replace("AT", &begun.to_string())
}

const UPDATE: &str = r#""sequence": 2, "kind": "update""#;

#[test]
fn the_first_event_meets_what_is_owed_at_once_in_time_on_the_last_moment_and_late_after_it() {
    let notify = policy(
        r#"
        [[duties]]
        id = "first-notice"
        what = "First notice"
        stage = "initial"
        from = "aware"
        within = "30m"
        "#,
    );
    for (published, in_time) in [(1799, true), (1800, true), (1801, false)] {
        let mut story = Story::with(&reminded(), &notify);
        story.event(published, &seconds(0, r#""aware_at": "AT""#));
        let facts = story.follow(published + 1);
        let [duty] = &dispatch(&facts).duties[..] else { panic!("one duty") };
        assert_eq!((duty.clock_at, duty.clock_assumed), (story.at(0), false));
        assert_eq!((duty.due_at, duty.met_at), (story.at(1800), Some(story.at(published))));
        assert_eq!(duty.met_at.is_some_and(|met| met <= duty.due_at), in_time, "{published}");
        assert_eq!(duty.step, None, "nothing is left to wait for");
    }
}

#[test]
fn where_no_event_tells_the_clock_the_brokers_time_stands_in_and_is_put_right_when_one_does() {
    let report = policy(
        r#"
        [[duties]]
        id = "full-report"
        what = "Full report"
        stage = "full"
        from = "aware"
        within = "72h"
        "#,
    );
    let mut story = Story::with(&reminded(), &report);
    story.event(600, "");
    let first = dispatch(&story.follow(601)).duties[0].clone();
    assert_eq!((first.clock_at, first.clock_assumed), (story.at(600), true));
    story.event(1200, &format!("{UPDATE}, {}", seconds(0, r#""aware_at": "AT""#)));
    let again = dispatch(&story.follow(1201)).duties[0].clone();
    assert_eq!((again.clock_at, again.clock_assumed, again.met_at), (story.at(0), false, None));
    let (due, late) = (3 * 86_400, 3 * 86_400 + 600);
    assert_eq!((again.due_at, first.due_at), (story.at(due), story.at(late)));
    // Of the two windows one counts.
    let facts = story.close(due + 1, 2, again.step.unwrap().get());
    assert!(found(&facts).1.reminds());
    let facts = story.close(late + 1, 1, first.step.unwrap().get());
    let (_, of_first) = found(&facts);
    assert_eq!((of_first.superseded_by.map(EventNumber::get), of_first.reminds()), (Some(2), false));
    assert_eq!(subjects(&facts).len(), 1, "nobody is reminded twice");
}

#[test]
fn a_report_is_in_time_on_the_last_moment_and_overdue_after_it_and_its_publisher_is_reminded() {
    let follow_up = policy(
        r#"
        [[duties]]
        id = "first-notice"
        what = "First notice"
        stage = "initial"
        from = "discovered"
        within = "30m"

        [[duties]]
        id = "follow-up"
        what = "Follow-up"
        stage = "update"
        from = "first-notice"
        within = "2h"
        "#,
    );
    let due = 60 + 7200;
    for (said, overdue) in [(due - 1, false), (due, false), (due + 1, true)] {
        let mut story = Story::with(&reminded(), &follow_up);
        story.event(60, "");
        let facts = story.follow(61);
        let duty =
            dispatch(&facts).duties.into_iter().find(|duty| duty.duty.as_str() == "follow-up").unwrap();
        assert_eq!((duty.clock_at, duty.due_at), (story.at(60), story.at(due)));
        story.event(said, UPDATE);
        let facts = story.close(due + 2, 1, duty.step.unwrap().get());
        let (finding, of_duty) = found(&facts);
        assert_eq!((finding.required, finding.silent.len()), (0, 0), "it is about no recipient's silence");
        assert_eq!((of_duty.overdue, of_duty.met_by.map(EventNumber::get)), (overdue, Some(2)), "{said}");
        let reminders = subjects(&facts).into_iter().filter(|subject| subject.contains("escalation")).count();
        assert_eq!(reminders, usize::from(overdue), "{said}");
    }
}

#[test]
fn an_update_that_was_promised_and_did_not_come_is_told_to_the_publisher_and_to_all_who_were_promised_it() {
    let mut story = Story::with(&reminded(), &policy(""));
    story.event(0, &seconds(900, r#""next_update_by": "AT""#));
    let facts = story.follow(1);
    let [promise] = &dispatch(&facts).duties[..] else { panic!("one promise") };
    assert_eq!((promise.duty.as_str(), &promise.policy), (DispatchDuty::NEXT_UPDATE, &None));
    let step = promise.step.unwrap().get();
    let facts = story.close(901, 1, step);
    let mut all = subjects(&facts);
    assert_eq!(all.remove(0), "tocsin.finding.x.1.1");
    assert_eq!(all.remove(0), "tocsin.escalation.bt.x.1.1");
    all.sort();
    let told = ["essex-police", "kent-fire", "kent-lrf", "kent-police", "ofcom"];
    assert_eq!(all, told.map(|who| format!("tocsin.notice.{who}.x.1.overdue.1")));
    let reminder: Escalation = read(&facts, |subject| matches!(subject, Subject::Escalation { .. }));
    assert_eq!((reminder.reason, reminder.to.email.as_str()), (EscalationReason::Overdue, "duty@bt.example"));
    let told: Overdue = read(&facts, |subject| matches!(subject, Subject::Overdue { .. }));
    assert_eq!(told.promised_by, story.at(900));
}

#[test]
fn a_promise_that_is_kept_or_ended_by_a_cancellation_reminds_nobody() {
    for (said, kind) in [(900, "update"), (600, "resolved"), (600, "cancelled")] {
        let mut story = Story::with(&reminded(), &policy(""));
        story.event(0, &seconds(900, r#""next_update_by": "AT""#));
        story.follow(1);
        story.event(said, &format!(r#""sequence": 2, "kind": "{kind}""#));
        story.follow(said);
        assert_eq!(subjects(&story.close(901, 1, 1)), ["tocsin.finding.x.1.1"], "{kind}");
    }
}

#[test]
fn what_a_crash_left_out_of_an_overdue_is_owed_still() {
    let mut story = Story::with(&reminded(), &policy(""));
    story.event(0, &seconds(900, r#""next_update_by": "AT""#));
    story.follow(1);
    story.log(901, "tocsin.due.x.1.1", bytes::Bytes::from_static(b"{}"));
    let facts: Vec<_> = story.fold.follows().into_iter().flat_map(|batch| batch.facts).collect();
    assert_eq!(facts.len(), 7);
    for fact in &facts[..3] {
        story.log(901, &fact.subject.to_string(), fact.body.clone());
    }
    let mut rest = story.follow(902);
    rest.sort_by_key(|fact| fact.subject.to_string());
    let mut owed = facts[3..].to_vec();
    owed.sort_by_key(|fact| fact.subject.to_string());
    assert_eq!(rest, owed, "byte for byte");
}

#[test]
fn an_update_owed_every_hour_is_owed_again_after_each_until_the_service_is_restored() {
    let hourly = policy(
        r#"
        [[duties]]
        id = "updates"
        what = "An update every hour"
        stage = "update"
        from = "published"
        target = "60m"
        repeat = "60m"
        for = "3h"
        "#,
    );
    let mut story = Story::with(&reminded(), &hourly);
    let due = |facts: &[NewFact]| dispatch(facts).duties.iter().map(|duty| duty.due_at).collect::<Vec<_>>();
    story.event(0, "");
    assert_eq!(due(&story.follow(1)), [story.at(3600)]);
    story.event(3000, UPDATE);
    assert_eq!(due(&story.follow(3001)), [story.at(6600)]);
    assert!(!found(&story.close(3601, 1, 1)).1.overdue);
    let facts = story.close(6601, 2, 1);
    let (_, late) = found(&facts);
    assert_eq!((late.overdue, late.target), (true, true), "told as a target, which is never a breach");
    story.event(9000, r#""sequence": 3, "kind": "update""#);
    assert_eq!(due(&story.follow(9001)), [], "three hours are over before the next would be due");
    let mut restored = Story::with(&reminded(), &hourly);
    restored.event(0, "");
    restored.follow(1);
    restored.event(600, r#""sequence": 2, "kind": "resolved""#);
    assert_eq!(due(&restored.follow(601)), []);
    restored.event(700, r#""sequence": 3, "kind": "update""#);
    assert_eq!(due(&restored.follow(701)), [], "what is said after the end is owed no sequel");
    restored.event(800, r#""sequence": 4, "kind": "update", "platform": "none""#);
    assert_eq!(due(&restored.follow(801)), [restored.at(800 + 3600)], "it has failed again");
}

const TELEPHONE: &str = r#"
    [[duties]]
    id = "first-notice"
    what = "First notice, by telephone and in writing"
    stage = "initial"
    from = "published"
    within = "30m"
    channels = ["telephone", "writing"]
"#;

fn call(second: i64, story: &mut Story, author: &str, recipient: &str) -> Verdict {
    let body = serde_json::json!({
        "incident": "x", "event": 1, "publisher": "bt", "recipient": recipient, "at": story.at(second).to_string(),
        "by": {"name": "A. Example", "role": "duty manager"}, "spoke_to": {"name": "B. Example", "role": "supervisor"},
    });
    let subject = format!("tocsin.incident.bt.x.1.called.{recipient}");
    story.say(second, Some(author), &subject, &body.to_string())
}

#[test]
fn a_duty_by_telephone_too_is_done_when_each_call_is_logged_and_names_those_not_called() {
    let mut story = Story::with(&reminded(), &policy(TELEPHONE));
    story.event(0, "");
    let [duty] = &dispatch(&story.follow(1)).duties[..] else { panic!("one duty") };
    let named: Vec<_> = duty.telephone.iter().map(tocsin_protocol::RecipientId::as_str).collect();
    assert_eq!(named, ["ofcom", "kent-police", "kent-fire"], "those whom the policy requires");
    assert!(matches!(call(60, &mut story, "bt", "ofcom"), Verdict::Call(_)));
    assert!(matches!(call(60, &mut story, "bt", "ofcom"), Verdict::Repeated), "a retry");
    assert!(matches!(call(1800, &mut story, "bt", "kent-police"), Verdict::Call(_)));
    assert!(matches!(call(1801, &mut story, "bt", "kent-fire"), Verdict::Call(_)));
    let (_, found) = found(&story.close(1802, 1, 1));
    assert_eq!(
        found.not_called,
        ["kent-fire".parse().unwrap()],
        "the last moment is in time, the next is late"
    );
    assert!(found.reminds());
}

#[test]
fn a_call_that_is_not_the_publishers_own_to_log_is_refused() {
    let mut story = Story::with(&reminded(), &policy(TELEPHONE));
    story.event(0, "");
    story.follow(1);
    let refused = |verdict: Verdict| match verdict {
        Verdict::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(call(60, &mut story, "ofcom", "ofcom")), RefusalCode::BadSignature);
    assert_eq!(refused(call(60, &mut story, "bt", "nobody")), RefusalCode::UnknownRecipient);
    let body = serde_json::json!({
        "incident": "y", "event": 1, "publisher": "bt", "recipient": "ofcom", "at": story.at(60).to_string(),
        "by": {"name": "A. Example", "role": "duty manager"}, "spoke_to": {"name": "B. Example", "role": "supervisor"},
    });
    let verdict = story.say(60, Some("bt"), "tocsin.incident.bt.y.1.called.ofcom", &body.to_string());
    assert_eq!(refused(verdict), RefusalCode::UnknownEvent);
}

fn told(facts: &[NewFact]) -> Vec<String> {
    let mut all: Vec<_> = facts
        .iter()
        .filter_map(|fact| match &fact.subject {
            Subject::Notice { recipient, .. } => Some(recipient.to_string()),
            _ => None,
        })
        .collect();
    all.sort();
    all
}

#[test]
fn a_correction_goes_to_those_who_had_what_it_corrects_and_a_withdrawal_to_all_who_had_anything() {
    let mut story = Story::new();
    story.event(0, r#""areas": ["medway"]"#);
    let first = told(&story.follow(1));
    story.event(10, r#""sequence": 2, "kind": "update", "areas": ["essex"]"#);
    let second = told(&story.follow(11));
    assert_eq!(first, ["essex-police", "kent-fire", "kent-lrf", "kent-police", "ofcom"]);
    assert_eq!(second, first, "who was told stays told");
    story.event(20, r#""sequence": 3, "kind": "correction", "corrects": 1, "areas": ["medway"]"#);
    assert_eq!(told(&story.follow(21)), first);
    story.event(30, r#""sequence": 4, "kind": "sent-in-error""#);
    assert_eq!(told(&story.follow(31)), first);
    let verdict = story.event(40, r#""sequence": 5, "kind": "update""#);
    let Verdict::Refused(refusal) = verdict else { panic!("{verdict:?}") };
    assert_eq!(refusal.code, RefusalCode::IncidentClosed);

    // Essex alone had the first event of another, and a directory that came meanwhile owes it to others too.
    let mut story = Story::new();
    story.event(0, r#""areas": ["essex"]"#);
    let first = told(&story.follow(1));
    assert_eq!(first, ["essex-police", "kent-police", "ofcom"]);
    story.event(10, r#""sequence": 2, "kind": "update", "areas": ["kent"]"#);
    story.follow(11);
    story.event(20, r#""sequence": 3, "kind": "correction", "corrects": 1, "areas": ["essex"]"#);
    assert_eq!(told(&story.follow(21)), first, "and not to those who came with the second");
    story.event(30, r#""sequence": 4, "kind": "cancelled""#);
    assert_eq!(told(&story.follow(31)).len(), 5, "a cancellation, to all who had anything");
}

#[test]
fn a_correction_of_nothing_earlier_is_refused_and_a_material_one_is_acknowledged_anew() {
    let mut story = Story::new();
    story.event(0, "");
    story.follow(1);
    let verdict = story.event(10, r#""sequence": 2, "kind": "correction", "corrects": 2"#);
    let Verdict::Refused(refusal) = verdict else { panic!("{verdict:?}") };
    assert_eq!(refusal.code, RefusalCode::WrongSequence);
    story.event(20, r#""sequence": 2, "kind": "correction", "corrects": 1"#);
    assert!(!dispatch(&story.follow(21)).acknowledge);
    story.event(30, r#""sequence": 3, "kind": "correction", "corrects": 1, "material": true"#);
    let material = dispatch(&story.follow(31));
    assert!(material.acknowledge);
    assert_eq!(material.worsened, ["the publisher calls it material"]);
}

const HANDOVER: &str = r#"
id = "lost-calls"
name = "Lost callers handed over"
basis = "our own"
confidence = "assumption"
clock = "published"
trigger = "handover"
acknowledge = []
owed = [{ kinds = ["police"], where = "handed-over", requirement = "required" }]
steps = [{ within = "60m", contact = "duty" }]
"#;

#[test]
fn each_force_acknowledges_the_list_that_it_was_handed_and_no_other_is_asked() {
    let mut story = Story::under(HANDOVER);
    let handed = |kent: u32, essex: u32| {
        format!(
            r#""areas": ["kent", "essex"], "recontact": {{"by_area": {{"kent": {{"handed_to_police": {kent}}}, "essex": {{"handed_to_police": {essex}}}}}}}"#
        )
    };
    story.event(0, r#""areas": ["kent", "essex"]"#);
    assert_eq!(told(&story.follow(1)), Vec::<String>::new(), "nothing is handed over yet");
    story.event(10, &format!("{UPDATE}, {}", handed(31, 0)));
    let facts = story.follow(11);
    assert_eq!(told(&facts), ["kent-police"]);
    assert!(dispatch(&facts).acknowledge);
    let notice: Notice = read(&facts, |subject| matches!(subject, Subject::Notice { .. }));
    assert_eq!(notice.recontact_here.unwrap().handed_to_police, Some(31), "its own list alone");
    story.event(20, &format!(r#""sequence": 3, "kind": "update", {}"#, handed(31, 29)));
    assert_eq!(told(&story.follow(21)), ["essex-police"]);
    story.event(30, &format!(r#""sequence": 4, "kind": "update", {}"#, handed(31, 29)));
    assert_eq!(told(&story.follow(31)), Vec::<String>::new(), "no list has grown");
}

#[test]
fn a_step_that_reaches_for_the_buddy_writes_to_it_in_the_silent_ones_stead() {
    let directory = DIRECTORY.replace(
        "areas = [\"kent\"], neighbours = [\"essex-police\"],",
        "areas = [\"kent\"], neighbours = [\"essex-police\"], buddy = \"essex-police\",",
    );
    let policy = POLICY.replace(
        "{ within = \"30m\", contact = \"senior\" }",
        "{ within = \"30m\", contact = \"senior\", reach = \"buddy\" }",
    );
    let mut story = Story::with(&directory, &policy);
    story.event(0, "");
    story.follow(1);
    let facts = story.close(1801, 1, 2);
    let to = |who: &str| -> Escalation {
        read(
            &facts,
            |subject| matches!(subject, Subject::Escalation { recipient, .. } if recipient.as_str() == who),
        )
    };
    let kent = to("kent-police");
    assert_eq!(kent.to.email, "gold@essex-police.example");
    assert_eq!(kent.via.unwrap().recipient.as_str(), "essex-police");
    let fire = to("kent-fire");
    assert_eq!((fire.to.email.as_str(), fire.via), ("po@kent-fire.example", None), "it has no buddy");
}
