//! What is promised of publishers' promises and duties, broken in each way.

use super::{owing::owing, *};

/// What is broken in words, how, which promise that breaks, and whether it may yet be kept.
type Case = (&'static str, fn(&mut Run), Promise, bool);

const DONE: bool = false;
const UNFINISHED: bool = true;

fn are_found(cases: &[Case]) {
    for (name, breaks, promise, unfinished) in cases {
        let mut run = owing();
        breaks(&mut run);
        let findings = check(&run.evidence).findings;
        assert!(run.broken().contains(&(*promise, *unfinished)), "{name}: {findings:#?}");
    }
}

#[test]
fn an_overdue_that_is_none_or_is_not_told_is_found() {
    are_found(&[
        (
            "what was promised and came is found overdue",
            |r| r.change("tocsin.finding.x.2.2", |found| found["duty"]["overdue"] = true.into()),
            Promise::Overdue,
            DONE,
        ),
        (
            "what was promised and did not come is found in time",
            |r| r.change("tocsin.finding.x.1.4", |found| found["duty"]["overdue"] = false.into()),
            Promise::Overdue,
            DONE,
        ),
        ("nothing was found", |r| r.drop_fact("tocsin.finding.x.1.4"), Promise::Found, UNFINISHED),
        (
            "one who waits is not told",
            |r| r.drop_fact("tocsin.notice.b.x.1.overdue.4"),
            Promise::Overdue,
            UNFINISHED,
        ),
        (
            "somebody is told that what came did not",
            |r| {
                let told = json!({"incident": "x", "event": 2, "step": 2, "recipient": "a"});
                r.log(26, "tocsin.notice.a.x.2.overdue.2", &told);
            },
            Promise::Overdue,
            DONE,
        ),
        (
            "somebody is told twice",
            |r| {
                let again = r.evidence.log[r.place("tocsin.notice.a.x.1.overdue.4")].clone();
                r.evidence.log.push(Entry { sequence: 999, ..again });
            },
            Promise::Once,
            DONE,
        ),
        (
            "somebody is told of another promise",
            |r| r.change("tocsin.notice.a.x.1.overdue.4", |told| told["promised_by"] = words(12).into()),
            Promise::Overdue,
            DONE,
        ),
        ("a desk does not show it", |r| r.evidence.shown.clear(), Promise::Delivered, UNFINISHED),
        (
            "a desk shows what nobody wrote",
            |r| _ = r.evidence.shown.insert(("u".to_owned(), "x".to_owned(), 1, 4)),
            Promise::Overdue,
            DONE,
        ),
        (
            "its publisher is not reminded",
            |r| r.drop_fact("tocsin.escalation.op.x.1.4"),
            Promise::Overdue,
            UNFINISHED,
        ),
        (
            "its publisher is reminded of another duty",
            |r| r.change("tocsin.escalation.op.x.1.1", |owed| owed["duty"] = "notification".into()),
            Promise::Overdue,
            DONE,
        ),
        (
            "a publisher is reminded of what another time took the place of",
            |r| r.moves("tocsin.escalation.op.x.1.4", "step", &2.into(), "tocsin.escalation.op.x.1.2"),
            Promise::NeverBoth,
            DONE,
        ),
        (
            "a publisher is reminded of what it did",
            |r| r.moves("tocsin.escalation.op.x.1.1", "event", &2.into(), "tocsin.escalation.op.x.2.1"),
            Promise::NeverBoth,
            DONE,
        ),
        (
            "a publisher is reminded of what it withdrew",
            |r| r.moves("tocsin.escalation.op.x.1.1", "incident", &"y".into(), "tocsin.escalation.op.y.1.1"),
            Promise::NeverBoth,
            DONE,
        ),
        (
            "a reminder goes again without an unknown",
            |r| {
                let again = r.evidence.mails[0].clone();
                r.evidence.mails.push(again);
            },
            Promise::Mail,
            DONE,
        ),
    ]);
}

#[test]
fn a_duty_or_a_correction_that_is_judged_wrongly_is_found() {
    are_found(&[
        (
            "a reminder of what a law wants is stood down because something else was said",
            |r| {
                r.drop_fact("tocsin.attempt.op.x.1.1.1.begun");
                r.change("tocsin.attempt.op.x.1.1.1.ended", |end| {
                    *end = json!({"relay": "", "outcome": "stood-down", "reply": ""});
                });
                let place = r.place("tocsin.attempt.op.x.1.1.1.ended");
                r.evidence.log[place].at = at(16);
                r.evidence.mails.remove(0);
            },
            Promise::Ended,
            DONE,
        ),
        (
            "a force that was called is found not called",
            |r| r.change("tocsin.finding.x.1.1", |found| found["duty"]["not_called"] = json!(["a", "b"])),
            Promise::Overdue,
            DONE,
        ),
        (
            "a call is logged in the publisher's name by another",
            |r| r.say(6, "b", "tocsin.incident.op.x.1.called.b", &json!({})),
            Promise::Judged,
            DONE,
        ),
        (
            "what was withdrawn is found as if it stood",
            |r| r.change("tocsin.finding.y.1.2", |found| found["stopped_by"] = Value::Null),
            Promise::Overdue,
            DONE,
        ),
        (
            "a dispatch leaves a promise out",
            |r| r.change("tocsin.dispatch.op.x.2", |fact| _ = fact["duties"].as_array_mut().unwrap().pop()),
            Promise::Overdue,
            DONE,
        ),
        (
            "a dispatch has another time for a duty",
            |r| r.change("tocsin.dispatch.op.x.2", |fact| fact["duties"][0]["due_at"] = words(24).into()),
            Promise::Overdue,
            DONE,
        ),
        (
            "the window of a duty is neither armed nor closed",
            |r| {
                r.drop_fact("tocsin.due.x.2.1");
                r.drop_fact("tocsin.finding.x.2.1");
            },
            Promise::Whole,
            UNFINISHED,
        ),
        (
            "a correction goes to one who had not what it corrects",
            |r| {
                r.change("tocsin.dispatch.op.x.3", |fact| {
                    fact["owed"][0]["recipients"] = json!(["a", "b", "u"]);
                });
            },
            Promise::Corrected,
            DONE,
        ),
        (
            "a correction leaves out one who had what it corrects",
            |r| r.change("tocsin.dispatch.op.x.3", |fact| fact["owed"][0]["recipients"] = json!(["a"])),
            Promise::Corrected,
            DONE,
        ),
        (
            "a withdrawal leaves out one who had anything",
            |r| r.change("tocsin.dispatch.op.x.4", |fact| _ = fact["owed"].as_array_mut().unwrap().pop()),
            Promise::Corrected,
            DONE,
        ),
        (
            "callers are handed to another force",
            |r| r.change("tocsin.dispatch.op.z.2", |fact| fact["owed"][1]["recipients"] = json!(["b"])),
            Promise::Whole,
            DONE,
        ),
    ]);
}

#[test]
fn a_duty_that_is_owed_again_otherwise_than_its_rhythm_says_is_found() {
    are_found(&[
        (
            "nobody did it, and it is not owed again",
            |r| r.change("tocsin.finding.w.1.1", |found| found["duty"]["again"] = Value::Null),
            Promise::Overdue,
            DONE,
        ),
        (
            "it is owed again at another time",
            |r| r.change("tocsin.finding.w.1.1", |found| found["duty"]["again"]["due_at"] = words(22).into()),
            Promise::Overdue,
            DONE,
        ),
        (
            "it is owed again by another window",
            |r| r.change("tocsin.finding.w.1.1", |found| found["duty"]["again"]["step"] = 3.into()),
            Promise::Overdue,
            DONE,
        ),
        (
            "it is owed again after its end",
            |r| {
                r.change("tocsin.finding.w.1.2", |found| {
                    found["duty"]["again"] = json!({"step": 3, "due_at": words(31)});
                });
            },
            Promise::Overdue,
            DONE,
        ),
        (
            "somebody did it, and it is owed again from then",
            |r| {
                r.change("tocsin.finding.x.1.3", |found| {
                    found["duty"]["again"] = json!({"step": 7, "due_at": words(40)});
                });
            },
            Promise::Overdue,
            DONE,
        ),
        (
            "it is not said that it is owed again and again",
            |r| r.change("tocsin.finding.w.1.2", |found| found["duty"]["repeated"] = false.into()),
            Promise::Overdue,
            DONE,
        ),
        (
            "the next window is neither armed nor closed",
            |r| {
                r.drop_fact("tocsin.due.w.1.2");
                r.drop_fact("tocsin.finding.w.1.2");
            },
            Promise::Whole,
            UNFINISHED,
        ),
        (
            "a window closes that nothing made due",
            |r| {
                let due = json!({"incident": "w", "event": 1, "step": 3, "due_at": words(31)});
                r.log(31, "tocsin.due.w.1.3", &due);
            },
            Promise::Whole,
            DONE,
        ),
        (
            "nothing is found of the next time",
            |r| r.drop_fact("tocsin.finding.w.1.2"),
            Promise::Found,
            UNFINISHED,
        ),
        (
            "its publisher is reminded of the first time alone",
            |r| r.drop_fact("tocsin.escalation.op.w.1.2"),
            Promise::Overdue,
            UNFINISHED,
        ),
        (
            "it was over, and is owed again",
            |r| {
                let resolved = json!({"incident": "w", "sequence": 2, "kind": "resolved", "status": "actual",
                    "publisher": "op", "services": ["text-relay"], "severity": "minor"});
                r.say(10, "op", "tocsin.incident.op.w.2", &resolved);
            },
            Promise::Overdue,
            DONE,
        ),
    ]);
}
