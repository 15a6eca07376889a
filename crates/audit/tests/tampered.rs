//! Whatever is done to the entries of a bundle, or to the log before it is made, is caught and named.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{collections::BTreeSet, io::BufReader, sync::LazyLock};

use bytes::Bytes;
use proptest::prelude::*;
use support::{
    INCIDENT, World, checkpoint_key, minutes,
    owing::{aware, duty, owing},
    seconds, start, stated,
};
use tocsin_audit::{Bundle, Fault, FaultCode, Request, Standing, Told, Verdict, verify, verify_under};
use tocsin_protocol::{
    AuthorKey, Channel, DutyDocument, Entry, EventKind, IncidentId, Outcome, Signed, SigningKey, Stage,
    Stream,
    schema::{Kind, check},
};

type Alter = fn(&mut Entry);

const NONE: fn(&mut tocsin_protocol::Event) = |_| {};

/// An incident with receipts in time, late and forged, escalations and mails, and a checkpoint now and then, of which
/// each later receipt repeats the newest.
fn world() -> World {
    let mut world = World::small();
    world.checkpoint().say(EventKind::Initial, NONE).at(minutes(1)).delivered("ofcom", 1).checkpoint();
    world.at(minutes(2)).all_but(&["ofcom", "dsit"], 1).checkpoint();
    world.at(minutes(16)).checkpoint().attempt("dsit", (1, 1), 1, Some(Outcome::Accepted));
    world.forged("pol-gwent", 1, "ofcom").at(minutes(20)).acknowledged("dsit", 1);
    world.say(EventKind::Update, NONE).at(minutes(21)).checkpoint().acknowledged("ofcom", 2).at(minutes(60));
    world.checkpoint();
    world
}

#[test]
fn what_a_publisher_owed_is_told_from_a_bundle_as_from_the_bus() {
    let promise = |event: &mut tocsin_protocol::Event| {
        aware(event);
        event.next_update_by = Some(start() + minutes(20));
    };
    let by_telephone = DutyDocument {
        channels: vec![Channel::Telephone, Channel::Writing],
        ..duty("first", Stage::Initial, Some("30m"))
    };
    let mut world = owing(vec![by_telephone, duty("full", Stage::Full, Some("40m"))]);
    world.say(EventKind::Initial, promise).at(minutes(2)).called("ofcom", 1).at(minutes(50)).checkpoint();
    let on_the_bus = world.report();
    assert!(!on_the_bus.duties.is_empty() && !on_the_bus.calls.is_empty());
    for of in [None, Some(&incident())] {
        let bundle = Bundle::of(&world.entries, of).unwrap();
        let verdict = judged(&bundle);
        assert_eq!(verdict.faults, []);
        assert!(
            verdict.proven.iter().any(|proven| proven.contains("1 telephone call")),
            "{:?}",
            verdict.proven
        );
        let report = verdict.evidence.report(&incident(), Request::default()).unwrap();
        assert_eq!((report.duties, report.calls), (on_the_bus.duties.clone(), on_the_bus.calls.clone()));
        // A call that is taken out is missed.
        let mut cut = bundle.clone();
        cut.entries.retain(|proven| !proven.entry.subject.contains(".called."));
        assert!(!judged(&cut).faults.is_empty(), "{of:?}");
    }
}

fn incident() -> IncidentId {
    INCIDENT.parse().unwrap()
}

fn keys() -> Vec<AuthorKey> {
    vec![AuthorKey::new(&checkpoint_key().public()).unwrap()]
}

fn all() -> Bundle {
    static ALL: LazyLock<Bundle> = LazyLock::new(|| Bundle::of(&world().entries, None).unwrap());
    ALL.clone()
}

fn judged(bundle: &Bundle) -> Verdict {
    verify(bundle, &keys())
}

fn codes(verdict: &Verdict) -> BTreeSet<FaultCode> {
    verdict.faults.iter().map(|fault| fault.code).collect()
}

/// Whether a fault of this sort names this entry.
fn names(verdict: &Verdict, code: FaultCode, entry: &Entry) -> bool {
    let about = |fault: &Fault| {
        fault.code == code
            && (fault.entry == Some((entry.stream, entry.sequence)) || fault.text.contains(&entry.subject))
    };
    verdict.faults.iter().any(about)
}

fn written(bundle: &Bundle) -> Vec<u8> {
    let mut file = Vec::new();
    bundle.write(&mut file).unwrap();
    file
}

#[test]
fn of_an_honest_bundle_all_is_proven_and_the_report_is_that_of_the_bus() {
    let world = world();
    for of in [None, Some(&incident())] {
        let bundle = Bundle::of(&world.entries, of).unwrap();
        let read = Bundle::read(BufReader::new(&written(&bundle)[..])).unwrap();
        assert_eq!(read, bundle, "what is written is read");
        for keys in [keys(), Vec::new()] {
            let verdict = verify(&read, &keys);
            assert_eq!(verdict.faults, []);
            let mut report = verdict.evidence.report(&incident(), Request::default()).unwrap();
            let on_the_bus = world.report();
            report.provenance = on_the_bus.provenance.clone();
            assert_eq!(report, on_the_bus);
        }
    }
    let verdict = judged(&all());
    insta::assert_snapshot!([verdict.proven, vec![String::new()], verdict.limits].concat().join("\n"));
}

#[test]
fn a_bundle_is_as_its_schema_says() {
    for line in written(&all()).split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        assert_eq!(check(Kind::BundleLine, line), Ok(()), "{}", String::from_utf8_lossy(line));
    }
}

#[test]
fn every_part_of_every_entry_that_is_altered_is_caught_and_the_entry_named() {
    let alterations: [(&str, Alter); 9] = [
        ("another stream", |e| e.stream = if e.stream == Stream::Said { Stream::Log } else { Stream::Said }),
        ("another sequence", |e| e.sequence += 1_000),
        ("a nanosecond later", |e| e.time += tocsin_protocol::SignedDuration::from_nanos(1)),
        ("a minute earlier", |e| e.time -= minutes(1)),
        ("another subject", |e| e.subject.push('1')),
        ("another author", |e| {
            e.signed = Some(Signed { key: SigningKey::generate().public(), signature: "AA".to_owned() });
        }),
        ("another stamp", |e| e.said_through = Some(e.said_through.map_or(1, |n| n + 1))),
        ("another word", |e| {
            let mut body = e.body.to_vec();
            let last = body.len() - 2;
            body[last] ^= 1;
            e.body = Bytes::from(body);
        }),
        ("no words", |e| e.body = Bytes::new()),
    ];
    for whole in [true, false] {
        let bundle = Bundle::of(&world().entries, (!whole).then(incident).as_ref()).unwrap();
        for place in 0..bundle.entries.len() {
            for (what, alter) in alterations {
                let mut altered = bundle.clone();
                let entry = &mut altered.entries[place].entry;
                let before = entry.clone();
                alter(entry);
                if before.stream == Stream::Said && what == "another stamp" {
                    continue; // It is in no leaf of what is said, and no reader looks at it there.
                }
                let entry = entry.clone();
                let verdict = judged(&altered);
                let newest = place + 1 == bundle.entries.len();
                // Nothing but a later checkpoint can vouch for where and when the newest one stood; that is told.
                let place_alone =
                    ["another sequence", "a nanosecond later", "a minute earlier", "another author"];
                if newest && (place_alone.contains(&what) || what == "another stamp") {
                    assert!(verdict.limits.iter().any(|limit| limit.contains("newest checkpoint itself")));
                    continue;
                }
                let named =
                    [FaultCode::Altered, FaultCode::BadCheckpoint, FaultCode::Twice, FaultCode::Order]
                        .iter()
                        .any(|code| names(&verdict, *code, &entry))
                        || names(&verdict, FaultCode::Uncovered, &entry)
                        || (newest && !verdict.faults.is_empty());
                assert!(named, "{what}: {before:?}: {:#?}", verdict.faults);
            }
        }
    }
}

#[test]
fn whatever_is_left_out_of_everything_is_caught_and_its_place_named() {
    let bundle = all();
    for place in 0..bundle.entries.len() - 1 {
        let mut less = bundle.clone();
        let gone = less.entries.remove(place).entry;
        let verdict = judged(&less);
        let missing = format!("{} {} is missing", gone.stream.name(), gone.sequence);
        let told =
            |fault: &Fault| fault.code == FaultCode::Missing && fault.text.contains(gone.stream.name());
        assert!(verdict.faults.iter().any(told), "{missing}: {:#?}", verdict.faults);
    }
    // The numbers of the rest are made to close the gap.
    let mut closed = bundle.clone();
    let gone = closed.entries.remove(20).entry;
    for proven in closed.entries.iter_mut().filter(|p| p.entry.stream == gone.stream) {
        if proven.entry.sequence > gone.sequence {
            proven.entry.sequence -= 1;
            proven.leaf -= 1;
        }
    }
    assert!(codes(&judged(&closed)).contains(&FaultCode::Altered));
}

#[test]
fn whatever_is_put_in_is_caught_and_named() {
    let bundle = all();
    for place in 0..bundle.entries.len() {
        for fresh_place in [false, true] {
            let mut more = bundle.clone();
            let mut put = more.entries[place].clone();
            let end = bundle.entries.iter().filter(|p| p.entry.stream == put.entry.stream).count() as u64;
            put.entry.body = Bytes::from_static(b"{}");
            put.entry.subject = "tocsin.notice.ofcom.put-in.1".to_owned();
            if fresh_place {
                put.entry.sequence = 10_000;
                put.leaf = end;
                put.proof = None;
            }
            let entry = put.entry.clone();
            more.entries.insert(place + 1, put);
            let verdict = judged(&more);
            let code = if fresh_place { FaultCode::Uncovered } else { FaultCode::Twice };
            assert!(names(&verdict, code, &entry), "{:#?}", verdict.faults);
        }
    }
}

#[test]
fn entries_in_another_order_are_caught() {
    let bundle = all();
    for place in 1..bundle.entries.len() {
        let mut lines = bundle.clone();
        lines.entries.swap(place - 1, place);
        assert!(codes(&judged(&lines)).contains(&FaultCode::Order), "{place}");
        // The same, with their places and times made to fit.
        let (one, other) = (&bundle.entries[place - 1], &bundle.entries[place]);
        if one.entry.stream != other.entry.stream {
            continue;
        }
        let mut fitted = bundle.clone();
        fitted.entries.swap(place - 1, place);
        for (at, from) in [(place - 1, one), (place, other)] {
            let moved = &mut fitted.entries[at];
            (moved.entry.sequence, moved.entry.time) = (from.entry.sequence, from.entry.time);
            (moved.leaf, moved.proof) = (from.leaf, from.proof.clone());
        }
        let verdict = judged(&fitted);
        let caught = [FaultCode::Altered, FaultCode::BadCheckpoint];
        assert!(codes(&verdict).iter().any(|code| caught.contains(code)), "{place}: {:#?}", verdict.faults);
    }
}

#[test]
fn proofs_and_headings_that_are_altered_prove_nothing() {
    let bundle = all();
    let mut newest = bundle.clone();
    newest.newest = Some(3);
    assert!(codes(&judged(&newest)).contains(&FaultCode::BadCheckpoint));
    for place in 0..bundle.links.len() {
        let mut fewer = bundle.clone();
        fewer.links.remove(place);
        assert!(codes(&judged(&fewer)).contains(&FaultCode::Rewritten));
        let mut other = bundle.clone();
        other.links[place].proof.reverse();
        other.links[place].proof.push([7; 32].into());
        assert!(codes(&judged(&other)).contains(&FaultCode::Rewritten));
    }
    for place in 0..bundle.entries.len() - 1 {
        let mut other = bundle.clone();
        other.entries[place].proof = None;
        assert!(!judged(&other).faults.is_empty());
        let mut other = bundle.clone();
        other.entries[place].leaf += 1;
        let entry = other.entries[place].entry.clone();
        assert!(names(&judged(&other), FaultCode::Altered, &entry));
    }
}

/// The log as whoever holds all of the operator's keys would write it anew: without these entries, each checkpoint
/// stated and signed again. What recipients signed cannot be.
fn rewritten(world: &World, gone: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    let (mut entries, mut sequences) = (Vec::new(), [0, 0]);
    for entry in world.entries.iter().filter(|entry| !gone(entry)) {
        let mut entry = entry.clone();
        let sequence = &mut sequences[usize::from(entry.stream == Stream::Log)];
        *sequence += 1;
        entry.sequence = *sequence;
        if entry.subject.starts_with("tocsin.checkpoint.") {
            let fact = stated(&entries).fact(&checkpoint_key()).unwrap();
            (entry.subject, entry.body) = (fact.subject.to_string(), fact.body);
        }
        entries.push(entry);
    }
    entries
}

#[test]
fn history_that_is_written_anew_with_the_operators_keys_is_caught_by_what_recipients_signed() {
    let world = world();
    let is = |start: &'static str| move |entry: &Entry| entry.subject.starts_with(start);
    for (what, anew) in [
        ("a finding", rewritten(&world, is("tocsin.finding."))),
        ("a notice", rewritten(&world, is("tocsin.notice.dsit."))),
        ("a mail", rewritten(&world, is("tocsin.attempt."))),
        ("one recipient's receipts", rewritten(&world, is("tocsin.receipt.pol-gwent."))),
    ] {
        let bundle = Bundle::of(&anew, None).unwrap();
        let verdict = judged(&bundle);
        assert!(codes(&verdict).contains(&FaultCode::Erased), "{what}: {:#?}", verdict.faults);
        assert!(!codes(&verdict).contains(&FaultCode::Altered), "only the recipients' word tells it");
    }
    // With no recipient's word left, nobody contradicts; and that is said.
    let silent = rewritten(&world, |entry| entry.subject.starts_with("tocsin.receipt."));
    assert_eq!(judged(&Bundle::of(&silent, None).unwrap()).witnessed, None);
}

#[test]
fn a_record_that_no_recipients_word_could_contradict_is_not_called_proven() {
    // As it was, or as the holder of every key of the operator's wrote it anew, with findings to fit: nobody can tell.
    let mut anew = World::small();
    anew.checkpoint().say(EventKind::Initial, NONE).at(minutes(31)).checkpoint();
    for of in [None, Some(&incident())] {
        let bundle = Bundle::of(&anew.entries, of).unwrap();
        let verdict = judged(&bundle);
        assert_eq!(verdict.faults, []);
        assert_eq!(verdict.standing(), Standing::Unwitnessed);
        assert!(Told::of(&bundle, &verdict).words.starts_with("It proves nothing by itself"));
    }
    // One receipt that repeats a checkpoint is a word that could.
    anew.delivered("ofcom", 1).checkpoint();
    assert_eq!(judged(&Bundle::of(&anew.entries, None).unwrap()).standing(), Standing::Proven);
}

#[test]
fn a_verdict_is_as_its_schema_says() {
    let mut altered = all();
    altered.entries[5].entry.body = Bytes::new();
    for bundle in [all(), altered] {
        let told = Told::of(&bundle, &judged(&bundle));
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(check(Kind::Verdict, text.as_bytes()), Ok(()), "{text}");
        assert_eq!(serde_json::from_str::<Told>(&text).unwrap(), told);
    }
}

#[test]
fn a_record_is_proven_under_the_trusted_key_and_not_under_another() {
    let (ours, other) = (SigningKey::generate(), SigningKey::generate());
    let mut world = world();
    world.sign_directory(2, &ours).checkpoint().acknowledged("ofcom", 2).at(minutes(61)).checkpoint();
    for of in [None, Some(&incident())] {
        let bundle = Bundle::of(&world.entries, of).unwrap();
        let under = |key: &SigningKey| verify_under(&bundle, &keys(), &key.public().parse().unwrap());
        let verdict = under(&ours);
        assert_eq!(verdict.faults, []);
        let told = verdict.proven.iter().find(|proven| proven.contains("stands under the trusted"));
        assert!(told.is_some_and(|told| told.contains(&ours.public())), "{:?}", verdict.proven);
        let verdict = under(&other);
        assert_eq!(
            (verdict.standing(), codes(&verdict)),
            (Standing::NotProven, [FaultCode::Untrusted].into())
        );
        let told = serde_json::to_string(&Told::of(&bundle, &verdict)).unwrap();
        assert_eq!(check(Kind::Verdict, told.as_bytes()), Ok(()), "{told}");
    }
    let verdict = verify_under(&all(), &keys(), &ours.public().parse().unwrap());
    assert_eq!(codes(&verdict), [FaultCode::Untrusted].into(), "a directory that nobody signed");
}

#[test]
fn the_end_of_a_log_cannot_be_erased_once_a_recipient_has_signed_for_it() {
    let world = world();
    let checkpoints: Vec<u64> = world
        .entries
        .iter()
        .filter(|entry| entry.subject.starts_with("tocsin.checkpoint."))
        .map(|entry| entry.sequence)
        .collect();
    // The last but one was repeated in a receipt. LOG is cut off before it; SAID is not the operator's to cut.
    let witnessed = checkpoints[checkpoints.len() - 2];
    let cut: Vec<Entry> = world
        .entries
        .iter()
        .filter(|entry| entry.stream == Stream::Said || entry.sequence < witnessed)
        .cloned()
        .collect();
    for of in [None, Some(&incident())] {
        let verdict = judged(&Bundle::of(&cut, of).unwrap());
        let erased: Vec<_> = verdict.faults.iter().filter(|fault| fault.code == FaultCode::Erased).collect();
        assert_eq!(erased.len(), 1, "{:#?}", verdict.faults);
        assert!(erased[0].text.contains("ofcom's signed word"), "{erased:?}");
        assert!(erased[0].text.contains("its end was erased"), "{erased:?}");
    }
}

#[test]
fn what_was_removed_before_any_checkpoint_counted_it_leaves_a_gap() {
    let mut world = world();
    world.at(minutes(70)).log("tocsin.due.x.1.1", b"{}");
    world.entries.pop();
    world.at(minutes(71)).checkpoint();
    let verdict = judged(&Bundle::of(&world.entries, None).unwrap());
    assert_eq!(codes(&verdict), [FaultCode::Missing].into());
    assert!(verdict.faults[0].text.contains("and no window stood there"), "{:?}", verdict.faults);
}

#[test]
fn what_is_newer_than_the_newest_checkpoint_is_not_called_proven() {
    let mut world = world();
    world.at(minutes(70)).acknowledged("pol-gwent", 2);
    let verdict = judged(&Bundle::of(&world.entries, None).unwrap());
    assert_eq!(codes(&verdict), [FaultCode::Uncovered].into());
}

#[test]
fn another_key_vouches_for_nothing() {
    let other = AuthorKey::new(&SigningKey::generate().public()).unwrap();
    let verdict = verify(&all(), &[other]);
    assert!(codes(&verdict).contains(&FaultCode::NoCheckpoint));
    assert!(codes(&verdict).contains(&FaultCode::BadCheckpoint));
}

#[test]
fn a_checkpoint_that_states_more_than_any_log_holds_is_told_as_missing_entries() {
    let mut bundle = all();
    let newest = bundle.entries.last_mut().unwrap();
    let mut stated = stated(&world().entries);
    (stated.log.size, stated.said.size) = (newest.leaf, u64::MAX);
    let fact = stated.fact(&checkpoint_key()).unwrap();
    (newest.entry.subject, newest.entry.body) = (fact.subject.to_string(), fact.body);
    bundle.newest = Some(stated.number());
    assert!(codes(&judged(&bundle)).contains(&FaultCode::Missing));
}

#[test]
fn a_log_without_checkpoints_is_told_as_such() {
    let mut world = World::small();
    world.say(EventKind::Initial, NONE).at(seconds(30)).all_but(&[], 1);
    let verdict = verify(&Bundle::of(&world.entries, None).unwrap(), &[]);
    assert_eq!(codes(&verdict), [FaultCode::NoCheckpoint].into());
    assert!(
        verdict.proven.iter().any(|told| told.contains("signed by their authors")),
        "{:?}",
        verdict.proven
    );
}

#[test]
fn a_recipient_that_repeats_nonsense_harms_nobody_elses_proof() {
    let mut world = world();
    world.seen = Some("I have seen it all".to_owned());
    world.at(minutes(61)).acknowledged("pol-gwent", 2).checkpoint();
    let verdict = judged(&Bundle::of(&world.entries, None).unwrap());
    assert_eq!(verdict.faults, []);
    assert!(
        verdict.limits.iter().any(|limit| limit.contains("they witness nothing")),
        "{:?}",
        verdict.limits
    );
}

#[test]
fn what_is_no_bundle_is_told_apart_from_one_with_a_bad_line() {
    for no_bundle in [&b""[..], b"{}", b"\xff\xfe", b"{\"line\":\"bundle\",\"version\":2}\n", b"[]\n[]\n"] {
        assert!(Bundle::read(no_bundle).is_err());
    }
    let mut file = written(&all());
    file.extend_from_slice(b"{\"line\":\"entry\"}\n");
    let verdict = judged(&Bundle::read(&file[..]).unwrap());
    assert_eq!(codes(&verdict), [FaultCode::Unreadable].into());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_byte_that_is_changed_in_a_file_stays_unseen_or_does_harm(at: prop::sample::Index, to: u8) {
        let honest = written(&all());
        let mut file = honest.clone();
        let at = at.index(file.len());
        file[at] = to;
        if let Ok(bundle) = Bundle::read(&file[..]) {
            let verdict = judged(&bundle);
            // Some bytes of JSON can be written in another way; and the newest checkpoint's own place is vouched for
            // by none.
            let same = bundle == Bundle::read(&honest[..]).unwrap();
            let only_newest = bundle.entries.split_last().map(|(_, rest)| rest.to_vec())
                == all().entries.split_last().map(|(_, rest)| rest.to_vec());
            prop_assert!(same || !verdict.faults.is_empty() || only_newest, "byte {at}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let heading = b"{\"line\":\"bundle\",\"version\":1}\n".to_vec();
        if let Ok(bundle) = Bundle::read(&[heading, bytes].concat()[..]) {
            verify(&bundle, &[]);
        }
    }

    #[test]
    fn no_numbers_make_it_panic(sequence: u64, leaf: u64, newest: u64, from: u64, to: u64) {
        let mut bundle = all();
        bundle.newest = Some(newest);
        let place = usize::try_from(sequence).unwrap_or(0) % bundle.entries.len();
        bundle.entries[place].entry.sequence = sequence;
        bundle.entries[place].leaf = leaf;
        (bundle.links[0].from, bundle.links[0].to) = (from, to);
        judged(&bundle);
    }
}
