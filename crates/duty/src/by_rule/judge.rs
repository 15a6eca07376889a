//! Whether a report becomes an event now.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use tocsin_protocol::{
    AreaId, ByRule, Event, IncidentId, PublisherId, Report, ReportSays, ReportSource, RuleId, Service, Status,
};

use super::rule::{EventRule, May, Rules};
use crate::Directory;

/// How far ahead of the broker's clock a monitor's may be.
const AHEAD: SignedDuration = SignedDuration::from_mins(2);
/// The hour in which so many may be opened.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A report that counts.
#[derive(Debug, Clone, Copy)]
pub struct Reported<'r> {
    /// What it says.
    pub report: &'r Report,
    /// When it was stored, by the broker's clock.
    pub said_at: Timestamp,
    /// Whether its author has said that it is over.
    pub over: bool,
}

/// An incident of the publisher's as far as it matters here.
#[derive(Debug, Clone)]
pub struct KnownIncident {
    /// Which.
    pub incident: IncidentId,
    /// By which rule it was opened, if by one.
    pub by_rule: Option<ByRule>,
    /// When its first event was stored, by the broker's clock.
    pub opened_at: Timestamp,
    /// When it came to its end, by the broker's clock; absent while it goes on.
    pub ended_at: Option<Timestamp>,
    /// Whether a person has said anything of it.
    pub looked_at: bool,
    /// Actual, exercise or test.
    pub status: Status,
    /// Which services are touched, by its newest event.
    pub services: Vec<Service>,
    /// Which areas.
    pub areas: Vec<AreaId>,
}

/// What becomes of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Judged {
    /// No rule is for it: it is a draft, as every report is.
    NoRule,
    /// A rule is for it, and it is a draft all the same.
    Draft(RuleId, Why),
    /// It has not held for long enough: it is judged anew then.
    Waits(RuleId, Timestamp),
    /// It is this event now.
    Opens(Box<Event>),
    /// It is over, and its incident is resolved now by the rule that opened it.
    Resolves(IncidentId, ByRule),
    /// This incident is of it already.
    Stands(IncidentId),
}

/// Why a report stays a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The rule says so.
    OfTheRule,
    /// It was over before it had held.
    Over,
    /// It says that it was seen in the future.
    Future,
    /// This incident is open for the same alert.
    SameAlert(IncidentId),
    /// This incident is open, of the same service and place.
    SameOutage(IncidentId),
    /// It is too late.
    Late,
    /// So many were opened by rule in an hour, and no more may be.
    Ceiling(usize),
    /// The publisher may speak of none of its areas.
    NotOfTheirAreas,
    /// What is said of this incident, which a rule opened, is a person's to say.
    ForAPerson(IncidentId),
    /// A person has said something of the incident.
    LookedAt(IncidentId),
    /// It fires again.
    FiresAgain(IncidentId),
    /// No event can be made of it.
    NoEvent(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfTheRule => write!(f, "the rule leaves it to a person"),
            Self::Over => write!(f, "it was over before it had held for long enough"),
            Self::Future => write!(f, "it says that it was seen in the future"),
            Self::SameAlert(incident) => write!(f, "incident {incident} is open for the same alert"),
            Self::SameOutage(incident) => {
                write!(f, "incident {incident} is open for the same service and place")
            }
            Self::Late => write!(f, "it was not said in time, and is not said any more by itself"),
            Self::Ceiling(most) => {
                write!(f, "{most} were opened by rule within an hour, and no more may be")
            }
            Self::NotOfTheirAreas => write!(f, "the publisher may speak of none of its areas"),
            Self::ForAPerson(incident) => {
                write!(f, "it adds to incident {incident}, of which a person says more")
            }
            Self::LookedAt(incident) => {
                write!(f, "a person has said something of incident {incident}, who resolves it")
            }
            Self::FiresAgain(incident) => write!(f, "it fires again, so that incident {incident} goes on"),
            Self::NoEvent(why) => f.write_str(why),
        }
    }
}

/// What becomes of a report that something fails, for this publisher, by its rules. `incidents` are all of the publisher's.
pub fn judge_report(
    rules: &Rules,
    publisher: &PublisherId,
    reported: Reported<'_>,
    now: Timestamp,
    directory: &Directory,
    incidents: &[KnownIncident],
) -> Judged {
    let Reported { report, said_at, over } = reported;
    let Some(rule) = rules.of(publisher, report) else { return Judged::NoRule };
    let own = rule.by_rule(report);
    let opened = |known: &&KnownIncident| {
        known.by_rule.as_ref().is_some_and(|by| by.body == own.body && by.report == own.report)
    };
    if let Some(known) = incidents.iter().find(opened) {
        return Judged::Stands(known.incident.clone());
    }
    let draft = |why| Judged::Draft(rule.id.clone(), why);
    if rule.may_open == May::Draft {
        return draft(Why::OfTheRule);
    }
    if over {
        return draft(Why::Over);
    }
    if report.observed_at.duration_since(said_at) > AHEAD {
        return draft(Why::Future);
    }
    let Some(areas) = areas(rule, report, directory) else { return draft(Why::NotOfTheirAreas) };
    let event = match rule.event(report, said_at, areas) {
        Ok(event) => event,
        Err(why) => return draft(Why::NoEvent(why.to_string())),
    };
    // A length that leaves the calendar never comes.
    let ripe = said_at.checked_add(rule.held_for).unwrap_or(Timestamp::MAX);
    let mut open = incidents.iter().filter(|known| known.ended_at.is_none_or(|ended_at| ended_at > ripe));
    if let Some(known) = open.clone().find(|known| same_alert(known.by_rule.as_ref(), &own)) {
        return draft(Why::SameAlert(known.incident.clone()));
    }
    if let Some(known) = open.find(|known| same_outage(known, &event, directory)) {
        return draft(Why::SameOutage(known.incident.clone()));
    }
    if now < ripe {
        return Judged::Waits(rule.id.clone(), ripe);
    }
    if now.duration_since(ripe) > rule.within {
        return draft(Why::Late);
    }
    // By the record and the report's own hour, so that what was refused once stays refused, whoever judges it again.
    let since = ripe.checked_sub(HOUR).unwrap_or(Timestamp::MIN);
    let by_rule = incidents.iter().filter(|known| known.by_rule.is_some() && known.opened_at > since);
    if by_rule.count() >= rules.most_an_hour {
        return draft(Why::Ceiling(rules.most_an_hour));
    }
    Judged::Opens(Box::new(event))
}

/// What becomes of what adds to a report that a rule made an incident of: above all that it is over. `fires` tells whether
/// that alert is reported again and not over.
pub fn judge_later(
    rules: &Rules,
    publisher: &PublisherId,
    (report, said_at): (&Report, Timestamp),
    now: Timestamp,
    incidents: &[KnownIncident],
    fires: impl Fn(&ByRule) -> bool,
) -> Judged {
    let Some(of) = &report.adds_to else { return Judged::NoRule };
    let of_it = incidents.iter().find_map(|known| {
        let by = known.by_rule.as_ref()?;
        (by.body == report.body && by.report == *of).then_some((known, by))
    });
    let Some((known, by)) = of_it else { return Judged::NoRule };
    let incident = known.incident.clone();
    if known.ended_at.is_some() {
        return Judged::Stands(incident);
    }
    let draft = |why| Judged::Draft(by.rule.clone(), why);
    let rule = rules.rules.iter().find(|rule| rule.publisher == *publisher && rule.id == by.rule);
    let lets = |rule: &&EventRule| {
        report.says == ReportSays::Restored
            && report.source == ReportSource::Monitoring
            && rule.resolves == May::Event
            && rule.may_open == May::Event
            && rule.by_rule(report).monitor() == by.monitor()
    };
    let Some(rule) = rule.filter(lets) else { return draft(Why::ForAPerson(incident)) };
    if known.looked_at {
        return draft(Why::LookedAt(incident));
    }
    if fires(by) {
        return draft(Why::FiresAgain(incident));
    }
    let ripe = said_at.checked_add(rule.held_for).unwrap_or(Timestamp::MAX);
    if now < ripe {
        return Judged::Waits(rule.id.clone(), ripe);
    }
    if now.duration_since(ripe) > rule.within {
        return draft(Why::Late);
    }
    Judged::Resolves(incident, rule.by_rule(report))
}

/// The areas of which the event speaks: the rule's, or those of the report of which the publisher may speak.
fn areas(rule: &EventRule, report: &Report, directory: &Directory) -> Option<Vec<AreaId>> {
    let publisher = directory.publisher(&rule.publisher)?;
    let wanted = if rule.event.areas.is_empty() { &report.areas } else { &rule.event.areas };
    let theirs: Vec<_> =
        wanted.iter().filter(|area| directory.may_speak_of(publisher, area)).cloned().collect();
    (!theirs.is_empty()).then_some(theirs)
}

/// Whether two are of one alert. One that has no fingerprint is known by its rule alone.
fn same_alert(there: Option<&ByRule>, own: &ByRule) -> bool {
    let Some(there) = there else { return false };
    match (&there.fingerprint, &own.fingerprint) {
        (Some(there), Some(own)) => there == own,
        _ => there.rule == own.rule,
    }
}

fn same_outage(known: &KnownIncident, event: &Event, directory: &Directory) -> bool {
    known.status == event.status
        && known.services.iter().any(|service| event.services.contains(service))
        && directory.touches(&event.areas, &known.areas)
}
