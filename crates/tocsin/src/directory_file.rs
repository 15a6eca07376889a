//! A directory's files: read, checked, and their faults told.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use tocsin_duty::{Fault, Gravity, TEXT_MAX, Text, Texts, policy_files};
use tocsin_protocol::DirectoryDocument;

use crate::failure::Failure;

/// Which files.
#[derive(Debug, clap::Args)]
pub(crate) struct Files {
    /// The directory file; it names its policy files
    #[arg(value_name = "FILE")]
    directory: PathBuf,
    /// A file of public keys, `id = "U..."` line by line, as `tocsin keys new --directory` writes it
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

/// A directory that was read, and what is wrong with it. There is a document unless a fault is an error.
pub(crate) struct Checked {
    pub(crate) document: Option<DirectoryDocument>,
    pub(crate) faults: Vec<Fault>,
}

impl Files {
    /// These files.
    pub(crate) fn of(directory: &Path, keys: &Path) -> Self {
        Self { directory: directory.to_owned(), keys: Some(keys.to_owned()) }
    }

    /// Reads and checks them.
    pub(crate) fn at(directory: PathBuf, keys: Option<PathBuf>) -> Self {
        Self { directory, keys }
    }

    /// Checks them.
    pub(crate) fn check(&self) -> Result<Checked, Failure> {
        self.check_as(read(&self.directory, "directory")?)
    }

    /// Checks them as if this were the directory file.
    pub(crate) fn check_as(&self, directory: Text) -> Result<Checked, Failure> {
        let policies = policies(&self.directory, &directory)?;
        let keys = self.keys.as_deref().map(|keys| read(keys, "keys")).transpose()?;
        let today = Some(jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date());
        let (document, faults) = tocsin_duty::check(&Texts { directory, policies, keys, today });
        Ok(Checked { document, faults })
    }

    /// Where the directory file is.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory file, as it was named.
    pub(crate) fn named(&self) -> String {
        self.directory.display().to_string()
    }
}

impl Checked {
    /// The faults, one a line.
    pub(crate) fn told(&self) -> String {
        self.faults.iter().flat_map(|fault| [fault.to_string(), "\n".to_owned()]).collect()
    }

    /// How many errors and how many warnings.
    pub(crate) fn counted(&self) -> String {
        let warnings = self.faults.iter().filter(|fault| fault.gravity == Gravity::Warning).count();
        let counted = |n: usize, what: &str| match n {
            0 => format!("no {what}"),
            1 => format!("1 {what}"),
            n => format!("{n} {what}s"),
        };
        format!("{}, {}", counted(self.faults.len() - warnings, "fault"), counted(warnings, "warning"))
    }
}

/// The policy files that a directory names. One that is not there is told as a fault, on the line that names it.
pub(crate) fn policies(file: &Path, directory: &Text) -> Result<BTreeMap<String, Text>, Failure> {
    let beside = file.parent().unwrap_or(Path::new(""));
    let mut policies = BTreeMap::new();
    for named in policy_files(directory) {
        let file = beside.join(&named);
        match text(&file) {
            Ok(text) => _ = policies.insert(named, text),
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            Err(why) => return Err(cannot_read(&file, "policy", &why)),
        }
    }
    Ok(policies)
}

/// Reads a file that the person named.
pub(crate) fn read(file: &Path, what: &str) -> Result<Text, Failure> {
    text(file).map_err(|why| cannot_read(file, what, &why))
}

fn cannot_read(file: &Path, what: &str, why: &io::Error) -> Failure {
    Failure::wrong(format!("cannot read the {what} file {}: {why}", file.display()))
}

fn text(file: &Path) -> io::Result<Text> {
    let size = fs::metadata(file)?.len();
    if size > TEXT_MAX as u64 {
        return Err(io::Error::other(format!("it is {size} bytes long and may be {TEXT_MAX}")));
    }
    Ok(Text { file: file.display().to_string(), text: fs::read_to_string(file)? })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn shipped(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/directory").join(name)
    }

    /// As `tocsin keys new --directory` does it.
    fn with_keys(name: &str) -> (Checked, tempfile::TempDir) {
        let out = tempfile::tempdir().unwrap();
        let made = crate::keys::for_directory(&shipped(name), out.path()).unwrap();
        let files = Files { directory: shipped(name), keys: Some(made.public) };
        (files.check().unwrap(), out)
    }

    #[test]
    fn the_directory_of_the_united_kingdom_has_no_fault_once_keys_are_given() {
        let (checked, _out) = with_keys("uk.toml");
        let errors: Vec<_> = checked.faults.iter().map(ToString::to_string).collect();
        let document = checked.document.unwrap_or_else(|| panic!("{errors:#?}"));
        assert!(errors.is_empty(), "{errors:#?}");
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for recipient in &document.recipients {
            *kinds.entry(&recipient.kind).or_default() += 1;
        }
        let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        insta::assert_snapshot!(kinds.join("\n"), @r"
        14 ambulance
        1 coastguard
        9 communications-provider
        5 coordination-body
        3 devolved-government
        49 fire
        8 government
        45 lrf
        1 operator
        3 police-special
        45 police-territorial
        1 regulator
        ");
        let ids: Vec<_> = document.recipients.iter().map(|recipient| recipient.id.as_str()).collect();
        for body in [
            "bt-cha",
            "ofcom",
            "dsit",
            "cabinet-office",
            "home-office",
            "nhs-england",
            "hmcg",
            "scottish-government",
            "welsh-government",
            "ni-executive",
        ] {
            assert!(ids.contains(&body), "{body} is missing");
        }
        let contacts = document.recipients.iter().flat_map(|recipient| recipient.contacts.values());
        for contact in contacts {
            assert!(contact.email.ends_with(".example"), "{} could be somebody's", contact.email);
        }
        // A force whose control room fails tells its neighbours, so each needs one and may speak for itself.
        for force in document.recipients.iter().filter(|recipient| recipient.kind == "police-territorial") {
            assert!(!force.areas.is_empty(), "{}", force.id);
            assert!(document.publishers.iter().any(|p| p.id.as_str() == force.id.as_str()), "{}", force.id);
        }
    }

    #[test]
    fn the_example_directory_has_no_fault_once_keys_are_given() {
        let (checked, _out) = with_keys("example.toml");
        assert!(checked.document.is_some(), "{}", checked.told());
        assert_eq!(checked.counted(), "no fault, no warning", "{}", checked.told());
    }

    #[test]
    fn a_policy_file_that_is_not_there_is_a_fault_of_the_line_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let directory = dir.path().join("d.toml");
        fs::write(&directory, "name = \"x\"\ntime_zone = \"Europe/London\"\npolicies = [\"gone.toml\"]\n")
            .unwrap();
        let checked = Files { directory, keys: None }.check().unwrap();
        let told = checked.told().replace(&format!("{}/", dir.path().display()), "");
        insta::assert_snapshot!(told, @r"
        d.toml:3: there is no policy file gone.toml: correct the path, or write the file
        d.toml:3: warning: there is no policy, so that nobody is owed anything: name a policy file in `policies`
        ");
    }
}
