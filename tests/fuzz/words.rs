//! Subjects, keys, signatures and signed notes.

use tocsin_fuzz::{Choices, check, text};
use tocsin_protocol::{
    AreaId, AuthorKey, Checkpoint, Error, IncidentId, Link, Signed, SignedCheckpoint, SignedLink, SigningKey,
    Subject, schema::Kind, tree::Head,
};

/// Every form of subject.
const SUBJECTS: [&str; 15] = [
    "tocsin.incident.bt-cha.bt-cha-2023-06-25-0624.1",
    "tocsin.receipt.pol-kent.bt-cha-2023-06-25-0624.1.delivered",
    "tocsin.receipt.pol-kent.bt-cha-2023-06-25-0624.4294967295.acknowledged",
    "tocsin.directory.18446744073709551615",
    "tocsin.refusal.operator.17",
    "tocsin.dispatch.operator.x.1",
    "tocsin.notice.a.x.1",
    "tocsin.window.x.1.1",
    "tocsin.due.x.1.2",
    "tocsin.finding.x.1.2",
    "tocsin.escalation.a.x.1.2",
    "tocsin.attempt.a.x.1.2.1.begun",
    "tocsin.attempt.a.x.1.2.3.ended",
    "tocsin.checkpoint.1",
    "tocsin.incident.*.>.1",
];

#[test]
fn a_subject_that_is_read_prints_as_it_was() {
    let seeds = SUBJECTS.iter().map(|subject| subject.as_bytes().to_vec()).collect();
    check("subject", seeds, |bytes| {
        let text = text(bytes);
        match text.parse::<Subject>() {
            Ok(subject) => {
                assert_eq!(subject.to_string(), text);
                assert!(text.len() < 512 && text.bytes().all(|byte| byte.is_ascii_graphic()));
                assert!(!text.contains(['*', '>']), "a wildcard is no fact");
                let _ = Kind::of(&subject);
            }
            Err(why) => assert!(why.to_string().chars().count() < 1_000, "{why}"),
        }
        if let Ok(id) = IncidentId::new(&text) {
            assert_eq!(id.as_str(), text);
        }
        let _ = AreaId::new(&text);
    });
}

#[test]
fn no_key_or_signature_but_the_true_one_verifies() {
    let key = SigningKey::generate();
    let public = key.public();
    let author = AuthorKey::new(&public).unwrap();
    let (subject, body) = ("tocsin.incident.bt.x.1", b"{}");
    let signed = key.sign(subject, body).unwrap();
    let seed = key.seed().unwrap();
    let seeds = vec![b"\x01\x05\x01".to_vec(), public.clone().into_bytes(), seed.clone().into_bytes()];
    check("key", seeds, |bytes| {
        let text = text(bytes);
        if let Ok(known) = AuthorKey::new(&text) {
            assert_eq!(known.as_str(), text);
            assert!(known.verify(subject, body, &signed).is_err() || text == public);
        }
        if let Err(why) = SigningKey::from_seed(&text) {
            assert!(!text.starts_with("SU") || text.len() < 4 || !why.to_string().contains(text.as_ref()));
        }
        let mut choices = Choices::new(bytes);
        let changed = |choices: &mut Choices<'_>, text: &str| {
            String::from_utf8_lossy(&choices.changed(text.as_bytes())).into_owned()
        };
        let other = Signed {
            key: changed(&mut choices, &public),
            signature: changed(&mut choices, &signed.signature),
        };
        assert_eq!(author.verify(subject, body, &other).is_ok(), other == signed, "{other:?}");
        let (under, of) = (changed(&mut choices, subject), choices.changed(body));
        let same = under == subject && of == body;
        assert_eq!(author.verify(&under, &of, &signed).is_ok(), same);
        let _ = SigningKey::from_seed(&changed(&mut choices, &seed));
    });
}

#[test]
fn a_link_that_is_read_and_verifies_lets_what_was_signed() {
    let key = SigningKey::generate();
    let author = AuthorKey::new(&key.public()).unwrap();
    let link = Link {
        recipient: "pol-kent".parse().unwrap(),
        incident: "bt-cha-2023-06-25-0624".parse().unwrap(),
        event: "1".parse().unwrap(),
        step: "2".parse().unwrap(),
        expires_at: "2023-06-26T05:45:00Z".parse().unwrap(),
    };
    let token = link.token(&key).unwrap();
    let words_of_ours = b"the link does not hold: it is n".to_vec();
    check("link", vec![token.clone().into_bytes(), words_of_ours], |bytes| {
        let text = text(bytes);
        let changed = String::from_utf8_lossy(&Choices::new(bytes).changed(token.as_bytes())).into_owned();
        for text in [text.as_ref(), &changed] {
            match SignedLink::read(text) {
                Ok(read) => assert_eq!(read.verify(&author).is_ok(), text == token, "{read:?}"),
                // What is said of it was written before anybody had it, and so repeats none of it.
                Err(Error::Link { why }) => {
                    let _: &'static str = why;
                }
                Err(other) => panic!("{other}"),
            }
        }
    });
}

#[test]
fn a_note_that_is_read_and_verifies_says_what_was_signed() {
    let key = SigningKey::generate();
    let author = AuthorKey::new(&key.public()).unwrap();
    let checkpoint = Checkpoint { log: Head::of_nothing(), said: Head::of_nothing() };
    let note = checkpoint.note(&key).unwrap();
    check("note", vec![note.clone().into_bytes()], |bytes| {
        let Ok(read) = SignedCheckpoint::read(bytes) else { return };
        assert!(read.verify(&author).is_err() || read.checkpoint == checkpoint);
    });
}
