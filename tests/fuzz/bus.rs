//! Both streams at once: entries of every sort in every order, through the fold and through the audit.

mod story;

use std::{collections::BTreeSet, num::NonZeroU32};

use story::Story;
use tocsin_audit::{
    Request, gather,
    render::{Anchor, Replay, View, csv, html, json, table},
};
use tocsin_duty::{Fold, Trust, Verdict};
use tocsin_fuzz::check;
use tocsin_protocol::{
    Entry, NewFact, Stream, Subject,
    schema::{self, Kind},
};

/// What is owed, without the refusals: a trusting replay has them judged already.
fn owed(fold: &Fold) -> Vec<NewFact> {
    let facts = fold.follows().into_iter().flat_map(|batch| batch.facts);
    facts.filter(|fact| !matches!(fact.subject, Subject::Refusal { .. })).collect()
}

/// How often a router may find something new to write, once nothing more is said: each event has two windows, each of
/// them a finding and its escalations.
const ROUNDS: usize = 100;

#[test]
fn the_fold_takes_anything_in_any_order_and_comes_to_an_end() {
    check("fold", story::seeds(), |bytes| {
        let mut story = Story::of(bytes);
        // What was refused is refused by whoever reads it anew, and owed is the same.
        let verdicts = story.verdicts.clone();
        let mut fresh = Fold::new();
        let judged: Vec<_> = story.entries.iter().map(|entry| fresh.apply(entry)).collect();
        assert_eq!(judged, verdicts);
        assert_eq!(fresh.follows(), story.fold.follows());
        assert_eq!(fresh.follows(), fresh.follows(), "to ask changes nothing");
        let _ = fresh.open_duties();
        // A trusting replay, of a router that had judged all of it, owes the same.
        let refused: BTreeSet<u64> = said(&story.entries, &verdicts)
            .filter_map(|(entry, verdict)| matches!(verdict, Verdict::Refused(_)).then_some(entry.sequence))
            .collect();
        let mut trusting = Fold::trusting(Trust { through: u64::MAX, refused });
        for entry in &story.entries {
            trusting.apply(entry);
        }
        assert_eq!(owed(&trusting), owed(&fresh), "what was judged once is judged");
        // A router that writes what is owed comes to its end, whatever stands in its way.
        for round in 0.. {
            if !story.turn() {
                break;
            }
            assert!(round < ROUNDS, "there is no end: {:?}", story.fold.follows());
        }
    });
}

fn said<'s>(entries: &'s [Entry], verdicts: &'s [Verdict]) -> impl Iterator<Item = (&'s Entry, &'s Verdict)> {
    entries.iter().zip(verdicts).filter(|(entry, _)| entry.stream == Stream::Said)
}

#[test]
fn the_audit_reports_on_anything_and_lets_no_markup_through() {
    check("audit", story::seeds(), |bytes| {
        let story = Story::of(bytes);
        let all = gather(&story.entries, None);
        for incident in all.incidents().cloned().collect::<Vec<_>>() {
            let report = all.report(&incident, Request::default()).unwrap();
            let alone =
                gather(&story.entries, Some(&incident)).report(&incident, Request::default()).unwrap();
            assert_eq!(report, alone, "the report of one incident is the same when all are gathered");
            let first = Anchor { broker: story::begin(), day: "2023-06-25T05:24:00Z".parse().unwrap() };
            let replay = Replay::new("a day", NonZeroU32::new(60).unwrap(), first);
            for view in [View::default(), View { replay: Some(replay) }] {
                let text = table(&report, &view);
                let plain = |c: char| !c.is_control() || c == '\n';
                assert!(text.chars().all(plain), "a control character reaches the terminal: {text:?}");
                let page = html(&report, &view).unwrap();
                assert!(!page.contains(story::MARKUP), "markup of a stranger stands in the page");
            }
            csv(&report).unwrap();
            let text = json(&report).unwrap();
            if let Err(problems) = schema::check(Kind::TimelinessReport, text.trim().as_bytes()) {
                panic!("the report is not what its schema says: {problems:?}");
            }
        }
    });
}
