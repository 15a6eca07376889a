//! The spool: the directory that holds an event before the network is tried, and after it was sent.
//!
//! ```text
//! SPOOL/                          mode 700
//!   20230625T053102.118000000Z-bt-cha-2023-06-25-0624-0000000001.event     waits to be sent
//!   *.damaged                     set aside: half-written, altered, or never ours; for a person to look at
//!   sent/*.event                  sent, with the broker's sequence and time
//!   withdrawn/*.event             taken out by a person before it was sent
//!   .lock-names, .lock-sending    held by whoever lists or adds; by whoever sends
//! ```
//!
//! Nothing here is deleted but what stands, forced to the disk, in `sent/`. A crash between those two steps leaves the
//! event in both places; it is then sent again, and the bus knows it by its subject and bytes.

mod disk;
mod file;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tocsin_duty::Pin;
use tocsin_ledger::Said;
use tocsin_protocol::{Event, EventNumber, IncidentId, Signed, Subject, Timestamp};

use crate::{error::Error, prepare::Prepared};
use disk::told;

const SENT: &str = "sent";
const WITHDRAWN: &str = "withdrawn";
const NAMES_LOCK: &str = ".lock-names";
const SENDING_LOCK: &str = ".lock-sending";

/// The most events that may wait in one spool.
pub const PENDING_MAX: usize = 10_000;

/// An event on disk that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spooled {
    name: String,
    at: Timestamp,
    subject: Subject,
    incident: IncidentId,
    event: EventNumber,
    signed: Signed,
    body: Bytes,
}

impl Spooled {
    /// The file's name within the spool.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it was spooled, by the clock of the machine that did.
    pub fn spooled_at(&self) -> Timestamp {
        self.at
    }

    /// The event's identity.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Of which incident.
    pub fn incident(&self) -> &IncidentId {
        &self.incident
    }

    /// Which event of it.
    pub fn event(&self) -> EventNumber {
        self.event
    }

    /// Key and signature.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }

    /// The exact bytes that were signed.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

impl fmt::Display for Spooled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, spooled {:.0}", self.subject, self.at)
    }
}

/// An event that the bus has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// What was sent.
    pub spooled: Spooled,
    /// What the bus made of it, with the broker's sequence and time.
    pub said: Said,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, position) = match &self.said {
            Said::Stored(position) => ("sent", position),
            Said::Already(position) => ("on the bus already", position),
            Said::Beside(position) => ("sent, beside other words on its subject", position),
        };
        write!(f, "{word}: {} at {:.3} (number {})", self.spooled.subject, position.time, position.sequence)
    }
}

/// A file that is no event of ours, or no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is now.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

/// What a listing of the spool found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// The events that wait, in the order in which they are to be sent.
    pub events: Vec<Spooled>,
    /// The files that this listing set aside, or left as it could not.
    pub set_aside: Vec<SetAside>,
    /// The files that were set aside before and are still there.
    pub set_aside_before: Vec<PathBuf>,
}

/// A directory of events that wait to be sent. Any number of processes may add to it; one at a time sends.
#[derive(Debug, Clone)]
pub struct Spool {
    dir: PathBuf,
    pin: Option<Pin>,
}

/// Held while sending; another process waits.
#[derive(Debug)]
pub(crate) struct SendingLock {
    _file: fs::File,
}

impl Spool {
    /// Opens a spool, and makes its directories when they are not there yet.
    ///
    /// # Errors
    /// [`Error::Disk`] when that is not possible.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        for directory in [dir, &dir.join(SENT), &dir.join(WITHDRAWN)] {
            disk::make_directory(directory)?;
        }
        disk::sync_directory(dir)?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            disk::sync_directory(parent)?;
        }
        Ok(Self { dir: dir.to_owned(), pin: None })
    }

    /// Nothing is sent from here, opened so, unless the directory in force stands under this key: see [`Pin`].
    #[must_use]
    pub fn trusting(self, pin: Option<Pin>) -> Self {
        Self { pin, ..self }
    }

    /// The key that is trusted.
    pub(crate) fn pin(&self) -> Option<&Pin> {
        self.pin.as_ref()
    }

    /// The spool's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Puts an event on disk. When this returns, a crash does not lose it. The same event put twice waits once.
    ///
    /// # Errors
    /// [`Error::AlreadySpooled`] when other words wait under its subject, [`Error::SpoolFull`], [`Error::Disk`].
    pub fn put(&self, prepared: &Prepared, at: Timestamp) -> Result<Spooled, Error> {
        let _names = self.lock_names()?;
        let waiting = self.list()?.events;
        if let Some(same) = waiting.iter().find(|spooled| spooled.subject == *prepared.subject()) {
            return if same.body == *prepared.body() {
                Ok(same.clone())
            } else {
                let file = self.dir.join(&same.name);
                Err(Error::AlreadySpooled { subject: same.subject.clone(), file })
            };
        }
        if waiting.len() >= PENDING_MAX {
            return Err(Error::SpoolFull { dir: self.dir.clone(), most: PENDING_MAX });
        }
        let event = prepared.event();
        let spooled = Spooled {
            name: file::name(at, &event.incident, event.sequence),
            at,
            subject: prepared.subject().clone(),
            incident: event.incident.clone(),
            event: event.sequence,
            signed: prepared.signed().clone(),
            body: prepared.body().clone(),
        };
        disk::write_whole(&self.dir, &spooled.name, &file::encode(&spooled, None))?;
        Ok(spooled)
    }

    /// The events that wait, in sending order: by time of spooling, but within an incident always by number, so that
    /// a clock set back does not send event 2 before event 1. Files that are no events of ours are set aside.
    ///
    /// # Errors
    /// [`Error::Disk`] when the directory cannot be read.
    pub fn pending(&self) -> Result<Pending, Error> {
        let _names = self.lock_names()?;
        self.list()
    }

    /// Takes an event out of the queue before it is sent, into `withdrawn/`. Returns where it is.
    ///
    /// # Errors
    /// [`Error::NotSpooled`] when it does not wait, [`Error::Disk`].
    pub fn withdraw(&self, subject: &Subject) -> Result<PathBuf, Error> {
        let _names = self.lock_names()?;
        let pending = self.list()?;
        let spooled = pending
            .events
            .iter()
            .find(|spooled| spooled.subject == *subject)
            .ok_or_else(|| Error::NotSpooled { subject: subject.clone(), dir: self.dir.clone() })?;
        let (from, to) = (self.dir.join(&spooled.name), self.dir.join(WITHDRAWN).join(&spooled.name));
        fs::rename(&from, &to).map_err(told("withdraw", &from))?;
        disk::sync_directory(&self.dir.join(WITHDRAWN))?;
        disk::sync_directory(&self.dir)?;
        Ok(to)
    }

    /// What became of an event that was sent; the newest when it was sent more than once.
    ///
    /// # Errors
    /// [`Error::Disk`] when the directory cannot be read.
    pub fn sent(&self, subject: &Subject) -> Result<Option<Sent>, Error> {
        let Subject::Incident { incident, event, .. } = subject else { return Ok(None) };
        let all = self.sent_of(incident)?;
        Ok(all
            .into_iter()
            .rev()
            .find(|sent| sent.spooled.event == *event && sent.spooled.subject == *subject))
    }

    /// The events of an incident that were sent from this spool, and those that wait in it; each in order.
    ///
    /// # Errors
    /// [`Error::Disk`] when a directory cannot be read.
    pub fn of_incident(&self, incident: &IncidentId) -> Result<(Vec<Event>, Vec<Event>), Error> {
        let event = |spooled: &Spooled| tocsin_protocol::from_body::<Event>("event", &spooled.body);
        let waiting = self.pending()?.events;
        let waiting: Result<_, _> =
            waiting.iter().filter(|spooled| spooled.incident == *incident).map(event).collect();
        let sent: Result<_, _> = self.sent_of(incident)?.iter().map(|sent| event(&sent.spooled)).collect();
        Ok((sent?, waiting?))
    }

    /// Moves an event to `sent/` with what the bus made of it. Done again after a crash, it ends the same.
    pub(crate) fn mark_sent(&self, spooled: &Spooled, said: &Said) -> Result<(), Error> {
        let _names = self.lock_names()?;
        disk::write_whole(&self.dir.join(SENT), &spooled.name, &file::encode(spooled, Some(said)))?;
        let waited = self.dir.join(&spooled.name);
        match fs::remove_file(&waited) {
            // Withdrawn meanwhile by a person: it was sent all the same, and `sent/` says so.
            Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(told("remove what was sent:", &waited)),
        }?;
        disk::sync_directory(&self.dir)
    }

    /// Waits until no other process sends from this spool.
    pub(crate) async fn lock_sending(&self, within: Duration) -> Result<SendingLock, Error> {
        const AGAIN: Duration = Duration::from_millis(50);
        let path = self.dir.join(SENDING_LOCK);
        let file = disk::lock_file(&path)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(SendingLock { _file: file }),
                Err(fs::TryLockError::Error(source)) => return Err(told("lock", &path)(source)),
                Err(fs::TryLockError::WouldBlock) if begun.elapsed() >= within => {
                    return Err(Error::Busy { dir: self.dir.clone() });
                }
                Err(fs::TryLockError::WouldBlock) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Held for the few operations of one listing or change, so that a temporary file seen under it is nobody's.
    fn lock_names(&self) -> Result<fs::File, Error> {
        let path = self.dir.join(NAMES_LOCK);
        let file = disk::lock_file(&path)?;
        file.lock().map_err(told("lock", &path))?;
        Ok(file)
    }

    fn list(&self) -> Result<Pending, Error> {
        let mut pending = Pending::default();
        for item in fs::read_dir(&self.dir).map_err(told("list", &self.dir))? {
            let item = item.map_err(told("list", &self.dir))?;
            let (path, name) = (item.path(), item.file_name());
            let name = name.to_string_lossy();
            if [SENT, WITHDRAWN, NAMES_LOCK, SENDING_LOCK].contains(&&*name) {
                continue;
            }
            if name.ends_with(".damaged") {
                pending.set_aside_before.push(path);
                continue;
            }
            match read(&path, &name, item.file_type().is_ok_and(|kind| kind.is_file())) {
                Ok(spooled) => pending.events.push(spooled),
                Err(why) => pending.set_aside.push(match disk::set_aside(&path) {
                    Ok(path) => SetAside { path, why },
                    Err(kept) => SetAside { why: format!("{why}; and it stays where it is: {kept}"), path },
                }),
            }
        }
        in_sending_order(&mut pending.events);
        pending.set_aside_before.sort_unstable();
        Ok(pending)
    }

    /// Every event of an incident in `sent/`, oldest first. A file there that cannot be read is passed over: it is
    /// history, and the bus has it.
    fn sent_of(&self, incident: &IncidentId) -> Result<Vec<Sent>, Error> {
        let dir = self.dir.join(SENT);
        let mut all = Vec::new();
        for item in fs::read_dir(&dir).map_err(told("list", &dir))? {
            let item = item.map_err(told("list", &dir))?;
            let name = item.file_name();
            // The name only narrows the search: what is in the file decides.
            if !name.to_string_lossy().contains(incident.as_str()) {
                continue;
            }
            let sent =
                disk::read_bounded(&item.path()).ok().flatten().and_then(|b| file::decode_sent(&b).ok());
            all.extend(sent.filter(|sent| sent.spooled.incident == *incident));
        }
        all.sort_by_key(|sent| (sent.spooled.event, sent.spooled.at));
        Ok(all)
    }
}

/// Reads one file of the spool; the error says why it is no event of ours.
fn read(path: &Path, name: &str, plain_file: bool) -> Result<Spooled, String> {
    if name.starts_with(disk::TEMPORARY) {
        return Err("a crash left it half-written; what it holds was never taken into the spool".to_owned());
    }
    if !plain_file {
        return Err("it is no plain file".to_owned());
    }
    if !name.ends_with(file::EXTENSION) {
        return Err(format!("its name does not end in {}", file::EXTENSION));
    }
    let bytes = disk::read_bounded(path).map_err(|why| why.to_string())?;
    let bytes = bytes.ok_or_else(|| format!("it is larger than {} bytes", file::FILE_MAX))?;
    let spooled = file::decode(&bytes)?;
    if spooled.name == name {
        Ok(spooled)
    } else {
        Err(format!("it was renamed: its content belongs under {}", spooled.name))
    }
}

/// By time of spooling, but never an event before an earlier one of its incident.
fn in_sending_order(events: &mut Vec<Spooled>) {
    events.sort_by(|a, b| (&a.incident, a.event, a.at).cmp(&(&b.incident, b.event, b.at)));
    let mut latest: BTreeMap<IncidentId, Timestamp> = BTreeMap::new();
    let mut keyed: Vec<(Timestamp, Spooled)> = Vec::with_capacity(events.len());
    for spooled in events.drain(..) {
        let not_before = latest.entry(spooled.incident.clone()).or_insert(spooled.at);
        *not_before = spooled.at.max(*not_before);
        keyed.push((*not_before, spooled));
    }
    keyed.sort_by(|(at, a), (bt, b)| (at, &a.incident, a.event).cmp(&(bt, &b.incident, b.event)));
    events.extend(keyed.into_iter().map(|(_, spooled)| spooled));
}
