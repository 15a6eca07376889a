//! What an escalation's mail says, as its receiver reads it.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without")]

use std::{fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _};

use mail_parser::{MessageParser, MimeHeaders};
use tocsin_duty::Directory;
use tocsin_notifier::{Config, Letterhead, Mail, Told};
use tocsin_protocol::{
    AuthorKey, ConsoleDoors, DirectoryDocument, Escalation, EscalationReason, Event, Reach, SignedLink,
    SigningKey, Status, Timestamp, Via, from_body,
};

fn letterhead() -> Letterhead {
    let config: Config = toml::from_str(
        r#"
        from = "Tocsin <tocsin@operator.example>"
        reply_to = "duty@operator.example"
        message_id_domain = "tocsin.operator.example"
        phone = "0800 000 000"
        relays = []
        "#,
    )
    .unwrap();
    config.letterhead().unwrap()
}

fn event() -> Event {
    from_body("event", include_bytes!("data/event.json")).unwrap()
}

fn directory() -> DirectoryDocument {
    toml::from_str(include_str!("data/directory.toml")).unwrap()
}

fn escalation() -> Escalation {
    from_body("escalation", include_bytes!("data/escalation.json")).unwrap()
}

fn built(document: &DirectoryDocument) -> Directory {
    Directory::build(1, document.clone()).unwrap()
}

fn render(escalation: &Escalation, event: Option<&Event>, directory: Option<&DirectoryDocument>) -> Mail {
    let directory = directory.map(built);
    let told = Told {
        escalation,
        escalated_at: at("2023-06-25T05:45:00.0008Z"),
        event,
        published_at: event.map(|_| at("2023-06-25T05:30:00.25Z")),
        directory: directory.as_ref(),
    };
    Mail::render(&told, &letterhead()).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The mail as a receiver sees it: headers as they came, then both parts decoded.
fn shown(mail: &Mail) -> String {
    let text = std::str::from_utf8(&mail.bytes).unwrap();
    let (headers, _) = text.split_once("\r\n\r\n").unwrap();
    let parsed = MessageParser::default().parse(&mail.bytes).unwrap();
    let plain = parsed.body_text(0).unwrap();
    format!("{}\n\n{}", headers.replace("\r\n", "\n"), plain.replace("\r\n", "\n"))
}

fn html(mail: &Mail) -> String {
    MessageParser::default().parse(&mail.bytes).unwrap().body_html(0).unwrap().into_owned()
}

#[test]
fn an_actual_incident() {
    let mail = render(&escalation(), Some(&event()), Some(&directory()));
    insta::assert_snapshot!("actual", shown(&mail));
    insta::assert_snapshot!("actual_html", html(&mail));
}

#[test]
fn a_digest_tells_of_each_notice_what_it_is_and_how_it_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (letterhead, directory) = with_links(dir.path());
    let directory = built(&directory);
    let (first, event) = (escalation(), event());
    let second = Escalation {
        incident: "ee-101-2023-06-25".parse().unwrap(),
        step: "2".parse().unwrap(),
        due_at: at("2023-06-25T06:45:00Z"),
        ..first.clone()
    };
    let other = Event {
        incident: second.incident.clone(),
        headline: "101 calls fail\r\nBcc: thief@evil.example".to_owned(),
        instruction: Some("Use the other line. ".repeat(100)),
        ..event.clone()
    };
    let withheld = Event { marking: Some("OFFICIAL-SENSITIVE".to_owned()), ..other.clone() };
    let third = Escalation { incident: "kcom-999".parse().unwrap(), ..second.clone() };
    let fourth = Escalation { incident: "gone".parse().unwrap(), ..second.clone() };
    let told = |escalation, event: Option<&'static Event>| Told {
        escalation,
        escalated_at: at("2023-06-25T05:45:00.0008Z"),
        event,
        published_at: event.map(|_| at("2023-06-25T05:30:00.25Z")),
        directory: None,
    };
    let leak = |event| Some(&*Box::leak(Box::new(event)));
    let all = [
        told(&first, leak(event)),
        told(&second, leak(other)),
        told(&third, leak(withheld)),
        told(&fourth, None),
    ];
    let all = all.map(|told| Told { directory: Some(&directory), ..told });
    let mail = Mail::digest(&all, 1, &letterhead).unwrap();
    assert_eq!(mail.bytes, Mail::digest(&all, 1, &letterhead).unwrap().bytes, "the same mail each time");
    insta::assert_snapshot!("digest", shown(&mail));
    insta::assert_snapshot!("digest_html", html(&mail));
    let plain = shown(&mail);
    let links: std::collections::BTreeSet<_> =
        plain.lines().map(str::trim).filter(|line| line.starts_with("https://")).collect();
    assert_eq!(links.len(), 4, "each has a link of its own");
    assert!(Mail::digest(&[], 0, &letterhead).is_err());
}

/// A letterhead whose mails have a link, and a directory that lets it.
fn with_links(dir: &std::path::Path) -> (Letterhead, DirectoryDocument) {
    let seed = nkeys::KeyPair::new_from_raw(nkeys::KeyPairType::User, [7; 32]).unwrap().seed().unwrap();
    let key = dir.join("link_key.nk");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&key).unwrap();
    writeln!(file, "{seed}").unwrap();
    let config = format!(
        "from = 'Tocsin <tocsin@operator.example>'\nmessage_id_domain = 'tocsin.operator.example'\nrelays = []\n\
         phone = '0800 000 000'\nlink = {{ url = 'https://tocsin.operator.example/', key = '{}' }}",
        key.display()
    );
    let config: Config = toml::from_str(&config).unwrap();
    let mut directory = directory();
    directory.link_key = Some(SigningKey::from_seed(&seed).unwrap().public());
    directory.console_key = Some(SigningKey::generate().public());
    let known = "id = 'pol-west-mercia'\nname = 'West Mercia Police'\nkind = 'police-territorial'\nareas = ['west-mercia']";
    directory.recipients = vec![toml::from_str(known).unwrap()];
    (config.letterhead().unwrap(), directory)
}

fn render_with(letterhead: &Letterhead, directory: &DirectoryDocument) -> Mail {
    let (escalation, event, directory) = (escalation(), event(), built(directory));
    let told = Told {
        escalation: &escalation,
        escalated_at: at("2023-06-25T05:45:00.0008Z"),
        event: Some(&event),
        published_at: None,
        directory: Some(&directory),
    };
    Mail::render(&told, letterhead).unwrap()
}

#[test]
fn a_mail_has_a_link_that_acknowledges_without_an_account_and_is_the_same_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let (letterhead, directory) = with_links(dir.path());
    let mail = render_with(&letterhead, &directory);
    assert_eq!(
        mail.bytes,
        render_with(&letterhead, &directory).bytes,
        "a mail that is sent again is the same mail"
    );
    insta::assert_snapshot!("with_a_link", shown(&mail));
    insta::assert_snapshot!("with_a_link_html", html(&mail));
    let plain = shown(&mail);
    let url = plain.lines().map(str::trim).find(|line| line.starts_with("https://")).unwrap();
    let token = url.strip_prefix("https://tocsin.operator.example/a/").unwrap();
    let signed = SignedLink::read(token).unwrap();
    let key = directory.link_key.as_deref().unwrap();
    signed.verify(&AuthorKey::new(key).unwrap()).unwrap();
    assert_eq!(
        signed.link.expires_at,
        at("2023-06-26T05:45:00Z"),
        "a day from the broker's time of the escalation"
    );
    assert_eq!((signed.link.recipient, signed.link.event), (escalation().recipient, escalation().event));
    assert!(html(&mail).contains(&format!("href=\"{url}\"")), "both parts have the same link");
}

/// One way to alter it.
type Change = fn(&mut DirectoryDocument);

#[test]
fn a_link_that_would_lead_to_nothing_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let (letterhead, directory) = with_links(dir.path());
    let cases: [(&str, Change); 4] = [
        ("another key signs links", |d| d.link_key = Some(SigningKey::generate().public())),
        ("no key signs links", |d| d.link_key = None),
        ("there is no console", |d| d.console_key = None),
        ("it acknowledges with its own key alone", |d| d.recipients[0].console = ConsoleDoors::Shut),
    ];
    for (why, change) in cases {
        let mut other = directory.clone();
        change(&mut other);
        let mail = render_with(&letterhead, &other);
        assert!(!shown(&mail).contains("https://") && !html(&mail).contains("href"), "{why}");
    }
}

#[test]
fn who_acknowledges_by_links_alone_has_one_in_its_mail() {
    let dir = tempfile::tempdir().unwrap();
    let (letterhead, mut directory) = with_links(dir.path());
    let as_ever = shown(&render_with(&letterhead, &directory));
    directory.recipients[0].console = ConsoleDoors::Links;
    assert!(as_ever.contains("https://"));
    assert_eq!(shown(&render_with(&letterhead, &directory)), as_ever);
}

#[test]
fn an_exercise_and_a_test_are_marked_wherever_one_looks() {
    for (status, word) in [(Status::Exercise, "EXERCISE EXERCISE EXERCISE - "), (Status::Test, "TEST - ")] {
        let mail = render(
            &Escalation { status, ..escalation() },
            Some(&Event { status, ..event() }),
            Some(&directory()),
        );
        assert!(mail.subject.starts_with(word), "{}", mail.subject);
        let parsed = MessageParser::default().parse(&mail.bytes).unwrap();
        assert!(parsed.subject().unwrap().starts_with(word));
        assert!(
            parsed.body_text(0).unwrap().starts_with(&format!("*** {word}this is not a real incident ***"))
        );
        assert!(html(&mail).contains(&format!("{word}this is not a real incident")));
        assert_eq!(parsed.header("X-Tocsin-Status").unwrap().as_text(), Some(status.as_str()));
    }
    let actual = render(&escalation(), Some(&event()), None);
    assert!(!String::from_utf8(actual.bytes).unwrap().to_uppercase().contains("EXERCISE"));
}

#[test]
fn the_second_contact_is_told_that_the_first_cannot_be_reached() {
    let reason = EscalationReason::Unreachable;
    let later = Escalation { reason, due_at: at("2023-06-25T06:30:00Z"), ..escalation() };
    let mail = render(&later, Some(&event()), None);
    let text = shown(&mail);
    assert!(text.contains("The contact of the step before cannot be reached by e-mail"), "{text}");
    assert!(text.contains("An acknowledgement is due by"), "{text}");
}

#[test]
fn a_publisher_is_reminded_of_the_update_that_it_promised_in_a_mail_that_asks_for_no_acknowledgement() {
    let overdue = Escalation { reason: EscalationReason::Overdue, policy: None, ..escalation() };
    let text = shown(&render(&overdue, Some(&event()), Some(&directory())));
    assert!(text.contains("Subject: OVERDUE: the update that was promised"), "{text}");
    assert!(text.contains("promised to say more by") && text.contains("--update"), "{text}");
    assert!(!text.contains("tocsin ack") && !text.contains("999 calls"), "{text}");
    let sensitive = Event { marking: Some("OFFICIAL-SENSITIVE".to_owned()), ..event() };
    let mail = render(&overdue, Some(&sensitive), Some(&directory()));
    assert!(!format!("{}{}", mail.subject, html(&mail)).contains("999 calls"));
    let owed =
        Escalation { policy: escalation().policy, duty: Some("first-notice".parse().unwrap()), ..overdue };
    let text = shown(&render(&owed, Some(&event()), None));
    assert!(text.contains("OVERDUE: a report that is owed"), "{text}");
}

#[test]
fn a_buddy_is_told_for_whom_it_is_written_to() {
    let via =
        Via { recipient: "pol-gwent".parse().unwrap(), name: "Gwent Police".to_owned(), reach: Reach::Buddy };
    let text = shown(&render(&Escalation { via: Some(via), ..escalation() }, Some(&event()), None));
    assert!(text.contains("You are written to in its stead, as its buddy authority"), "{text}");
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("of Gwent Police, which is written to for"), "{flat}");
}

#[test]
fn a_sensitive_event_is_pointed_to_and_not_told() {
    for marking in ["OFFICIAL-SENSITIVE", "official sensitive - commercial", "SECRET", "TLP:AMBER+STRICT"] {
        let event = Event { marking: Some(marking.to_owned()), ..event() };
        let mail = render(&escalation(), Some(&event), Some(&directory()));
        let all = format!("{}{}{}", mail.subject, shown(&mail), html(&mail));
        for told in ["999 calls", "Buddy", "Dial 112", "11,470", "West Mercia area", "999-voice"] {
            assert!(!all.contains(told), "{marking}: {told}: {all}");
        }
        assert!(mail.subject.contains(marking), "{}", mail.subject);
    }
    let event = Event { marking: Some("OFFICIAL-SENSITIVE".to_owned()), ..event() };
    insta::assert_snapshot!("sensitive", shown(&render(&escalation(), Some(&event), Some(&directory()))));
    let plain = Event { marking: Some("OFFICIAL".to_owned()), ..event };
    let mail = render(&escalation(), Some(&plain), None);
    assert!(mail.subject.starts_with("OFFICIAL - 999 calls"), "{}", mail.subject);
}

#[test]
fn an_event_that_cannot_be_read_is_told_of_all_the_same() {
    insta::assert_snapshot!("unreadable", shown(&render(&escalation(), None, None)));
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    let (escalation, event, directory) = (escalation(), event(), directory());
    let once = render(&escalation, Some(&event), Some(&directory));
    assert_eq!(once.bytes, render(&escalation, Some(&event), Some(&directory)).bytes);
    assert_eq!(once.message_id, "<bt-999-2023-06-25.1.1.pol-west-mercia@tocsin.operator.example>");
}

#[test]
fn mails_of_one_incident_to_one_recipient_are_one_thread() {
    let first = render(&escalation(), Some(&event()), None);
    let second = render(&Escalation { step: "2".parse().unwrap(), ..escalation() }, Some(&event()), None);
    let thread = |mail: &Mail| {
        let parsed = MessageParser::default().parse(&mail.bytes).unwrap();
        let references = parsed.references().as_text().unwrap().to_owned();
        assert_eq!(parsed.in_reply_to().as_text().unwrap(), references);
        (references, parsed.message_id().unwrap().to_owned())
    };
    let ((first_thread, first_id), (second_thread, second_id)) = (thread(&first), thread(&second));
    assert_eq!(first_thread, second_thread);
    assert_ne!(first_id, second_id);
}

#[test]
fn no_text_from_outside_becomes_a_header_a_part_or_markup() {
    let evil = "x\r\nBcc: thief@evil.example\r\n\r\n<script>alert(1)</script>\u{202e}\0\n.\r\n--=_1.1.bt-999-2023-06-25--\n";
    let mut event = event();
    event.headline = evil.to_owned();
    event.description = Some(evil.repeat(3));
    event.instruction = Some(evil.to_owned());
    event.public_advice = Some(evil.to_owned());
    event.marking = Some(evil.to_owned());
    if let Some(contact) = &mut event.contact {
        contact.role = evil.to_owned();
        contact.phone = Some(evil.to_owned());
        contact.email = Some(evil.to_owned());
    }
    let mut escalation =
        Escalation { recipient_name: evil.to_owned(), time_zone: evil.to_owned(), ..escalation() };
    escalation.contact = evil.to_owned();
    escalation.to.role = evil.to_owned();
    let mail = render(&escalation, Some(&event), Some(&directory()));

    assert!(mail.bytes.is_ascii());
    assert!(
        !mail.bytes.windows(5).any(|five| five == b"\r\n.\r\n"),
        "lettre stuffs dots, but nobody should need to"
    );
    let parsed = MessageParser::default().parse(&mail.bytes).unwrap();
    assert!(parsed.bcc().is_none());
    let mut names: Vec<_> = parsed.headers().iter().map(|header| header.name().to_owned()).collect();
    names.sort();
    insta::assert_snapshot!(names.join(" "), @"Auto-Submitted Content-Type Date From Importance In-Reply-To MIME-Version Message-ID References Reply-To Subject To X-Auto-Response-Suppress X-Tocsin-Event X-Tocsin-Incident X-Tocsin-Recipient X-Tocsin-Status X-Tocsin-Step");
    assert_eq!(parsed.parts.len(), 3, "the whole, plain text, HTML");
    assert_eq!(parsed.to().unwrap().first().unwrap().address(), Some("duty@pol-west-mercia.example"));
    assert_eq!(parsed.to().unwrap().iter().count(), 1);
    assert!(!parsed.subject().unwrap().contains(['\r', '\n', '\u{202e}']));
    let html = html(&mail);
    assert!(!html.contains("<script"), "{html}");
    for line in parsed.body_text(0).unwrap().lines() {
        assert!(!line.starts_with("Bcc:"), "{line}");
    }
}

#[test]
fn a_mail_stays_small_whatever_it_is_told() {
    let mut event = event();
    event.headline = "long ".repeat(100_000);
    event.description = Some("żółw\n".repeat(100_000));
    event.instruction = event.description.clone();
    event.public_advice = event.description.clone();
    event.areas = (0..10_000).map(|n| format!("area-{n}").parse().unwrap()).collect();
    event.impact.as_mut().unwrap().by_area = event.areas.iter().map(|area| (area.clone(), 1)).collect();
    let escalation = Escalation { recipient_name: "name ".repeat(10_000), ..escalation() };
    let mail = render(&escalation, Some(&event), Some(&directory()));
    assert!(mail.bytes.len() < 300_000, "{}", mail.bytes.len());
    assert!(mail.subject.chars().count() < 400);
    let parsed = MessageParser::default().parse(&mail.bytes).unwrap();
    assert!(parsed.attachments().all(|part| part.content_type().is_some()));
    for line in mail.bytes.split(|b| *b == b'\n') {
        assert!(line.len() <= 998, "RFC 5322 2.1.1: {}", line.len());
    }
}

#[test]
fn the_longest_identifiers_stay_whole_in_every_header() {
    let long = "x".repeat(64);
    let escalation =
        Escalation { incident: long.parse().unwrap(), recipient: long.parse().unwrap(), ..escalation() };
    let mail = render(&escalation, Some(&event()), None);
    let parsed = MessageParser::default().parse(&mail.bytes).unwrap();
    assert_eq!(format!("<{}>", parsed.message_id().unwrap()), mail.message_id);
    assert_eq!(parsed.header("X-Tocsin-Incident").unwrap().as_text(), Some(long.as_str()));
    assert!(parsed.subject().unwrap().ends_with(&format!("[{long}/1 step 1]")), "{:?}", parsed.subject());
    assert_eq!(parsed.parts.len(), 3);
}

#[test]
fn an_address_that_is_none_is_refused_with_the_reason() {
    for bad in
        ["", "nobody", "a@b@c", "a@b.example\r\nRCPT TO:<c@d.example>", "a b@c.example", "<a@b.example>"]
    {
        let mut escalation = escalation();
        escalation.to.email = bad.to_owned();
        let told = Told {
            escalation: &escalation,
            escalated_at: at("2023-06-25T05:45:00Z"),
            event: None,
            published_at: None,
            directory: None,
        };
        let refused = Mail::render(&told, &letterhead()).unwrap_err().to_string();
        assert!(refused.contains("is no mail address"), "{bad:?}: {refused}");
    }
}
