//! What `directory check` tells of faulty files.

use tocsin_duty::{Gravity, check};
use tocsin_protocol::ConsoleDoors;

use crate::story::{DIRECTORY, POLICY, key, texts};

fn told(directory: &str, policy: &str) -> Vec<String> {
    let (document, faults) = check(&texts(directory, policy));
    let grave = faults.iter().any(|fault| fault.gravity == Gravity::Error);
    assert_eq!(document.is_none(), grave, "there is a document unless a fault is grave: {faults:?}");
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_sound_directory_has_no_fault() {
    assert_eq!(told(DIRECTORY, POLICY), Vec::<String>::new());
}

#[test]
fn each_fault_is_told_by_file_and_line_with_what_to_do() {
    // What is changed in the directory or in its policy, into what, and the words that must be told.
    let cases: &[(&str, &str, &str)] = &[
        ("neighbours = [\"essex-police\"]", "neighbours = [\"essex-polce\"]", "directory.toml:17: "),
        (
            "areas = [\"kent\"], contacts.duty = { role = \"Duty officer\", email = \"duty@kent-fire",
            "areas = [\"kant\"], contacts.duty = { role = \"Duty officer\", email = \"duty@kent-fire",
            "kant",
        ),
        ("duty@kent-fire.example", "duty@kent-police.example", "have the same address"),
        ("duty@kent-fire.example", "Duty desk", "no mail can be sent to"),
        (
            ", contacts.senior = { role = \"Principal officer\", email = \"po@kent-fire.example\" }",
            "",
            "writes to contact senior",
        ),
        ("id = \"kent-fire\"", "id = \"ofcom\"", "ofcom"),
        ("within = \"15m\"", "within = \"45m\"", "policy.toml:"),
        ("within = \"15m\"", "within = \"a quarter\"", "a quarter"),
        ("kinds = [\"lrf\"]", "kinds = [\"lfr\"]", "did you mean \"lrf\"?"),
        ("clock = \"published\"", "clock = \"whenever\"", "whenever"),
        ("requirement = \"required\"", "requirement = \"maybe\"", "maybe"),
        ("policies = [\"policy.toml\"]", "policies = [\"other.toml\"]", "other.toml"),
        ("time_zone = \"Europe/London\"", "time_zone = \"Europe/Londres\"", "there is no time zone"),
        (
            "time_zone = \"Europe/London\"",
            "time_zone = \"Europe/London\"\ncheckpoint_key = \"UX\"",
            "checkpoint_key: key \"UX\" is not an NKey",
        ),
        (
            "time_zone = \"Europe/London\"",
            "time_zone = \"Europe/London\"\nconsole_key = \"UX\"",
            "console_key: key \"UX\" is not an NKey",
        ),
        (
            "time_zone = \"Europe/London\"",
            "time_zone = \"Europe/London\"\nlink_key = 5",
            "directory.toml:4: the directory: link_key",
        ),
        (
            "id = \"ofcom\"",
            "id = \"ofcom\", console = \"never\"",
            "recipient ofcom: console: invalid value: string \"never\", expected true, false or \"links\"",
        ),
        (
            "id = \"ofcom\"",
            "id = \"ofcom\", console = 1",
            "recipient ofcom: console: invalid type: integer `1`, expected true, false or \"links\"",
        ),
        (
            "id = \"ofcom\"",
            "id = \"ofcom\", console = [true]",
            "recipient ofcom: console: invalid type: sequence, expected true, false or \"links\"",
        ),
        ("name = \"Two counties\"", "nmae = \"Two counties\"", "nmae"),
        ("within = \"kent\"", "within = \"medway\"", "medway"),
    ];
    for (from, to, expected) in cases {
        let (directory, policy) = (DIRECTORY.replacen(from, to, 1), POLICY.replacen(from, to, 1));
        assert!(directory != DIRECTORY || policy != POLICY, "{from} stands nowhere");
        let faults = told(&directory, &policy);
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{to}: {faults:#?}");
        let located =
            |fault: &String| fault.split(':').nth(1).is_some_and(|line| line.trim().parse::<u32>().is_ok());
        assert!(faults.iter().any(located), "by line: {faults:#?}");
    }
}

#[test]
fn an_area_that_nobody_serves_is_a_warning() {
    let lonely = DIRECTORY.replace(
        "{ id = \"essex\", name = \"Essex\", within = \"uk\" },",
        "{ id = \"essex\", name = \"Essex\", within = \"uk\" },\n    { id = \"rockall\", name = \"Rockall\" },",
    );
    let faults = told(&lonely, POLICY);
    assert_eq!(
        faults,
        [
            "directory.toml:10: warning: nobody serves area rockall: an incident there would affect nobody; add it to a recipient's areas"
        ]
    );
}

#[test]
fn a_directory_without_keys_says_how_to_make_them() {
    let mut without = texts(DIRECTORY, POLICY);
    without.keys = None;
    let faults: Vec<_> = check(&without).1.iter().map(ToString::to_string).collect();
    assert!(faults.iter().any(|fault| fault.contains("tocsin keys new --directory")), "{faults:#?}");
}

#[test]
fn who_may_use_the_page_needs_no_key_and_is_told_what_that_means() {
    let (console, link) = (key("console_key").public(), key("link_key").public());
    let mut texts = texts(DIRECTORY, POLICY);
    let keys = texts.keys.as_mut().unwrap();
    keys.text = keys.text.lines().filter(|line| !line.starts_with("ofcom")).collect::<Vec<_>>().join("\n");
    assert!(check(&texts).0.is_none(), "without a console nothing that it says would count");
    let keys = texts.keys.as_mut().unwrap();
    keys.text = format!("{}\nconsole_key = \"{console}\"\nlink_key = \"{link}\"", keys.text);
    let (document, faults) = check(&texts);
    let document = document.unwrap();
    assert_eq!((document.console_key, document.link_key), (Some(console), Some(link)));
    let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert!(
        told.len() == 1 && told[0].contains("recipient ofcom has no key: it can acknowledge on the console"),
        "{told:?}"
    );
    texts.directory.text =
        texts.directory.text.replacen("id = \"ofcom\"", "id = \"ofcom\", console = false", 1);
    assert!(check(&texts).0.is_none(), "it can neither use its own key nor the page");
}

#[test]
fn who_acknowledges_by_links_is_told_what_that_takes() {
    let (console, link) = (key("console_key").public(), key("link_key").public());
    let entry = DIRECTORY.replacen("id = \"ofcom\"", "id = \"ofcom\", console = \"links\"", 1);
    let tell = |keys: &str, own: bool| {
        let mut texts = texts(&entry, POLICY);
        let given = texts.keys.as_mut().unwrap();
        let kept = |line: &&str| own || !line.starts_with("ofcom");
        given.text = given.text.lines().filter(kept).chain(keys.lines()).collect::<Vec<_>>().join("\n");
        let (document, faults) = check(&texts);
        (document, faults.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let both = format!("console_key = \"{console}\"\nlink_key = \"{link}\"");
    let (document, told) = tell(&both, true);
    let ofcom = document.unwrap().recipients.into_iter().find(|known| known.id.as_str() == "ofcom").unwrap();
    assert_eq!((ofcom.console, told), (ConsoleDoors::Links, Vec::new()));

    let no_links = format!("console_key = \"{console}\"");
    let (document, told) = tell(&no_links, true);
    assert!(document.is_some() && told.len() == 1, "{told:?}");
    assert!(told[0].contains("ofcom has console = \"links\", and there is no link_key"), "{told:?}");

    let (document, told) = tell(&both, false);
    assert!(document.is_some() && told.len() == 1, "{told:?}");
    assert!(told[0].contains("ofcom has no key: it can acknowledge by a mail's link alone"), "{told:?}");

    assert!(tell(&no_links, false).0.is_none(), "nothing that it says would count");
    assert!(tell("", false).0.is_none(), "nothing that it says would count");
}

#[test]
fn a_link_key_alone_is_of_no_use() {
    let alone = format!("link_key = \"{}\"\npolicies =", key("link_key").public());
    let faults = told(&DIRECTORY.replacen("policies =", &alone, 1), POLICY);
    assert!(
        faults.len() == 1 && faults[0].contains("warning: there is a link_key and no console_key"),
        "{faults:?}"
    );
}

#[test]
fn a_duty_that_is_owed_again_every_few_seconds_is_a_warning() {
    let owes = |repeat: &str| {
        let duty = format!(
            "{POLICY}\n[[duties]]\nid = \"again\"\nwhat = \"An update\"\nstage = \"update\"\nfrom = \"published\"\nwithin = \"1h\"\nrepeat = {repeat:?}\n"
        );
        let faults = told(DIRECTORY, &duty);
        faults.into_iter().filter(|fault| fault.contains("is owed again every")).collect::<Vec<_>>()
    };
    for plenty in ["1m", "1h", "1 day"] {
        assert_eq!(owes(plenty), Vec::<String>::new());
    }
    let told = owes("5s");
    assert!(told.len() == 1 && told[0].contains("duty again is owed again every 5s"), "{told:?}");
}

#[test]
fn no_text_makes_it_panic() {
    for hostile in [
        "",
        "\u{0}",
        "=",
        "[[[",
        "recipients = 3",
        "recipients = [{}]",
        "policies = [\"../../etc/passwd\"]",
        "areas = [{ id = 5 }]",
    ] {
        let faults = told(hostile, hostile);
        assert!(!faults.is_empty(), "{hostile:?}");
    }
}
