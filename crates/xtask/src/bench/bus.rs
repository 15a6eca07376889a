//! The one nats-server of a bench run. Each part has an account of its own there, so that no part finds what another
//! left; the server, its disk and `sync_interval: always` are the same for all, and for the raw side.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tocsin_ledger::{
    Connection, Ledger, Seed, Shape, Wait,
    server::{Server, ServerOptions},
};

use tocsin_protocol::SigningKey;

use crate::{
    error::{Attempt, Error},
    nats,
};

/// The longest that a round waits for the broker to come to rest.
const REST_MOST: Duration = Duration::from_secs(15);

/// One account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    Fanout,
    Mail,
    Replay,
    Lateness,
    Pages,
    Storm,
    Slow,
}

impl Account {
    const ALL: [Self; 7] =
        [Self::Fanout, Self::Mail, Self::Replay, Self::Lateness, Self::Pages, Self::Storm, Self::Slow];

    fn name(self) -> &'static str {
        match self {
            Self::Fanout => "fanout",
            Self::Mail => "mail",
            Self::Replay => "replay",
            Self::Lateness => "lateness",
            Self::Pages => "pages",
            Self::Storm => "storm",
            Self::Slow => "slow",
        }
    }
}

pub(super) struct Bus {
    server: Server,
    seeds: Vec<(Account, String)>,
}

impl Bus {
    /// Starts it; the store's directory is to be empty.
    pub(super) async fn start(store: &Path) -> Result<Self, Error> {
        let (mut accounts, mut seeds) = (Vec::new(), Vec::new());
        for account in Account::ALL {
            let key = SigningKey::generate();
            let name = account.name();
            accounts.push(format!("{name} {{ jetstream: enabled, users: [{{ nkey: {} }}] }}", key.public()));
            seeds.push((account, key.seed().attempt("make a key for the bench")?));
        }
        let options = ServerOptions {
            binary: nats::server()?,
            store_dir: store.to_owned(),
            config: Some(format!("max_connections: 64K\naccounts {{ {} }}", accounts.join(", "))),
            port: None,
        };
        Ok(Self { server: Server::start(&options).await.attempt("start the bench's nats-server")?, seeds })
    }

    /// Where it is.
    pub(super) fn url(&self) -> String {
        self.server.url()
    }

    /// The server's process.
    pub(super) fn id(&self) -> Result<u32, Error> {
        self.server.id().ok_or_else(|| Error::told("the bench's nats-server does not run"))
    }

    /// The key of an account, for a process of its own.
    pub(super) fn seed(&self, account: Account) -> Result<String, Error> {
        let seed = self.seeds.iter().find(|(whose, _)| *whose == account).map(|(_, seed)| seed.clone());
        seed.ok_or_else(|| Error::told("the bench has no such account"))
    }

    /// A connection of ours, as another process has.
    pub(super) async fn ledger(&self, account: Account) -> Result<Ledger, Error> {
        let mut connection = Connection::to(&self.server.url());
        connection.nkey_seed = Some(Seed::from(self.seed(account)?));
        connection.wait = Wait::Fail(Duration::from_mins(1));
        Ledger::connect(&connection).await.attempt("connect to the bench's nats-server")
    }

    /// As [`Self::ledger`], with both streams made.
    pub(super) async fn set_up(&self, account: Account) -> Result<Ledger, Error> {
        let ledger = self.ledger(account).await?;
        ledger.set_up(&Shape::default()).await.attempt("make both streams")?;
        Ok(ledger)
    }

    /// A connection of the client library's own.
    pub(super) async fn raw(&self, account: Account) -> Result<async_nats::Client, Error> {
        async_nats::ConnectOptions::with_nkey(self.seed(account)?)
            .request_timeout(Some(Duration::from_mins(1)))
            .connect(self.server.url())
            .await
            .attempt("connect to the bench's nats-server")
    }

    /// Waits until the broker has come to rest: what an earlier round left to be settled must not weigh on the next. It
    /// has when it answers some questions about a stream in a row at once; after [`REST_MOST`] it is taken as it is.
    pub(super) async fn rest(&self, client: &async_nats::Client, stream: &str) -> Result<(), Error> {
        let context = async_nats::jetstream::new(client.clone());
        let until = Instant::now() + REST_MOST;
        let (mut quick, mut pace) = (0, tokio::time::interval(Duration::from_millis(50)));
        while quick < 6 && Instant::now() < until {
            pace.tick().await;
            let asked = Instant::now();
            context.get_stream(stream).await.attempt("ask whether the broker is at rest")?;
            quick = if asked.elapsed() < Duration::from_millis(10) { quick + 1 } else { 0 };
        }
        Ok(())
    }

    /// Ends the server, whose store is thrown away: with ten thousand durables it did not stop within 20 s when asked.
    pub(super) async fn end(mut self) -> Result<(), Error> {
        self.server.kill().await.attempt("end the bench's nats-server")
    }
}
