//! The binary as people run it: a bus of its own from nothing, and what it says when something is wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what a test cannot do without")]

mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use support::{SOON, done, tocsin};
use tocsin_ledger::{Connection, Error, Ledger};
use tocsin_protocol::{Event, SigningKey, from_body, to_body};

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)
}

/// A service under test. However the test ends, it is asked to end, and so ends what it started.
struct Service(Child);

impl Service {
    fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Lines of its output up to the first that holds this text.
    fn until(&mut self, text: &str) -> String {
        let mut told = String::new();
        let mut lines = BufReader::new(self.0.stdout.as_mut().unwrap());
        while !told.contains(text) {
            assert!(lines.read_line(&mut told).unwrap() > 0, "it ended; it had told: {told}");
        }
        told
    }

    fn terminate(&mut self) -> ExitStatus {
        let asked = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.0.id())]).status().unwrap();
        assert!(asked.success());
        let until = Instant::now() + SOON;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "it does not end when asked");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.0.id())]).status();
            let _ = self.0.wait();
        }
    }
}

fn checkpoint_key(dir: &Path) -> String {
    let public = fs::read_to_string(dir.join("keys/public.toml")).unwrap();
    let line = public.lines().find_map(|line| line.strip_prefix("checkpoint_key = ")).unwrap();
    line.trim_matches('"').to_owned()
}

fn event(publisher: &str) -> Event {
    let text = format!(
        r#"{{"incident": "x", "sequence": 1, "kind": "initial", "status": "test", "publisher": "{publisher}",
            "category": "outage", "services": ["999-voice"], "headline": "Calls are failing", "areas": ["north"]}}"#
    );
    from_body("event", text.as_bytes()).unwrap()
}

async fn say_event(ledger: &Ledger, event: &Event, key: &SigningKey) -> Result<tocsin_ledger::Said, Error> {
    let (subject, body) = (event.subject(), to_body("event", event).unwrap());
    let signed = key.sign(&subject.to_string(), &body).unwrap();
    ledger.say(&subject, &signed, body).await
}

/// The command as on a machine that has the binary and nothing else: no environment, no home, and no network where the
/// kernel lets that be tried.
fn alone(dir: &Path, arguments: &[&str]) -> Command {
    let binary = env!("CARGO_BIN_EXE_tocsin");
    let apart = ["--map-root-user", "--net", "--"];
    let can = Command::new("unshare").args(apart).arg("true").stderr(Stdio::null()).status();
    let mut command = if can.is_ok_and(|can| can.success()) {
        let mut command = Command::new("unshare");
        command.args(apart).arg(binary);
        command
    } else {
        Command::new(binary)
    };
    command.args(arguments).current_dir(dir).env_clear();
    command
}

#[tokio::test]
async fn a_bus_of_ones_own_comes_up_from_nothing_dispatches_and_leaves_nothing_running() {
    let dir = tempfile::tempdir().unwrap();
    let config = fs::read_to_string(deploy("tocsin.toml")).unwrap().replace("port = 4222", "port = 0");
    fs::write(dir.path().join("tocsin.toml"), config).unwrap();
    let mut up = Service::start(&mut tocsin(dir.path(), &["up"]));
    let told = up.until("--keys");
    let url = told.split_whitespace().find(|word| word.starts_with("nats://")).unwrap().to_owned();

    let directory = deploy("directory/example.toml");
    let directory = directory.to_str().unwrap();
    done(&mut tocsin(dir.path(), &["keys", "new", "--directory", directory, "--out", "keys"]));
    let apply = ["directory", "apply", directory, "--keys", "keys/public.toml"];
    let run = |arguments: &[&str]| {
        let output = done(tocsin(dir.path(), arguments).env("NATS_URL", &url));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run(&apply).starts_with("Version 1 is in force"));
    assert!(run(&apply).starts_with("Nothing changed: version 1"));
    assert!(run(&["directory", "show"]).contains("police-north"));
    assert!(run(&["policy", "show"]).contains("basis"));

    let again = tocsin(dir.path(), &["up"]).output().unwrap();
    assert_eq!(again.status.code(), Some(1), "two on one store would ruin it");
    assert!(String::from_utf8_lossy(&again.stderr).contains("another `tocsin up` runs on the store"));

    let ledger = Ledger::connect(&Connection::to(&url)).await.unwrap();
    let seed = fs::read_to_string(dir.path().join("keys/operator.nk")).unwrap();
    say_event(&ledger, &event("operator"), &SigningKey::from_seed(&seed).unwrap()).await.unwrap();
    let notice = "tocsin.notice.police-north.x.1".parse().unwrap();
    assert!(ledger.wait_for(&[notice], SOON).await.unwrap().is_some());

    // What is taken away is verified elsewhere, with the file alone.
    let elsewhere = tempfile::tempdir().unwrap();
    let (key, file) = (checkpoint_key(dir.path()), elsewhere.path().join("x.bundle"));
    let file = file.to_str().unwrap();
    for export in [&["audit", "export", "--all", file][..], &["audit", "export", "x", file]] {
        assert!(run(export).contains("Proofs are held against checkpoint"));
        let verify = ["audit", "verify", file, "--key", &key];
        let verified = tocsin(elsewhere.path(), &verify).output().unwrap();
        let told = String::from_utf8(verified.stdout).unwrap();
        assert!(told.contains("It proves nothing by itself") && told.contains("x: "), "{told}");
        assert_eq!(verified.status.code(), Some(1), "no recipient has said anything yet");
    }
    let as_police = ["--as", "police-north", "--key", "keys/police-north.nk"];
    run(&[&["ack", "x"][..], &as_police, &["--by", "A. Example", "--role", "duty"]].concat());
    run(&["audit", "export", "--all", file]);
    let verify = |rest: &[&str]| {
        let verify = [&["audit", "verify", file, "--key", &key][..], rest].concat();
        String::from_utf8(done(&mut tocsin(elsewhere.path(), &verify)).stdout).unwrap()
    };
    let told = verify(&[]);
    assert!(told.contains("All is proven.") && told.contains("x: "), "{told}");
    let told: serde_json::Value = serde_json::from_str(&verify(&["--format", "json"])).unwrap();
    assert_eq!(told["standing"], "proven");
    let elsewhere_still = tempfile::tempdir().unwrap();
    let told = done(&mut alone(elsewhere_still.path(), &["audit", "verify", file, "--key", &key]));
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("All is proven.") && told.contains("x: "), "{told}");
    assert_eq!(fs::read_dir(elsewhere_still.path()).unwrap().count(), 0, "it left something there");
    let altered = fs::read_to_string(file).unwrap().replacen(
        "tocsin.notice.police-north",
        "tocsin.notice.police-south",
        1,
    );
    fs::write(file, altered).unwrap();
    let verified = tocsin(elsewhere.path(), &["audit", "verify", file]).output().unwrap();
    let told = String::from_utf8(verified.stdout).unwrap();
    assert_eq!(verified.status.code(), Some(1), "{told}");
    assert!(told.contains("(tocsin.notice.police-south.x.1) is not in the log"), "{told}");
    fs::write(file, "{}").unwrap();
    let verified = tocsin(elsewhere.path(), &["audit", "verify", file]).output().unwrap();
    assert_eq!(verified.status.code(), Some(2), "it is no bundle");

    assert_eq!(up.terminate().code(), Some(0));
    let mut rest = String::new();
    up.0.stdout.as_mut().unwrap().read_to_string(&mut rest).unwrap();
    assert!(
        tokio::net::TcpStream::connect(url.trim_start_matches("nats://")).await.is_err(),
        "the bus has ended too"
    );
}

#[test]
fn wrong_input_is_told_in_words_with_exit_code_2() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&["setup", "--replicas", "2"], "use 1, 3 or 5"),
        (&["keys", "new"], "required arguments were not provided"),
        (&["keys", "new", "Not An Id"], "use 1 to 64 of a-z, 0-9 and inner hyphens"),
        (&["directory", "check", "gone.toml"], "cannot read the directory file gone.toml"),
        (&["up", "--config", "gone.toml"], "begin with a copy of deploy/tocsin.toml"),
        (&["setup", "--log", "tocsin=loud"], "write it as info or tocsin_router=debug"),
        (&["notifier"], "--config <FILE>"),
    ];
    for (arguments, words) in cases {
        let output = tocsin(dir.path(), arguments).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(words), "{arguments:?}: {told}");
        assert!(!told.contains("stack backtrace") && !told.contains("Error {"), "{told}");
    }
}

#[test]
fn a_bus_that_is_not_there_is_told_as_such_with_exit_code_1() {
    let dir = tempfile::tempdir().unwrap();
    let output = tocsin(dir.path(), &["setup"]).env("NATS_URL", "nats://127.0.0.1:1").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("check that nats-server runs there") && told.lines().count() == 1, "{told}");
}

#[test]
fn a_scenario_is_told_with_all_its_faults_or_with_what_would_come_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mine.toml");
    let shipped = fs::read_to_string(deploy("scenarios/west-mercia.toml")).unwrap();
    let shipped = shipped.replace("../directory/", &format!("{}/", deploy("directory").display()));
    let run = |scenario: &str, more: &[&str]| {
        fs::write(&file, scenario).unwrap();
        let output =
            tocsin(dir.path(), &[&["drill", "--scenario", "mine.toml"], more].concat()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, told) = run(&shipped, &[]);
    assert!(code == 0 && told.starts_with("mine.toml: no fault, no warning\n"), "{code}: {told}");
    assert!(told.contains("13 must acknowledge, 32 are informed"), "{told}");

    let broken =
        shipped.replace("silent", "quiet").replace("\"pol-gwent\"", "\"pol-gwnet\"").replace("never = ", "");
    let broken = broken.replacen("at = 2021-09-06T22:00:00+01:00", "at = 2021-09-06T16:00:00+01:00", 1);
    let (code, told) = run(&broken, &[]);
    assert_eq!(code, 2, "{told}");
    for fault in ["did you mean \"pol-gwent\"?", "put the events in order", "mine.toml: 3 faults, no warning"]
    {
        assert!(told.contains(fault), "{fault}: {told}");
    }
    let (code, told) = run(&broken, &["--json"]);
    let faults: Vec<serde_json::Value> = serde_json::from_str(&told).unwrap();
    assert_eq!((code, faults.len(), &faults[0]["file"]), (2, 3, &"mine.toml".into()), "{told}");
}

/// The table of a directory out and in by the program: what it would do is told, and only what is wanted is done.
#[test]
fn a_table_changes_the_directory_file_only_when_it_is_told_to_and_nothing_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("example.toml");
    let shipped = deploy("");
    let toml = fs::read_to_string(shipped.join("directory/example.toml"))
        .unwrap()
        .replace("../policy/", &format!("{}/policy/", shipped.display()));
    fs::write(&file, &toml).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tocsin")).args(arguments).output().unwrap();
        let told = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code().unwrap(), told.concat())
    };
    let (file, table) = (file.to_str().unwrap(), dir.path().join("r.csv"));
    let put = |text: &str| fs::write(&table, text).unwrap();
    let read = [&["directory", "from-csv", table.to_str().unwrap(), file][..], &["--write"]].concat();
    let (code, csv) = run(&["directory", "csv", file]);
    assert_eq!(code, 0, "{csv}");
    put(&csv);
    assert!(run(&read).1.starts_with("Nothing differs"));

    put(&csv.replace("gold@police-north.example", "silver@police-north.example"));
    let (code, told) = run(&read[..4]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("senior email: was \"gold@police-north.example\", now"), "{told}");
    assert_eq!(fs::read_to_string(file).unwrap(), toml, "nothing is written unasked");

    put(&csv.replace("gold@police-north.example", "gold"));
    let (code, told) = run(&read);
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("row 3, column \"senior email\""), "{told}");
    // No rule of the policy would fit anybody any more.
    put(&csv.replace(",fire,", ",police,"));
    let (code, told) = run(&read);
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("no recipient is of that kind"), "{told}");
    put(&csv.replace("\nfire,", "\nfire-brigade,"));
    let (code, told) = run(&read);
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("--remove"), "{told}");
    assert_eq!(fs::read_to_string(file).unwrap(), toml);

    let (code, told) = run(&[&read[..], &["--remove"]].concat());
    assert_eq!(code, 0, "{told}");
    let written = fs::read_to_string(file).unwrap();
    assert!(written.contains("id = \"fire-brigade\"") && !written.contains("id = \"fire\""), "{written}");
    assert!(written.contains("# when somebody there last said"), "{written}");
}
