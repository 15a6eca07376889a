//! A console over a real bus, asked as monitoring asks it.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use bytes::Bytes;
use serde_json::{Value, json};
use tocsin_duty::Fold;
use tocsin_ledger::{Connection, Ledger, NOTIFIER_WORK, Wait, WorkOptions};
use tocsin_protocol::{NewFact, SigningKey, Stream, Subject, Timestamp};

use crate::{
    hands::Hands,
    session::{
        Sees,
        fixture::{Answer, PASSWORD, Site},
    },
};

/// Every wait ends here at the latest, as a failure.
const DEADLINE: Duration = Duration::from_mins(1);

/// A console, its bus, and everyone's keys.
struct World {
    site: Site,
    operator: SigningKey,
    a: SigningKey,
}

impl World {
    async fn start() -> Self {
        Self { site: Site::start().await, operator: SigningKey::generate(), a: SigningKey::generate() }
    }

    fn ledger(&self) -> &Ledger {
        self.site.app.ledger()
    }

    async fn fact(&self, subject: &str, body: Value) {
        let body = serde_json::to_vec(&body).unwrap().into();
        let fact = NewFact { subject: subject.parse().unwrap(), body, schedule: None };
        self.ledger().append(&fact, None).await.unwrap();
    }

    async fn directory(&self) {
        let contact = json!({"role": "duty officer", "email": "duty@agency.example"});
        let recipient = |id: &str, kind: &str, key: Option<String>| {
            json!({"id": id, "name": format!("Agency {id}"), "kind": kind, "areas": ["uk"], "key": key,
                "contacts": {"duty": contact}})
        };
        let body = json!({
            "name": "test", "time_zone": "Europe/London",
            "areas": [{"id": "uk", "name": "UK"}],
            "publishers": [{"id": "bt", "name": "BT", "key": self.operator.public(), "areas": "all"}],
            "recipients": [
                recipient("a", "fire", Some(self.a.public())), recipient("b", "ambulance", None),
            ],
            "policies": [{
                "id": "all", "name": "All", "basis": "none", "confidence": "assumption", "clock": "published", "acknowledge": ["initial"],
                "owed": [{"requirement": "required", "kinds": ["fire", "ambulance"], "where": "anywhere"}],
                "steps": [{"within": "2s", "contact": "duty"}],
            }],
        });
        self.fact("tocsin.directory.1", body).await;
        self.ledger().ensure_desks(&["a".parse().unwrap(), "b".parse().unwrap()]).await.unwrap();
    }

    async fn say(&self, key: &SigningKey, subject: &str, body: &Value) {
        let body = Bytes::from(serde_json::to_vec(body).unwrap());
        let signed = key.sign(subject, &body).unwrap();
        let subject: Subject = subject.parse().unwrap();
        self.ledger().say(&subject, &signed, body).await.unwrap();
    }

    async fn event(&self, incident: &str, status: &str) {
        let body = json!({
            "incident": incident, "sequence": 1, "kind": "initial", "status": status, "publisher": "bt",
            "category": "outage", "services": ["999-voice"], "headline": "999 calls fail", "areas": ["uk"],
        });
        self.say(&self.operator, &format!("tocsin.incident.bt.{incident}.1"), &body).await;
    }

    async fn receipt(&self, incident: &str, stage: &str) {
        let mut body = json!({
            "incident": incident, "event": 1, "recipient": "a", "stage": stage, "at": Timestamp::now(),
        });
        if stage == "acknowledged" {
            body["by"] = json!({"name": "A. Supervisor", "role": "supervisor"});
        }
        self.say(&self.a, &format!("tocsin.receipt.a.{incident}.1.{stage}"), &body).await;
    }

    /// Appends what follows from all that stands on the bus.
    async fn follow(&self) {
        let (mut fold, mut follow) = (Fold::new(), self.ledger().follow().await.unwrap());
        loop {
            let read = follow.next().await.unwrap();
            read.entries.iter().for_each(|entry| drop(fold.apply(entry)));
            if read.caught_up {
                break;
            }
        }
        for batch in fold.follows() {
            self.ledger().append_all(&batch.facts, None).await.unwrap();
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.site.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Asks until the answer is as wanted.
    async fn until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let began = Instant::now();
        loop {
            let answer = self.get(path).await;
            if wanted(&answer) {
                return answer;
            }
            assert!(began.elapsed() < DEADLINE, "{path}: {} {}", answer.status, answer.text);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn has(line: &'static str) -> impl Fn(&Answer) -> bool {
    move |answer| answer.text.contains(line)
}

/// The names of our metrics that a text speaks of.
fn named(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !word(c)).filter(|name| name.starts_with("tocsin_")).map(str::to_owned).collect()
}

fn shipped(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/monitoring");
    fs::read_to_string(dir.join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_we_ship_alerts_and_pictures_for_is_measured() {
    let world = World::start().await;
    world.directory().await;
    let desk = Connection { wait: Wait::UntilConnected, ..Connection::to(&world.site.server.url()) };
    let desk = Ledger::connect(&desk).await.unwrap();
    let _notices = desk.notices(&"a".parse().unwrap()).await.unwrap();
    world.event("x", "actual").await;
    world.event("t", "test").await;
    world.follow().await;
    for incident in ["x", "t"] {
        world.receipt(incident, "delivered").await;
    }
    world.receipt("x", "acknowledged").await;
    world.receipt("nothing", "acknowledged").await;
    let due = "tocsin.due.x.1.1".parse().unwrap();
    world.ledger().wait_for(&[due], DEADLINE).await.unwrap().expect("the broker closes the window");
    world.follow().await;
    let begun = json!({"relay": "one", "to": "duty@agency.example", "message_id": "<1@bus.example>"});
    world.fact("tocsin.attempt.b.x.1.1.1.begun", begun).await;
    let ended = json!({"relay": "one", "outcome": "temporary", "code": 451, "reply": "451 try later"});
    world.fact("tocsin.attempt.b.x.1.1.1.ended", ended).await;

    let answer = world
        .until("/metrics", |answer| {
            answer.text.contains("result=\"temporary\"")
                && answer.text.contains("tocsin_desks{kind=\"fire\",state=\"connected\"} 1")
        })
        .await;
    assert_eq!(answer.header("content-type"), super::OPEN_METRICS);
    let text = answer.text;
    for line in [
        "tocsin_incidents_open{status=\"actual\"} 1",
        "tocsin_incidents_open{status=\"test\"} 0",
        "tocsin_duties_open{status=\"actual\"} 1",
        "tocsin_required_silent{status=\"actual\",kind=\"ambulance\"} 1",
        "tocsin_acknowledgement_lateness_seconds_bucket{le=\"0.0\",status=\"actual\",kind=\"fire\"} 1",
        "tocsin_delivery_seconds_count{status=\"test\"} 1",
        "tocsin_events_total{status=\"test\",event=\"initial\"} 1",
        "tocsin_refusals_total{code=\"unknown-event\"} 1",
        "tocsin_said_per_minute{body=\"bt\"} 2",
        "tocsin_escalations_total{status=\"actual\"} 1",
        "tocsin_attempts_total{status=\"actual\",relay=\"one\",result=\"temporary\"} 1",
        "tocsin_mails_waiting{status=\"actual\"} 1",
        "tocsin_mails_waiting{status=\"test\"} 0",
        "tocsin_escalations_untaken{status=\"actual\"} 0",
        "tocsin_relays_all_fail 1",
        "tocsin_router_owed{what=\"dispatch\"} 0",
        "tocsin_test_owed{publisher=\"bt\"} 2",
        "tocsin_test_delivered{publisher=\"bt\"} 1",
        "tocsin_console_deaf 0",
        "tocsin_console_pages 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    assert!(!text.contains("999 calls fail") && !text.contains("incident=\"x\""), "no incident is named");

    // The window has closed by now, so the one about the next window is shown before it: asked for by its name alone.
    let mut there = named(&text);
    there.extend(["tocsin_next_window_seconds", "tocsin_required_waiting"].map(str::to_owned));
    for file in ["tocsin.rules.yml", "tocsin.test.yml", "dashboard.json"] {
        for name in named(&shipped(file)) {
            assert!(there.contains(&name), "{file} asks for {name}, which /metrics has not:\n{text}");
        }
    }

    // And of an incident whose window is open.
    world.event("y", "exercise").await;
    world.follow().await;
    let answer = world.until("/metrics", has("tocsin_next_window_seconds{status=\"exercise\"}")).await;
    assert!(
        answer.text.contains("tocsin_required_waiting{status=\"exercise\",kind=\"fire\"} 1"),
        "{}",
        answer.text
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn escalation_that_fails_cannot_be_overlooked_until_it_is_over_and_an_agency_is_not_told_of_others() {
    const BAR: &str = r#"<div id="failing" class="alarm" role="alert">"#;
    let world = World::start().await;
    world.directory().await;
    world.event("x", "actual").await;
    world.follow().await;
    let due = "tocsin.due.x.1.1".parse().unwrap();
    world.ledger().wait_for(&[due], DEADLINE).await.unwrap().expect("the broker closes the window");
    world.follow().await;
    world.until("/metrics", has("tocsin_mails_waiting{status=\"actual\"} 2")).await;
    let regulator = world.site.visitor(Sees::Everything).await;
    assert!(!regulator.get("/").await.text.contains(BAR), "two mails wait, and not for long");
    let begun = json!({"relay": "one", "to": "duty@agency.example", "message_id": "<1@bus.example>"});
    let ended = json!({"relay": "one", "outcome": "permanent", "code": 550, "reply": "550 no such user"});
    world.fact("tocsin.attempt.a.x.1.1.1.begun", begun).await;
    world.fact("tocsin.attempt.a.x.1.1.1.ended", ended).await;
    world.until("/metrics", has("tocsin_escalations_untaken{status=\"actual\"} 1")).await;
    let board = regulator.get("/").await.text;
    assert!(board.contains(BAR) && board.contains("no relay has taken 1 mail to silent bodies"), "{board}");
    let agency = world.site.visitor(Sees::Recipient("b".parse().unwrap())).await;
    assert!(!agency.get("/").await.text.contains("ESCALATION FAILS"));
    assert_eq!(agency.get("/audit/calls.html").await.status, 404);

    world.receipt("x", "acknowledged").await;
    world.until("/metrics", has("tocsin_escalations_untaken{status=\"actual\"} 0")).await;
    assert!(!regulator.get("/").await.text.contains(BAR));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_says_what_is_wrong_and_liveness_outlives_the_bus() {
    let mut world = World::start().await;
    let unready = world.until("/readyz", has("FAIL directory")).await;
    assert_eq!(unready.status, 503);
    assert!(unready.text.contains("tocsin directory apply"), "{}", unready.text);

    world.directory().await;
    let unready = world.until("/readyz", has("FAIL consumers")).await;
    assert!(unready.text.contains("4 missing (notifier, "), "{}", unready.text);
    for name in NOTIFIER_WORK {
        let work = WorkOptions { name: name.to_owned(), ..WorkOptions::default() };
        world.ledger().work(&work).await.unwrap();
    }
    let ready = world.until("/readyz", |answer| answer.status == 200).await;
    assert!(!ready.text.contains("FAIL"), "{}", ready.text);

    world.event("x", "actual").await;
    let unready = world.until("/readyz", has("FAIL router")).await;
    assert!(unready.text.contains("tocsin router"), "{}", unready.text);
    assert!(!unready.text.contains("999 calls"), "{}", unready.text);
    world.follow().await;
    world.until("/readyz", |answer| answer.status == 200).await;

    world.site.server.kill().await.unwrap();
    let unready = world.until("/readyz", has("FAIL bus: it has not answered since")).await;
    assert_eq!(unready.status, 503);
    assert_eq!(world.get("/livez").await.status, 200);
    assert!(world.get("/metrics").await.text.contains("tocsin_console_deaf 1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_and_regulators_see_whose_desk_is_at_work_and_an_agency_does_not() {
    let world = World::start().await;
    world.directory().await;
    let desk = Connection { wait: Wait::UntilConnected, ..Connection::to(&world.site.server.url()) };
    let desk = Ledger::connect(&desk).await.unwrap();
    let _notices = desk.notices(&"a".parse().unwrap()).await.unwrap();
    world.event("t", "test").await;
    world.follow().await;
    world.receipt("t", "delivered").await;
    world.until("/metrics", has("tocsin_test_delivered{publisher=\"bt\"} 1")).await;
    world.until("/metrics", has("tocsin_desks{kind=\"ambulance\",state=\"absent\"} 1")).await;

    for sees in [Sees::Everything, Sees::Publisher("bt".parse().unwrap())] {
        let page = world.site.visitor(sees).await.get("/desks").await;
        assert_eq!(page.status, 200);
        for words in [
            "1 of 2 desks are connected now.",
            "1 of 2 desks have taken it in",
            "Not taken in by Agency b.",
            "<strong class=\"tag bad\">not connected</strong>",
            "<strong class=\"tag good\">connected</strong>",
            "<strong class=\"tag bad\">not taken in</strong>",
        ] {
            assert!(page.text.contains(words), "{words} is not in\n{}", page.text);
        }
        // Those first of whom something is amiss.
        assert!(page.text.find("Agency b <").unwrap() < page.text.find("Agency a <").unwrap());
    }
    let agency = world.site.visitor(Sees::Recipient("a".parse().unwrap())).await;
    let page = agency.get("/desks").await;
    assert_eq!(page.status, 404);
    assert!(!agency.get("/").await.text.contains("href=\"/desks\""));
    let stranger = world.get("/desks").await;
    assert!(stranger.location().starts_with("/sign-in"), "{stranger:?}");
    // Nothing of it is a fact.
    let present = world.ledger().entries(Stream::Log, &["tocsin.present.>".to_owned()]).await.unwrap();
    assert!(present.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_that_trusts_a_key_shows_and_takes_nothing_until_the_directory_is_under_it() {
    let key = SigningKey::generate();
    let site =
        Site::with(Hands::default(), |config| config.trusts = Some(key.public().parse().unwrap())).await;
    let world = World { site, operator: SigningKey::generate(), a: SigningKey::generate() };
    let is_kept_back = |answer: &Answer| answer.status == StatusCode::SERVICE_UNAVAILABLE;
    world.until("/", |answer| answer.status == StatusCode::SEE_OTHER).await;
    world.directory().await;
    let answer = world.until("/", is_kept_back).await;
    assert!(answer.text.contains(&key.public()) && answer.text.contains("version 1"), "{}", answer.text);
    let answer = world.get("/api/v1/incidents").await;
    assert!(is_kept_back(&answer) && answer.header("content-type").contains("problem+json"), "{answer:?}");
    world.site.account("somebody", Sees::Everything);
    let posted = world.site.sign_in("somebody", PASSWORD).await;
    assert!(is_kept_back(&posted), "{posted:?}");
    assert_eq!(world.get("/livez").await.status, StatusCode::OK);
    world.until("/readyz", has("FAIL directory: version 1")).await;

    let of: Subject = "tocsin.directory.1".parse().unwrap();
    let mut body: Value =
        serde_json::from_slice(&world.ledger().last(&of).await.unwrap().unwrap().body).unwrap();
    body["directory_key"] = key.public().into();
    let (subject, body) =
        (Subject::Directory { version: 2 }, Bytes::from(serde_json::to_vec(&body).unwrap()));
    let signed = key.sign(&subject.to_string(), &body).unwrap();
    world.ledger().append_signed(&NewFact { subject, body, schedule: None }, &signed).await.unwrap();
    world.until("/", |answer| answer.status == StatusCode::SEE_OTHER).await;
    world.site.visitor(Sees::Everything).await;
}
