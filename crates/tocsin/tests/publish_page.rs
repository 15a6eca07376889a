//! The duty manager at the page, over a real bus: what is confirmed is said once, whatever is pressed twice and whatever
//! goes away meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what a test cannot do without")]

mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use support::{SOON, done, tocsin};
use tempfile::TempDir;
use tocsin_ledger::{
    Connection, Ledger, Shape,
    server::{Server, ServerOptions, find},
};
use tocsin_protocol::{Event, Stream, from_body};

const PASSWORD: &str = "correct horse battery";
const FORM: &str = "application/x-www-form-urlencoded";

/// A service under test; it is ended with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A bus, a router and a console.
struct Site {
    server: Server,
    dir: TempDir,
    _router: Service,
    _console: Service,
    address: String,
}

impl Site {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store_dir = dir.path().join("store");
        fs::create_dir(&store_dir).unwrap();
        let server =
            Server::start(&ServerOptions { binary: find().unwrap(), store_dir, config: None, port: None })
                .await
                .unwrap();
        let url = server.url();
        Ledger::connect(&Connection::to(&url)).await.unwrap().set_up(&Shape::default()).await.unwrap();
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
        let directory = deploy.join("directory/example.toml");
        let directory = directory.to_str().unwrap();
        let command = |arguments: &[&str]| {
            let mut command = tocsin(dir.path(), arguments);
            command.env("NATS_URL", &url);
            command
        };
        let run = |arguments: &[&str]| drop(done(&mut command(arguments)));
        run(&["keys", "new", "--directory", directory, "--out", "keys"]);
        run(&["directory", "apply", directory, "--keys", "keys/public.toml"]);
        let password = dir.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        for (account, sees) in
            [("duty", ["--publisher", "operator"]), ("north", ["--recipient", "police-north"])]
        {
            run(&[&["account", "add", account][..], &sees, &["--password-file", "password"]].concat());
        }
        let example = fs::read_to_string(deploy.join("tocsin.toml")).unwrap();
        let (before, _) = example.split_once("\n[console]").unwrap();
        let console = "\n[console]\nlisten = \"127.0.0.1:0\"\naccounts = \"accounts.toml\"\npublishers.operator = \"keys/operator.nk\"\n";
        fs::write(dir.path().join("tocsin.toml"), [before, console].concat()).unwrap();
        let start = |arguments: &[&str]| {
            Service(command(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
        };
        let router = start(&["router", "--key", "keys/checkpoint_key.nk"]);
        let mut console = start(&["console"]);
        let mut line = String::new();
        BufReader::new(console.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().unwrap().to_owned();
        Self { server, dir, _router: router, _console: console, address }
    }

    /// What the bus holds of the operator's events.
    async fn said(&self) -> Vec<Event> {
        let ledger = Ledger::connect(&Connection::to(&self.server.url())).await.unwrap();
        let entries = ledger.entries(Stream::Said, &["tocsin.incident.>".to_owned()]).await.unwrap();
        entries.iter().map(|entry| from_body("event", &entry.body).unwrap()).collect()
    }

    fn sign_in(&self, account: &str) -> Browser {
        let mut browser = Browser { address: self.address.clone(), cookies: String::new() };
        let body = encode(&[("account", account), ("password", PASSWORD)]);
        let answer = browser.send("POST", "/sign-in", Some(&body));
        assert_eq!(answer.status, 303, "{}", answer.text);
        let cookies = answer.head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
        browser.cookies =
            cookies.map(|cookie| cookie.split(';').next().unwrap()).collect::<Vec<_>>().join("; ");
        browser
    }

    fn spooled(&self) -> usize {
        let spool = fs::read_dir(self.dir.path().join("spool/operator")).unwrap();
        spool.filter(|item| item.as_ref().unwrap().file_name().to_string_lossy().ends_with(".event")).count()
    }
}

#[derive(Clone)]
struct Browser {
    address: String,
    cookies: String,
}

struct Answer {
    status: u16,
    head: String,
    text: String,
}

type Fields = Vec<(String, String)>;

impl Answer {
    fn location(&self) -> &str {
        self.head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default()
    }

    /// The hidden fields of the form that posts there.
    fn hidden(&self, action: &str) -> Fields {
        let start = self
            .text
            .find(&format!("action=\"{action}\""))
            .unwrap_or_else(|| panic!("{action}: {}", self.text));
        let form = &self.text[start..start + self.text[start..].find("</form>").unwrap()];
        let plain = |text: &str| {
            text.replace("&#34;", "\"")
                .replace("&#39;", "'")
                .replace("&#60;", "<")
                .replace("&#62;", ">")
                .replace("&#38;", "&")
        };
        form.split("<input type=\"hidden\" name=\"")
            .skip(1)
            .map(|input| {
                let (name, rest) = input.split_once("\" value=\"").unwrap();
                (plain(name), plain(rest.split_once('"').unwrap().0))
            })
            .collect()
    }
}

fn encode(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| -> String {
        text.bytes().fold(String::new(), |all, byte| all + &format!("%{byte:02x}"))
    };
    let pairs: Vec<_> =
        fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    pairs.join("&")
}

impl Browser {
    fn send(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let Self { address, cookies } = self;
        let body = body.unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nCookie: {cookies}\r\nContent-Type: {FORM}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.replace("\r\n", "\n"), text: text.to_owned() }
    }

    fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None)
    }

    fn post(&self, path: &str, fields: &Fields) -> Answer {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.send("POST", path, Some(&encode(&fields)))
    }

    /// The form there, with these fields filled in, up to its preview.
    fn preview(&self, form: &str, fields: &[(&str, &str)]) -> Answer {
        let mut all = self.get(form).hidden("/publish/preview");
        all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.post("/publish/preview", &all)
    }

    /// Looks until the page is as it should be.
    fn until(&self, path: &str, is: impl Fn(&Answer) -> bool) -> Answer {
        let until = Instant::now() + SOON;
        loop {
            let answer = self.get(path);
            if is(&answer) {
                return answer;
            }
            assert!(Instant::now() < until, "{path}: {} {}", answer.status, answer.text);
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn first<'a>(headline: &'a str, status: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("status", status),
        ("category", "outage"),
        ("services", "999-voice"),
        ("areas", "exampleshire"),
        ("headline", headline),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_confirmed_is_said_once_and_what_follows_tells_what_changed() {
    let site = Site::start().await;
    let duty = site.sign_in("duty");
    duty.until("/publish", |page| page.text.contains("Exampleshire"));

    let preview = duty.preview("/publish", &first("999 calls <b>fail</b> & more", "actual"));
    assert_eq!(preview.status, 200, "{}", preview.text);
    for told in ["999 calls &#60;b&#62;fail&#60;/b&#62;", "4 bodies", "Acknowledge by", "Tell 4 bodies now"] {
        assert!(preview.text.contains(told), "{told}: {}", preview.text);
    }
    assert!(site.said().await.is_empty(), "nothing is sent before it is confirmed");

    // A double click, and later a reload.
    let confirmed = preview.hidden("/publish");
    let twice: Vec<_> = [(); 2]
        .map(|()| {
            let (duty, confirmed) = (duty.clone(), confirmed.clone());
            thread::spawn(move || duty.post("/publish", &confirmed))
        })
        .into_iter()
        .map(|sent| sent.join().unwrap())
        .collect();
    let again = duty.post("/publish", &confirmed);
    let incident = again.location().split('?').next().unwrap().to_owned();
    for answer in twice.iter().chain([&again]) {
        assert_eq!(answer.status, 303, "{}", answer.text);
        assert!(answer.location().starts_with("/incidents/operator-"), "{}", answer.head);
    }
    assert_eq!(site.said().await.len(), 1);
    assert_eq!(site.spooled(), 0);

    let page = duty.get(&incident);
    assert!(page.text.contains(&format!("{incident}/publish?says=update")), "{}", page.text);
    let kept_as_is = [("services", "999-voice"), ("areas", "exampleshire"), ("category", "outage")];
    let update = [&kept_as_is[..], &[("platform", "none")]].concat();
    let preview = duty.preview(&format!("{incident}/publish?says=update"), &update);
    assert!(
        preview.text.contains("This is a worsening") && preview.text.contains("Everything else stays"),
        "{}",
        preview.text
    );
    assert_eq!(duty.post("/publish", &preview.hidden("/publish")).status, 303);
    let cancel = duty.preview(&format!("{incident}/publish?says=cancelled"), &[]);
    assert_eq!(duty.post("/publish", &cancel.hidden("/publish")).status, 303);
    let said = site.said().await;
    let kinds: Vec<_> = said.iter().map(|event| (event.sequence.get(), event.kind.as_str())).collect();
    assert_eq!(kinds, [(1, "initial"), (2, "update"), (3, "cancelled")]);
    assert!(!duty.get(&incident).text.contains("publish?says="), "nothing follows a cancellation");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_tell_of_two_failures_in_one_minute_are_each_asked_again_and_neither_is_lost() {
    let site = Site::start().await;
    let duty = site.sign_in("duty");
    duty.until("/publish", |page| page.text.contains("Exampleshire"));
    let name = |page: &Answer| {
        let event = page.hidden("/publish").into_iter().find(|(name, _)| name == "event").unwrap().1;
        from_body::<Event>("event", event.as_bytes()).unwrap().incident.to_string()
    };
    // Within one minute the two have one name, until one of them is confirmed.
    let (one, other) = loop {
        let one = duty.preview("/publish", &first("999 calls fail", "actual"));
        let other = duty.preview("/publish", &first("For exercise: 999 calls fail", "exercise"));
        if name(&one) == name(&other) {
            break (one, other);
        }
    };
    assert!(
        other.text.contains("EXERCISE: Tell") && other.text.contains("class=\"exercise\""),
        "{}",
        other.text
    );
    assert_eq!(duty.post("/publish", &one.hidden("/publish")).status, 303);
    let again = duty.post("/publish", &other.hidden("/publish"));
    assert_eq!(again.status, 422, "{}", again.text);
    assert!(again.text.contains("Meanwhile another event 1"), "{}", again.text);
    assert_ne!(name(&again), name(&one));
    assert_eq!(duty.post("/publish", &again.hidden("/publish")).status, 303);
    let said = site.said().await;
    assert_eq!(said.iter().map(|event| event.status.as_str()).collect::<Vec<_>>(), ["actual", "exercise"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_bus_away_it_is_kept_says_so_and_goes_out_by_itself_once() {
    let mut site = Site::start().await;
    let duty = site.sign_in("duty");
    duty.until("/publish", |page| page.text.contains("Exampleshire"));
    site.server.kill().await.unwrap();
    duty.until("/", |page| page.text.contains("lost touch with the bus"));

    let preview = duty.preview("/publish", &first("999 calls fail", "actual"));
    assert!(preview.text.contains("is NOT sent at once"), "{}", preview.text);
    assert!(preview.text.contains("Tell 4 bodies now"), "the directory is still known: {}", preview.text);
    let confirmed = preview.hidden("/publish");
    for _ in 0..2 {
        let kept = duty.post("/publish", &confirmed);
        assert!(kept.status == 303 && kept.location().starts_with("/publish/operator-"), "{}", kept.text);
        let fate = duty.get(kept.location());
        assert!(
            fate.text.contains("NOT sent yet") && fate.text.contains("NOBODY HAS BEEN TOLD"),
            "{}",
            fate.text
        );
        assert!(fate.head.contains("\nrefresh: 5"), "{}", fate.head);
        assert_eq!(site.spooled(), 1);
    }
    assert!(duty.get("/").text.contains("Kept on disk, NOT sent yet"));
    let incident = confirmed.iter().find(|(name, _)| name == "event").unwrap();
    let incident = from_body::<Event>("event", incident.1.as_bytes()).unwrap().incident;

    // What follows may be written already.
    let update = [("services", "999-voice"), ("areas", "exampleshire"), ("platform", "backup")];
    let preview = duty.preview(&format!("/incidents/{incident}/publish?says=update"), &update);
    assert_eq!(duty.post("/publish", &preview.hidden("/publish")).status, 303);
    assert_eq!(site.spooled(), 2);

    site.server.restart().await.unwrap();
    let sent = duty.until(&format!("/publish/{incident}/2"), |page| page.status == 303);
    assert_eq!(sent.location(), format!("/incidents/{incident}"));
    let said = site.said().await;
    assert_eq!(said.iter().map(|event| event.sequence.get()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(site.spooled(), 0);
    assert!(!duty.until("/", |page| !page.text.contains("lost touch")).text.contains("NOT sent yet"));
}

impl Site {
    /// Runs a command against the bus, in the site's directory.
    fn run(&self, arguments: &[&str]) -> String {
        let mut command = tocsin(self.dir.path(), arguments);
        command.env("NATS_URL", self.server.url());
        String::from_utf8(done(&mut command).stdout).unwrap()
    }

    /// Posts JSON as a program does.
    fn program(&self, token: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
        let address = &self.address;
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(text).unwrap_or_default())
    }
}

const WEBHOOK: &str = r#"{"version": "4", "groupKey": "{}:{alertname=\"CallsNotAnswered\"}", "status": "STATUS",
    "receiver": "tocsin", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {"summary": "Test calls fail"},
    "externalURL": "http://am.example", "alerts": [{"status": "STATUS", "annotations": {},
    "labels": {"alertname": "CallsNotAnswered", "service": "999-voice", "area": "south"},
    "startsAt": "2023-06-25T05:25:00Z", "endsAt": "2023-06-25T07:25:00Z", "fingerprint": "a"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_reported_waits_on_the_operators_page_until_a_person_links_it_and_both_trails_are_kept() {
    let site = Site::start().await;
    let (duty, north) = (site.sign_in("duty"), site.sign_in("north"));
    duty.until("/publish", |page| page.text.contains("Exampleshire"));
    let by = ["--by", "A. Example", "--role", "control room supervisor"];
    let tell = ["tell", "--as", "police-north", "--key", "keys/police-north.nk", "--id", "stopped"];
    let what = ["--services", "999-voice", "--areas", "north", "--headline", "No 999 <call> reaches us"];
    let told = site.run(&[&tell[..], &what, &by].concat());
    assert!(told.contains("Reported at") && told.contains("stopped of police-north"), "{told}");
    assert!(
        north.until("/reports", |page| page.text.contains("No 999")).text.contains("What you have reported")
    );

    // Nothing that is open fits it: the page offers a draft, filled in, of which nothing is said yet.
    let begin = "/publish?body=police-north&#38;report=stopped";
    let page = duty.until("/reports", |page| page.text.contains(begin));
    assert!(
        page.text.contains("Reports (1 to link)") && page.text.contains("No 999 &#60;call&#62; reaches us")
    );
    assert!(
        duty.get("/publish?body=police-north&report=stopped")
            .text
            .contains("No 999 &#60;call&#62; reaches us")
    );
    assert_eq!(site.said().await, []);

    // Once there is an incident, a person says that they are one; without a name nothing is said.
    let preview = duty.preview("/publish", &first("999 calls fail", "actual"));
    let confirmed = duty.post("/publish", &preview.hidden("/publish"));
    let incident = confirmed.location().split('?').next().unwrap().to_owned();
    let page = duty.until("/reports", |page| page.text.contains("May be of the same outage as"));
    let mut fields = page.hidden("/reports/link");
    fields.push(("answer".to_owned(), "same".to_owned()));
    assert_eq!(north.post("/reports/link", &fields).status, 403, "another's form");
    assert_eq!(duty.post("/reports/link", &fields).status, 422);
    fields.extend(
        [("name", "B. Example"), ("role", "duty manager")].map(|(n, v)| (n.to_owned(), v.to_owned())),
    );
    let linked = duty.post("/reports/link", &fields);
    assert_eq!(linked.location(), "/reports", "{}", linked.text);
    let page = duty.get(&incident).text;
    assert!(
        page.contains("Other trails of it") && page.contains("No 999 &#60;call&#62; reaches us"),
        "{page}"
    );
    assert!(page.contains("before the first event") && page.contains("B. Example, duty manager"), "{page}");
    assert!(!north.get(&incident).text.contains("Other trails of it"), "it is the operator's");
    assert!(duty.get("/reports").text.contains("Nothing waits."));
    assert!(site.run(&["proposals", "--as", "operator"]).contains("Nothing waits to be linked."));

    // An Alertmanager repeats itself: one group is one report until it is over.
    let token = site.run(&["account", "token", "duty"]).trim().to_owned();
    let webhook = |status: &str| {
        let until = Instant::now() + SOON;
        loop {
            let body = WEBHOOK.replace("STATUS", status);
            let answer = site.program(&token, "/api/v1/monitoring/alertmanager", &body);
            // The file of accounts is looked at from time to time.
            if answer.0 != 401 {
                return answer;
            }
            assert!(Instant::now() < until);
            thread::sleep(Duration::from_millis(100));
        }
    };
    let became = |(status, body): (u16, serde_json::Value)| {
        (status, body["became"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(became(webhook("firing")), (201, "said".to_owned()));
    assert_eq!(became(webhook("firing")), (200, "already".to_owned()));
    let page = duty.until("/reports", |page| page.text.contains("1 to link")).text;
    assert!(page.contains("seen by a machine") && page.contains("Test calls fail"), "{page}");
    assert_eq!(became(webhook("resolved")), (201, "said".to_owned()));
    assert_eq!(became(webhook("resolved")), (200, "nothing".to_owned()));
    assert_eq!(webhook("on fire").0, 422);
    let own = r#"{"report": "by-hand", "observed_at": "2023-06-25T05:31:00Z", "services": ["999-voice"],
        "areas": ["exampleshire"], "headline": "Our probe fails"}"#;
    assert_eq!(became(site.program(&token, "/api/v1/reports", own)), (201, "said".to_owned()));
    assert_eq!(became(site.program(&token, "/api/v1/reports", own)), (200, "already".to_owned()));
    assert_eq!(site.program("none", "/api/v1/reports", own).0, 401);
    // Nobody was written to because of any of it: one incident has one event.
    assert_eq!(site.said().await.len(), 1);
}

/// One way to alter it.
type Change = fn(&mut serde_json::Value);

#[tokio::test(flavor = "multi_thread")]
async fn nobody_publishes_who_may_not_and_nothing_that_was_not_drafted_here() {
    let site = Site::start().await;
    let (duty, north) = (site.sign_in("duty"), site.sign_in("north"));
    duty.until("/publish", |page| page.text.contains("Exampleshire"));
    let preview = duty.preview("/publish", &first("999 calls fail", "actual"));
    let confirmed = preview.hidden("/publish");

    assert_eq!(north.get("/publish").status, 403);
    let nobody = Browser { cookies: String::new(), ..duty.clone() };
    assert_eq!(nobody.get("/publish").location(), "/sign-in?next=%2Fpublish");
    assert_eq!(nobody.post("/publish", &confirmed).status, 401);
    assert_eq!(north.post("/publish", &confirmed).status, 403, "another's form");
    let without: Fields = confirmed.iter().filter(|(name, _)| name != "csrf").cloned().collect();
    assert_eq!(duty.post("/publish", &without).status, 403);

    let altered = |change: fn(&mut serde_json::Value)| -> Fields {
        let alter = |(name, value): &(String, String)| {
            let mut value = value.clone();
            if name == "event" {
                let mut event = serde_json::from_str(&value).unwrap();
                change(&mut event);
                value = event.to_string();
            }
            (name.clone(), value)
        };
        confirmed.iter().map(alter).collect()
    };
    let changes: [(&str, Change); 6] = [
        ("another publisher", |event| event["publisher"] = "somebody".into()),
        ("an unknown area", |event| event["areas"] = serde_json::json!(["atlantis"])),
        ("a gap", |event| {
            event["sequence"] = 7.into();
            event["kind"] = "update".into();
        }),
        ("a long headline", |event| event["headline"] = "x".repeat(10_000).into()),
        ("another field", |event| event["x"] = 1.into()),
        ("no event", |event| *event = serde_json::json!("<script>")),
    ];
    for (what, change) in changes {
        let answer = duty.post("/publish", &altered(change));
        assert_ne!(answer.status, 500, "{what}");
        assert!(!answer.location().starts_with("/incidents/"), "{what}: {}", answer.head);
    }
    for fields in [
        vec![("status", "actual")],
        vec![("headline", "\u{0}<script>"), ("status", "x"), ("areas", "*"), ("services", "\u{202e}")],
        first("x", "actual")
            .into_iter()
            .chain([("calls", "1e9"), ("began_at", "9999-99-99T99:99")])
            .collect(),
    ] {
        let answer = duty.preview("/publish", &fields);
        assert_eq!(answer.status, 422, "{fields:?}: {}", answer.text);
        assert!(!answer.text.contains("<script>"), "{fields:?}");
    }
    for says in ["update", "cancelled", "erased"] {
        assert_eq!(duty.get(&format!("/incidents/nobody/publish?says={says}")).status, 404, "{says}");
    }
    let said = site.said().await;
    assert!(said.iter().all(|event| event.sequence.get() == 7), "{said:?}");
}
