//! A checker that finds nothing wrong must be able to: each promise is broken, and must be found broken.

use data_encoding::BASE64URL_NOPAD;
use nkeys::KeyPair;
use serde_json::json;

use super::*;

mod broken;
mod owing;
mod unpaid;

fn at(second: u32) -> Timestamp {
    Timestamp::from_second(1_000_000 + i64::from(second)).unwrap()
}

fn words(second: u32) -> String {
    at(second).to_string()
}

/// A good run: `a` acknowledges in time, `c` after its first window, `b` never, and `u` is informed. The first mail to
/// `b` is lost sight of and sent again.
struct Run {
    keys: BTreeMap<&'static str, KeyPair>,
    evidence: Evidence,
}

impl Run {
    fn good() -> Self {
        let keys = ["op", "a", "b", "c", "u"].map(|id| (id, KeyPair::new_user()));
        let mut run = Self { keys: keys.into(), evidence: Evidence::default() };
        let recipients = ["a", "b", "c", "u"].map(|id| {
            let contact = |word: &str| json!({"role": word, "email": format!("{word}@{id}.example")});
            json!({
                "id": id, "kind": if id == "u" { "utility" } else { "police" }, "key": run.keys[id].public_key(),
                "contacts": {"duty": contact("duty"), "senior": contact("senior")},
            })
        });
        let policy = json!({
            "id": "p", "clock": "published", "acknowledge": ["initial"],
            "owed": [
                {"kinds": ["police"], "where": "anywhere", "requirement": "required"},
                {"kinds": ["utility"], "where": "anywhere", "requirement": "informed"},
            ],
            "steps": [{"within": "10s", "contact": "duty"}, {"within": "20s", "contact": "senior"}],
        });
        let publisher = json!({"id": "op", "key": run.keys["op"].public_key(), "areas": "all"});
        let event = json!({
            "incident": "x", "sequence": 1, "kind": "initial", "status": "exercise", "publisher": "op",
            "services": ["ecall"], "severity": "minor",
        });
        run.log(
            0,
            "tocsin.directory.1",
            &json!({"publishers": [publisher], "recipients": recipients, "policies": [policy]}),
        );
        run.say(1, "op", "tocsin.incident.op.x.1", &event);
        run.dispatch();
        for id in ["a", "b", "c", "u"] {
            run.say(3, id, &format!("tocsin.receipt.{id}.x.1.delivered"), &json!({"at": "then"}));
        }
        run.say(5, "a", "tocsin.receipt.a.x.1.acknowledged", &json!({"by": "one"}));
        run.say(13, "c", "tocsin.receipt.c.x.1.acknowledged", &json!({"by": "one"}));
        run.say(14, "c", "tocsin.receipt.c.x.1.acknowledged", &json!({"by": "another"}));
        let second = run.evidence.said.last().unwrap().sequence;
        run.log(14, &format!("tocsin.refusal.c.{second}"), &json!({"said": second, "code": "already-said"}));
        run.close(11, 1, &["b", "c"]);
        run.escalate(1, "b", "duty");
        run.escalate(1, "c", "duty");
        run.attempt("b", 1, 1, "unknown", 12);
        run.attempt("b", 1, 2, "accepted", 12);
        run.attempt("c", 1, 1, "stood-down", 14);
        run.close(21, 2, &["b"]);
        run.escalate(2, "b", "senior");
        run.attempt("b", 2, 1, "accepted", 22);
        run.mail("duty", 1);
        run.mail("duty", 1);
        run.mail("senior", 2);
        run.evidence.told = vec![
            Told { subject: "tocsin.incident.op.x.1".to_owned(), sequence: None, fact: Some(event) },
            Told { subject: "tocsin.receipt.a.x.1.acknowledged".to_owned(), sequence: Some(6), fact: None },
        ];
        run
    }

    fn say(&mut self, second: u32, author: &str, subject: &str, body: &Value) {
        let body = body.to_string();
        let bytes = [subject.as_bytes(), b"\n", body.as_bytes()].concat();
        let signature = BASE64URL_NOPAD.encode(&self.keys[author].sign(&bytes).unwrap());
        let signed = Some((self.keys[author].public_key(), signature));
        let sequence = self.evidence.said.len() as u64 + 1;
        let stood = self.evidence.said.iter().rfind(|entry| entry.subject == subject);
        let upon = Some(stood.map_or(0, |entry| entry.sequence));
        let entry =
            Entry { sequence, at: at(second), subject: subject.to_owned(), signed, upon, body: body.into() };
        self.evidence.said.push(entry);
    }

    fn log(&mut self, second: u32, subject: &str, body: &Value) {
        let sequence = self.evidence.log.last().map_or(0, |last| last.sequence) + 1;
        let body = body.to_string().into();
        let entry =
            Entry { sequence, at: at(second), subject: subject.to_owned(), signed: None, upon: None, body };
        self.evidence.log.push(entry);
    }

    fn dispatch(&mut self) {
        let step = |number: u32, contact: &str| json!({"step": number, "policy": "p", "due_at": words(1 + 10 * number), "contact": contact});
        let fact = json!({
            "incident": "x", "event": 1, "kind": "initial", "status": "exercise", "publisher": "op", "said": 1,
            "published_at": words(1), "directory": 1, "acknowledge": true, "policies": [],
            "steps": [step(1, "duty"), step(2, "senior")],
            "owed": [
                {"policy": "p", "requirement": "required", "recipients": ["a", "b", "c"]},
                {"policy": "p", "requirement": "informed", "recipients": ["u"]},
            ],
        });
        self.log(2, "tocsin.dispatch.op.x.1", &fact);
        for id in ["a", "b", "c", "u"] {
            let notice = self.notice(id);
            self.log(2, &format!("tocsin.notice.{id}.x.1"), &notice);
        }
    }

    fn notice(&self, id: &str) -> Value {
        let said = &self.evidence.said[0];
        let (key, signature) = said.signed.clone().unwrap();
        let asked = id != "u";
        let mut notice = json!({
            "incident": "x", "event": 1, "recipient": id, "status": "exercise", "acknowledge": asked,
            "requirement": if asked { "required" } else { "informed" }, "directory": 1, "said": 1,
            "published_at": words(1), "key": key, "signature": signature,
            "said_body": serde_json::from_slice::<Value>(&said.body).unwrap(),
        });
        if asked {
            notice["due_at"] = words(11).into();
        }
        notice
    }

    fn close(&mut self, second: u32, step: u32, silent: &[&str]) {
        let due = json!({"incident": "x", "event": 1, "step": step, "due_at": words(second)});
        self.log(second, &format!("tocsin.due.x.1.{step}"), &due);
        let finding = json!({
            "incident": "x", "event": 1, "step": step, "policy": "p", "status": "exercise", "due_at": words(second),
            "closed_at": words(second), "required": 3, "acknowledged": 3 - silent.len(), "silent": silent,
        });
        self.log(second, &format!("tocsin.finding.x.1.{step}"), &finding);
    }

    fn escalate(&mut self, step: u32, id: &str, contact: &str) {
        let fact = json!({
            "incident": "x", "event": 1, "step": step, "recipient": id, "policy": "p", "status": "exercise", "said": 1,
            "due_at": words(1 + 10 * step), "reason": "silent", "contact": contact,
            "to": {"role": contact, "email": format!("{contact}@{id}.example")},
        });
        self.log(1 + 10 * step, &format!("tocsin.escalation.{id}.x.1.{step}"), &fact);
    }

    fn attempt(&mut self, id: &str, step: u32, number: u32, outcome: &str, second: u32) {
        let contact = if step == 1 { "duty" } else { "senior" };
        let subject = format!("tocsin.attempt.{id}.x.1.{step}.{number}");
        let begun = json!({"relay": "r", "to": format!("{contact}@{id}.example"), "message_id": format!("<{id}-{step}@m>")});
        if outcome != "stood-down" {
            self.log(second, &format!("{subject}.begun"), &begun);
        }
        let relay = if outcome == "stood-down" { "" } else { "r" };
        self.log(
            second,
            &format!("{subject}.ended"),
            &json!({"relay": relay, "outcome": outcome, "reply": ""}),
        );
    }

    fn mail(&mut self, contact: &str, step: u32) {
        self.evidence.mails.push(Mail {
            to: vec![format!("{contact}@b.example")],
            message_id: format!("<b-{step}@m>"),
            subject: "EXERCISE: x".to_owned(),
            text: "Nobody has acknowledged x.".to_owned(),
        });
    }

    fn place(&self, subject: &str) -> usize {
        self.evidence.log.iter().position(|entry| entry.subject == subject).unwrap()
    }

    fn drop_fact(&mut self, subject: &str) {
        let place = self.place(subject);
        self.evidence.log.remove(place);
    }

    /// Changes a fact of the log.
    fn change(&mut self, subject: &str, change: impl FnOnce(&mut Value)) {
        let place = self.place(subject);
        let entry = &mut self.evidence.log[place];
        let mut fact = serde_json::from_slice(&entry.body).unwrap();
        change(&mut fact);
        entry.body = fact.to_string().into();
    }

    fn broken(&self) -> Vec<(Promise, bool)> {
        let mut broken: Vec<_> =
            check(&self.evidence).findings.iter().map(|found| (found.promise, found.unfinished)).collect();
        broken.sort_unstable();
        broken.dedup();
        broken
    }
}

#[test]
fn a_good_run_breaks_no_promise() {
    let checked = check(&Run::good().evidence);
    assert_eq!(checked.findings, []);
    let stood: Vec<_> = checked.rows["x"].iter().map(|row| (&row.recipient[..], row.state)).collect();
    assert_eq!(stood, [("a", "in-time"), ("b", "silent"), ("c", "late"), ("u", "not-asked")]);
    assert_eq!(checked.counts["mails accepted again after an unknown"], 1);
    assert_eq!(checked.counts["second words on a subject, refused"], 1);
}

#[test]
fn a_word_said_again_behind_another_s_is_counted_and_no_fault() {
    let mut run = Run::good();
    run.say(15, "c", "tocsin.receipt.c.x.1.acknowledged", &json!({"by": "one"}));
    let checked = check(&run.evidence);
    assert_eq!(checked.findings, []);
    assert_eq!(checked.counts["words said again behind another's, which changes nothing"], 1);
    let sequence = run.evidence.said.last().unwrap().sequence;
    run.log(15, &format!("tocsin.refusal.c.{sequence}"), &json!({"said": sequence, "code": "already-said"}));
    assert_eq!(run.broken(), [(Promise::Judged, false)], "what counts is not refused");
}

#[test]
fn a_window_that_the_broker_closes_again_is_counted_and_no_fault() {
    let mut run = Run::good();
    let again = run.evidence.log[run.place("tocsin.due.x.1.1")].clone();
    run.evidence.log.push(Entry { sequence: 99, ..again });
    let checked = check(&run.evidence);
    assert_eq!(checked.findings, []);
    assert_eq!(checked.counts["windows that the broker closed again"], 1);
}

#[test]
fn a_digest_names_what_goes_in_it_and_says_so_in_every_attempt() {
    let together = |run: &mut Run| {
        let sequence = |subject: &str| run.evidence.log[run.place(subject)].sequence;
        let (first, second) = (sequence("tocsin.escalation.b.x.1.1"), sequence("tocsin.escalation.b.x.1.2"));
        // Both to one contact, in one mail.
        run.change("tocsin.directory.1", |directory| {
            directory["recipients"][1]["contacts"]["senior"]["email"] = "duty@b.example".into();
        });
        run.change("tocsin.escalation.b.x.1.2", |fact| fact["to"]["email"] = "duty@b.example".into());
        let digest = json!({"lead": first, "of": 2});
        for number in [1, 2] {
            run.change(&format!("tocsin.attempt.b.x.1.1.{number}.begun"), |begun| {
                begun["digest"] = digest.clone();
                begun["digest"]["escalations"] = json!([first, second]);
            });
        }
        run.change("tocsin.attempt.b.x.1.2.1.begun", |begun| {
            begun["to"] = "duty@b.example".into();
            begun["message_id"] = "<b-1@m>".into();
            begun["digest"] = digest;
        });
        run.evidence.mails.pop();
    };
    let mut run = Run::good();
    together(&mut run);
    assert_eq!(check(&run.evidence).findings, []);
    let cases: [fn(&mut Run); 4] = [
        |run| run.change("tocsin.attempt.b.x.1.2.1.begun", |begun| begun["digest"] = Value::Null),
        |run| run.change("tocsin.attempt.b.x.1.1.2.begun", |begun| begun["digest"]["of"] = 3.into()),
        |run| {
            run.change("tocsin.attempt.b.x.1.1.1.begun", |begun| begun["digest"]["escalations"] = json!([1]));
        },
        |run| run.evidence.mails[0].text = "Nobody has acknowledged y.".to_owned(),
    ];
    for (number, breaks) in cases.iter().enumerate() {
        let mut run = Run::good();
        together(&mut run);
        breaks(&mut run);
        assert!(run.broken().contains(&(Promise::Mail, false)), "case {number}");
    }
}

#[test]
fn a_report_that_says_other_than_the_checker_is_found() {
    let checked = check(&Run::good().evidence);
    let rows = &checked.rows["x"];
    let told: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mails: Vec<Value> = row
                .mails
                .iter()
                .map(|(step, sent)| {
                    let accepted_at = sent.accepted.then(|| words(12));
                    json!({"step": step, "attempts": sent.attempts, "unknown": sent.unknown, "accepted_at": accepted_at})
                })
                .collect();
            json!({
                "id": row.recipient, "state": row.state, "delivered_at": row.delivered_at,
                "acknowledged_at": row.acknowledged_at, "escalations": mails,
            })
        })
        .collect();
    let report = json!({
        "events": [{"event": 1, "recipients": told}], "totals": {"neither": 0},
        "problems": [{"code": "unknown-send"}],
    });
    assert_eq!(differences("x", rows, &[], &report), []);
    let cases: [fn(&mut Value); 8] = [
        |report| report["duties"] = json!([{}]),
        |report| report["events"][0]["recipients"][1]["state"] = "in-time".into(),
        |report| report["events"][0]["recipients"][0]["acknowledged_at"] = words(6).into(),
        |report| report["events"][0]["recipients"][0]["delivered_at"] = Value::Null,
        |report| report["events"][0]["recipients"][1]["escalations"][0]["unknown"] = 0.into(),
        |report| report["events"][0]["recipients"].as_array_mut().unwrap().truncate(2),
        |report| report["totals"]["neither"] = 1.into(),
        |report| report["problems"][0]["code"] = "missing-notice".into(),
    ];
    for (number, breaks) in cases.iter().enumerate() {
        let mut report = report.clone();
        breaks(&mut report);
        assert!(!differences("x", rows, &[], &report).is_empty(), "case {number}");
    }
}
