//! Bundles: whatever is done to a file, it is read or not, and what is read has a verdict.

use tocsin_audit::{Bundle, verify};
use tocsin_fuzz::check;
use tocsin_protocol::{
    Checkpoint, DirectoryDocument, Entry, NewFact, SigningKey, Stream, Subject, leaf, to_body,
    tree::{Frontier, Head},
};

/// A directory that lets checkpoints be signed, and two of them.
fn honest() -> Vec<u8> {
    let key = SigningKey::generate();
    let document = DirectoryDocument {
        name: "x".to_owned(),
        time_zone: "UTC".to_owned(),
        directory_key: None,
        checkpoint_key: Some(key.public()),
        console_key: None,
        link_key: None,
        areas: Vec::new(),
        monitors: Vec::new(),
        exercises: Vec::new(),
        publishers: Vec::new(),
        recipients: Vec::new(),
        policies: Vec::new(),
    };
    let body = to_body("directory", &document).unwrap();
    let directory = NewFact { subject: Subject::Directory { version: 1 }, body, schedule: None };
    let (mut entries, mut log) = (Vec::new(), Frontier::new());
    let mut append = |fact: NewFact, log: &mut Frontier| {
        let entry = Entry {
            stream: Stream::Log,
            sequence: log.size() + 1,
            time: "2023-06-25T05:24:00Z".parse().unwrap(),
            subject: fact.subject.to_string(),
            signed: None,
            said_through: None,
            body: fact.body,
        };
        log.push(leaf(&entry).unwrap());
        entries.push(entry);
    };
    append(directory, &mut log);
    for _ in 0..2 {
        let checkpoint = Checkpoint { log: log.head(), said: Head::of_nothing() };
        append(checkpoint.fact(&key).unwrap(), &mut log);
    }
    let bundle = Bundle::of(&entries, None).unwrap();
    assert_eq!(verify(&bundle, &[]).faults, []);
    let mut file = Vec::new();
    bundle.write(&mut file).unwrap();
    file
}

#[test]
fn any_file_is_read_or_refused_and_what_is_read_has_a_verdict() {
    check("bundle", vec![honest()], |bytes| {
        let Ok(bundle) = Bundle::read(bytes) else { return };
        let verdict = verify(&bundle, &[]);
        assert!(verdict.faults.len() <= 1_001);
        let mut file = Vec::new();
        bundle.write(&mut file).unwrap();
        let again = Bundle::read(&file[..]).unwrap();
        assert_eq!((again.entries, again.links), (bundle.entries, bundle.links), "what is written is read");
    });
}
