//! A checker that finds nothing wrong must be able to: each fault is made, and must be found.

use bytes::Bytes;
use serde::Serialize;
use tocsin_protocol::{
    AttemptBegun, AttemptEnded, ClockStart, Dispatch, DispatchDuty, DispatchStep, Due, DutyFinding,
    DutyStart, Entry, Escalation, EscalationReason, EventKind, Finding, Notice, Outcome, Overdue, Owed,
    Refusal, RefusalCode, Requirement, Stage, Status, Stream, Timestamp, from_body, to_body,
};

use super::{Evidence, Standing, check};
use crate::{CONSOLE, Cast, LINKS, Mail, event, publisher::receipt, seconds};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn entry(stream: Stream, sequence: u64, second: i64, subject: &str, body: &impl Serialize) -> Entry {
    Entry {
        stream,
        sequence,
        time: at(second),
        subject: subject.to_owned(),
        signed: None,
        said_through: None,
        body: to_body("fact", body).unwrap(),
    }
}

fn signed(cast: &Cast, author: &str, mut entry: Entry) -> Entry {
    entry.signed = Some(cast.key(author).sign(&entry.subject, &entry.body).unwrap());
    entry
}

fn owed(requirement: Requirement, recipients: &[&str]) -> Owed {
    Owed {
        policy: "test".parse().unwrap(),
        requirement,
        recipients: recipients.iter().map(|id| id.parse().unwrap()).collect(),
    }
}

/// An exercise of which `a` acknowledges in time, `b` never does and is written to twice, and `u` is informed. The operator
/// promises more, and says nothing: all three are told.
fn all_as_promised() -> (Cast, Evidence) {
    let cast = Cast::new(&[seconds(10.0), seconds(20.0)]).required(&["a", "b"]).informed(&["u"]);
    let mut first = event("x", 1, EventKind::Initial);
    first.status = Status::Exercise;
    first.next_update_by = Some(at(25));
    let acknowledged = receipt("a", "x", 1, tocsin_protocol::ReceiptStage::Acknowledged);
    let said = vec![
        signed(&cast, "operator", entry(Stream::Said, 1, 1, "tocsin.incident.operator.x.1", &first)),
        signed(&cast, "a", entry(Stream::Said, 2, 5, "tocsin.receipt.a.x.1.acknowledged", &acknowledged)),
        entry(Stream::Said, 3, 6, "tocsin.receipt.b.x.1.acknowledged", &acknowledged),
    ];
    let mut log = Log(Vec::new());
    log.write(0, "tocsin.directory.1", &cast.document);
    let steps = [(1_u32, 11, "duty"), (2, 21, "senior")].map(|(number, due, contact)| DispatchStep {
        reach: tocsin_protocol::Reach::Own,
        step: number.to_string().parse().unwrap(),
        policy: "test".parse().unwrap(),
        due_at: at(due),
        contact: contact.to_owned(),
    });
    let dispatch = Dispatch {
        duties: vec![DispatchDuty {
            duty: DispatchDuty::NEXT_UPDATE.parse().unwrap(),
            policy: None,
            stage: Stage::Update,
            from: DutyStart::Clock(ClockStart::Published),
            clock_at: at(1),
            clock_assumed: false,
            due_at: at(25),
            target: false,
            telephone: Vec::new(),
            step: Some("3".parse().unwrap()),
            met_at: None,
        }],
        incident: "x".parse().unwrap(),
        event: "1".parse().unwrap(),
        kind: EventKind::Initial,
        status: Status::Exercise,
        publisher: "operator".parse().unwrap(),
        said: 1,
        published_at: at(1),
        directory: 1,
        acknowledge: true,
        worsened: Vec::new(),
        policies: Vec::new(),
        steps: steps.to_vec(),
        owed: vec![owed(Requirement::Required, &["a", "b"]), owed(Requirement::Informed, &["u"])],
    };
    log.write(2, "tocsin.dispatch.operator.x.1", &dispatch);
    for recipient in ["a", "b", "u"] {
        log.write(2, &format!("tocsin.notice.{recipient}.x.1"), &notice(recipient, &said[0], &dispatch));
    }
    let refusal = Refusal {
        said: 3,
        subject: said[2].subject.clone(),
        code: RefusalCode::BadSignature,
        reasons: vec!["unsigned".to_owned()],
    };
    log.write(6, "tocsin.refusal.b.3", &refusal);
    let mut mails = Vec::new();
    for step in &steps {
        log.close(step);
        mails.push(log.send(step));
    }
    log.break_the_promise(&dispatch);
    (cast, Evidence { said, log: log.0, mails })
}

fn notice(recipient: &str, said: &Entry, dispatch: &Dispatch) -> Notice {
    let signed = said.signed.clone().unwrap();
    Notice {
        recontact_here: None,
        incident: dispatch.incident.clone(),
        event: dispatch.event,
        recipient: recipient.parse().unwrap(),
        status: dispatch.status,
        requirement: Requirement::Required,
        acknowledge: true,
        due_at: Some(at(11)),
        policies: Vec::new(),
        directory: 1,
        said: 1,
        published_at: at(1),
        calls_unsuccessful_here: None,
        key: signed.key,
        signature: signed.signature,
        said_body: from_body("event", &said.body).unwrap(),
    }
}

struct Log(Vec<Entry>);

impl Log {
    fn write(&mut self, second: i64, subject: &str, body: &impl Serialize) {
        let sequence = self.0.len() as u64 + 1;
        self.0.push(entry(Stream::Log, sequence, second, subject, body));
    }

    fn break_the_promise(&mut self, dispatch: &Dispatch) {
        let (incident, event) = (dispatch.incident.clone(), dispatch.event);
        let duty = &dispatch.duties[0];
        let (step, due_at) = (duty.step.unwrap(), duty.due_at);
        self.write(25, "tocsin.due.x.1.3", &Due { incident: incident.clone(), event, step, due_at });
        let finding = Finding {
            duty: Some(DutyFinding {
                duty: duty.duty.clone(),
                overdue: true,
                target: false,
                met_by: None,
                met_at: None,
                not_called: Vec::new(),
                superseded_by: None,
                repeated: false,
                again: None,
            }),
            incident: incident.clone(),
            event,
            step,
            policy: None,
            status: dispatch.status,
            due_at,
            closed_at: due_at,
            required: 0,
            acknowledged: 0,
            silent: Vec::new(),
            late: Vec::new(),
            stopped_by: None,
        };
        self.write(25, "tocsin.finding.x.1.3", &finding);
        for recipient in ["a", "b", "u"] {
            let overdue = Overdue {
                incident: incident.clone(),
                event,
                step,
                recipient: recipient.parse().unwrap(),
                status: dispatch.status,
                publisher: dispatch.publisher.clone(),
                promised_by: due_at,
            };
            self.write(25, &format!("tocsin.notice.{recipient}.x.1.overdue.3"), &overdue);
        }
    }

    fn close(&mut self, step: &DispatchStep) {
        let (number, second) = (step.step, step.due_at.as_second() - 1_000_000);
        let (incident, event) = ("x".parse().unwrap(), "1".parse().unwrap());
        let due = Due { incident, event, step: number, due_at: step.due_at };
        self.write(second, &format!("tocsin.due.x.1.{number}"), &due);
        let finding = Finding {
            duty: None,
            incident: due.incident.clone(),
            event: due.event,
            step: number,
            policy: Some(step.policy.clone()),
            status: Status::Exercise,
            due_at: step.due_at,
            closed_at: step.due_at,
            required: 2,
            acknowledged: 1,
            silent: vec!["b".parse().unwrap()],
            late: Vec::new(),
            stopped_by: None,
        };
        self.write(second, &format!("tocsin.finding.x.1.{number}"), &finding);
        let owed = Escalation {
            duty: None,
            via: None,
            incident: due.incident,
            event: due.event,
            step: number,
            recipient: "b".parse().unwrap(),
            recipient_name: "Body b".to_owned(),
            policy: Some(step.policy.clone()),
            status: Status::Exercise,
            said: 1,
            due_at: step.due_at,
            reason: EscalationReason::Silent,
            contact: step.contact.clone(),
            to: tocsin_protocol::Contact {
                role: "Officer".to_owned(),
                email: format!("{}@b.example", step.contact),
                phone: None,
            },
            time_zone: "Europe/London".to_owned(),
        };
        self.write(second, &format!("tocsin.escalation.b.x.1.{number}"), &owed);
    }

    fn send(&mut self, step: &DispatchStep) -> Mail {
        let (number, second) = (step.step, step.due_at.as_second() - 999_999);
        let (to, message_id) =
            (format!("{}@b.example", step.contact), format!("<x.{number}@operator.example>"));
        let begun = AttemptBegun {
            relay: "relay-1".to_owned(),
            to: to.clone(),
            message_id: message_id.clone(),
            token: None,
            digest: None,
        };
        self.write(second, &format!("tocsin.attempt.b.x.1.{number}.1.begun"), &begun);
        let ended = AttemptEnded {
            relay: "relay-1".to_owned(),
            outcome: Outcome::Accepted,
            code: Some(250),
            reply: "ok".to_owned(),
        };
        self.write(second, &format!("tocsin.attempt.b.x.1.{number}.1.ended"), &ended);
        let subject = "EXERCISE EXERCISE EXERCISE - 999".to_owned();
        Mail { to: vec![to], message_id, subject, text: String::new(), html: String::new() }
    }
}

#[test]
fn what_is_as_promised_has_no_fault() {
    let opinion = check(&all_as_promised().1);
    assert_eq!(opinion.faults, Vec::<String>::new());
    let rows = opinion.rows.values().next().unwrap();
    let stood: Vec<_> = rows.iter().map(|row| (row.standing, row.escalations.len())).collect();
    assert_eq!(stood, [(Standing::InTime, 0), (Standing::Silent, 2), (Standing::NotAsked, 0)]);
}

fn place(entries: &[Entry], subject: &str) -> usize {
    entries.iter().position(|entry| entry.subject == subject).unwrap()
}

fn change(entry: &mut Entry, from: &str, to: &str) {
    let text = String::from_utf8(entry.body.to_vec()).unwrap();
    assert!(text.contains(from), "{text}");
    entry.body = Bytes::from(text.replace(from, to));
}

#[test]
fn every_broken_promise_is_found() {
    type Break = fn(&Cast, &mut Evidence);
    let breaks: &[(&str, Break)] = &[
        ("twice on the log", |_, e| {
            let mut again = e.log[place(&e.log, "tocsin.escalation.b.x.1.1")].clone();
            again.sequence = 99;
            e.log.push(again);
        }),
        ("no fact of ours", |_, e| e.log[1].body = Bytes::from_static(b"{")),
        ("no dispatch", |_, e| {
            let at = place(&e.log, "tocsin.dispatch.operator.x.1");
            e.log.remove(at);
        }),
        ("owed and told differ", |_, e| {
            let at = place(&e.log, "tocsin.notice.u.x.1");
            e.log.remove(at);
        }),
        ("does not carry what was said", |_, e| {
            let at = place(&e.log, "tocsin.notice.u.x.1");
            change(&mut e.log[at], "calls are failing", "calls are fine");
        }),
        ("neither window nor due", |_, e| {
            let at = place(&e.log, "tocsin.due.x.1.2");
            e.log.remove(at);
        }),
        ("closed at", |_, e| {
            let at = place(&e.log, "tocsin.due.x.1.1");
            e.log[at].time = self::at(10);
        }),
        ("nothing was found", |_, e| {
            let at = place(&e.log, "tocsin.finding.x.1.2");
            e.log.remove(at);
        }),
        ("should have found", |_, e| {
            let at = place(&e.log, "tocsin.finding.x.1.1");
            change(&mut e.log[at], "[\"b\"]", "[]");
        }),
        ("was not told that what was promised", |_, e| {
            e.log.retain(|x| x.subject != "tocsin.notice.u.x.1.overdue.3");
        }),
        ("was told without need", |_, e| {
            let at = place(&e.log, "tocsin.finding.x.1.3");
            change(&mut e.log[at], r#""overdue":true"#, r#""overdue":false"#);
        }),
        ("not called", |_, e| {
            let at = place(&e.log, "tocsin.finding.x.1.3");
            change(&mut e.log[at], r#""overdue":true"#, r#""overdue":false"#);
        }),
        ("superseded by nothing", |_, e| {
            let at = place(&e.log, "tocsin.finding.x.1.3");
            change(&mut e.log[at], r#""overdue":true"#, r#""overdue":true,"superseded_by":1"#);
        }),
        ("it holds the publisher to", |_, e| {
            let at = place(&e.log, "tocsin.dispatch.operator.x.1");
            change(&mut e.log[at], r#""duty":"next-update""#, r#""duty":"next-update","policy":"test""#);
        }),
        ("neither in time nor escalated", |_, e| e.log.retain(|x| x.subject != "tocsin.escalation.b.x.1.1")),
        ("escalated without need", |_, e| {
            let at = place(&e.log, "tocsin.escalation.b.x.1.1");
            e.log[at].subject = "tocsin.escalation.a.x.1.1".to_owned();
        }),
        // A true acknowledgement by b, in time: the finding and both mails are wrong then.
        ("escalated without need", |cast, e| {
            let word = receipt("b", "x", 1, tocsin_protocol::ReceiptStage::Acknowledged);
            e.said[2] = signed(cast, "b", entry(Stream::Said, 3, 6, &e.said[2].subject.clone(), &word));
        }),
        ("refused, and counts", |cast, e| {
            let word = receipt("b", "x", 1, tocsin_protocol::ReceiptStage::Acknowledged);
            e.said[2] = signed(cast, "b", entry(Stream::Said, 3, 6, &e.said[2].subject.clone(), &word));
        }),
        ("not refused", |_, e| e.log.retain(|x| !x.subject.starts_with("tocsin.refusal."))),
        ("a refusal of nothing", |_, e| _ = e.said.pop()),
        ("its windows are", |_, e| {
            let at = place(&e.log, "tocsin.dispatch.operator.x.1");
            change(&mut e.log[at], "senior", "nobody");
        }),
        ("has not come to its end", |_, e| e.log.retain(|x| x.subject != "tocsin.attempt.b.x.1.1.1.ended")),
        ("taken by the record", |_, e| _ = e.mails.pop()),
        ("and 0 unknown by the record", |_, e| e.mails.push(e.mails[0].clone())),
        ("mails that nobody owed", |_, e| e.mails[1].message_id = "<other@operator.example>".to_owned()),
        ("does not name it", |_, e| {
            let at = place(&e.log, "tocsin.attempt.b.x.1.1.1.begun");
            change(&mut e.log[at], r#"{"relay""#, r#"{"digest":{"lead":9,"of":2},"relay""#);
        }),
        ("the mail went to", |_, e| e.mails[0].to = vec!["thief@evil.example".to_owned()]),
        ("has the subject", |_, e| e.mails[0].subject = "999".to_owned()),
        ("stood down without a reason", |_, e| {
            let at = place(&e.log, "tocsin.attempt.b.x.1.2.1.ended");
            change(&mut e.log[at], "accepted", "stood-down");
        }),
        ("nobody else was written to", |_, e| {
            let at = place(&e.log, "tocsin.attempt.b.x.1.1.1.ended");
            change(&mut e.log[at], "accepted", "permanent");
            e.log.retain(|x| !x.subject.starts_with("tocsin.escalation.b.x.1.2"));
        }),
    ];
    for (number, (fault, break_it)) in breaks.iter().enumerate() {
        let (cast, mut evidence) = all_as_promised();
        break_it(&cast, &mut evidence);
        let faults = check(&evidence).faults;
        assert!(faults.iter().any(|found| found.contains(fault)), "{number}: {fault}: {faults:#?}");
    }
}

#[test]
fn a_mail_may_come_twice_where_an_attempt_is_unknown_and_only_there() {
    let (_, mut evidence) = all_as_promised();
    let ended = place(&evidence.log, "tocsin.attempt.b.x.1.1.1.ended");
    change(&mut evidence.log[ended], "accepted", "unknown");
    for phase in ["begun", "ended"] {
        let first = &evidence.log[place(&evidence.log, &format!("tocsin.attempt.b.x.1.1.1.{phase}"))];
        let mut second = first.clone();
        second.subject = format!("tocsin.attempt.b.x.1.1.2.{phase}");
        second.sequence = 100 + evidence.log.len() as u64;
        if phase == "ended" {
            change(&mut second, "unknown", "accepted");
        }
        evidence.log.push(second);
    }
    evidence.mails.push(evidence.mails[0].clone());
    let opinion = check(&evidence);
    assert_eq!((opinion.faults, opinion.repeated), (Vec::new(), 1));
}

#[test]
fn a_window_that_the_broker_closes_twice_is_its_own_affair_and_a_second_finding_is_not() {
    let (_, mut evidence) = all_as_promised();
    let again = |evidence: &mut Evidence, subject: &str| {
        let mut again = evidence.log[place(&evidence.log, subject)].clone();
        again.sequence = 100;
        again.time = at(22);
        evidence.log.push(again);
    };
    again(&mut evidence, "tocsin.due.x.1.1");
    assert_eq!(check(&evidence).faults, Vec::<String>::new());
    again(&mut evidence, "tocsin.finding.x.1.1");
    assert_eq!(check(&evidence).faults.len(), 1);
}

/// The receipt of `a` in `all_as_promised`, said with this key by this method and link instead, at second 5.
fn said_otherwise(
    (cast, mut evidence): (Cast, Evidence),
    author: &str,
    change: impl Fn(&mut tocsin_protocol::Receipt),
) -> Vec<String> {
    let mut word = receipt("a", "x", 1, tocsin_protocol::ReceiptStage::Acknowledged);
    change(&mut word);
    evidence.said[1] = signed(&cast, author, entry(Stream::Said, 2, 5, &word.subject().to_string(), &word));
    check(&evidence).faults
}

/// One way to alter it.
type Change = fn(&mut tocsin_protocol::Link);

#[test]
fn what_the_console_says_counts_through_its_doors_alone() {
    use tocsin_protocol::{Link, ReceiptMethod};
    let world = |but: &[&str]| {
        let (mut cast, mut evidence) = all_as_promised();
        cast = cast.console(but);
        let first = entry(Stream::Log, 1, 0, "tocsin.directory.1", &cast.document);
        evidence.log[0] = first;
        (cast, evidence)
    };
    let by = |cast: &Cast, key: &str, change: fn(&mut Link)| {
        let mut link = Link {
            recipient: "a".parse().unwrap(),
            incident: "x".parse().unwrap(),
            event: "1".parse().unwrap(),
            step: "1".parse().unwrap(),
            expires_at: at(5),
        };
        change(&mut link);
        link.token(&cast.key(key)).unwrap()
    };
    let refused = |faults: &[String]| faults.iter().any(|fault| fault.contains("not refused: said 2"));

    assert_eq!(said_otherwise(world(&[]), CONSOLE, |r| r.method = Some(ReceiptMethod::Page)), [""; 0]);
    assert_eq!(said_otherwise(world(&[]), CONSOLE, |r| r.method = Some(ReceiptMethod::Program)), [""; 0]);
    assert!(refused(&said_otherwise(world(&["a"]), CONSOLE, |r| r.method = Some(ReceiptMethod::Page))));
    assert!(refused(&said_otherwise(world(&[]), CONSOLE, |r| r.method = Some(ReceiptMethod::Desk))));
    let by_links = || {
        let (mut cast, mut evidence) = all_as_promised();
        cast = cast.console(&[]).by_links(&["a"]);
        evidence.log[0] = entry(Stream::Log, 1, 0, "tocsin.directory.1", &cast.document);
        (cast, evidence)
    };
    for shut in [ReceiptMethod::Page, ReceiptMethod::Program] {
        assert!(refused(&said_otherwise(by_links(), CONSOLE, |r| r.method = Some(shut))));
    }
    assert!(refused(&said_otherwise(world(&[]), CONSOLE, |r| r.method = Some(ReceiptMethod::Link))));
    let good: Change = |_| {};
    let cases: [(&str, Change, bool); 6] = [
        (LINKS, good, true),
        (CONSOLE, good, false),
        (LINKS, |link| link.expires_at = at(4), false),
        (LINKS, |link| link.recipient = "b".parse().unwrap(), false),
        (LINKS, |link| link.incident = "y".parse().unwrap(), false),
        (LINKS, |link| link.event = link.event.next(), false),
    ];
    for (number, (key, change, counts)) in cases.into_iter().enumerate() {
        for world in [world(&[]), by_links()] {
            let link = by(&world.0, key, change);
            let faults = said_otherwise(world, CONSOLE, |r| {
                r.method = Some(ReceiptMethod::Link);
                r.link = Some(link.clone());
            });
            assert_eq!((refused(&faults), faults.is_empty()), (!counts, counts), "{number}: {faults:?}");
        }
    }
}
