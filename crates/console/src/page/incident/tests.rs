//! The page as it is drawn.

use tocsin_protocol::{EventKind, Outcome, Platform, Status};

use super::View;
use crate::{
    model::world::{INCIDENT, World, id, incident, minutes},
    page::{fragment::Fragment, words::Zone},
    session::Sees,
};

fn pieces(world: &World, sees: &Sees, since: u64) -> Vec<Fragment> {
    let zone = Zone::named("Europe/London");
    View::of(&world.state, sees, &incident(INCIDENT), &zone, world.now).unwrap().fragments(since)
}

fn piece(world: &World, sees: &Sees, key: &str) -> String {
    let pieces = pieces(world, sees, 0);
    let found = pieces.iter().find(|piece| piece.key == key);
    found.unwrap_or_else(|| panic!("no {key}")).html.clone()
}

fn told() -> World {
    let mut world = World::small();
    world.say(EventKind::Initial, |event| {
        event.headline = "999 <b>calls</b> are failing".to_owned();
        event.instruction = Some("Staff 101 lines.".to_owned());
        event.public_advice = Some("Call 101.".to_owned());
        event.platform = Some(Platform::None);
        event.next_update_by = Some("2023-06-25T05:40:00Z".parse().unwrap());
    });
    world.delivered("pol-kent", 1).pass(minutes(3)).acknowledged("pol-kent", 1).pass(minutes(13));
    world.mailed("pol-gwent", 1, 1, Outcome::Accepted).mailed("fire-kent", 1, 1, Outcome::Temporary);
    world
}

#[test]
fn the_wall_tells_each_state_by_word_and_shape() {
    insta::assert_snapshot!(piece(&told(), &Sees::Everything, "wall"));
}

#[test]
fn the_totals_have_their_wholes() {
    insta::assert_snapshot!(piece(&told(), &Sees::Everything, "summary"));
}

#[test]
fn the_situation_is_told_in_the_words_of_the_field_and_what_is_late_is_said_to_be() {
    insta::assert_snapshot!(piece(&told(), &Sees::Recipient(id("pol-kent")), "situation"));
}

#[test]
fn who_sees_the_whole_is_told_the_calls_lost_in_each_area_the_most_first() {
    let situation = piece(&told(), &Sees::Everything, "situation");
    let (_, by_area) = situation.split_once("<h2>Calls lost by area").unwrap();
    insta::assert_snapshot!(by_area);
}

#[test]
fn an_agency_that_is_silent_sees_what_to_do_about_it() {
    insta::assert_snapshot!(piece(&told(), &Sees::Recipient(id("fire-kent")), "own"));
}

#[test]
fn an_agency_is_sent_no_other_agencys_part() {
    let world = told();
    let all: String = pieces(&world, &Sees::Recipient(id("pol-gwent")), 0)
        .iter()
        .map(|piece| piece.html.as_str())
        .collect();
    for other in
        ["Kent Police", "A. Person of pol-kent", "Kent Fire", "fire-kent", "id=\"wall", "id=\"summary"]
    {
        assert!(!all.contains(other), "{other}: {all}");
    }
    assert!(all.contains("Gwent Police") && all.contains("60 unsuccessful"), "{all}");
}

#[test]
fn an_update_after_the_end_does_not_open_an_incident_anew_and_a_relapse_does() {
    let mut world = told();
    let open = |world: &World| {
        let title = piece(world, &Sees::Everything, "title");
        let state = &world.state;
        (title.contains("Resolved"), state.incident(&incident(INCIDENT)).unwrap().is_open())
    };
    world.pass(minutes(60)).say(EventKind::Resolved, |event| event.platform = Some(Platform::Primary));
    assert_eq!(open(&world), (true, false));
    world.pass(minutes(60)).say(EventKind::Update, |event| event.platform = None);
    assert_eq!(open(&world), (true, false), "more is known of what is over");
    world.pass(minutes(60)).say(EventKind::Update, |event| event.platform = Some(Platform::Backup));
    assert_eq!(open(&world), (false, true), "it fails again");
}

#[test]
fn what_became_of_what_the_publisher_owed_is_told_in_its_own_words() {
    let told_after = |update: bool| {
        let mut world = World::small();
        world.say(EventKind::Initial, |event| {
            event.next_update_by = Some("2023-06-25T05:40:00Z".parse().unwrap());
        });
        if update {
            world.pass(minutes(3)).say(EventKind::Update, |_| {});
        }
        world.pass(minutes(120));
        let all = pieces(&world, &Sees::Everything, 0);
        let line = all.iter().find(|piece| piece.html.contains("The update that was promised"));
        line.unwrap_or_else(|| panic!("nothing is told of it")).html.clone()
    };
    let never = told_after(false);
    assert!(never.contains("The update that was promised by 06:40 did not come"), "{never}");
    assert!(never.contains("class=\"bad\""), "{never}");
    let in_time = told_after(true);
    assert!(
        in_time.contains("The update that was promised by 06:40 came in time, with event 2"),
        "{in_time}"
    );
    assert!(!in_time.contains("class=\"bad\""), "{in_time}");
}

#[test]
fn what_a_publisher_writes_is_text_and_never_markup() {
    let title = piece(&told(), &Sees::Everything, "title");
    assert!(!title.contains("<b>") && title.contains("999 &#60;b&#62;calls"), "{title}");
}

#[test]
fn a_receipt_changes_one_tile_its_heading_the_totals_and_the_timeline() {
    let mut world = told();
    let before = world.state.revision();
    assert_eq!(pieces(&world, &Sees::Everything, before), []);
    world.acknowledged("pol-gwent", 1);
    let mut keys: Vec<_> =
        pieces(&world, &Sees::Everything, before).into_iter().map(|piece| piece.key).collect();
    keys.sort();
    let moment = format!("m-{}", world.state.revision());
    assert_eq!(keys, ["g-police-territorial-wales", moment.as_str(), "r-pol-gwent", "summary"]);
    assert!(pieces(&world, &Sees::Recipient(id("pol-kent")), before).is_empty(), "it is no other agency's");
}

#[test]
fn every_piece_is_one_element_with_its_key_as_id() {
    let world = told();
    for sees in [Sees::Everything, Sees::Recipient(id("pol-kent"))] {
        for since in [0, 1] {
            for piece in pieces(&world, &sees, since) {
                assert!(piece.html.contains(&format!("id=\"{}\"", piece.key)), "{piece:?}");
            }
        }
    }
}

#[test]
fn an_exercise_is_marked_on_its_own_title() {
    let mut world = World::small();
    world.say(EventKind::Initial, |event| event.status = Status::Exercise);
    assert!(piece(&world, &Sees::Everything, "title").contains("EXERCISE"));
}
