//! What publishers promise and owe, whom corrections and withdrawals reach, and each of these promises broken.

use super::*;

/// A good run of four incidents.
pub(super) fn owing() -> Run {
    let keys = ["op", "a", "b", "u"].map(|id| (id, KeyPair::new_user()));
    let mut run = Run { keys: keys.into(), evidence: Evidence::default() };
    let directory = directory(&run);
    run.log(0, "tocsin.directory.1", &directory);
    corrected(&mut run);
    withdrawn(&mut run);
    handed_over(&mut run);
    silent(&mut run);
    run
}

/// Two forces whom the publisher telephones, somebody who is told of other services, and a policy for handed callers.
fn directory(run: &Run) -> Value {
    let recipient = |id: &str, kind: &str, area: &str| {
        let contact = json!({"role": "Duty", "email": format!("duty@{id}.example")});
        json!({"id": id, "kind": kind, "areas": [area], "key": run.keys[id].public_key(), "contacts": {"duty": contact}})
    };
    let recipients = [
        recipient("a", "police", "north"),
        recipient("b", "police", "south"),
        recipient("u", "utility", "uk"),
    ];
    let policy = |id: &str, services: &[&str], kind: &str| {
        let owed = json!([{"kinds": [kind], "where": "anywhere", "requirement": "informed"}]);
        json!({"id": id, "clock": "published", "acknowledge": [], "services": services, "owed": owed, "steps": []})
    };
    let mut forces = policy("forces", &["999-voice"], "police");
    forces["duties"] = json!([
        {"id": "first", "stage": "initial", "from": "published", "within": "10s", "channels": ["telephone"]},
        {"id": "notification", "stage": "full", "from": "detected", "within": "20s"},
        {"id": "hourly", "stage": "update", "from": "published", "target": "35s", "repeat": "35s", "for": "40s"},
    ]);
    let mut handover = policy("handover", &[], "police");
    handover["trigger"] = "handover".into();
    handover["owed"][0]["where"] = "handed-over".into();
    handover["owed"][0]["requirement"] = "required".into();
    handover["steps"] = json!([{"within": "5s", "contact": "duty"}]);
    let areas = json!([{"id": "uk"}, {"id": "north", "within": "uk"}, {"id": "south", "within": "uk"}]);
    let contacts = json!({"duty": {"role": "Duty", "email": "duty@op.example"}});
    let publisher =
        json!({"id": "op", "key": run.keys["op"].public_key(), "areas": "all", "contacts": contacts});
    let mut steady = policy("steady", &["text-relay"], "utility");
    steady["duties"] = json!([
        {"id": "steady", "stage": "update", "from": "published", "target": "10s", "repeat": "10s", "for": "25s"},
    ]);
    let policies = [forces, policy("others", &["ecall"], "utility"), handover, steady];
    json!({"areas": areas, "publishers": [publisher], "recipients": recipients, "policies": policies})
}

fn part(policy: &str, requirement: &str, recipients: &[&str]) -> Value {
    json!({"policy": policy, "requirement": requirement, "recipients": recipients})
}

fn forces() -> Value {
    json!([part("forces", "informed", &["a", "b"])])
}

fn duty(name: &str, stage: &str, (clock, due): (u32, u32), step: Option<u32>) -> Value {
    let mut duty = json!({"duty": name, "policy": "forces", "stage": stage, "from": "published",
        "clock_at": words(clock), "due_at": words(due)});
    if let Some(step) = step {
        duty["step"] = step.into();
    }
    duty
}

fn more(clock: u32, due: u32, step: u32) -> Value {
    let mut promise = duty("next-update", "update", (clock, due), Some(step));
    promise.as_object_mut().unwrap().remove("policy");
    promise
}

/// What the first word of an incident makes due.
fn opened() -> Value {
    let mut first = duty("first", "initial", (1, 11), Some(1));
    first["telephone"] = json!(["a", "b"]);
    first["met_at"] = words(1).into();
    let mut hourly = duty("hourly", "update", (1, 36), Some(3));
    hourly["target"] = true.into();
    json!([first, duty("notification", "full", (1, 21), Some(2)), hourly, more(1, 11, 4)])
}

fn begun() -> Value {
    json!({"kind": "initial", "services": ["999-voice"], "next_update_by": words(11)})
}

fn met(by: u32, second: u32) -> Value {
    json!({"overdue": false, "met_by": by, "met_at": words(second)})
}

fn aimed(by: u32, second: u32) -> Value {
    json!({"overdue": false, "target": true, "repeated": true, "met_by": by, "met_at": words(second)})
}

/// In `x` the publisher telephones one of two forces in time, promises more and says nothing; then it tells another start
/// of the clock of its notification, and is in time with that and with what it promised anew; it corrects its first word,
/// and withdraws everything.
fn corrected(run: &mut Run) {
    run.event(1, "x", 1, &begun(), &forces(), &opened());
    run.say(5, "op", "tocsin.incident.op.x.1.called.a", &json!({}));
    let uncalled = json!({"overdue": true, "met_by": 1, "met_at": words(1), "not_called": ["b"]});
    run.found(11, ("x", 1, 1), ("first", Some("forces")), &uncalled, None);
    run.found(11, ("x", 1, 4), ("next-update", None), &json!({"overdue": true}), None);
    for id in ["a", "b"] {
        let told = json!({"incident": "x", "event": 1, "step": 4, "recipient": id, "status": "actual",
            "publisher": "op", "promised_by": words(11)});
        run.log(12, &format!("tocsin.notice.{id}.x.1.overdue.4"), &told);
        run.evidence.shown.insert((id.to_owned(), "x".to_owned(), 1, 4));
        run.evidence.telling.insert(id.to_owned());
    }
    run.remind(12, 1, Some("first"));
    run.remind(12, 4, None);
    let all = json!([part("forces", "informed", &["a", "b"]), part("others", "informed", &["u"])]);
    let grown = json!({"kind": "update", "services": ["999-voice", "ecall"], "detected_at": words(3),
        "next_update_by": words(25)});
    let owes = json!([duty("notification", "full", (3, 23), Some(1)), more(15, 25, 2)]);
    run.event(15, "x", 2, &grown, &all, &owes);
    let corrected =
        json!({"kind": "correction", "corrects": 1, "stage": "full", "services": ["999-voice", "ecall"]});
    let mut done = duty("notification", "full", (3, 23), None);
    done["met_at"] = words(22).into();
    run.event(22, "x", 3, &corrected, &forces(), &json!([done]));
    run.event(30, "x", 4, &json!({"kind": "sent-in-error", "services": ["999-voice"]}), &all, &json!([]));
    let superseded = json!({"overdue": true, "superseded_by": 2});
    run.found(21, ("x", 1, 2), ("notification", Some("forces")), &superseded, None);
    run.found(23, ("x", 2, 1), ("notification", Some("forces")), &met(3, 22), None);
    run.found(25, ("x", 2, 2), ("next-update", None), &met(3, 22), None);
    let late = json!({"event": 4, "kind": "sent-in-error", "published_at": words(30)});
    run.found(36, ("x", 1, 3), ("hourly", Some("forces")), &aimed(2, 15), Some(&late));
}

/// `y` is withdrawn before anything is due.
fn withdrawn(run: &mut Run) {
    run.event(1, "y", 1, &begun(), &forces(), &opened());
    run.event(9, "y", 2, &json!({"kind": "sent-in-error", "services": ["999-voice"]}), &forces(), &json!([]));
    let by = json!({"event": 2, "kind": "sent-in-error", "published_at": words(9)});
    let uncalled = json!({"overdue": true, "met_by": 1, "met_at": words(1), "not_called": ["a", "b"]});
    run.found(11, ("y", 1, 1), ("first", Some("forces")), &uncalled, Some(&by));
    run.found(11, ("y", 1, 4), ("next-update", None), &met(2, 9), Some(&by));
    run.found(21, ("y", 1, 2), ("notification", Some("forces")), &json!({"overdue": true}), Some(&by));
    run.found(36, ("y", 1, 3), ("hourly", Some("forces")), &aimed(2, 9), Some(&by));
}

/// `z` hands callers to the police of the north.
fn handed_over(run: &mut Run) {
    let others = part("others", "informed", &["u"]);
    run.event(1, "z", 1, &json!({"kind": "initial", "services": ["ecall"]}), &json!([others]), &json!([]));
    let handed = json!({"kind": "update", "services": ["ecall"],
        "recontact": {"by_area": {"north": {"handed_to_police": 3}}}});
    run.event(2, "z", 2, &handed, &json!([others, part("handover", "required", &["a"])]), &json!([]));
    // Nobody more is handed over, though the event between says nothing of them.
    let silent = json!({"kind": "update", "services": ["ecall"]});
    run.event(8, "z", 3, &silent, &json!([others]), &json!([]));
    run.event(9, "z", 4, &handed, &json!([others]), &json!([]));
    run.say(4, "a", "tocsin.receipt.a.z.2.acknowledged", &json!({}));
    run.log(7, "tocsin.due.z.2.1", &json!({"incident": "z", "event": 2, "step": 1, "due_at": words(7)}));
    let finding = json!({"incident": "z", "event": 2, "step": 1, "policy": "handover", "status": "actual",
        "due_at": words(7), "closed_at": words(7), "required": 1, "acknowledged": 1, "silent": []});
    run.log(7, "tocsin.finding.z.2.1", &finding);
}

/// Of `w` nothing more is said: each time that an update was wanted is found by itself.
fn silent(run: &mut Run) {
    let mut steady = duty("steady", "update", (1, 11), Some(1));
    (steady["policy"], steady["target"]) = ("steady".into(), true.into());
    let begun = json!({"kind": "initial", "services": ["text-relay"]});
    run.event(1, "w", 1, &begun, &json!([part("steady", "informed", &["u"])]), &json!([steady]));
    let mut missed = json!({"overdue": true, "target": true, "repeated": true});
    missed["again"] = json!({"step": 2, "due_at": words(21)});
    run.found(11, ("w", 1, 1), ("steady", Some("steady")), &missed, None);
    run.remind_of("w", (11, 12), 1, Some(("steady", "steady")));
    missed.as_object_mut().unwrap().remove("again");
    run.found(21, ("w", 1, 2), ("steady", Some("steady")), &missed, None);
    run.remind_of("w", (21, 22), 2, Some(("steady", "steady")));
}

impl Run {
    /// An event, its dispatch, its notices, and that they arrived.
    fn event(
        &mut self,
        second: u32,
        incident: &str,
        number: u32,
        words_of: &Value,
        owed: &Value,
        duties: &Value,
    ) {
        let mut event = words_of.clone();
        let own = json!({"incident": incident, "sequence": number, "status": "actual", "publisher": "op", "severity": "minor"});
        event.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        self.say(second, "op", &format!("tocsin.incident.op.{incident}.{number}"), &event);
        let said = self.evidence.said.last().unwrap().clone();
        let required: Vec<&Value> =
            owed.as_array().unwrap().iter().filter(|part| part["requirement"] == "required").collect();
        let due = words(second + 5);
        let asked = json!([{"step": 1, "policy": "handover", "due_at": due, "contact": "duty"}]);
        let steps = if required.is_empty() { json!([]) } else { asked };
        let dispatch = json!({
            "incident": incident, "event": number, "kind": event["kind"], "status": "actual", "publisher": "op",
            "said": said.sequence, "published_at": words(second), "directory": 1, "acknowledge": !required.is_empty(),
            "policies": [], "steps": steps, "owed": owed, "duties": duties,
        });
        self.log(second, &format!("tocsin.dispatch.op.{incident}.{number}"), &dispatch);
        for part in owed.as_array().unwrap() {
            for id in part["recipients"].as_array().unwrap().iter().filter_map(Value::as_str) {
                let (key, signature) = said.signed.clone().unwrap();
                let mut notice = json!({
                    "incident": incident, "event": number, "recipient": id, "status": "actual",
                    "requirement": part["requirement"], "acknowledge": part["requirement"] == "required", "directory": 1,
                    "said": said.sequence, "published_at": words(second), "key": key, "signature": signature,
                    "said_body": event,
                });
                if part["requirement"] == "required" {
                    notice["due_at"] = words(second + 5).into();
                }
                self.log(second, &format!("tocsin.notice.{id}.{incident}.{number}"), &notice);
                let author = ["a", "b", "u"].into_iter().find(|known| *known == id).unwrap();
                self.say(
                    second,
                    author,
                    &format!("tocsin.receipt.{id}.{incident}.{number}.delivered"),
                    &json!({}),
                );
            }
        }
    }

    /// What was found when the window of something that the publisher owed had closed.
    fn found(
        &mut self,
        second: u32,
        (incident, event, step): (&str, u32, u32),
        (name, policy): (&str, Option<&str>),
        more: &Value,
        stopped_by: Option<&Value>,
    ) {
        let due = json!({"incident": incident, "event": event, "step": step, "due_at": words(second)});
        self.log(second, &format!("tocsin.due.{incident}.{event}.{step}"), &due);
        let mut duty = json!({"duty": name, "overdue": false});
        duty.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut finding = json!({
            "incident": incident, "event": event, "step": step, "status": "actual", "due_at": words(second),
            "closed_at": words(second), "required": 0, "acknowledged": 0, "silent": [], "duty": duty,
        });
        if let Some(policy) = policy {
            finding["policy"] = policy.into();
        }
        if let Some(by) = stopped_by {
            finding["stopped_by"] = by.clone();
        }
        self.log(second, &format!("tocsin.finding.{incident}.{event}.{step}"), &finding);
    }

    /// Has a fact speak of something else, under that one's subject.
    pub(super) fn moves(&mut self, subject: &str, name: &str, value: &Value, to: &str) {
        self.change(subject, |fact| fact[name] = value.clone());
        let place = self.place(subject);
        self.evidence.log[place].subject = to.to_owned();
    }

    /// The mail that reminds the publisher of what the first event of `x` made due.
    fn remind(&mut self, second: u32, step: u32, duty: Option<&str>) {
        self.remind_of("x", (11, second), step, duty.map(|duty| ("forces", duty)));
    }

    /// The mail that reminds it of what the first event of an incident made due.
    fn remind_of(
        &mut self,
        incident: &str,
        (due, second): (u32, u32),
        step: u32,
        duty: Option<(&str, &str)>,
    ) {
        let mut fact = json!({
            "incident": incident, "event": 1, "step": step, "recipient": "op", "status": "actual", "said": 1,
            "due_at": words(due), "reason": "overdue", "contact": "duty", "to": {"role": "Duty", "email": "duty@op.example"},
        });
        if let Some((policy, duty)) = duty {
            fact["policy"] = policy.into();
            fact["duty"] = duty.into();
        }
        self.log(second, &format!("tocsin.escalation.op.{incident}.1.{step}"), &fact);
        let subject = format!("tocsin.attempt.op.{incident}.1.{step}.1");
        let id = format!("<op-{incident}-{step}@m>");
        self.log(
            second,
            &format!("{subject}.begun"),
            &json!({"relay": "r", "to": "duty@op.example", "message_id": id}),
        );
        let end = json!({"relay": "r", "outcome": "accepted", "reply": ""});
        self.log(second, &format!("{subject}.ended"), &end);
        self.evidence.mails.push(Mail {
            to: vec!["duty@op.example".to_owned()],
            message_id: id,
            subject: format!("OVERDUE: {incident}"),
            text: format!("It is {incident}."),
        });
    }
}

#[test]
fn a_good_run_of_what_publishers_owe_breaks_no_promise() {
    let checked = check(&owing().evidence);
    assert_eq!(checked.findings, []);
    let stood = |incident: &str| -> Vec<(u64, &str, &str, u64)> {
        checked.debts[incident]
            .iter()
            .map(|debt| (debt.event, &debt.name[..], debt.state, debt.told))
            .collect()
    };
    let expected = [
        (1, "first", "not-called", 0),
        (1, "notification", "superseded", 0),
        (1, "hourly", "in-time", 0),
        (1, "next-update", "late", 2),
        (2, "notification", "in-time", 0),
        (2, "next-update", "in-time", 0),
    ];
    assert_eq!(stood("x"), expected);
    let lifted =
        [(1, "first", "not-called", 0), (1, "notification", "lifted", 0), (1, "hourly", "in-time", 0)];
    assert_eq!(stood("y")[..3], lifted);
    assert_eq!(stood("w"), [(1, "steady", "overdue", 0), (1, "steady", "overdue", 0)]);
    assert_eq!(checked.counts["duties owed again as nobody did them"], 1);
}

#[test]
fn a_report_that_tells_other_of_what_publishers_owe_is_found() {
    let checked = check(&owing().evidence);
    let debts = &checked.debts["x"];
    let told: Vec<Value> = debts
        .iter()
        .map(|debt| {
            let reminder = debt.reminder.map(|_| json!({"attempts": 1, "unknown": 0, "accepted_at": words(12)}));
            json!({
                "event": debt.event, "duty": debt.name, "policy": debt.policy, "target": debt.target, "due_at": debt.due_at,
                "state": debt.state, "met_by": debt.met_by, "told_overdue": debt.told, "reminder": reminder,
            })
        })
        .collect();
    let report = json!({"duties": told, "totals": {"neither": 0}});
    assert_eq!(differences("x", &[], debts, &report), []);
    let cases: [fn(&mut Value); 5] = [
        |report| report["duties"][3]["state"] = "in-time".into(),
        |report| report["duties"][3]["told_overdue"] = 1.into(),
        |report| report["duties"][0]["reminder"] = Value::Null,
        |report| report["duties"][4]["met_by"] = 2.into(),
        |report| _ = report["duties"].as_array_mut().unwrap().pop(),
    ];
    for (number, breaks) in cases.iter().enumerate() {
        let mut report = report.clone();
        breaks(&mut report);
        assert!(!differences("x", &[], debts, &report).is_empty(), "case {number}");
    }
}
