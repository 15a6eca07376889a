//! Who there is in a test: a directory with fresh keys.

use std::collections::BTreeMap;

use tocsin_protocol::{
    Area, AreaId, AreaScope, ClockStart, Confidence, ConsoleDoors, Contact, DirectoryDocument, EventKind,
    OwedRule, PolicyDocument, Publisher, Recipient, Requirement, SignedDuration, SigningKey, StepDocument,
    Where, Window,
};

/// The operator of the emergency call service, who may speak of everywhere.
pub const PUBLISHER: &str = "operator";

/// Our own services, where the bus asks who they are.
pub(crate) const SERVICES: &str = "services";

/// The routers' key for checkpoints.
const CHECKPOINTS: &str = "checkpoint_key";

/// The administrator's key, which signs the directory.
pub const DIRECTORY: &str = "directory_key";

/// The console's key, by which it acknowledges for others.
pub const CONSOLE: &str = "console_key";

/// The notifiers' key for the links of their mails.
pub const LINKS: &str = "link_key";

/// A number of seconds.
pub fn seconds(seconds: f64) -> SignedDuration {
    SignedDuration::from_secs_f64(seconds)
}

/// A directory, and the keys of all who are in it.
#[derive(Debug, Clone)]
pub struct Cast {
    /// The directory.
    pub document: DirectoryDocument,
    seeds: BTreeMap<String, String>,
}

impl Cast {
    /// An operator, a control room that may speak of the north alone, and a policy with these windows: the first ends
    /// with a mail to `duty`, the second with one to `senior`.
    pub fn new(windows: &[SignedDuration]) -> Self {
        let area = |id: &str, within: Option<&str>| Area {
            id: id.parse().unwrap(),
            name: id.to_owned(),
            within: within.map(|within| within.parse().unwrap()),
            population: None,
        };
        let rule = |kind: &str, requirement| OwedRule {
            kinds: vec![kind.to_owned()],
            recipients: Vec::new(),
            place: Where::Anywhere,
            requirement,
        };
        let step = |(within, contact): (&SignedDuration, &str)| StepDocument {
            within: Window(*within),
            contact: contact.to_owned(),
            reach: tocsin_protocol::Reach::Own,
        };
        let policy = PolicyDocument {
            source: None,
            in_force_from: None,
            trigger: tocsin_protocol::Trigger::Failure,
            duties: Vec::new(),
            id: "test".parse().unwrap(),
            name: "Windows of a test".to_owned(),
            basis: "none".to_owned(),
            as_of: None,
            confidence: Confidence::Assumption,
            clock: ClockStart::Published,
            services: Vec::new(),
            acknowledge: vec![EventKind::Initial],
            owed: vec![rule("police", Requirement::Required), rule("utility", Requirement::Informed)],
            steps: windows.iter().zip(["duty", "senior"]).map(step).collect(),
        };
        let document = DirectoryDocument {
            name: "Test".to_owned(),
            time_zone: "Europe/London".to_owned(),
            directory_key: None,
            checkpoint_key: None,
            console_key: None,
            link_key: None,
            areas: vec![area("uk", None), area("north", Some("uk")), area("south", Some("uk"))],
            monitors: Vec::new(),
            exercises: Vec::new(),
            publishers: Vec::new(),
            recipients: Vec::new(),
            policies: vec![policy],
        };
        let mut cast = Self { document, seeds: BTreeMap::new() };
        cast.new_key(SERVICES);
        cast.publisher(PUBLISHER, AreaScope::All)
            .publisher("control-room", AreaScope::These(vec![AreaId::new("north").unwrap()]))
    }

    /// Lets the routers sign checkpoints.
    #[must_use]
    pub fn signing(mut self) -> Self {
        self.document.checkpoint_key = Some(self.new_key(CHECKPOINTS));
        self
    }

    /// Lets nobody put a directory in force but by a key's signature.
    #[must_use]
    pub fn directory_signed(mut self) -> Self {
        self.document.directory_key = Some(self.new_key(DIRECTORY));
        self
    }

    /// Lets the console acknowledge for all but these, on its page and by the links of mails.
    #[must_use]
    pub fn console(mut self, but: &[&str]) -> Self {
        self.document.console_key = Some(self.new_key(CONSOLE));
        self.document.link_key = Some(self.new_key(LINKS));
        for known in self.document.recipients.iter_mut().filter(|known| but.contains(&known.id.as_str())) {
            known.console = ConsoleDoors::Shut;
        }
        self
    }

    /// Lets the console acknowledge for these by the links of mails alone.
    #[must_use]
    pub fn by_links(mut self, these: &[&str]) -> Self {
        for known in self.document.recipients.iter_mut().filter(|known| these.contains(&known.id.as_str())) {
            known.console = ConsoleDoors::Links;
        }
        self
    }

    /// The key with which routers sign checkpoints, where they do.
    pub fn checkpoint_key(&self) -> Option<SigningKey> {
        self.seeds.get(CHECKPOINTS).map(|seed| SigningKey::from_seed(seed).unwrap())
    }

    /// Adds a publisher.
    #[must_use]
    pub fn publisher(mut self, id: &str, areas: AreaScope) -> Self {
        let key = Some(self.new_key(id));
        self.document.publishers.push(Publisher {
            contacts: std::collections::BTreeMap::new(),
            id: id.parse().unwrap(),
            name: id.to_owned(),
            key,
            areas,
        });
        self
    }

    /// Adds recipients who must acknowledge.
    #[must_use]
    pub fn required<S: AsRef<str>>(self, ids: &[S]) -> Self {
        ids.iter().fold(self, |cast, id| cast.recipient(id.as_ref(), "police"))
    }

    /// Adds recipients who are told.
    #[must_use]
    pub fn informed(self, ids: &[&str]) -> Self {
        ids.iter().fold(self, |cast, id| cast.recipient(id, "utility"))
    }

    fn recipient(mut self, id: &str, kind: &str) -> Self {
        let key = Some(self.new_key(id));
        let contact = |word: &str| {
            let contact = Contact {
                role: format!("The {word} officer"),
                email: format!("{word}@{id}.example"),
                phone: None,
            };
            (word.to_owned(), contact)
        };
        self.document.recipients.push(Recipient {
            buddy: None,
            coordinating_body: None,
            control_rooms: Vec::new(),
            id: id.parse().unwrap(),
            name: format!("Body {id}"),
            kind: kind.to_owned(),
            nation: None,
            areas: vec!["uk".parse().unwrap()],
            neighbours: Vec::new(),
            key,
            contacts: ["duty", "senior"].map(contact).into(),
            valid_from: None,
            valid_to: None,
            console: ConsoleDoors::Open,
            last_verified_at: None,
        });
        self
    }

    /// Gives a recipient another key.
    #[must_use]
    pub fn with_new_key(mut self, id: &str) -> Self {
        let key = self.new_key(id);
        for recipient in self.document.recipients.iter_mut().filter(|recipient| recipient.id.as_str() == id) {
            recipient.key = Some(key.clone());
        }
        self
    }

    fn new_key(&mut self, id: &str) -> String {
        let key = SigningKey::generate();
        self.seeds.insert(id.to_owned(), key.seed().unwrap());
        key.public()
    }

    pub(crate) fn seed(&self, id: &str) -> String {
        self.seeds[id].clone()
    }

    /// The private key of a publisher or recipient.
    pub fn key(&self, id: &str) -> SigningKey {
        SigningKey::from_seed(&self.seeds[id]).unwrap()
    }
}
