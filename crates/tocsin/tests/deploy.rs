//! What we ship for NATS is what nats-server takes, and says what it must.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const SERVERS: [&str; 4] = ["single.conf", "cluster-1.conf", "cluster-2.conf", "cluster-3.conf"];

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nats")
}

#[test]
fn nats_server_takes_every_configuration_that_we_ship() {
    let server = tocsin_ledger::server::find().unwrap();
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
