//! Nothing listens beyond this machine unless somebody says so.

use std::{collections::BTreeSet, fs, net::IpAddr, path::Path};

use crate::bus::{Guarded, Service, done, example, tocsin};

/// The process with this id and all that it started.
fn family(id: u32) -> Vec<u32> {
    let children = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let children = children.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> = children
        .flat_map(|ids| ids.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>())
        .collect();
    std::iter::once(id).chain(children.into_iter().flat_map(family)).collect()
}

/// The inodes of a process's sockets.
fn sockets(id: u32) -> BTreeSet<String> {
    let open = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
    open.filter_map(|file| fs::read_link(file.path()).ok())
        .filter_map(|to| Some(to.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect()
}

/// An address as the kernel's table has it: each group of four bytes in the machine's own order.
fn address(hex: &str) -> IpAddr {
    let groups = hex
        .as_bytes()
        .chunks(8)
        .map(|group| u32::from_str_radix(std::str::from_utf8(group).unwrap(), 16).unwrap().to_ne_bytes());
    let bytes: Vec<u8> = groups.flatten().collect();
    match <[u8; 4]>::try_from(&bytes[..]) {
        Ok(four) => IpAddr::from(four),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(&bytes[..]).unwrap()),
    }
}

/// Where a process and all that it started listen, for connections and for datagrams.
fn listening(id: u32) -> Vec<(IpAddr, u16)> {
    let own: BTreeSet<String> = family(id).into_iter().flat_map(sockets).collect();
    let mut found = Vec::new();
    // 0A is a socket that listens; 07 is the state of every datagram socket that is not connected.
    for (table, state) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let parts: Vec<&str> = line.split_whitespace().collect();
            let (local, is, inode) = (parts[1], parts[3], parts[9]);
            if is == state && own.contains(inode) {
                let (at, port) = local.split_once(':').unwrap();
                found.push((address(at), u16::from_str_radix(port, 16).unwrap()));
            }
        }
    }
    found
}

#[test]
fn the_kernels_table_is_read_as_it_is_written() {
    assert_eq!(address("0100007F"), IpAddr::from([127, 0, 0, 1]));
    assert!(address("00000000000000000000000001000000").is_loopback());
    let (here, all) = (
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        std::net::TcpListener::bind("0.0.0.0:0").unwrap(),
    );
    let found = listening(std::process::id());
    for socket in [&here, &all] {
        let at = socket.local_addr().unwrap();
        assert!(found.contains(&(at.ip(), at.port())), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_service_listens_beyond_this_machine() {
    let (bus, router) = Guarded::at_work().await;
    let config = fs::read_to_string(example().with_file_name("../tocsin.toml")).unwrap();
    fs::write(bus.dir.path().join("tocsin.toml"), config.replace("port = 4222", "port = 0")).unwrap();
    let notifier = Service::start(
        &mut bus.command("notifier", &["notifier", "--config", "tocsin.toml", "--log", "info"]),
    );
    let file = |name: &str| bus.dir.path().join(name);
    fs::write(file("console.toml"), "[console]\nlisten = '127.0.0.1:0'\naccounts = 'others.toml'\n").unwrap();
    let add = ["account", "add", "room", "--recipient", "fire", "--generate", "--file", "others.toml"];
    bus.run("console", &add);
    let mut console = Service::start(&mut bus.command("console", &["console", "--config", "console.toml"]));
    console.until("The console is at");
    let mut desk = Service::start(&mut bus.command("fire", &["desk", "--as", "fire"]));
    desk.until("Hearing the bus");
    let mut up = Service::start(&mut tocsin(bus.dir.path(), &["up", "--config", "tocsin.toml"]));
    up.until("Tocsin is up");

    let server = bus.server.id().unwrap();
    let services = [
        ("nats-server", server),
        ("router", router.child.id()),
        ("notifier", notifier.child.id()),
        ("desk", desk.child.id()),
        ("console", console.child.id()),
        ("up", up.child.id()),
    ];
    for (name, id) in services {
        let found = listening(id);
        assert!(found.iter().all(|(at, _)| at.is_loopback()), "{name} listens at {found:?}");
        let listens = ["nats-server", "console", "up"].contains(&name);
        assert_eq!(!found.is_empty(), listens, "{name} listens at {found:?}");
    }
}

/// The addresses in a configuration's lines that say where to listen.
fn shipped(dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            shipped(&path, found);
            continue;
        }
        if !path.extension().is_some_and(|end| ["conf", "toml"].iter().any(|other| end == *other)) {
            continue;
        }
        for line in fs::read_to_string(&path).unwrap().lines().map(str::trim) {
            let words = ["listen", "http", "https", "host", "port", "bind", "address"];
            let name = line.split([':', '=', ' ']).next().unwrap_or_default();
            if words.contains(&name) {
                found.push(format!("{}: {line}", path.file_name().unwrap().to_string_lossy()));
            }
        }
    }
}

#[test]
fn every_configuration_that_we_ship_listens_on_this_machine_alone() {
    let mut found = Vec::new();
    shipped(&example().parent().unwrap().join(".."), &mut found);
    // A relay's host is who is called, and a port alone is that of 127.0.0.1.
    let beyond: Vec<_> = found
        .iter()
        .filter(|line| {
            !line.contains("127.0.0.1")
                && !line.starts_with("tocsin.toml: host = ")
                && *line != "tocsin.toml: port = 4222"
        })
        .collect();
    assert!(beyond.is_empty() && found.len() >= 9, "{found:#?}");

    // And what is written for a bus, where nobody says otherwise.
    let dir = tempfile::tempdir().unwrap();
    let directory = example();
    let directory = directory.to_str().unwrap();
    done(&mut tocsin(dir.path(), &["keys", "new", "--directory", directory, "--out", "keys"]));
    let provision = ["provision", "--directory", directory, "--keys", "keys/public.toml", "--out", "bus"];
    done(&mut tocsin(dir.path(), &provision));
    let mut written = Vec::new();
    shipped(&dir.path().join("bus"), &mut written);
    assert_eq!(
        written,
        ["nats-server.conf: listen: \"127.0.0.1:4222\"", "provision.toml: listen = \"127.0.0.1:4222\""]
    );
}
