//! The connection, and one request over it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize},
    },
    time::{Duration, Instant},
};

use async_nats::{Client, HeaderMap, Message, Request, RequestErrorKind, connection::State};
use bytes::Bytes;

use crate::{Connection, Error, Wait, patience::Patience, signals::Signals, version::Version};

/// After a reconnect, an answer to a request sent before it hardly comes; this is how long it is still waited for.
const AFTER_RECONNECT: Duration = Duration::from_millis(250);

/// How long it is waited for that the library tells of a connection which it has made.
const TOLD: Duration = Duration::from_secs(5);

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// It may or may not have been done.
    Lost(String),
    /// Nobody listens there: no such stream or consumer, or its leader is being elected. It was not done.
    NobodyThere,
    /// It was not done and never will be.
    Never(Error),
}

/// One connection, shared by all that was made from it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) connection: Connection,
    pub(crate) signals: Arc<Signals>,
    /// How many desks are at work over this connection.
    pub(crate) desks: AtomicUsize,
    /// Whether this user was seen to be let make no consumer.
    pub(crate) no_consumers: AtomicBool,
    inbox_prefix: String,
}

impl Shared {
    /// Connects and refuses a server that is too old.
    pub(crate) async fn connect(connection: &Connection) -> Result<Self, Error> {
        // The library takes the process's default; an error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let signals = Arc::new(Signals::new());
        let client = match connection.wait {
            Wait::UntilConnected => until_connected(connection, &signals).await?,
            Wait::Fail(within) => connect_within(connection, &signals, within).await?,
        };
        // The library tells of the connection in its own time. Told later, it would look like one made anew.
        let _ = tokio::time::timeout(TOLD, signals.connected().wait_for(|count| *count > 0)).await;
        let info = client.server_info();
        match Version::parse(&info.version) {
            Some(version) if version >= Version::MINIMUM => {}
            _ => {
                return Err(Error::TooOld {
                    name: info.server_name,
                    found: info.version,
                    wanted: crate::MINIMUM_SERVER,
                });
            }
        }
        let inbox_prefix = format!("{}.", connection.inbox_prefix.as_deref().unwrap_or("_INBOX"));
        Ok(Self {
            client,
            connection: connection.clone(),
            signals,
            desks: AtomicUsize::new(0),
            no_consumers: AtomicBool::new(false),
            inbox_prefix,
        })
    }

    /// Another connection like this one.
    pub(crate) async fn another(&self, name: &str) -> Result<Self, Error> {
        let name = format!("{}-{name}", self.connection.name);
        Self::connect(&Connection { name, ..self.connection.clone() }).await
    }

    /// Patience as this connection was asked to have it.
    pub(crate) fn patience(&self) -> Patience {
        Patience::new(self.connection.wait)
    }

    /// Whether there is a connection now.
    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Sends one request and waits for its answer. A denial is told at once, and a reconnect ends the wait.
    pub(crate) async fn ask(
        &self,
        subject: &str,
        headers: Option<HeaderMap>,
        payload: Bytes,
        within: Duration,
    ) -> Result<Message, NoAnswer> {
        let size = payload.len();
        let mut request = Request::new().payload(payload).timeout(Some(within));
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        let mut denied = self.signals.denied();
        let before = *denied.borrow_and_update();
        let mut connected = self.signals.connected();
        let reply = self.client.send_request(subject.to_owned(), request);
        tokio::pin!(reply);
        let mut until = Instant::now() + Duration::from_hours(1);
        loop {
            tokio::select! {
                biased;
                reply = &mut reply => return reply.map_err(|error| match error.kind() {
                    RequestErrorKind::NoResponders => NoAnswer::NobodyThere,
                    RequestErrorKind::MaxPayloadExceeded => NoAnswer::Never(Error::TooLarge {
                        subject: subject.to_owned(),
                        size,
                        most: self.client.max_payload(),
                    }),
                    // A denied inbox is told once, to whoever asked first.
                    _ => match self.denial(before, subject) {
                        Some(error) => NoAnswer::Never(error),
                        None => NoAnswer::Lost(error.to_string()),
                    },
                }),
                Ok(()) = denied.changed() => {
                    if let Some(error) = self.denial(before, subject) {
                        return Err(NoAnswer::Never(error));
                    }
                }
                Ok(()) = connected.changed() => until = Instant::now() + AFTER_RECONNECT,
                () = tokio::time::sleep_until(until.into()) => {
                    return Err(NoAnswer::Lost("the connection was lost meanwhile".to_owned()));
                }
            }
        }
    }

    /// What permissions deny about a request on this subject, if anything since the denial numbered `after`.
    pub(crate) fn denial(&self, after: u64, subject: &str) -> Option<Error> {
        let denial = self.signals.denial(after, subject, &self.inbox_prefix)?;
        Some(Error::Denied { attempted: denial.attempted, subject: denial.subject })
    }
}

async fn open(connection: &Connection, signals: &Arc<Signals>) -> Result<Client, async_nats::ConnectError> {
    let (told, name) = (Arc::clone(signals), connection.name.clone());
    let options = connection.options().map_err(|error| {
        async_nats::ConnectError::with_source(async_nats::ConnectErrorKind::ServerParse, error)
    })?;
    let servers: Vec<&str> = connection.url.split(',').map(str::trim).collect();
    options
        .event_callback(move |event| {
            told.take(&name, &event);
            std::future::ready(())
        })
        .connect(servers)
        .await
}

async fn until_connected(connection: &Connection, signals: &Arc<Signals>) -> Result<Client, Error> {
    connection.options()?;
    let mut connected = signals.connected();
    let refused = |why: String| Error::Connect { url: connection.shown_url(), within: Duration::ZERO, why };
    // With retries on, this fails only for a URL that is none.
    let client = open(connection, signals).await.map_err(|error| Error::Setting {
        setting: "url",
        why: format!("{}: {error}; write it as tls://bus.example:4222", connection.shown_url()),
    })?;
    while client.connection_state() != State::Connected {
        connected.changed().await.map_err(|_| refused("the client ended".to_owned()))?;
    }
    Ok(client)
}

async fn connect_within(
    connection: &Connection,
    signals: &Arc<Signals>,
    within: Duration,
) -> Result<Client, Error> {
    use async_nats::ConnectErrorKind as Kind;
    connection.options()?;
    let until = Instant::now() + within;
    loop {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
        let why = match tokio::time::timeout(left, open(connection, signals)).await {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) => {
                let hopeless = matches!(
                    error.kind(),
                    Kind::Authentication | Kind::AuthorizationViolation | Kind::ServerParse | Kind::Tls
                );
                if hopeless || Instant::now() >= until {
                    return Err(Error::Connect {
                        url: connection.shown_url(),
                        within,
                        why: error.to_string(),
                    });
                }
                error.to_string()
            }
            Err(_) => "no answer".to_owned(),
        };
        if Instant::now() >= until {
            return Err(Error::Connect { url: connection.shown_url(), within, why });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
