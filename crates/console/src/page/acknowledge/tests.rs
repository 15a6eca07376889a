//! Over a real bus: both doors, and what is told when they are shut.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header::CONTENT_TYPE},
};
use serde_json::json;
use tocsin_protocol::{
    DirectoryDocument, Entry, Link, NewFact, Person, Receipt, ReceiptMethod, SigningKey, Stream, Subject,
    Timestamp, from_body, to_body,
};

use crate::{
    hands::Hands,
    session::{
        Sees,
        fixture::{Answer, HERE, Site},
    },
};

const PHONE: &str = "01632 960000";

/// A console that may acknowledge for `pol-kent`, for `pol-surrey` by links alone, and not for `pol-essex`; and an incident
/// that all are owed.
struct Day {
    site: Site,
    keys: [SigningKey; 4],
    _dir: tempfile::TempDir,
}

const CONSOLE: usize = 0;
const LINKS: usize = 1;
const OPERATOR: usize = 2;
const KENT: usize = 3;

impl Day {
    async fn start() -> Self {
        Self::of(json!({})).await
    }

    /// The same, with more fields of the event.
    async fn of(more: serde_json::Value) -> Self {
        let keys = [(); 4].map(|()| SigningKey::generate());
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("console_key.nk");
        let mut seed = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).unwrap();
        writeln!(seed, "{}", keys[CONSOLE].seed().unwrap()).unwrap();
        let site = Site::with(Hands::default(), |config| {
            config.key = Some(file);
            config.phone = Some(PHONE.to_owned());
        })
        .await;
        let contacts = json!({"duty": {"role": "Duty officer", "email": "duty@body.example"}});
        let document: DirectoryDocument = serde_json::from_value(json!({
            "name": "Test", "time_zone": "Europe/London",
            "console_key": keys[CONSOLE].public(), "link_key": keys[LINKS].public(),
            "areas": [{"id": "uk", "name": "UK"}],
            "publishers": [{"id": "operator", "name": "The operator", "key": keys[OPERATOR].public(), "areas": "all"}],
            "recipients": [
                {"id": "pol-kent", "name": "Kent Police", "kind": "police", "areas": ["uk"],
                 "key": keys[KENT].public(), "contacts": contacts},
                {"id": "pol-surrey", "name": "Surrey Police", "kind": "police", "areas": ["uk"], "console": "links",
                 "contacts": contacts},
                {"id": "pol-essex", "name": "Essex Police", "kind": "police", "areas": ["uk"], "console": false,
                 "contacts": contacts},
            ],
            "policies": [{"id": "p", "name": "p", "basis": "none", "confidence": "assumption", "clock": "published",
                "acknowledge": ["initial"], "owed": [{"where": "anywhere", "requirement": "required"}],
                "steps": [{"within": "15m", "contact": "duty"}]}],
        }))
        .unwrap();
        let body = to_body("directory", &document).unwrap();
        let fact = NewFact { subject: Subject::Directory { version: 1 }, body, schedule: None };
        site.app.ledger().append(&fact, None).await.unwrap();
        let day = Self { site, keys, _dir: dir };
        let mut event = json!({
            "incident": "x", "sequence": 1, "kind": "initial", "status": "actual", "publisher": "operator",
            "category": "outage", "services": ["999-voice"], "headline": "999 calls fail", "areas": ["uk"],
            "instruction": "Staff 101 for emergencies",
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        day.say(OPERATOR, "tocsin.incident.operator.x.1", &event).await;
        day
    }

    /// Says a fact, and writes what follows as a router does.
    async fn say(&self, key: usize, subject: &str, fact: &impl serde::Serialize) {
        let body = to_body("fact", fact).unwrap();
        let signed = self.keys[key].sign(subject, &body).unwrap();
        let ledger = self.site.app.ledger();
        let said = ledger.say(&subject.parse().unwrap(), &signed, body).await.unwrap().position();
        self.known(said.sequence, 0).await;
        loop {
            let owed = self.site.app.model().read().fold.follows();
            let facts: Vec<_> = owed.into_iter().flat_map(|batch| batch.facts).collect();
            if facts.is_empty() {
                return;
            }
            let before = self.site.app.model().read().fold.log_through();
            ledger.append_all(&facts, Some(said.sequence)).await.unwrap();
            self.known(0, before + facts.len() as u64).await;
        }
    }

    async fn known(&self, said: u64, log: u64) {
        let mut changes = self.site.app.model().changes();
        let read = async {
            while {
                let state = self.site.app.model().read();
                state.fold.said_through() < said || state.fold.log_through() < log
            } {
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(30), read).await.unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while !self.site.app.model().ear().hearing.is_well() {
            assert!(Instant::now() < until);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn receipts(&self) -> Vec<Entry> {
        let filter = ["tocsin.receipt.>".to_owned()];
        self.site.app.ledger().entries(Stream::Said, &filter).await.unwrap()
    }

    /// The path of a link that is good for an hour.
    fn link(&self, recipient: &str) -> String {
        self.link_until(recipient, 3600)
    }

    fn link_until(&self, recipient: &str, seconds: i64) -> String {
        let now = self.site.app.model().now().as_second();
        let link = Link {
            recipient: recipient.parse().unwrap(),
            incident: "x".parse().unwrap(),
            event: "1".parse().unwrap(),
            step: "1".parse().unwrap(),
            expires_at: Timestamp::from_second(now + seconds).unwrap(),
        };
        format!("/a/{}", link.token(&self.keys[LINKS]).unwrap())
    }

    async fn send(&self, method: Method, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.site.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn open(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "", &[]).await
    }

    async fn press(&self, path: &str) -> Answer {
        self.send(Method::POST, path, SUPERVISOR, &[("origin", HERE)]).await
    }

    fn kent() -> Sees {
        Sees::Recipient("pol-kent".parse().unwrap())
    }
}

const SUPERVISOR: &str = "event=1&name=A.+Example&role=control+room+supervisor";
const FIELDS: [(&str, &str); 3] =
    [("event", "1"), ("name", "A. Example"), ("role", "control room supervisor")];
const FORM: &str = "/incidents/x/acknowledge";

#[tokio::test(flavor = "multi_thread")]
async fn an_agency_acknowledges_in_two_clicks_and_is_told_what_stands() {
    let day = Day::start().await;
    let kent = day.site.visitor(Day::kent()).await;
    let incident = kent.get("/incidents/x").await.text;
    assert!(incident.contains(&format!("href=\"{FORM}\"")), "{incident}");
    let form = kent.get(FORM).await.text;
    for shown in ["Acknowledge for Kent Police", "999 calls fail", "Staff 101", "We have got this", PHONE] {
        assert!(form.contains(shown), "{shown}: {form}");
    }
    let empty = kent.post(FORM, &[("event", "1"), ("name", " "), ("role", "")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        empty.text.contains("Enter your name") && empty.text.contains("Enter your role"),
        "{}",
        empty.text
    );
    assert!(day.receipts().await.is_empty(), "nothing is said of an empty form");

    let answer = kent.post(FORM, &FIELDS).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, FORM), "{}", answer.text);
    let told = kent.get(FORM).await.text;
    for shown in ["Kent Police has acknowledged event 1", "A. Example, control room supervisor", "In time"] {
        assert!(told.contains(shown), "{shown}: {told}");
    }
    let receipts = day.receipts().await;
    let receipt: Receipt = from_body("receipt", &receipts[0].body).unwrap();
    assert_eq!((receipts.len(), receipt.method), (1, Some(ReceiptMethod::Page)));
    assert_eq!(receipts[0].signed.as_ref().unwrap().key, day.keys[CONSOLE].public());
    // What the console vouches for can be traced to the account and the session, and to no cookie.
    let by = receipt.signed_in.unwrap();
    assert_eq!((by.account.as_str(), by.session.len()), ("pol-kent", 32));

    // A colleague who pressed a moment later is told who was first, and no second word is said.
    let late =
        kent.post(FORM, &[("event", "1"), ("name", "B. Example"), ("role", "duty officer")]).await.text;
    assert!(late.contains("Somebody was before you") && late.contains("A. Example"), "{late}");
    assert_eq!(day.receipts().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_at_the_desk_first_is_named_to_who_was_at_the_page_second() {
    let day = Day::start().await;
    let kent = day.site.visitor(Day::kent()).await;
    kent.get(FORM).await;
    let receipt = Receipt::acknowledged(
        "pol-kent".parse().unwrap(),
        "x".parse().unwrap(),
        "1".parse().unwrap(),
        Timestamp::now(),
        (Person { name: "D. Desk".to_owned(), role: "dispatcher".to_owned() }, ReceiptMethod::Desk),
    );
    day.say(KENT, &receipt.subject().to_string(), &receipt).await;
    let told = kent.post(FORM, &FIELDS).await.text;
    assert!(told.contains("Somebody was before you") && told.contains("D. Desk, dispatcher"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_agency_that_lets_it_acknowledges_here() {
    let day = Day::start().await;
    for sees in [Sees::Everything, Sees::Publisher("operator".parse().unwrap())] {
        let other = day.site.visitor(sees).await;
        assert_eq!(other.get(FORM).await.status, StatusCode::FORBIDDEN);
        assert_eq!(other.post(FORM, &FIELDS).await.status, StatusCode::FORBIDDEN);
    }
    let essex = day.site.visitor(Sees::Recipient("pol-essex".parse().unwrap())).await;
    let told = essex.get(FORM).await;
    assert_eq!(told.status, StatusCode::CONFLICT);
    assert!(told.text.contains("with its own key alone") && told.text.contains(PHONE), "{}", told.text);
    let posted = essex.post(FORM, &FIELDS).await;
    assert!(posted.text.contains("NOT acknowledged yet"), "{}", posted.text);
    let link = day.press(&day.link("pol-essex")).await;
    assert!(link.text.contains("NOT acknowledged yet"), "{}", link.text);
    let kent = day.site.visitor(Day::kent()).await;
    for absent in ["/incidents/y/acknowledge", "/incidents/NO/acknowledge"] {
        assert_eq!(kent.get(absent).await.status, StatusCode::NOT_FOUND);
        assert_eq!(kent.post(absent, &FIELDS).await.status, StatusCode::NOT_FOUND);
    }
    let another = [("event", "7"), FIELDS[1], FIELDS[2]];
    assert_eq!(kent.post(FORM, &another).await.status, StatusCode::NOT_FOUND, "it was never told of event 7");
    assert!(day.receipts().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_trusts_links_alone_is_told_so_on_the_page_and_acknowledges_by_one() {
    let day = Day::start().await;
    let surrey = day.site.visitor(Sees::Recipient("pol-surrey".parse().unwrap())).await;
    let incident = surrey.get("/incidents/x").await.text;
    assert!(!incident.contains(FORM), "there is no button: {incident}");
    let form = surrey.get(FORM).await;
    assert_eq!(form.status, StatusCode::CONFLICT);
    for (page, told) in [("the incident's", &incident), ("the form's", &form.text)] {
        for words in [
            "by a mail&#39;s link alone",
            "Acknowledge at your own desk",
            "the link in the mail",
            "by telephone",
        ] {
            assert!(told.contains(words), "{page}, {words}: {told}");
        }
    }
    assert!(form.text.contains(PHONE), "{}", form.text);
    let posted = surrey.post(FORM, &FIELDS).await;
    assert_eq!(posted.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(posted.text.contains("NOT acknowledged yet"), "{}", posted.text);
    assert!(day.receipts().await.is_empty());

    let link = day.link("pol-surrey");
    assert!(day.open(&link).await.text.contains("Acknowledge for Surrey Police"));
    let answer = day.press(&link).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, link.as_str()), "{}", answer.text);
    let receipts = day.receipts().await;
    let receipt: Receipt = from_body("receipt", &receipts[0].body).unwrap();
    assert_eq!((receipts.len(), receipt.method), (1, Some(ReceiptMethod::Link)));
    let told = surrey.get("/incidents/x").await.text;
    assert!(!told.contains("by a mail&#39;s link alone"), "there is no more to acknowledge: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn to_open_a_mails_link_changes_nothing_and_to_press_its_button_acknowledges() {
    let day = Day::start().await;
    let link = day.link("pol-kent");
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let page = day.send(method, &link, "", &[]).await;
        assert_eq!((page.status, page.header("x-robots-tag")), (StatusCode::OK, "noindex, nofollow"));
        assert_eq!((page.cookies().as_str(), page.header("cache-control")), ("", "no-store"));
        assert_eq!(page.header("referrer-policy"), "same-origin", "no other site learns of a link");
    }
    let page = day.open(&link).await.text;
    assert!(page.contains("Acknowledge for Kent Police") && page.contains("999 calls fail"), "{page}");
    assert!(day.receipts().await.is_empty(), "mail scanners follow links");

    let elsewhere = day.send(Method::POST, &link, SUPERVISOR, &[("origin", "https://evil.example")]).await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
    let nobody = day.send(Method::POST, &link, "name=&role=", &[]).await;
    assert_eq!(nobody.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(day.receipts().await.is_empty());

    let answer = day.press(&link).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, link.as_str()), "{}", answer.text);
    let told = day.open(&link).await.text;
    assert!(told.contains("Kent Police has acknowledged event 1") && told.contains("by the link"), "{told}");
    let receipts = day.receipts().await;
    let receipt: Receipt = from_body("receipt", &receipts[0].body).unwrap();
    assert_eq!((receipts.len(), receipt.method), (1, Some(ReceiptMethod::Link)));
    assert_eq!(receipt.link.as_deref(), link.strip_prefix("/a/"));
    let again = day.press(&link).await;
    assert!(again.text.contains("Somebody was before you"), "single purpose: {}", again.text);
    assert_eq!(day.receipts().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_lets_nothing_says_what_to_do_instead() {
    let day = Day::start().await;
    let good = day.link("pol-kent");
    let other_key = {
        let link = tocsin_protocol::SignedLink::read(good.strip_prefix("/a/").unwrap()).unwrap().link;
        format!("/a/{}", link.token(&day.keys[CONSOLE]).unwrap())
    };
    for (path, status, words) in [
        (day.link_until("pol-kent", -1), StatusCode::GONE, "This link has expired"),
        (other_key, StatusCode::NOT_FOUND, "This link cannot be used"),
        (good[..good.len() - 12].to_owned(), StatusCode::NOT_FOUND, "This link cannot be used"),
        ("/a/%3Cscript%3E".to_owned(), StatusCode::NOT_FOUND, "This link cannot be used"),
        (day.link("pol-nobody"), StatusCode::NOT_FOUND, "This link leads to nothing here"),
        (format!("/a/{}", "x".repeat(2000)), StatusCode::NOT_FOUND, "This link cannot be used"),
    ] {
        for answer in [day.open(&path).await, day.press(&path).await] {
            let told = answer.text;
            let shut = answer.status == status || answer.status == StatusCode::SERVICE_UNAVAILABLE;
            assert!(shut && told.contains("acknowledged"), "{path}: {} {told}", answer.status);
            assert!(told.contains(PHONE), "{path}: {told}");
            assert!(answer.status != status || told.contains(words), "{path}: {told}");
        }
    }
    assert!(day.receipts().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marking_that_forbids_mail_forbids_the_links_page_too() {
    let day = Day::of(json!({"marking": "OFFICIAL-SENSITIVE"})).await;
    let page = day.open(&day.link("pol-kent")).await.text;
    assert!(page.contains("Details withheld: OFFICIAL-SENSITIVE"), "{page}");
    assert!(!page.contains("999 calls fail") && !page.contains("Staff 101"), "{page}");
    let kent = day.site.visitor(Day::kent()).await;
    assert!(kent.get(FORM).await.text.contains("999 calls fail"), "who has signed in sees it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exercise_is_marked_on_either_doors_page() {
    let day = Day::of(json!({"status": "exercise"})).await;
    let kent = day.site.visitor(Day::kent()).await;
    for page in [day.open(&day.link("pol-kent")).await.text, kent.get(FORM).await.text] {
        assert!(page.contains("<strong>EXERCISE</strong>"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_link_is_tried_so_often_and_no_more() {
    let day = Day::start().await;
    let (link, empty) = (day.link("pol-kent"), "name=&role=");
    for _ in 0..10 {
        let answer = day.send(Method::POST, &link, empty, &[]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let answer = day.send(Method::POST, &link, empty, &[]).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.text.contains("Nothing was done"), "{}", answer.text);
    assert_eq!(day.open(&link).await.status, StatusCode::OK, "to look is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bus_nothing_is_acknowledged_and_it_is_said_so() {
    let mut day = Day::start().await;
    let link = day.link("pol-kent");
    day.site.server.kill().await.unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while day.site.app.ledger().is_connected() {
        assert!(Instant::now() < until, "the connection is held");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let answer = day.press(&link).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    for shown in ["NOT acknowledged yet", "lost touch with the bus", "Nothing was sent", PHONE] {
        assert!(answer.text.contains(shown), "{shown}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_others_could_read_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("console_key.nk");
    std::fs::write(&file, SigningKey::generate().seed().unwrap()).unwrap();
    let mut config = crate::Config::of(dir.path().join("accounts.toml"));
    config.key = Some(file);
    let why = super::Voice::open(&config).map(drop).unwrap_err().to_string();
    assert!(why.contains("may be read by others"), "{why}");
}
