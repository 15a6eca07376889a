//! The policies that are shipped: each duty by the second, over a change of clocks and a short month too.

use tocsin_protocol::{
    Dispatch, DispatchDuty, DutyFinding, Finding, NewFact, SignedDuration, Subject, Timestamp,
};

use crate::story::{Story, read};

/// A preset, the zone, one of its duties, the event that tells its clock (AT is the moment), when that was, and when it is due.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const CASES: &[Case] = &[
    (
        "uk-999",
        "Europe/London",
        "first-notice",
        "detected_at",
        "2023-06-25T05:24:00Z",
        "2023-06-25T05:39:00Z",
    ),
    ("uk-ofcom-s105k", "Europe/London", "urgent", "aware_at", "2023-06-25T05:24:00Z", "2023-06-25T08:24:00Z"),
    ("uk-ofcom-s105k", "Europe/London", "other", "aware_at", "2023-06-25T05:24:00Z", "2023-06-28T05:24:00Z"),
    (
        "us-fcc-911",
        "America/New_York",
        "first-notice",
        "discovered_at",
        "2026-03-08T06:45:00Z",
        "2026-03-08T07:15:00Z",
    ),
    (
        "us-fcc-988",
        "America/New_York",
        "first-notice",
        "discovered_at",
        "2026-03-08T06:45:00Z",
        "2026-03-08T07:15:00Z",
    ),
    (
        "us-fcc-nors",
        "America/New_York",
        "notification",
        "discovered_at",
        "2026-03-08T06:00:00Z",
        "2026-03-08T08:00:00Z",
    ),
    // 72 hours are hours; 30 days are days, of which one has 23 hours when the clocks go forward on 8 March 2026.
    (
        "us-fcc-nors",
        "America/New_York",
        "initial-report",
        "discovered_at",
        "2026-03-07T12:00:00Z",
        "2026-03-10T12:00:00Z",
    ),
    (
        "us-fcc-nors",
        "America/New_York",
        "final-report",
        "discovered_at",
        "2026-03-07T12:00:00Z",
        "2026-04-06T11:00:00Z",
    ),
    (
        "eu-nis2",
        "Europe/Brussels",
        "early-warning",
        "aware_at",
        "2026-03-28T12:00:00Z",
        "2026-03-29T12:00:00Z",
    ),
    (
        "eu-nis2",
        "Europe/Brussels",
        "notification",
        "aware_at",
        "2026-03-28T12:00:00Z",
        "2026-03-31T12:00:00Z",
    ),
    (
        "eu-dora",
        "Europe/Brussels",
        "initial",
        "classified_at",
        "2026-10-24T22:00:00Z",
        "2026-10-25T02:00:00Z",
    ),
    ("eu-dora", "Europe/Brussels", "backstop", "aware_at", "2026-10-24T22:00:00Z", "2026-10-25T22:00:00Z"),
    (
        "ca-crtc-911",
        "America/Toronto",
        "call-centres",
        "aware_at",
        "2026-01-31T10:00:00Z",
        "2026-01-31T10:30:00Z",
    ),
    (
        "ca-crtc-911",
        "America/Toronto",
        "authorities",
        "aware_at",
        "2026-01-31T10:00:00Z",
        "2026-01-31T12:00:00Z",
    ),
    (
        "au-acma-cco",
        "Australia/Sydney",
        "first-notice",
        "detected_at",
        "2025-09-18T00:30:00Z",
        "2025-09-18T01:00:00Z",
    ),
    ("uk-csr-bill", "Europe/London", "initial", "aware_at", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"),
    ("uk-csr-bill", "Europe/London", "full", "aware_at", "2026-10-24T12:00:00Z", "2026-10-27T12:00:00Z"),
];

/// A duty that runs from an earlier one, the stage that meets the earlier one, when it did, and when it is due.
const FROM_EARLIER: &[(&str, &str, &str, &str, &str, &str)] = &[
    (
        "us-fcc-911",
        "America/New_York",
        "follow-up",
        "initial",
        "2026-03-08T06:00:00Z",
        "2026-03-08T08:00:00Z",
    ),
    // From 31 January there is no 31 February; 2026 has a February of 28 days.
    ("eu-nis2", "Europe/Brussels", "final-report", "full", "2026-01-31T09:00:00Z", "2026-02-28T09:00:00Z"),
    ("eu-nis2", "Europe/Brussels", "final-report", "full", "2026-02-01T09:00:00Z", "2026-03-01T09:00:00Z"),
    // Over the change to summer time: the same time of day, an hour earlier by the sun.
    ("eu-nis2", "Europe/Brussels", "final-report", "full", "2026-03-10T09:00:00Z", "2026-04-10T08:00:00Z"),
    ("eu-dora", "Europe/Brussels", "intermediate", "initial", "2026-03-28T12:00:00Z", "2026-03-31T12:00:00Z"),
    ("eu-dora", "Europe/Brussels", "final", "full", "2026-01-31T09:00:00Z", "2026-02-28T09:00:00Z"),
];

fn preset(name: &str) -> String {
    let path = format!("{}/../../deploy/policy/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// A directory with one recipient of each kind, and each recipient, that the policy speaks of.
fn directory(policy: &str, zone: &str) -> String {
    let document: toml::Table = policy.parse().unwrap();
    let named = |field: &str| -> std::collections::BTreeSet<String> {
        let rules = document["owed"].as_array().unwrap().iter();
        let all = rules.filter_map(|rule| rule.get(field)?.as_array()).flatten();
        all.map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let recipient = |id: &str, kind: &str| {
        format!(
            r#"    {{ id = "{id}", name = "{id}", kind = "{kind}", areas = ["kent"], contacts.duty = {{ role = "Duty", email = "duty@{id}.example" }}, contacts.senior = {{ role = "Senior", email = "senior@{id}.example" }} }},"#
        )
    };
    let kinds = named("kinds").into_iter().map(|kind| recipient(&format!("a-{kind}"), &kind));
    let recipients = named("recipients").into_iter().map(|id| recipient(&id, "named"));
    let all: Vec<_> = kinds.chain(recipients).collect();
    format!(
        r#"
name = "One of each"
time_zone = "{zone}"
policies = ["policy.toml"]
console_key = "CONSOLE"
areas = [{{ id = "kent", name = "Kent" }}]
publishers = [{{ id = "bt", name = "BT", areas = "all", contacts.duty = {{ role = "Duty", email = "duty@bt.example" }} }}]
recipients = [
{}
]
"#,
        all.join("\n")
    )
}

/// A story under a preset that begins at a moment.
fn story(name: &str, zone: &str, began: &str) -> Story {
    let policy = preset(name);
    Story::of_its_own(&directory(&policy, zone), &policy, began.parse().unwrap())
}

/// The event that fits the preset, with these fields.
fn fields(name: &str, more: &str) -> String {
    let document: toml::Table = preset(name).parse().unwrap();
    let services = document.get("services").map_or_else(|| "[\"999-voice\"]".to_owned(), ToString::to_string);
    format!(r#""services": {services}{more}"#)
}

fn dispatch(facts: &[NewFact]) -> Dispatch {
    read(facts, |subject| matches!(subject, Subject::Dispatch { .. }))
}

fn found(facts: &[NewFact]) -> DutyFinding {
    let finding: Finding = read(facts, |subject| matches!(subject, Subject::Finding { .. }));
    finding.duty.unwrap()
}

#[test]
fn every_duty_of_a_preset_is_tried_here() {
    let folder = format!("{}/../../deploy/policy", env!("CARGO_MANIFEST_DIR"));
    let mut untried = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".toml").filter(|name| *name != "example") else { continue };
        let document: toml::Table = preset(name).parse().unwrap();
        for duty in document.get("duties").and_then(|duties| duties.as_array()).into_iter().flatten() {
            let id = duty["id"].as_str().unwrap();
            let mut tried = CASES.iter().chain(FROM_EARLIER).map(|case| (case.0, case.2));
            let apart = [
                ("ca-crtc-911", "report"),
                ("uk-999", "updates"),
                ("au-acma-cco", "customers-first-day"),
                ("au-acma-cco", "customers-later"),
            ];
            if !tried.any(|case| case == (name, id)) && !apart.contains(&(name, id)) {
                untried.push(format!("{name}: {id}"));
            }
        }
    }
    assert_eq!(untried, Vec::<String>::new());
}

/// The stage of the report that meets a duty of a preset, as its file has it.
fn stage(name: &str, id: &str) -> String {
    let document: toml::Table = preset(name).parse().unwrap();
    let duties = document["duties"].as_array().unwrap();
    let duty = duties.iter().find(|duty| duty["id"].as_str() == Some(id)).unwrap();
    duty["stage"].as_str().unwrap().to_owned()
}

fn duty(facts: &[NewFact], id: &str) -> DispatchDuty {
    dispatch(facts).duties.into_iter().find(|duty| duty.duty.as_str() == id).unwrap()
}

#[test]
fn each_clock_of_each_preset_ends_on_its_second() {
    for (name, zone, id, clock, began, due) in CASES {
        let due: Timestamp = due.parse().unwrap();
        let begun: Timestamp = began.parse().unwrap();
        let length = due.duration_since(begun).as_secs();
        let clock = format!(r#", "{clock}": "{began}""#);
        let stage = stage(name, id);
        for (second, in_time) in [(length - 1, true), (length, true), (length + 1, false)] {
            let mut story = story(name, zone, began);
            let first = if stage == "initial" { second } else { 1 };
            story.event(first, &fields(name, &clock));
            let duty = duty(&story.follow(first), id);
            assert_eq!(duty.due_at, due, "{name}: {id}");
            let was_in_time = if stage == "initial" {
                duty.met_at.unwrap() <= duty.due_at
            } else {
                // The first event came at once, and the report that is due comes at the edge.
                let report = format!(r#"{clock}, "sequence": 2, "kind": "update", "stage": "{stage}""#);
                story.event(second, &fields(name, &report));
                !found(&story.close(length + 2, 1, duty.step.unwrap().get())).overdue
            };
            assert_eq!(was_in_time, in_time, "{name}: {id} at {second}");
        }
    }
}

#[test]
fn each_duty_that_runs_from_an_earlier_one_ends_on_its_second() {
    for (name, zone, id, stage, began, due) in FROM_EARLIER {
        let due: Timestamp = due.parse().unwrap();
        let began: Timestamp = began.parse().unwrap();
        let length = due.duration_since(began).as_secs();
        for (second, in_time) in [(length - 1, true), (length, true), (length + 1, false)] {
            let mut story = story(name, zone, &began.to_string());
            story.event(0, &fields(name, &format!(r#", "stage": "{stage}""#)));
            let duty = duty(&story.follow(0), id);
            assert_eq!((duty.clock_at, duty.due_at), (began, due), "{name}: {id}");
            let next = format!(r#", "sequence": 2, "kind": "update", "stage": "{}""#, duty.stage);
            story.event(second, &fields(name, &next));
            let found = found(&story.close(length + 2, 1, duty.step.unwrap().get()));
            assert_eq!(!found.overdue, in_time, "{name}: {id} at {second}");
        }
    }
}

#[test]
fn a_report_from_restoration_waits_for_it() {
    let mut story = story("ca-crtc-911", "America/Toronto", "2026-01-31T10:00:00Z");
    let report = |dispatch: Dispatch| dispatch.duties.into_iter().find(|duty| duty.duty.as_str() == "report");
    story.event(0, &fields("ca-crtc-911", ""));
    assert_eq!(report(dispatch(&story.follow(0))), None, "it has not begun to run");
    story.event(7200, &fields("ca-crtc-911", r#", "sequence": 2, "kind": "resolved""#));
    let due = report(dispatch(&story.follow(7200))).unwrap();
    assert_eq!((due.clock_assumed, due.due_at), (true, "2026-03-02T12:00:00Z".parse().unwrap()));
    let restored = r#", "sequence": 3, "kind": "update", "restored_at": "2026-01-31T11:00:00Z""#;
    story.event(7300, &fields("ca-crtc-911", restored));
    let due = report(dispatch(&story.follow(7300))).unwrap();
    assert_eq!((due.clock_assumed, due.due_at), (false, "2026-03-02T11:00:00Z".parse().unwrap()));
}

#[test]
fn as_soon_as_practicable_is_a_target_and_never_a_breach() {
    for (name, zone) in [("au-acma-cco", "Australia/Sydney"), ("uk-999", "Europe/London")] {
        let mut story = story(name, zone, "2025-09-18T00:30:00Z");
        story.event(0, &fields(name, ""));
        let duties = dispatch(&story.follow(0)).duties;
        assert!(!duties.is_empty() && duties.iter().all(|duty| duty.target), "{name}");
    }
    let mut story = story("au-acma-cco", "Australia/Sydney", "2025-09-18T00:30:00Z");
    story.event(0, &fields("au-acma-cco", ""));
    story.follow(0);
    story.event(3600, &fields("au-acma-cco", r#", "sequence": 2, "kind": "update""#));
    let again: Vec<_> = dispatch(&story.follow(3600))
        .duties
        .iter()
        .map(|duty| (duty.duty.to_string(), duty.due_at.duration_since(story.at(3600))))
        .collect();
    let hours = SignedDuration::from_hours;
    assert_eq!(
        again,
        [("customers-first-day".to_owned(), hours(6)), ("customers-later".to_owned(), hours(24))]
    );
}

#[test]
fn the_rhythm_of_updates_to_customers_goes_on_where_none_comes_and_that_of_the_first_day_ends_with_it() {
    let mut story = story("au-acma-cco", "Australia/Sydney", "2025-09-18T00:30:00Z");
    story.event(0, &fields("au-acma-cco", ""));
    let (first, hours) = (story.follow(0), SignedDuration::from_hours);
    for (id, due) in [("customers-first-day", &[6, 12, 18, 24][..]), ("customers-later", &[48, 72, 96])] {
        let mut duty = duty(&first, id);
        for (place, hour) in due.iter().enumerate() {
            assert_eq!(duty.due_at, story.at(hours(*hour).as_secs()), "{id}");
            let found = found(&story.close(hours(*hour).as_secs(), 1, duty.step.unwrap().get()));
            assert!(found.reminds() && found.repeated, "{id} at {hour}");
            match found.again {
                Some(again) => duty = duty.again(again),
                None => assert_eq!((id, place), ("customers-first-day", 3)),
            }
        }
    }
}
