//! Each promise, broken in each way.

use super::*;

/// What is broken in words, how, which promise that breaks, and whether it may yet be kept.
type Case = (&'static str, fn(&mut Run), Promise, bool);

const DONE: bool = false;
const UNFINISHED: bool = true;

fn are_found(cases: &[Case]) {
    for (name, breaks, promise, unfinished) in cases {
        let mut run = Run::good();
        breaks(&mut run);
        assert!(
            run.broken().contains(&(*promise, *unfinished)),
            "{name}: {:#?}",
            check(&run.evidence).findings
        );
    }
}

#[test]
fn what_was_said_and_is_lost_doubled_or_misjudged_is_found() {
    are_found(&[
        (
            "an event that was acknowledged is lost",
            |r| _ = r.evidence.said.remove(0),
            Promise::NothingLost,
            DONE,
        ),
        (
            "a receipt that was acknowledged is lost",
            |r| _ = r.evidence.said.remove(5),
            Promise::NothingLost,
            DONE,
        ),
        ("it stands elsewhere", |r| r.evidence.told[1].sequence = Some(7), Promise::NothingLost, DONE),
        ("other words stand", |r| r.evidence.told[0].fact = Some(json!({})), Promise::NothingLost, DONE),
        (
            "the same was said twice",
            |r| {
                let again = r.evidence.said[5].clone();
                r.evidence.said.push(Entry { sequence: 99, upon: Some(again.sequence), ..again });
            },
            Promise::Once,
            DONE,
        ),
        (
            "a second word was stored on condition that nothing stood there",
            |r| r.evidence.said[7].upon = Some(0),
            Promise::Once,
            DONE,
        ),
        ("a word was stored on no condition", |r| r.evidence.said[0].upon = None, Promise::Once, DONE),
        (
            "a fact stands in the log twice",
            |r| {
                let again = r.evidence.log[r.place("tocsin.escalation.b.x.1.1")].clone();
                r.evidence.log.push(Entry { sequence: 99, ..again });
            },
            Promise::Once,
            DONE,
        ),
        (
            "a window closes again with other words",
            |r| {
                r.log(
                    30,
                    "tocsin.due.x.1.1",
                    &json!({"incident": "x", "event": 1, "step": 1, "due_at": words(12)}),
                );
            },
            Promise::Once,
            DONE,
        ),
        ("no fact of ours", |r| r.log(30, "tocsin.whatever.x", &json!({})), Promise::Once, DONE),
        ("a second word is not refused", |r| r.drop_fact("tocsin.refusal.c.8"), Promise::Judged, UNFINISHED),
        (
            "a second word is refused in another's name",
            |r| {
                r.drop_fact("tocsin.refusal.c.8");
                r.log(15, "tocsin.refusal.b.8", &json!({"said": 8}));
            },
            Promise::Judged,
            DONE,
        ),
        (
            "what counts is refused",
            |r| r.log(9, "tocsin.refusal.a.6", &json!({"said": 6})),
            Promise::Judged,
            DONE,
        ),
        (
            "nothing is refused",
            |r| r.log(9, "tocsin.refusal.a.60", &json!({"said": 60})),
            Promise::Judged,
            DONE,
        ),
        (
            "words of somebody else's",
            |r| r.say(9, "b", "tocsin.receipt.a.x.1.acknowledged", &json!({})),
            Promise::Judged,
            DONE,
        ),
    ]);
}

#[test]
fn a_dispatch_that_is_not_whole_is_found() {
    are_found(&[
        ("no dispatch", |r| r.drop_fact("tocsin.dispatch.op.x.1"), Promise::Whole, UNFINISHED),
        ("a notice is missing", |r| r.drop_fact("tocsin.notice.u.x.1"), Promise::Whole, UNFINISHED),
        (
            "a notice says other words",
            |r| r.change("tocsin.notice.a.x.1", |notice| notice["said_body"]["severity"] = "extreme".into()),
            Promise::Whole,
            DONE,
        ),
        (
            "a notice with another time",
            |r| r.change("tocsin.notice.a.x.1", |notice| notice["due_at"] = words(12).into()),
            Promise::Whole,
            DONE,
        ),
        (
            "a notice to nobody who is owed it",
            |r| {
                let mut notice = r.notice("a");
                notice["recipient"] = "z".into();
                r.log(9, "tocsin.notice.z.x.1", &notice);
            },
            Promise::Whole,
            DONE,
        ),
        (
            "a dispatch that leaves somebody out",
            |r| r.change("tocsin.dispatch.op.x.1", |fact| fact["owed"][0]["recipients"] = json!(["a", "b"])),
            Promise::Whole,
            DONE,
        ),
        (
            "a dispatch with another window",
            |r| r.change("tocsin.dispatch.op.x.1", |fact| fact["steps"][0]["due_at"] = words(30).into()),
            Promise::Whole,
            DONE,
        ),
        (
            "a dispatch of what was not said",
            |r| r.log(9, "tocsin.dispatch.op.y.1", &json!({"incident": "y", "event": 1, "publisher": "op"})),
            Promise::Whole,
            DONE,
        ),
        (
            "a fact under another's subject",
            |r| r.change("tocsin.due.x.1.1", |due| due["step"] = 2.into()),
            Promise::Whole,
            DONE,
        ),
        (
            "a window that is neither armed nor closed",
            |r| {
                r.drop_fact("tocsin.due.x.1.2");
                r.drop_fact("tocsin.finding.x.1.2");
                r.drop_fact("tocsin.escalation.b.x.1.2");
            },
            Promise::Whole,
            UNFINISHED,
        ),
        (
            "a window that is still armed",
            |r| r.log(9, "tocsin.window.x.1.2", &json!({})),
            Promise::Found,
            UNFINISHED,
        ),
        (
            "a notice that did not arrive",
            |r| r.evidence.said.retain(|entry| entry.subject != "tocsin.receipt.u.x.1.delivered"),
            Promise::Delivered,
            UNFINISHED,
        ),
    ]);
}

#[test]
fn a_duty_that_is_not_met_is_found() {
    are_found(&[
        (
            "a window closes too early",
            |r| {
                let place = r.place("tocsin.due.x.1.1");
                r.evidence.log[place].at = at(10);
            },
            Promise::Found,
            DONE,
        ),
        ("nothing was found", |r| r.drop_fact("tocsin.finding.x.1.1"), Promise::Found, UNFINISHED),
        (
            "somebody who was in time is found silent",
            |r| r.change("tocsin.finding.x.1.1", |fact| fact["silent"] = json!(["a", "b", "c"])),
            Promise::Found,
            DONE,
        ),
        (
            "it was found before the window closed",
            |r| {
                let place = r.place("tocsin.finding.x.1.1");
                r.evidence.log[place].sequence = 1;
            },
            Promise::Found,
            DONE,
        ),
        (
            "neither in time nor escalated",
            |r| r.drop_fact("tocsin.escalation.b.x.1.1"),
            Promise::NeverNeither,
            UNFINISHED,
        ),
        (
            "escalated to another address",
            |r| r.change("tocsin.escalation.b.x.1.1", |fact| fact["to"]["email"] = "x@b.example".into()),
            Promise::NeverNeither,
            DONE,
        ),
        ("escalated although in time", |r| r.escalate(1, "a", "duty"), Promise::NeverBoth, DONE),
        (
            "an address takes no mail, and nobody else is written to",
            |r| {
                r.change("tocsin.attempt.b.x.1.1.2.ended", |end| end["outcome"] = "permanent".into());
                r.drop_fact("tocsin.escalation.b.x.1.2");
            },
            Promise::NeverNeither,
            UNFINISHED,
        ),
        (
            "the next contact is written to before it is known that it must be",
            |r| {
                r.change("tocsin.escalation.b.x.1.2", |fact| fact["reason"] = "unreachable".into());
                r.change("tocsin.attempt.b.x.1.1.2.ended", |end| end["outcome"] = "permanent".into());
                let place = r.place("tocsin.escalation.b.x.1.2");
                r.evidence.log[place].sequence = 1;
            },
            Promise::NeverBoth,
            DONE,
        ),
    ]);
}

#[test]
fn a_mail_that_breaks_the_record_is_found() {
    are_found(&[
        (
            "a mail that has not come to its end",
            |r| r.drop_fact("tocsin.attempt.b.x.1.2.1.ended"),
            Promise::Ended,
            UNFINISHED,
        ),
        (
            "a mail that nobody tried to send",
            |r| {
                r.drop_fact("tocsin.attempt.c.x.1.1.1.ended");
            },
            Promise::Ended,
            UNFINISHED,
        ),
        (
            "an attempt is missing",
            |r| {
                r.drop_fact("tocsin.attempt.b.x.1.1.1.begun");
                r.drop_fact("tocsin.attempt.b.x.1.1.1.ended");
            },
            Promise::Ended,
            DONE,
        ),
        ("sent again after it was accepted", |r| r.attempt("b", 2, 2, "accepted", 23), Promise::Ended, DONE),
        (
            "sent under another Message-ID",
            |r| r.change("tocsin.attempt.b.x.1.1.2.begun", |begun| begun["message_id"] = "<other@m>".into()),
            Promise::Ended,
            DONE,
        ),
        (
            "stood down without a reason",
            |r| r.change("tocsin.attempt.b.x.1.2.1.ended", |end| end["outcome"] = "stood-down".into()),
            Promise::Ended,
            DONE,
        ),
        ("a mail is not where the record says", |r| _ = r.evidence.mails.pop(), Promise::Mail, DONE),
        ("a mail again without an unknown", |r| r.mail("senior", 2), Promise::Mail, DONE),
        (
            "a mail that nobody is owed",
            |r| r.evidence.mails[0].message_id = "<nobody@m>".to_owned(),
            Promise::Mail,
            DONE,
        ),
        (
            "a mail to somebody else",
            |r| r.evidence.mails[0].to = vec!["else@b.example".to_owned()],
            Promise::Mail,
            DONE,
        ),
        (
            "an exercise that does not say so",
            |r| r.evidence.mails[0].subject = "x".to_owned(),
            Promise::Mail,
            DONE,
        ),
        (
            "attempts of a mail that nobody is owed",
            |r| r.attempt("a", 1, 1, "accepted", 12),
            Promise::Mail,
            DONE,
        ),
    ]);
}
