//! Over a real bus: what programs are told is what the document says, and no more than their account sees.

use std::{
    collections::BTreeSet,
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
        Waiting, Wanted, WhoIsTold,
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

    fn waiting(&self, _: PublisherId) -> BoxFuture<'_, Result<Vec<Waiting>, Told>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl Reports for Pen {
    fn report(&self, wanted: Wanted, _: Sees, form: Form) -> BoxFuture<'_, Result<Document, NoReport>> {
        Box::pin(async move {
            let Wanted::Incident(incident) = wanted else { return Err(NoReport::Absent) };
            let example =
                include_str!("../../../../schemas/examples/valid/timeliness-report-all-in-time.json");
            let (media_type, end) = match form {
                Form::Json => ("application/json", "json"),
                Form::Csv => ("text/csv; charset=utf-8", "csv"),
                Form::Pdf => ("application/pdf", "pdf"),
                Form::Html | Form::Part => ("text/html; charset=utf-8", "html"),
            };
            Ok(Document { body: example.into(), media_type, name: format!("{incident}.{end}") })
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
        let site = Site::with(hands, |_| ()).await;
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
        let directory = json!({
            "name": "Test", "time_zone": "Europe/London", "areas": [{"id": "uk", "name": "UK"}],
            "publishers": [{"id": "operator", "name": "Operator", "key": operator.public(), "areas": "all"}],
            "recipients": [recipient("a", Some(bus.a.public())), recipient("b", None)],
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
            "owed": [{"policy": "test", "requirement": "required", "recipients": ["a", "b"]}],
        });
        self.append(&format!("tocsin.dispatch.{incident}.{number}"), dispatch.to_string().into()).await;
        for recipient in ["a", "b"] {
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
            .replace("{report}", "report.csv");
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

#[tokio::test]
async fn each_account_reads_what_it_sees_and_no_more() {
    let bus = Bus::start().await;
    let (a, operator) = (bus.program(recipient("a")).await, bus.program(operator()).await);
    let (stranger, all) = (bus.program(recipient("c")).await, bus.program(Sees::Everything).await);

    assert_eq!(a.read("/me", "/me").await["recipient"], "a");
    for program in [&a, &operator, &all] {
        let page = program.read("/incidents", "/incidents").await;
        assert_eq!(page["incidents"].as_array().unwrap().len(), 1);
        assert_eq!(page["incidents"][0]["events"], 2);
        let page = program.read("/incidents", "/incidents?open=false").await;
        assert_eq!(page["incidents"], json!([]));
        let one = program.read("/incidents/{incident}", "/incidents/x").await;
        assert_eq!(one["said"].as_array().unwrap().len(), 2);
        assert_eq!(one["hearing"], "well");
    }
    let own = &a.read("/incidents/{incident}", "/incidents/x").await["own"];
    assert_eq!(
        (&own["state"], &own["duties"][0]["acknowledged"]["by"]["name"]),
        (&json!("in-time"), &json!("A. Example"))
    );
    assert!(a.read("/incidents/{incident}", "/incidents/x").await.get("counts").is_none());
    let counts = &operator.read("/incidents/{incident}", "/incidents/x").await["counts"];
    assert_eq!((&counts["asked"], &counts["acknowledged"]), (&json!(2), &json!(1)));

    let wall = |page: &Value| -> Vec<String> {
        let all = page["recipients"].as_array().unwrap();
        all.iter().map(|it| it["recipient"].as_str().unwrap().to_owned()).collect()
    };
    let of = "/incidents/{incident}/wall";
    assert_eq!(wall(&a.read(of, "/incidents/x/wall").await), ["a"]);
    let first = operator.read(of, "/incidents/x/wall?limit=1").await;
    assert_eq!((wall(&first), &first["next"]), (vec!["a".to_owned()], &json!("a")));
    let second = operator.read(of, "/incidents/x/wall?limit=1&after=a").await;
    assert_eq!((wall(&second), second.get("next")), (vec!["b".to_owned()], None));

    assert_eq!(wall(&a.read("/desks", "/desks").await), ["a"]);
    let first = all.read("/desks", "/desks?limit=1").await;
    assert_eq!((wall(&first), &first["next"]), (vec!["a".to_owned()], &json!("a")));
    assert_eq!(wall(&all.read("/desks", "/desks?after=a").await), ["b"]);

    let of = "/incidents/{incident}/timeline";
    let what = |page: &Value| -> Vec<String> {
        let all = page["moments"].as_array().unwrap();
        all.iter().map(|it| it["what"].as_str().unwrap().to_owned()).collect()
    };
    let whole = all.read(of, "/incidents/x/timeline").await;
    assert!(
        what(&whole).contains(&"found".to_owned())
            && !what(&a.read(of, "/incidents/x/timeline").await).contains(&"found".to_owned())
    );
    let (mut after, mut paged) = (0, Vec::new());
    loop {
        let page = all.read(of, &format!("/incidents/x/timeline?limit=2&after={after}")).await;
        paged.extend(what(&page));
        let Some(next) = page["next"].as_u64() else { break };
        after = next;
    }
    assert_eq!(paged, what(&whole));

    assert_eq!(stranger.read("/incidents", "/incidents").await["incidents"], json!([]));
    for path in [
        "/incidents/x",
        "/incidents/x/wall",
        "/incidents/x/timeline",
        "/incidents/x/report.csv",
        "/notices/x/1",
    ] {
        assert_eq!(stranger.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in [
        "/incidents?limit=0",
        "/incidents?limit=501",
        "/incidents?limit=x",
        "/incidents?whatever=1",
        "/incidents?status=draft",
        "/incidents/x/timeline?after=-1",
    ] {
        let answer = all.get(path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (StatusCode::BAD_REQUEST, "application/problem+json"),
            "{path}"
        );
    }
    for (file, media) in [
        ("report.json", "application/json"),
        ("report.csv", "text/csv; charset=utf-8"),
        ("report.pdf", "application/pdf"),
        ("report.html", "text/html; charset=utf-8"),
    ] {
        let path = format!("/incidents/x/{file}");
        let answer = operator.get(&path).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, media));
        holds("get", "/incidents/{incident}/{report}", &answer);
        assert_eq!(a.get(&path).await.status, StatusCode::FORBIDDEN, "a report tells of everyone's part");
    }
}

#[tokio::test]
async fn an_agency_takes_in_its_notices_from_where_it_left_off_and_waits_for_the_next() {
    let bus = Bus::start().await;
    let (a, all) = (bus.program(recipient("a")).await, bus.program(Sees::Everything).await);
    let first = a.read("/notices", "/notices?limit=1").await;
    assert_eq!(
        (&first["notices"][0]["event"], &first["notices"][0]["state"]),
        (&json!(1), &json!("in-time"))
    );
    let second = a.read("/notices", &format!("/notices?after={}", first["cursor"])).await;
    assert_eq!(second["notices"][0]["event"], 2);
    let cursor = second["cursor"].as_u64().unwrap();
    let none = a.read("/notices", &format!("/notices?after={cursor}")).await;
    assert_eq!((&none["notices"], &none["cursor"]), (&json!([]), &json!(cursor)));
    assert_eq!(a.read("/notices", &format!("/notices?after={cursor}&wait=1")).await["notices"], json!([]));
    assert_eq!(all.get("/notices").await.status, StatusCode::FORBIDDEN);
    assert_eq!(a.get("/notices?wait=61").await.status, StatusCode::BAD_REQUEST);

    let exact = a.read("/notices/{incident}/{event}", "/notices/x/1").await;
    assert_eq!(exact["recipient"], "a");
    let key = tocsin_protocol::AuthorKey::new(exact["key"].as_str().unwrap()).unwrap();
    let read: tocsin_protocol::Notice = serde_json::from_str(&a.get("/notices/x/1").await.text).unwrap();
    let signed = tocsin_protocol::Signed { key: read.key, signature: read.signature };
    key.verify("tocsin.incident.operator.x.1", read.said_body.get().as_bytes(), &signed).unwrap();

    let path = format!("/notices?after={cursor}&wait=30");
    let (waited, ()) = tokio::join!(a.read("/notices", &path), async {
        let body =
            bus.site.app.ledger().last(&"tocsin.notice.a.x.1".parse().unwrap()).await.unwrap().unwrap().body;
        let later: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(later["incident"], "x");
        let operator = bus.program(operator()).await;
        let event = json!({
            "incident": "late", "sequence": 1, "kind": "initial", "status": "actual", "publisher": "operator",
            "category": "outage", "services": ["999-voice"], "headline": "Later", "areas": ["uk"],
        });
        let put = operator.send(Method::PUT, "/incidents/late/events/1", event.to_string()).await;
        assert_eq!(put.status, StatusCode::ACCEPTED, "{}", put.text);
        let said = bus
            .site
            .app
            .ledger()
            .last(&"tocsin.incident.operator.late.1".parse().unwrap())
            .await
            .unwrap()
            .unwrap();
        let dispatch = json!({
            "incident": "late", "event": 1, "kind": "initial", "status": "actual", "publisher": "operator",
            "said": said.sequence, "published_at": said.time, "directory": 1, "acknowledge": false, "policies": [],
            "steps": [], "owed": [{"policy": "test", "requirement": "informed", "recipients": ["a"]}],
        });
        bus.append("tocsin.dispatch.late.1", dispatch.to_string().into()).await;
        bus.append("tocsin.notice.a.late.1", body).await;
    });
    assert_eq!(waited["notices"][0]["incident"], "late");
}

#[tokio::test]
async fn an_event_is_put_once_however_often_it_is_tried() {
    let bus = Bus::start().await;
    let (operator, a) = (bus.program(operator()).await, bus.program(recipient("a")).await);
    let wanted = json!({
        "kind": "initial", "status": "actual", "category": "outage", "services": ["999-voice"], "areas": ["uk"],
        "headline": "999 calls fail",
    });
    let drafted = operator.send(Method::POST, "/drafts", wanted.to_string()).await;
    assert_eq!(drafted.status, StatusCode::OK, "{}", drafted.text);
    let drafted = holds("post", "/drafts", &drafted);
    let put_at = drafted["put_at"].as_str().unwrap().strip_prefix("/api/v1").unwrap().to_owned();
    let of = "/incidents/{incident}/events/{event}";
    let event = drafted["event"].to_string();
    let put = operator.send(Method::PUT, &put_at, event.clone()).await;
    assert_eq!(put.status, StatusCode::ACCEPTED, "{}", put.text);
    assert_eq!(holds("put", of, &put)["fate"], "on-the-bus");
    until("it is known", async || operator.get("/incidents/named").await.status == StatusCode::OK).await;
    // The same, written otherwise.
    let pretty = format!("\n {} \n", serde_json::to_string_pretty(&drafted["event"]).unwrap());
    let again = operator.send(Method::PUT, &put_at, pretty).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text);
    holds("put", of, &again);
    let entries = bus
        .site
        .app
        .ledger()
        .entries(tocsin_protocol::Stream::Said, &["tocsin.incident.operator.named.*".to_owned()])
        .await
        .unwrap();
    assert_eq!(entries.len(), 1);

    let mut other = drafted["event"].clone();
    other["headline"] = "Something else".into();
    let kept = {
        let mut kept = other.clone();
        kept["incident"] = "away".into();
        kept["headline"] = "kept".into();
        kept.to_string()
    };
    let put = operator.send(Method::PUT, "/incidents/away/events/1", kept).await;
    assert_eq!((put.status, &holds("put", of, &put)["fate"]), (StatusCode::ACCEPTED, &json!("kept")));
    let bad = r#"{"incident":"named","sequence":1,"Headline":"x","services":"999"}"#;
    for (path, body, status) in [
        (put_at.as_str(), other.to_string(), StatusCode::CONFLICT),
        ("/incidents/other/events/1", event.clone(), StatusCode::CONFLICT),
        ("/incidents/named/events/2", event.clone(), StatusCode::CONFLICT),
        ("/incidents/named/events/0", event.clone(), StatusCode::NOT_FOUND),
        (put_at.as_str(), bad.to_owned(), StatusCode::UNPROCESSABLE_ENTITY),
        (put_at.as_str(), String::new(), StatusCode::UNPROCESSABLE_ENTITY),
        (put_at.as_str(), "\u{0}".repeat(70_000), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let answer = operator.send(Method::PUT, path, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        holds("put", of, &answer);
    }
    let answer = operator.send(Method::PUT, &put_at, bad).await;
    let faults: Value = serde_json::from_str(&answer.text).unwrap();
    let services =
        faults["errors"].as_array().unwrap().iter().find(|fault| fault["pointer"] == "/services").unwrap();
    assert_eq!(services["value"], "999");
    assert!(services["message"].as_str().unwrap().contains("is not in a list: write"), "{services}");

    for (draft, status) in [
        (json!({"kind": "update", "incident": "x"}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"kind": "initial", "incident": "x"}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"kind": "initial"}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"kind": "update", "status": "actual"}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"kind": "resolved", "whatever": 1}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!([]), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = operator.send(Method::POST, "/drafts", draft.to_string()).await;
        assert_eq!(answer.status, status, "{draft}: {}", answer.text);
        holds("post", "/drafts", &answer);
    }
    for (method, path) in [(Method::PUT, put_at.as_str()), (Method::POST, "/drafts")] {
        assert_eq!(a.send(method, path, event.clone()).await.status, StatusCode::FORBIDDEN);
    }
    // A browser's session puts nothing here: it has pages, which hold its token.
    bus.site.account("operator.person", Sees::Publisher("operator".parse().unwrap()));
    let mut cookies = String::new();
    until("the account is known", async || {
        cookies = bus.site.sign_in("operator.person", PASSWORD).await.cookies();
        !cookies.is_empty()
    })
    .await;
    let request = Request::put(format!("/api/v1{put_at}")).header("cookie", &cookies).header("origin", HERE);
    assert_eq!(bus.site.send(request.body(event.into()).unwrap()).await.status, StatusCode::UNAUTHORIZED);
    let mut last = StatusCode::OK;
    for _ in 0..60 {
        last = operator.send(Method::POST, "/drafts", "{}").await.status;
        if last == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

/// What comes on an event stream until there is enough.
async fn hear(
    program: &Program<'_>,
    path: &str,
    last: Option<&str>,
    enough: impl Fn(&str) -> bool,
) -> String {
    let mut request = Request::get(format!("/api/v1{path}"));
    request = request.header("authorization", format!("Bearer {}", program.token));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = program.bus.site.open(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut frames = response.into_body().into_data_stream();
    let mut heard = String::new();
    while !enough(&heard) {
        let frame = tokio::time::timeout(Duration::from_secs(30), frames.next()).await.expect(&heard);
        heard.push_str(std::str::from_utf8(&frame.unwrap().unwrap()).unwrap());
    }
    heard
}

#[tokio::test]
async fn what_changes_is_heard_at_once_and_from_where_it_broke_off() {
    let bus = Bus::start().await;
    let (a, c) = (bus.program(recipient("a")).await, bus.program(recipient("c")).await);
    let operator = bus.program(operator()).await;
    let all = hear(&a, "/events?since=0", None, |heard| heard.contains("event: changed")).await;
    assert!(all.contains("event: beat\ndata: {\"hearing\":\"well\",\"now\":"), "{all}");
    let data = all.lines().skip_while(|line| *line != "event: changed").nth(1).unwrap();
    let changed: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(changed["incidents"], json!(["x"]));
    let last = changed["revision"].to_string();
    assert!(all.contains(&format!("id: {last}\nevent: changed")), "{all}");

    let event = json!({
        "incident": "x", "sequence": 3, "kind": "update", "status": "actual", "publisher": "operator",
        "category": "outage", "services": ["999-voice"], "headline": "More", "areas": ["uk"],
    });
    let (heard, new, put) = tokio::join!(
        hear(&a, "/events", Some(&last), |heard| heard.contains("event: changed")),
        hear(&operator, "/events", None, |heard| heard.contains("event: changed")),
        async {
            // Once both streams are open: what was said before a stream without a start is not told on it.
            tokio::time::sleep(Duration::from_millis(200)).await;
            operator.send(Method::PUT, "/incidents/x/events/3", event.to_string()).await
        },
    );
    assert_eq!(put.status, StatusCode::ACCEPTED, "{}", put.text);
    for heard in [heard, new] {
        assert!(heard.contains("\"incidents\":[\"x\"]"), "{heard}");
    }
    // Who does not see it hears that it is heard, and no more.
    let nothing = hear(&c, "/events?since=0", None, |heard| heard.contains("event: beat")).await;
    assert!(!nothing.contains("changed"), "{nothing}");
}
