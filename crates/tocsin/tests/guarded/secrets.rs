//! What nobody may see: no secret in anything that is shown or written, and nobody's name or address in a log.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use data_encoding::BASE64;
use tocsin_notifier::sink::{Behaviour, Point, Sink, SinkOptions};
use tocsin_protocol::SigningKey;

use crate::bus::{FIRST, Guarded, SOON, Service, everything, example, until};

const PASSWORD: &str = "staple-battery-horse";
const WRONG_PASSWORD: &str = "staple-battery-mule";
/// Those of an account at the console.
const SIGNED_IN: &str = "correct-donkey-saddle";
const NOT_SIGNED_IN: &str = "correct-donkey-bridle";
/// Who takes part in the story, and how they are reached: what a log has no business with.
const PERSON: &str = "Zebedee Quirke";
const ROLE: &str = "Night watch supervisor";
const NOTE: &str = "Rang from the canteen";
const CALLER: &str = "Ottoline Pym";
const CALLER_PHONE: &str = "01632 960777";
const CALLER_MAIL: &str = "ottoline@operator.example";

/// Everything that is told goes to files here, with every log at its loudest.
struct Story {
    bus: Guarded,
    told: PathBuf,
}

impl Story {
    async fn begin() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let policy = fs::read_to_string(example().with_file_name("../policy/example.toml")).unwrap();
        fs::write(dir.path().join("p.toml"), policy.replace("10m", "2s").replace("20m", "4s")).unwrap();
        let text = fs::read_to_string(example()).unwrap().replace("../policy/example.toml", "p.toml");
        fs::write(dir.path().join("d.toml"), text).unwrap();
        let bus = Guarded::in_force(&dir.path().join("d.toml")).await;
        let told = bus.dir.path().join("told");
        fs::create_dir(&told).unwrap();
        Self { bus, told }
    }

    fn loud(&self, user: &str, arguments: &[&str]) -> Command {
        let mut command = self.bus.command(user, arguments);
        command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
        command
    }

    fn log(&self, name: &str) -> File {
        File::create(self.told.join(format!("{name}.log"))).unwrap()
    }

    fn service(&self, user: &str, arguments: &[&str]) -> Service {
        Service::logging(&mut self.loud(user, arguments), self.log(user))
    }

    fn keep(&self, name: &str, output: &Output) {
        fs::write(self.told.join(format!("{name}.out")), &output.stdout).unwrap();
        fs::write(self.told.join(format!("{name}.log")), &output.stderr).unwrap();
    }

    fn run(&self, name: &str, user: &str, arguments: &[&str]) {
        let output = self.loud(user, arguments).output().unwrap();
        self.keep(name, &output);
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {}", why.lines().last().unwrap_or_default());
    }

    /// A command that must fail, and what it says.
    fn fails(&self, name: &str, command: &mut Command) -> String {
        let output = command.output().unwrap();
        self.keep(name, &output);
        assert!(!output.status.success(), "{name} was let");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

fn is_secret(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_string_lossy();
    [".nk", "-key.pem", ".password"].iter().any(|end| name.ends_with(end))
}

fn keep_secret(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Sends this, and gives the answer: its status, and all of it.
fn answer(address: &str, request: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
}

/// The console, and what people and programs give it that nobody else may see.
async fn at_the_console(story: &Story) -> Service {
    let bus = &story.bus;
    let file = |name: &str| bus.dir.path().join(name);
    keep_secret(&file("account.password"), SIGNED_IN);
    keep_secret(&file("mistaken.password"), NOT_SIGNED_IN);
    let config = "[console]\nlisten = '127.0.0.1:0'\naccounts = 'accounts.toml'\ncookie_key = 'cookies.nk'\n\
                  key = 'keys/console_key.nk'\nphone = '01632 960777'\n\
                  [console.publishers]\noperator = 'keys/operator.nk'\n";
    fs::write(file("console.toml"), config).unwrap();
    let add = ["account", "add", "room", "--recipient", "fire", "--password-file", "account.password"];
    story.run("account", "console", &add);
    let token = bus.run("console", &["account", "token", "room"]);
    keep_secret(&file("token.password"), token.trim());
    let mut console = story.service("console", &["console", "--config", "console.toml"]);
    let told = console.until("The console is at");
    let address = told.trim().rsplit("http://").next().unwrap();

    let sign_in = |password: &str| {
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        answer(address, "POST /sign-in", form, &format!("account=room&password={password}"))
    };
    let (status, text) = sign_in(NOT_SIGNED_IN);
    assert_ne!(status, 303, "{text}");
    let (status, text) = sign_in(SIGNED_IN);
    assert_eq!(status, 303, "{text}");
    let head = text.lines().find(|line| line.to_lowercase().starts_with("set-cookie:")).unwrap();
    let cookie = head.split_once(':').unwrap().1.split(';').next().unwrap().trim();
    keep_secret(&file("session.password"), cookie.split_once('=').unwrap().1);
    let (status, text) = answer(address, "GET /", &format!("Cookie: {cookie}\r\n"), "");
    assert_eq!(status, 200, "{text}");

    let headers = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", token.trim());
    let acknowledgement = serde_json::json!({"by": {"name": PERSON, "role": ROLE}, "note": NOTE}).to_string();
    // It reads the record first.
    let read = || answer(address, "GET /api/v1/incidents/x", &headers, "").0;
    until("the console has read the record", || read() == 200).await;
    let put = "PUT /api/v1/incidents/x/events/1/acknowledgement";
    let (status, text) = answer(address, put, &headers, &acknowledgement);
    assert_eq!(status, 201, "{text}");
    console
}

/// All secrets of the story, in every form in which they might be shown.
fn secrets(files: &BTreeMap<PathBuf, (u32, Vec<u8>)>) -> Vec<(String, String)> {
    let mut secrets = Vec::new();
    for (file, (_, content)) in files.iter().filter(|(file, _)| is_secret(file)) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = String::from_utf8_lossy(content);
        let lines = text.lines().filter(|line| line.len() > 8 && !line.starts_with("-----"));
        // The third line of a P-256 key as PEM is of its public half alone, which its certificate shows.
        let secret = if text.starts_with("-----") { 2 } else { usize::MAX };
        for line in lines.take(secret) {
            secrets.push((name.clone(), line.to_owned()));
            secrets.push((format!("{name} in base64"), BASE64.encode(line.as_bytes())));
        }
    }
    for password in [PASSWORD, WRONG_PASSWORD] {
        let plain = BASE64.encode(format!("\0tocsin\0{password}").as_bytes());
        secrets.push(("the relay's login".to_owned(), plain));
    }
    assert!(secrets.len() > 30, "{}", secrets.len());
    secrets
}

fn holds(content: &[u8], text: &str) -> bool {
    content.windows(text.len()).any(|at| at == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_shown_anywhere_and_no_log_tells_of_a_person() {
    let story = Story::begin().await;
    let bus = &story.bus;
    let relay =
        SinkOptions { login: Some(("tocsin".to_owned(), PASSWORD.to_owned())), ..SinkOptions::default() };
    let relay = Sink::start(relay).await.unwrap();
    relay.script(
        "duty.officer@fire.example",
        [Behaviour::Reply(
            Point::Recipient,
            550,
            "5.1.1 <duty.officer@fire.example>: no such person; ask principal.officer@fire.example",
        )],
    );
    relay.script(
        "duty.officer@regulator.example",
        [
            Behaviour::Reply(Point::Recipient, 451, "4.7.1 duty.officer@regulator.example is greylisted"),
            Behaviour::Accept,
        ],
    );
    let handed = bus.dir.path().join("credentials");
    fs::create_dir(&handed).unwrap();
    let password = handed.join("relay.password");
    keep_secret(&password, WRONG_PASSWORD);
    let config = format!(
        "[notifier]\nfrom = 'Tocsin <tocsin@operator.example>'\nreply_to = '{CALLER_MAIL}'\n\
         phone = '{CALLER_PHONE}'\nmessage_id_domain = 'operator.example'\nretry.pauses = ['300ms']\n\
         relays = [{{ name = 'a', host = '127.0.0.1', port = {}, tls = 'none', username = 'tocsin', password_file = 'relay.password' }}]\n",
        relay.address().port()
    );
    fs::write(bus.dir.path().join("notifier.toml"), &config).unwrap();

    let router = story.service("router", &["router"]);
    let mut notifier =
        story.loud("notifier", &["notifier", "--config", "notifier.toml", "--log-format", "json"]);
    notifier.env("CREDENTIALS_DIRECTORY", &handed);
    let notifier = Service::logging(&mut notifier, story.log("notifier"));
    let mut desk = story.service("police-north", &["desk", "--as", "police-north"]);
    desk.until("Hearing the bus");
    let contact = ["--contact-role", ROLE, "--contact-name", CALLER, "--contact-phone", CALLER_PHONE];
    let publish = [&["publish", "--as", "operator"], &FIRST[..], &contact, &["--contact-email", CALLER_MAIL]];
    story.run("publish", "operator", &publish.concat());
    desk.until("x, event 1");
    for line in ["a", PERSON, ROLE, ""] {
        desk.write(line);
    }
    desk.until("Acknowledged");

    refusals(&story);
    until("the relay refuses the password", || relay.counts().logins_refused > 0).await;
    keep_secret(&password, PASSWORD);
    relay.wait_until(SOON, |seen| seen.to("duty.officer@regulator.example").next().is_some()).await.unwrap();
    let log = story.told.join("notifier.log");
    until("the log tells of the refused mail", || holds(&fs::read(&log).unwrap(), "550 5.1.1")).await;

    let console = at_the_console(&story).await;
    let ack = ["ack", "x", "--as", "ambulance-south", "--by", PERSON, "--role", ROLE, "--note", NOTE];
    story.run("ack", "ambulance-south", &ack);
    story.run("report", "auditor", &["report", "x", "--format", "html", "--out", "report.html"]);
    story.run("export", "auditor", &["audit", "export", "--all", "all.bundle"]);
    story.run("verify", "auditor", &["audit", "verify", "all.bundle"]);
    story.run("rotate", "administrator", &["keys", "rotate", "fire", "--bus", "bus"]);
    story.run("revoke", "administrator", &["keys", "revoke", "fire", "--bus", "bus"]);
    for service in [desk, notifier, router, console] {
        fs::write(story.told.join(format!("{}.out", service.child.id())), service.end()).unwrap();
    }

    let files = everything(bus.dir.path());
    let logs: Vec<_> =
        files.iter().filter(|(file, _)| file.extension().is_some_and(|end| end == "log")).collect();
    assert!(
        logs.len() > 10 && logs.iter().any(|(_, (_, log))| holds(log, "DEBUG")),
        "the logs are not there"
    );
    assert!(logs.iter().any(|(_, (_, log))| holds(log, "550 5.1.1")), "no log tells of the refused mail");
    let mut shown = Vec::new();
    let secrets = secrets(&files);
    for (file, (_, content)) in
        files.iter().filter(|(file, _)| !is_secret(file) && !file.ends_with("misplaced.toml"))
    {
        let told = secrets.iter().filter(|(_, secret)| holds(content, secret));
        shown.extend(told.map(|(name, _)| format!("{} shows {name}", file.display())));
    }
    let text = fs::read_to_string(example()).unwrap();
    let words = text.split('"').filter(|word| word.contains('@') || word.starts_with("01632"));
    let persons =
        [PERSON, ROLE, NOTE, CALLER, CALLER_PHONE, CALLER_MAIL, "@regulator.example", "@fire.example"];
    for person in persons.into_iter().chain(words) {
        for (file, (_, log)) in &logs {
            if let Some(line) = String::from_utf8_lossy(log).lines().find(|line| line.contains(person)) {
                let start: String = line.chars().take(300).collect();
                shown.push(format!("{} tells of {person}: {start}", file.display()));
            }
        }
    }
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

/// What is tried with wrong or misplaced secrets, each of which must be refused.
fn refusals(story: &Story) {
    let bus = &story.bus;
    let seed = |name: &str| fs::read_to_string(bus.dir.path().join(format!("keys/{name}.nk"))).unwrap();
    let ack = ["ack", "x", "--as", "fire", "--by", PERSON, "--role", ROLE];
    let mut own = story.loud("fire", &ack);
    let why = story.fails("seed-in-variable", own.env("NATS_NKEY", seed("fire").trim()));
    assert!(why.contains("mode 600"), "{why}");
    let mut own = story.loud("fire", &ack);
    let why = story.fails("seed-as-option", own.args(["--key", seed("fire").trim()]));
    assert!(why.contains("mode 600"), "{why}");
    let mut own = story.loud("fire", &ack);
    story.fails("login-in-url", own.env("NATS_URL", format!("tls://tocsin:{PASSWORD}@127.0.0.1:1")));
    let mut own = story.loud("fire", &ack);
    let other = bus.settings("police-north")["NATS_NKEY"].clone();
    story.fails("wrong-key", own.env("TOCSIN_KEY", &other));
    let stranger = bus.dir.path().join("stranger.nk");
    keep_secret(&stranger, &SigningKey::generate().seed().unwrap());
    let mut own = story.loud("fire", &ack);
    story.fails("unknown-key", own.env("NATS_NKEY", &stranger));
    let text = fs::read_to_string(bus.dir.path().join("notifier.toml")).unwrap();
    let misplaced = text.replace("password_file = 'relay.password'", &format!("password = '{PASSWORD}'"));
    let file = bus.dir.path().join("misplaced.toml");
    keep_secret(&file, &misplaced);
    let mut own = story.loud("notifier", &["notifier", "--config", file.to_str().unwrap()]);
    let why = story.fails("password-in-configuration", &mut own);
    assert!(why.contains("password_file"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_taken_from_systemds_credentials() {
    let bus = Guarded::in_force(&example()).await;
    let handed = bus.dir.path().join("credentials");
    fs::create_dir(&handed).unwrap();
    let settings = bus.settings("router");
    for (name, from) in
        [("router.nk", "NATS_NKEY"), ("tls.pem", "NATS_KEY"), ("checkpoint_key.nk", "TOCSIN_KEY")]
    {
        let file = handed.join(name);
        fs::copy(&settings[from], &file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    }
    let mut router = bus.command("router", &["router", "--log", "info"]);
    router.env("NATS_NKEY", "router.nk").env("NATS_KEY", "tls.pem").env("TOCSIN_KEY", "checkpoint_key.nk");
    let refused = router.output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "without the directory they are not there");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("checkpoint_key.nk"));
    let log = bus.dir.path().join("router.log");
    let _router = Service::logging(
        router.env("CREDENTIALS_DIRECTORY", &handed),
        Stdio::from(File::create(&log).unwrap()),
    );
    until("the router is live", || fs::read_to_string(&log).unwrap().contains("the router is live")).await;
}
