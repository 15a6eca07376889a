//! What the console has done by others. The command line wires it: no service imports another.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tocsin_protocol::{IncidentId, PublisherId, RecipientId, Timestamp};

/// What other services do for the console; each may be missing, and the page then says so.
#[derive(Clone, Default)]
pub struct Hands {
    /// Drafts, checks, spools and sends events.
    pub press: Option<Arc<dyn Press>>,
    /// Computes reports.
    pub reports: Option<Arc<dyn Reports>>,
    /// Shows the mails that were sent: in a drill, whose mail server is its own.
    pub mailbox: Option<Arc<dyn Mailbox>>,
}

/// Publishes for the publishers whose keys it holds.
pub trait Press: Send + Sync {
    /// The publishers that it can speak for.
    fn publishers(&self) -> Vec<PublisherId>;
}

/// Computes reports from both streams, believing nothing.
pub trait Reports: Send + Sync {
    /// The report of one incident.
    fn incident(&self, incident: IncidentId, form: Form) -> BoxFuture<'_, Result<Document, Told>>;
}

/// The mails that a drill's own mail server took.
pub trait Mailbox: Send + Sync {
    /// Every mail, the newest last.
    fn mails(&self) -> BoxFuture<'_, Result<Vec<Mail>, Told>>;
}

/// In which form a report is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One self-contained page.
    Html,
    /// A table for a spreadsheet.
    Csv,
    /// For a program.
    Json,
    /// For a file, tagged.
    Pdf,
}

/// A file to be shown or kept.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its bytes.
    pub body: Bytes,
    /// What they are, such as `text/csv; charset=utf-8`.
    pub media_type: &'static str,
    /// What the file is called when it is kept.
    pub name: String,
}

/// One mail as it was sent.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Its place among all that were taken, from 1.
    pub number: u64,
    /// When it was taken.
    pub at: Timestamp,
    /// To whom it was owed.
    pub recipient: Option<RecipientId>,
    /// The addresses that it went to.
    pub to: Vec<String>,
    /// Its subject line.
    pub subject: String,
    /// Its plain text.
    pub text: String,
}

/// Why it could not be done, in words for the person at the page: what was attempted, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told(pub String);
