//! What monitors report, over HTTP, and what becomes of it by rule.

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tocsin_console::{Accounts, Sees};
use tocsin_protocol::{Event, EventKind, LinkAnswer, Stream, from_body};
use tocsin_tests::{Cast, Manner, PUBLISHER, Program, World, seconds, until};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What the rules of these tests say beside their own fields.
const EVENT: &str = "[console.monitoring.rules.event]\ncategory = 'outage'\n\
    headline = '999 calls are not answered, as monitoring sees'\ninstruction = 'Watch 101.'\n";

/// A console of the real program, and the token of a monitor's account.
struct Site {
    address: String,
    token: String,
    console: Program,
}

impl Site {
    /// A console with these rules.
    async fn start(world: &World, rules: &str) -> Self {
        let config = configured(world);
        let token = Accounts::change(&world.home().join("accounts.toml"), |known| {
            known.new_token(&"alertmanager".parse()?)
        })
        .unwrap();
        let text = std::fs::read_to_string(&config).unwrap();
        let monitoring = format!(
            "{text}[console.monitoring]\ndefault_services = ['999-voice']\nopens_an_hour = 1\n{rules}"
        );
        std::fs::write(&config, monitoring).unwrap();
        let (console, url) = world.console(&config).await;
        Self { address: url.trim_start_matches("http://").to_owned(), token, console }
    }

    /// What a post of JSON is answered with.
    async fn post(&self, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let (address, body) = (&self.address, body.to_string());
        let request = format!(
            "POST /api/v1{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(Duration::from_mins(2), read).await.unwrap().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }

    /// Posts a webhook until the console has read the record and takes it; the code, and what becomes of it.
    async fn alert(&self, group: &Value) -> (u16, Value) {
        self.taken("/monitoring/alertmanager", &self.token, group).await
    }

    /// Posts as a program does that is told to come again, which it is while the console reads the record.
    async fn taken(&self, path: &str, token: &str, body: &Value) -> (u16, Value) {
        for _ in 0..60 {
            let (status, answer) = self.post(path, token, body).await;
            if status != 503 && status != 401 {
                return (status, answer);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("{path} is not taken: {}", self.console.printed());
    }
}

fn configured(world: &World) -> PathBuf {
    if world.home().join("console.toml").exists() {
        std::fs::remove_file(world.home().join("accounts.toml")).unwrap();
    }
    let operator = Sees::Publisher(PUBLISHER.parse().unwrap());
    world.console_config(&[("alertmanager", operator.clone()), ("other", operator)])
}

/// An Alertmanager's webhook, of one alert.
fn webhook(name: &str, area: &str, severity: &str, status: &str) -> Value {
    let labels = json!({"alertname": name, "area": area, "severity": severity});
    json!({
        "receiver": "tocsin", "status": status, "version": "4", "groupKey": format!("{{}}:{{alertname={name:?}}}"),
        "truncatedAlerts": 0, "externalURL": "http://am.example", "groupLabels": {"alertname": name},
        "commonLabels": labels, "commonAnnotations": {"summary": "WORDS OF THE MONITOR"},
        "alerts": [{"status": status, "labels": labels, "annotations": {}, "startsAt": "2023-06-25T05:25:30.123Z",
            "endsAt": if status == "resolved" { "2023-06-25T06:00:00Z" } else { "0001-01-01T00:00:00Z" },
            "generatorURL": "http://p.example", "fingerprint": "a1"}],
    })
}

/// The events that anybody has said.
async fn events(world: &World) -> Vec<Event> {
    let said = world.ledger.entries(Stream::Said, &["tocsin.incident.>".to_owned()]).await.unwrap();
    said.iter().map(|entry| from_body("event", &entry.body).unwrap()).collect()
}

async fn first_event(world: &World, many: usize) -> Event {
    until("the event is on the bus", async || {
        let events = events(world).await;
        events.get(many - 1).cloned().ok_or(format!("{} events", events.len()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitors_report_becomes_one_event_where_a_rule_lets_it_and_says_that_no_person_had_looked() {
    let world = World::start(Cast::new(&[seconds(3.0)]).required(&["a"]).signing()).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let desk = world.desk("a", Manner::Acknowledges).await;
    let rules = format!(
        "[[console.monitoring.rules]]\nid = 'calls-fail'\npublisher = '{PUBLISHER}'\nmay_open = 'event'\n\
         monitors = ['alertmanager']\nlabels = {{ severity = 'critical' }}\nheld_for = '0s'\n{EVENT}"
    );
    let site = Site::start(&world, &rules).await;
    let failing = webhook("CallsNotAnswered", "north", "critical", "firing");

    // A stranger says nothing at all, and what no rule is for stays evidence.
    assert_eq!(site.post("/monitoring/alertmanager", "tocsin_wrong", &failing).await.0, 401);
    let (status, answer) = site.alert(&webhook("Disk", "north", "warning", "firing")).await;
    assert_eq!((status, &answer["by_rule"]), (201, &Value::Null), "{answer}");
    // So does the same by a monitor that the rule does not name: this one is the operator's too.
    let token =
        Accounts::change(&world.home().join("accounts.toml"), |known| known.new_token(&"other".parse()?))
            .unwrap();
    let told = json!({"report": "other-1", "observed_at": "2023-06-25T05:25:00Z", "services": ["999-voice"],
        "areas": ["north"], "headline": "Test calls fail", "labels": {"severity": "critical"}});
    let (status, answer) = site.taken("/reports", &token, &told).await;
    assert_eq!((status, &answer["by_rule"]), (201, &Value::Null), "{answer}");

    let (status, answer) = site.alert(&failing).await;
    assert_eq!(status, 201, "{answer}");
    let outcome = answer["by_rule"]["outcome"].as_str().unwrap();
    assert!(outcome == "opens" || outcome == "stands", "{answer}");
    let event = first_event(&world, 1).await;
    assert_eq!(answer["by_rule"]["incident"], event.incident.as_str());
    let by = event.by_rule.as_ref().unwrap();
    assert_eq!((by.rule.as_str(), by.monitor(), by.body.as_str()), ("calls-fail", "alertmanager", PUBLISHER));
    assert_eq!(answer["report"], by.report.as_str());
    assert!(event.description.as_deref().unwrap().contains("No person had looked"), "{event:?}");
    assert!(!serde_json::to_string(&event).unwrap().contains("WORDS OF THE MONITOR"));
    until("the desk has it", async || {
        let seen = desk.seen();
        if seen.contains(&(event.incident.clone(), 1)) { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;

    // Alertmanager repeats itself: it is the same report, and the same event.
    let (status, again) = site.alert(&failing).await;
    assert_eq!(
        (status, &again["became"], &again["by_rule"]["outcome"]),
        (200, &json!("already"), &json!("stands"))
    );
    // Another alert is over the number that may be opened in an hour: it is a draft, and that is said.
    let (status, more) = site.alert(&webhook("TextRelayFails", "south", "critical", "firing")).await;
    assert_eq!((status, &more["by_rule"]["outcome"]), (201, &json!("draft")), "{more}");
    assert!(
        more["by_rule"]["why"].as_str().unwrap().contains("1 were opened by rule within an hour"),
        "{more}"
    );
    // That it is over is for a person to say.
    let (status, over) = site.alert(&webhook("CallsNotAnswered", "north", "critical", "resolved")).await;
    assert_eq!((status, &over["by_rule"]["outcome"]), (201, &json!("draft")), "{over}");
    assert_eq!(over["by_rule"]["incident"], event.incident.as_str());
    assert!(site.console.printed().contains("1 were opened by rule within an hour"));

    // Nobody is asked whether the report is of the incident that it became, and the auditor sees who said it.
    let report = tocsin_audit::read(&world.ledger, None)
        .await
        .unwrap()
        .report(&event.incident, tocsin_audit::Request::default())
        .unwrap();
    assert_eq!(report.events[0].by_rule.as_ref(), event.by_rule.as_deref());
    assert_eq!(report.linked.len(), 1, "{:?}", report.linked);
    assert_eq!(report.linked[0].answer, LinkAnswer::Same);
    let page = tocsin_audit::render::html(&report, &tocsin_audit::render::View::default()).unwrap();
    assert!(page.contains("by rule calls-fail") && page.contains("no person had looked"));
    site.console.kill();
    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.count("tocsin.dispatch."), 1);
    assert_eq!(events(&world).await.len(), 1);
    assert_eq!(end.count("tocsin.refusal."), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_that_dies_between_report_and_event_neither_loses_it_nor_says_it_twice() {
    let world = World::start(Cast::new(&[seconds(3.0)]).required(&["a"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let _desk = world.desk("a", Manner::Acknowledges).await;
    let failing = webhook("CallsNotAnswered", "north", "critical", "firing");
    // The report stands, and whoever is to make an event of it is dead.
    let site = Site::start(&world, "").await;
    let (status, answer) = site.alert(&failing).await;
    assert_eq!((status, &answer["by_rule"]), (201, &Value::Null), "{answer}");
    site.console.kill();
    assert!(events(&world).await.is_empty());
    let rules = format!(
        "[[console.monitoring.rules]]\nid = 'calls-fail'\npublisher = '{PUBLISHER}'\nmay_open = 'event'\n\
         monitors = ['alertmanager']\nheld_for = '10ms'\nresolves = 'event'\nstatus = 'exercise'\n{EVENT}"
    );
    // It dies again as soon as the event is on the bus.
    let site = Site::start(&world, &rules).await;
    let event = first_event(&world, 1).await;
    site.console.kill();
    assert_eq!(
        (event.status.as_str(), event.kind),
        ("exercise", EventKind::Initial),
        "as the rule is tried out"
    );
    let site = Site::start(&world, &rules).await;
    let (status, answer) = site.alert(&failing).await;
    assert_eq!((status, &answer["by_rule"]["outcome"]), (200, &json!("stands")), "{answer}");
    // This rule takes the monitor's word that it is over too, as nobody has said anything.
    let (_, answer) = site.alert(&webhook("CallsNotAnswered", "north", "critical", "resolved")).await;
    assert_eq!(answer["by_rule"]["rule"], "calls-fail", "{answer}");
    let over = first_event(&world, 2).await;
    assert_eq!((over.kind, over.incident.clone()), (EventKind::Resolved, event.incident.clone()));
    assert!(over.by_rule.unwrap().report.as_str().ends_with("-over"));
    site.console.kill();
    world.entry(&format!("tocsin.dispatch.{PUBLISHER}.{}.2", event.incident)).await;
    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.count("tocsin.dispatch."), 2);
    assert_eq!(events(&world).await.len(), 2);
    assert_eq!(end.count("tocsin.refusal."), 0);
}
