//! A rule as an operator writes it.

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tocsin_protocol::{
    AreaId, ByRule, Category, Certainty, Event, EventContact, EventKind, Impact, IncidentId, Platform,
    PublisherId, Report, ReportSays, ReportSource, RuleId, Service, Severity, Status, Urgency, schema,
    to_body,
};

/// The longest identifier that the protocol allows.
const ID_MAX: usize = 64;

/// All rules of an operator's, and what they may do together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// In order: the first that is for a report decides.
    pub rules: Vec<EventRule>,
    /// How many events each publisher's rules may open in any hour, all together.
    pub most_an_hour: usize,
}

/// What may come of what a monitor reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum May {
    /// A draft, which a person looks at.
    #[default]
    Draft,
    /// An event that nobody has looked at.
    Event,
}

/// Which reports of which monitors become what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// Its name, which every event that it says carries.
    pub id: RuleId,
    /// Whose events they are.
    pub publisher: PublisherId,
    /// What a report that it is for may become.
    #[serde(default)]
    pub may_open: May,
    /// The monitors that are believed: accounts of the console's that are the publisher's, and bodies of the directory.
    pub monitors: Vec<String>,
    /// The labels that the alert must have, with just these values.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Services of which it must name one; any where there is none.
    #[serde(default)]
    pub services: Vec<Service>,
    /// How long it must have gone on since its report stood on the bus.
    #[serde(default = "minute")]
    pub held_for: SignedDuration,
    /// How long after that it may still be said, as when nothing ran.
    #[serde(default = "half_an_hour")]
    pub within: SignedDuration,
    /// The status of what a report of something actual becomes: `exercise` or `test` while it is tried out. A report of an
    /// exercise never becomes more than one.
    #[serde(default = "actual")]
    pub status: Status,
    /// What may come of the monitor's word that it is over: an event only while no person has said anything of it.
    #[serde(default)]
    pub resolves: May,
    /// What the event says.
    pub event: Template,
}

/// What an event by rule says: the operator's words alone. Of the report it takes services, areas, times and figures.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// What sort of incident.
    pub category: Category,
    /// One line that tells it.
    pub headline: String,
    /// The services; left out: those of the report.
    #[serde(default)]
    pub services: Vec<Service>,
    /// The areas; left out: those of the report of which the publisher may speak.
    #[serde(default)]
    pub areas: Vec<AreaId>,
    /// More about it.
    pub description: Option<String>,
    /// What the recipient should do.
    pub instruction: Option<String>,
    /// CAP severity.
    pub severity: Option<Severity>,
    /// CAP urgency.
    pub urgency: Option<Urgency>,
    /// CAP certainty.
    pub certainty: Option<Certainty>,
    /// What carries the service now.
    pub platform: Option<Platform>,
    /// Who answers questions now.
    pub contact: Option<EventContact>,
    /// The protective marking.
    pub marking: Option<String>,
}

impl EventRule {
    /// Whether it is for a report: of a monitor that it believes, with the labels and a service that it asks for.
    pub fn is_for(&self, report: &Report) -> bool {
        let labels = report.alert.as_ref().map(|alert| &alert.labels);
        report.source == ReportSource::Monitoring
            && report.says == ReportSays::Failing
            && report.adds_to.is_none()
            && self.monitors.iter().any(|monitor| monitor == self.monitor_of(report))
            && self
                .labels
                .iter()
                .all(|(name, value)| labels.and_then(|labels| labels.get(name)) == Some(value))
            && (self.services.is_empty()
                || report.services.iter().any(|service| self.services.contains(service)))
    }

    /// Which monitor a report is of. Of an account that another body names nobody knows whether it is true.
    fn monitor_of<'r>(&self, report: &'r Report) -> &'r str {
        let account = report.alert.as_ref().and_then(|alert| alert.monitor.as_deref());
        account.filter(|_| report.body.as_publisher() == self.publisher).unwrap_or(report.body.as_str())
    }

    /// What an event that it says because of a report says of that.
    pub fn by_rule(&self, report: &Report) -> ByRule {
        let monitor = Some(self.monitor_of(report)).filter(|monitor| *monitor != report.body.as_str());
        ByRule {
            rule: self.id.clone(),
            body: report.body.clone(),
            report: report.report.clone(),
            monitor: monitor.map(str::to_owned),
            fingerprint: report.alert.as_ref().and_then(|alert| alert.fingerprint.clone()),
        }
    }

    /// Of which status what a report becomes is.
    pub(super) fn status_of(&self, report: &Report) -> Status {
        if report.status == Status::Actual { self.status } else { report.status }
    }

    /// The event that a report becomes, of these areas: of rule and report alone, whenever it is made.
    ///
    /// # Errors
    /// [`tocsin_protocol::Error::Id`] when no identifier can be made, which a publisher's own identifier rules out.
    pub fn event(
        &self,
        report: &Report,
        said_at: Timestamp,
        areas: Vec<AreaId>,
    ) -> Result<Event, tocsin_protocol::Error> {
        let template = &self.event;
        let services = if template.services.is_empty() { &report.services } else { &template.services };
        let by_rule = self.by_rule(report);
        let source = by_rule.monitor().to_owned();
        let event = Event::initial(
            self.publisher.clone(),
            self.incident_of(report, said_at)?,
            self.status_of(report),
            template.category,
            services.clone(),
            &template.headline,
            areas,
        );
        Ok(Event {
            description: Some(self.told(
                &by_rule,
                "opened",
                report.observed_at,
                template.description.as_deref(),
            )),
            instruction: template.instruction.clone(),
            severity: template.severity,
            urgency: template.urgency,
            certainty: template.certainty,
            detected_at: Some(report.observed_at),
            platform: template.platform,
            impact: report.calls_lost.map(|calls| Impact {
                calls_unsuccessful: Some(calls),
                as_of: Some(report.observed_at),
                source: Some(source),
                provisional: Some(true),
                ..Impact::default()
            }),
            contact: template.contact.clone(),
            marking: template.marking.clone(),
            by_rule: Some(Box::new(by_rule)),
            ..event
        })
    }

    /// The text that says how it came to be said, before any of the operator's.
    pub fn told(&self, by: &ByRule, did: &str, seen_at: Timestamp, more: Option<&str>) -> String {
        let ByRule { rule, body, report, .. } = by;
        let mut told = format!(
            "This was {did} by a rule ({rule}) from monitoring ({}), because of its report {report} of {body}, seen at {seen_at}. No person had looked at it when it was sent.",
            by.monitor()
        );
        if let Some(more) = more {
            told.push('\n');
            told.push_str(more);
        }
        told
    }

    /// The incident that a report becomes: by the broker's time of the report and the report's name.
    fn incident_of(&self, report: &Report, said_at: Timestamp) -> Result<IncidentId, tocsin_protocol::Error> {
        let digest = Sha256::digest(format!("{}\n{}\n{}", self.publisher, report.body, report.report));
        let mut end = said_at.strftime("-%Y%m%d-%H%Mz-").to_string();
        for byte in digest.iter().take(4) {
            // Writing to a String cannot fail.
            let _ = write!(end, "{byte:02x}");
        }
        let publisher = self.publisher.as_str();
        let kept = publisher.get(..ID_MAX - end.len()).unwrap_or(publisher).trim_end_matches('-');
        IncidentId::new(&format!("{kept}{end}"))
    }

    /// What is wrong with it by itself, in words that say how to mend it.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), String> {
        let Self { id, .. } = self;
        let wrong = |words: &str| Err(format!("rule {id}: {words}"));
        if self.monitors.is_empty() {
            return wrong("monitors names nobody: name the accounts or bodies whose reports are believed");
        }
        if self.held_for.is_negative() || !self.within.is_positive() {
            return wrong("held_for and within are lengths of time, such as \"2m\"");
        }
        if self.resolves == May::Event && self.may_open == May::Draft {
            return wrong(
                "resolves = \"event\" is of what it opened, and it opens nothing: set may_open = \"event\"",
            );
        }
        // What it would say, of a report that is as bare as can be.
        let body = self.publisher.as_str();
        let area = self.event.areas.first().map_or("area", AreaId::as_str);
        let service =
            self.event.services.first().or(self.services.first()).copied().unwrap_or(Service::Voice999);
        let sample = serde_json::json!({
            "report": "sample", "body": body, "status": "actual", "says": "failing", "source": "monitoring",
            "observed_at": Timestamp::UNIX_EPOCH, "services": [service], "areas": [area], "headline": "sample",
        });
        let sample: Report = serde_json::from_value(sample).map_err(|why| format!("rule {id}: {why}"))?;
        let areas = if self.event.areas.is_empty() { sample.areas.clone() } else { self.event.areas.clone() };
        let event =
            self.event(&sample, Timestamp::UNIX_EPOCH, areas).map_err(|why| format!("rule {id}: {why}"))?;
        debug_assert_eq!(event.kind, EventKind::Initial);
        let said = to_body("event", &event).map_err(|why| format!("rule {id}: {why}"))?;
        schema::check_event(&said).map(|_| ()).map_err(|problems| {
            let words: Vec<_> = problems.into_iter().map(|problem| problem.message).collect();
            format!("rule {id}: what it would say is no event: {}", words.join("; "))
        })
    }
}

impl Rules {
    /// What is wrong with them, in words that say how to mend it.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), String> {
        for (place, rule) in self.rules.iter().enumerate() {
            rule.check()?;
            if self.rules.iter().take(place).any(|earlier| earlier.id == rule.id) {
                return Err(format!("rule {}: there are two of that name: give each its own", rule.id));
            }
        }
        Ok(())
    }

    /// The first rule that is for a report, as this publisher.
    pub(super) fn of(&self, publisher: &PublisherId, report: &Report) -> Option<&EventRule> {
        self.rules.iter().find(|rule| rule.publisher == *publisher && rule.is_for(report))
    }
}

fn minute() -> SignedDuration {
    SignedDuration::from_mins(1)
}

fn half_an_hour() -> SignedDuration {
    SignedDuration::from_mins(30)
}

fn actual() -> Status {
    Status::Actual
}
