//! Over a real bus: what programs are told is what the document says, and no more than their account sees.

mod puts;
mod reads;

use std::{
    collections::BTreeSet,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture};
use jsonschema::{Registry, Validator};
use serde_json::{Value, json};
use tocsin_ledger::Ledger;
use tocsin_protocol::{
    DirectoryDocument, Event, IncidentId, NewFact, PublisherId, Receipt, SigningKey, Subject, Timestamp,
    from_body,
    schema::{Kind, common_schema_text, schema_text},
    to_body,
};

use super::{OPENAPI, table};
use crate::{
    hands::{
        Document, Draft, Fate, Fault, Foreseen, Form, Hands, Known, NoReport, Press, Reports, Says, Told,
        Waiting, Wanted, WhoIsTold, Word,
    },
    session::{
        Accounts, Sees,
        fixture::{Answer, HERE, PASSWORD, Site},
    },
};

/// Says events on the bus with the operator's key, as the operator's own side does. Its ledger comes once there is one.
struct Pen {
    key: SigningKey,
    ledger: std::sync::OnceLock<Ledger>,
}

impl Press for Pen {
    fn publishers(&self) -> Vec<PublisherId> {
        vec!["operator".parse().unwrap()]
    }

    fn draft(&self, draft: Draft, known: Known) -> BoxFuture<'_, Result<Foreseen, Vec<Fault>>> {
        Box::pin(async move {
            let Says::Begins(status) = draft.says else {
                return Err(vec![Fault { field: Some("impact.by_area".to_owned()), words: "no".to_owned() }]);
            };
            assert!(known.directory.is_some() && known.taken.contains(&IncidentId::new("x").unwrap()));
            let event = json!({
                "incident": "named", "sequence": 1, "kind": "initial", "status": status, "publisher": "operator",
                "category": draft.category, "services": draft.services, "headline": draft.headline,
                "areas": draft.areas,
            });
            let event: Event = serde_json::from_value(event).unwrap();
            let body = to_body("event", &event).unwrap();
            let told = WhoIsTold {
                recipients: vec![("a".parse().unwrap(), tocsin_protocol::Requirement::Required)],
                ..WhoIsTold::default()
            };
            Ok(Foreseen { event, body, before: None, told: Some(told) })
        })
    }

    fn publish(&self, _: PublisherId, body: Bytes) -> BoxFuture<'_, Result<Fate, Vec<Fault>>> {
        Box::pin(async move {
            let event: Event = from_body("event", &body).unwrap();
            if event.headline == "kept" {
                return Ok(Fate::Kept("the bus is away".to_owned()));
            }
            let signed = self.key.sign(&event.subject().to_string(), &body).unwrap();
            self.ledger.get().unwrap().say(&event.subject(), &signed, body).await.unwrap();
            Ok(Fate::OnTheBus)
        })
    }

    fn say(&self, _: PublisherId, word: Word) -> BoxFuture<'_, Result<u64, Told>> {
        Box::pin(async move {
            let (subject, body) = match word {
                Word::Report(report) => (report.subject(), to_body("report", &*report).unwrap()),
                Word::Link(linking) => (linking.subject(), to_body("link", &*linking).unwrap()),
            };
            let signed = self.key.sign(&subject.to_string(), &body).unwrap();
            let said = self.ledger.get().unwrap().say(&subject, &signed, body).await.unwrap();
            Ok(said.position().sequence)
        })
    }

    fn waiting(&self, _: PublisherId) -> BoxFuture<'_, Result<Vec<Waiting>, Told>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl Reports for Pen {
    fn report(&self, wanted: Wanted, sees: Sees, form: Form) -> BoxFuture<'_, Result<Document, NoReport>> {
        Box::pin(async move {
            let (name, example) = match wanted {
                Wanted::Incident(incident) => (
                    incident.to_string(),
                    include_str!("../../../../../schemas/examples/valid/timeliness-report-all-in-time.json"),
                ),
                Wanted::Period(from, to, _) if from > to => {
                    return Err(NoReport::Wrong("it ends before it begins".to_owned()));
                }
                Wanted::Period(from, to, status) => (
                    format!("{from}-{to}-{status}"),
                    include_str!("../../../../../schemas/examples/valid/period-report-of-a-fortnight.json"),
                ),
                Wanted::Verdict(_) | Wanted::CallList(_) => (
                    "verdict".to_owned(),
                    include_str!("../../../../../schemas/examples/valid/verdict-all-proven.json"),
                ),
            };
            let whose = sees.recipient().map_or_else(|| "all".to_owned(), ToString::to_string);
            let (media_type, end) = match form {
                Form::Json => ("application/json", "json"),
                Form::Csv => ("text/csv; charset=utf-8", "csv"),
                Form::Pdf => ("application/pdf", "pdf"),
                Form::Html | Form::Part => ("text/html; charset=utf-8", "html"),
            };
            Ok(Document { body: example.into(), media_type, name: format!("{name} {whose}.{end}") })
        })
    }

    fn style(&self) -> &'static str {
        ""
    }
}

struct Bus {
    site: Site,
    a: SigningKey,
}

/// A program with an account's token, and the document that it was written against.
struct Program<'a> {
    bus: &'a Bus,
    token: String,
}

impl Bus {
    /// An incident `x` of two events, of which `a` and `b` were told and `a` has acknowledged the first.
    async fn start() -> Self {
        let (operator, a) = (SigningKey::generate(), SigningKey::generate());
        let pen = Arc::new(Pen {
            key: SigningKey::from_seed(&operator.seed().unwrap()).unwrap(),
            ledger: std::sync::OnceLock::new(),
        });
        let hands = Hands { press: Some(pen.clone()), reports: Some(pen.clone()), mailbox: None };
        let console = SigningKey::generate();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("console_key.nk");
        let mut seed =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).unwrap();
        writeln!(seed, "{}", console.seed().unwrap()).unwrap();
        let site = Site::with(hands, |config| config.key = Some(file)).await;
        assert!(pen.ledger.set(site.app.ledger().clone()).is_ok());
        let bus = Self { site, a };
        let recipient = |id: &str, key: Option<String>| {
            let mut entry = json!({
                "id": id, "name": format!("Body {id}"), "kind": "police", "areas": ["uk"],
                "contacts": {"duty": {"role": "duty", "email": format!("duty@{id}.example")}},
            });
            if let Some(key) = key {
                entry["key"] = key.into();
            }
            entry
        };
        let mut own = recipient("own", None);
        own["console"] = false.into();
        let mut linked = recipient("linked", None);
        linked["console"] = "links".into();
        let directory = json!({
            "name": "Test", "time_zone": "Europe/London", "areas": [{"id": "uk", "name": "UK"}],
            "console_key": console.public(),
            "publishers": [{"id": "operator", "name": "Operator", "key": operator.public(), "areas": "all"}],
            "recipients": [recipient("a", Some(bus.a.public())), recipient("b", None), own, linked],
            "policies": [{
                "id": "test", "name": "Test", "basis": "none", "confidence": "assumption", "clock": "published",
                "acknowledge": ["initial"],
                "owed": [{"kinds": ["police"], "where": "anywhere", "requirement": "required"}],
                "steps": [{"within": "10m", "contact": "duty"}],
            }],
        });
        let directory: DirectoryDocument = serde_json::from_value(directory).unwrap();
        bus.append("tocsin.directory.1", to_body("directory", &directory).unwrap()).await;
        for number in 1..=2_u32 {
            bus.happen("x", number, &operator).await;
        }
        bus.append(
            "tocsin.finding.x.1.1",
            json!({
                "incident": "x", "event": 1, "step": 1, "policy": "test", "status": "actual", "required": 2,
                "due_at": "2123-06-25T05:46:00Z", "closed_at": "2123-06-25T05:46:00Z",
                "acknowledged": 1, "silent": ["b"],
            })
            .to_string()
            .into(),
        )
        .await;
        let receipt = json!({
            "incident": "x", "event": 1, "recipient": "a", "stage": "acknowledged", "at": Timestamp::now(),
            "by": {"name": "A. Example", "role": "supervisor"}, "method": "desk",
        });
        let receipt: Receipt = serde_json::from_value(receipt).unwrap();
        let (subject, body) = (receipt.subject(), to_body("receipt", &receipt).unwrap());
        let signed = bus.a.sign(&subject.to_string(), &body).unwrap();
        let position = bus.site.app.ledger().say(&subject, &signed, body).await.unwrap().position();
        until("the receipt is known", async || {
            bus.site.app.model().read().fold.said_through() >= position.sequence
        })
        .await;
        until("the bus is heard", async || bus.site.app.model().ear().hearing.is_well()).await;
        bus
    }

    async fn append(&self, subject: &str, body: Bytes) {
        let subject: Subject = subject.parse().unwrap();
        self.site.app.ledger().append(&NewFact { subject, body, schedule: None }, None).await.unwrap();
    }

    /// An event, and what the router makes of it.
    async fn happen(&self, incident: &str, number: u32, operator: &SigningKey) {
        let kind = if number == 1 { "initial" } else { "update" };
        let event = json!({
            "incident": incident, "sequence": number, "kind": kind, "status": "actual", "publisher": "operator",
            "category": "outage", "services": ["999-voice"], "headline": "Calls fail", "areas": ["uk"],
        });
        let event: Event = serde_json::from_value(event).unwrap();
        let (subject, body) = (event.subject(), to_body("event", &event).unwrap());
        let signed = operator.sign(&subject.to_string(), &body).unwrap();
        let said = body.clone();
        let position = self.site.app.ledger().say(&subject, &signed, body).await.unwrap().position();
        let steps = if number == 1 {
            json!([{"step": 1, "policy": "test", "due_at": "2123-06-25T05:46:00Z", "contact": "duty"}])
        } else {
            json!([])
        };
        let dispatch = json!({
            "incident": incident, "event": number, "kind": kind, "status": "actual", "publisher": "operator",
            "said": position.sequence, "published_at": position.time, "directory": 1, "acknowledge": number == 1,
            "policies": [{"policy": "test", "clock": "published", "clock_at": position.time}], "steps": steps,
            "owed": [{"policy": "test", "requirement": "required", "recipients": ["a", "b", "own", "linked"]}],
        });
        self.append(&format!("tocsin.dispatch.operator.{incident}.{number}"), dispatch.to_string().into())
            .await;
        for recipient in ["a", "b", "own", "linked"] {
            let notice = json!({
                "incident": incident, "event": number, "recipient": recipient, "status": "actual",
                "requirement": "required", "acknowledge": number == 1, "policies": ["test"], "directory": 1,
                "said": position.sequence, "published_at": position.time, "key": signed.key,
                "signature": signed.signature, "said_body": "THE EXACT BYTES",
            });
            let text = std::str::from_utf8(&said).unwrap();
            let notice = notice.to_string().replace("\"THE EXACT BYTES\"", text);
            self.append(&format!("tocsin.notice.{recipient}.{incident}.{number}"), notice.into()).await;
        }
    }

    /// A program with the token of an account that sees this.
    async fn program(&self, sees: Sees) -> Program<'_> {
        let name = match &sees {
            Sees::Recipient(id) => id.to_string(),
            Sees::Publisher(id) => id.to_string(),
            Sees::Everything => "everything".to_owned(),
        };
        self.site.account(&name, sees);
        let file = &self.site.app.config().accounts;
        let token = Accounts::change(file, |accounts| accounts.new_token(&name.parse().unwrap())).unwrap();
        let program = Program { bus: self, token };
        until("the account is known", async || program.get("/me").await.status == StatusCode::OK).await;
        program
    }
}

async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !look().await {
        assert!(Instant::now() < deadline, "{what}: not in 30 seconds");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Program<'_> {
    async fn send(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        self.bus.site.send(request.body(body.into()).unwrap()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty()).await
    }

    /// Reads what is there, and holds it against the document.
    async fn read(&self, of: &str, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        holds("get", of, &answer)
    }
}

fn openapi() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// The document with every object of its own closed, so that a field that it does not tell of is found.
fn closed() -> Value {
    fn close(schema: &mut Value) {
        match schema {
            Value::Object(all) => {
                if all.get("type") == Some(&json!("object")) && all.contains_key("properties") {
                    all.entry("additionalProperties").or_insert(false.into());
                }
                all.values_mut().for_each(close);
            }
            Value::Array(all) => all.iter_mut().for_each(close),
            _ => {}
        }
    }
    let mut document = openapi();
    close(&mut document["components"]["schemas"]);
    document
}

fn validator(pointer: &str) -> Validator {
    let base = "https://tocsin.example/";
    let file =
        |name: String, text: &str| (format!("{base}schemas/{name}"), serde_json::from_str(text).unwrap());
    let schemas = Kind::ALL.iter().map(|kind| file(format!("{kind}.schema.json"), schema_text(*kind)));
    let all: Vec<(String, Value)> = schemas
        .chain([file("common.schema.json".to_owned(), common_schema_text())])
        .chain([(format!("{base}openapi.json"), closed())])
        .collect();
    let registry = Registry::new().extend(all.iter().map(|(uri, value)| (uri.as_str(), value))).unwrap();
    let registry = registry.prepare().unwrap();
    let pointer = pointer.replace('{', "%7B").replace('}', "%7D");
    let schema = json!({"$ref": format!("{base}openapi.json#{pointer}")});
    jsonschema::options().with_registry(&registry).offline().build(&schema).unwrap()
}

/// Holds an answer against the document, and gives its JSON.
fn holds(method: &str, path: &str, answer: &Answer) -> Value {
    let document = openapi();
    let responses = &document["paths"][path][method]["responses"];
    let status = answer.status.as_u16().to_string();
    let named = if responses.get(&status).is_some() { status.as_str() } else { "default" };
    let media = answer.header("content-type").split(';').next().unwrap().to_owned();
    let escape = |text: &str| text.replace('~', "~0").replace('/', "~1");
    let mut at = format!("/paths/{}/{method}/responses/{named}", escape(path));
    if let Some(reference) = responses[named]["$ref"].as_str() {
        reference[1..].clone_into(&mut at);
    }
    let content = document.pointer(&at).unwrap()["content"].as_object().unwrap();
    assert!(content.contains_key(&media), "{method} {path} answers {status} as {media:?}: {}", answer.text);
    let value: Value = if media.contains("json") {
        serde_json::from_str(&answer.text).unwrap()
    } else {
        answer.text.clone().into()
    };
    let validator = validator(&format!("{at}/content/{}/schema", escape(&media)));
    let faults: Vec<String> =
        validator.iter_errors(&value).map(|why| format!("{}: {why}", why.instance_path())).collect();
    assert!(faults.is_empty(), "{method} {path}: {faults:#?}\n{value:#}");
    value
}

fn recipient(id: &str) -> Sees {
    Sees::Recipient(id.parse().unwrap())
}

fn operator() -> Sees {
    Sees::Publisher("operator".parse().unwrap())
}

#[test]
fn the_document_has_every_address_and_no_other() {
    let document = openapi();
    let told: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let served: BTreeSet<String> = table().into_iter().map(|(path, _)| path.to_owned()).collect();
    assert_eq!(told, served);
    // Each reference leads somewhere.
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in schemas.keys() {
        validator(&format!("/components/schemas/{name}"));
    }
}

#[tokio::test]
async fn what_may_be_done_at_an_address_is_what_the_document_says() {
    let bus = Bus::start().await;
    let program = bus.program(Sees::Everything).await;
    let document = openapi();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let filled = path
            .replace("{incident}", "x")
            .replace("{event}", "1")
            .replace("{report}", "report.csv")
            .replace("{period}", "period.csv?from=2023-06-01&to=2023-06-30")
            .replace("{file}", "event.schema.json");
        for method in ["get", "put", "post", "delete", "patch"] {
            if (method, path.as_str()) == ("get", "/events") {
                continue;
            }
            let answer = program.send(method.to_uppercase().parse().unwrap(), &filled, "{}").await;
            let told = operations.get(method).is_some();
            assert_eq!(
                answer.status == StatusCode::METHOD_NOT_ALLOWED,
                !told,
                "{method} {path}: {}",
                answer.text
            );
            if told {
                holds(method, path, &answer);
            } else {
                assert_eq!(answer.header("content-type"), "application/problem+json");
            }
        }
    }
    for (path, status) in [
        ("/nothing", StatusCode::NOT_FOUND),
        ("/incidents/none", StatusCode::NOT_FOUND),
        ("/incidents/%00", StatusCode::NOT_FOUND),
        ("/incidents/x/report.doc", StatusCode::NOT_FOUND),
    ] {
        let answer = program.get(path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, "application/problem+json"),
            "{path}"
        );
    }
    let nobody = Program { bus: &bus, token: "nothing".to_owned() };
    for (path, operations) in document["paths"].as_object().unwrap() {
        let open = operations["get"]["security"] == json!([]);
        let path = path
            .replace("{incident}", "x")
            .replace("{file}", "event.schema.json")
            .replace("{report}", "report.csv")
            .replace("{period}", "period.csv?from=2023-06-01&to=2023-06-30");
        let method = if operations.get("get").is_some() {
            "GET"
        } else if operations.get("put").is_some() {
            "PUT"
        } else {
            "POST"
        };
        let answer = nobody.send(method.parse().unwrap(), &path, "{}").await;
        assert_eq!(answer.status == StatusCode::UNAUTHORIZED, !open, "{path}: {}", answer.text);
    }
}
