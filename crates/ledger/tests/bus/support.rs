//! A nats-server with both streams, and facts to write.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use tempfile::TempDir;
use tocsin_ledger::{
    Connection, Ledger, Read, Shape, Wait,
    server::{Server, ServerOptions, find},
};
use tocsin_protocol::{Entry, NewFact, Schedule, Signed, SigningKey, Subject, Timestamp};

/// Every wait of these tests ends here at the latest, as a failure.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) struct Bus {
    pub(crate) server: Server,
    pub(crate) ledger: Ledger,
    pub(crate) store: TempDir,
}

impl Bus {
    pub(crate) async fn start() -> Self {
        let bus = Self::without_streams().await;
        bus.ledger.set_up(&Shape::default()).await.unwrap();
        bus
    }

    pub(crate) async fn without_streams() -> Self {
        Self::of(None, None).await
    }

    /// One that asks for a login; the test's own is this.
    pub(crate) async fn guarded(users: String, seed: String) -> Self {
        Self::of(Some(users), Some(seed)).await
    }

    async fn of(config: Option<String>, seed: Option<String>) -> Self {
        let store = tempfile::tempdir().unwrap();
        let options =
            ServerOptions { binary: find().unwrap(), store_dir: store.path().to_owned(), config, port: None };
        let server = Server::start(&options).await.unwrap();
        let ledger = connect_as(&server, seed).await;
        Self { server, ledger, store }
    }
}

pub(crate) async fn connect(server: &Server) -> Ledger {
    connect_as(server, None).await
}

pub(crate) async fn connect_as(server: &Server, seed: Option<String>) -> Ledger {
    let connection = Connection {
        wait: Wait::UntilConnected,
        nkey_seed: seed.map(Into::into),
        ..Connection::to(&server.url())
    };
    Ledger::connect(&connection).await.unwrap()
}

/// Raw NATS: what a stranger, or an administrator with other tools, may do.
pub(crate) async fn raw(server: &Server) -> async_nats::jetstream::Context {
    let client = async_nats::connect(server.url()).await.unwrap();
    async_nats::jetstream::new(client)
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(DEADLINE, future).await;
    done.unwrap_or_else(|elapsed| panic!("{elapsed}, {DEADLINE:?}: {what}"))
}

pub(crate) fn subject(text: &str) -> Subject {
    text.parse().unwrap()
}

pub(crate) fn fact(text: &str, body: &'static str) -> NewFact {
    NewFact { subject: subject(text), body: Bytes::from_static(body.as_bytes()), schedule: None }
}

pub(crate) fn window(number: u32, at: Timestamp) -> NewFact {
    let schedule = Schedule { at, target: subject(&format!("tocsin.due.x.{number}.1")) };
    NewFact { schedule: Some(schedule), ..fact(&format!("tocsin.window.x.{number}.1"), "{\"window\": 1}") }
}

pub(crate) fn notice(recipient: &str, event: u32) -> NewFact {
    fact(&format!("tocsin.notice.{recipient}.x.{event}"), "{}")
}

pub(crate) fn signed(key: &SigningKey, subject: &str, body: &str) -> (Subject, Signed, Bytes) {
    let signed = key.sign(subject, body.as_bytes()).unwrap();
    (subject.parse().unwrap(), signed, Bytes::from(body.to_owned()))
}

pub(crate) fn soon(after: Duration) -> Timestamp {
    Timestamp::now() + after
}

pub(crate) fn subjects(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.subject.as_str()).collect()
}

/// Reads until everything that is there has been given.
pub(crate) async fn to_the_end(follow: &mut tocsin_ledger::Follow) -> Vec<Entry> {
    let mut all = Vec::new();
    loop {
        let Read { entries, caught_up } =
            within("the streams read to their end", follow.next()).await.unwrap();
        all.extend(entries);
        if caught_up {
            return all;
        }
    }
}

/// Reads until so many entries have been given.
pub(crate) async fn so_many(follow: &mut tocsin_ledger::Follow, count: usize) -> Vec<Entry> {
    let mut all = Vec::new();
    within(&format!("{count} entries"), async {
        while all.len() < count {
            all.extend(follow.next().await.unwrap().entries);
        }
    })
    .await;
    all
}
