//! Drafts: the first minute of an incident, and what follows from the event before with only what changed.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use tocsin_protocol::{
    AreaId, Category, Certainty, Event, EventContact, EventKind, EventNumber, Impact, IncidentId, Language,
    Platform, PublisherId, Recontact, Service, Severity, Stage, Status, Urgency,
};

use crate::error::Error;

/// What is known in the first minute. A missing detail must not delay the first notice (FCC 13-158), so only these
/// are owed; [`Details::default`] for the rest is enough.
#[derive(Debug, Clone)]
pub struct FirstMinute {
    /// Who says it.
    pub publisher: PublisherId,
    /// The incident's name; made from publisher and local time when there is none yet.
    pub incident: Option<IncidentId>,
    /// Actual, exercise or test.
    pub status: Status,
    /// What sort of incident.
    pub category: Category,
    /// Which services are touched.
    pub services: Vec<Service>,
    /// Which areas are touched.
    pub areas: Vec<AreaId>,
    /// One line that tells it.
    pub headline: String,
    /// Whatever more is known.
    pub details: Details,
}

/// What may be known of an incident beyond the first minute's words; see [`Event`] for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// More about it.
    pub description: Option<String>,
    /// What the recipient should do.
    pub instruction: Option<String>,
    /// The agreed words for the public.
    pub public_advice: Option<String>,
    /// The same in other languages.
    pub public_advice_in: BTreeMap<Language, String>,
    /// CAP severity.
    pub severity: Option<Severity>,
    /// CAP urgency.
    pub urgency: Option<Urgency>,
    /// CAP certainty.
    pub certainty: Option<Certainty>,
    /// When the failure began.
    pub began_at: Option<Timestamp>,
    /// When it was noticed.
    pub detected_at: Option<Timestamp>,
    /// When the operator was aware of it.
    pub aware_at: Option<Timestamp>,
    /// When anyone in the chain discovered it.
    pub discovered_at: Option<Timestamp>,
    /// When it was classified as reportable.
    pub classified_at: Option<Timestamp>,
    /// When the service was restored.
    pub restored_at: Option<Timestamp>,
    /// When restoration is expected.
    pub expected_restoration_at: Option<Timestamp>,
    /// When the publisher will have said more.
    pub next_update_by: Option<Timestamp>,
    /// How much of a report it is, where that is more than its kind says.
    pub stage: Option<Stage>,
    /// That it must be acknowledged anew, though no rule says so.
    pub material: Option<bool>,
    /// What carries the service now.
    pub platform: Option<Platform>,
    /// How many calls were lost.
    pub impact: Option<Impact>,
    /// How many of the lost callers have been called back.
    pub recontact: Option<Recontact>,
    /// Who answers questions now.
    pub contact: Option<EventContact>,
    /// The protective marking.
    pub marking: Option<String>,
}

/// What changed since the event before. What is not given stays as it was, where that cannot mislead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Another sort of incident.
    pub category: Option<Category>,
    /// Other services.
    pub services: Option<Vec<Service>>,
    /// Other areas.
    pub areas: Option<Vec<AreaId>>,
    /// Another line that tells it.
    pub headline: Option<String>,
    /// The rest.
    pub details: Details,
}

/// What kind of event follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowUp {
    /// More, or other, is known.
    Update,
    /// The service is restored.
    Resolve,
    /// Something that this earlier event said was wrong.
    Correct(EventNumber),
    /// It was no incident.
    Cancel,
    /// It should not have been sent.
    Withdraw,
}

impl FollowUp {
    /// The kind of event that it makes.
    pub fn kind(self) -> EventKind {
        match self {
            Self::Update => EventKind::Update,
            Self::Resolve => EventKind::Resolved,
            Self::Correct(_) => EventKind::Correction,
            Self::Cancel => EventKind::Cancelled,
            Self::Withdraw => EventKind::SentInError,
        }
    }
}

/// Drafts event 1 of an incident. `at` and `zone` only name an incident that has no name yet, as in
/// `bt-cha-2023-06-25-0624`; no time is put into the event that nobody gave.
///
/// The draft is not yet checked: [`crate::prepare`] does that.
///
/// # Errors
/// [`Error::Word`] when no identifier can be made, which a publisher's own identifier rules out.
pub fn first_minute(known: FirstMinute, at: Timestamp, zone: &TimeZone) -> Result<Event, Error> {
    let FirstMinute { publisher, incident, status, category, services, areas, headline, details } = known;
    let incident = match incident {
        Some(incident) => incident,
        None => incident_name(&publisher, at, zone)?,
    };
    Ok(Event {
        incident,
        sequence: EventNumber::FIRST,
        kind: EventKind::Initial,
        status,
        publisher,
        category,
        services,
        headline,
        areas,
        description: details.description,
        instruction: details.instruction,
        public_advice: details.public_advice,
        public_advice_in: details.public_advice_in,
        severity: details.severity,
        urgency: details.urgency,
        certainty: details.certainty,
        began_at: details.began_at,
        detected_at: details.detected_at,
        aware_at: details.aware_at,
        discovered_at: details.discovered_at,
        classified_at: details.classified_at,
        restored_at: details.restored_at,
        expected_restoration_at: details.expected_restoration_at,
        next_update_by: details.next_update_by,
        stage: details.stage,
        material: details.material,
        corrects: None,
        platform: details.platform,
        impact: details.impact,
        recontact: details.recontact,
        contact: details.contact,
        marking: details.marking,
        by_rule: None,
    })
}

/// A name for an incident: publisher, local day and minute.
fn incident_name(publisher: &PublisherId, at: Timestamp, zone: &TimeZone) -> Result<IncidentId, Error> {
    /// `-2023-06-25-0624`.
    const TIME_LENGTH: usize = 16;
    /// The longest identifier that the protocol allows.
    const LONGEST: usize = 64;
    let who = publisher.as_str();
    let who = who.get(..LONGEST - TIME_LENGTH).unwrap_or(who).trim_end_matches('-');
    let local = at.to_zoned_datetime(zone.clone());
    Ok(IncidentId::new(&format!("{who}-{}", local.strftime("%Y-%m-%d-%H%M")))?)
}

/// Drafts the event after `previous`, with what changed.
///
/// What is not changed is carried over, so that each event tells the whole by itself, except what would mislead:
/// `next_update_by`, `stage` and `material` are of their own event alone; and with the end of an incident go the old instruction,
/// public advice, description, urgency, platform and expected restoration, while an unchanged headline is marked
/// `Resolved:` or `Cancelled:`.
///
/// The draft is not yet checked: [`crate::prepare`] does that.
///
/// # Errors
/// [`Error::Closed`] when the incident was cancelled or sent in error: nothing follows that.
pub fn follow_up(previous: &Event, follow_up: FollowUp, changes: Changes) -> Result<Event, Error> {
    if previous.kind.ends_incident() {
        return Err(Error::Closed { incident: previous.incident.clone(), event: previous.sequence });
    }
    let Changes { category, services, areas, headline, details } = changes;
    let before = previous.clone();
    let going_on = !follow_up.kind().lifts_duties();
    let while_going_on = |value: Option<String>| value.filter(|_| going_on);
    Ok(Event {
        sequence: previous.sequence.next(),
        kind: follow_up.kind(),
        category: category.unwrap_or(before.category),
        services: services.unwrap_or(before.services),
        areas: areas.unwrap_or(before.areas),
        headline: headline.unwrap_or_else(|| carried_headline(&before.headline, follow_up)),
        description: details.description.or_else(|| while_going_on(before.description)),
        instruction: details.instruction.or_else(|| while_going_on(before.instruction)),
        public_advice_in: translations(
            details.public_advice_in,
            before.public_advice_in,
            going_on
                && details
                    .public_advice
                    .as_ref()
                    .is_none_or(|words| before.public_advice.as_ref() == Some(words)),
        ),
        public_advice: details.public_advice.or_else(|| while_going_on(before.public_advice)),
        severity: details.severity.or(before.severity),
        urgency: details.urgency.or(before.urgency.filter(|_| going_on)),
        certainty: details.certainty.or(before.certainty),
        began_at: details.began_at.or(before.began_at),
        detected_at: details.detected_at.or(before.detected_at),
        aware_at: details.aware_at.or(before.aware_at),
        discovered_at: details.discovered_at.or(before.discovered_at),
        classified_at: details.classified_at.or(before.classified_at),
        restored_at: details.restored_at.or(before.restored_at),
        expected_restoration_at: details
            .expected_restoration_at
            .or(before.expected_restoration_at.filter(|_| going_on)),
        next_update_by: details.next_update_by,
        stage: details.stage,
        material: details.material,
        corrects: match follow_up {
            FollowUp::Correct(wrong) => Some(wrong),
            _ => None,
        },
        platform: details.platform.or(before.platform.filter(|_| going_on)),
        impact: details.impact.or(before.impact),
        recontact: details.recontact.or(before.recontact),
        contact: details.contact.or(before.contact),
        marking: details.marking.or(before.marking),
        // Whoever says this one is said in this one.
        by_rule: None,
        incident: before.incident,
        status: before.status,
        publisher: before.publisher,
    })
}

/// The public's words in other languages: those that are given, and of the languages that are not those from before,
/// where the words that they say again still stand.
fn translations(
    given: BTreeMap<Language, String>,
    before: BTreeMap<Language, String>,
    still_stand: bool,
) -> BTreeMap<Language, String> {
    let mut all = if still_stand { before } else { BTreeMap::new() };
    all.extend(given);
    all
}

/// The longest headline that the event's schema allows, in characters.
const HEADLINE_MAX: usize = 160;

/// The headline of the event before, marked when the incident is at its end: a bare "999 calls fail" in the notice
/// that says it is over would send people the wrong way.
fn carried_headline(before: &str, follow_up: FollowUp) -> String {
    let word = match follow_up {
        FollowUp::Update | FollowUp::Correct(_) => return before.to_owned(),
        FollowUp::Resolve => "Resolved: ",
        FollowUp::Cancel => "Cancelled: ",
        FollowUp::Withdraw => "Sent in error: ",
    };
    let bare = ["Resolved: ", "Cancelled: ", "Sent in error: "]
        .iter()
        .find_map(|mark| before.strip_prefix(mark))
        .unwrap_or(before);
    let marked = format!("{word}{bare}");
    match marked.char_indices().nth(HEADLINE_MAX - 1) {
        Some((end, _)) if marked.chars().count() > HEADLINE_MAX => format!("{}\u{2026}", &marked[..end]),
        _ => marked,
    }
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::{SigningKey, schema};

    use super::*;
    use crate::{Error, prepare};

    fn london() -> TimeZone {
        TimeZone::get("Europe/London").unwrap()
    }

    fn known() -> FirstMinute {
        FirstMinute {
            publisher: PublisherId::new("bt-cha").unwrap(),
            incident: None,
            status: Status::Actual,
            category: Category::Outage,
            services: vec![Service::Voice999],
            areas: vec![AreaId::new("uk").unwrap()],
            headline: "999 calls are being lost".to_owned(),
            details: Details::default(),
        }
    }

    fn first() -> Event {
        first_minute(known(), "2023-06-25T05:24:00Z".parse().unwrap(), &london()).unwrap()
    }

    #[test]
    fn category_services_areas_and_a_headline_make_a_valid_first_event() {
        let event = first();
        assert_eq!(event.incident.as_str(), "bt-cha-2023-06-25-0624", "named by the clock on the wall");
        assert_eq!((event.sequence.get(), event.kind), (1, EventKind::Initial));
        prepare(&event, &SigningKey::generate(), &event.publisher).unwrap();
    }

    #[test]
    fn an_incident_of_the_longest_publisher_has_a_valid_name() {
        for publisher in ["p".repeat(64), format!("{}-{}", "p".repeat(47), "q".repeat(16))] {
            let publisher = PublisherId::new(&publisher).unwrap();
            let at = "2023-12-31T23:59:59Z".parse().unwrap();
            let name = incident_name(&publisher, at, &london()).unwrap();
            assert!(name.as_str().ends_with("p-2023-12-31-2359"), "{name}");
        }
    }

    #[test]
    fn a_draft_without_a_headline_is_refused_with_every_problem() {
        let mut known = known();
        known.headline.clear();
        known.areas.clear();
        let event = first_minute(known, Timestamp::UNIX_EPOCH, &london()).unwrap();
        let Err(Error::Invalid { problems }) = prepare(&event, &SigningKey::generate(), &event.publisher)
        else {
            panic!("taken")
        };
        let places: Vec<_> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(places, ["/headline", "/areas"]);
    }

    #[test]
    fn an_update_says_only_what_changed_and_tells_the_whole() {
        let mut previous = first();
        previous.instruction = Some("Watch 101.".to_owned());
        previous.began_at = Some("2023-06-25T05:24:00Z".parse().unwrap());
        previous.next_update_by = Some("2023-06-25T06:00:00Z".parse().unwrap());
        let changes = Changes {
            details: Details { platform: Some(Platform::None), ..Details::default() },
            ..Changes::default()
        };
        let event = follow_up(&previous, FollowUp::Update, changes).unwrap();
        let expected = Event {
            sequence: previous.sequence.next(),
            kind: EventKind::Update,
            platform: Some(Platform::None),
            next_update_by: None,
            ..previous
        };
        assert_eq!(event, expected);
    }

    fn welsh(words: &str) -> BTreeMap<Language, String> {
        BTreeMap::from([(Language::new("cy").unwrap(), words.to_owned())])
    }

    #[test]
    fn words_in_other_languages_go_with_the_words_that_they_say_again() {
        let mut previous = first();
        previous.public_advice = Some("Dial 101.".to_owned());
        previous.public_advice_in = welsh("Deialwch 101.");
        let follow = |words: Option<&str>, welsh: BTreeMap<Language, String>| {
            let public_advice = words.map(str::to_owned);
            let details = Details { public_advice, public_advice_in: welsh, ..Details::default() };
            let changes = Changes { details, ..Changes::default() };
            follow_up(&previous, FollowUp::Update, changes).unwrap().public_advice_in
        };
        assert_eq!(follow(None, BTreeMap::new()), previous.public_advice_in);
        assert_eq!(follow(Some("Dial 101."), BTreeMap::new()), previous.public_advice_in);
        assert_eq!(follow(Some("Dial 112."), BTreeMap::new()), BTreeMap::new(), "Welsh that says otherwise");
        assert_eq!(follow(Some("Dial 112."), welsh("Deialwch 112.")), welsh("Deialwch 112."));
    }

    #[test]
    fn the_end_of_an_incident_carries_no_old_instruction() {
        let mut previous = first();
        previous.instruction = Some("Answer on 101.".to_owned());
        previous.public_advice = Some("Dial 101.".to_owned());
        previous.public_advice_in = welsh("Deialwch 101.");
        previous.urgency = Some(Urgency::Immediate);
        previous.expected_restoration_at = Some(Timestamp::UNIX_EPOCH);
        let resolved = follow_up(&previous, FollowUp::Resolve, Changes::default()).unwrap();
        assert_eq!(resolved.kind, EventKind::Resolved);
        assert_eq!(resolved.headline, "Resolved: 999 calls are being lost");
        assert_eq!(resolved.instruction, None);
        assert_eq!(resolved.public_advice, None);
        assert!(resolved.public_advice_in.is_empty());
        assert_eq!(resolved.urgency, None);
        assert_eq!(resolved.expected_restoration_at, None);
        assert_eq!(resolved.areas, previous.areas);
        let cancelled = follow_up(&resolved, FollowUp::Cancel, Changes::default()).unwrap();
        assert_eq!(cancelled.headline, "Cancelled: 999 calls are being lost");
        let after = follow_up(&cancelled, FollowUp::Update, Changes::default());
        assert!(matches!(after, Err(Error::Closed { .. })), "{after:?}");
    }

    #[test]
    fn a_marked_headline_stays_within_what_the_schema_allows() {
        let schema: serde_json::Value =
            serde_json::from_str(schema::schema_text(schema::Kind::Event)).unwrap();
        assert_eq!(schema["properties"]["headline"]["maxLength"], HEADLINE_MAX);
        for length in HEADLINE_MAX - 12..=HEADLINE_MAX {
            let carried = carried_headline(&"é".repeat(length), FollowUp::Cancel);
            assert_eq!(carried.chars().count(), (length + 11).min(HEADLINE_MAX));
        }
    }
}
