//! The accounts: who may sign in, and what each sees.

use std::{collections::BTreeMap, fmt, fs::File, path::Path, str::FromStr};

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tocsin_protocol::{Person, PublisherId, RecipientId};

use super::{
    Sees, file,
    password::{Hash, PASSWORD_MIN},
};
use crate::error::Error;

/// The largest file of accounts, in bytes.
const FILE_MAX: u64 = 4 * 1024 * 1024;
/// The longest name of a person, and of a role, in characters.
const PERSON_MAX: usize = 200;
/// What an API token begins with, so that one that has leaked is known for what it is.
const TOKEN_PREFIX: &str = "tocsin_";

const HEADER: &str = "# Who may sign in to the console. Made by `tocsin account`; keep it at mode 600.\n\n";

/// The name of an account, such as `pol-kent.control`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct AccountName(String);

impl AccountName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for AccountName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let fits = (1..=64).contains(&text.len())
            && text.chars().all(inner)
            && text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::Account {
                account: text.chars().take(64).collect(),
                why: "a name is 1 to 64 of a-z, 0-9, dot, hyphen and underscore, such as pol-kent.control"
                    .to_owned(),
            })
        }
    }
}

impl TryFrom<String> for AccountName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What they see, and for whom they may speak.
    pub sees: Sees,
    /// Who is usually at it: a form begins with this name and role.
    pub person: Option<Person>,
    password: Hash,
    /// The SHA-256 of the API token, in hexadecimal.
    token: Option<String>,
}

impl Account {
    /// Whether programs may speak for it.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    pub(super) fn hash(&self) -> &Hash {
        &self.password
    }

    /// Changes with the password, so that a session begun with the old one ends.
    pub(super) fn fingerprint(&self) -> String {
        let digest = Sha256::digest(["tocsin session", self.password.as_str()].join("\n"));
        HEXLOWER.encode(digest.get(..16).unwrap_or_default())
    }
}

/// The accounts of one console.
///
/// They stand in a file of the console's and not in the directory on the bus: every desk can read that, and it is kept for
/// ever, so a password's hash there would be open to guessing at leisure, for ever, by anyone who ever saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    by_name: BTreeMap<AccountName, Account>,
    by_token: BTreeMap<String, AccountName>,
}

/// An account as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<RecipientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publisher: Option<PublisherId>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    everything: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<Person>,
    password: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_sha256: Option<String>,
}

impl Accounts {
    /// Reads the file. One that is not there is none.
    ///
    /// # Errors
    /// [`Error::File`] when others may read it, or it is no file of accounts.
    pub fn read(file: &Path) -> Result<Option<Self>, Error> {
        let fault = |why| Error::File { field: "accounts".to_owned(), path: file.to_owned(), why };
        let text = file::read(file, FILE_MAX).map_err(fault)?;
        text.map(|text| Self::parse(&text).map_err(fault)).transpose()
    }

    /// Reads the file, changes it, and writes it back; two who do so at once wait for each other. A file that is not
    /// there is made.
    ///
    /// # Errors
    /// As [`Self::read`], whatever `change` says, and [`Error::Write`] when it cannot be written.
    pub fn change<T>(file: &Path, change: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        let fault = |source: std::io::Error| Error::Write {
            field: "accounts".to_owned(),
            path: file.to_owned(),
            source,
        };
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The file itself is replaced, so the lock is on where it stands. It is freed when `place` is dropped.
        let place = File::open(parent).map_err(fault)?;
        #[cfg(unix)]
        place.lock().map_err(fault)?;
        let mut accounts = Self::read(file)?.unwrap_or_default();
        let done = change(&mut accounts)?;
        let text = accounts.text().map_err(|why| fault(std::io::Error::other(why)))?;
        file::write(file, &text).map_err(fault)?;
        place.sync_all().map_err(fault)?;
        Ok(done)
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`Error::Account`] when it is there already, or the password or the person cannot be used.
    pub fn add(
        &mut self,
        name: &AccountName,
        sees: Sees,
        person: Option<Person>,
        password: &str,
    ) -> Result<(), Error> {
        if self.by_name.contains_key(name) {
            return Err(told(name, "it is there already: revoke it first, or choose another name"));
        }
        if let Some(person) = &person {
            check_person(person).map_err(|why| told(name, &why))?;
        }
        let password = new_hash(name, password)?;
        self.by_name.insert(name.clone(), Account { sees, person, password, token: None });
        Ok(())
    }

    /// Gives an account another password. Its sessions end.
    ///
    /// # Errors
    /// [`Error::Account`] when there is none of this name, or the password cannot be used.
    pub fn set_password(&mut self, name: &AccountName, password: &str) -> Result<(), Error> {
        let hash = new_hash(name, password)?;
        self.get_mut(name)?.password = hash;
        Ok(())
    }

    /// Takes an account away. Its sessions end, and its API token is worth nothing.
    ///
    /// # Errors
    /// [`Error::Account`] when there is none of this name.
    pub fn revoke(&mut self, name: &AccountName) -> Result<(), Error> {
        self.get_mut(name)?;
        self.by_name.remove(name);
        self.by_token.retain(|_, of| of != name);
        Ok(())
    }

    /// Makes an API token for an account and returns it, for the one time that anybody sees it. An older one is worth
    /// nothing from then on.
    ///
    /// # Errors
    /// [`Error::Account`] when there is none of this name.
    pub fn new_token(&mut self, name: &AccountName) -> Result<String, Error> {
        let token = [TOKEN_PREFIX, &BASE32_NOPAD.encode(&rand::random::<[u8; 32]>())].concat();
        let digest = digest(&token);
        self.get_mut(name)?.token = Some(digest.clone());
        self.by_token.retain(|_, of| of != name);
        self.by_token.insert(digest, name.clone());
        Ok(token)
    }

    /// Every account, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&AccountName, &Account)> {
        self.by_name.iter()
    }

    pub(super) fn get(&self, name: &AccountName) -> Option<&Account> {
        self.by_name.get(name)
    }

    /// The account that the API token of this [`digest`] speaks for.
    pub(super) fn by_token(&self, digest: &str) -> Option<(&AccountName, &Account)> {
        let name = self.by_token.get(digest)?;
        self.by_name.get_key_value(name)
    }

    fn get_mut(&mut self, name: &AccountName) -> Result<&mut Account, Error> {
        let none = || told(name, "there is no such account: see `tocsin account list`");
        self.by_name.get_mut(name).ok_or_else(none)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let records: BTreeMap<AccountName, Record> =
            toml::from_str(text).map_err(|why| format!("it is no file of accounts:\n{}", why.message()))?;
        let mut accounts = Self::default();
        for (name, record) in records {
            let fault = |why: String| format!("account {name}: {why}");
            let sees = match (record.recipient, record.publisher, record.everything) {
                (Some(id), None, false) => Sees::Recipient(id),
                (None, Some(id), false) => Sees::Publisher(id),
                (None, None, true) => Sees::Everything,
                _ => {
                    return Err(fault(
                        "say one of recipient = \"ID\", publisher = \"ID\", everything = true".to_owned(),
                    ));
                }
            };
            if let Some(person) = &record.person {
                check_person(person).map_err(fault)?;
            }
            let password = Hash::read(&record.password).map_err(fault)?;
            if let Some(token) = &record.token_sha256 {
                if token.len() != 64 || HEXLOWER.decode(token.as_bytes()).is_err() {
                    return Err(fault(
                        "its token_sha256 is no SHA-256: run `tocsin account token`".to_owned(),
                    ));
                }
                accounts.by_token.insert(token.clone(), name.clone());
            }
            let account = Account { sees, person: record.person, password, token: record.token_sha256 };
            accounts.by_name.insert(name, account);
        }
        Ok(accounts)
    }

    fn text(&self) -> Result<String, toml::ser::Error> {
        let record = |account: &Account| {
            let mut record = Record {
                recipient: None,
                publisher: None,
                everything: false,
                person: account.person.clone(),
                password: account.password.as_str().to_owned(),
                token_sha256: account.token.clone(),
            };
            match &account.sees {
                Sees::Recipient(id) => record.recipient = Some(id.clone()),
                Sees::Publisher(id) => record.publisher = Some(id.clone()),
                Sees::Everything => record.everything = true,
            }
            record
        };
        let records: BTreeMap<_, _> =
            self.by_name.iter().map(|(name, account)| (name, record(account))).collect();
        Ok([HEADER, &toml::to_string(&records)?].concat())
    }
}

fn told(name: &AccountName, why: &str) -> Error {
    Error::Account { account: name.to_string(), why: why.to_owned() }
}

fn new_hash(name: &AccountName, password: &str) -> Result<Hash, Error> {
    if password.chars().count() < PASSWORD_MIN {
        return Err(told(
            name,
            &format!(
                "its password needs at least {PASSWORD_MIN} characters: three words that do not belong together do well"
            ),
        ));
    }
    Hash::of(password).ok_or_else(|| told(name, "its password is too long: use at most 256 bytes"))
}

fn check_person(person: &Person) -> Result<(), String> {
    for (what, text) in [("name", &person.name), ("role", &person.role)] {
        let length = text.chars().count();
        if text.trim().is_empty() || length > PERSON_MAX || text.chars().any(char::is_control) {
            return Err(format!("the person's {what} must be one line of 1 to {PERSON_MAX} characters"));
        }
    }
    Ok(())
}

/// The hash of an API token, by which it is kept and looked up: so the time tells nothing about it.
pub(super) fn digest(token: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AccountName {
        text.parse().unwrap()
    }

    fn kent() -> Sees {
        Sees::Recipient(RecipientId::new("pol-kent").unwrap())
    }

    const PASSWORD: &str = "correct horse battery";

    #[test]
    fn what_is_written_is_read_back_and_only_its_owner_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("accounts.toml");
        assert_eq!(Accounts::read(&file).unwrap(), None);
        let person = Person { name: "A. Person".to_owned(), role: "supervisor".to_owned() };
        let token = Accounts::change(&file, |accounts| {
            accounts.add(&name("pol-kent.control"), kent(), Some(person.clone()), PASSWORD)?;
            accounts.add(&name("ofcom"), Sees::Everything, None, PASSWORD)?;
            accounts.new_token(&name("ofcom"))
        })
        .unwrap();
        let read = Accounts::read(&file).unwrap().unwrap();
        let (of, account) = read.by_token(&digest(&token)).unwrap();
        assert_eq!((of.as_str(), &account.sees), ("ofcom", &Sees::Everything));
        assert_eq!(read.get(&name("pol-kent.control")).unwrap().person, Some(person));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains(PASSWORD) && !text.contains(&token), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |mode| std::fs::Permissions::from_mode(mode);
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&file, mode(0o640)).unwrap();
            let why = Accounts::read(&file).unwrap_err().to_string();
            assert!(why.contains("chmod 600"), "{why}");
        }
    }

    #[test]
    fn a_revoked_account_and_a_replaced_token_are_worth_nothing() {
        let mut accounts = Accounts::default();
        let who = name("a");
        accounts.add(&who, kent(), None, PASSWORD).unwrap();
        let first = accounts.new_token(&who).unwrap();
        let second = accounts.new_token(&who).unwrap();
        assert!(
            accounts.by_token(&digest(&first)).is_none() && accounts.by_token(&digest(&second)).is_some()
        );
        let before = accounts.get(&who).unwrap().fingerprint();
        accounts.set_password(&who, "another horse battery").unwrap();
        assert_ne!(accounts.get(&who).unwrap().fingerprint(), before);
        accounts.revoke(&who).unwrap();
        assert!(accounts.by_token(&digest(&second)).is_none() && accounts.get(&who).is_none());
        assert!(accounts.revoke(&who).is_err());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told() {
        let hash = Hash::of(PASSWORD).unwrap();
        let hash = hash.as_str();
        let table = [
            ("a = 1", "no file of accounts"),
            ("[\"A\"]\npassword = \"x\"", "a name is"),
            (&format!("[a]\npassword = '{hash}'"), "say one of"),
            (&format!("[a]\nrecipient = 'x'\neverything = true\npassword = '{hash}'"), "say one of"),
            (&format!("[a]\nrecipient = 'X y'\npassword = '{hash}'"), "recipient \"X y\" is not valid"),
            ("[a]\neverything = true\npassword = 'secret'", "account a: its password is no hash"),
            (&format!("[a]\neverything = true\nrole = 'x'\npassword = '{hash}'"), "unknown field"),
            (&format!("[a]\neverything = true\npassword = '{hash}'\ntoken_sha256 = 'x'"), "no SHA-256"),
            (
                &format!("[a]\neverything = true\npassword = '{hash}'\nperson = {{ name = '', role = 'x' }}"),
                "person's name",
            ),
        ];
        for (text, told) in table {
            let why = Accounts::parse(text).unwrap_err();
            assert!(why.contains(told), "{text}: {why}");
            assert!(!why.contains(hash) && !why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn a_password_is_long_enough_and_no_book() {
        let mut accounts = Accounts::default();
        for bad in ["", "short", &"x".repeat(257)] {
            assert!(accounts.add(&name("a"), kent(), None, bad).is_err(), "{bad}");
        }
        for bad in ["", "A", ".a", "a b", "a/b", &"x".repeat(65)] {
            assert!(bad.parse::<AccountName>().is_err(), "{bad}");
        }
    }
}
