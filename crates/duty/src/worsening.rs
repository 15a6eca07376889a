//! What makes an update a worsening, which needs an acknowledgement anew under every policy.
//!
//! In September 2025 an operator's first mails on a Triple Zero failure spoke of about ten calls; the truth was over
//! 600, and nobody was asked whether they had taken that in. So the rule is ours, not the publisher's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tocsin_protocol::{AreaId, Event, EventKind, Platform, Severity};

use crate::course::Course;

/// Calls lost have to grow by this factor over the figure last acknowledged before the growth alone is a worsening.
const CALLS_FACTOR: u64 = 2;

/// Says in which ways an event is worse than the one before it, or than the last that needed an acknowledgement
/// (`baseline`): a creeping change is measured against what people were last asked to take in. `course` is how the incident
/// went before it. Empty for none.
pub fn worsening(event: &Event, course: Course, previous: &Event, baseline: &Event) -> Vec<String> {
    let mut reasons = Vec::new();
    if !matches!(event.kind, EventKind::Update | EventKind::Correction) {
        return reasons;
    }
    if event.material == Some(true) {
        reasons.push("the publisher calls it material".to_owned());
    }
    if course == Course::Resolved && event.platform.is_some_and(|platform| platform > Platform::Primary) {
        reasons.push("the service had been restored, and is not".to_owned());
    }
    if let Some(platform) = event.platform {
        match previous.platform.or(baseline.platform) {
            Some(before) if platform > before => {
                reasons.push(format!("platform went from {before} to {platform}"));
            }
            None if platform == Platform::None => reasons.push("no platform carries the service".to_owned()),
            _ => {}
        }
    }
    if let Some(severity) = event.severity {
        let before = previous.severity.unwrap_or(Severity::Unknown);
        if severity > before && before != Severity::Unknown {
            reasons.push(format!("severity went from {before} to {severity}"));
        }
    }
    let services: Vec<_> =
        event.services.iter().filter(|s| !previous.services.contains(s)).map(ToString::to_string).collect();
    if !services.is_empty() {
        reasons.push(format!("services added: {}", services.join(", ")));
    }
    let areas: Vec<_> =
        event.areas.iter().filter(|a| !previous.areas.contains(a)).map(ToString::to_string).collect();
    if !areas.is_empty() {
        const NAMED: usize = 5;
        let more =
            if areas.len() > NAMED { format!(" and {} more", areas.len() - NAMED) } else { String::new() };
        let named: Vec<_> = areas.iter().take(NAMED).map(String::as_str).collect();
        reasons.push(format!("areas added: {}{more}", named.join(", ")));
    }
    let calls = |event: &Event| event.impact.as_ref().and_then(|impact| impact.calls_unsuccessful);
    if let (Some(now), Some(then)) = (calls(event), calls(baseline))
        && now > then
        && now >= then.saturating_mul(CALLS_FACTOR)
    {
        reasons.push(format!("calls unsuccessful went from {then} to {now}"));
    }
    reasons
}

/// How many lost callers have been handed to the police, as events last told it: one that says nothing of it, or not of
/// every area, takes nothing back.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct HandedToPolice {
    total: u64,
    by_area: BTreeMap<AreaId, u64>,
}

impl HandedToPolice {
    /// Takes an event in, and gives the areas of whose lost callers more are handed over with it than were before. Where
    /// a figure has no areas, those of the event.
    pub(crate) fn told(&mut self, event: &Event) -> Vec<AreaId> {
        let Some(recontact) = &event.recontact else { return Vec::new() };
        let by_area =
            || recontact.by_area.iter().filter_map(|(area, figures)| Some((area, figures.handed_to_police?)));
        let mut areas = Vec::new();
        for (area, now) in by_area() {
            if now > self.by_area.insert(area.clone(), now).unwrap_or(0) {
                areas.push(area.clone());
            }
        }
        if let Some(total) = recontact.total.handed_to_police {
            let before = std::mem::replace(&mut self.total, total);
            if total > before && by_area().next().is_none() {
                areas.clone_from(&event.areas);
            }
        }
        areas
    }
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::{
        AreaId, Category, Impact, IncidentId, PublisherId, Recontact, RecontactFigures, Service, Status,
    };

    use super::*;

    fn event(kind: EventKind) -> Event {
        Event {
            kind,
            severity: Some(Severity::Severe),
            platform: Some(Platform::Backup),
            impact: Some(Impact { calls_unsuccessful: Some(10), ..Impact::default() }),
            ..Event::initial(
                PublisherId::new("bt").unwrap(),
                IncidentId::new("x").unwrap(),
                Status::Actual,
                Category::Outage,
                vec![Service::Voice999],
                "x",
                vec![AreaId::new("kent").unwrap()],
            )
        }
    }

    #[test]
    fn a_worsening_is_told_in_words_and_anything_else_is_none() {
        type Change = fn(&mut Event);
        let cases: &[(&str, Change, &[&str])] = &[
            ("nothing new", |_| {}, &[]),
            ("total loss", |e| e.platform = Some(Platform::None), &["platform went from backup to none"]),
            ("back on primary", |e| e.platform = Some(Platform::Primary), &[]),
            ("platform not told", |e| e.platform = None, &[]),
            ("extreme", |e| e.severity = Some(Severity::Extreme), &["severity went from severe to extreme"]),
            ("minor", |e| e.severity = Some(Severity::Minor), &[]),
            ("text relay too", |e| e.services.push(Service::TextRelay), &["services added: text-relay"]),
            ("essex too", |e| e.areas.push(AreaId::new("essex").unwrap()), &["areas added: essex"]),
            ("nineteen calls", |e| e.impact.as_mut().unwrap().calls_unsuccessful = Some(19), &[]),
            (
                "ten calls become 600",
                |e| e.impact.as_mut().unwrap().calls_unsuccessful = Some(600),
                &["calls unsuccessful went from 10 to 600"],
            ),
        ];
        for (name, change, expected) in cases {
            let before = event(EventKind::Initial);
            let mut now = event(EventKind::Update);
            change(&mut now);
            assert_eq!(worsening(&now, Course::Open, &before, &before), *expected, "{name}");
        }
    }

    #[test]
    fn a_creeping_figure_is_measured_against_what_was_last_acknowledged() {
        let calls = |n| {
            let mut event = event(EventKind::Update);
            event.impact.as_mut().unwrap().calls_unsuccessful = Some(n);
            event
        };
        assert_eq!(worsening(&calls(18), Course::Open, &calls(14), &calls(10)), Vec::<String>::new());
        assert_eq!(
            worsening(&calls(20), Course::Open, &calls(18), &calls(10)),
            ["calls unsuccessful went from 10 to 20"]
        );
    }

    #[test]
    fn a_platform_told_late_is_a_worsening_only_when_it_is_none() {
        let untold = |kind| Event { platform: None, ..event(kind) };
        let (before, mut now) = (untold(EventKind::Initial), event(EventKind::Update));
        assert_eq!(worsening(&now, Course::Open, &before, &before), Vec::<String>::new());
        now.platform = Some(Platform::None);
        assert_eq!(worsening(&now, Course::Open, &before, &before), ["no platform carries the service"]);
    }

    #[test]
    fn a_relapse_after_restoration_is_a_worsening() {
        let mut resolved = event(EventKind::Resolved);
        resolved.platform = None;
        let relapse = event(EventKind::Update);
        assert_eq!(
            worsening(&relapse, Course::Resolved, &resolved, &event(EventKind::Initial)),
            ["the service had been restored, and is not"]
        );
        // Whatever was said between.
        let figures = Event { platform: None, ..event(EventKind::Update) };
        assert_eq!(
            worsening(&relapse, Course::Resolved, &figures, &event(EventKind::Initial)),
            ["the service had been restored, and is not"]
        );
    }

    #[test]
    fn a_force_is_asked_again_only_for_more_callers_than_it_was_last_told_of() {
        let area = |id: &str| AreaId::new(id).unwrap();
        let told = |total: Option<u64>, by_area: &[(&str, u64)]| {
            let figure =
                |handed_to_police| RecontactFigures { handed_to_police, ..RecontactFigures::default() };
            let by_area = by_area.iter().map(|(id, handed)| (area(id), figure(Some(*handed)))).collect();
            Event {
                recontact: Some(Recontact {
                    total: figure(total),
                    by_area,
                    as_of: None,
                    source: None,
                    provisional: None,
                }),
                ..event(EventKind::Update)
            }
        };
        let mut so_far = HandedToPolice::default();
        for (why, event, asked) in [
            ("nobody yet", told(Some(0), &[]), vec![]),
            ("the first of kent", told(Some(3), &[("kent", 3)]), vec!["kent"]),
            ("said nothing of it", event(EventKind::Update), vec![]),
            ("the same three", told(Some(3), &[("kent", 3)]), vec![]),
            ("essex alone is spoken of", told(Some(5), &[("essex", 2)]), vec!["essex"]),
            ("both, and one more of kent", told(Some(6), &[("essex", 2), ("kent", 4)]), vec!["kent"]),
            ("set right downwards", told(Some(5), &[("kent", 3)]), vec![]),
            ("no areas: those of the event", told(Some(9), &[]), vec!["kent"]),
        ] {
            let asked: Vec<_> = asked.into_iter().map(area).collect();
            assert_eq!(so_far.told(&event), asked, "{why}");
        }
    }
}
