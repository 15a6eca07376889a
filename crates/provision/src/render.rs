//! The configuration as nats-server reads it.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use crate::{
    error::Error,
    rights::{Imports, Rights},
    roster::{Body, Service},
};

/// The account that holds both streams. No body's identifier has capitals.
const BUS: &str = "BUS";
const CONSOLE: &str = "CONSOLE";

const WRITTEN: &str = "# Written by `tocsin provision` from the directory; run it again when that changes. What is changed here by hand is lost.";

/// The largest message that a publisher may send, in bytes, before it is cut off: twice what TOCSIN_SAID takes, so that who
/// sends a little too much is told so.
const PUBLISHER_PAYLOAD: u32 = 128 * 1024;
/// The largest that one may send who is a recipient alone: twice the largest receipt.
const RECIPIENT_PAYLOAD: u32 = 32 * 1024;
/// The most connections that a body may hold at a time, and subscriptions in each.
const BODY_CONNECTIONS: u32 = 32;
const BODY_SUBSCRIPTIONS: u32 = 256;

/// A text of the configuration's own syntax.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn list(items: &[String]) -> String {
    items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", ")
}

/// A path, where it can stand in a configuration.
pub(crate) fn path(path: &Path) -> Result<String, Error> {
    let unfit = || Error::Path { path: path.to_owned() };
    let text = path.to_str().ok_or_else(unfit)?;
    let plain = |c: char| c.is_alphanumeric() || "/._-+@~ ".contains(c);
    if text.chars().all(plain) { Ok(quoted(text)) } else { Err(unfit()) }
}

/// Who may log in, and what each may do.
pub(crate) fn accounts(bodies: &[Body], services: &BTreeMap<Service, String>) -> String {
    let mut exports = Exports::default();
    let mut own = String::new();
    for body in bodies {
        let imports = Imports::of_body(body);
        let payload = if body.publishes { PUBLISHER_PAYLOAD } else { RECIPIENT_PAYLOAD };
        let limits = format!(
            "limits {{ max_payload: {payload}, max_connections: {BODY_CONNECTIONS}, max_subscriptions: {BODY_SUBSCRIPTIONS} }}"
        );
        exports.add(&imports, &body.id);
        own.push_str(&account(&body.id, body.key.as_deref(), &limits, &imports));
    }
    for (service, key) in services.iter().filter(|(service, _)| service.is_apart()) {
        let name = service.name().to_uppercase();
        let imports = Imports::of_service(*service, bodies);
        exports.add(&imports, &name);
        // What a relay answered is in the notifier's attempts.
        let limits = match service {
            Service::Notifier => "limits { max_payload: 65536, max_connections: 32 }",
            // An agency's report may be as large as 16 KiB.
            _ => "limits { max_payload: 32768, max_connections: 8 }",
        };
        own.push_str(&account(&name, Some(key.as_str()), limits, &imports));
    }
    let mut users = String::new();
    for (service, key) in services {
        if let Some(Rights { publish, subscribe }) = Rights::of(*service) {
            let (publish, subscribe) = (list(&publish), list(&subscribe));
            // Writing to a String cannot fail.
            let _ = writeln!(
                users,
                "      # {service}\n      {{ nkey: {key}, permissions {{\n        publish: [{publish}],\n        subscribe: [{subscribe}] }} }}"
            );
        }
    }
    format!(
        "{WRITTEN}\n#\n# Every body has an account of its own. Both streams are in {BUS}, of which an account has what is exported to it,\n# and nothing else. A change is taken on SIGHUP, without an interruption for those whose rights stay.\n\n\
         accounts {{\n  {BUS} {{\n    jetstream: enabled\n    users: [\n{users}    ]\n    exports: [\n{exports}    ]\n  }}\n{own}}}\n"
    )
}

/// An account that one user alone is in.
fn account(name: &str, key: Option<&str>, limits: &str, imports: &Imports) -> String {
    let mut text = format!("  {} {{\n    {limits}\n", quoted(name));
    let names = imports.names();
    let (publish, subscribe) = (list(&imports.publish()), list(&imports.subscribe()));
    let user = key.map_or_else(String::new, |key| {
        format!(
            " {{ nkey: {key}, permissions {{\n      publish: [{publish}],\n      subscribe: [{subscribe}] }} }} "
        )
    });
    // Writing to a String cannot fail.
    let _ = writeln!(text, "    users: [{user}]\n    imports: [");
    for (subject, called) in &names {
        let to = if subject == called { String::new() } else { format!(", to: {}", quoted(called)) };
        let _ = writeln!(text, "      {{ service: {{ account: {BUS}, subject: {} }}{to} }}", quoted(subject));
    }
    for subject in &imports.heard {
        let _ = writeln!(text, "      {{ stream: {{ account: {BUS}, subject: {} }} }}", quoted(subject));
    }
    for (account, subject) in &imports.overheard {
        let (account, subject) = (quoted(account), quoted(subject));
        let _ = writeln!(text, "      {{ stream: {{ account: {account}, subject: {subject} }} }}");
    }
    text.push_str("    ]\n");
    for subject in &imports.told {
        let _ = writeln!(text, "    exports: [{{ stream: {}, accounts: [{CONSOLE}] }}]", quoted(subject));
    }
    text.push_str("  }\n");
    text
}

/// What the bus's account lets others have, and whom.
#[derive(Default)]
struct Exports(BTreeMap<(String, &'static str), Vec<String>>);

impl Exports {
    fn add(&mut self, imports: &Imports, account: &str) {
        let forms = [(&imports.asked, "single"), (&imports.pulled, "stream"), (&imports.heard, "heard")];
        for (subjects, form) in forms {
            for subject in subjects {
                self.0.entry((subject.clone(), form)).or_default().push(account.to_owned());
            }
        }
    }
}

impl std::fmt::Display for Exports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|((subject, form), accounts)| {
            let (subject, accounts) = (quoted(subject), list(accounts));
            match *form {
                "heard" => writeln!(f, "      {{ stream: {subject}, accounts: [{accounts}] }}"),
                "stream" => {
                    writeln!(
                        f,
                        "      {{ service: {subject}, response_type: stream, accounts: [{accounts}] }}"
                    )
                }
                _ => writeln!(f, "      {{ service: {subject}, accounts: [{accounts}] }}"),
            }
        })
    }
}

/// One server: what it is called, and where its files are on its own machine.
pub(crate) struct Home<'a> {
    pub(crate) name: String,
    /// Its configuration and certificates.
    pub(crate) files: &'a Path,
    /// Its streams, log and process id.
    pub(crate) state: &'a Path,
    /// Where it listens.
    pub(crate) listen: &'a str,
}

/// How a server and its peers find each other.
pub(crate) struct Routes {
    pub(crate) listen: String,
    /// Where clients and peers are told that it is.
    pub(crate) advertise: (String, String),
    /// All of them.
    pub(crate) peers: Vec<String>,
    /// Whether each is known by a name, which its certificate must then have.
    pub(crate) by_name: bool,
}

/// What stands in the configuration of each of several beside that of one.
pub(crate) fn routes(server: &Home<'_>, routes: &Routes) -> Result<String, Error> {
    let at = |name: &str| path(&server.files.join(name));
    let Routes { listen, advertise: (clients, own), peers, by_name } = routes;
    let verify = if *by_name {
        "  # And who shows another server's name has its certificate.\n    verify_cert_and_check_known_urls: true"
    } else {
        "verify: true"
    };
    Ok(format!(
        r"
# Clients are told of the other servers by the names that their certificates have.
client_advertise: {clients}

# Whoever is let in here is a server of this bus and may do everything. So it has an authority of its own, which signs its
# servers and nobody else: a body's certificate opens nothing here.
cluster {{
  name: tocsin
  listen: {listen}
  advertise: {own}
  tls {{
    cert_file: {cert}
    key_file: {key}
    ca_file: {ca}
    {verify}
    timeout: 5
  }}
  routes: [
{peers}  ]
}}
",
        clients = quoted(clients),
        listen = quoted(listen),
        own = quoted(own),
        cert = at("tls/route.pem")?,
        key = at("tls/route-key.pem")?,
        ca = at("tls/routes-ca.pem")?,
        peers = peers.iter().map(|peer| ["    ", &quoted(peer), "\n"].concat()).collect::<String>(),
    ))
}

/// The server's own configuration.
pub(crate) fn server(server: &Home<'_>) -> Result<String, Error> {
    let at = |name: &str| path(&server.files.join(name));
    let kept = |name: &str| path(&server.state.join(name));
    Ok(format!(
        r#"{WRITTEN}
#
# Run it: nats-server --config {config}
#
# Clock: every time in the record is this server's. Run chrony here, against several sources of different operators, and
# have it alarm you at an offset of 50 ms.
#
# Disk: every write is synced before it is acknowledged. Use a local SSD with power-loss protection; no network file
# system. Alarm at half full: a full disk stops the bus.

server_name: {name}
listen: {listen}
pid_file: {pid}
log_file: {log}

tls {{
  cert_file: {cert}
  key_file: {key}
  ca_file: {ca}
  # Who shows no certificate of this authority is not heard at all; what it then may do goes by its NKey.
  verify: true
  timeout: 5
}}

jetstream {{
  store_dir: {store}
  # Acknowledge nothing that a power cut could take back: Tocsin's promise that what is acknowledged is kept rests on it.
  sync_interval: always
  max_memory_store: 64MB
  max_file_store: 100GB
  # At most so many messages wait to be written to a stream; what comes meanwhile is refused, and our programs try it again
  # at once. Without it a body that floods the bus puts its whole flood before everybody else's next word.
  max_buffered_msgs: 2000
}}

# The record of a dispatch to 10,000 recipients is about 400 KB, a directory of 10,000 recipients about 5 MB. What a body
# may send is far less: see accounts.conf.
max_payload: 8MB
max_control_line: 4KB
ping_interval: "10s"
ping_max: 3
# Who does not take what it asked for is cut off, and takes it later.
write_deadline: "10s"
max_pending: 64MB

include "accounts.conf"
"#,
        config = at("nats-server.conf")?.trim_matches('"'),
        name = server.name,
        listen = quoted(server.listen),
        pid = kept("nats-server.pid")?,
        log = kept("nats-server.log")?,
        cert = at("tls/server.pem")?,
        key = at("tls/server-key.pem")?,
        ca = at("tls/ca.pem")?,
        store = kept("store")?,
    ))
}
