//! Who may report what they see, of which areas, and with whose key.
//!
//! | signed by | source | areas |
//! |---|---|---|
//! | a recipient's own key | agency, monitoring | those that it serves |
//! | the directory's `console_key`, for a recipient with `console = true` | agency | the same |
//! | a publisher's key | operator, monitoring | those that it may speak of |
//! | a monitor's key | monitoring | those that it may report of |

use tocsin_protocol::{AreaId, AreaScope, AuthorKey, BodyId, ReportSource};

use super::{Directory, KnownMonitor, KnownPublisher, KnownRecipient};

/// A body that may report what it sees: everything as which the directory lists it.
#[derive(Debug, Clone, Copy)]
pub struct Reporter<'d> {
    directory: &'d Directory,
    publisher: Option<&'d KnownPublisher>,
    recipient: Option<&'d KnownRecipient>,
    monitor: Option<&'d KnownMonitor>,
}

impl Directory {
    /// A body that may report, if it is listed.
    pub fn reporter(&self, body: &BodyId) -> Option<Reporter<'_>> {
        let (publisher, recipient) =
            (self.publisher(&body.as_publisher()), self.recipient(&body.as_recipient()));
        let monitor = self.monitor(body);
        let is_listed = publisher.is_some() || recipient.is_some() || monitor.is_some();
        is_listed.then_some(Reporter { directory: self, publisher, recipient, monitor })
    }
}

impl<'d> Reporter<'d> {
    /// What people call it.
    pub fn name(&self) -> &'d str {
        let recipient = self.recipient.map(|known| known.entry.name.as_str());
        let monitor = self.monitor.map(|known| known.entry.name.as_str());
        recipient.or(monitor).or(self.publisher.map(|known| known.name.as_str())).unwrap_or_default()
    }

    /// The key that a report is to be verified with which names this one: that one, where it may sign for the body, else
    /// the body's own, of which it then is none.
    pub(crate) fn key(&self, named: Option<&str>) -> Option<&'d AuthorKey> {
        let own = [
            self.recipient.and_then(|known| known.key.as_ref()),
            self.publisher.and_then(|known| known.key.as_ref()),
            self.monitor.and_then(|known| known.key.as_ref()),
            self.console(),
        ];
        let mut own = own.into_iter().flatten();
        let first = own.clone().next();
        own.find(|key| Some(key.as_str()) == named).or(first)
    }

    fn console(&self) -> Option<&'d AuthorKey> {
        self.directory
            .console_key()
            .filter(|_| self.recipient.is_some_and(|known| known.entry.console.is_open()))
    }

    /// From which sources what is signed with a key may be, and of which areas.
    ///
    /// # Errors
    /// Why this one may not be, for people.
    pub(crate) fn allows(&self, key: &str, source: ReportSource) -> Result<(), String> {
        let is = |own: Option<&AuthorKey>| own.is_some_and(|own| own.as_str() == key);
        let recipient = is(self.recipient.and_then(|known| known.key.as_ref()));
        let publisher = is(self.publisher.and_then(|known| known.key.as_ref()));
        let monitor = is(self.monitor.and_then(|known| known.key.as_ref()));
        let allowed = match source {
            ReportSource::Agency => recipient || is(self.console()),
            ReportSource::Operator => publisher,
            ReportSource::Monitoring => recipient || publisher || monitor,
        };
        if allowed {
            return Ok(());
        }
        let who = match source {
            ReportSource::Agency => "a recipient's people, signed with its key or by the console",
            ReportSource::Operator => "a publisher's people, signed with its key",
            ReportSource::Monitoring => {
                "a machine, signed with the key of its monitor, recipient or publisher"
            }
        };
        Err(format!("source: {} is for {who}", source.as_str()))
    }

    /// Whether it may report of an area: one that it serves, speaks of or watches, or part of one.
    pub fn may_report_of(&self, area: &AreaId) -> bool {
        let covers = |scope: &AreaScope| self.directory.covers(scope, area);
        self.publisher.is_some_and(|known| covers(&known.areas))
            || self.monitor.is_some_and(|known| covers(&known.entry.areas))
            || self.recipient.is_some_and(|known| {
                known.entry.areas.iter().any(|own| self.directory.areas.contains(own, area))
            })
    }
}
