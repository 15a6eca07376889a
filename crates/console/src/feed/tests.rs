//! Over a real bus: what anybody may read, and that it is nothing else.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use roxmltree::{Document, Node};
use tocsin_protocol::{
    Category, DirectoryDocument, Event, EventContact, EventKind, Impact, NewFact, Platform, Service,
    Severity, SigningKey, Status, Subject, to_body,
};

use crate::{
    hands::Hands,
    session::fixture::{Answer, Site},
};

const CAP: &str = "urn:oasis:names:tc:emergency:cap:1.2";
const ATOM: &str = "http://www.w3.org/2005/Atom";
/// In every field that is not for the public.
const SECRET: &str = "not-for-the-public";

struct Bus {
    site: Site,
    key: SigningKey,
}

impl Bus {
    async fn start() -> Self {
        let public = |config: &mut crate::Config| {
            config.public_url = Some("https://tocsin.operator.example".to_owned());
        };
        let (site, key) = (Site::with(Hands::default(), public).await, SigningKey::generate());
        let document = serde_json::json!({
            "name": "Test", "time_zone": "Europe/London", "policies": [], "recipients": [],
            "areas": [{"id": "kent", "name": "Kent & <Medway>"}, {"id": "uk", "name": "United Kingdom"}],
            "publishers": [
                {"id": "operator", "name": "Operator \"& Sons\"", "key": key.public(), "areas": "all"},
            ],
        });
        let document: DirectoryDocument = serde_json::from_value(document).unwrap();
        let body = to_body("directory", &document).unwrap();
        let fact = NewFact { subject: Subject::Directory { version: 1 }, body, schedule: None };
        site.app.ledger().append(&fact, None).await.unwrap();
        Self { site, key }
    }

    /// Says an event and waits until the console knows it.
    async fn say(&self, event: &Event) {
        let (subject, body) = (event.subject(), to_body("event", event).unwrap());
        let signed = self.key.sign(&subject.to_string(), &body).unwrap();
        let position = self.site.app.ledger().say(&subject, &signed, body).await.unwrap().position();
        let mut changes = self.site.app.model().changes();
        let known = async {
            while self.site.app.model().read().fold.said_through() < position.sequence {
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), known).await.unwrap();
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.site.send(request.body(Body::empty()).unwrap()).await
    }

    /// The feed, once the bus is heard.
    async fn feed(&self) -> Answer {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            let answer = self.get("/feed/atom.xml", &[]).await;
            if answer.status == StatusCode::OK {
                return answer;
            }
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(std::time::Instant::now() < until && !answer.header("retry-after").is_empty());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

/// An event with everything in it that is not for the public.
fn event(incident: &str, number: u32, kind: EventKind, advice: Option<&str>) -> Event {
    let secret = || Some(SECRET.to_owned());
    let plain = serde_json::json!({
        "incident": incident, "sequence": number, "kind": kind, "status": "actual", "publisher": "operator",
        "category": "outage", "services": ["999-voice"], "headline": SECRET, "areas": ["kent", "uk"],
    });
    Event {
        category: Category::CyberAttack,
        services: vec![Service::Voice999],
        description: secret(),
        instruction: secret(),
        public_advice: advice.map(str::to_owned),
        severity: Some(Severity::Severe),
        platform: Some(Platform::None),
        impact: Some(Impact { calls_unsuccessful: Some(987_654), source: secret(), ..Impact::default() }),
        contact: Some(EventContact {
            role: SECRET.to_owned(),
            name: secret(),
            phone: Some("+44 1632 960999".to_owned()),
            email: Some(format!("duty@{SECRET}.example")),
            bridge: secret(),
        }),
        marking: Some("OFFICIAL-SENSITIVE".to_owned()),
        ..serde_json::from_value(plain).unwrap()
    }
}

fn children<'a>(node: Node<'a, 'a>) -> Vec<Node<'a, 'a>> {
    node.children().filter(Node::is_element).collect()
}

fn text<'a>(parent: Node<'a, 'a>, name: &str) -> Option<String> {
    let child = parent.children().find(|child| child.tag_name().name() == name)?;
    Some(child.text().unwrap_or_default().to_owned())
}

/// What the schema of CAP 1.2 demands, element by element: the order, how often, and the words.
fn holds_to_cap(document: &Document<'_>) {
    let alert = document.root_element();
    assert_eq!((alert.tag_name().namespace(), alert.tag_name().name()), (Some(CAP), "alert"));
    // Name, least, most; in the order of the schema.
    let order: [(&str, usize, usize); 14] = [
        ("identifier", 1, 1),
        ("sender", 1, 1),
        ("sent", 1, 1),
        ("status", 1, 1),
        ("msgType", 1, 1),
        ("source", 0, 1),
        ("scope", 1, 1),
        ("restriction", 0, 1),
        ("addresses", 0, 1),
        ("code", 0, 99),
        ("note", 0, 1),
        ("references", 0, 1),
        ("incidents", 0, 1),
        ("info", 0, 99),
    ];
    in_order(alert, &order);
    let plain = |name: &str| {
        let text = text(alert, name).unwrap();
        assert!(!text.is_empty() && !text.contains([' ', ',', '<', '&']), "{name} {text}");
        text
    };
    plain("identifier");
    plain("sender");
    is_time(&text(alert, "sent").unwrap());
    assert_eq!(text(alert, "status").unwrap(), "Actual");
    assert_eq!(text(alert, "scope").unwrap(), "Public");
    let kind = text(alert, "msgType").unwrap();
    assert!(["Alert", "Update", "Cancel"].contains(&kind.as_str()), "{kind}");
    assert_eq!(text(alert, "references").is_some(), kind != "Alert", "{kind}");
    for reference in text(alert, "references").unwrap_or_default().split_whitespace() {
        let parts: Vec<&str> = reference.split(',').collect();
        assert_eq!(parts.len(), 3, "{reference}");
        is_time(parts[2]);
    }
    let infos = children(alert).into_iter().filter(|child| child.tag_name().name() == "info");
    for info in infos {
        let order: [(&str, usize, usize); 21] = [
            ("language", 0, 1),
            ("category", 1, 99),
            ("event", 1, 1),
            ("responseType", 0, 99),
            ("urgency", 1, 1),
            ("severity", 1, 1),
            ("certainty", 1, 1),
            ("audience", 0, 1),
            ("eventCode", 0, 99),
            ("effective", 0, 1),
            ("onset", 0, 1),
            ("expires", 0, 1),
            ("senderName", 0, 1),
            ("headline", 0, 1),
            ("description", 0, 1),
            ("instruction", 0, 1),
            ("web", 0, 1),
            ("contact", 0, 1),
            ("parameter", 0, 99),
            ("resource", 0, 99),
            ("area", 0, 99),
        ];
        in_order(info, &order);
        for (name, words) in [
            ("category", &["Infra"][..]),
            ("urgency", &["Immediate", "Expected", "Future", "Past", "Unknown"]),
            ("severity", &["Extreme", "Severe", "Moderate", "Minor", "Unknown"]),
            ("certainty", &["Observed", "Likely", "Possible", "Unlikely", "Unknown"]),
        ] {
            assert!(words.contains(&text(info, name).unwrap().as_str()), "{name}");
        }
        for area in children(info).into_iter().filter(|child| child.tag_name().name() == "area") {
            in_order(area, &[("areaDesc", 1, 1)]);
        }
    }
}

fn in_order(parent: Node<'_, '_>, order: &[(&str, usize, usize)]) {
    let names: Vec<&str> = parent
        .children()
        .filter(Node::is_element)
        .inspect(|child| assert_eq!(child.tag_name().namespace(), Some(CAP)))
        .map(|child| child.tag_name().name())
        .collect();
    let mut left = names.as_slice();
    for (name, least, most) in order {
        let count = left.iter().take_while(|found| *found == name).count();
        assert!((*least..=*most).contains(&count), "{name} stands {count} times in {names:?}");
        left = &left[count..];
    }
    assert!(left.is_empty(), "{left:?} has no place there: {names:?}");
}

/// The pattern of the schema: `\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d[-,+]\d\d:\d\d`.
fn is_time(text: &str) {
    let form = "0000-00-00T00:00:00+00:00";
    let fits = text.len() == form.len()
        && text.chars().zip(form.chars()).all(|(found, wanted)| match wanted {
            '0' => found.is_ascii_digit(),
            '+' => found == '+' || found == '-',
            other => found == other,
        });
    assert!(fits && text.parse::<tocsin_protocol::Timestamp>().is_ok(), "{text}");
}

const HOSTILE: &str = "Call 112 </description><info> & \"say\" 'so' ]]> <!-- \u{ffff} \u{1f6a8}\nOr 101.";

async fn story(bus: &Bus) {
    bus.say(&event("x", 1, EventKind::Initial, None)).await;
    bus.say(&event("x", 2, EventKind::Update, Some(HOSTILE))).await;
    bus.say(&event("x", 3, EventKind::Update, None)).await;
    bus.say(&event("x", 4, EventKind::Update, Some("Call 999 again."))).await;
    bus.say(&event("x", 5, EventKind::Resolved, None)).await;
    bus.say(&event("y", 1, EventKind::Initial, Some("Call 101."))).await;
    bus.say(&event("y", 2, EventKind::Resolved, Some("It works again."))).await;
    bus.say(&event("y", 3, EventKind::Cancelled, Some("There was nothing."))).await;
}

#[tokio::test]
async fn the_public_reads_the_agreed_words_and_nothing_else() {
    let bus = Bus::start().await;
    bus.say(&event("quiet", 1, EventKind::Initial, None)).await;
    for status in [Status::Exercise, Status::Test] {
        let incident = serde_json::to_value(status).unwrap().as_str().unwrap().to_owned();
        bus.say(&Event { status, ..event(&incident, 1, EventKind::Initial, Some(SECRET)) }).await;
    }
    assert!(!bus.feed().await.text.contains("<entry>"));

    story(&bus).await;
    bus.feed().await;
    let mut told = Vec::new();
    for (incident, numbers) in [("quiet", 1), ("exercise", 1), ("test", 1), ("x", 6), ("y", 3), ("none", 1)] {
        for number in 1..=numbers {
            let answer = bus.get(&format!("/feed/cap/{incident}/{number}.xml"), &[]).await;
            if answer.status == StatusCode::NOT_FOUND {
                continue;
            }
            assert_eq!(answer.status, StatusCode::OK, "{incident} {number}");
            assert_eq!(answer.header("content-type"), "application/cap+xml; charset=utf-8");
            for secret in [SECRET, "SENSITIVE", "987654", "1632", "cyber"] {
                assert!(!answer.text.contains(secret), "{secret}: {}", answer.text);
            }
            let document = Document::parse(&answer.text).unwrap();
            holds_to_cap(&document);
            let alert = document.root_element();
            let info = alert.children().find(|child| child.tag_name().name() == "info");
            let words = info.map(|info| text(info, "description").unwrap());
            let refers = text(alert, "references").unwrap_or_default();
            let refers = refers.split_whitespace().map(|it| it.split(',').nth(1).unwrap().to_owned());
            told.push((
                format!("{incident}/{number}"),
                text(alert, "msgType").unwrap(),
                refers.map(|it| it.rsplit('.').next().unwrap().to_owned()).collect::<Vec<_>>().join(" "),
                words,
            ));
        }
    }
    let words = |text: &str| Some(text.replace('\u{ffff}', ""));
    let row = |of: &str, kind: &str, refers: &str, words| {
        (of.to_owned(), kind.to_owned(), refers.to_owned(), words)
    };
    assert_eq!(
        told,
        [
            row("x/2", "Alert", "", words(HOSTILE)),
            row("x/4", "Update", "2", words("Call 999 again.")),
            row("x/5", "Cancel", "2 4", None),
            row("y/1", "Alert", "", words("Call 101.")),
            row("y/2", "Update", "1", words("It works again.")),
            row("y/3", "Cancel", "1 2", words("There was nothing.")),
        ]
    );
}

#[tokio::test]
async fn the_feed_leads_to_every_message_and_each_names_who_says_it_of_where() {
    let bus = Bus::start().await;
    story(&bus).await;
    bus.feed().await;
    let answer = bus.get("/feed/cap/y/2.xml", &[]).await;
    let document = Document::parse(&answer.text).unwrap();
    let info = document.root_element().children().find(|child| child.tag_name().name() == "info").unwrap();
    assert_eq!(text(info, "responseType").unwrap(), "AllClear");
    assert_eq!(text(info, "urgency").unwrap(), "Past");
    assert_eq!(text(info, "senderName").unwrap(), "Operator \"& Sons\"");
    let areas: Vec<_> = children(info).into_iter().filter_map(|node| text(node, "areaDesc")).collect();
    assert_eq!(areas, ["Kent & <Medway>", "United Kingdom"]);
    assert_eq!(text(document.root_element(), "sender").unwrap(), "operator@tocsin.operator.example");

    let feed = bus.feed().await;
    assert!(!feed.text.contains(SECRET));
    let document = Document::parse(&feed.text).unwrap();
    let root = document.root_element();
    assert_eq!((root.tag_name().namespace(), root.tag_name().name()), (Some(ATOM), "feed"));
    let entries: Vec<_> =
        children(root).into_iter().filter(|child| child.tag_name().name() == "entry").collect();
    let titles: Vec<_> = entries.iter().map(|entry| text(*entry, "title").unwrap()).collect();
    assert_eq!(titles.len(), 6);
    assert_eq!(titles[0], "No longer applies: There was nothing.");
    assert_eq!(titles[3], "No longer applies: Call 999 again.");
    assert_eq!(text(root, "updated"), text(entries[0], "updated"), "the newest first");
    for entry in &entries {
        for name in ["id", "title", "updated", "summary", "author"] {
            assert!(text(*entry, name).is_some(), "{name}");
        }
        let link = entry.children().find(|child| child.tag_name().name() == "link").unwrap();
        let path = link.attribute("href").unwrap().strip_prefix("https://tocsin.operator.example").unwrap();
        assert_eq!(bus.get(path, &[]).await.status, StatusCode::OK, "{path}");
    }
    // What is not for the public and what is not there are told alike, without a word of what was asked.
    for path in [
        "exercise/1.xml",
        "none/1.xml",
        "x/1.xml",
        "x/0.xml",
        "x/2",
        "x/2.xml.xml",
        "X/2.xml",
        "x/99999999999.xml",
    ] {
        let answer = bus.get(&format!("/feed/cap/{path}"), &[]).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (StatusCode::NOT_FOUND, "there is no such advice to the public\n")
        );
    }
}

#[tokio::test]
async fn who_has_it_is_told_so_until_something_is_said() {
    let bus = Bus::start().await;
    bus.say(&event("x", 1, EventKind::Initial, Some("Call 112."))).await;
    for path in ["/feed/atom.xml", "/feed/cap/x/1.xml"] {
        bus.feed().await;
        let first = bus.get(path, &[]).await;
        let (tag, date) = (first.header("etag").to_owned(), first.header("last-modified").to_owned());
        assert!(first.header("cache-control").starts_with("public, max-age="), "{path}");
        assert_eq!(first.header("access-control-allow-origin"), "*");
        let weak = format!("\"other\", W/{tag}");
        for (headers, status) in [
            (&[("if-none-match", tag.as_str())][..], StatusCode::NOT_MODIFIED),
            (&[("if-none-match", weak.as_str())], StatusCode::NOT_MODIFIED),
            (&[("if-none-match", "*")], StatusCode::NOT_MODIFIED),
            (&[("if-none-match", "\"other\"")], StatusCode::OK),
            (&[("if-none-match", "\"other\""), ("if-modified-since", date.as_str())], StatusCode::OK),
            (&[("if-modified-since", date.as_str())], StatusCode::NOT_MODIFIED),
            (&[("if-modified-since", "Sun, 25 Jun 2023 05:24:00 GMT")], StatusCode::OK),
            (&[("if-modified-since", "yesterday")], StatusCode::OK),
        ] {
            let answer = bus.get(path, headers).await;
            assert_eq!(answer.status, status, "{path} {headers:?}");
            assert_eq!(answer.text.is_empty(), status == StatusCode::NOT_MODIFIED);
            assert_eq!(answer.header("etag"), tag);
        }
    }
    let before = bus.feed().await.header("etag").to_owned();
    bus.say(&event("x", 2, EventKind::Update, Some("Call 999."))).await;
    assert_ne!(bus.feed().await.header("etag"), before);
}

#[tokio::test]
async fn a_feed_of_a_console_that_hears_nothing_says_so() {
    let mut bus = Bus::start().await;
    bus.say(&event("x", 1, EventKind::Initial, Some("Call 112."))).await;
    let well = bus.feed().await;
    assert!(well.text.contains("<subtitle>The agreed words"));
    bus.site.server.kill().await.unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let feed = bus.feed().await;
        assert!(feed.text.contains("Call 112."), "what was said stays");
        if feed.text.contains("<subtitle>Nothing has been received since ") {
            break;
        }
        assert!(std::time::Instant::now() < until, "{}", feed.text);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // Also to who asks by the date of what was said last alone.
    let again = bus.get("/feed/atom.xml", &[("if-modified-since", well.header("last-modified"))]).await;
    assert_eq!((again.status, again.header("last-modified")), (StatusCode::OK, ""));
}

#[tokio::test]
async fn the_feed_is_bounded_however_much_is_said() {
    let bus = Bus::start().await;
    let words = "\u{1f514}<&".repeat(1_300);
    for number in 1..=120_u32 {
        bus.say(&event(&format!("i{number}"), 1, EventKind::Initial, Some(&words))).await;
    }
    let feed = bus.feed().await;
    assert_eq!(feed.text.matches("<entry>").count(), 100);
    assert!(feed.text.contains("i120/1.xml") && !feed.text.contains("i20/1.xml"), "the newest are kept");
    assert!(feed.text.len() < 4 << 20, "{}", feed.text.len());
    Document::parse(&feed.text).unwrap();
}

fn in_welsh(event: Event, words: &str) -> Event {
    let welsh = tocsin_protocol::Language::new("cy").unwrap();
    Event { public_advice_in: [(welsh, words.to_owned())].into(), ..event }
}

#[tokio::test]
async fn each_reads_the_agreed_words_in_their_language_and_english_is_marked_where_there_are_none() {
    let bus = Bus::start().await;
    bus.say(&in_welsh(event("x", 1, EventKind::Initial, Some("Call 101 <now>.")), "Ffoniwch 101 <nawr>."))
        .await;
    bus.say(&event("y", 1, EventKind::Initial, Some("Call 112."))).await;
    bus.feed().await;

    // CAP: an info for each language, English first; and the withdrawal in both.
    let answer = bus.get("/feed/cap/x/1.xml", &[]).await;
    let document = Document::parse(&answer.text).unwrap();
    holds_to_cap(&document);
    let infos: Vec<_> = children(document.root_element())
        .into_iter()
        .filter(|node| node.tag_name().name() == "info")
        .map(|info| {
            (text(info, "language").unwrap(), text(info, "headline").unwrap(), text(info, "event").unwrap())
        })
        .collect();
    let info = |language: &str, headline: &str, event: &str| (language.into(), headline.into(), event.into());
    assert_eq!(
        infos,
        [
            info("en-GB", "Call 101 <now>.", "Emergency service communications"),
            info("cy", "Ffoniwch 101 <nawr>.", "Cyfathrebu'r gwasanaethau brys"),
        ]
    );

    // The feed, by name.
    let welsh = bus.get("/feed/atom.xml?lang=cy", &[]).await.text;
    let feed = Document::parse(&welsh).unwrap();
    let titles: Vec<_> = children(feed.root_element())
        .into_iter()
        .filter(|node| node.tag_name().name() == "entry")
        .map(|entry| {
            let lang = entry.attribute(("http://www.w3.org/XML/1998/namespace", "lang"));
            (text(entry, "title").unwrap(), lang.map(str::to_owned))
        })
        .collect();
    let english = Some("en-GB".to_owned());
    assert_eq!(titles, [("Call 112.".to_owned(), english), ("Ffoniwch 101 <nawr>.".to_owned(), None)]);
    assert!(!bus.feed().await.text.contains("Ffoniwch"), "each language is kept apart");

    // The page, by the browser's word or the reader's own.
    let page = bus.get("/public", &[("accept-language", "cy-GB,en;q=0.5")]).await;
    assert_eq!((page.header("content-language"), page.header("vary")), ("cy", "Accept-Language"));
    for words in [
        "<html lang=\"cy\">",
        "Ffoniwch 101 &#60;nawr&#62;.",
        "<span lang=\"en\">Call 112.</span>",
        "Yn Saesneg yn unig",
        "<a href=\"/public?lang=en\" lang=\"en\" hreflang=\"en\">English</a>",
        "hreflang=\"cy\" aria-current=\"true\">Cymraeg</a>",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    assert!(!page.text.contains(SECRET));
    let page = bus.get("/public?lang=en", &[("accept-language", "cy")]).await.text;
    assert!(page.contains("<html lang=\"en\">") && page.contains("Call 101 &#60;now&#62;."), "{page}");
    assert!(!page.contains("Ffoniwch") && !page.contains("lang=\"en\">Call"), "{page}");

    // Withdrawn: what stood there is told so, in both.
    bus.say(&event("x", 2, EventKind::Cancelled, None)).await;
    bus.feed().await;
    let page = bus.get("/public?lang=cy", &[]).await.text;
    assert!(page.contains("Ddim yn berthnasol mwyach: Ffoniwch 101 &#60;nawr&#62;."), "{page}");
    let cancel = bus.get("/feed/cap/x/2.xml", &[]).await.text;
    assert!(cancel.contains("no longer applies. / Nid yw'r cyngor"), "{cancel}");
}

#[tokio::test]
async fn the_public_page_says_so_when_there_is_nothing() {
    let bus = Bus::start().await;
    bus.say(&event("quiet", 1, EventKind::Initial, None)).await;
    bus.feed().await;
    let page = bus.get("/public", &[]).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text.contains("There is no advice at present.") && !page.text.contains(SECRET),
        "{}",
        page.text
    );
    assert_eq!(bus.get("/public?lang=xx", &[]).await.header("content-language"), "en");
}
