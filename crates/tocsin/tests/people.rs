//! The commands that people use, as they use them: the binary, a real nats-server, a router.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what a test cannot do without")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tocsin_ledger::{
    Connection, Ledger, Shape, Wait,
    server::{Server, ServerOptions, find},
};
use tocsin_protocol::{
    NewFact, Overdue, RecipientId, SigningKey, Status, Stream, Subject, from_body, to_body,
};
use tocsin_router::Router;

/// No test waits longer than this for anything.
const DEADLINE: Duration = Duration::from_mins(1);

struct Bus {
    server: Server,
    ledger: Ledger,
    dir: TempDir,
}

impl Bus {
    /// A bus with a router, on which bt-cha publishes and pol-kent and ofcom are told.
    async fn start() -> Self {
        let bus = Self::without_router().await;
        bus.route();
        bus
    }

    async fn without_router() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = ServerOptions {
            binary: find().unwrap(),
            store_dir: dir.path().join("nats"),
            config: None,
            port: None,
        };
        let server = Server::start(&options).await.unwrap();
        let connection = Connection { wait: Wait::UntilConnected, ..Connection::to(&server.url()) };
        let ledger = Ledger::connect(&connection).await.unwrap();
        ledger.set_up(&Shape::default()).await.unwrap();
        let key = |id: &str| {
            let key = SigningKey::generate();
            let file = dir.path().join(format!("{id}.nk"));
            fs::write(&file, key.seed().unwrap()).unwrap();
            #[cfg(unix)]
            fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            key.public()
        };
        let contacts = |id: &str| serde_json::json!({"duty": {"role": "duty officer", "email": format!("duty@{id}.example")}});
        let directory = serde_json::json!({
            "name": "test", "time_zone": "UTC",
            "areas": [{"id": "uk", "name": "UK"}, {"id": "kent", "name": "Kent", "within": "uk"}],
            "publishers": [{"id": "bt-cha", "name": "BT", "key": key("bt-cha"), "areas": "all"}],
            "recipients": [
                {"id": "pol-kent", "name": "Kent Police", "kind": "police", "areas": ["kent"],
                 "key": key("pol-kent"), "contacts": contacts("pol-kent")},
                {"id": "ofcom", "name": "Ofcom", "kind": "regulator", "areas": ["uk"],
                 "key": key("ofcom"), "contacts": contacts("ofcom")},
            ],
            "policies": [{
                "id": "uk-999", "name": "999", "basis": "ours", "confidence": "assumption", "clock": "published",
                "acknowledge": ["initial"],
                "owed": [
                    {"kinds": ["police"], "where": "affected", "requirement": "required"},
                    {"kinds": ["regulator"], "where": "anywhere", "requirement": "informed"},
                ],
                "steps": [{"within": "1h", "contact": "duty"}],
            }],
        });
        let body = serde_json::to_vec(&directory).unwrap().into();
        let fact = NewFact { subject: Subject::Directory { version: 1 }, body, schedule: None };
        ledger.append(&fact, None).await.unwrap();
        let desks: Vec<RecipientId> = ["pol-kent", "ofcom"].map(|id| id.parse().unwrap()).to_vec();
        ledger.ensure_desks(&desks).await.unwrap();
        Self { server, ledger, dir }
    }

    fn route(&self) {
        tokio::spawn(Router::new(self.ledger.clone()).run(std::future::pending()));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The command, with nothing of the tester's environment that would steer it.
    fn tocsin(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tocsin"));
        command.current_dir(self.dir.path()).args(arguments).env_clear();
        command.env("NATS_URL", self.server.url()).env("TOCSIN_SPOOL", self.path("spool")).env("TZ", "UTC");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// Runs it off the runtime, so that the router can work meanwhile.
    async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_as(self.tocsin(arguments)).await
    }

    async fn run_as(&self, mut command: Command) -> Ran {
        let output = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output());
        let Output { status, stdout, stderr } =
            tokio::time::timeout(DEADLINE, output).await.unwrap().unwrap().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    async fn said(&self) -> Vec<String> {
        let all = self.ledger.entries(Stream::Said, &["tocsin.>".to_owned()]).await.unwrap();
        all.into_iter().map(|entry| entry.subject.replace("tocsin.", "")).collect()
    }

    /// What people see, without what differs from run to run.
    fn redacted(&self, text: &str) -> String {
        let text =
            text.replace(&*self.dir.path().to_string_lossy(), "[dir]").replace(&self.server.url(), "[bus]");
        redacted(&text)
    }
}

#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Digits in the place of times, days and lengths of time.
fn redacted(text: &str) -> String {
    let mut clean = String::new();
    let mut rest = text;
    'next: while !rest.is_empty() {
        for (form, name) in [("dddd-dd-dd", "[day]"), ("dd:dd:dd", "[time]"), ("dd min ", "")] {
            let fits = |(found, wanted): (char, char)| match wanted {
                'd' => found.is_ascii_digit(),
                other => found == other,
            };
            if rest.chars().count() >= form.len() && rest.chars().zip(form.chars()).all(fits) {
                clean += name;
                rest = &rest[form.len()..];
                if name == "[time]" && rest.starts_with('.') {
                    rest = rest[1..].trim_start_matches(|c: char| c.is_ascii_digit());
                }
                continue 'next;
            }
        }
        let next = rest.chars().next().unwrap();
        clean.push(next);
        rest = &rest[next.len_utf8()..];
    }
    let left = |line: &str| match line.rsplit_once(": ") {
        Some((head, tail)) if tail.ends_with(" left") => format!("{head}: [length] left"),
        _ => line.to_owned(),
    };
    clean.lines().map(left).collect::<Vec<_>>().join("\n")
}

/// A desk under test, without a terminal. However the test ends, it is killed.
struct AtDesk {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl AtDesk {
    fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (give, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if give.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, lines }
    }

    fn write(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    /// Its output up to the first line that holds this text.
    fn until(&mut self, text: &str) -> String {
        let mut told = String::new();
        tokio::task::block_in_place(|| {
            while !told.contains(text) {
                match self.lines.recv_timeout(DEADLINE) {
                    Ok(line) => {
                        told += &line;
                        told.push('\n');
                    }
                    Err(why) => panic!("{text:?} never came ({why}); it had told: {told}"),
                }
            }
        });
        told
    }
}

impl Drop for AtDesk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const FIRST: [&str; 12] = [
    "--status",
    "exercise",
    "--category",
    "outage",
    "--services",
    "999-voice,112-voice",
    "--areas",
    "kent",
    "--headline",
    "999 calls fail in Kent",
    "--instruction",
    "Staff your own numbers.",
];

fn publish<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["publish", "--as", "bt-cha", "--key", "bt-cha.nk"], more].concat()
}

fn ack<'a>(incident: &'a str, key: &'a str) -> Vec<&'a str> {
    let by = ["--by", "A. Example", "--role", "supervisor", "--wait", "500ms"];
    [&["ack", incident, "--as", "pol-kent", "--key", key], &by[..]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_first_word_to_the_report() {
    let bus = Bus::start().await;
    let published = bus.run(&publish(&[&["--incident", "x"], &FIRST[..]].concat())).await;
    assert_eq!(published.code, Some(0), "{published:?}");
    insta::assert_snapshot!("published", bus.redacted(&published.out));
    let update = publish(&[
        "--update",
        "x",
        "--platform",
        "none",
        "--calls-unsuccessful",
        "40",
        "--calls-by-area",
        "kent=12",
    ]);
    let updated = bus.run(&update).await;
    assert_eq!(updated.code, Some(0), "{updated:?}");
    let mut desk = AtDesk::start(bus.tocsin(&["desk", "--as", "pol-kent", "--key", "pol-kent.nk"]));
    desk.until("x, event 1");
    desk.until("=====");
    let shown = desk.until("x, event 2") + &desk.until("ACKNOWLEDGE BY") + &desk.until("=====");
    insta::assert_snapshot!("desk", bus.redacted(&shown));
    for line in ["a", "A. Example", "supervisor", ""] {
        desk.write(line);
    }
    let told = desk.until("Acknowledged IN TIME");
    assert!(told.contains("for pol-kent as A. Example, supervisor"), "{told}");
    let again = bus.run(&ack("x", "pol-kent.nk")).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    insta::assert_snapshot!(bus.redacted(&again.out), @"Acknowledged IN TIME at [time] UTC (it was due by [time] UTC): x event 2. It had been given before, by A. Example, supervisor");
    let resolved = bus.run(&publish(&["--resolve", "x"])).await;
    assert!(resolved.out.contains("no acknowledgement is needed"), "{resolved:?}");
    let ended = desk.until("No acknowledgement is needed");
    assert!(ended.contains("RESOLVED: 999 calls fail in Kent") && !ended.contains("NOTHING"), "{ended}");
    let incidents = bus.run(&["incidents"]).await;
    insta::assert_snapshot!("incidents", bus.redacted(&incidents.out));
    let report = bus.run(&["report", "x", "--format", "json"]).await;
    let report: serde_json::Value = serde_json::from_str(&report.out).unwrap();
    assert_eq!(report["totals"]["acknowledged_in_time"], 1, "{report}");
    let html = bus.run(&["report", "x", "--format", "html", "--out", "report.html"]).await;
    assert_eq!(html.code, Some(0), "{html:?}");
    assert!(fs::read_to_string(bus.path("report.html")).unwrap().contains("<svg"));
    let unknown = bus.run(&["report", "y"]).await;
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    let none = bus.run(&["refusals", "--incident", "x"]).await;
    assert_eq!(none.out, "Nothing said of x was refused.\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_that_does_not_count_says_why() {
    let bus = Bus::start().await;
    assert_eq!(bus.run(&publish(&[&["--incident", "x"], &FIRST[..]].concat())).await.code, Some(0));
    let wait = ack("x", "ofcom.nk").into_iter().map(|word| if word == "500ms" { "30s" } else { word });
    let forged = bus.run(&wait.collect::<Vec<_>>()).await;
    assert_eq!(forged.code, Some(1), "{forged:?}");
    assert!(forged.err.contains("does not count: the signature is not that of key"), "{forged:?}");
    let refusals = bus.run(&["refusals", "--incident", "x"]).await;
    assert!(refusals.out.contains("bad-signature"), "{refusals:?}");
    // It does not stand in the way of one that counts.
    let right = bus.run(&ack("x", "pol-kent.nk")).await;
    assert!(right.out.starts_with("Acknowledged IN TIME"), "{right:?}");
    let unknown = bus.run(&ack("y", "pol-kent.nk")).await;
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.err.contains("there is no notice to pol-kent of y"), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_event_is_refused_before_it_is_sent_with_every_problem() {
    let bus = Bus::start().await;
    let bad =
        r#"{"incident":"X","sequence":0,"kind":"initial","publisher":"bt-cha","areas":[],"headline":""}"#;
    fs::write(bus.path("bad.json"), bad).unwrap();
    let refused = bus.run(&publish(&["bad.json"])).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    insta::assert_snapshot!("bad_event", refused.err);
    let missing = bus.run(&publish(&["--areas", "kent"])).await;
    assert_eq!(missing.code, Some(2), "{missing:?}");
    insta::assert_snapshot!("missing", missing.err);
    let elsewhere = [&["--incident", "x", "--areas", "atlantis"], &FIRST[..6], &FIRST[8..]].concat();
    let refused = bus.run(&publish(&elsewhere)).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    insta::assert_snapshot!("would_be_refused", refused.err);
    assert_eq!(bus.said().await, [""; 0]);
    assert!(bus.run(&["spool", "list"]).await.out.starts_with("Nothing waits"));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_bus_is_away_the_event_is_kept_told_and_sent_in_order_by_whoever_sends_next() {
    let mut bus = Bus::start().await;
    bus.server.kill().await.unwrap();
    let first = publish(&[&["--wait", "300ms"], &FIRST[..]].concat());
    let kept = bus.run(&first).await;
    assert_eq!(kept.code, Some(1), "{kept:?}");
    // Why is in the system's own words.
    let (told, _) = kept.err.split_once("Why: cannot connect to NATS").unwrap();
    insta::assert_snapshot!("bus_away", bus.redacted(told));
    // The same command again, perhaps a minute later, is the same incident.
    assert_eq!(bus.run(&first).await.code, Some(1));
    let listed = bus.run(&["spool", "list"]).await.out;
    assert!(listed.contains("1 event waits in "), "{listed}");
    let subject = listed.split_whitespace().next().unwrap().to_owned();
    let shown = bus.run(&["spool", "show", &subject]).await;
    assert!(shown.out.starts_with("{\"incident\":"), "{shown:?}");
    let incident = subject.split('.').nth(3).unwrap();
    let update = bus.run(&publish(&["--update", incident, "--platform", "backup", "--wait", "300ms"])).await;
    assert_eq!(update.code, Some(1), "{update:?}");
    bus.server.restart().await.unwrap();
    let sent = bus.run(&["spool", "send"]).await;
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert_eq!(sent.out.matches("PUBLISHED: ").count(), 2, "{sent:?}");
    assert_eq!(bus.said().await, [1, 2].map(|n| format!("incident.bt-cha.{incident}.{n}")));
    assert!(bus.run(&["spool", "list"]).await.out.starts_with("Nothing waits"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_on_disk_before_the_network_and_survives_the_death_of_its_command() {
    let bus = Bus::start().await;
    // Somewhere that takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = bus.tocsin(&publish(&[&["--incident", "x"], &FIRST[..]].concat()));
    command.env("NATS_URL", format!("nats://{}", silent.local_addr().unwrap()));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + DEADLINE;
    while !fs::read_dir(bus.path("spool")).is_ok_and(|files| files.flatten().any(|file| is_event(&file))) {
        assert!(Instant::now() < until, "it never came to the disk");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(bus.said().await, [""; 0]);
    let sent = bus.run(&["spool", "send"]).await;
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert_eq!(bus.said().await, ["incident.bt-cha.x.1"]);
}

fn is_event(file: &fs::DirEntry) -> bool {
    Path::new(&file.file_name()).extension().is_some_and(|extension| extension == "event")
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_told_is_never_told_as_success() {
    let bus = Bus::without_router().await;
    let stands = bus.run(&publish(&[&["--incident", "x", "--wait", "300ms"], &FIRST[..]].concat())).await;
    assert_eq!(stands.code, Some(1), "{stands:?}");
    insta::assert_snapshot!("no_router", bus.redacted(&stands.err));
    bus.route();
    let again = bus.run(&publish(&[&["--incident", "x"], &FIRST[..]].concat())).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(bus.said().await, ["incident.bt-cha.x.1"]);
    // Other words under the same name are refused before they are sent.
    let other = [&["--incident", "x"], &FIRST[..8], &["--headline", "other"]].concat();
    let refused = bus.run(&publish(&other)).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("event 1 of incident x was said already, otherwise"), "{refused:?}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_program_at_the_desk_takes_notices_and_acknowledges_by_its_exit_code() {
    let bus = Bus::start().await;
    let script = r#"cat >"$TOCSIN_FACT.json"; echo "$TOCSIN_INCIDENT $TOCSIN_STATUS $TOCSIN_ACKNOWLEDGE ${NATS_URL:-hidden}" >>told; exit 10"#;
    let nameless =
        bus.run(&["desk", "--as", "pol-kent", "--key", "pol-kent.nk", "--exec", "/bin/true"]).await;
    assert_eq!(nameless.code, Some(2), "{nameless:?}");
    let mut desk = AtDesk::start(bus.tocsin(&[
        "desk",
        "--as",
        "pol-kent",
        "--key",
        "pol-kent.nk",
        "--by",
        "A. Example",
        "--role",
        "system",
        "--exec",
        "/bin/sh",
        "-c",
        script,
    ]));
    assert_eq!(bus.run(&publish(&[&["--incident", "x"], &FIRST[..]].concat())).await.code, Some(0));
    let told = desk.until("Acknowledged IN TIME");
    assert!(told.contains("the program took it"), "{told}");
    assert_eq!(fs::read_to_string(bus.path("told")).unwrap(), "x exercise yes hidden\n");
    // That a promised update did not come is handed over as itself, and its exit code acknowledges nothing.
    let overdue = Overdue {
        incident: "x".parse().unwrap(),
        event: "1".parse().unwrap(),
        step: "2".parse().unwrap(),
        recipient: "pol-kent".parse().unwrap(),
        status: Status::Exercise,
        publisher: "bt-cha".parse().unwrap(),
        promised_by: "2023-06-25T06:15:00Z".parse().unwrap(),
    };
    let subject = "tocsin.notice.pol-kent.x.1.overdue.2".parse().unwrap();
    let fact = NewFact { subject, body: to_body("overdue", &overdue).unwrap(), schedule: None };
    bus.ledger.append(&fact, None).await.unwrap();
    desk.until("x event 1, no update came: the program took it");
    let handed = fs::read(bus.path("overdue.json")).unwrap();
    assert_eq!(from_body::<Overdue>("overdue", handed.trim_ascii_end()).unwrap(), overdue);
    assert_eq!(fs::read_to_string(bus.path("told")).unwrap(), "x exercise yes hidden\nx exercise  hidden\n");
    let notice: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(bus.path("notice.json")).unwrap()).unwrap();
    assert_eq!(notice["recipient"], "pol-kent");
    let said = bus.said().await;
    assert_eq!(
        said,
        ["incident.bt-cha.x.1", "receipt.pol-kent.x.1.delivered", "receipt.pol-kent.x.1.acknowledged"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_says_that_it_is_deaf_and_goes_on_when_the_bus_is_back() {
    let mut bus = Bus::start().await;
    let mut desk = AtDesk::start(bus.tocsin(&["desk", "--as", "pol-kent", "--key", "pol-kent.nk"]));
    desk.until("Hearing the bus");
    // Long enough up that a break is news.
    assert_eq!(bus.run(&publish(&[&["--incident", "x"], &FIRST[..]].concat())).await.code, Some(0));
    desk.until("ACKNOWLEDGE BY");
    bus.server.kill().await.unwrap();
    desk.until("DEAF since");
    bus.server.restart().await.unwrap();
    desk.until("Hearing the bus again");
    assert_eq!(bus.run(&publish(&[&["--incident", "y"], &FIRST[..]].concat())).await.code, Some(0));
    let shown = desk.until("ACKNOWLEDGE BY");
    assert!(shown.contains("y, event 1"), "{shown}");
}
