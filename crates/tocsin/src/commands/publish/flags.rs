//! What an event says, as options.

use std::collections::BTreeMap;

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use tocsin_protocol::{
    AreaId, Category, Certainty, EventContact, Impact, Language, Platform, Recontact, RecontactFigures,
    Service, Severity, Stage, Urgency,
};
use tocsin_publisher::{Changes, Details};

use crate::{
    failure::Failure,
    moment::{Moment, Side},
};

/// What the first minute asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "The first minute")]
pub(super) struct First {
    /// What sort of incident: outage, degradation, failover, cyber-attack, natural-hazard, call-surge, planned-work
    #[arg(long, value_name = "WORD")]
    pub(super) category: Option<Category>,
    /// Which services, separated by commas: 999-voice, 112-voice, ecall, emergency-sms, text-relay, ...
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    pub(super) services: Vec<Service>,
    /// Which areas of the directory, separated by commas
    #[arg(long, value_name = "AREAS", value_delimiter = ',')]
    pub(super) areas: Vec<AreaId>,
    /// One line that tells it
    #[arg(long, value_name = "TEXT")]
    pub(super) headline: Option<String>,
}

fn in_a_language(text: &str) -> Result<(Language, String), String> {
    let (tag, words) = text.split_once('=').ok_or("use LANGUAGE=TEXT, such as cy=\"Ffoniwch 101.\"")?;
    let language = tag.trim().parse().map_err(|why: tocsin_protocol::Error| why.to_string())?;
    Ok((language, words.to_owned()))
}

/// Whatever more is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Whatever more is known (all of it may follow in an update)")]
pub(super) struct More {
    /// More about it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// What those who are told should do
    #[arg(long, value_name = "TEXT")]
    instruction: Option<String>,
    /// The agreed words for the public
    #[arg(long, value_name = "TEXT")]
    public_advice: Option<String>,
    /// The same in another language, by its tag, such as cy="Ffoniwch 101." (may be given for several)
    #[arg(long, value_name = "LANGUAGE=TEXT", value_parser = in_a_language)]
    public_advice_in: Vec<(Language, String)>,
    /// extreme, severe, moderate, minor or unknown
    #[arg(long, value_name = "WORD")]
    severity: Option<Severity>,
    /// immediate, expected, future, past or unknown
    #[arg(long, value_name = "WORD")]
    urgency: Option<Urgency>,
    /// observed, likely, possible, unlikely or unknown
    #[arg(long, value_name = "WORD")]
    certainty: Option<Certainty>,
    /// What carries the service now: primary, backup or none
    #[arg(long, value_name = "WORD")]
    platform: Option<Platform>,
    /// When the failure began: 06:24 (the last that has been), or a full time with its offset
    #[arg(long, value_name = "TIME")]
    began_at: Option<Moment>,
    /// When it was noticed
    #[arg(long, value_name = "TIME")]
    detected_at: Option<Moment>,
    /// When you, the operator, were aware of it
    #[arg(long, value_name = "TIME")]
    aware_at: Option<Moment>,
    /// When anyone in the chain discovered it
    #[arg(long, value_name = "TIME")]
    discovered_at: Option<Moment>,
    /// When it was classified as reportable
    #[arg(long, value_name = "TIME")]
    classified_at: Option<Moment>,
    /// When the service was restored
    #[arg(long, value_name = "TIME")]
    restored_at: Option<Moment>,
    /// When restoration is expected: 09:00 (the next that will be), or a full time with its offset
    #[arg(long, value_name = "TIME")]
    expected_restoration_at: Option<Moment>,
    /// By when you will have said more
    #[arg(long, value_name = "TIME")]
    next_update_by: Option<Moment>,
    /// How much of a report it is, where that is more than an update: full (the full notification) or final
    #[arg(long, value_name = "WORD")]
    stage: Option<Stage>,
    /// It must be acknowledged anew, though nothing in it is a worsening by rule
    #[arg(long)]
    material: bool,
    /// How many calls did not get through
    #[arg(long, value_name = "N")]
    calls_unsuccessful: Option<u64>,
    /// The same by area, so that each force gets its own figure: kent=312,essex=290
    #[arg(long, value_name = "AREA=N", value_delimiter = ',', value_parser = area_figure)]
    calls_by_area: Vec<(AreaId, u64)>,
    /// When that figure was right
    #[arg(long, value_name = "TIME")]
    calls_as_of: Option<Moment>,
    /// Who says so
    #[arg(long, value_name = "TEXT")]
    calls_source: Option<String>,
    /// The figure may still change
    #[arg(long)]
    calls_provisional: bool,
    /// How many of the lost callers have been reached
    #[arg(long, value_name = "N")]
    recontact_reached: Option<u64>,
    /// How many have not
    #[arg(long, value_name = "N")]
    recontact_outstanding: Option<u64>,
    /// How many were handed to the police
    #[arg(long, value_name = "N")]
    recontact_handed_to_police: Option<u64>,
    /// The same by area, so that each force gets the length of its own list: kent=31,essex=29
    #[arg(long, value_name = "AREA=N", value_delimiter = ',', value_parser = area_figure)]
    recontact_handed_by_area: Vec<(AreaId, u64)>,
    /// When those figures were right
    #[arg(long, value_name = "TIME")]
    recontact_as_of: Option<Moment>,
    /// Who says so
    #[arg(long, value_name = "TEXT")]
    recontact_source: Option<String>,
    /// They may still change
    #[arg(long)]
    recontact_provisional: bool,
    /// Who answers questions now: the role or desk
    #[arg(long, value_name = "TEXT")]
    contact_role: Option<String>,
    /// That person's name, where a role is not enough
    #[arg(long, value_name = "TEXT", requires = "contact_role")]
    contact_name: Option<String>,
    /// Telephone
    #[arg(long, value_name = "NUMBER", requires = "contact_role")]
    contact_phone: Option<String>,
    /// E-mail
    #[arg(long, value_name = "ADDRESS", requires = "contact_role")]
    contact_email: Option<String>,
    /// Conference bridge
    #[arg(long, value_name = "TEXT", requires = "contact_role")]
    contact_bridge: Option<String>,
    /// Protective marking
    #[arg(long, value_name = "TEXT")]
    marking: Option<String>,
}

fn area_figure(text: &str) -> Result<(AreaId, u64), String> {
    let (area, figure) = text.split_once('=').ok_or("expected AREA=N, such as kent=312")?;
    let figure = figure.trim().parse().map_err(|_| format!("{figure:?} is no whole number"))?;
    Ok((area.trim().parse().map_err(|why: tocsin_protocol::Error| why.to_string())?, figure))
}

impl More {
    /// The same, with this to do.
    pub(super) fn instructing(self, what: &str) -> Self {
        Self { instruction: Some(what.to_owned()), ..self }
    }

    /// As the draft takes it.
    pub(super) fn details(self, now: Timestamp, zone: &TimeZone) -> Result<Details, Failure> {
        let place = |option: &str, moment: Option<Moment>, side: Side| {
            let placed = moment.map(|moment| moment.on(side, now, zone)).transpose();
            placed.map_err(|why| Failure::wrong(format!("--{option}: {why}")))
        };
        let past = |option, moment| place(option, moment, Side::Past);
        let future = |option, moment| place(option, moment, Side::Future);
        let impact = Impact {
            calls_unsuccessful: self.calls_unsuccessful,
            by_area: self.calls_by_area.into_iter().collect::<BTreeMap<_, _>>(),
            as_of: past("calls-as-of", self.calls_as_of)?,
            source: self.calls_source,
            provisional: self.calls_provisional.then_some(true),
        };
        let total = RecontactFigures {
            reached: self.recontact_reached,
            outstanding: self.recontact_outstanding,
            handed_to_police: self.recontact_handed_to_police,
        };
        let handed =
            |calls| RecontactFigures { handed_to_police: Some(calls), ..RecontactFigures::default() };
        let recontact = Recontact {
            total,
            by_area: self
                .recontact_handed_by_area
                .into_iter()
                .map(|(area, calls)| (area, handed(calls)))
                .collect(),
            as_of: past("recontact-as-of", self.recontact_as_of)?,
            source: self.recontact_source,
            provisional: self.recontact_provisional.then_some(true),
        };
        let (name, phone, email, bridge) =
            (self.contact_name, self.contact_phone, self.contact_email, self.contact_bridge);
        Ok(Details {
            description: self.description,
            instruction: self.instruction,
            public_advice: self.public_advice,
            public_advice_in: self.public_advice_in.into_iter().collect(),
            severity: self.severity,
            urgency: self.urgency,
            certainty: self.certainty,
            began_at: past("began-at", self.began_at)?,
            detected_at: past("detected-at", self.detected_at)?,
            aware_at: past("aware-at", self.aware_at)?,
            discovered_at: past("discovered-at", self.discovered_at)?,
            classified_at: past("classified-at", self.classified_at)?,
            restored_at: past("restored-at", self.restored_at)?,
            expected_restoration_at: future("expected-restoration-at", self.expected_restoration_at)?,
            next_update_by: future("next-update-by", self.next_update_by)?,
            stage: self.stage,
            material: self.material.then_some(true),
            platform: self.platform,
            impact: (impact != Impact::default()).then_some(impact),
            recontact: (recontact != Recontact::default()).then_some(recontact),
            contact: self.contact_role.map(|role| EventContact { role, name, phone, email, bridge }),
            marking: self.marking,
        })
    }
}

impl First {
    /// What is missing for the first event, as options.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let all = [
            (self.category.is_none(), "--category"),
            (self.services.is_empty(), "--services"),
            (self.areas.is_empty(), "--areas"),
            (self.headline.as_deref().is_none_or(|headline| headline.trim().is_empty()), "--headline"),
        ];
        all.into_iter().filter(|(missing, _)| *missing).map(|(_, option)| option).collect()
    }

    /// As what changed since the event before.
    pub(super) fn changes(self, details: Details) -> Changes {
        let Self { category, services, areas, headline } = self;
        Changes {
            category,
            services: Some(services).filter(|services| !services.is_empty()),
            areas: Some(areas).filter(|areas| !areas.is_empty()),
            headline,
            details,
        }
    }
}
