//! How timely everybody was between two days: each figure is that of the incidents' own reports, and has its whole.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use proptest::prelude::*;
use support::{World, id, minutes, seconds};
use tocsin_audit::{
    Each, Evidence, Figures, PeriodReport, PeriodRequest, Request, Scores, Trend, gather,
    render::{
        STYLE, period_csv, period_fragment, period_html, period_json, period_table, scores_csv, scores_html,
        scores_json, scores_table,
    },
};
use tocsin_protocol::{
    EventKind, Outcome, SignedDuration, Status, Timestamp,
    schema::{Kind, check},
};

const NONE: fn(&mut tocsin_protocol::Event) = |_| {};

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// Half a year: three actual incidents of which one has no acknowledgement at all, an exercise, and mails that failed.
fn half_year() -> World {
    let mut world = World::small();
    world
        .say(EventKind::Initial, NONE)
        .at(minutes(1))
        .all_but(&["ofcom", "dsit", "lrf-kent"], 1)
        .at(minutes(16));
    world.attempt_said("ofcom", (1, 1), 1, Some(Outcome::Permanent), Some(550));
    world.attempt_said("dsit", (1, 1), 1, Some(Outcome::Temporary), Some(451));
    world.attempt_said("dsit", (1, 1), 2, Some(Outcome::Temporary), Some(451));
    world.attempt_said("dsit", (1, 1), 3, Some(Outcome::Accepted), Some(250));
    world.at(minutes(20)).acknowledged("ofcom", 1).at(minutes(40));
    world.status = Status::Exercise;
    world.another("exercise-july", days(20)).say(EventKind::Initial, NONE).at(days(20) + minutes(90));
    world.status = Status::Actual;
    world.another("cut-september", days(90)).say(EventKind::Initial, |event| event.began_at = None);
    world.at(days(90) + minutes(2)).all_but(&["dsit", "lrf-kent"], 1).at(days(90) + minutes(31));
    world.attempt_said("dsit", (1, 1), 1, None, None);
    world.another("unheard-november", days(150)).say(EventKind::Initial, |event| {
        event.headline = "=cmd|' /C calc'!A0 <script>".into();
    });
    world.at(days(150) + minutes(60));
    world
}

fn evidence(world: &World) -> Evidence {
    gather(&world.entries, None)
}

fn request(from: &str, to: &str) -> PeriodRequest {
    PeriodRequest::new(from.parse().unwrap(), to.parse().unwrap())
}

fn year() -> PeriodRequest {
    request("2023-06-01", "2023-12-31")
}

fn report() -> PeriodReport {
    evidence(&half_year()).period(&year()).unwrap()
}

/// What the incidents' own reports count.
fn sums(evidence: &Evidence, status: Status) -> [u32; 7] {
    let mut sums = [0; 7];
    for incident in evidence.incidents() {
        let report = evidence.report(incident, Request::default()).unwrap();
        if report.incident.status == status {
            let t = &report.totals;
            let silent = t.never - t.open - t.excused;
            for (sum, count) in sums.iter_mut().zip([
                t.required + t.informed,
                t.asked,
                t.acknowledged_in_time,
                t.acknowledged_late,
                silent,
                t.escalated,
                t.delivered,
            ]) {
                *sum += count;
            }
        }
    }
    sums
}

fn counts(figures: &Figures) -> [u32; 7] {
    [
        figures.told,
        figures.asked,
        figures.acknowledged_in_time,
        figures.acknowledged_late,
        figures.silent,
        figures.escalated,
        figures.delivered,
    ]
}

fn added(all: impl Iterator<Item = [u32; 7]>) -> [u32; 7] {
    all.fold([0; 7], |mut sum, next| {
        sum.iter_mut().zip(next).for_each(|(sum, next)| *sum += next);
        sum
    })
}

#[test]
fn the_counts_are_the_sums_of_the_incidents_own_reports_however_they_are_cut() {
    let evidence = evidence(&half_year());
    let report = evidence.period(&year()).unwrap();
    let all = sums(&evidence, Status::Actual);
    assert!(all.iter().all(|count| *count > 0), "{all:?}");
    assert_eq!(counts(&report.figures), all);
    assert_eq!(added(report.by_kind.iter().map(|of| counts(&of.figures))), all);
    assert_eq!(added(report.by_recipient.iter().map(|of| counts(&of.figures))), all);
    assert_eq!(added(report.trend.iter().map(|of| counts(&of.figures))), all);
    assert_eq!(added(report.incidents.iter().map(|of| counts(&of.figures))), all);
    let figures = &report.figures;
    assert_eq!(
        figures.asked,
        figures.acknowledged_in_time
            + figures.acknowledged_late
            + figures.silent
            + figures.open
            + figures.excused
    );
    assert_eq!(figures.share_in_time, Some(7.0 / 15.0));
    assert_eq!(figures.incidents, 3);
}

#[test]
fn actual_incidents_exercises_and_tests_are_never_counted_together() {
    let evidence = evidence(&half_year());
    for (status, incidents, others) in [
        (Status::Actual, 3, &[(Status::Exercise, 1)][..]),
        (Status::Exercise, 1, &[(Status::Actual, 3)]),
        (Status::Test, 0, &[(Status::Actual, 3), (Status::Exercise, 1)]),
    ] {
        let report = evidence.period(&PeriodRequest { status, ..year() }).unwrap();
        assert_eq!(report.incidents.len(), incidents, "{status}");
        let left: Vec<_> = report.left_out.iter().map(|other| (other.status, other.incidents)).collect();
        assert_eq!(left, others, "{status}");
        assert_eq!(counts(&report.figures), sums(&evidence, status));
        let marked =
            period_table(&report).starts_with(&format!("{}S - no real", status.to_string().to_uppercase()));
        assert_eq!(marked, status != Status::Actual);
    }
}

#[test]
fn an_incident_belongs_to_the_local_day_of_its_first_event() {
    let world = half_year();
    let evidence = evidence(&world);
    for (from, to, incidents) in [
        ("2023-06-25", "2023-06-25", 1),
        ("2023-06-26", "2023-09-22", 0),
        ("2023-09-23", "2023-11-22", 2),
        ("2023-06-01", "2023-06-24", 0),
    ] {
        let report = evidence.period(&request(from, to)).unwrap();
        assert_eq!(report.incidents.len(), incidents, "{from} to {to}");
        let told = period_table(&report);
        assert_eq!(told.contains("There were no actual incidents in these days."), incidents == 0, "{told}");
    }
    assert_eq!(evidence.period(&request("2023-06-25", "2023-06-30")).unwrap().period.parts, Each::Week);
    assert_eq!(evidence.period(&year()).unwrap().period.parts, Each::Month);
    assert!(evidence.period(&request("2023-06-02", "2023-06-01")).is_err());
}

#[test]
fn lengths_of_time_have_their_number_and_only_what_was_asked_counts() {
    let report = report();
    // Four of the first in time or late, four of the second; nobody of the third.
    assert_eq!(report.figures.measured, 8);
    assert_eq!(report.slowest.len(), 8);
    assert!(report.slowest.is_sorted_by(|a, b| a.seconds >= b.seconds));
    assert_eq!(report.slowest[0].recipient, id("ofcom"));
    assert_eq!(report.figures.slowest_seconds, Some(report.slowest[0].seconds));
    let ofcom = report.by_recipient.iter().find(|of| of.id == id("ofcom")).unwrap();
    assert_eq!((ofcom.figures.asked, ofcom.figures.measured), (3, 2));
}

#[test]
fn the_operators_time_stands_beside_and_says_of_how_many_it_was_stated() {
    let report = report();
    let operator = &report.operators[0];
    assert_eq!((operator.incidents, operator.from_began.of, operator.from_detected.of), (3, 2, 0));
    assert_eq!(report.incidents[0].operator_delay_seconds.from_began, Some(120.0));
    // The two later ones state the beginning of the first: long before they were published.
    assert!(operator.from_began.slowest_seconds.unwrap() > 86_400.0);
}

#[test]
fn who_was_never_heard_and_whose_mail_failed_is_named() {
    let report = report();
    let unheard: Vec<_> = report.never_heard.iter().map(|of| (of.id.to_string(), of.incidents)).collect();
    assert_eq!(unheard, [("dsit".to_owned(), 3), ("lrf-kent".to_owned(), 3)]);
    let contacts: Vec<_> = report
        .contacts
        .iter()
        .map(|of| {
            let failed: Vec<_> = of.failed.iter().map(|f| (f.outcome, f.code, f.attempts)).collect();
            (of.address.as_str(), of.mails, of.taken, of.attempts, failed)
        })
        .collect();
    assert_eq!(
        contacts,
        [
            ("duty@ofcom.example", 2, 0, 1, vec![(Outcome::Permanent, Some(550), 1)]),
            (
                "duty@dsit.example",
                3,
                1,
                4,
                vec![(Outcome::Temporary, Some(451), 2), (Outcome::Unknown, None, 1)]
            ),
        ],
        "the refused address first"
    );
    let mails = report.mails;
    assert_eq!(
        (mails.attempts, mails.accepted, mails.temporary, mails.permanent, mails.unknown),
        (5, 1, 2, 1, 1)
    );
    assert!(mails.owed > mails.taken && mails.taken == 1);
}

#[test]
fn one_recipient_is_told_its_own_figures_and_nothing_that_another_said_or_was_sent() {
    let world = half_year();
    let evidence = evidence(&world);
    let whole = evidence.period(&year()).unwrap();
    for own in ["ofcom", "dsit", "lrf-kent"] {
        let report = evidence.period(&PeriodRequest { only: Some(id(own)), ..year() }).unwrap();
        let row = whole.by_recipient.iter().find(|of| of.id == id(own)).unwrap();
        assert_eq!(report.by_recipient, std::slice::from_ref(row));
        assert_eq!(report.figures, row.figures);
        let text =
            period_json(&report).unwrap() + &period_html(&report).unwrap() + &period_csv(&report).unwrap();
        for (other, name, _) in support::SMALL.iter().filter(|other| other.0 != own) {
            assert!(!text.contains(&format!("\"{other}\"")) && !text.contains(name), "{own} sees {other}");
        }
        for incident in evidence.incidents() {
            let report =
                evidence.report(incident, Request { only: Some(id(own)), ..Request::default() }).unwrap();
            let text = serde_json::to_string(&report).unwrap();
            for (other, name, _) in support::SMALL.iter().filter(|other| other.0 != own) {
                assert!(
                    !text.contains(&format!("\"{other}\"")) && !text.contains(name),
                    "{own} sees {other}: {text}"
                );
            }
            let whole = evidence.report(incident, Request::default()).unwrap();
            let row = whole.recipients.iter().find(|row| row.id == id(own)).unwrap();
            assert_eq!(report.recipients, std::slice::from_ref(row));
        }
    }
    // A body that was told of nothing has no report, rather than an empty one of somebody else's incident.
    let stranger = Request { only: Some(id("stranger")), ..Request::default() };
    assert!(evidence.report(evidence.incidents().next().unwrap(), stranger).is_err());
}

#[test]
fn a_publisher_sees_its_own_incidents_alone() {
    let evidence = evidence(&half_year());
    let of = |publisher: &str| PeriodRequest { publisher: Some(publisher.parse().unwrap()), ..year() };
    assert_eq!(evidence.period(&of("bt-cha")).unwrap().incidents.len(), 3);
    let other = evidence.period(&of("another")).unwrap();
    assert!(other.incidents.is_empty() && other.left_out.is_empty());
}

#[test]
fn the_same_entries_give_the_same_report_and_it_is_as_its_schema_says() {
    for report in [report(), evidence(&World::small()).period(&year()).unwrap()] {
        let text = period_json(&report).unwrap();
        assert_eq!(check(Kind::PeriodReport, text.as_bytes()), Ok(()), "{text}");
        assert_eq!(serde_json::from_str::<PeriodReport>(&text).unwrap(), report);
    }
    assert_eq!(report(), report());
}

#[test]
fn the_table_tells_it_in_100_columns() {
    let text = period_table(&report());
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn the_csv_has_one_set_of_columns_and_runs_no_formula() {
    let text = period_csv(&report()).unwrap();
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let report = report();
    let failed: usize = report.contacts.iter().map(|of| of.failed.len()).sum();
    assert_eq!(
        rows.len(),
        1 + report.trend.len()
            + report.by_kind.len()
            + report.by_recipient.len()
            + report.incidents.len()
            + 3 * report.operators.len()
            + failed
    );
    assert!(text.contains("\"'=cmd") || text.contains("'=cmd"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn the_page_is_one_file_that_needs_nothing_and_each_picture_is_told_in_words() {
    let page = period_html(&report()).unwrap();
    for never in ["<script", "http://", "https://", "src=", "url(", "@import", "<link", "NaN", "style="] {
        assert!(!page.contains(never), "{never}");
    }
    assert_eq!(page.matches("<table").count(), page.matches("<caption").count());
    assert_eq!(page.matches("<svg class=\"timeline\"").count(), 2);
    assert_eq!(page.matches("<desc ").count(), 2);
    let fragment = period_fragment(&report()).unwrap();
    assert!(page.contains(fragment.trim()) && fragment.starts_with("<div class=\"report\">"));
    // What stands in another page touches nothing of that page.
    for rule in STYLE.lines().filter(|line| !line.starts_with('@')) {
        assert!(rule.starts_with(".report") || rule.starts_with(".k-"), "{rule}");
    }
    let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(place.join("period.html"), &page).unwrap();
    insta::assert_snapshot!(fragment);
}

/// Five exercises: of Ofcom's, the later two are in time and the earlier two are not; DSIT answers none.
fn exercised() -> Scores {
    let mut world = World::small();
    world.status = Status::Exercise;
    for (n, late) in (0..).zip([true, true, false, false, false]) {
        let begin = days(n);
        if n > 0 {
            world.another(&format!("exercise-{n}"), begin);
        }
        world.say(EventKind::Initial, |event| event.headline = format!("=Exercise {n}"));
        let silent: &[&str] = if late { &["ofcom", "dsit"] } else { &["dsit"] };
        world.at(begin + minutes(2)).all_but(silent, 1).at(begin + minutes(40));
    }
    evidence(&world).exercises(&year()).unwrap()
}

#[test]
fn every_recipient_is_scored_over_the_exercises_the_worst_first() {
    let scores = exercised();
    let told: Vec<_> =
        scores.recipients.iter().map(|of| (of.id.as_str(), of.in_time, of.never, of.trend)).collect();
    assert_eq!(told[..2], [("dsit", 0, 5, Trend::Same), ("ofcom", 3, 2, Trend::Better)]);
    assert!(told[2..].iter().all(|(_, in_time, never, _)| (*in_time, *never) == (5, 0)), "{told:?}");
    let json = scores_json(&scores).unwrap();
    assert_eq!(serde_json::from_str::<Scores>(&json).unwrap(), scores);
    assert_eq!(check(Kind::ExerciseScores, json.as_bytes()), Ok(()), "{json}");
    for (from, to) in [
        (r#""trend": "same""#, r#""trend": "soon""#),
        (r#""asked": "#, r#""asked": -"#),
        (r#""state": "in-time""#, r#""state": "nearly""#),
        (r#""recipients": ["#, r#""people": ["#),
    ] {
        assert!(json.contains(from), "{from} is not in {json}");
        assert!(check(Kind::ExerciseScores, json.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
    }
    let actual = evidence(&half_year());
    assert_eq!(actual.exercises(&year()).unwrap().exercises.len(), 1, "no actual incident is an exercise");
    let text = scores_table(&scores);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let page = scores_html(&scores).unwrap();
    assert!(page.contains("EXERCISES - no real failures") && !page.contains("<script"));
    assert_eq!(page.matches("<table").count(), page.matches("<caption").count());
    let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(place.join("scores.html"), &page).unwrap();
    insta::assert_snapshot!(text + &scores_csv(&scores).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_text_from_outside_breaks_a_rendering(
        words in proptest::collection::vec("\\PC{0,40}|[\\x00-\\x1f\\x7f\u{80}-\u{9f}\u{202e}<&\"'=+@-]{0,20}", 5),
    ) {
        let mut report = report();
        report.period.time_zone.clone_from(&words[0]);
        report.provenance.directory_name = Some(words[1].clone());
        for of in &mut report.by_recipient {
            of.name.clone_from(&words[1]);
            of.kind.clone_from(&words[2]);
        }
        report.by_kind[0].kind.clone_from(&words[2]);
        report.incidents[0].headline.clone_from(&words[3]);
        report.contacts[0].address.clone_from(&words[4]);
        report.contacts[0].failed[0].last_reply.clone_from(&words[0]);
        let text = period_table(&report);
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        prop_assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        let page = period_html(&report).unwrap();
        prop_assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
        prop_assert!(!page.contains("<script"));
        let cells = period_csv(&report).unwrap();
        prop_assert!(!cells.chars().any(|c| c.is_control() && c != '\n'));
    }

    #[test]
    fn no_days_make_it_panic(from in -3_000_000_i64..5_000_000, length in -10_i64..4_000, zone in "[A-Za-z/]{0,12}|Europe/London|Pacific/Apia") {
        let day = |n: i64| {
            let at = Timestamp::from_second(n.saturating_mul(86_400).clamp(-377_000_000_000, 253_000_000_000)).unwrap();
            at.to_string()[..10].parse::<jiff::civil::Date>()
        };
        let (Ok(from), Ok(to)) = (day(from), day(from + length)) else { return Ok(()) };
        let mut world = World::small();
        world.document_zone(&zone).say(EventKind::Initial, NONE).at(seconds(1));
        let told = evidence(&world).period(&PeriodRequest::new(from, to));
        if let Ok(report) = told {
            prop_assert!(report.trend.len() <= 400);
        }
    }
}
