//! The operator's timeliness and what it stated, kept apart from the recipients'.

use tocsin_audit::{ClockReport, Figure, FigureReport, ProblemCode, Report, Request, gather};
use tocsin_protocol::{
    AreaId, ClockStart, EventKind, Impact, IncidentId, Platform, Recontact, RecontactFigures, Subject,
};

use crate::support::{INCIDENT, SMALL, World, id, minutes, number, seconds, start};

const NONE: fn(&mut tocsin_protocol::Event) = |_| {};

fn clock(report: &Report, clock: ClockStart) -> &ClockReport {
    report.operator.as_ref().unwrap().clocks.iter().find(|of| of.clock == clock).unwrap()
}

fn figure(report: &Report, figure: Figure) -> &FigureReport {
    report.figures.iter().find(|of| of.figure == figure && of.area.is_none()).unwrap()
}

#[test]
fn a_clock_that_no_event_tells_is_absent_and_each_that_is_told_has_its_lengths() {
    let mut world = World::small();
    world.say(EventKind::Initial, |event| {
        event.aware_at = Some(start() - minutes(1));
    });
    world.at(minutes(1)).all_but(&[], 1).at(minutes(20));
    world.say(EventKind::Resolved, |event| event.restored_at = Some(start() + minutes(18)));
    let report = world.report();
    let operator = report.operator.as_ref().unwrap();
    let told: Vec<ClockStart> = operator.clocks.iter().map(|of| of.clock).collect();
    assert_eq!(told, [ClockStart::Occurred, ClockStart::Aware, ClockStart::Restored]);
    for (of, recorded) in
        [(ClockStart::Occurred, 120.0), (ClockStart::Aware, 60.0), (ClockStart::Restored, 120.0)]
    {
        let delays = clock(&report, of).by_last;
        assert!((delays.recorded_seconds - recorded).abs() < 1e-9, "{of:?}");
        let last = delays.last_noticed_seconds.unwrap();
        assert!(
            last > recorded && last < recorded + 1.0,
            "{of:?}: the notices were there at once, not {last}"
        );
    }
    assert_eq!((operator.failure.event, operator.failure.noticed.owed), (number(1), 6));
    assert_eq!(operator.restoration.as_ref().unwrap().event, number(2));
    let police = operator.failure.by_kind.iter().find(|of| of.kind == "police-territorial").unwrap();
    assert_eq!((police.noticed.noticed, police.noticed.owed), (2, 2));
}

#[test]
fn who_was_owed_a_notice_and_had_none_is_in_the_denominator_alone() {
    let mut world = World::small();
    world.withheld =
        |subject| matches!(subject, Subject::Notice { recipient, .. } if recipient.as_str() == "pol-gwent");
    world.say(EventKind::Initial, NONE).at(minutes(1));
    let report = world.report();
    let failure = &report.operator.as_ref().unwrap().failure;
    assert_eq!((failure.noticed.noticed, failure.noticed.owed), (5, 6));
    let police = failure.by_kind.iter().find(|of| of.kind == "police-territorial").unwrap();
    assert_eq!((police.noticed.noticed, police.noticed.owed), (1, 2));
}

#[test]
fn a_beginning_that_is_found_an_hour_later_is_late_entry_and_both_figures_stand() {
    let mut world = World::small();
    // Noticed and said at once; that it had begun at 06:24 was found at 07:33.
    world.say(EventKind::Initial, |event| event.began_at = Some(start()));
    world.at(minutes(1)).all_but(&[], 1).at(minutes(67));
    world.say(EventKind::Update, |event| event.began_at = Some(start() - minutes(2))).at(minutes(70));
    world.say(EventKind::Update, |event| event.began_at = Some(start() - minutes(2)));
    let report = world.report();
    let began = clock(&report, ClockStart::Occurred);
    let stated: Vec<_> =
        began.stated.iter().map(|of| (of.event.get(), of.after_seconds, of.late_entry)).collect();
    assert_eq!(
        stated,
        [(1, 0.0, false), (2, 69.0 * 60.0, true)],
        "what is repeated is no statement of its own"
    );
    assert!(began.late_entry);
    assert_eq!((began.by_first.recorded_seconds, began.by_last.recorded_seconds), (0.0, 120.0));
    let late = report.problems.iter().find(|problem| problem.code == ProblemCode::LateEntry).unwrap();
    assert_eq!(late.event, Some(number(2)));
    assert!(
        late.text.contains("1 h 9 min after it, that the failure began at 2023-06-25 05:24:00Z"),
        "{}",
        late.text
    );
    assert!(late.text.contains("published 2 min after"), "{}", late.text);
}

#[test]
fn late_entry_begins_after_a_quarter_of_an_hour() {
    for (after, late) in [(seconds(900), false), (seconds(901), true)] {
        let mut world = World::small();
        world.say(EventKind::Initial, |event| event.began_at = Some(start() - after));
        assert_eq!(clock(&world.report(), ClockStart::Occurred).late_entry, late, "{after:?}");
    }
}

#[test]
fn a_figure_is_told_event_by_event_with_whose_it_is_and_how_it_moved() {
    let impact = |calls, source: Option<&str>| {
        Some(Impact {
            calls_unsuccessful: Some(calls),
            source: source.map(str::to_owned),
            provisional: Some(true),
            as_of: Some(start()),
            ..Impact::default()
        })
    };
    let mut world = World::small();
    world.say(EventKind::Initial, |event| event.impact = impact(10, None)).at(minutes(5));
    world.say(EventKind::Update, |event| event.impact = impact(600, Some("the regulator"))).at(minutes(9));
    world.say(EventKind::Update, |event| event.impact = impact(14, None));
    let report = world.report();
    let calls = figure(&report, Figure::CallsUnsuccessful);
    let stated: Vec<_> =
        calls.stated.iter().map(|of| (of.event.get(), of.value, of.change, of.source.as_str())).collect();
    let expected = [(1, 10, None, "bt-cha"), (2, 600, None, "the regulator"), (3, 14, Some(4), "bt-cha")];
    assert_eq!(stated, expected, "the change is from the same source's figure before");
    assert!(calls.disputed, "14 and 600 stand side by side");
}

#[test]
fn a_source_that_corrects_itself_disputes_nothing() {
    let mut world = World::small();
    for calls in [10, 600, 540] {
        world.say(if calls == 10 { EventKind::Initial } else { EventKind::Update }, |event| {
            event.impact = Some(Impact { calls_unsuccessful: Some(calls), ..Impact::default() });
        });
    }
    let report = world.report();
    let calls = figure(&report, Figure::CallsUnsuccessful);
    let moved: Vec<_> = calls.stated.iter().map(|of| of.change).collect();
    assert_eq!((moved, calls.disputed), (vec![None, Some(590), Some(-60)], false));
}

#[test]
fn the_figures_of_an_area_are_told_to_those_who_serve_it_alone() {
    let area = AreaId::new("uk").unwrap();
    let mut world = World::small();
    world.say(EventKind::Initial, |event| {
        event.impact = Some(Impact {
            calls_unsuccessful: Some(9),
            by_area: [(area.clone(), 9)].into(),
            ..Impact::default()
        });
        let own = RecontactFigures { reached: Some(4), outstanding: Some(5), ..RecontactFigures::default() };
        event.recontact =
            Some(Recontact { total: own, by_area: [(area.clone(), own)].into(), ..Recontact::default() });
    });
    let whole = world.report();
    assert!(whole.figures.iter().all(|of| of.area.is_none()));
    assert_eq!(figure(&whole, Figure::Outstanding).stated[0].value, 5);
    let own = world.report_with(Request { only: Some(id("pol-gwent")), ..Request::default() });
    let areas: Vec<_> = own.figures.iter().filter(|of| of.area.is_some()).map(|of| of.figure).collect();
    assert_eq!(areas, [Figure::CallsUnsuccessful, Figure::Reached, Figure::Outstanding]);
}

#[test]
fn who_had_acknowledged_the_smaller_figure_is_shown_with_when_the_larger_was_taken_in() {
    let calls = |calls| Some(Impact { calls_unsuccessful: Some(calls), ..Impact::default() });
    let mut world = World::small();
    world.say(EventKind::Initial, |event| event.impact = calls(10)).at(minutes(1)).acknowledged("ofcom", 1);
    world.at(minutes(2)).acknowledged("dsit", 1).at(minutes(10));
    world.say(EventKind::Update, |event| event.impact = calls(600)).at(minutes(12)).acknowledged("ofcom", 2);
    let report = world.report();
    let [anew] = &report.anew[..] else { panic!("{:?}", report.anew) };
    assert_eq!((anew.event, anew.calls_unsuccessful), (number(2), Some(600)));
    let rows: Vec<_> = anew
        .had_acknowledged
        .iter()
        .map(|who| {
            let before = (who.earlier_event.get(), who.earlier_calls_unsuccessful);
            (who.recipient.as_str(), before, who.taken_in_at)
        })
        .collect();
    let taken_in = Some(start() + minutes(12));
    assert_eq!(rows, [("ofcom", (1, Some(10)), taken_in), ("dsit", (1, Some(10)), None)]);
}

#[test]
fn an_old_incident_is_told_in_the_names_that_the_directory_had_then() {
    let mut world = World::of(&SMALL);
    world.say(EventKind::Initial, NONE).at(minutes(16));
    world.change_directory(2, |document| {
        let ofcom = document.recipients.iter_mut().find(|of| of.id.as_str() == "ofcom").unwrap();
        ofcom.name = "The successor".into();
        ofcom.kind = "authority".into();
        ofcom.contacts.get_mut("duty").unwrap().email = "new@ofcom.example".into();
    });
    world.another("later", minutes(100)).say(EventKind::Initial, NONE).at(minutes(116));
    let report = |incident: &str| {
        let incident = IncidentId::new(incident).unwrap();
        let evidence = gather(&world.entries, Some(&incident));
        let report = evidence.report(&incident, Request::default()).unwrap();
        let ofcom = report.recipients.iter().find(|row| row.id.as_str() == "ofcom").unwrap();
        (ofcom.name.clone(), ofcom.kind.clone(), ofcom.escalations[0].address.clone())
    };
    assert_eq!(report(INCIDENT), ("Ofcom".into(), "regulator".into(), "duty@ofcom.example".into()));
    assert_eq!(report("later"), ("The successor".into(), "authority".into(), "new@ofcom.example".into()));
}

#[test]
fn the_operators_lengths_hold_no_acknowledgement_and_the_recipients_no_failure() {
    let story = |began: i64, acknowledged: i64| {
        let mut world = World::small();
        world.say(EventKind::Initial, |event| {
            event.began_at = Some(start() - minutes(began));
            event.platform = Some(Platform::None);
        });
        world.at(minutes(acknowledged)).all_but(&[], 1).at(minutes(40));
        world.report()
    };
    let (base, began, slow) = (story(2, 1), story(9, 1), story(2, 5));
    assert_eq!(
        base.operator, slow.operator,
        "how slow the recipients were changes nothing of the operator's"
    );
    assert_eq!(base.timeliness, began.timeliness, "nor when it began anything of the recipients'");
    assert_ne!(base.operator, began.operator);
    assert_ne!(base.timeliness, slow.timeliness);
}
