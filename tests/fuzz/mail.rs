//! The mail of an escalation, whatever the event in it says.

use tocsin_fuzz::{check, files, text};
use tocsin_notifier::{Config, Letterhead, Mail, Told};
use tocsin_protocol::{Escalation, Event, from_body};

fn letterhead() -> Letterhead {
    let config: Config = toml::from_str(
        "from = \"Tocsin <tocsin@operator.example>\"\nmessage_id_domain = \"operator.example\"\nrelays = []\n",
    )
    .unwrap();
    config.letterhead().unwrap()
}

/// Between the two bodies of one input: JSON has no use for it.
const NEXT: char = '\u{1e}';

#[test]
fn no_word_of_a_stranger_adds_a_header_or_a_part_to_a_mail() {
    let escalations = files("schemas/examples/valid", "escalation-", ".json");
    let events = files("schemas/examples/valid", "event-", ".json");
    let pairs = escalations.iter().cycle().zip(&events);
    let seeds = pairs.map(|(escalation, event)| [&escalation[..], b"\x1e", event].concat()).collect();
    let letterhead = letterhead();
    check("mail", seeds, |bytes| {
        let all = text(bytes);
        let (escalation, event) = all.split_once(NEXT).unwrap_or((&all, ""));
        let Ok(escalation) = from_body::<Escalation>("escalation", escalation.as_bytes()) else { return };
        let event = from_body::<Event>("event", event.as_bytes()).ok();
        let told = Told {
            escalation: &escalation,
            escalated_at: escalation.due_at,
            event: event.as_ref(),
            published_at: Some(escalation.due_at),
            directory: None,
        };
        let Ok(mail) = Mail::render(&told, &letterhead) else { return };
        let whole = String::from_utf8(mail.bytes).unwrap();
        assert!(whole.is_ascii() || !escalation.to.email.is_ascii(), "{whole}");
        let long = whole.lines().find(|line| line.len() > 998);
        assert_eq!(long, None, "RFC 5322, 2.1.1");
        assert!(!whole.replace("\r\n", "").contains(['\r', '\n']), "a bare line break");
        let (headers, body) = whole.split_once("\r\n\r\n").unwrap();
        for name in ["To", "From", "Subject", "Date", "Message-ID", "Content-Type", "X-Tocsin-Status"] {
            let begins =
                |line: &&str| line.split_once(':').is_some_and(|(n, _)| n.eq_ignore_ascii_case(name));
            assert_eq!(headers.split("\r\n").filter(begins).count(), 1, "{name}: {headers}");
        }
        let known = ["bcc", "cc", "reply-to", "sender", "return-path"];
        let extra =
            |line: &str| known.iter().any(|name| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
        assert!(!headers.split("\r\n").any(extra), "{headers}");
        let boundary = headers.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        assert_eq!(body.split("\r\n").filter(|line| line.starts_with(&format!("--{boundary}"))).count(), 3);
    });
}
