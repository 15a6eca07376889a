//! The servers of a bus that is kept on more than one.

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::{
    bus::{Done, Plan, Tls},
    error::Error,
    files::{make_dir, read},
    render::{self, Home, Routes},
    tls::{Authority, Holder},
};

/// Where servers listen for clients, and for each other, where it is not said.
const CLIENTS: u16 = 4222;
const ROUTES: u16 = 6222;
/// The files of a server's certificates, in its `tls/`: for clients, and for the other servers.
pub(crate) const CERTIFICATES: [&str; 6] =
    ["ca.pem", "server.pem", "server-key.pem", "routes-ca.pem", "route.pem", "route-key.pem"];

/// One server of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    host: String,
    clients: u16,
    routes: u16,
}

/// What a bus on several servers is.
#[derive(Debug, Clone, Default)]
pub struct Cluster<'a> {
    /// Its servers; none for a bus on one alone.
    pub members: &'a [Member],
    /// The address on which each listens; its own name or address if none is given.
    pub listen: Option<IpAddr>,
    /// Where a server's files are on its own machine; where they are written if none is given.
    pub at: Option<&'a Path>,
    /// Where it keeps its streams, log and process id there; beside its files if none is given.
    pub state: Option<&'a Path>,
}

impl Member {
    /// Where clients reach it.
    pub fn url(&self) -> String {
        format!("tls://{}:{}", self.host(), self.clients)
    }

    /// Its name or address, as it stands before a port.
    fn host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.host(), self.clients, self.routes)
    }
}

impl FromStr for Member {
    type Err = Error;

    /// `HOST[:PORT[:ROUTES]]`: `bus-1.example`, `10.0.0.1:4222:6222`, `[fd00::1]:4222`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Member { member: text.to_owned(), why: why.to_owned() };
        let (host, ports) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(|| wrong("its bracket is not closed"))?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let name = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        let is_name = host.chars().all(name) && host.starts_with(|c: char| c.is_ascii_alphanumeric());
        if host.parse::<IpAddr>().is_err() && !is_name {
            return Err(wrong("its host is no name or address: write one such as bus-1.example:4222:6222"));
        }
        let mut given = Vec::new();
        for port in ports.strip_prefix(':').map(|ports| ports.split(':')).into_iter().flatten() {
            let port = port.parse::<u16>().ok().filter(|port| *port > 0);
            given.push(
                port.ok_or_else(|| wrong("a port is 1 to 65535: for clients, then for the other servers"))?,
            );
        }
        if given.len() > 2 || (given.is_empty() && !ports.is_empty()) {
            return Err(wrong("write it as HOST:PORT:ROUTES, such as bus-1.example:4222:6222"));
        }
        let port = |at: usize, usual: u16| given.get(at).copied().unwrap_or(usual);
        Ok(Self { host: host.to_owned(), clients: port(0, CLIENTS), routes: port(1, ROUTES) })
    }
}

/// What a server is called: the first is `tocsin-1`.
pub(crate) fn name(number: usize) -> String {
    format!("tocsin-{}", number + 1)
}

/// Each server's files, in a directory of its own, which is brought to its machine as it is.
pub(crate) fn write(
    out: &Path,
    plan: &Plan<'_>,
    accounts: &str,
    done: &mut Done,
) -> Result<Vec<PathBuf>, Error> {
    let Cluster { members, listen, at, state } = &plan.cluster;
    fits(members)?;
    let tls = out.join("tls");
    let authorities = match plan.tls {
        Tls::Own => None,
        Tls::Development => {
            let clients = Authority::open(&tls, plan.now, plan.renew)?;
            // Of the servers alone: whom the clients' signs is no server, and may not become one.
            let routes = Authority::open(&tls.join("routes"), plan.now, plan.renew)?;
            done.note(&tls.join("ca.pem"), clients.1);
            done.note(&tls.join("routes/ca.pem"), routes.1);
            Some((clients.0, routes.0))
        }
    };
    let mut missing = Vec::new();
    for (number, member) in members.iter().enumerate() {
        let home = out.join(name(number));
        let own = home.join("tls");
        make_dir(&home, false)?;
        make_dir(&own, true)?;
        if let Some((clients, routes)) = &authorities {
            let names = [std::slice::from_ref(&member.host), plan.names].concat();
            done.note(&own.join("server.pem"), clients.sign(&own, "server", &Holder::Server(&names))?);
            let names = std::slice::from_ref(&member.host);
            done.note(&own.join("route.pem"), routes.sign(&own, "route", &Holder::Route(names))?);
            for (from, to) in [("ca.pem", "ca.pem"), ("routes/ca.pem", "routes-ca.pem")] {
                done.write(&own.join(to), &read(&tls.join(from))?.unwrap_or_default())?;
            }
        }
        missing.extend(CERTIFICATES.map(|file| own.join(file)).into_iter().filter(|file| !file.is_file()));
        let there = at.unwrap_or(&home);
        let listen = listen.map_or_else(
            || member.host(),
            |on| if on.is_ipv6() { format!("[{on}]") } else { on.to_string() },
        );
        let server = Home {
            name: name(number),
            files: there,
            state: state.unwrap_or(there),
            listen: &format!("{listen}:{}", member.clients),
        };
        let routes = Routes {
            listen: format!("{listen}:{}", member.routes),
            advertise: (
                format!("{}:{}", member.host(), member.clients),
                format!("{}:{}", member.host(), member.routes),
            ),
            peers: members.iter().map(|peer| format!("tls://{}:{}", peer.host(), peer.routes)).collect(),
            by_name: members.iter().all(|member| member.host.parse::<IpAddr>().is_err()),
        };
        let mut config = render::server(&server)?;
        // Writing to a String cannot fail.
        let _ = write!(config, "{}", render::routes(&server, &routes)?);
        done.write(&home.join("accounts.conf"), accounts)?;
        done.write(&home.join("nats-server.conf"), &config)?;
    }
    Ok(missing)
}

/// Whether streams can be kept on so many, and each is another.
fn fits(members: &[Member]) -> Result<(), Error> {
    let wrong = |why: String| Error::Members { why };
    if ![3, 5].contains(&members.len()) {
        return Err(wrong(format!(
            "{} servers are named: name three, of which one may fail, or five, of which two may",
            members.len()
        )));
    }
    for ports in
        [|member: &Member| (member.host(), member.clients), |member: &Member| (member.host(), member.routes)]
    {
        let places: BTreeSet<_> = members.iter().map(ports).collect();
        if places.len() < members.len() {
            return Err(wrong(
                "two of the servers are at one place: give each a host or ports of its own".to_owned(),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_host_and_ports_and_nothing_else() {
        for (text, told) in [
            ("bus-1.example", "bus-1.example:4222:6222"),
            ("10.0.0.1:4333", "10.0.0.1:4333:6222"),
            ("localhost:4223:6223", "localhost:4223:6223"),
            ("[fd00::1]:4222", "[fd00::1]:4222:6222"),
        ] {
            let member: Member = text.parse().unwrap();
            assert_eq!(member.to_string(), told);
            assert_eq!(member.to_string().parse::<Member>().unwrap(), member);
        }
        for bad in ["", ":4222", "a b", "a:0", "a:x", "a:1:2:3", "a:", "[fd00::1", "a\"b", "-a", "a,b"] {
            assert!(bad.parse::<Member>().is_err(), "{bad}");
        }
    }

    #[test]
    fn streams_are_kept_on_three_or_five_that_differ() {
        let members =
            |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<Member>>();
        assert!(fits(&members(&["a", "b", "c"])).is_ok());
        assert!(fits(&members(&["a:1:2", "a:3:4", "a:5:6"])).is_ok());
        for bad in
            [&["a"][..], &["a", "b"], &["a", "b", "c", "d"], &["a", "b", "b"], &["a:1:9", "a:2:9", "a:3:4"]]
        {
            assert!(fits(&members(bad)).is_err(), "{bad:?}");
        }
    }
}
