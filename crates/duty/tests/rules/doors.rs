//! Whose key may acknowledge, and through which door.

use tocsin_duty::{Directory, Verdict, check, check_link};
use tocsin_protocol::{
    ConsoleDoors, EventNumber, Link, Receipt, ReceiptStage, RefusalCode, Signer, StepNumber, Timestamp,
    from_body, to_body,
};

use crate::story::{DIRECTORY, POLICY, Story, key, texts};

/// Kent Fire acknowledges with its own key alone, Kent Police by a mail's link besides; the others may on the page, by a
/// program, and by a mail's link.
fn with_a_console() -> String {
    let keys = format!(
        "console_key = \"{}\"\nlink_key = \"{}\"\npolicies =",
        key("console_key").public(),
        key("link_key").public()
    );
    DIRECTORY
        .replacen("policies =", &keys, 1)
        .replacen("id = \"kent-fire\"", "id = \"kent-fire\", console = false", 1)
        .replacen("name = \"Kent Police\", kind", "name = \"Kent Police\", console = \"links\", kind", 1)
}

/// A day that begins with such a directory, an event that all in Kent are owed, and its notices.
fn day() -> Story {
    let mut story = Story::new();
    story.apply(0, 2, &with_a_console());
    story.event(1, "");
    story.follow(2);
    story
}

fn link(recipient: &str, expires: i64) -> Link {
    Link {
        recipient: recipient.parse().unwrap(),
        incident: "x".parse().unwrap(),
        event: EventNumber::FIRST,
        step: StepNumber::FIRST,
        expires_at: Timestamp::from_second(expires).unwrap(),
    }
}

fn token(story: &Story, recipient: &str, seconds: i64) -> String {
    link(recipient, story.at(seconds).as_second()).token(key("link_key")).unwrap()
}

fn receipt(recipient: &str, method: Option<&str>, link: Option<&str>) -> Receipt {
    let mut body = serde_json::json!({
        "incident": "x", "event": 1, "recipient": recipient, "stage": "acknowledged",
        "at": "2023-06-25T06:30:00+01:00", "by": {"name": "A", "role": "supervisor"},
    });
    if let Some(method) = method {
        body["method"] = method.into();
    }
    if let Some(link) = link {
        body["link"] = link.into();
    }
    serde_json::from_value(body).unwrap()
}

fn say(
    story: &mut Story,
    second: i64,
    author: &str,
    receipt: &Receipt,
) -> Result<Receipt, (RefusalCode, String)> {
    let body = String::from_utf8(to_body("receipt", receipt).unwrap().to_vec()).unwrap();
    match story.say(second, Some(author), &receipt.subject().to_string(), &body) {
        Verdict::Receipt(receipt) => Ok(*receipt),
        Verdict::Refused(refusal) => Err((refusal.code, refusal.reasons.join("; "))),
        other => panic!("{other:?}"),
    }
}

const METHODS: [&str; 7] = ["desk", "program", "command", "page", "link", "phone-logged", "in-person"];

#[test]
fn a_recipients_own_key_opens_every_door_as_it_always_did() {
    for method in METHODS.map(Some).into_iter().chain([None]) {
        for recipient in ["ofcom", "kent-fire"] {
            let (mut story, said) = (day(), receipt(recipient, method, None));
            assert_eq!(say(&mut story, 3, recipient, &said), Ok(said), "{method:?}");
        }
    }
}

#[test]
fn the_consoles_key_opens_its_own_doors_alone() {
    for method in METHODS.map(Some).into_iter().chain([None]) {
        let mut story = day();
        let with = (method == Some("link")).then(|| token(&story, "ofcom", 60));
        let said = receipt("ofcom", method, with.as_deref());
        let outcome = say(&mut story, 3, "console_key", &said);
        if matches!(method, Some("page" | "program" | "link")) {
            assert_eq!(outcome, Ok(said), "{method:?}");
        } else {
            let (code, why) = outcome.unwrap_err();
            assert_eq!(code, RefusalCode::DoorNotAllowed, "{method:?}: {why}");
        }
    }
}

/// What became of a receipt: `None` where it counts.
type Became = Option<RefusalCode>;

#[test]
fn of_each_door_choice_and_key_there_is_one_answer() {
    const NOT_ALLOWED: Became = Some(RefusalCode::DoorNotAllowed);
    const BAD_LINK: Became = Some(RefusalCode::BadLink);
    const BAD_SIGNATURE: Became = Some(RefusalCode::BadSignature);
    let methods = || METHODS.map(Some).into_iter().chain([None]);
    // Who signs the token that the receipt carries, if it carries one.
    let tokens = [None, Some("link_key"), Some("console_key"), Some("recipient")];
    let mut tried = 0;
    for (recipient, doors) in [
        ("ofcom", ConsoleDoors::Open),
        ("kent-police", ConsoleDoors::Links),
        ("kent-fire", ConsoleDoors::Shut),
    ] {
        for (method, maker) in methods().flat_map(|method| tokens.map(|maker| (method, maker))) {
            // Another method takes no token: the schema refuses it before the doors are asked.
            if maker.is_some() && method != Some("link") {
                continue;
            }
            let token = maker.map(|maker| {
                let maker = if maker == "recipient" { recipient } else { maker };
                link(recipient, day().at(60).as_second()).token(key(maker)).unwrap()
            });
            let said = receipt(recipient, method, token.as_deref());
            let holds = if matches!(maker, None | Some("link_key")) { None } else { BAD_LINK };
            for author in ["recipient", "console_key", "link_key", "essex-police", "stranger"] {
                let expected = match (author, doors, method) {
                    ("recipient", _, _) => holds,
                    ("console_key", ConsoleDoors::Open, Some("page" | "program")) => None,
                    ("console_key", ConsoleDoors::Open | ConsoleDoors::Links, Some("link")) => {
                        if maker.is_none() { BAD_LINK } else { holds }
                    }
                    ("console_key", _, _) => NOT_ALLOWED,
                    _ => BAD_SIGNATURE,
                };
                let signer = if author == "recipient" { recipient } else { author };
                let outcome = say(&mut day(), 3, signer, &said);
                let case =
                    format!("{doors:?}, {method:?}, token by {maker:?}, signed by {author}: {outcome:?}");
                assert_eq!(outcome.as_ref().err().map(|(code, _)| *code), expected, "{case}");
                if let (Err((RefusalCode::DoorNotAllowed, why)), "console_key") = (&outcome, author) {
                    let words = match (doors, method) {
                        (ConsoleDoors::Shut, _) => "the directory has console = false",
                        (ConsoleDoors::Links, Some("page" | "program")) => {
                            "the directory has console = \"links\""
                        }
                        _ => "it must be page, program or link",
                    };
                    assert!(why.contains(words), "{case}");
                }
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 3 * (8 + 3) * 5);
}

#[test]
fn the_consoles_key_cannot_say_that_a_desk_holds_a_notice() {
    let delivered =
        Receipt { stage: ReceiptStage::Delivered, by: None, ..receipt("ofcom", Some("page"), None) };
    assert_eq!(say(&mut day(), 3, "console_key", &delivered).unwrap_err().0, RefusalCode::DoorNotAllowed);
    assert!(say(&mut day(), 3, "ofcom", &delivered).is_ok());
}

#[test]
fn the_console_does_not_speak_for_who_acknowledges_with_its_own_key_alone() {
    let mut story = day();
    let with = token(&story, "kent-fire", 60);
    for said in [receipt("kent-fire", Some("page"), None), receipt("kent-fire", Some("link"), Some(&with))] {
        let (code, why) = say(&mut story, 3, "console_key", &said).unwrap_err();
        assert_eq!(code, RefusalCode::DoorNotAllowed);
        assert!(why.contains("kent-fire acknowledges with its own key alone"), "{why}");
    }
    assert!(say(&mut story, 4, "kent-fire", &receipt("kent-fire", None, None)).is_ok(), "it kept nobody out");
}

#[test]
fn a_link_counts_for_its_recipient_incident_and_event_until_its_time() {
    let story = day();
    let end = story.at(60).as_second();
    let other = |change: fn(&mut Link)| {
        let mut link = link("ofcom", end);
        change(&mut link);
        link.token(key("link_key")).unwrap()
    };
    let good = token(&story, "ofcom", 60);
    let cut = &good[..good.len() - 1];
    let cases: Vec<(&str, Option<String>, i64, Option<RefusalCode>)> = vec![
        ("in time", Some(good.clone()), 3, None),
        ("at the last moment", Some(good.clone()), 60, None),
        ("a second late", Some(good.clone()), 61, Some(RefusalCode::LinkExpired)),
        ("without one", None, 3, Some(RefusalCode::BadLink)),
        ("not whole", Some(cut.to_owned()), 3, Some(RefusalCode::BadLink)),
        ("another recipient's", Some(token(&story, "kent-police", 60)), 3, Some(RefusalCode::BadLink)),
        (
            "of another incident",
            Some(other(|l| l.incident = "y".parse().unwrap())),
            3,
            Some(RefusalCode::BadLink),
        ),
        ("of another event", Some(other(|l| l.event = l.event.next())), 3, Some(RefusalCode::BadLink)),
        ("of whichever step", Some(other(|l| l.step = l.step.next())), 3, None),
        (
            "signed by the console itself",
            Some(link("ofcom", end).token(key("console_key")).unwrap()),
            3,
            Some(RefusalCode::BadLink),
        ),
        (
            "signed by the recipient itself",
            Some(link("ofcom", end).token(key("ofcom")).unwrap()),
            3,
            Some(RefusalCode::BadLink),
        ),
    ];
    for (name, link, second, expected) in cases {
        let said = receipt("ofcom", Some("link"), link.as_deref());
        let outcome = say(&mut day(), second, "console_key", &said);
        assert_eq!(outcome.as_ref().err().map(|(code, _)| *code), expected, "{name}: {outcome:?}");
        if let (Err((_, why)), Some(token)) = (&outcome, link) {
            assert!(!why.contains(&token), "{name}: what lets somebody acknowledge is not repeated: {why}");
        }
        // Who signs with its own key need bring no proof; one that it brings must hold all the same.
        let own = say(&mut day(), second, "ofcom", &said);
        assert_eq!(own.is_ok(), expected.is_none() || said.link.is_none(), "{name}: {own:?}");
    }
}

#[test]
fn without_keys_in_the_directory_there_is_neither_door() {
    let mut story = Story::new();
    story.event(1, "");
    story.follow(2);
    let page = receipt("ofcom", Some("page"), None);
    assert_eq!(say(&mut story, 3, "console_key", &page).unwrap_err().0, RefusalCode::BadSignature);

    let no_links = with_a_console().replacen("link_key", "checkpoint_key", 1);
    let mut story = Story::new();
    story.apply(0, 2, &no_links);
    story.event(1, "");
    story.follow(2);
    let said = receipt("ofcom", Some("link"), Some(&token(&story, "ofcom", 60)));
    assert_eq!(say(&mut story, 3, "console_key", &said).unwrap_err().0, RefusalCode::BadLink);
    assert!(say(&mut story, 4, "console_key", &page).is_ok());
}

#[test]
fn another_link_key_ends_the_links_that_were_sent_before() {
    let mut story = day();
    let sent = token(&story, "ofcom", 3600);
    let rotated = with_a_console().replacen(&key("link_key").public(), &key("old_link").public(), 1);
    story.apply(3, 3, &rotated);
    let said = receipt("ofcom", Some("link"), Some(&sent));
    assert_eq!(say(&mut story, 4, "console_key", &said).unwrap_err().0, RefusalCode::BadLink);
}

#[test]
fn the_console_and_the_desk_race_and_the_first_counts() {
    let (page, desk) = (receipt("ofcom", Some("page"), None), receipt("ofcom", Some("desk"), None));
    for (first, second) in
        [(("console_key", &page), ("ofcom", &desk)), (("ofcom", &desk), ("console_key", &page))]
    {
        let mut story = day();
        assert!(say(&mut story, 3, first.0, first.1).is_ok());
        let (code, why) = say(&mut story, 4, second.0, second.1).unwrap_err();
        assert_eq!(code, RefusalCode::AlreadySaid);
        assert_eq!(
            why,
            "already acknowledged for recipient ofcom at 2023-06-25T05:24:03Z, in other words: the first counts"
        );
        let at =
            story.fold.acknowledgement(&"ofcom".parse().unwrap(), &"x".parse().unwrap(), EventNumber::FIRST);
        assert_eq!(at, Some(story.at(3)));
    }
}

#[test]
fn a_strangers_key_that_is_said_to_be_the_consoles_keeps_nobody_out() {
    let mut story = day();
    let page = receipt("ofcom", Some("page"), None);
    let body = String::from_utf8(to_body("receipt", &page).unwrap().to_vec()).unwrap();
    let subject = page.subject().to_string();
    let mut posing = key("stranger").sign(&subject, body.as_bytes()).unwrap();
    posing.key = key("console_key").public();
    let Verdict::Refused(refusal) = story.say_signed(3, Some(posing), &subject, &body) else { panic!() };
    assert_eq!(refusal.code, RefusalCode::BadSignature);
    assert!(say(&mut story, 4, "console_key", &page).is_ok());
}

#[test]
fn a_receipt_of_an_older_directory_is_judged_by_that() {
    // It opted out after it had acknowledged on the page: what was said then stands.
    let mut story = day();
    assert!(say(&mut story, 3, "console_key", &receipt("ofcom", Some("page"), None)).is_ok());
    let later = with_a_console().replacen("id = \"ofcom\"", "id = \"ofcom\", console = false", 1);
    story.apply(4, 3, &later);
    let at = story.fold.acknowledgement(&"ofcom".parse().unwrap(), &"x".parse().unwrap(), EventNumber::FIRST);
    assert_eq!(at, Some(story.at(3)));
}

fn directory() -> Directory {
    Directory::build(2, check(&texts(&with_a_console(), POLICY)).0.unwrap()).unwrap()
}

#[test]
fn whose_key_it_was_is_told() {
    let directory = directory();
    let signer = |recipient: &str, of: &str| directory.signer(&recipient.parse().unwrap(), &key(of).public());
    assert_eq!(signer("ofcom", "ofcom"), Some(Signer::Recipient));
    assert_eq!(signer("ofcom", "console_key"), Some(Signer::Console));
    assert_eq!(signer("ofcom", "kent-fire"), None);
    let doors = |recipient: &str| directory.console_doors(&recipient.parse().unwrap());
    let all = [doors("ofcom"), doors("kent-police"), doors("kent-fire"), doors("nobody")];
    assert_eq!(all, [ConsoleDoors::Open, ConsoleDoors::Links, ConsoleDoors::Shut, ConsoleDoors::Shut]);
    // Without a console_key what an entry says opens nothing.
    assert_eq!(crate::story::directory().console_doors(&"ofcom".parse().unwrap()), ConsoleDoors::Shut);
}

#[test]
fn a_link_is_read_before_anything_is_said() {
    let (directory, story) = (directory(), day());
    let sent = token(&story, "ofcom", 60);
    assert_eq!(check_link(&directory, &sent, story.at(60)).unwrap(), link("ofcom", story.at(60).as_second()));
    assert_eq!(check_link(&directory, &sent, story.at(61)).unwrap_err().code, RefusalCode::LinkExpired);
    assert_eq!(check_link(&directory, "x", story.at(1)).unwrap_err().code, RefusalCode::BadLink);
}

#[test]
fn a_receipt_written_before_there_were_links_is_read_as_it_was() {
    let body = br#"{"incident":"x","event":1,"recipient":"ofcom","stage":"acknowledged","at":"2023-06-25T06:30:00+01:00","by":{"name":"A","role":"supervisor"},"method":"link"}"#;
    let old: Receipt = from_body("receipt", body).unwrap();
    assert_eq!(old.link, None);
    let mut story = day();
    assert!(matches!(
        story.say(3, Some("ofcom"), &old.subject().to_string(), std::str::from_utf8(body).unwrap()),
        Verdict::Receipt(_)
    ));
}
