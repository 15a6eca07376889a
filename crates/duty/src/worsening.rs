//! What makes an update a worsening, which needs an acknowledgement anew under every policy.
//!
//! In September 2025 an operator's first mails on a Triple Zero failure spoke of about ten calls; the truth was over
//! 600, and nobody was asked whether they had taken that in. So the rule is ours, not the publisher's.

use tocsin_protocol::{AreaId, Event, EventKind, Platform, Severity};

/// Calls lost have to grow by this factor over the figure last acknowledged before the growth alone is a worsening.
const CALLS_FACTOR: u64 = 2;

/// Says in which ways an event is worse than the one before it, or than the last that needed an acknowledgement
/// (`baseline`): a creeping change is measured against what people were last asked to take in. Empty for none.
pub fn worsening(event: &Event, previous: &Event, baseline: &Event) -> Vec<String> {
    let mut reasons = Vec::new();
    if !matches!(event.kind, EventKind::Update | EventKind::Correction) {
        return reasons;
    }
    if event.material == Some(true) {
        reasons.push("the publisher calls it material".to_owned());
    }
    if previous.kind == EventKind::Resolved
        && event.platform.is_some_and(|platform| platform > Platform::Primary)
    {
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

/// The areas of whose lost callers more are handed to the police with this event than were before. Where a figure has no
/// areas, those of the event.
pub fn handed_over(event: &Event, previous: Option<&Event>) -> Vec<AreaId> {
    let handed = |event: &Event| event.recontact.as_ref().and_then(|r| r.total.handed_to_police).unwrap_or(0);
    let in_area =
        |event: &Event, area: &AreaId| event.recontact.as_ref()?.by_area.get(area)?.handed_to_police;
    let Some(recontact) = &event.recontact else { return Vec::new() };
    let areas: Vec<_> = recontact
        .by_area
        .iter()
        .filter(|(area, figures)| {
            let before = previous.and_then(|previous| in_area(previous, area)).unwrap_or(0);
            figures.handed_to_police.is_some_and(|now| now > before)
        })
        .map(|(area, _)| area.clone())
        .collect();
    let told_by_area = recontact.by_area.values().any(|figures| figures.handed_to_police.is_some());
    if !told_by_area && handed(event) > previous.map_or(0, handed) {
        return event.areas.clone();
    }
    areas
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::{AreaId, Category, Impact, IncidentId, PublisherId, Service, Status};

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
            assert_eq!(worsening(&now, &before, &before), *expected, "{name}");
        }
    }

    #[test]
    fn a_creeping_figure_is_measured_against_what_was_last_acknowledged() {
        let calls = |n| {
            let mut event = event(EventKind::Update);
            event.impact.as_mut().unwrap().calls_unsuccessful = Some(n);
            event
        };
        assert_eq!(worsening(&calls(18), &calls(14), &calls(10)), Vec::<String>::new());
        assert_eq!(worsening(&calls(20), &calls(18), &calls(10)), ["calls unsuccessful went from 10 to 20"]);
    }

    #[test]
    fn a_platform_told_late_is_a_worsening_only_when_it_is_none() {
        let untold = |kind| Event { platform: None, ..event(kind) };
        let (before, mut now) = (untold(EventKind::Initial), event(EventKind::Update));
        assert_eq!(worsening(&now, &before, &before), Vec::<String>::new());
        now.platform = Some(Platform::None);
        assert_eq!(worsening(&now, &before, &before), ["no platform carries the service"]);
    }

    #[test]
    fn a_relapse_after_restoration_is_a_worsening() {
        let mut resolved = event(EventKind::Resolved);
        resolved.platform = None;
        let relapse = event(EventKind::Update);
        assert_eq!(
            worsening(&relapse, &resolved, &event(EventKind::Initial)),
            ["the service had been restored, and is not"]
        );
    }
}
