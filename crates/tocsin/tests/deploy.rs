//! What we ship for NATS is what nats-server takes, and says what it must.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tocsin_ledger::{
    Connection, Ledger, Shape,
    server::{Server, ServerOptions, find},
};

const SERVERS: [&str; 4] = ["single.conf", "cluster-1.conf", "cluster-2.conf", "cluster-3.conf"];

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nats")
}

#[test]
fn nats_server_takes_every_configuration_that_we_ship() {
    let server = find().unwrap();
    for name in SERVERS {
        let told = Command::new(&server).arg("-t").arg("-c").arg(shipped().join(name)).output().unwrap();
        assert!(told.status.success(), "{name}: {}", String::from_utf8_lossy(&told.stderr));
    }
}

#[test]
fn every_configuration_syncs_each_write_listens_on_loopback_and_tells_of_chrony_and_disks() {
    for name in SERVERS {
        let text = fs::read_to_string(shipped().join(name)).unwrap();
        let settings: Vec<_> = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
        assert!(settings.contains(&"sync_interval: always"), "{name}");
        assert!(settings.contains(&"max_buffered_msgs: 2000"), "{name}");
        let listens: Vec<_> =
            settings.iter().filter(|line| line.starts_with("listen:") || line.starts_with("http:")).collect();
        assert!(listens.len() >= 2 && listens.iter().all(|line| line.contains("\"127.0.0.1:")), "{name}");
        assert!(text.contains("chrony") && text.to_lowercase().contains("disk"), "{name}");
    }
}

/// The lines of the units that we ship that begin with this.
fn of_units(key: &str) -> Vec<(String, String)> {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd");
    let mut found = Vec::new();
    for unit in fs::read_dir(units).unwrap().map(|unit| unit.unwrap().path()) {
        let name = unit.file_name().unwrap().to_string_lossy().into_owned();
        for line in fs::read_to_string(&unit).unwrap().lines() {
            found.extend(line.strip_prefix(key).map(|rest| (name.clone(), rest.to_owned())));
        }
    }
    found
}

#[test]
fn every_unit_calls_the_program_as_it_may_be_called() {
    let mut called = 0;
    for (unit, line) in of_units("ExecStart=") {
        for call in line.split([';', '\'']).map(str::trim) {
            let Some(arguments) = call.strip_prefix("/usr/bin/tocsin ").or(call.strip_prefix("tocsin "))
            else {
                continue;
            };
            let arguments = arguments.split(' ').map(|word| word.trim_matches('"'));
            let mut command = Command::new(env!("CARGO_BIN_EXE_tocsin"));
            command.args(arguments);
            if call.contains("--alarm") {
                // It takes the rest of the line.
                command.arg(";");
            }
            let told = command.arg("--help").output().unwrap();
            assert!(told.status.success(), "{unit}: {}", String::from_utf8_lossy(&told.stderr));
            called += 1;
        }
    }
    assert!(called >= 6, "{called}");
}

#[test]
fn a_unit_that_is_started_again_is_not_when_what_it_is_given_cannot_be_used() {
    let again: Vec<_> = of_units("Restart=").into_iter().map(|(unit, _)| unit).collect();
    let prevented = of_units("RestartPreventExitStatus=");
    // nats-server has no exit code of its own for that.
    let ours: Vec<_> = again.iter().filter(|unit| *unit != "tocsin-nats.service").collect();
    assert_eq!(ours.len(), 5, "{ours:?}");
    assert_eq!(prevented.len(), 5, "{prevented:?}");
    for unit in ours {
        assert!(prevented.contains(&(unit.clone(), "2".to_owned())), "{unit}");
    }
}

#[test]
fn a_bus_provisioned_as_the_instructions_say_gives_each_unit_what_it_names_and_writes_where_its_unit_may() {
    use std::collections::BTreeMap;

    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tocsin"));
        let told = command.args(arguments.split_whitespace()).current_dir(home.path()).output().unwrap();
        assert!(told.status.success(), "{arguments}: {}", String::from_utf8_lossy(&told.stderr));
    };
    for part in ["directory", "policy"] {
        fs::create_dir(home.path().join(part)).unwrap();
        let file = format!("{part}/example.toml");
        fs::copy(shipped().join("..").join(&file), home.path().join(&file)).unwrap();
    }
    let instructions = fs::read_to_string(shipped().join("../INSTALL.md")).unwrap();
    let mut told = instructions.lines().filter_map(|line| line.strip_prefix("tocsin "));
    for first in ["keys new ", "provision "] {
        run(told.find(|line| line.starts_with(first)).unwrap());
    }
    // Where root keeps it; here, where it was written.
    let real = home.path().canonicalize().unwrap();
    let here = |there: &str| there.strip_prefix("/etc/tocsin/").map(|there| real.join(there));

    let mut handed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (unit, line) in of_units("LoadCredential=") {
        let (name, from) = line.split_once(':').unwrap();
        let file = here(from).unwrap();
        assert_eq!(file.file_name().unwrap().to_str(), Some(name), "{unit}: it is looked for by its name");
        // A publisher's are made by hand, as the instructions say.
        let by_hand = instructions.contains(&format!(" {name}\n"));
        assert!(file.is_file() || by_hand, "{unit}: there is no {from}");
        handed.entry(unit).or_default().push(name.to_owned());
    }
    for (unit, file) in of_units("EnvironmentFile=") {
        let name = Path::new(&file).file_stem().unwrap().to_str().unwrap().to_owned();
        let user = if name == "publisher" { "operator" } else { &name };
        let settings = fs::read_to_string(real.join(format!("nats/env/{user}.env"))).unwrap();
        for key in ["NATS_NKEY=", "TOCSIN_KEY=", "NATS_CERT=", "NATS_KEY="] {
            let Some(named) = settings.lines().find_map(|line| line.strip_prefix(key)) else { continue };
            let named = Path::new(named.trim_matches('"'));
            assert!(named.is_file(), "{unit}: {key}{}", named.display());
            let wanted = named.file_name().unwrap().to_str().unwrap().replace(user, &name);
            let is_handed = handed.get(&unit).is_some_and(|names| names.contains(&wanted));
            assert!(is_handed, "{unit}: root alone can read {wanted}, and no LoadCredential= hands it over");
        }
    }

    let config = fs::read_to_string(real.join("nats/nats-server.conf")).unwrap();
    assert!(of_units("StateDirectory=").contains(&("tocsin-nats.service".to_owned(), "tocsin".to_owned())));
    for setting in ["store_dir:", "pid_file:", "log_file:"] {
        let place = config.lines().find_map(|line| line.trim().strip_prefix(setting)).unwrap();
        assert!(place.trim().starts_with("\"/var/lib/tocsin/"), "{setting}{place}");
    }
}

#[test]
fn every_manifest_calls_the_program_as_it_may_be_called() {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kubernetes");
    let mut called = 0;
    for manifest in fs::read_dir(manifests).unwrap().map(|manifest| manifest.unwrap().path()) {
        for line in fs::read_to_string(&manifest).unwrap().lines() {
            let arguments =
                line.split_once("args: [--log-format").map(|(_, rest)| format!("--log-format{rest}"));
            let probe = line.split_once("command: [/usr/bin/tocsin, ").map(|(_, rest)| rest.to_owned());
            let Some(call) = arguments.or(probe) else { continue };
            let call = call.split(']').next().unwrap_or_default().split(", ");
            let told = Command::new(env!("CARGO_BIN_EXE_tocsin")).args(call).arg("--help").output().unwrap();
            assert!(
                told.status.success(),
                "{}: {}",
                manifest.display(),
                String::from_utf8_lossy(&told.stderr)
            );
            called += 1;
        }
    }
    assert_eq!(called, 7, "three services and the probes of two");
}

/// A service that is ended with the test.
#[cfg(unix)]
struct Running(std::process::Child);

#[cfg(unix)]
impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What systemd hears from a service.
#[cfg(unix)]
struct Systemd {
    socket: std::os::unix::net::UnixDatagram,
    heard: Vec<String>,
}

#[cfg(unix)]
impl Systemd {
    /// Waits until a word that begins so is heard, and gives what was heard up to it.
    fn until(&mut self, word: &str) -> Vec<String> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(at) = self.heard.iter().position(|heard| heard.starts_with(word)) {
                return self.heard.drain(..=at).collect();
            }
            let read = self.socket.recv(&mut buffer).unwrap_or_else(|why| panic!("{word}: {why}"));
            let told = String::from_utf8_lossy(&buffer[..read]);
            self.heard.extend(told.lines().map(str::to_owned));
        }
    }
}

/// A bus without streams, with its store under this directory.
async fn bus_in(home: &Path) -> Server {
    let options =
        ServerOptions { binary: find().unwrap(), store_dir: home.join("nats"), config: None, port: None };
    Server::start(&options).await.unwrap()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_tells_systemd_that_it_is_ready_when_it_works_and_that_it_gets_on() {
    use std::time::Duration;

    let home = tempfile::tempdir().unwrap();
    let mut server = bus_in(home.path()).await;
    Ledger::connect(&Connection::to(&server.url())).await.unwrap().set_up(&Shape::default()).await.unwrap();
    server.kill().await.unwrap();
    let config = home.path().join("tocsin.toml");
    let settings = "[notifier]\nfrom = 'tocsin@operator.example'\nmessage_id_domain = 'operator.example'\n\
                    [[notifier.relays]]\nname = 'own'\nhost = '127.0.0.1'\nport = 25\ntls = 'none'\n\
                    [console]\nlisten = '127.0.0.1:0'\naccounts = 'accounts.toml'\n";
    fs::write(&config, settings).unwrap();
    tocsin_console::Accounts::change(&home.path().join("accounts.toml"), |accounts| {
        accounts.add(&"wall".parse()?, tocsin_console::Sees::Everything, None, "correct horse battery")
    })
    .unwrap();

    let mut services = Vec::new();
    for name in ["router", "notifier", "console"] {
        let path = home.path().join(format!("{name}.socket"));
        let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tocsin"));
        command.arg(name).current_dir(home.path());
        command.env("NATS_URL", server.url()).env("TOCSIN_CONFIG", &config);
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1200000").env_remove("WATCHDOG_PID");
        command.stderr(fs::File::create(home.path().join(format!("{name}.log"))).unwrap());
        command.stdout(std::process::Stdio::null());
        let child = Running(command.spawn().unwrap());
        services.push((name, child, Systemd { socket, heard: Vec::new() }));
    }
    // While the bus is away none is ready.
    for (name, _, systemd) in &mut services {
        let before = systemd.until("STATUS=waiting for the bus");
        assert!(!before.iter().any(|word| word == "READY=1"), "{name}: {before:?}");
    }
    server.restart().await.unwrap();
    for (name, child, systemd) in &mut services {
        systemd.until("READY=1");
        systemd.until("WATCHDOG=1");
        systemd.until("WATCHDOG=1");
        let ended =
            Command::new("sh").args(["-c", &format!("kill -TERM {}", child.0.id())]).status().unwrap();
        assert!(ended.success());
        systemd.until("STOPPING=1");
        let status = child.0.wait().unwrap();
        let log = fs::read_to_string(home.path().join(format!("{name}.log"))).unwrap();
        assert!(status.success(), "{name}: {log}");
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_cannot_use_what_it_is_given_ends_with_2_and_one_that_may_come_up_later_does_not() {
    use std::{net::TcpListener, time::Duration};

    /// Far more than it takes to end.
    const WITHIN: Duration = Duration::from_mins(1);
    const MAIL: &str = "[notifier]\nfrom = 'tocsin@operator.example'\nmessage_id_domain = 'operator.example'\n\
                              [[notifier.relays]]\nname = 'own'\nhost = '127.0.0.1'\nport = 25\ntls = 'none'\n";

    let home = tempfile::tempdir().unwrap();
    let server = bus_in(home.path()).await;
    let ended = async |url: &str, call: &str, variable: (&str, &str), config: &str| {
        fs::write(home.path().join("tocsin.toml"), config).unwrap();
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tocsin"));
        command.args(call.split(' ')).current_dir(home.path()).kill_on_drop(true);
        command.env("NATS_URL", url).env("HOME", home.path()).env(variable.0, variable.1);
        let told = tokio::time::timeout(WITHIN, command.output()).await;
        let told = told.unwrap_or_else(|_| panic!("{call} goes on")).unwrap();
        (told.status.code(), String::from_utf8_lossy(&told.stderr).into_owned())
    };
    let url = server.url();
    let notifier = "notifier --config tocsin.toml";
    let no_password = MAIL.replace("tls = 'none'", "tls = 'tls'\nusername = 'us'\npassword_file = 'gone'");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let console = |address: &str| format!("[console]\nlisten = '{address}'\naccounts = 'accounts.toml'\n");
    let own = taken.local_addr().unwrap().to_string();

    // As the streams are not there yet, and an administrator will make them.
    let none = ("UNUSED", "");
    let later = [("router", none, String::new()), (notifier, none, MAIL.to_owned())];
    for (call, variable, config) in later {
        let (code, told) = ended(&url, call, variable, &config).await;
        assert!(code == Some(1) && told.contains("tocsin setup"), "{call}: {code:?}: {told}");
    }
    Ledger::connect(&Connection::to(&url)).await.unwrap().set_up(&Shape::default()).await.unwrap();

    let never = [
        (&*url, "router --key gone.nk", none, String::new(), "gone.nk"),
        (&url, "router", ("NATS_NKEY", "gone.nk"), String::new(), "gone.nk"),
        (&url, "router", ("NATS_CA", "gone.pem"), String::new(), "gone.pem"),
        ("nats://[::", "router", none, String::new(), "url"),
        (&url, "notifier --config gone.toml", none, String::new(), "gone.toml"),
        (&url, notifier, none, MAIL.replace("from =", "form ="), "form"),
        (&url, notifier, none, no_password, "password_file"),
        (&url, "console", none, console("127.0.0.1:0"), "tocsin account add"),
        (&url, "exercises run --as bt --key gone.nk", none, String::new(), "gone.nk"),
        (&url, "watch --alarm-timeout long", none, String::new(), "--alarm-timeout"),
    ];
    for (url, call, variable, config, words) in &never {
        let (code, told) = ended(url, call, *variable, config).await;
        assert!(code == Some(2) && told.contains(words), "{call}: {code:?}: {told}");
    }
    // Another console may be ending there.
    let (code, told) = ended(&url, "console", none, &console(&own)).await;
    assert!(code == Some(1) && told.contains("another console"), "{code:?}: {told}");
    server.stop().await.unwrap();
}

#[test]
fn every_alert_leads_to_its_section_of_the_runbook_and_every_section_of_an_alert_has_one() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    let rules = fs::read_to_string(deploy.join("monitoring/tocsin.rules.yml")).unwrap();
    let mut alerts: Vec<&str> = Vec::new();
    let mut led: Vec<String> = Vec::new();
    for line in rules.lines().map(str::trim) {
        alerts.extend(line.strip_prefix("- alert: "));
        led.extend(line.strip_prefix("runbook_url: ").map(str::to_owned));
    }
    let wanted: Vec<_> = alerts.iter().map(|alert| format!("RUNBOOK.md#{}", alert.to_lowercase())).collect();
    assert_eq!(led, wanted);
    let runbook = fs::read_to_string(deploy.join("RUNBOOK.md")).unwrap();
    let sections = runbook.lines().filter_map(|line| line.strip_prefix("### "));
    let of_alerts: Vec<_> = sections.filter(|section| section.starts_with("Tocsin")).collect();
    assert_eq!(of_alerts, alerts);
}
