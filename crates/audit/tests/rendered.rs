//! What a reader sees, as pictures of text; and what no text from outside may do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{collections::BTreeMap, num::NonZeroU32};

use proptest::prelude::*;
use support::{
    SMALL, World, minutes, number,
    owing::{aware, duty, handover, owing, term},
    seconds, start,
};
use tocsin_audit::{
    Comparison, ComparisonRow, Report, Request,
    render::{Anchor, Replay, View, csv, html, json, table},
};
use tocsin_protocol::{
    AreaId, Channel, DutyDocument, EventKind, Impact, Outcome, Platform, Reach, Recontact, RecontactFigures,
    Stage, Status,
    schema::{Kind, check},
};

const NONE: fn(&mut tocsin_protocol::Event) = |_| {};

/// An exercise with everything in it: in time, late, silent to the second step, a worsening, a forgery.
fn full() -> Report {
    let mut world = World::small();
    world.status = Status::Exercise;
    world.say(EventKind::Initial, |event| {
        event.detected_at = Some(start() - seconds(70));
        event.impact = Some(calls(10, None));
    });
    world.at(minutes(1)).all_but(&["ofcom", "dsit", "pol-gwent"], 1);
    world.at(minutes(4)).forged("dsit", 1, "ofcom").at(minutes(16));
    world.attempt("ofcom", (1, 1), 1, Some(Outcome::Unknown)).attempt(
        "ofcom",
        (1, 1),
        2,
        Some(Outcome::Accepted),
    );
    world.attempt("dsit", (1, 1), 1, Some(Outcome::Accepted));
    world.attempt("pol-gwent", (1, 1), 1, Some(Outcome::Accepted));
    world.at(minutes(20)).acknowledged("ofcom", 1).at(minutes(31));
    world.attempt("dsit", (1, 2), 1, Some(Outcome::Temporary)).attempt(
        "pol-gwent",
        (1, 2),
        1,
        Some(Outcome::StoodDown),
    );
    world.at(minutes(69));
    world.say(EventKind::Update, |event| {
        event.platform = Some(Platform::None);
        event.began_at = Some(start() - minutes(4));
        event.impact = Some(calls(600, Some("the regulator")));
        event.headline = "Total loss: the move to the backup failed".into();
    });
    world.at(minutes(72)).all_but(&["dsit"], 2).at(minutes(90));
    world.attempt("dsit", (2, 1), 1, None);
    world.report_with(Request { comparison: Some(then()), ..Request::default() })
}

/// A publisher that kept some of what it owed: a promise broken, a force not telephoned, a list handed over, a first word
/// that was wrong, a silent body whose buddy was written to.
fn owed() -> Report {
    let by_telephone = DutyDocument {
        channels: vec![Channel::Telephone, Channel::Writing],
        kinds: vec!["police-territorial".into()],
        ..duty("first", Stage::Initial, Some("30m"))
    };
    let target = DutyDocument { target: Some(term("10m")), ..duty("early", Stage::Update, None) };
    let mut world = owing(vec![
        by_telephone,
        target,
        duty("full", Stage::Full, Some("1h")),
        duty("final", Stage::Final, Some("1 month")),
    ]);
    world.change_directory(3, |document| {
        handover(document);
        document.recipients[3].buddy = Some(document.recipients[2].id.clone());
        document.policies[0].steps[1].reach = Reach::Buddy;
    });
    world.at(seconds(2)).say(EventKind::Initial, |event| {
        aware(event);
        event.next_update_by = Some(start() + minutes(20));
    });
    world.at(minutes(1)).all_but(&["pol-gwent"], 1).at(minutes(10)).called("pol-gwent", 1).at(minutes(40));
    world.say(EventKind::Correction, |event| {
        event.corrects = Some(number(1));
        event.headline = "999 calls are failing in the south alone".into();
    });
    world.at(minutes(50)).say(EventKind::Update, |event| {
        let handed = RecontactFigures { handed_to_police: Some(7), outstanding: Some(3), reached: None };
        let by_area = [(AreaId::new("uk").unwrap(), handed)].into();
        event.recontact = Some(Recontact { total: handed, by_area, ..Recontact::default() });
        event.stage = Some(Stage::Full);
    });
    world.at(minutes(55)).acknowledged("pol-west-mercia", 3).at(minutes(90));
    world.report()
}

fn calls(calls: u64, source: Option<&str>) -> Impact {
    let source = source.map(str::to_owned);
    let (as_of, provisional) = (Some(start()), Some(true));
    Impact { calls_unsuccessful: Some(calls), source, as_of, provisional, ..Impact::default() }
}

fn then() -> Comparison {
    let row = |label: &str, then: &str, now: &str| ComparisonRow {
        label: label.to_owned(),
        then: then.to_owned(),
        now: now.to_owned(),
        note: "from the beginning of the failure".to_owned(),
    };
    Comparison {
        title: "25 June 2023, and this exercise".to_owned(),
        rows: vec![
            row("the regulator was told after", "161 min", "2 min"),
            row("the government was told after", "201 min", "2 min"),
        ],
        notes: vec!["The figures of 2023 are those of the public record.".to_owned()],
    }
}

/// The day played from two minutes before the first event, sixty times as fast.
fn replayed() -> View {
    let first = Anchor { broker: start() - seconds(2), day: "2023-06-25T05:24:00Z".parse().unwrap() };
    View { replay: Some(Replay::new("25 June 2023", NonZeroU32::new(60).unwrap(), first)) }
}

#[test]
fn the_table_tells_everything_in_100_columns() {
    let text = table(&full(), &View::default());
    assert!(text.lines().next().unwrap().starts_with("EXERCISE"), "the first line says what it is");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn what_was_owed_is_told_apart_from_targets_and_promises() {
    let report = owed();
    let text = table(&report, &View::default());
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    insta::assert_snapshot!(text);
    let page = html(&report, &View::default()).unwrap();
    sound(&page);
    let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(place.join("owed.html"), &page).unwrap();
}

#[test]
fn a_replay_says_which_figures_are_of_the_day_and_which_are_measured() {
    let mut world = World::with_window(&SMALL, seconds(15));
    world.status = Status::Exercise;
    world.say(EventKind::Initial, |event| event.began_at = Some(start() - seconds(2)));
    world.at(seconds(5)).all_but(&["ofcom"], 1);
    world.at(seconds(16)).attempt("ofcom", (1, 1), 1, Some(Outcome::Accepted));
    world.at(seconds(20)).acknowledged("ofcom", 1).at(seconds(31));
    let report = world.report();
    let text = table(&report, &replayed());
    assert!(text.contains("60 times as fast"), "{text}");
    insta::assert_snapshot!(text);
    let page = html(&report, &replayed()).unwrap();
    assert!(page.contains("60 times as fast"));
    assert!(text.contains("5 min late"), "five seconds here are five minutes of the day");
    assert!(page.contains("06:24:00 BST (05:24:00Z)"));
    let data: Report = serde_json::from_str(&json(&report).unwrap()).unwrap();
    assert_eq!(data.incident.published_at, start(), "the JSON keeps the broker's times");
}

#[test]
fn figures_without_a_replay_are_those_of_the_json() {
    let report = full();
    let text = table(&report, &View::default());
    let median = report.timeliness.median_seconds.unwrap();
    let told = text.lines().find(|line| line.trim_start().starts_with("median ")).unwrap();
    let slowest = &report.timeliness.slowest[0];
    assert!((median - 183.0).abs() < 0.5, "{median}");
    assert!(told.contains(" 3 min 3 s "), "{told}");
    assert!(text.contains(&format!("event {}", slowest.event)));
}

#[test]
fn the_csv_has_a_row_for_each_event_and_recipient_and_mail() {
    let text = csv(&full()).unwrap();
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    // Six recipients of two events; dsit and pol-gwent were owed two mails of the first.
    assert_eq!(rows.len(), 14);
    insta::assert_snapshot!(text);
}

#[test]
fn the_csv_has_a_row_for_each_duty_call_and_handover_and_runs_no_formula() {
    let mut report = owed();
    report.calls[0].spoke_to.name = "=HYPERLINK(\"x\")".to_owned();
    report.calls[0].number = Some("+44 1632 960001".to_owned());
    report.duties[0].basis = Some("@SUM(A1)".to_owned());
    report.handovers[0].name = "-cmd".to_owned();
    let text = csv(&report).unwrap();
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let rows: Vec<BTreeMap<String, String>> = reader
        .records()
        .map(|row| columns.iter().map(str::to_owned).zip(row.unwrap().iter().map(str::to_owned)).collect())
        .collect();
    let of = |sort: &str| rows.iter().filter(|row| row["of"] == sort).collect::<Vec<_>>();
    let sorts = report.duties.iter().map(|duty| match (&duty.policy, duty.target) {
        (None, _) => "promise",
        (Some(_), true) => "target",
        (Some(_), false) => "duty",
    });
    for sort in ["duty", "target", "promise"] {
        assert_eq!(of(sort).len(), sorts.clone().filter(|is| *is == sort).count(), "{sort}");
        assert!(!of(sort).is_empty(), "{sort}");
    }
    assert_eq!((of("call").len(), of("handover").len()), (report.calls.len(), report.handovers.len()));
    let call = of("call")[0];
    assert_eq!(
        (&*call["call_spoke_to_name"], &*call["call_number"]),
        ("'=HYPERLINK(\"x\")", "'+44 1632 960001")
    );
    assert_eq!(of("handover")[0]["name"], "'-cmd");
    assert!(rows.iter().any(|row| row["duty_basis"] == "'@SUM(A1)"));
    // Without the columns that such a row has nothing in.
    let shown: Vec<String> = rows
        .iter()
        .filter(|row| row["of"] != "recipient")
        .map(|row| {
            let cells = columns.iter().filter(|name| !row[*name].is_empty());
            cells.map(|name| format!("{name}={}", row[name])).collect::<Vec<_>>().join("; ")
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn the_json_is_as_its_schema_says() {
    for report in [full(), owed(), large(), World::small().say(EventKind::Initial, NONE).report()] {
        let text = json(&report).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        check(Kind::TimelinessReport, text.as_bytes()).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report, "and reads back as it was");
        for name in [
            "required",
            "informed",
            "delivered",
            "acknowledged_in_time",
            "acknowledged_late",
            "escalated",
            "neither",
            "mails_accepted",
        ] {
            assert!(value["totals"][name].is_u64(), "totals.{name}");
        }
        for recipient in value["recipients"].as_array().unwrap() {
            for name in [
                "id",
                "kind",
                "requirement",
                "noticed_at",
                "delivered_at",
                "acknowledged_at",
                "acknowledged_by",
                "due_at",
                "in_time",
                "escalations",
            ] {
                assert!(recipient.get(name).is_some(), "recipients[].{name}");
            }
            for mail in recipient["escalations"].as_array().unwrap() {
                for name in ["step", "due_at", "closed_at", "accepted_at", "relay", "attempts"] {
                    assert!(mail.get(name).is_some(), "escalations[].{name}");
                }
            }
        }
    }
}

/// What must hold of the page, whatever it tells.
fn sound(page: &str) {
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en-GB\">"));
    for never in
        ["<script", "http://", "https://", "src=", "url(", "@import", "<link", "<iframe", "onload", "NaN"]
    {
        assert!(!page.contains(never), "{never}");
    }
    assert_eq!(page.matches("<table").count(), page.matches("<caption").count(), "each table has a caption");
    assert_eq!(page.matches("<svg class=\"timeline\"").count(), page.matches("<desc ").count());
    for (open, close) in
        [("<table", "</table>"), ("<tr", "</tr>"), ("<section", "</section>"), ("<g", "</g>")]
    {
        assert_eq!(page.matches(open).count(), page.matches(close).count(), "{open}");
    }
    // No rule reaches into the signs from around them.
    for sign in ["stroke", "hollow", "dash", "good", "late", "bad", "mail", "unsent"] {
        assert!(page.contains(&format!("\n.k-{sign}{{")), "{sign}");
    }
    assert!(page.contains("class=\"skip\" href=\"#main\"") && page.contains("<main id=\"main\">"));
    assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
}

#[test]
fn the_page_is_one_file_that_needs_nothing() {
    let page = html(&full(), &View::default()).unwrap();
    sound(&page);
    assert!(page.contains("<p class=\"marking\">EXERCISE"));
    let mut world = World::of(&[("ofcom", "Ofcom", "regulator")]);
    world.say(EventKind::Initial, NONE).at(minutes(1)).acknowledged("ofcom", 1).at(minutes(16));
    let page = html(&world.report(), &View::default()).unwrap();
    sound(&page);
    insta::assert_snapshot!(page);
}

/// A day with as many recipients as the United Kingdom has, for whoever wants to look at it.
fn large() -> Report {
    let kinds = [
        "police-territorial",
        "fire",
        "ambulance",
        "government",
        "regulator",
        "coastguard",
        "resilience-forum",
    ];
    let many: Vec<(String, String, &str)> = (0..120)
        .map(|n| {
            let kind = kinds[[0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 6][n % 12] % kinds.len()];
            (format!("r-{n:03}"), format!("{} {n} of a county", kind.replace('-', " ")), kind)
        })
        .collect();
    let borrowed: Vec<(&str, &str, &str)> =
        many.iter().map(|(id, name, kind)| (id.as_str(), name.as_str(), *kind)).collect();
    let mut world = World::of(&borrowed);
    world.status = Status::Exercise;
    let silent = ["r-010", "r-022", "r-024", "r-100"];
    world.say(EventKind::Initial, |event| {
        event.headline = "999 and 112 calls are failing: callers are cut off or wait".into();
        event.detected_at = Some(start() - seconds(70));
    });
    world.at(seconds(20));
    for (n, (id, ..)) in borrowed.iter().enumerate().filter(|(_, who)| !silent.contains(&who.0)) {
        let later = i64::try_from((n * 7) % 120).unwrap();
        world
            .delivered(id, 1)
            .at(seconds(20 + i64::try_from(n).unwrap() * 6 + later / 40))
            .acknowledged(id, 1);
    }
    world.at(minutes(15) + seconds(1));
    for id in silent {
        world.attempt(id, (1, 1), 1, Some(Outcome::Accepted));
    }
    world.at(minutes(18)).acknowledged("r-010", 1).at(minutes(22)).acknowledged("r-022", 1).at(minutes(31));
    world.attempt("r-024", (1, 2), 1, Some(Outcome::Unknown)).attempt(
        "r-024",
        (1, 2),
        2,
        Some(Outcome::Accepted),
    );
    world.attempt("r-100", (1, 2), 1, Some(Outcome::Accepted)).at(minutes(67));
    world.say(EventKind::Update, |event| {
        event.platform = Some(Platform::None);
        event.headline = "Total loss of 999 and 112: the move to the backup platform has failed".into();
    });
    world.at(minutes(68)).all_but(&["r-024"], 2).at(minutes(83));
    world.attempt("r-024", (2, 1), 1, Some(Outcome::Accepted)).at(minutes(99));
    world.attempt("r-024", (2, 2), 1, Some(Outcome::Accepted)).at(minutes(144));
    world.say(EventKind::Resolved, |event| event.headline = "999 and 112 are back".into()).at(minutes(146));
    world.all_but(&[], 3).at(minutes(190));
    world.report_with(Request { comparison: Some(then()), ..Request::default() })
}

#[test]
fn a_country_fits_on_the_page() {
    let report = large();
    let page = html(&report, &View::default()).unwrap();
    sound(&page);
    assert!(page.len() < 1_500_000, "{}", page.len());
    let text = table(&report, &View::default());
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    // Left beside the build for whoever wants to look at it.
    let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(place.join("report.html"), &page).unwrap();
    std::fs::write(place.join("report.txt"), &text).unwrap();
}

#[test]
fn hostile_words_are_words() {
    let mut world = World::of(&[("ofcom", "</td><script>alert(1)</script>", "regulator")]);
    world.say(EventKind::Initial, |event| {
        event.headline = "=HYPERLINK(\"x\") <img src=x onerror=y>".into();
    });
    let report = world.report();
    let page = html(&report, &View::default()).unwrap();
    assert!(!page.contains("<script") && !page.contains("<img"), "escaped");
    assert!(page.contains("&#60;script&#62;"), "and shown");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_from_outside_breaks_a_rendering(
        words in proptest::collection::vec("\\PC{0,40}|[\\x00-\\x1f\\x7f\u{80}-\u{9f}\u{202e}<&\"'=+@-]{0,20}", 6),
        zone in "[A-Za-z/]{0,12}",
    ) {
        let mut report = full();
        report.incident.headline.clone_from(&words[0]);
        report.provenance.time_zone = zone;
        report.provenance.directory_name = Some(words[1].clone());
        for row in report.events.iter_mut().flat_map(|event| &mut event.recipients).chain(&mut report.recipients) {
            row.name.clone_from(&words[1]);
            row.kind.clone_from(&words[2]);
            if let Some(by) = &mut row.acknowledged_by {
                by.name.clone_from(&words[3]);
                by.role.clone_from(&words[4]);
            }
            row.acknowledged_control_room = Some(words[2].clone());
            row.acknowledged_on_behalf_of = Some(words[3].clone());
            for mail in &mut row.escalations {
                mail.address.clone_from(&words[5]);
                mail.relay = Some(words[0].clone());
                mail.contact.clone_from(&words[2]);
            }
        }
        for event in &mut report.events {
            event.headline.clone_from(&words[3]);
            event.worsened = vec![words[4].clone()];
        }
        for stated in report.figures.iter_mut().flat_map(|figure| &mut figure.stated) {
            stated.source.clone_from(&words[0]);
        }
        for anew in &mut report.anew {
            anew.why.clone_from(&words);
            anew.had_acknowledged.iter_mut().for_each(|who| who.name.clone_from(&words[1]));
        }
        for kind in &mut report.timeliness.by_kind {
            kind.kind.clone_from(&words[2]);
        }
        if let Some(operator) = &mut report.operator {
            operator.failure.by_kind.iter_mut().for_each(|of| of.kind.clone_from(&words[4]));
        }
        for problem in &mut report.problems {
            problem.text.clone_from(&words[5]);
        }
        for refusal in &mut report.refusals {
            refusal.subject.clone_from(&words[1]);
            refusal.reasons.clone_from(&words);
        }
        if let Some(comparison) = &mut report.comparison {
            comparison.title.clone_from(&words[2]);
            comparison.notes.clone_from(&words);
        }
        for view in [View::default(), replayed()] {
            let text = table(&report, &view);
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
            prop_assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
            let page = html(&report, &view).unwrap();
            prop_assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
            prop_assert!(!page.contains("<script"));
        }
        let cells = csv(&report).unwrap();
        prop_assert!(!cells.chars().any(|c| c.is_control() && c != '\n'));
        json(&report).unwrap();
    }
}
