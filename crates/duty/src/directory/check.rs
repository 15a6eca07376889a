//! Judging the files of a directory before it is put in force.

use std::collections::BTreeMap;

use jiff::civil::Date;
use tocsin_protocol::DirectoryDocument;

use super::{
    document::read,
    fault::{Fault, Gravity},
    fitness,
    source::{FAULTS_MAX, Source, Text, text},
    structure,
};

/// The texts of a directory. The caller has read them: nothing here touches a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// The directory file.
    pub directory: Text,
    /// The policy files, each under the path by which the directory names it ([`policy_files`]). One that is named
    /// and not here is a fault.
    pub policies: BTreeMap<String, Text>,
    /// A file of public keys, `id = "U..."` line by line, beside those that the directory itself holds.
    pub keys: Option<Text>,
    /// The day against which entries that have ended, or were confirmed long ago, are held; none to leave that out.
    pub today: Option<Date>,
}

/// The policy files that a directory file names, as it names them: relative to itself. None when it is not TOML, which
/// [`check`] tells.
pub fn policy_files(directory: &Text) -> Vec<String> {
    let Some(source) = Source::new(directory, &mut Vec::new()) else { return Vec::new() };
    let named = source.root.get_ref().get("policies").and_then(|value| value.get_ref().as_array());
    named.into_iter().flatten().filter_map(text).map(str::to_owned).collect()
}

/// Reads a directory from its files and tells every fault in them, by file and line.
///
/// There is a document unless a fault is an [`Gravity::Error`]. Faults are told up to a bound (10,000, the last of
/// which says that there are more), each text up to [`TEXT_MAX`](super::TEXT_MAX). What stands in an entry that could
/// not be read is not held against the rules; it is judged once it can be read.
pub fn check(texts: &Texts) -> (Option<DirectoryDocument>, Vec<Fault>) {
    let mut faults = Vec::new();
    let directory = Source::new(&texts.directory, &mut faults);
    let policies: BTreeMap<_, _> =
        texts.policies.iter().map(|(path, text)| (path.as_str(), Source::new(text, &mut faults))).collect();
    let keys = texts.keys.as_ref().and_then(|keys| Source::new(keys, &mut faults));
    let document = directory.as_ref().map(|directory| {
        let mut read = read(directory, &policies, &mut faults);
        if let Some(keys) = &keys {
            read.take_keys(keys, &mut faults);
        }
        let mut found = Vec::new();
        structure::judge(&read.document, &read.unread, &mut found);
        fitness::judge(&read.document, &read.unread, texts.today, &mut found);
        faults.extend(found.into_iter().map(|found| {
            let (file, line) = read.locate(&found.place);
            found.at(file.to_owned(), Some(line))
        }));
        read.document
    });
    let sound = faults.iter().all(|fault| fault.gravity == Gravity::Warning);
    (document.filter(|_| sound), in_order(texts, faults))
}

/// The directory's faults first, then those of the policies as they stand, then those of the keys; each by line.
fn in_order(texts: &Texts, mut faults: Vec<Fault>) -> Vec<Fault> {
    let policies = policy_files(&texts.directory);
    let files = std::iter::once(&texts.directory)
        .chain(policies.iter().filter_map(|path| texts.policies.get(path)))
        .chain(&texts.keys);
    let mut ranks = BTreeMap::new();
    for (rank, text) in files.enumerate() {
        ranks.entry(text.file.as_str()).or_insert(rank);
    }
    faults.sort_by_key(|fault| (ranks.get(fault.file.as_str()).copied(), fault.line));
    if faults.len() > FAULTS_MAX {
        let more = faults.len() - FAULTS_MAX + 1;
        faults.truncate(FAULTS_MAX - 1);
        faults.push(Fault {
            file: texts.directory.file.clone(),
            line: None,
            gravity: Gravity::Error,
            what: format!("there are {more} more faults: mend these first"),
        });
    }
    faults
}
