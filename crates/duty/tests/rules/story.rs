//! A bus told as a story: what is said at which second, and what the fold owes the log because of it.

use std::{collections::BTreeMap, sync::LazyLock};

use bytes::Bytes;
use tocsin_duty::{Directory, Fold, Gravity, Text, Texts, Trust, Verdict, check};
use tocsin_protocol::{
    Entry, NewFact, Receipt, Signed, SignedDuration, SigningKey, Stream, Subject, Timestamp, from_body,
    to_body,
};

pub(crate) const POLICY: &str = r#"
id = "uk-999"
name = "Failure of 999"
basis = "our own"
confidence = "assumption"
clock = "published"
services = ["999-voice"]
acknowledge = ["initial"]
owed = [
    { kinds = ["regulator"], where = "anywhere", requirement = "required" },
    { kinds = ["police", "fire"], where = "affected", requirement = "required" },
    { kinds = ["police", "fire"], where = "neighbour", requirement = "informed" },
    { kinds = ["lrf"], where = "affected", requirement = "informed" },
]
steps = [{ within = "15m", contact = "duty" }, { within = "30m", contact = "senior" }]
"#;

pub(crate) const DIRECTORY: &str = r#"
name = "Two counties"
time_zone = "Europe/London"
policies = ["policy.toml"]
areas = [
    { id = "uk", name = "United Kingdom" },
    { id = "kent", name = "Kent", within = "uk" },
    { id = "medway", name = "Medway", within = "kent" },
    { id = "essex", name = "Essex", within = "uk" },
]
publishers = [
    { id = "bt", name = "BT", areas = "all" },
    { id = "kent-police", name = "Kent Police", areas = ["kent"] },
]
recipients = [
    { id = "ofcom", name = "Ofcom", kind = "regulator", areas = ["uk"], contacts.duty = { role = "Duty officer", email = "duty@ofcom.example" }, contacts.senior = { role = "Director", email = "director@ofcom.example" } },
    { id = "kent-police", name = "Kent Police", kind = "police", areas = ["kent"], neighbours = ["essex-police"], contacts.duty = { role = "Duty officer", email = "duty@kent-police.example" }, contacts.senior = { role = "Gold", email = "gold@kent-police.example" } },
    { id = "kent-fire", name = "Kent Fire", kind = "fire", areas = ["kent"], contacts.duty = { role = "Duty officer", email = "duty@kent-fire.example" }, contacts.senior = { role = "Principal officer", email = "po@kent-fire.example" } },
    { id = "essex-police", name = "Essex Police", kind = "police", areas = ["essex"], contacts.duty = { role = "Duty officer", email = "duty@essex-police.example" }, contacts.senior = { role = "Gold", email = "gold@essex-police.example" } },
    { id = "kent-lrf", name = "Kent Resilience Forum", kind = "lrf", areas = ["kent"] },
]
"#;

/// One key for each body, the same in every test of a run.
static KEYS: LazyLock<BTreeMap<&str, SigningKey>> = LazyLock::new(|| {
    [
        "bt",
        "ofcom",
        "kent-police",
        "kent-fire",
        "essex-police",
        "kent-lrf",
        "stranger",
        "probe",
        "console_key",
        "link_key",
        "old_link",
    ]
    .map(|id| (id, SigningKey::generate()))
    .into()
});

/// The texts of a directory, with everybody's key.
pub(crate) fn texts(directory: &str, policy: &str) -> Texts {
    let apart = ["stranger", "probe", "console_key", "link_key", "old_link"];
    let keys = KEYS.iter().filter(|(id, _)| !apart.contains(*id));
    let keys: Vec<_> = keys.map(|(id, key)| format!("{id} = \"{}\"", key.public())).collect();
    let text = |file: &str, text: &str| Text { file: file.to_owned(), text: text.to_owned() };
    Texts {
        directory: text("directory.toml", directory),
        policies: [("policy.toml".to_owned(), text("policy.toml", policy))].into(),
        keys: Some(text("keys.toml", &keys.join("\n"))),
        today: Some("2023-06-25".parse().unwrap()),
    }
}

/// The key of somebody.
pub(crate) fn key(id: &str) -> &'static SigningKey {
    &KEYS[id]
}

pub(crate) struct Story {
    pub(crate) fold: Fold,
    began: Timestamp,
    said: u64,
    logged: u64,
}

impl Story {
    pub(crate) fn new() -> Self {
        Self::under(POLICY)
    }

    /// A story that begins with the directory, under a policy.
    pub(crate) fn under(policy: &str) -> Self {
        Self::with(DIRECTORY, policy)
    }

    /// A story that begins with this directory, under a policy.
    pub(crate) fn with(directory: &str, policy: &str) -> Self {
        Self::of_its_own(directory, policy, "2023-06-25T05:24:00Z".parse().unwrap())
    }

    /// A story that begins at a moment with this directory. Whoever has no key in it answers by the console.
    pub(crate) fn of_its_own(directory: &str, policy: &str, began: Timestamp) -> Self {
        let directory = directory.replace("CONSOLE", &key("console_key").public());
        let mut texts = texts(&directory, policy);
        if let Some(keys) = &mut texts.keys {
            let listed = |line: &&str| {
                line.split_once(' ').is_some_and(|(id, _)| directory.contains(&format!("\"{id}\"")))
            };
            keys.text = keys.text.lines().filter(listed).collect::<Vec<_>>().join("\n");
        }
        let (document, faults) = check(&texts);
        let document = document.unwrap_or_else(|| panic!("{faults:?}"));
        assert!(faults.iter().all(|fault| fault.gravity == Gravity::Warning), "{faults:?}");
        let mut story = Self { fold: Fold::new(), began, said: 0, logged: 0 };
        let body = to_body("directory", &document).unwrap();
        story.log(0, "tocsin.directory.1", body);
        story
    }

    /// Puts another directory in force.
    pub(crate) fn apply(&mut self, second: i64, version: u64, directory: &str) -> Verdict {
        self.apply_under(second, version, directory, POLICY)
    }

    /// Puts another directory in force, under another policy.
    pub(crate) fn apply_under(
        &mut self,
        second: i64,
        version: u64,
        directory: &str,
        policy: &str,
    ) -> Verdict {
        let (document, faults) = check(&texts(directory, policy));
        let document = document.unwrap_or_else(|| panic!("{faults:?}"));
        self.log(second, &format!("tocsin.directory.{version}"), to_body("directory", &document).unwrap())
    }

    pub(crate) fn at(&self, second: i64) -> Timestamp {
        self.began + SignedDuration::from_secs(second)
    }

    /// Says exact bytes under a subject, signed by a body of the directory, or by none.
    pub(crate) fn say(&mut self, second: i64, author: Option<&str>, subject: &str, body: &str) -> Verdict {
        let signed = author.map(|author| KEYS[author].sign(subject, body.as_bytes()).unwrap());
        self.say_signed(second, signed, subject, body)
    }

    pub(crate) fn say_signed(
        &mut self,
        second: i64,
        signed: Option<Signed>,
        subject: &str,
        body: &str,
    ) -> Verdict {
        self.said += 1;
        let entry = Entry {
            stream: Stream::Said,
            sequence: self.said,
            time: self.at(second),
            subject: subject.to_owned(),
            signed,
            said_through: None,
            body: Bytes::from(body.to_owned()),
        };
        self.take(&entry)
    }

    /// Says an event of BT's incident `x`: these fields over those of the shortest one.
    pub(crate) fn event(&mut self, second: i64, fields: &str) -> Verdict {
        let body = event("bt", fields);
        let number = body["sequence"].clone();
        let subject = format!("tocsin.incident.bt.{}.{number}", body["incident"].as_str().unwrap());
        self.say(second, Some("bt"), &subject, &body.to_string())
    }

    pub(crate) fn acknowledge(&mut self, second: i64, recipient: &str, event: u32) -> Verdict {
        let body = serde_json::json!({
            "incident": "x", "event": event, "recipient": recipient, "stage": "acknowledged",
            "at": self.at(second).to_string(), "by": {"name": "A. Supervisor", "role": "control room supervisor"},
        });
        let receipt: Receipt = serde_json::from_value(body).unwrap();
        let body = String::from_utf8(to_body("receipt", &receipt).unwrap().to_vec()).unwrap();
        self.say(second, Some(recipient), &receipt.subject().to_string(), &body)
    }

    pub(crate) fn log(&mut self, second: i64, subject: &str, body: Bytes) -> Verdict {
        self.logged += 1;
        let entry = Entry {
            stream: Stream::Log,
            sequence: self.logged,
            time: self.at(second),
            subject: subject.to_owned(),
            signed: None,
            said_through: None,
            body,
        };
        self.take(&entry)
    }

    /// Every story is told by a fold that is kept as bytes and read back behind each entry.
    fn take(&mut self, entry: &Entry) -> Verdict {
        let verdict = self.fold.apply(entry);
        let restored = Fold::restored(&self.fold.snapshot().unwrap(), Trust::default()).unwrap();
        assert_eq!(restored, self.fold, "after {}", entry.subject);
        self.fold = restored;
        verdict
    }

    /// Writes everything owed to the log, and gives it.
    pub(crate) fn follow(&mut self, second: i64) -> Vec<NewFact> {
        let facts: Vec<NewFact> = self.fold.follows().into_iter().flat_map(|batch| batch.facts).collect();
        for fact in &facts {
            self.log(second, &fact.subject.to_string(), fact.body.clone());
        }
        assert!(self.fold.follows().is_empty(), "what was written is owed no more");
        facts
    }

    /// The broker closes a window of `x`, and the router writes what follows.
    pub(crate) fn close(&mut self, second: i64, event: u32, step: u32) -> Vec<NewFact> {
        self.log(second, &format!("tocsin.due.x.{event}.{step}"), Bytes::from_static(b"{}"));
        self.follow(second)
    }
}

pub(crate) fn event(publisher: &str, fields: &str) -> serde_json::Value {
    let mut body = serde_json::json!({
        "incident": "x", "sequence": 1, "kind": "initial", "status": "actual", "publisher": publisher,
        "category": "outage", "services": ["999-voice"], "headline": "999 calls fail", "areas": ["kent"],
    });
    let fields: serde_json::Value = serde_json::from_str(&format!("{{{fields}}}")).unwrap();
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

pub(crate) fn subjects(facts: &[NewFact]) -> Vec<String> {
    facts.iter().map(|fact| fact.subject.to_string()).collect()
}

/// The first fact of a kind, read.
pub(crate) fn read<T: serde::de::DeserializeOwned>(
    facts: &[NewFact],
    wanted: impl Fn(&Subject) -> bool,
) -> T {
    let fact = facts.iter().find(|fact| wanted(&fact.subject)).unwrap();
    from_body("fact", &fact.body).unwrap()
}

pub(crate) fn directory() -> Directory {
    Directory::build(1, check(&texts(DIRECTORY, POLICY)).0.unwrap()).unwrap()
}
