//! The scenarios that we ship are sound, and every fault of one that is not is told.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use tocsin_duty::{Text, policy_files};
use tocsin_protocol::SigningKey;

use crate::{Sound, Texts, bodies, check, directory_file};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/scenarios")
}

/// A key for anybody: that they differ is held elsewhere.
static KEYS: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..400).map(|_| SigningKey::generate().public()).collect());

fn text(path: &Path, file: &str) -> Text {
    Text { file: file.to_owned(), text: fs::read_to_string(path).unwrap() }
}

fn with_directory(scenario: Text, beside: &Path) -> Texts {
    let named = directory_file(&scenario);
    let found = named.filter(|named| beside.join(named).is_file()).map(|named| {
        let file = beside.join(&named);
        let directory = text(&file, &named);
        let policies = policy_files(&directory)
            .into_iter()
            .map(|policy| (policy.clone(), text(&file.parent().unwrap().join(&policy), &policy)))
            .collect::<BTreeMap<_, _>>();
        let keys = bodies(&directory).into_iter().zip(KEYS.iter());
        let keys: Vec<_> = keys.map(|(id, key)| format!("{id} = {key:?}\n")).collect();
        tocsin_duty::Texts {
            directory,
            policies,
            keys: Some(Text { file: "keys".to_owned(), text: keys.concat() }),
            today: None,
        }
    });
    Texts { scenario, directory: found }
}

fn sound(name: &str) -> Sound {
    let scenario = text(&shipped().join(name), name);
    let (sound, faults) = check(&with_directory(scenario, &shipped()));
    let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{told:#?}");
    sound.unwrap()
}

/// What is told of a shipped scenario in which one thing is changed.
fn told(name: &str, from: &str, to: &str) -> String {
    let mut scenario = text(&shipped().join(name), name);
    assert!(scenario.text.contains(from), "{from} stands nowhere in {name}");
    scenario.text = scenario.text.replacen(from, to, 1);
    let (sound, faults) = check(&with_directory(scenario, &shipped()));
    assert_eq!(sound.is_none(), !faults.is_empty(), "{faults:?}");
    let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    told.join("\n")
}

#[test]
fn every_fault_is_told_by_its_line_with_what_was_expected() {
    // What is changed of the shipped scenario, and into what.
    let cases: &[(&str, &str)] = &[
        ("name = \"the day", "nmae = \"the day"),
        ("directory = \"../directory/uk.toml\"", "directory = \"../directory/ku.toml\""),
        ("incident = \"drill-999-2023-06-25\"", "incident = \"Drill 999\""),
        ("publisher = \"bt-cha\"", "publisher = \"bt-chs\""),
        ("publisher = \"bt-cha\"", "publisher = \"pol-kent\""),
        ("began_at = 2023-06-25T06:24:00+01:00", "began_at = 2023-06-25T06:24:00"),
        ("began_at = 2023-06-25T06:24:00+01:00", "began_at = 2023-06-25T06:30:00+01:00"),
        ("began_at = 2023-06-25T06:24:00+01:00", "began_at = 2023-06-25T06:24:00+01:00\nspeed = 0"),
        ("at = 2023-06-25T07:33:00+01:00", "at = 2023-06-25T06:20:00+01:00"),
        ("at = 2023-06-25T07:33:00+01:00", ""),
        ("category = \"outage\"", "category = \"outrage\""),
        ("services = [\"999-voice\", ", "services = [\"998-voice\", "),
        ("services = [\"999-voice\", \"112-voice\", \"text-relay\"]", "services = [\"000-voice\"]"),
        ("areas = [\"uk\"]", "areas = [\"ku\"]"),
        ("areas = [\"uk\"]", ""),
        ("platform = \"none\"", "platform = 5"),
        ("headline = \"999 and 112 calls are failing\"", "headline = \" \""),
        ("kind = \"resolved\"", "kind = \"initial\""),
        ("kind = \"resolved\"", "kind = \"cancelled\""),
        ("kind = \"resolved\"", "kind = \"correction\""),
        ("kind = \"resolved\"", "kind = \"correction\"\ncorrects = 4"),
        ("kind = \"resolved\"", "corrects = 1"),
        ("calls_unsuccessful = 11_470", ""),
        ("answer = [\"1m\", \"12m\"]", "answer = [\"12m\", \"1m\"]"),
        ("never = 1", "never = \"all\""),
        ("never = 1", "never = 200"),
        ("senior = 2 }", "gold = 2 }"),
        ("recipients = [\"dsit\"]\nevent = 1", "recipients = [\"dist\"]\nevent = 1"),
        ("recipients = [\"dsit\"]\nevent = 1", "recipients = [\"dfe\"]\nevent = 1"),
        ("recipients = [\"dsit\"]\nevent = 1", "recipients = [\"lrf-kent\"]\nevent = 1"),
        ("recipients = [\"dsit\"]\nevent = 1", "recipients = [\"dsit\"]\nevent = 3"),
        ("recipients = [\"dsit\"]\nevent = 1", "recipients = [\"dsit\"]\nevent = 9"),
        ("does = \"answers-mail\"\ncontact = \"duty\"", "does = \"answers-mail\""),
        ("does = \"answers-mail\"\ncontact = \"duty\"", "does = \"sleeps\""),
        ("does = \"answers-mail\"\ncontact = \"duty\"", "does = \"nothing\"\nafter = \"5m\""),
        (
            "[[then]]",
            "[[mailboxes]]\nrecipient = \"dsit\"\ncontact = \"duty\"\nfate = \"retired\"\n\n[[then]]",
        ),
        ("[[then]]", "[[mailboxes]]\nrecipient = \"dsit\"\ncontact = \"gold\"\nfate = \"lost\"\n\n[[then]]"),
        ("at = 2023-06-25T09:05:00+01:00", "at = 2023-06-24T09:05:00+01:00"),
        ("label = \"Everybody is told\"", "label = \"Everybody is told\"\nmeasures = \"acknowledged\""),
        ("silent_after = \"15m\"", "silent_after = \"20m\""),
        ("mailed = [\"duty\"]", "mailed = [\"duty\", \"gold\"]"),
        ("acknowledged = \"anew\"", "acknowledged = \"again\""),
        ("event = 2\nrecipients = [\"ofcom\", \"dsit\"]", "event = 1\nrecipients = [\"ofcom\", \"dsit\"]"),
        ("event = 2\nrecipients = [\"ofcom\", \"dsit\"]", "event = 3\nrecipients = [\"ofcom\", \"dsit\"]"),
        ("event = 2\nrecipients = [\"ofcom\", \"dsit\"]", "event = 2\nkinds = [\"police\"]"),
        ("event = 2\nrecipients = [\"ofcom\", \"dsit\"]", "event = 2\nrecipients = [\"lrf-kent\"]"),
        ("[end]\nin_time = 104", "[end]\nin_time = \"most\""),
        ("[end]\nin_time = 104", "[end]\nlate = 16"),
        ("[[events]]", "[[events]"),
    ];
    let told: Vec<_> =
        cases.iter().map(|(from, to)| format!("{to}\n{}\n", told("uk-2023.toml", from, to))).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_file_with_many_faults_tells_all_of_them_at_once() {
    let scenario = Text {
        file: "mine.toml".to_owned(),
        text: "name = \"\"\nspeed = 1e9\npeople = 7\n[[events]]\nat = 5\n[[events]]\nheadline = 3\n"
            .to_owned(),
    };
    let (sound, faults) = check(&Texts { scenario, directory: None });
    assert!(sound.is_none());
    let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn every_scenario_that_is_shipped_is_sound_and_names_itself() {
    let mut names: Vec<_> = fs::read_dir(shipped())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "toml"))
        .collect();
    names.sort();
    assert!(names.contains(&"uk-2023.toml".to_owned()));
    for name in names {
        let sound = sound(&name);
        let own = shipped().join(&name);
        assert!(fs::read_to_string(own).unwrap().contains(&format!("deploy/scenarios/{name}")));
        assert!(!sound.scenario.expect.is_empty(), "{name} expects nothing");
    }
}
