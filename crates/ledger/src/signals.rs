//! What the broker tells beside its answers: that a connection was made, that a permission is lacking.
//!
//! A request that permissions deny is never answered: without this it would look like a timeout.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_nats::{Event, ServerError};
use tokio::sync::watch;

/// How many denials are remembered: those of the requests now under way and some before.
const REMEMBERED: usize = 256;

/// Something that permissions deny.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denial {
    /// Publish or subscribe.
    pub(crate) attempted: &'static str,
    /// The subject denied.
    pub(crate) subject: String,
}

impl Denial {
    /// Reads `Permissions Violation for Publish to "tocsin.x"`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("Permissions Violation for ")?;
        let (attempted, rest) = if let Some(rest) = rest.strip_prefix("Publish to ") {
            ("publishing", rest)
        } else {
            ("subscribing", rest.strip_prefix("Subscription to ")?)
        };
        let subject = rest.trim_start_matches('"').split('"').next()?;
        Some(Self { attempted, subject: subject.to_owned() })
    }
}

/// The signals of one connection.
#[derive(Debug)]
pub(crate) struct Signals {
    connected: watch::Sender<u64>,
    denied: watch::Sender<u64>,
    denials: Mutex<VecDeque<(u64, Denial)>>,
    number: AtomicU64,
}

impl Signals {
    pub(crate) fn new() -> Self {
        Self {
            connected: watch::Sender::new(0),
            denied: watch::Sender::new(0),
            denials: Mutex::default(),
            number: AtomicU64::new(0),
        }
    }

    /// Takes what the client library tells.
    pub(crate) fn take(&self, name: &str, event: &Event) {
        match event {
            Event::Connected => {
                self.connected.send_modify(|count| *count += 1);
                tracing::info!(connection = name, "connected to NATS");
            }
            Event::Disconnected => {
                tracing::warn!(connection = name, "lost the connection to NATS; connecting again");
            }
            Event::SlowConsumer(_) => {
                tracing::warn!(connection = name, "messages came faster than they were taken");
            }
            Event::ServerError(ServerError::Other(text)) => {
                if let Some(denial) = Denial::parse(text) {
                    tracing::warn!(
                        connection = name,
                        subject = denial.subject,
                        "NATS permissions deny {}",
                        denial.attempted
                    );
                    self.deny(denial);
                } else {
                    tracing::warn!(connection = name, "NATS tells an error: {text}");
                }
            }
            Event::ServerError(error) => {
                tracing::warn!(connection = name, "NATS tells an error: {error}");
            }
            Event::ClientError(error) => {
                tracing::warn!(connection = name, "cannot connect to NATS: {error}");
            }
            other => tracing::info!(connection = name, "NATS connection: {other}"),
        }
    }

    fn deny(&self, denial: Denial) {
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        let mut denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        if denials.len() == REMEMBERED {
            denials.pop_front();
        }
        denials.push_back((number, denial));
        drop(denials);
        self.denied.send_replace(number);
    }

    /// Tells of each connection made from now on.
    pub(crate) fn connected(&self) -> watch::Receiver<u64> {
        self.connected.subscribe()
    }

    /// Tells of each denial from now on.
    pub(crate) fn denied(&self) -> watch::Receiver<u64> {
        self.denied.subscribe()
    }

    /// The denial, after the one numbered `after`, that concerns a request on this subject: of the subject itself, or
    /// of the inbox that its answer would have come to. An inbox stays denied, so it is told however old it is.
    pub(crate) fn denial(&self, after: u64, subject: &str, inbox_prefix: &str) -> Option<Denial> {
        let denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        let concerns = |number: u64, denial: &Denial| {
            (number > after && denial.attempted == "publishing" && denial.subject == subject)
                || (denial.attempted == "subscribing" && denial.subject.starts_with(inbox_prefix))
        };
        denials.iter().find(|(number, denial)| concerns(*number, denial)).map(|(_, denial)| denial.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_told_to_the_request_that_it_concerns() {
        let signals = Signals::new();
        let tell = |text: &str| signals.take("t", &Event::ServerError(ServerError::Other(text.to_owned())));
        tell(r#"Permissions Violation for Publish to "tocsin.incident.a.b.1""#);
        assert_eq!(signals.denial(0, "tocsin.incident.a.b.2", "_INBOX."), None);
        assert_eq!(signals.denial(0, "tocsin.incident.a.b.1", "_INBOX.").unwrap().attempted, "publishing");
        assert_eq!(signals.denial(1, "tocsin.incident.a.b.1", "_INBOX."), None, "of an earlier request");
        tell(r#"Permissions Violation for Subscription to "_INBOX.x.*" using queue "q""#);
        assert_eq!(signals.denial(2, "any", "_INBOX.").unwrap().subject, "_INBOX.x.*");
    }
}
