//! Whom to telephone, and whom first.

use tocsin_audit::{
    CallList, CallListRequest, MailFate, gather,
    render::{call_list_html, call_list_json, call_list_pdf, call_list_text},
};
use tocsin_protocol::{
    EventKind, Outcome, Status,
    schema::{Kind, check},
};

use crate::support::{World, id, minutes};

fn list(world: &World) -> CallList {
    gather(&world.entries, None).call_list(&CallListRequest::default()).unwrap()
}

fn who(list: &CallList) -> Vec<&str> {
    list.calls.iter().map(|call| call.recipient.as_str()).collect()
}

/// Three are silent after both steps: one's mail was taken, one's failed, of one nobody knows.
fn silent() -> World {
    let mut world = World::small();
    world.say(EventKind::Initial, |_| {}).at(minutes(1)).all_but(&["ofcom", "dsit", "pol-gwent"], 1);
    world.at(minutes(2)).delivered("dsit", 1).at(minutes(16));
    world.attempt("ofcom", (1, 1), 1, Some(Outcome::Accepted));
    world.attempt_said("dsit", (1, 1), 1, Some(Outcome::Permanent), Some(550));
    world.attempt("pol-gwent", (1, 1), 1, Some(Outcome::Unknown));
    world
}

#[test]
fn those_whom_no_mail_reached_are_called_first() {
    let list = list(&silent());
    assert_eq!(who(&list), ["dsit", "pol-gwent", "ofcom"]);
    let fates: Vec<MailFate> = list.calls.iter().map(|call| call.mail).collect();
    assert_eq!(fates, [MailFate::Waiting, MailFate::Unknown, MailFate::Accepted]);
    let dsit = &list.calls[0];
    assert_eq!(
        dsit.mails.len(),
        2,
        "the first was refused for good, so the next contact is written to at once"
    );
    assert!(dsit.window_closed && dsit.unanswered[0].delivered);
    assert_eq!(dsit.numbers[0].phone.as_deref(), Some("01632 960001"));
}

#[test]
fn nobody_is_on_it_who_acknowledged_and_nobody_who_need_not() {
    let mut world = silent();
    world.at(minutes(20)).acknowledged("dsit", 1).acknowledged("ofcom", 1).acknowledged("pol-gwent", 1);
    assert!(list(&world).calls.is_empty());
    let mut world = World::small();
    world.status = Status::Test;
    world.say(EventKind::Initial, |_| {}).at(minutes(40));
    assert!(list(&world).calls.is_empty());
}

#[test]
fn what_is_over_asks_for_no_call_but_about_its_end() {
    let mut world = silent();
    world.at(minutes(25)).say(EventKind::Cancelled, |_| {}).at(minutes(26));
    let cancelled = list(&world);
    let asks = cancelled.calls.iter().flat_map(|call| &call.unanswered);
    assert!(asks.clone().all(|one| one.kind == EventKind::Cancelled), "{asks:?}");
}

#[test]
fn an_open_window_comes_after_every_closed_one_and_a_later_event_is_told_with_the_earlier() {
    let mut world = silent();
    world.another("second", minutes(17)).say(EventKind::Initial, |_| {}).at(minutes(18));
    let list = list(&world);
    let first_open = list.calls.iter().position(|call| !call.window_closed).unwrap();
    assert_eq!(first_open, 3);
    assert!(list.calls[first_open..].iter().all(|call| call.incident.as_str() == "second"));
    let one = CallListRequest { incident: Some("second".parse().unwrap()), ..CallListRequest::default() };
    let second = gather(&world.entries, None).call_list(&one).unwrap();
    assert!(second.calls.iter().all(|call| call.mail == MailFate::NoneOwed && !call.window_closed));
    let unknown = CallListRequest { incident: Some("none".parse().unwrap()), ..one };
    assert!(gather(&world.entries, None).call_list(&unknown).is_err());
}

#[test]
fn it_is_on_paper_in_a_terminal_and_on_a_page_with_room_to_write() {
    let world = silent();
    let list = list(&world);
    insta::assert_snapshot!(call_list_text(&list));
    let page = call_list_html(&list).unwrap();
    assert!(page.contains("01632 960001") && page.contains("WINDOW CLOSED"));
    let print = call_list_pdf(&list).unwrap();
    assert_eq!(print, call_list_pdf(&list).unwrap());
    assert!(print.starts_with(b"%PDF-"));
    let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(place.join("calls.pdf"), print).unwrap();
    assert_eq!(list.calls[0].recipient, id("dsit"));
}

#[test]
fn its_json_is_as_its_schema_says() {
    let mut technical = World::small();
    technical.status = Status::Test;
    let nobody = list(technical.say(EventKind::Initial, |_| {}));
    for whole in [list(&silent()), nobody] {
        let json = call_list_json(&whole).unwrap();
        assert_eq!(check(Kind::CallList, json.as_bytes()), Ok(()), "{json}");
        assert_eq!(serde_json::from_str::<CallList>(&json).unwrap(), whole);
    }
    let json = call_list_json(&list(&silent())).unwrap();
    for (from, to) in [
        (r#""mail": "waiting""#, r#""mail": "read""#),
        (r#""closed": true"#, r#""closed": 1"#),
        (r#""status": "actual""#, r#""status": "real""#),
        (r#""phone": "01632 960001""#, r#""phone": 1632960001"#),
        (r#""calls": ["#, r#""called": ["#),
    ] {
        assert!(json.contains(from), "{from} is not in {json}");
        assert!(check(Kind::CallList, json.replace(from, to).as_bytes()).is_err(), "{to}");
    }
}
