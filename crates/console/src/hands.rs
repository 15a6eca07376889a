//! What the console has done by others. The command line wires it: no service imports another.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::civil::Date;
use tocsin_duty::Directory;
use tocsin_protocol::{
    AreaId, Category, DispatchStep, Event, EventContact, EventNumber, Impact, IncidentId, Language, Linking,
    Platform, PublisherId, RecipientId, Report, Requirement, Service, Severity, Status, Timestamp,
};

use crate::session::Sees;

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

    /// Drafts an event, checks it, and foresees who would be told. Nothing is kept or sent.
    fn draft(&self, draft: Draft, known: Known) -> BoxFuture<'_, Result<Foreseen, Vec<Fault>>>;

    /// Puts an event on disk and says it on the bus. `body` is its exact JSON, such as [`Foreseen::body`]: its subject is
    /// its identity, so the same once more leaves one event.
    fn publish(&self, publisher: PublisherId, body: Bytes) -> BoxFuture<'_, Result<Fate, Vec<Fault>>>;

    /// Says a report or a link of a publisher's on the bus. What was said once is said once, however often it is tried.
    fn say(&self, publisher: PublisherId, word: Word) -> BoxFuture<'_, Result<u64, Told>>;

    /// The events of a publisher that are kept on disk and were not sent yet, in the order of sending.
    fn waiting(&self, publisher: PublisherId) -> BoxFuture<'_, Result<Vec<Waiting>, Told>>;
}

/// What a publisher says beside events. Where it stands in `TOCSIN_SAID` is answered; whether it counts is read there.
#[derive(Debug, Clone)]
pub enum Word {
    /// What its people or machines see.
    Report(Box<Report>),
    /// Whether an incident of its own and another trail are of one outage.
    Link(Box<Linking>),
}

/// Computes reports from both streams, believing nothing.
pub trait Reports: Send + Sync {
    /// A report, as much of it as `sees` may see.
    fn report(&self, wanted: Wanted, sees: Sees, form: Form) -> BoxFuture<'_, Result<Document, NoReport>>;

    /// The style sheet of [`Form::Part`].
    fn style(&self) -> &'static str;
}

/// Which report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Of one incident.
    Incident(IncidentId),
    /// Of the incidents of one status, from one day to another, both included, in the directory's time zone.
    Period(Date, Date, Status),
    /// What the record of one incident, or of everything, proves.
    Verdict(Option<IncidentId>),
    /// Who of one incident, or of all, has not acknowledged, and how they are reached by telephone. There is no table.
    CallList(Option<IncidentId>),
}

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoReport {
    /// There is no such incident, or it is not for them.
    Absent,
    /// What was asked for cannot be, in words that say how to mend it.
    Wrong(String),
    /// It could not be made now, in words.
    Failed(String),
}

/// The mails that a drill's own mail server took.
pub trait Mailbox: Send + Sync {
    /// Every mail, the newest last.
    fn mails(&self) -> BoxFuture<'_, Result<Vec<Mail>, Told>>;
}

/// In which form a report is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// HTML to stand in a page of the console's, which has the style sheet of it.
    Part,
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

/// What an operator has to say. Of an incident that goes on, what is not given stays as it was.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Who says it.
    pub publisher: PublisherId,
    /// What kind of event.
    pub says: Says,
    /// What sort of incident.
    pub category: Option<Category>,
    /// Which services are touched.
    pub services: Vec<Service>,
    /// Which areas are touched.
    pub areas: Vec<AreaId>,
    /// One line that tells it.
    pub headline: Option<String>,
    /// Whatever more is known.
    pub more: More,
}

/// What kind of event is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// A new incident, of this status; it is given a name.
    Begins(Status),
    /// More, or other, is known of it.
    Update(IncidentId),
    /// The service is restored.
    Resolved(IncidentId),
    /// Something that this earlier event of it said was wrong.
    Correction(IncidentId, EventNumber),
    /// It was no incident.
    Cancelled(IncidentId),
    /// It should not have been sent.
    SentInError(IncidentId),
}

/// What may be known beyond the first minute's words; see [`Event`] for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct More {
    /// More about it.
    pub description: Option<String>,
    /// What the recipient should do.
    pub instruction: Option<String>,
    /// The agreed words for the public.
    pub public_advice: Option<String>,
    /// The same in other languages.
    pub public_advice_in: BTreeMap<Language, String>,
    /// CAP severity.
    pub severity: Option<Severity>,
    /// What carries the service now.
    pub platform: Option<Platform>,
    /// When the failure began.
    pub began_at: Option<Timestamp>,
    /// When it was noticed.
    pub detected_at: Option<Timestamp>,
    /// When the service was restored.
    pub restored_at: Option<Timestamp>,
    /// When restoration is expected.
    pub expected_restoration_at: Option<Timestamp>,
    /// That it must be acknowledged anew, though no rule says so.
    pub material: Option<bool>,
    /// When the publisher will have said more.
    pub next_update_by: Option<Timestamp>,
    /// How many calls were lost.
    pub impact: Option<Impact>,
    /// Who answers questions now.
    pub contact: Option<EventContact>,
}

/// What the console knows, so that nothing need be asked of a bus that may be away.
#[derive(Debug, Clone)]
pub struct Known {
    /// The directory in force, if one was ever read.
    pub directory: Option<Arc<Directory>>,
    /// The events of the incident so far that stand on the bus, in order.
    pub earlier: Vec<Event>,
    /// The names of incidents that are taken.
    pub taken: BTreeSet<IncidentId>,
    /// The broker's time.
    pub now: Timestamp,
}

/// A draft that can be published, and what would follow.
#[derive(Debug, Clone)]
pub struct Foreseen {
    /// What would be said.
    pub event: Event,
    /// The same, byte for byte.
    pub body: Bytes,
    /// The event before it.
    pub before: Option<Event>,
    /// Who would be told, and by when; none where no directory is known.
    pub told: Option<WhoIsTold>,
}

/// Who would be told of an event, and by when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WhoIsTold {
    /// Every recipient once, with its strictest requirement.
    pub recipients: Vec<(RecipientId, Requirement)>,
    /// The windows, in order of closing; none when no acknowledgement is needed.
    pub windows: Vec<DispatchStep>,
    /// Why an update needs an acknowledgement anew.
    pub worsened: Vec<String>,
    /// The events before it are not all at hand, so that a worsening cannot be foreseen.
    pub without_history: bool,
    /// Why the router would refuse it; empty when it would not.
    pub problems: Vec<String>,
}

/// What is wrong with a draft, in words for the person at the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which field of the event, such as `headline`; none for the whole.
    pub field: Option<String>,
    /// What is wrong, and how to mend it.
    pub words: String,
}

/// What became of an event that was published. It is on disk, whatever else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Everyone who is owed it is being told.
    Dispatched,
    /// It stands on the bus and counts for nothing, and why.
    Refused(String),
    /// It stands on the bus, and no router has taken it up yet.
    OnTheBus,
    /// It is kept on disk and was NOT sent, and why. It is sent as soon as it can be.
    Kept(String),
}

/// An event that is kept on disk and was not sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What it says.
    pub event: Event,
    /// When it was put there, by the clock of the machine that did.
    pub since: Timestamp,
}
