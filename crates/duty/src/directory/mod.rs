//! The directory in force: who there is, where they stand to an incident, and what a policy owes them.

mod address;
mod area;
mod check;
mod document;
mod fault;
mod fitness;
mod force;
mod owed;
mod owing;
mod pin;
mod reader;
mod reporter;
mod source;
mod structure;

use std::collections::BTreeMap;

use jiff::{
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};
use tocsin_protocol::{
    Area, AreaId, AreaScope, AuthorKey, BodyId, Contact, DirectoryDocument, Monitor, PolicyDocument,
    PublisherId, Recipient, RecipientId, Requirement, Service,
};

use self::{
    area::AreaTree,
    owed::{Rules, Standing},
    structure::Unread,
};

/// What reads the files of a directory, for other files that people write: every fault told, by line.
pub mod reading {
    pub use super::{
        reader::{Reader, called, nearest},
        source::{Source, shown, text},
    };
}

pub use check::{Texts, check, policy_files};
pub use fault::{Fault, Gravity};
pub use force::NotInForce;
pub(crate) use force::follows;
pub(crate) use pin::held;
pub use pin::{Held, NotUnder, Pin};
pub use reporter::Reporter;
pub use source::{TEXT_MAX, Text};

/// A directory whose references all resolve, indexed for the questions that the fold asks of it.
#[derive(Debug, Clone)]
pub struct Directory {
    version: u64,
    document: DirectoryDocument,
    /// The `directory_key`.
    next_key: Option<AuthorKey>,
    checkpoint_key: Option<AuthorKey>,
    console_key: Option<AuthorKey>,
    link_key: Option<AuthorKey>,
    areas: AreaTree,
    publishers: BTreeMap<PublisherId, KnownPublisher>,
    monitors: BTreeMap<BodyId, KnownMonitor>,
    recipients: Vec<KnownRecipient>,
    /// Where each recipient stands in `recipients`.
    places: BTreeMap<RecipientId, usize>,
    /// The neighbours of each recipient, as places in `recipients`.
    neighbours: Vec<Vec<usize>>,
}

/// A publisher with its key, ready to verify with.
#[derive(Debug, Clone)]
pub struct KnownPublisher {
    /// Its identifier.
    pub id: PublisherId,
    /// Its name.
    pub name: String,
    /// Its key; without one nothing that it says counts.
    pub key: Option<AuthorKey>,
    /// The areas that it may speak of.
    pub areas: AreaScope,
    /// Who is reminded when something that it owes is overdue.
    pub contacts: BTreeMap<String, Contact>,
}

/// A monitor with its key, ready to verify with.
#[derive(Debug, Clone)]
pub struct KnownMonitor {
    /// Its entry in the directory.
    pub entry: Monitor,
    /// Its key; without one none of its reports counts.
    pub key: Option<AuthorKey>,
}

/// A recipient with its key, ready to verify with.
#[derive(Debug, Clone)]
pub struct KnownRecipient {
    /// Its entry in the directory.
    pub entry: Recipient,
    /// Its key; without one none of its receipts counts.
    pub key: Option<AuthorKey>,
}

/// All the rest is made of these.
impl PartialEq for Directory {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version && self.document == other.document
    }
}

impl Directory {
    /// Indexes a directory.
    ///
    /// Only what would leave a question without one answer is refused here: an identifier or key used twice, a name
    /// that is nobody's, areas within each other, a key that is none, windows out of order. Whether a directory is fit
    /// for use is for [`check`] to say before it is put in force: a directory on the log is history, and a
    /// rule that was made later must not unmake it.
    ///
    /// # Errors
    /// Every such fault, without lines, as there is no file.
    pub fn build(version: u64, document: DirectoryDocument) -> Result<Self, Vec<Fault>> {
        let mut found = Vec::new();
        structure::judge(&document, &Unread::default(), &mut found);
        if !found.is_empty() {
            let file = format!("directory {version}");
            return Err(found.into_iter().map(|found| found.at(file.clone(), None)).collect());
        }
        let key = |key: &Option<String>| key.as_deref().and_then(|key| AuthorKey::new(key).ok());
        let publishers = document.publishers.iter().map(|publisher| {
            let known = KnownPublisher {
                id: publisher.id.clone(),
                name: publisher.name.clone(),
                key: key(&publisher.key),
                areas: publisher.areas.clone(),
                contacts: publisher.contacts.clone(),
            };
            (publisher.id.clone(), known)
        });
        let publishers = publishers.collect();
        let monitors = document
            .monitors
            .iter()
            .map(|entry| (entry.id.clone(), KnownMonitor { key: key(&entry.key), entry: entry.clone() }));
        let monitors = monitors.collect();
        let recipients: Vec<_> = document
            .recipients
            .iter()
            .map(|entry| KnownRecipient { key: key(&entry.key), entry: entry.clone() })
            .collect();
        let places: BTreeMap<_, _> =
            document.recipients.iter().enumerate().map(|(place, entry)| (entry.id.clone(), place)).collect();
        let neighbours = document
            .recipients
            .iter()
            .map(|entry| entry.neighbours.iter().filter_map(|id| places.get(id).copied()).collect())
            .collect();
        let areas = AreaTree::new(&document.areas);
        Ok(Self {
            version,
            next_key: key(&document.directory_key),
            checkpoint_key: key(&document.checkpoint_key),
            console_key: key(&document.console_key),
            link_key: key(&document.link_key),
            document,
            areas,
            publishers,
            monitors,
            recipients,
            places,
            neighbours,
        })
    }

    /// Its version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The document, as it stands on the wire.
    pub fn document(&self) -> &DirectoryDocument {
        &self.document
    }

    /// What it is a directory of, for people.
    pub fn name(&self) -> &str {
        &self.document.name
    }

    /// The zone in which people read times.
    pub fn time_zone(&self) -> &str {
        &self.document.time_zone
    }

    /// The same, to reckon days and months in; UTC where there is no such zone, which `directory check` refuses. It is
    /// the one that is built in, so that every replica reckons alike.
    pub fn zone(&self) -> TimeZone {
        TimeZoneDatabase::bundled().get(self.time_zone()).unwrap_or(TimeZone::UTC)
    }

    /// The key that must have signed the next version; without one nobody need have.
    pub fn directory_key(&self) -> Option<&AuthorKey> {
        self.next_key.as_ref()
    }

    /// The key with which the router signs checkpoints; without one there are none.
    pub fn checkpoint_key(&self) -> Option<&AuthorKey> {
        self.checkpoint_key.as_ref()
    }

    /// The key with which the console signs what is acknowledged on its pages; without one nothing is.
    pub fn console_key(&self) -> Option<&AuthorKey> {
        self.console_key.as_ref()
    }

    /// The key with which the notifier signs the links of its mails; without one none counts.
    pub fn link_key(&self) -> Option<&AuthorKey> {
        self.link_key.as_ref()
    }

    /// A publisher, if it is listed.
    pub fn publisher(&self, id: &PublisherId) -> Option<&KnownPublisher> {
        self.publishers.get(id)
    }

    /// Every publisher, by its identifier.
    pub fn publishers(&self) -> impl Iterator<Item = &KnownPublisher> {
        self.publishers.values()
    }

    /// A monitor, if it is listed.
    pub fn monitor(&self, id: &BodyId) -> Option<&KnownMonitor> {
        self.monitors.get(id)
    }

    /// A recipient, if it is listed.
    pub fn recipient(&self, id: &RecipientId) -> Option<&KnownRecipient> {
        self.places.get(id).and_then(|place| self.recipients.get(*place))
    }

    /// Every recipient, in the order of the directory.
    pub fn recipients(&self) -> impl Iterator<Item = &KnownRecipient> {
        self.recipients.iter()
    }

    /// An area, if it is listed.
    pub fn area(&self, id: &AreaId) -> Option<&Area> {
        self.areas.place(id).and_then(|place| self.document.areas.get(place))
    }

    /// The policies, in the order of the directory.
    pub fn policies(&self) -> &[PolicyDocument] {
        &self.document.policies
    }

    /// Whether an incident in these areas concerns somebody who serves those: one of them is the same as, part of, or
    /// around one of the others. An area that is not listed touches nothing.
    pub fn touches(&self, event_areas: &[AreaId], served: &[AreaId]) -> bool {
        let extent = self.areas.extent(event_areas);
        served.iter().any(|area| extent.touches(&self.areas, area))
    }

    /// Tells of areas whether they touch one of these: the same, part of it, or around it.
    pub(crate) fn touching<'d>(&'d self, areas: &[AreaId]) -> impl Fn(&AreaId) -> bool + use<'d> {
        let extent = self.areas.extent(areas);
        move |area| extent.touches(&self.areas, area)
    }

    /// Whether a publisher may speak of an area: one of its own, or part of one. Of an area that is not listed nobody
    /// may speak.
    pub fn may_speak_of(&self, publisher: &KnownPublisher, area: &AreaId) -> bool {
        self.covers(&publisher.areas, area)
    }

    /// Whether an area is listed, and in a scope.
    fn covers(&self, scope: &AreaScope, area: &AreaId) -> bool {
        match scope {
            AreaScope::All => self.areas.place(area).is_some(),
            AreaScope::These(own) => own.iter().any(|own| self.areas.contains(own, area)),
        }
    }

    /// Who is owed an event in these areas under a policy, and whether they must acknowledge it: the first rule of the
    /// policy that fits a recipient holds. `handed_over` are the areas of whose lost callers more were handed to the police
    /// with this event. In the order of the directory.
    pub fn owed(
        &self,
        policy: &PolicyDocument,
        event_areas: &[AreaId],
        handed_over: &[AreaId],
    ) -> Vec<(&Recipient, Requirement)> {
        let rules = Rules::new(policy, |id| self.recipient(id).map(|known| known.entry.kind.as_str()));
        let standing = self.standing(event_areas, handed_over);
        self.recipients
            .iter()
            .zip(standing)
            .filter_map(|(known, standing)| Some((&known.entry, rules.requirement(&known.entry, standing)?)))
            .collect()
    }

    /// Where each recipient stands to an event in these areas.
    fn standing(&self, event_areas: &[AreaId], handed_over: &[AreaId]) -> Vec<Standing> {
        let extent = self.areas.extent(event_areas);
        let handed = self.areas.extent(handed_over);
        let mut standing: Vec<_> = self
            .recipients
            .iter()
            .map(|known| Standing {
                affected: known.entry.areas.iter().any(|area| extent.touches(&self.areas, area)),
                neighbour: false,
                handed_over: known.entry.areas.iter().any(|area| handed.touches(&self.areas, area)),
            })
            .collect();
        for (place, neighbours) in self.neighbours.iter().enumerate() {
            for &other in neighbours {
                standing[other].neighbour |= standing[place].affected;
                standing[place].neighbour |= standing[other].affected;
            }
        }
        standing
    }
}

/// Whether a policy is about any of these services. A policy that names none is about all.
pub fn policy_applies(policy: &PolicyDocument, services: &[Service]) -> bool {
    policy.services.is_empty() || policy.services.iter().any(|service| services.contains(service))
}

/// Whether an entry holds on a day: from `valid_from` to `valid_to`, both included.
pub fn holds_on(entry: &Recipient, day: Date) -> bool {
    entry.valid_from.is_none_or(|from| from <= day) && entry.valid_to.is_none_or(|to| day <= to)
}
