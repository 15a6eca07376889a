//! The report as a PDF: tagged, the same for the same report, and of any length.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use proptest::prelude::*;
use support::{World, minutes, seconds, start};
use tocsin_audit::{
    PeriodReport, PeriodRequest, Report, gather,
    render::{View, pdf, period_pdf},
};
use tocsin_protocol::{EventKind, Outcome, Platform, Status};

fn exercise() -> World {
    let mut world = World::small();
    world.status = Status::Exercise;
    world.say(EventKind::Initial, |event| event.detected_at = Some(start() - seconds(70)));
    world.at(minutes(1)).all_but(&["ofcom", "dsit", "pol-gwent"], 1).at(minutes(16));
    world.attempt("ofcom", (1, 1), 1, Some(Outcome::Unknown)).attempt(
        "ofcom",
        (1, 1),
        2,
        Some(Outcome::Accepted),
    );
    world.attempt_said("dsit", (1, 1), 1, Some(Outcome::Permanent), Some(550));
    world.at(minutes(20)).acknowledged("ofcom", 1).at(minutes(31)).forged("dsit", 1, "ofcom").at(minutes(69));
    world.say(EventKind::Update, |event| {
        event.platform = Some(Platform::None);
        event.headline = "Total loss: the move to the backup failed".into();
    });
    world.at(minutes(72)).all_but(&["dsit"], 2).at(minutes(90));
    world
}

fn report() -> Report {
    exercise().report()
}

fn period(world: &World) -> PeriodReport {
    let request = PeriodRequest::new("2023-01-01".parse().unwrap(), "2023-12-31".parse().unwrap());
    let request = PeriodRequest { status: Status::Exercise, ..request };
    gather(&world.entries, None).period(&request).unwrap()
}

/// How often something stands in the file. What the tags say is not compressed.
fn count(file: &[u8], what: &str) -> usize {
    file.windows(what.len()).filter(|window| *window == what.as_bytes()).count()
}

/// How often a tag stands in the file.
fn tags(file: &[u8], tag: &str) -> usize {
    count(file, &format!("/S/{tag}/"))
}

fn keep(name: &str, file: &[u8]) {
    // Left beside the build for whoever wants to look at it.
    let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(place.join(name), file).unwrap();
}

#[test]
fn a_report_is_a_tagged_file_and_every_part_of_it_says_what_it_is() {
    let report = report();
    let file = pdf(&report, &View::default()).unwrap();
    keep("report.pdf", &file);
    assert!(file.starts_with(b"%PDF-1.7"));
    // That a file holds all that PDF/UA-1 asks for is checked as it is written, or it is not.
    for words in [
        "/MarkInfo<</Marked true",
        "/Lang(en-GB)",
        "/DisplayDocTitle true",
        "pdfuaid:part",
        "/StructTreeRoot",
    ] {
        assert!(count(&file, words) > 0, "{words}");
    }
    let rows =
        |events: &[tocsin_audit::EventReport]| events.iter().map(|e| e.recipients.len()).sum::<usize>();
    assert_eq!(tags(&file, "H1"), 1);
    // A legend and a timeline for each event that asked, with words for whoever does not see them.
    assert_eq!(tags(&file, "Figure"), 4);
    assert_eq!(count(&file, "/Alt("), 4);
    let tables = tags(&file, "Table");
    assert_eq!(
        (tags(&file, "THead"), tags(&file, "TBody"), tags(&file, "Caption")),
        (tables, tables, tables)
    );
    // Each row has one cell that names it, and there are no more rows than that but the heads.
    let of_rows = count(&file, "/Scope/Row");
    assert_eq!(tags(&file, "TR"), tables + of_rows);
    assert!(of_rows > rows(&report.events) + report.timeliness.by_kind.len());
    assert_eq!(tags(&file, "TH"), of_rows + count(&file, "/Scope/Column"));
    assert_eq!(tags(&file, "LI"), tags(&file, "LBody"));
}

#[test]
fn a_period_is_a_tagged_file_with_its_bars_in_words() {
    let file = period_pdf(&period(&exercise())).unwrap();
    keep("period.pdf", &file);
    assert_eq!((tags(&file, "H1"), tags(&file, "Figure"), count(&file, "/Alt(")), (1, 2, 2));
    assert!(count(&file, "June 2023: 2 of 5") > 0, "the bars' words");
    assert!(tags(&file, "Table") >= 8);
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    let view = View::default();
    assert!(pdf(&report(), &view).unwrap() == pdf(&report(), &view).unwrap());
    let period = || period_pdf(&period(&exercise())).unwrap();
    assert!(period() == period());
}

#[test]
fn ten_thousand_recipients_are_printed_and_a_row_may_be_longer_than_a_page() {
    let mut period = period(&exercise());
    let one = period.by_recipient[0].clone();
    period.by_recipient = (0..10_000)
        .map(|n| {
            let name = format!("Recipient {n} of a very large country with a long name that is wrapped");
            tocsin_audit::PeriodRecipient { name, ..one.clone() }
        })
        .collect();
    period.contacts[0].failed[0].last_reply = "no such mailbox ".repeat(2_000);
    let from = std::time::Instant::now();
    let file = period_pdf(&period).unwrap();
    println!("{} bytes in {:?}", file.len(), from.elapsed());
    keep("large.pdf", &file);
    assert!(count(&file, "/Scope/Row") > 10_000);
    assert!(file.len() < 40_000_000, "{}", file.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn no_text_from_outside_breaks_it(words in proptest::collection::vec("\\PC{0,40}|[\\x00-\\x1f\\x7f\u{80}-\u{9f}\u{202e}\u{ad}\u{e000}<&\"'=+@-]{0,20}", 4)) {
        let mut report = report();
        report.incident.headline.clone_from(&words[0]);
        for row in report.events.iter_mut().flat_map(|event| &mut event.recipients).chain(&mut report.recipients) {
            row.name.clone_from(&words[1]);
            row.kind.clone_from(&words[2]);
        }
        for event in &mut report.events {
            event.headline.clone_from(&words[3]);
        }
        pdf(&report, &View::default()).unwrap();
    }
}
