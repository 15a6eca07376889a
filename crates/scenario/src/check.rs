//! Judging a scenario's files before it is played.

use std::collections::BTreeSet;

use tocsin_duty::{
    Directory, Fault, Gravity, Text,
    reading::{Source, text},
};
use tocsin_protocol::DirectoryDocument;
use toml::de::DeTable;

use crate::{course::Course, judge, model::Scenario, read};

/// The texts of a scenario. The caller has read them: nothing here touches a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// The scenario file.
    pub scenario: Text,
    /// The files of the directory that it names ([`directory_file`]), with a key for everybody ([`bodies`]). None where
    /// there is no such file, which is a fault.
    pub directory: Option<tocsin_duty::Texts>,
}

/// A scenario without a fault, and all that follows from it.
#[derive(Debug, Clone)]
pub struct Sound {
    /// What it says.
    pub scenario: Scenario,
    /// The directory that it is played with.
    pub document: DirectoryDocument,
    /// What follows from its events.
    pub course: Course,
}

/// The directory file that a scenario names, relative to itself. None where it names none, which [`check`] tells.
pub fn directory_file(scenario: &Text) -> Option<String> {
    let source = Source::new(scenario, &mut Vec::new())?;
    source.top().get("directory").and_then(text).map(str::to_owned)
}

/// Everybody whom a directory file lists as publisher or recipient: for whom keys are to be made. Whether the file is
/// sound is not asked here.
pub fn bodies(directory: &Text) -> BTreeSet<String> {
    let Some(source) = Source::new(directory, &mut Vec::new()) else { return BTreeSet::new() };
    let listed = |section: &str| -> Vec<String> {
        let entries = source.top().get(section).and_then(|value| value.get_ref().as_array());
        let tables = entries.into_iter().flatten().filter_map(|entry| entry.get_ref().as_table());
        tables.filter_map(|table: &DeTable<'_>| table.get("id").and_then(text)).map(str::to_owned).collect()
    };
    listed("publishers").into_iter().chain(listed("recipients")).collect()
}

/// Reads a scenario with its directory and tells every fault in them, by file and line. There is a [`Sound`] one unless
/// a fault is an [`Gravity::Error`].
pub fn check(texts: &Texts) -> (Option<Sound>, Vec<Fault>) {
    let mut faults = Vec::new();
    let (document, of_directory) = texts.directory.as_ref().map(tocsin_duty::check).unwrap_or_default();
    // A document that was checked can be indexed.
    let directory = document.as_ref().and_then(|document| Directory::build(1, document.clone()).ok());
    let sound = Source::new(&texts.scenario, &mut faults).and_then(|source| {
        let read = read::read(&source, directory.as_ref(), texts.directory.is_some(), &mut faults);
        let course = directory
            .as_ref()
            .zip(read.events())
            .and_then(|(directory, events)| Course::of(directory, &read.publisher()?, &events).ok());
        judge::judge(&source, &read, directory.as_ref(), course.as_ref(), &mut faults);
        Some(Sound { scenario: read.scenario()?, document: document?, course: course? })
    });
    faults.sort_by_key(|fault| fault.line);
    faults.extend(of_directory);
    let grave = faults.iter().any(|fault| fault.gravity == Gravity::Error);
    (sound.filter(|_| !grave), faults)
}
