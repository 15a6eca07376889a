//! A notice at the desk: read, shown, and made fit for a terminal.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use tocsin_desk::{Arrived, Delivered, View, clean, read_notice, show};
use tocsin_duty::Course;
use tocsin_fuzz::{check, files, text};
use tocsin_protocol::{Entry, Event, Notice, SigningKey, Stream, Subject, Timestamp, from_body, to_body};

const RECIPIENT: &str = "pol-west-mercia";

fn now() -> Timestamp {
    "2023-06-25T05:33:00.5Z".parse().unwrap()
}

fn entry(subject: String, body: Vec<u8>) -> Entry {
    let (stream, sequence, time) = (Stream::Log, 40, now());
    Entry { stream, sequence, time, subject, signed: None, said_through: None, body: body.into() }
}

/// No sequence that a terminal would obey, but our own colours.
fn fit(page: &str) {
    let bare = page.replace("\u{1b}[1m", "").replace("\u{1b}[1;7m", "").replace("\u{1b}[1;31m", "");
    let bare = bare.replace("\u{1b}[0m", "");
    assert!(!bare.chars().any(|c| c.is_control() && c != '\n'), "{bare:?}");
    assert!(!bare.contains(['\u{202e}', '\u{2066}', '\u{feff}', '\u{ad}', '\u{200b}']), "{bare:?}");
}

#[test]
fn a_notice_is_believed_or_told_why_not() {
    let mut seeds = files("schemas/examples/valid", "notice-", ".json");
    seeds.extend(files("schemas/examples/invalid", "notice-", ".json"));
    check("notice", seeds, |body| {
        let Ok(notice) = from_body::<Notice>("notice", body) else {
            let subject = format!("tocsin.notice.{RECIPIENT}.x.1");
            let unfit =
                read_notice(&entry(subject, body.to_vec()), &RECIPIENT.parse().unwrap(), &BTreeMap::new());
            return fit(&unfit.unwrap_err().to_string());
        };
        let Notice { recipient, incident, event, .. } = notice;
        let subject = Subject::Notice { recipient: recipient.clone(), incident, event }.to_string();
        if let Err(unfit) = read_notice(&entry(subject, body.to_vec()), &recipient, &BTreeMap::new()) {
            fit(&unfit.to_string());
        }
    });
}

#[test]
fn whatever_an_event_says_its_page_only_shows() {
    let key = SigningKey::generate();
    let notice = files("schemas/examples/valid", "notice-required", ".json").remove(0);
    let notice: Notice = from_body("notice", notice.trim_ascii()).unwrap();
    check("page", files("schemas/examples/valid", "event-", ".json"), |body| {
        let Ok(event) = from_body::<Event>("event", body) else { return };
        let body = to_body("event", &event).unwrap();
        let signed = key.sign(&event.subject().to_string(), &body).unwrap();
        let notice = Notice {
            incident: event.incident.clone(),
            event: event.sequence,
            status: event.status,
            key: signed.key,
            signature: signed.signature,
            said_body: serde_json::from_slice(&body).unwrap(),
            ..notice.clone()
        };
        let recipient = notice.recipient.clone();
        let subject = Subject::Notice {
            recipient: recipient.clone(),
            incident: notice.incident.clone(),
            event: event.sequence,
        };
        let entry = entry(subject.to_string(), to_body("notice", &notice).unwrap().to_vec());
        let read = read_notice(&entry, &recipient, &BTreeMap::new()).unwrap();
        let zone = TimeZone::get("Europe/London").unwrap();
        for delivered in
            [Delivered::Said(now()), Delivered::Before(now()), Delivered::NotSaid(event.headline.clone())]
        {
            let arrived = Arrived {
                read: read.clone(),
                delivered,
                superseded_by: Some(event.sequence),
                before: Course::Resolved,
            };
            for (width, colour) in [(0, false), (40, true), (200, true)] {
                let page = show(&arrived, &View { now: now(), zone: &zone, width, colour });
                fit(&page);
                assert!(colour || !page.contains('\u{1b}'));
            }
        }
    });
}

#[test]
fn cleaned_text_is_fit_to_be_shown_and_of_its_width() {
    let seeds =
        ["a\u{1b}[31;1mred\u{1b}[0m", "a\u{9b}2Jb\u{9d}0;x\u{7}c", "a\u{1b}]0;t\u{1b}\\b\r\nc\u{2028}d"];
    check("clean", seeds.map(|seed| seed.as_bytes().to_vec()).to_vec(), |bytes| {
        let text = text(bytes);
        for width in [0, 1, 7, 80] {
            let line = clean::line(&text, width);
            assert!(!line.contains('\n') && line.chars().count() <= width + 3, "{line:?}");
            fit(&line);
            for line in clean::wrapped(&text, width) {
                assert!(!line.contains('\n') && line.chars().count() <= width.max(1), "{line:?}");
                fit(&line);
            }
        }
    });
}
