//! What is told: an alarm, once, and that it is over, once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tocsin_protocol::{IncidentId, RecipientId, Status, Timestamp};

/// What is wrong. The words are stable: programs may rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlarmCode {
    /// The bus does not answer.
    BusUnreachable,
    /// The bus answers, and what it holds does not come.
    BusBehind,
    /// No directory is in force: nobody can be told.
    NoDirectory,
    /// The newest directory on the log is not in force, as the `directory_key` has not signed it.
    DirectoryUnsigned,
    /// The directory in force does not stand under the key that is trusted.
    DirectoryUntrusted,
    /// Something follows from the record that no router has written.
    RouterBehind,
    /// The broker has not closed a window that was due.
    WindowNotClosed,
    /// An e-mail is owed, and no notifier has begun to send it.
    NotifierBehind,
    /// E-mails of an incident are owed that no relay has taken.
    MailNotTaken,
    /// Every relay fails.
    RelaysFail,
    /// Nothing was signed since long ago.
    LogQuiet,
    /// A publisher promised to say more by now, and has not.
    UpdateOverdue,
}

impl AlarmCode {
    /// The word in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BusUnreachable => "bus-unreachable",
            Self::BusBehind => "bus-behind",
            Self::NoDirectory => "no-directory",
            Self::DirectoryUnsigned => "directory-unsigned",
            Self::DirectoryUntrusted => "directory-untrusted",
            Self::RouterBehind => "router-behind",
            Self::WindowNotClosed => "window-not-closed",
            Self::NotifierBehind => "notifier-behind",
            Self::MailNotTaken => "mail-not-taken",
            Self::RelaysFail => "relays-fail",
            Self::LogQuiet => "log-quiet",
            Self::UpdateOverdue => "update-overdue",
        }
    }

    /// What whoever hears it is to do.
    pub fn action(self) -> &'static str {
        match self {
            Self::BusUnreachable => {
                "See that nats-server runs, leads and can be reached; use the telephone until it does."
            }
            Self::BusBehind => "See nats-server's log and its disk; use the telephone meanwhile.",
            Self::NoDirectory => "Put one in force: tocsin directory apply.",
            Self::DirectoryUnsigned => {
                "Was it the administrator: tocsin directory apply with --directory-key. Else somebody has that login, or is on \
                 the broker's machine: change the administrator's and the routers' keys."
            }
            Self::DirectoryUntrusted => {
                "Either the key that the watcher was told is wrong, or somebody has begun the record anew: see \
                 deploy/RUNBOOK.md, and use the telephone."
            }
            Self::RouterBehind => {
                "See that `tocsin router` runs and can write; tell by telephone who is owed it."
            }
            Self::WindowNotClosed => "See nats-server's log and clock, and its stream TOCSIN_LOG.",
            Self::NotifierBehind => {
                "See that `tocsin notifier` runs; telephone by `tocsin call-list --all` meanwhile."
            }
            Self::MailNotTaken | Self::RelaysFail => {
                "See the relays and the notifier's log; telephone by `tocsin call-list --all` meanwhile."
            }
            Self::LogQuiet => "See that a router runs, and that it was given the key of checkpoints.",
            Self::UpdateOverdue => {
                "Telephone the publisher; tell those who wait for it that no update has come."
            }
        }
    }
}

/// Something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// What sort.
    pub code: AlarmCode,
    /// Of which incident, where it is of one: with the code, this is the alarm's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Actual or exercise, where it is of an incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Since when what is missing was owed, by the broker's clock; of a bus that does not answer, by the watcher's.
    pub since: Timestamp,
    /// To whom something is owed, where that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<RecipientId>,
    /// What is wrong, in one line.
    pub text: String,
}

/// Whether an alarm is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlarmState {
    /// It is up from now on.
    Raised,
    /// What it was about is over.
    Over,
}

/// An alarm that came or went: what a program is given as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Raised or over.
    pub state: AlarmState,
    /// When that was found: by the broker's clock, or by the watcher's while the bus is away.
    pub at: Timestamp,
    /// The alarm: when it is over, as it was told last.
    #[serde(flatten)]
    pub alarm: Alarm,
    /// What to do.
    pub action: String,
}

/// Remembers which alarms are up.
#[derive(Debug, Default)]
pub struct Bell {
    up: BTreeMap<(AlarmCode, Option<IncidentId>), Alarm>,
}

impl Bell {
    /// Takes in every alarm that there is now, and tells those that came and those that went.
    pub fn ring(&mut self, now: impl IntoIterator<Item = Alarm>, at: Timestamp) -> Vec<Rung> {
        let now: BTreeMap<_, _> =
            now.into_iter().map(|alarm| ((alarm.code, alarm.incident.clone()), alarm)).collect();
        let rung = |state, alarm: &Alarm| Rung {
            state,
            at,
            alarm: alarm.clone(),
            action: match state {
                AlarmState::Raised => alarm.code.action().to_owned(),
                AlarmState::Over => "Nothing: it is over.".to_owned(),
            },
        };
        let over = self.up.iter().filter(|(key, _)| !now.contains_key(key));
        let raised = now.iter().filter(|(key, _)| !self.up.contains_key(key));
        let told = over
            .map(|(_, alarm)| rung(AlarmState::Over, alarm))
            .chain(raised.map(|(_, alarm)| rung(AlarmState::Raised, alarm)))
            .collect();
        self.up = now;
        told
    }

    /// The alarms that are up.
    pub fn up(&self) -> impl Iterator<Item = &Alarm> {
        self.up.values()
    }
}
