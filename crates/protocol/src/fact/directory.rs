//! The directory and its policies, as they stand on the wire and in TOML files. `duty` checks and indexes them.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::doors::ConsoleDoors;
use super::policy::PolicyDocument;
use super::words::{Category, ExerciseStatus, Service};
use crate::id::{AreaId, BodyId, ControlRoomId, ExerciseId, PublisherId, RecipientId};

/// Who there is, how they are reached, and what they are owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryDocument {
    /// What this directory is of, for people.
    pub name: String,
    /// The zone in which people read times, such as `Europe/London`.
    pub time_zone: String,
    /// The public NKey that must have signed the next version, and this one where the one before it names none. Without
    /// one whoever may write to the log puts a directory in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory_key: Option<String>,
    /// The public NKey with which the router signs checkpoints. Without one there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_key: Option<String>,
    /// The public NKey with which the console signs what is acknowledged on its pages. Without one it acknowledges
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console_key: Option<String>,
    /// The public NKey with which the notifier signs the links of its mails. Without one no link counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_key: Option<String>,
    /// The places that there are.
    #[serde(default)]
    pub areas: Vec<Area>,
    /// Who may say that a service has failed.
    #[serde(default)]
    pub publishers: Vec<Publisher>,
    /// Machines that report what they see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub monitors: Vec<Monitor>,
    /// What is exercised, and when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exercises: Vec<ExerciseDocument>,
    /// Who is told.
    #[serde(default)]
    pub recipients: Vec<Recipient>,
    /// What they are owed.
    #[serde(default)]
    pub policies: Vec<PolicyDocument>,
}

impl DirectoryDocument {
    /// The names of the keys with which our own services sign. They are no identifiers, so none is a body's.
    pub const SERVICE_KEYS: &'static [&'static str] = &["checkpoint_key", "console_key", "link_key"];

    /// The name of the key with which the administrator signs the directory: no service of ours has it.
    pub const DIRECTORY_KEY: &'static str = "directory_key";

    /// Whether a key of that name is the administrator's or a service's, and no body's.
    pub fn is_own_key(name: &str) -> bool {
        name == Self::DIRECTORY_KEY || Self::SERVICE_KEYS.contains(&name)
    }

    /// The public key of that name, [`Self::DIRECTORY_KEY`] or among [`Self::SERVICE_KEYS`], if there is one of that name.
    pub fn own_key_mut(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            Self::DIRECTORY_KEY => Some(&mut self.directory_key),
            "checkpoint_key" => Some(&mut self.checkpoint_key),
            "console_key" => Some(&mut self.console_key),
            "link_key" => Some(&mut self.link_key),
            _ => None,
        }
    }
}

/// An exercise or test that is said by schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExerciseDocument {
    /// Its identifier, with which the names of its incidents begin.
    pub id: ExerciseId,
    /// When it is due: a cron line of five fields in the directory's time zone, such as `30 10 * * TUE`.
    pub schedule: String,
    /// Who says it.
    pub publisher: PublisherId,
    /// For people, or for machines alone.
    #[serde(default = "for_people")]
    pub status: ExerciseStatus,
    /// What sort of incident is exercised.
    pub category: Category,
    /// The services whose failure is exercised.
    pub services: Vec<Service>,
    /// The areas that it touches.
    pub areas: Vec<AreaId>,
    /// One line that says what is exercised.
    pub headline: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

fn for_people() -> ExerciseStatus {
    ExerciseStatus::Exercise
}

/// A place. Areas form a tree: an incident in an area touches all within it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// Its identifier.
    pub id: AreaId,
    /// Its name.
    pub name: String,
    /// The larger area that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<AreaId>,
    /// People who live there, for figures that are split by population. Approximate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub population: Option<u64>,
}

/// A body that may publish events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publisher {
    /// Its identifier, which is in the subject of all that it says.
    pub id: PublisherId,
    /// Its name.
    pub name: String,
    /// Its public NKey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The areas that it may speak of: these and all within them.
    pub areas: AreaScope,
    /// Who is reminded when something that it owes is overdue, by the same words as a recipient's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contacts: BTreeMap<String, Contact>,
}

/// A machine that reports what it sees. It publishes nothing, and is told nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// Its identifier, which is in the subject of all that it reports.
    pub id: BodyId,
    /// Its name.
    pub name: String,
    /// Its public NKey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The areas that it may report of: these and all within them.
    pub areas: AreaScope,
}

/// The areas that a publisher may speak of: the word `all`, or a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AreaScope {
    /// Every area.
    All,
    /// These, and all within them.
    These(Vec<AreaId>),
}

impl Serialize for AreaScope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::These(areas) => areas.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AreaScope {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Word(String),
            List(Vec<AreaId>),
        }
        match Form::deserialize(deserializer)? {
            Form::Word(word) if word == "all" => Ok(Self::All),
            Form::Word(word) => Err(serde::de::Error::custom(format!(
                "areas: expected \"all\" or a list of areas, found {word:?}"
            ))),
            Form::List(areas) => Ok(Self::These(areas)),
        }
    }
}

/// A body that is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// Its identifier.
    pub id: RecipientId,
    /// Its name.
    pub name: String,
    /// What sort of body: `regulator`, `government`, `police-territorial`, `fire`, `ambulance`, `coastguard`, ...
    pub kind: String,
    /// Its nation, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nation: Option<String>,
    /// The areas that it serves: these and all within them.
    pub areas: Vec<AreaId>,
    /// Those who help it when it cannot cope (mutual aid, buddy authority).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neighbours: Vec<RecipientId>,
    /// The authority that takes its calls when it cannot (PECS Code 4.2, Buddy EA): written to in its stead by a policy's
    /// step that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buddy: Option<RecipientId>,
    /// The body that coordinates those of its kind, for a last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coordinating_body: Option<RecipientId>,
    /// The control rooms in which its people answer: delivery is to a body, an answer comes from a room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub control_rooms: Vec<ControlRoom>,
    /// Its public NKey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Through which doors the console may acknowledge in its name.
    #[serde(
        default,
        deserialize_with = "ConsoleDoors::of_field",
        skip_serializing_if = "ConsoleDoors::is_open"
    )]
    pub console: ConsoleDoors,
    /// Who is written to when it is silent, by the word that a policy's step uses: `duty`, `senior`.
    #[serde(default)]
    pub contacts: BTreeMap<String, Contact>,
    /// From which day the entry holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Date>,
    /// Until which day the entry holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Date>,
    /// When a person there last confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verified_at: Option<Date>,
}

/// A control room of a body (in the field: EACR).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlRoom {
    /// Its identifier among those of its body.
    pub id: ControlRoomId,
    /// Its name.
    pub name: String,
    /// The number by which the operator reaches it when the ordinary ways fail (PECS Code 4.1), as dialled.
    pub critical_contact_number: String,
    /// The areas that it answers for; empty for all of its body's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<AreaId>,
}

/// How a role is reached. Roles over persons: a person's mailbox dies with the person's posting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// The role, such as duty officer.
    pub role: String,
    /// The address that escalations go to.
    pub email: String,
    /// The critical contact number, as dialled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}
