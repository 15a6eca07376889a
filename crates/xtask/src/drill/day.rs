//! The day as data: what happened on 25 June 2023 and when, what is played of it, and what it is held against.
//!
//! Times and figures are from the public record: Ofcom's decision of 22 July 2024, the post-incident review of
//! 21 March 2024, Hansard and press reports. The words of the events are ours.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use tocsin_protocol::{
    AreaId, Category, Event, EventContact, Impact, IncidentId, Platform, PublisherId, Recontact,
    RecontactFigures, Service, Severity, Status, Urgency,
};
use tocsin_publisher::{Changes, Details, FirstMinute, FollowUp, first_minute, follow_up};

use super::clock::{Clock, Stretch, bst};
use crate::error::Error;

/// When the failure began: 06:24 in Britain.
pub(crate) const BEGAN: &str = "2023-06-25T05:24:00Z";
/// When the regulator was told, and when the government was, by e-mail; in minutes after the beginning.
pub(crate) const REGULATOR_TOLD: Told = Told { at: "2023-06-25T08:05:00Z", minutes: 161 };
/// See [`REGULATOR_TOLD`].
pub(crate) const GOVERNMENT_TOLD: Told = Told { at: "2023-06-25T08:45:00Z", minutes: 201 };
/// Unique calls that did not get through: the operator's own provisional figure of June 2023. The review has 9,641
/// callers, Ofcom 12,392.
pub(crate) const CALLS_UNSUCCESSFUL: u64 = 11_470;
/// Who publishes.
pub(crate) const PUBLISHER: &str = "bt-cha";
/// The incident's name on the bus.
pub(crate) const INCIDENT: &str = "drill-999-2023-06-25";

/// Somebody was told then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// When.
    pub(crate) at: &'static str,
    /// How many minutes after the failure began.
    pub(crate) minutes: i64,
}

/// Something that happened, and what the operator says of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Happening {
    /// When, in 2023.
    at: &'static str,
    /// Nothing for the first event.
    follows: Option<FollowUp>,
    /// Whether an acknowledgement is asked for: of the first event, and of a worsening.
    pub(crate) asks: bool,
    headline: &'static str,
    description: &'static str,
    instruction: Option<&'static str>,
    platform: Platform,
    severity: Severity,
    urgency: Urgency,
}

/// What happened, in order.
pub(crate) const HAPPENINGS: [Happening; 5] = [
    Happening {
        at: BEGAN,
        follows: None,
        asks: true,
        headline: "999 and 112 calls are failing",
        description: "Callers are cut off or wait: agents are logged out as calls reach them. The cause is not known.",
        instruction: Some(
            "Expect calls on 101 and at front desks. Watch for callers who could not get through.",
        ),
        platform: Platform::Primary,
        severity: Severity::Severe,
        urgency: Urgency::Immediate,
    },
    Happening {
        at: "2023-06-25T06:33:00Z",
        follows: Some(FollowUp::Update),
        asks: true,
        headline: "Total loss of 999 and 112: the backup has failed",
        description: "The move to the disaster-recovery platform did not succeed. No calls are being connected.",
        instruction: Some(
            "Open every other way in: 101, front desks, patrols. Act as for a total loss of 999.",
        ),
        platform: Platform::None,
        severity: Severity::Extreme,
        urgency: Urgency::Immediate,
    },
    Happening {
        at: "2023-06-25T07:50:00Z",
        follows: Some(FollowUp::Update),
        asks: false,
        headline: "999 and 112 are on the backup, with basic function",
        description: "The disaster-recovery platform takes calls from landlines and mobiles. Text relay and caller \
                      location may still be missing.",
        instruction: Some("Ask callers where they are: their location may not be shown."),
        platform: Platform::Backup,
        severity: Severity::Severe,
        urgency: Urgency::Expected,
    },
    Happening {
        at: "2023-06-25T20:29:00Z",
        follows: Some(FollowUp::Resolve),
        asks: false,
        headline: "999 and 112 are back on the primary platform",
        description: "All traffic is back on the primary platform.",
        instruction: None,
        platform: Platform::Primary,
        severity: Severity::Minor,
        urgency: Urgency::Past,
    },
    Happening {
        at: "2023-06-28T07:16:00Z",
        follows: Some(FollowUp::Update),
        asks: false,
        headline: "All failed callers called back, or passed to police",
        description: "11,470 unique calls did not get through: the operator's own provisional figure. The split by area is \
                      illustrative: by population, as no split was ever published.",
        instruction: Some("Your own area's figure is in this notice."),
        platform: Platform::Primary,
        severity: Severity::Minor,
        urgency: Urgency::Past,
    },
];

/// What is played of the day: from a minute before each event until everything that follows from it is over.
const STRETCHES: [(&str, &str); 5] = [
    ("2023-06-25T05:23:00Z", "2023-06-25T06:04:00Z"),
    ("2023-06-25T06:32:00Z", "2023-06-25T07:13:00Z"),
    ("2023-06-25T07:49:00Z", "2023-06-25T07:54:00Z"),
    ("2023-06-25T20:28:00Z", "2023-06-25T20:33:00Z"),
    ("2023-06-28T07:15:00Z", "2023-06-28T07:20:00Z"),
];

/// What is played of the day.
///
/// # Errors
/// Never: the times stand above.
pub(crate) fn stretches() -> Result<Vec<Stretch>, Error> {
    STRETCHES.iter().map(|(from, to)| Ok(Stretch { from: moment(from)?, to: moment(to)? })).collect()
}

/// A moment of the day, as it stands in this file.
///
/// # Errors
/// When it is none.
pub(crate) fn moment(text: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(|why: jiff::Error| Error::part(format!("read the time {text}"), why))
}

impl Happening {
    /// When, in 2023.
    ///
    /// # Errors
    /// Never: the time stands above.
    pub(crate) fn at(&self) -> Result<Timestamp, Error> {
        moment(self.at)
    }

    /// The event that the operator publishes. Every time in it is the machine's: nothing on the bus pretends to be of
    /// 2023. `by_area` is the split of the calls lost, told with the last event.
    ///
    /// # Errors
    /// When the drafts of the publisher cannot be made, which the identifiers here rule out.
    pub(crate) fn draft(
        &self,
        previous: Option<&Event>,
        clock: &Clock,
        by_area: &BTreeMap<AreaId, u64>,
    ) -> Result<Event, Error> {
        let at = self.at()?;
        let mut details = Details {
            description: Some(format!("{} {}", self.description, replayed(at, clock))),
            instruction: self.instruction.map(str::to_owned),
            severity: Some(self.severity),
            urgency: Some(self.urgency),
            platform: Some(self.platform),
            ..Details::default()
        };
        let cannot = |why| Error::part(format!("draft the event of {}", bst(at, "%H:%M")), why);
        let Some((previous, follows)) = previous.zip(self.follows) else {
            details.began_at = Some(clock.machine(moment(BEGAN)?));
            details.contact = Some(EventContact {
                role: "Duty manager, 999 call handling (invented)".to_owned(),
                name: None,
                phone: Some("020 7946 0999".to_owned()),
                email: Some("duty.manager@operator.example".to_owned()),
                bridge: None,
            });
            return first_minute(first(self.headline, details)?, Timestamp::UNIX_EPOCH, &TimeZone::UTC)
                .map_err(cannot);
        };
        if follows == FollowUp::Resolve {
            details.restored_at = Some(clock.machine(at));
        } else if previous.restored_at.is_some() {
            details.impact = Some(Impact {
                calls_unsuccessful: Some(CALLS_UNSUCCESSFUL),
                by_area: by_area.clone(),
                as_of: Some(clock.machine(at)),
                source: Some(
                    "The operator, June 2023, replayed; split by population, illustrative".to_owned(),
                ),
                provisional: Some(true),
            });
            details.recontact = Some(Recontact {
                total: RecontactFigures { outstanding: Some(0), ..RecontactFigures::default() },
                ..Recontact::default()
            });
        }
        let changes = Changes { headline: Some(self.headline.to_owned()), details, ..Changes::default() };
        follow_up(previous, follows, changes).map_err(cannot)
    }
}

fn first(headline: &str, details: Details) -> Result<FirstMinute, Error> {
    let word = |why: tocsin_protocol::Error| Error::part("draft the first event", why);
    Ok(FirstMinute {
        publisher: PublisherId::new(PUBLISHER).map_err(word)?,
        incident: Some(IncidentId::new(INCIDENT).map_err(word)?),
        status: Status::Exercise,
        category: Category::Outage,
        services: vec![Service::Voice999, Service::Voice112, Service::TextRelay],
        areas: vec![AreaId::new("uk").map_err(word)?],
        headline: headline.to_owned(),
        details,
    })
}

/// The sentence that stands in every event, so that whoever reads a mail of the drill knows what they read.
fn replayed(at: Timestamp, clock: &Clock) -> String {
    format!(
        "REPLAY of {} BST on {}, {} times as fast: fifteen minutes of that day are {:.1} s here. Times in this message \
         are those of the machine that replays it.",
        bst(at, "%H:%M"),
        bst(at, "%-d %B %Y"),
        clock.speed(),
        clock.scaled(SignedDuration::from_mins(15)).as_secs_f64(),
    )
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::{
        EventKind::{Initial, Resolved, Update},
        SigningKey,
    };

    use super::*;

    fn played() -> Vec<Event> {
        let clock = Clock::new("2026-01-01T00:00:00Z".parse().unwrap(), 180, &stretches().unwrap());
        let by_area = BTreeMap::from([(AreaId::new("kent").unwrap(), CALLS_UNSUCCESSFUL)]);
        let mut events: Vec<Event> = Vec::new();
        for happening in &HAPPENINGS {
            let event = happening.draft(events.last(), &clock, &by_area).unwrap();
            tocsin_publisher::prepare(&event, &SigningKey::generate(), &event.publisher).unwrap();
            events.push(event);
        }
        events
    }

    #[test]
    fn every_event_of_the_day_is_valid_and_marked_as_an_exercise() {
        let events = played();
        let told: Vec<_> = events.iter().map(|event| (event.sequence.get(), event.kind)).collect();
        assert_eq!(told, [(1, Initial), (2, Update), (3, Update), (4, Resolved), (5, Update)]);
        assert!(events.iter().all(|event| event.status == Status::Exercise));
        assert!(events.iter().all(|event| event.description.as_deref().unwrap().contains("REPLAY of")));
    }

    #[test]
    fn an_acknowledgement_is_asked_of_the_first_event_and_of_the_one_worsening() {
        let events = played();
        for (at, pair) in events.windows(2).enumerate() {
            let reasons = tocsin_duty::worsening(&pair[1], &pair[0], &pair[0]);
            assert_eq!(!reasons.is_empty(), HAPPENINGS[at + 1].asks, "{reasons:?}");
        }
        assert!(HAPPENINGS[0].asks);
    }

    #[test]
    fn the_figure_of_the_day_is_told_once_and_as_provisional() {
        let events = played();
        let told: Vec<_> = events.iter().filter_map(|event| event.impact.as_ref()).collect();
        let [impact] = told[..] else { panic!("{told:?}") };
        assert_eq!(impact.calls_unsuccessful, Some(11_470));
        assert_eq!(impact.provisional, Some(true));
    }

    #[test]
    fn times_on_the_bus_are_the_machines() {
        let events = played();
        let began = events[0].began_at.unwrap();
        assert_eq!(began.to_string(), "2026-01-01T00:00:00.333333334Z");
        assert!(events[3].restored_at.unwrap() > began);
    }

    #[test]
    fn the_year_2023_told_the_regulator_after_161_minutes_and_the_government_after_201() {
        let began = moment(BEGAN).unwrap();
        for told in [REGULATOR_TOLD, GOVERNMENT_TOLD] {
            assert_eq!(moment(told.at).unwrap().duration_since(began).as_mins(), told.minutes);
        }
    }

    #[test]
    fn every_event_and_both_its_windows_lie_in_what_is_played() {
        let stretches = stretches().unwrap();
        for happening in &HAPPENINGS {
            let at = happening.at().unwrap();
            let over = at + SignedDuration::from_mins(if happening.asks { 39 } else { 3 });
            assert!(stretches.iter().any(|s| s.from < at && over < s.to), "{at}");
        }
    }
}
