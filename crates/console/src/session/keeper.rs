//! The file of accounts, read again when it has changed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use super::accounts::Accounts;
use crate::error::Error;

/// How long a change may go unseen.
const LOOK: Duration = Duration::from_millis(200);

/// Knows the accounts as they stand in the file.
pub(super) struct Keeper {
    file: PathBuf,
    kept: Mutex<Kept>,
}

struct Kept {
    accounts: Arc<Accounts>,
    stamp: Option<Stamp>,
    looked: Instant,
}

/// What tells one state of the file from another: it is replaced, not overwritten, so its length or time differ.
#[derive(PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    #[cfg(unix)]
    inode: u64,
    #[cfg(unix)]
    mode: u32,
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        let known = fs::metadata(file).ok()?;
        Some(Self {
            modified: known.modified().ok(),
            length: known.len(),
            #[cfg(unix)]
            inode: known.ino(),
            #[cfg(unix)]
            mode: known.mode(),
        })
    }
}

impl Keeper {
    /// Reads the file, which must be there.
    pub(super) fn open(file: PathBuf) -> Result<Self, Error> {
        let stamp = Stamp::of(&file);
        let accounts = Accounts::read(&file)?.ok_or_else(|| Error::File {
            field: "accounts".to_owned(),
            path: file.clone(),
            why: "it is not there, and without it nobody could sign in: make it with `tocsin account add`"
                .to_owned(),
        })?;
        let kept = Kept { accounts: Arc::new(accounts), stamp, looked: Instant::now() };
        Ok(Self { file, kept: Mutex::new(kept) })
    }

    /// The accounts as they stand. When the file can no longer be read those of before go on, and the log says so: a slip
    /// of an editor must not shut every control room out.
    pub(super) fn accounts(&self) -> Arc<Accounts> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.looked.elapsed() >= LOOK {
            kept.looked = Instant::now();
            let stamp = Stamp::of(&self.file);
            if stamp != kept.stamp {
                kept.stamp = stamp;
                match Accounts::read(&self.file) {
                    Ok(Some(accounts)) => {
                        tracing::info!(file = %self.file.display(), accounts = accounts.iter().count(), "the accounts were read again");
                        kept.accounts = Arc::new(accounts);
                    }
                    Ok(None) => {
                        tracing::error!(file = %self.file.display(), "the file of accounts is gone; those of before go on");
                    }
                    Err(why) => {
                        tracing::error!(error = %why, "the file of accounts has changed and cannot be used; those of before go on");
                    }
                }
            }
        }
        Arc::clone(&kept.accounts)
    }
}
