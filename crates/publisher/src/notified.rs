//! Whom a dispatch tells, and by when: the same for what was dispatched and for what would be.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::tz::TimeZone;
use tocsin_duty::Directory;
use tocsin_protocol::{Dispatch, DispatchStep, PolicyInForce, Reach, RecipientId, Requirement, Timestamp};

/// Whom a dispatch tells, and by when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notified {
    /// Every recipient once, with its strictest requirement; by requirement, then in the order of identifiers.
    pub recipients: Vec<NotifiedRecipient>,
    /// The policies that apply, and from which moment their windows run.
    pub policies: Vec<PolicyInForce>,
    /// The windows, in order of closing; empty when no acknowledgement is needed.
    pub windows: Vec<DispatchStep>,
    /// Why an update needs an acknowledgement anew.
    pub worsened: Vec<String>,
    /// The zone in which people of this directory read times, when the directory is at hand.
    pub time_zone: Option<String>,
}

/// A recipient who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifiedRecipient {
    /// Who.
    pub id: RecipientId,
    /// Whether it must acknowledge.
    pub requirement: Requirement,
    /// Its name, when the directory is at hand.
    pub name: Option<String>,
    /// What sort of body it is, when the directory is at hand.
    pub kind: Option<String>,
}

impl Notified {
    /// Reads it out of a dispatch; names and kinds come from the directory, where it is at hand.
    pub(crate) fn of(dispatch: &Dispatch, directory: Option<&Directory>) -> Self {
        let mut recipients: Vec<_> = dispatch
            .recipients()
            .into_iter()
            .map(|(id, requirement)| {
                let entry = directory.and_then(|directory| directory.recipient(id)).map(|known| &known.entry);
                NotifiedRecipient {
                    id: id.clone(),
                    requirement,
                    name: entry.map(|entry| entry.name.clone()),
                    kind: entry.map(|entry| entry.kind.clone()),
                }
            })
            .collect();
        recipients.sort_by(|a, b| (a.requirement, &a.id).cmp(&(b.requirement, &b.id)));
        Self {
            recipients,
            policies: dispatch.policies.clone(),
            windows: dispatch.steps.clone(),
            worsened: dispatch.worsened.clone(),
            time_zone: directory.map(|directory| directory.time_zone().to_owned()),
        }
    }

    /// How many have this requirement.
    pub fn count(&self, requirement: Requirement) -> usize {
        self.recipients.iter().filter(|recipient| recipient.requirement == requirement).count()
    }

    /// How many there are of each requirement and kind; empty when the directory is not at hand.
    pub fn by_kind(&self) -> BTreeMap<(Requirement, &str), usize> {
        let mut counts = BTreeMap::new();
        for recipient in &self.recipients {
            if let Some(kind) = &recipient.kind {
                *counts.entry((recipient.requirement, kind.as_str())).or_insert(0) += 1;
            }
        }
        counts
    }
}

impl fmt::Display for Notified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_kind = self.by_kind();
        let requirements: BTreeSet<_> =
            self.recipients.iter().map(|recipient| recipient.requirement).collect();
        if requirements.is_empty() {
            write!(f, "nobody: no policy of the directory owes this event to anyone")?;
        }
        for (place, requirement) in requirements.iter().enumerate() {
            let kinds: Vec<_> = by_kind
                .iter()
                .filter(|((of, _), _)| of == requirement)
                .map(|((_, kind), count)| format!("{count} {kind}"))
                .collect();
            let kinds = if kinds.is_empty() { String::new() } else { format!(": {}", kinds.join(", ")) };
            let line = if place == 0 { "" } else { "\n" };
            write!(f, "{line}{} {requirement}{kinds}", self.count(*requirement))?;
        }
        for reason in &self.worsened {
            write!(f, "\nto be acknowledged anew: {reason}")?;
        }
        if self.windows.is_empty() {
            write!(f, "\nno acknowledgement is needed")?;
        }
        for window in &self.windows {
            let DispatchStep { step, policy, due_at, contact, reach } = window;
            let at = in_zone(*due_at, self.time_zone.as_deref());
            let whose = match reach {
                Reach::Own => "",
                Reach::Buddy => " of its buddy",
                Reach::CoordinatingBody => " of its coordinating body",
            };
            write!(
                f,
                "\nacknowledge by {at}, or the {contact} contact{whose} is written to ({policy}, step {step}"
            )?;
            match self.policies.iter().find(|in_force| in_force.policy == *policy) {
                Some(PolicyInForce { clock, clock_assumed: true, .. }) => {
                    write!(f, "; from {clock}, for which the time of publishing stands)")?;
                }
                Some(PolicyInForce { clock, .. }) => write!(f, "; from {clock})")?,
                None => write!(f, ")")?,
            }
        }
        Ok(())
    }
}

/// A time as people here read it, with UTC beside it where that differs; UTC alone when the zone is not known.
pub(crate) fn in_zone(at: Timestamp, zone: Option<&str>) -> String {
    match zone.and_then(|zone| TimeZone::get(zone).ok()) {
        Some(zone) => {
            let local = at.to_zoned_datetime(zone);
            let told = local.strftime("%Y-%m-%d %H:%M:%S %Z");
            if local.offset().is_zero() {
                told.to_string()
            } else {
                format!("{told} ({})", at.strftime("%H:%M:%SZ"))
            }
        }
        None => at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    }
}
