//! Which directory on the bus is in force, and whose signature the next one takes.

use std::{collections::BTreeSet, path::PathBuf};

use tocsin_desk::clean;
use tocsin_duty::{Fold, Held, NotInForce, Pin, Verdict};
use tocsin_ledger::Ledger;
use tocsin_protocol::{DirectoryDocument, SigningKey, Stream, Subject, Timestamp};

use crate::{failure::Failure, seed};

/// The seed file with which a directory is signed.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DirectoryKey {
    /// The seed file of the directory_key, where the directory names one (mode 600): as `tocsin keys new directory_key`
    /// makes it. Keep it on no machine of the bus
    #[arg(long, value_name = "FILE", env = "TOCSIN_DIRECTORY_KEY", hide_env_values = true)]
    directory_key: Option<PathBuf>,
}

/// A directory on the bus that is in force, or was.
pub(crate) struct InForce {
    pub(crate) version: u64,
    pub(super) since: Timestamp,
    pub(crate) document: DirectoryDocument,
    /// The key that was to sign it, and did.
    pub(super) signed_by: Option<String>,
}

/// One that is not, and never was.
pub(super) struct Idle {
    version: u64,
    at: Timestamp,
    why: NotInForce,
}

/// The directories on the bus, held against their signatures as the services do it.
pub(crate) struct Standing {
    pub(crate) in_force: Option<InForce>,
    pub(super) idle: Vec<Idle>,
    pub(super) taken: BTreeSet<u64>,
    /// Whether one without the key stands after the one in force.
    passed: bool,
    fold: Fold,
}

impl Standing {
    /// Reads them all.
    pub(crate) async fn read(ledger: &Ledger) -> Result<Self, Failure> {
        Self::through(ledger, None).await
    }

    /// Reads them up to a version, as they stood when that was written.
    pub(super) async fn through(ledger: &Ledger, last: Option<u64>) -> Result<Self, Failure> {
        let (mut fold, mut in_force) = (Fold::new(), None);
        let (mut idle, mut taken, mut passed) = (Vec::new(), BTreeSet::new(), false);
        for entry in ledger.entries(Stream::Log, &["tocsin.directory.*".to_owned()]).await? {
            let verdict = fold.apply(&entry);
            let Ok(Subject::Directory { version }) = entry.subject.parse() else { continue };
            taken.insert(version);
            if let Verdict::NotInForce { version, why } = verdict {
                passed |= why.lacks_the_key();
                idle.push(Idle { version, at: entry.time, why });
            } else {
                (in_force, passed) = (Some((entry.time, version)), false);
            }
            if last == Some(version) {
                break;
            }
        }
        let in_force = in_force.and_then(|(since, version)| {
            let document = fold.directory()?.document().clone();
            let signed_by = fold.directory_signer(version).map(|key| key.as_str().to_owned());
            Some(InForce { version, since, document, signed_by })
        });
        Ok(Self { in_force, idle, taken, passed, fold })
    }

    /// The next version: the first after the one in force under which nothing stands. What stands there and is not in force
    /// is left as it is.
    pub(super) fn next(&self) -> u64 {
        let after = self.in_force.as_ref().map_or(0, |known| known.version);
        (after.saturating_add(1)..=u64::MAX).find(|version| !self.taken.contains(version)).unwrap_or(u64::MAX)
    }

    /// How the one in force stands to a key that is trusted.
    pub(super) fn held_against(&self, pin: &Pin) -> Held {
        self.fold.held_against(pin)
    }

    /// Whether whoever has the key may say the directory in force once more, though nothing in it changes: where the key that
    /// it names has not signed it yet, as it took another's place, nobody can trust that key alone; and where one without
    /// the key stands after it, `tocsin watch` tells of that until another comes.
    pub(super) fn may_be_said_again(&self, given: &DirectoryKey) -> bool {
        let signed_by_another = self.in_force.as_ref().is_some_and(|known| {
            known.document.directory_key.is_some() && known.document.directory_key != known.signed_by
        });
        given.directory_key.is_some() && (signed_by_another || self.passed)
    }

    /// The key that must sign what comes next, from the file that was given. `None` when nobody need sign it.
    ///
    /// # Errors
    /// When there is none, or another: nothing may be written then.
    pub(crate) fn signer(
        &self,
        next: &DirectoryDocument,
        given: &DirectoryKey,
    ) -> Result<Option<SigningKey>, Failure> {
        let bound = self.in_force.as_ref().and_then(|known| known.document.directory_key.as_ref());
        let Some(wanted) = bound.or(next.directory_key.as_ref()) else { return Ok(None) };
        let whose = if bound.is_some() {
            "the directory in force names it, so that it must sign the next"
        } else {
            "the directory names it itself, so that it must sign it"
        };
        let Some(file) = &given.directory_key else {
            return Err(Failure::wrong(format!(
                "nothing was written: this takes the seed of directory_key {wanted} ({whose}): give its file with --directory-key, or in TOCSIN_DIRECTORY_KEY. If it is lost, deploy/RUNBOOK.md says what is left to do"
            )));
        };
        let key = seed::read(file)?;
        if key.public() == *wanted {
            return Ok(Some(key));
        }
        Err(Failure::wrong(format!(
            "nothing was written: {} holds the key {}, and this takes that of directory_key {wanted} ({whose}): give its file with --directory-key",
            file.display(),
            key.public()
        )))
    }
}

impl Idle {
    pub(super) fn told(&self) -> String {
        let mend = if self.why.lacks_the_key() {
            ". It changes nothing. If it was not you, give the administrator and the routers other keys (`tocsin keys rotate`); if it was, apply it anew with --directory-key"
        } else {
            ". It changes nothing"
        };
        let why = clean::line(&self.why.to_string(), 400);
        format!("version {}, written at {}, is not in force: {why}{mend}.", self.version, self.at)
    }
}

/// Who signed a directory, and who must sign the next.
pub(super) fn told(signed_by: Option<&str>, document: &DirectoryDocument) -> String {
    let signed = signed_by.map_or_else(|| "not signed".to_owned(), |key| format!("signed by {key}"));
    match &document.directory_key {
        Some(key) if Some(key.as_str()) == signed_by => format!("{signed}, which must sign the next"),
        Some(key) => format!("{signed}; {key} must sign the next"),
        None => format!(
            "{signed}; without a directory_key anybody who may write to the log puts the next in force"
        ),
    }
}
