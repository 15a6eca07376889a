//! The model, from signed entries to what is counted.

use tocsin_protocol::{EventKind, Outcome, Status};

use super::{
    DutyState, Incident, Post, State, Tally, What,
    world::{INCIDENT, World, id, incident, minutes},
};
use crate::session::Sees;

fn of(world: &World) -> &Incident {
    world.state.incident(&incident(INCIDENT)).unwrap()
}

fn state(world: &World, who: &str) -> DutyState {
    let incident = of(world);
    incident.glance(incident.standing(&id(who)).unwrap()).state
}

#[test]
fn a_recipient_goes_from_notified_to_acknowledged_or_to_silent_and_late() {
    let mut world = World::small();
    world.say(EventKind::Initial, |_| ());
    assert_eq!(state(&world, "pol-kent"), DutyState::Waiting);
    assert_eq!(state(&world, "lrf-kent"), DutyState::Told);
    world.delivered("pol-kent", 1).pass(minutes(5)).acknowledged("pol-kent", 1);
    assert_eq!(state(&world, "pol-kent"), DutyState::InTime);
    world.pass(minutes(11));
    assert_eq!(state(&world, "fire-kent"), DutyState::Silent);
    world.acknowledged("fire-kent", 1);
    assert_eq!(state(&world, "fire-kent"), DutyState::Late(minutes(1)));
    let tally = Tally {
        told: 5,
        required: 4,
        noticed: 5,
        delivered: 2,
        asked: 4,
        acknowledged: 2,
        late: 1,
        silent: 2,
        escalated: 3,
        ..Tally::default()
    };
    assert_eq!(of(&world).tally, tally);
}

#[test]
fn an_acknowledgement_in_anothers_name_changes_nothing_but_is_told() {
    let mut world = World::small();
    world.say(EventKind::Initial, |_| ()).forged("pol-kent", 1, "pol-gwent");
    assert_eq!(state(&world, "pol-kent"), DutyState::Waiting);
    let incident = of(&world);
    assert_eq!(incident.refusals.len(), 1);
    assert_eq!(incident.refusals[0].recipient, Some(id("pol-kent")));
}

#[test]
fn an_acknowledgement_of_a_later_event_covers_the_earlier_and_the_end_lifts_what_is_open() {
    let mut world = World::small();
    world.say(EventKind::Initial, |_| ()).pass(minutes(1)).say(EventKind::Resolved, |_| ());
    world.acknowledged("pol-kent", 2);
    let incident = of(&world);
    let standing = incident.standing(&id("pol-kent")).unwrap();
    let states: Vec<_> = standing.duties.iter().map(|duty| incident.state(standing, duty)).collect();
    assert_eq!(states, [DutyState::InTime, DutyState::InTime]);
    let silent = incident.standing(&id("pol-gwent")).unwrap();
    let states: Vec<_> = silent.duties.iter().map(|duty| incident.state(silent, duty)).collect();
    assert_eq!(states, [DutyState::Lifted, DutyState::Waiting]);
    let open: Vec<_> = incident.open_windows().iter().map(|(event, _)| event.get()).collect();
    assert_eq!(open, [2, 2], "nobody waits for the windows of what is over");
    assert!(!incident.is_open());
}

#[test]
fn a_mail_is_accepted_once_any_attempt_was_and_fails_while_none_is() {
    let post = |world: &World| of(world).standing(&id("pol-kent")).unwrap().post();
    let mut world = World::small();
    world.say(EventKind::Initial, |_| ());
    assert_eq!(post(&world), Post::None);
    world.pass(minutes(16));
    assert_eq!(post(&world), Post::Owed);
    world.mailed("pol-kent", 1, 1, Outcome::Temporary).mailed("pol-kent", 1, 2, Outcome::Temporary);
    assert_eq!(post(&world), Post::Failed);
    world.mailed("pol-kent", 1, 3, Outcome::Accepted);
    assert_eq!(post(&world), Post::Accepted);
    let told = of(&world).moments.iter().filter(|moment| matches!(moment.what, What::Mailed(..))).count();
    assert_eq!(told, 2, "a try that ends as the one before is nothing that happened");
}

#[test]
fn whoever_has_read_the_same_knows_the_same_at_the_same_revision() {
    let mut world = World::small();
    world
        .say(EventKind::Initial, |_| ())
        .delivered("pol-kent", 1)
        .acknowledged("pol-kent", 1)
        .pass(minutes(40));
    let mut at_once = State::default();
    at_once.take(&world.entries);
    assert_eq!(at_once.revision(), world.state.revision());
    let again = at_once.incident(&incident(INCIDENT)).unwrap();
    let incident = of(&world);
    assert_eq!(again.tally, incident.tally);
    assert_eq!(again.moments, incident.moments);
    for (one, other) in again.standings.iter().zip(&incident.standings) {
        assert_eq!((&one.recipient, one.changed), (&other.recipient, other.changed));
    }
    let revisions: std::collections::BTreeSet<_> = incident.moments.iter().map(|m| m.revision).collect();
    assert_eq!(revisions.len(), incident.moments.len(), "no two moments have the same revision");
}

#[test]
fn a_receipt_marks_its_own_recipient_alone_as_changed() {
    let mut world = World::small();
    world.say(EventKind::Initial, |_| ());
    let before = world.state.revision();
    world.acknowledged("pol-kent", 1);
    let changed: Vec<_> =
        of(&world).standings.iter().filter(|s| s.changed > before).map(|s| s.recipient.as_str()).collect();
    assert_eq!(changed, ["pol-kent"]);
    assert!(of(&world).shared_changed <= before);
}

/// Who sees which incident, and whose part in it: the rule as a table.
#[test]
fn each_sees_what_its_role_may_and_nothing_else() {
    let mut world = World::small();
    // All are told of the first; Gwent is not told of what is Kent's alone.
    world.say(EventKind::Initial, |_| ());
    world.say_of("kent-only", EventKind::Initial, |event| {
        event.areas = vec!["kent".parse().unwrap()];
        event.status = Status::Exercise;
        event.impact = None;
    });
    let everyone = "ofcom pol-kent pol-gwent fire-kent lrf-kent";
    let kents = "ofcom pol-kent fire-kent lrf-kent";
    let recipient = |who: &str| Sees::Recipient(id(who));
    let table = [
        (Sees::Everything, INCIDENT, everyone),
        (Sees::Everything, "kent-only", kents),
        (Sees::Publisher("bt-cha".parse().unwrap()), INCIDENT, everyone),
        (Sees::Publisher("bt-cha".parse().unwrap()), "kent-only", kents),
        (Sees::Publisher("other-op".parse().unwrap()), INCIDENT, "not there"),
        (recipient("pol-kent"), INCIDENT, "pol-kent"),
        (recipient("pol-kent"), "kent-only", "pol-kent"),
        (recipient("pol-gwent"), INCIDENT, "pol-gwent"),
        (recipient("pol-gwent"), "kent-only", "not there"),
        (recipient("lrf-kent"), INCIDENT, "lrf-kent"),
        (recipient("nobody"), INCIDENT, "not there"),
        (Sees::Everything, "no-such", "not there"),
    ];
    for (sees, of, expected) in table {
        let seen = match world.state.seen(&sees, &incident(of)) {
            None => "not there".to_owned(),
            Some((incident, sight)) => {
                let standings = incident.standings.iter().map(|standing| &standing.recipient);
                let mut seen: Vec<_> = standings
                    .filter(|who| sight.takes_in(who))
                    .map(tocsin_protocol::RecipientId::as_str)
                    .collect();
                seen.sort_by_key(|who| everyone.find(who));
                seen.join(" ")
            }
        };
        assert_eq!(seen, expected, "{sees:?} of {of}");
    }
}

#[test]
fn an_agency_sees_of_the_timeline_what_is_shared_and_its_own() {
    let mut world = World::small();
    world.say(EventKind::Initial, |_| ()).acknowledged("pol-kent", 1).acknowledged("pol-gwent", 1);
    world.forged("pol-gwent", 1, "pol-kent").forged("fire-kent", 1, "pol-kent").pass(minutes(16));
    let told = |sees: &Sees| -> Vec<String> {
        let (incident, sight) = world.state.seen(sees, &incident(INCIDENT)).unwrap();
        let seen = incident.moments.iter().filter(|moment| sight.takes_in_moment(moment));
        let short = |what: &What| match what {
            What::Acknowledged(who, _) => format!("acknowledged {who}"),
            What::Refused(_, who) => format!("refused {}", who.as_ref().unwrap()),
            What::Escalated(who, ..) => format!("escalated {who}"),
            other => format!("{other:?}"),
        };
        seen.map(|moment| short(&moment.what)).collect()
    };
    assert_eq!(
        told(&Sees::Recipient(id("pol-gwent"))),
        ["Said(1)", "Dispatched(1)", "AllNoticed(1)", "acknowledged pol-gwent", "refused pol-gwent"]
    );
    assert_eq!(told(&Sees::Everything).len(), of(&world).moments.len());
}
