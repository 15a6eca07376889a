//! `tocsin drill`: checks a scenario, and shows what would come of it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use jiff::tz::TimeZone;
use tocsin_duty::{Text, Texts as DirectoryTexts};
use tocsin_protocol::{Dispatch, Requirement, SigningKey};
use tocsin_scenario::{Does, Fate, Happening, Sound, Texts, bodies, check, directory_file};

use crate::{
    commands::directory::as_json,
    directory_file::{Checked, policies, read},
    failure::{Exit, Failure},
    out,
};

/// Check the scenario of a drill: tell every fault of it, and what would come of it
///
/// Nothing is played, and no bus is touched. A clone of the source plays it, at speed, through the real parts:
/// `cargo xtask drill --scenario FILE`.
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Example:
  tocsin drill --scenario deploy/scenarios/west-mercia.toml

deploy/scenarios/README.md says how one is written. Exit code 2 when there are faults; warnings alone are none."
)]
pub(crate) struct Args {
    /// The scenario file; it names its directory
    #[arg(long, value_name = "FILE")]
    scenario: PathBuf,
    /// Tell the faults as JSON: a list of file, line, gravity and what
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let scenario = read(&args.scenario, "scenario")?;
    let beside = args.scenario.parent().unwrap_or(Path::new(""));
    let named = directory_file(&scenario).map(|named| tidy(&beside.join(named)));
    // One that is not there is told as a fault, on the line that names it.
    let directory = named.filter(|file| file.is_file()).map(|file| directory(&file)).transpose()?;
    let (sound, faults) = check(&Texts { scenario, directory });
    let checked = Checked { document: None, faults };
    if args.json {
        out::line(&as_json(&checked)?)?;
    } else {
        out::text(&checked.told())?;
        out::line(&format!("{}: {}", args.scenario.display(), checked.counted()))?;
        if let Some(sound) = &sound {
            out::text(&shown(sound))?;
        }
    }
    if sound.is_none() { Err(Failure::told(Exit::Input)) } else { Ok(()) }
}

/// A directory's texts, with a key for everybody, as a drill makes them.
fn directory(file: &Path) -> Result<DirectoryTexts, Failure> {
    let directory = read(file, "directory")?;
    let policies = policies(file, &directory)?;
    let keys: Vec<_> = bodies(&directory)
        .iter()
        .map(|id| format!("{id:?} = {:?}\n", SigningKey::generate().public()))
        .collect();
    let keys = Some(Text { file: "the drill's keys".to_owned(), text: keys.concat() });
    Ok(DirectoryTexts { directory, policies, keys, today: None })
}

/// A path without the steps up that its own steps down undo.
fn tidy(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut tidied = PathBuf::new();
    for part in path.components() {
        match (part, tidied.components().next_back()) {
            (Component::ParentDir, Some(Component::Normal(_))) => _ = tidied.pop(),
            _ => tidied.push(part),
        }
    }
    tidied
}

/// What would come of it.
fn shown(sound: &Sound) -> String {
    let Sound { scenario, document, course } = sound;
    let zone = TimeZone::get(&document.time_zone).unwrap_or(TimeZone::UTC);
    let told =
        |at: jiff::Timestamp| at.to_zoned_datetime(zone.clone()).strftime("%-d %b %Y %H:%M %Z").to_string();
    let mut lines = vec![
        String::new(),
        scenario.name.clone(),
        format!("  {}  the failure begins", told(scenario.began_at)),
    ];
    for Happening { at, event, .. } in &scenario.events {
        lines.push(format!("  {}  event {}, {}: {}", told(*at), event.sequence, event.kind, event.headline));
        let Some(dispatch) = course.dispatch(event.sequence) else { continue };
        lines.push(format!("      {}", owed(dispatch)));
        let windows: Vec<_> = course
            .windows(event.sequence)
            .into_iter()
            .map(|(length, contact)| format!("{length:#}, then the {contact} contact"))
            .collect();
        if !windows.is_empty() {
            lines.push(format!("      windows: {}", windows.join("; ")));
        }
        if !dispatch.worsened.is_empty() {
            lines.push(format!("      acknowledged anew: {}", dispatch.worsened.join("; ")));
        }
    }
    let silent: BTreeSet<_> = scenario
        .people
        .iter()
        .filter(|part| part.does != Does::Answers)
        .flat_map(|part| &part.recipients)
        .map(ToString::to_string)
        .collect();
    if !silent.is_empty() {
        lines.push(format!("  silent at first, or for ever: {}", Vec::from_iter(silent).join(", ")));
    }
    for mailbox in &scenario.mailboxes {
        let fate = match mailbox.fate {
            Fate::Retired => "retired: mails are taken, and read by nobody",
            Fate::Refused => "gone: mails are refused",
        };
        lines.push(format!("  mailbox {} of {}: {fate}", mailbox.contact, mailbox.recipient));
    }
    lines.push("  it is to end so:".to_owned());
    lines.extend(scenario.expect.iter().map(|expected| format!("      {}", expected.says)));
    lines.join("\n") + "\n"
}

/// How many are owed an event.
fn owed(dispatch: &Dispatch) -> String {
    let owed = dispatch.recipients();
    let required = owed.values().filter(|one| **one == Requirement::Required).count();
    if dispatch.acknowledge {
        format!("{required} must acknowledge, {} are informed", owed.len() - required)
    } else {
        format!("{} are told, and nobody is asked", owed.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_without_detours() {
        for (path, tidied) in [
            ("deploy/scenarios/../directory/uk.toml", "deploy/directory/uk.toml"),
            ("../directory/uk.toml", "../directory/uk.toml"),
            ("a/../../b.toml", "../b.toml"),
            ("/a/./b/../c.toml", "/a/c.toml"),
        ] {
            assert_eq!(tidy(Path::new(path)), Path::new(tidied));
        }
    }

    #[test]
    fn what_would_come_of_a_scenario_is_shown() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/scenarios/optus-2025.toml");
        let scenario = read(&file, "scenario").unwrap();
        let directory = directory(&file.with_file_name("../directory/au.toml")).unwrap();
        let (sound, faults) = check(&Texts { scenario, directory: Some(directory) });
        assert_eq!(faults, []);
        insta::assert_snapshot!(shown(&sound.unwrap()));
    }
}
