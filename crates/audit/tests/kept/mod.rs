//! Records that earlier releases wrote, kept as they were written: whatever is changed, they must be read, verified and
//! folded as they were then. A record is kept for years, and nobody rewrites it.
//!
//! Each file is a bundle of everything (`tocsin audit export --all`), named by its release. To add the one of a release,
//! see README.md beside them; none is ever changed or removed.

mod form;

use std::{collections::BTreeSet, fs, io::BufReader, path::Path};

use tocsin_audit::{Bundle, Told, verify};
use tocsin_duty::{Fold, Verdict};
use tocsin_protocol::{Entry, EventKind, ReceiptStage, Status, Subject, from_body, schema::Kind};

fn records() -> Vec<(String, Bundle)> {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept");
    let mut records = Vec::new();
    for file in fs::read_dir(kept).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|end| end == "bundle") {
            let release = file.file_stem().unwrap().to_string_lossy().into_owned();
            records.push((release, Bundle::read(BufReader::new(fs::File::open(&file).unwrap())).unwrap()));
        }
    }
    records.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!records.is_empty());
    records
}

fn entries(bundle: &Bundle) -> Vec<&Entry> {
    bundle.entries.iter().map(|proven| &proven.entry).collect()
}

#[test]
fn the_record_of_every_release_verifies_and_tells_what_it_told() {
    for (release, bundle) in records() {
        let verdict = verify(&bundle, &[]);
        assert!(verdict.faults.is_empty(), "{release}: {:#?}", verdict.faults);
        let told = serde_json::to_string_pretty(&Told::of(&bundle, &verdict)).unwrap();
        insta::assert_snapshot!(release, told);
    }
}

#[test]
fn the_record_of_every_release_is_folded_to_what_was_folded_then_and_owes_nothing() {
    for (release, bundle) in records() {
        let mut fold = Fold::new();
        let (mut counted, mut refused) = (0, BTreeSet::new());
        for entry in entries(&bundle) {
            match fold.apply(entry) {
                Verdict::Refused(refusal) => drop(refused.insert((entry.sequence, refusal.code))),
                Verdict::Foreign => panic!("{release}: {} is no fact of ours any more", entry.subject),
                _ => counted += 1,
            }
        }
        // Who holds the record's refusals agrees with what is refused today.
        let written: BTreeSet<_> = entries(&bundle)
            .into_iter()
            .filter_map(|entry| match entry.subject.parse() {
                Ok(Subject::Refusal { said, .. }) => {
                    let refusal: tocsin_protocol::Refusal = from_body("refusal", &entry.body).unwrap();
                    Some((said, refusal.code))
                }
                _ => None,
            })
            .collect();
        assert_eq!(refused, written, "{release}");
        assert_eq!(counted + refused.len(), bundle.entries.len(), "{release}");
        let owed = fold.follows();
        assert!(owed.is_empty(), "{release}: {owed:#?}");
    }
}

#[test]
fn a_record_is_kept_of_every_sort_of_fact() {
    let records = records();
    let (mut kinds, mut checkpoint) = (BTreeSet::new(), false);
    let (mut said, mut stages, mut statuses) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for entry in records.iter().flat_map(|(_, bundle)| entries(bundle)) {
        let Ok(subject) = entry.subject.parse::<Subject>() else { continue };
        kinds.extend(Kind::of(&subject));
        match &subject {
            Subject::Checkpoint { .. } => checkpoint = true,
            Subject::Receipt { stage, .. } => drop(stages.insert(format!("{stage:?}"))),
            Subject::Incident { .. } => {
                if let Ok(event) = from_body::<tocsin_protocol::Event>("event", &entry.body) {
                    said.insert(event.kind.to_string());
                    statuses.insert(event.status.to_string());
                }
            }
            _ => {}
        }
    }
    let lack: Vec<_> =
        Kind::ALL.iter().filter(|kind| kind.is_on_the_bus() && !kinds.contains(kind)).collect();
    assert!(lack.is_empty(), "no record is kept of {lack:?}: see README.md in {}", "tests/kept");
    assert!(checkpoint);
    for kind in [
        EventKind::Initial,
        EventKind::Update,
        EventKind::Resolved,
        EventKind::Correction,
        EventKind::Cancelled,
        EventKind::SentInError,
    ] {
        assert!(said.contains(&kind.to_string()), "{kind}");
    }
    for stage in [ReceiptStage::Delivered, ReceiptStage::Acknowledged] {
        assert!(stages.contains(&format!("{stage:?}")), "{stage:?}");
    }
    for status in [Status::Actual, Status::Exercise, Status::Test] {
        assert!(statuses.contains(&status.to_string()), "{status}");
    }
}
