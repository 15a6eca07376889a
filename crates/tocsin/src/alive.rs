//! The file by which a container's engine sees that a service gets on: what systemd's watchdog is where there is systemd.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// The variable that names it. Where it is not set, no file is written.
pub(crate) const VARIABLE: &str = "TOCSIN_ALIVE";
/// How often a service looks whether it gets on, and writes the file anew if so.
pub(crate) const LOOK: Duration = Duration::from_secs(15);

/// The file of this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alive(Option<PathBuf>);

impl Alive {
    /// As the environment names it.
    pub(crate) fn of_environment() -> Self {
        Self(env::var_os(VARIABLE).filter(|file| !file.is_empty()).map(PathBuf::from))
    }

    /// Whether anybody looks.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// It gets on now.
    pub(crate) fn beat(&self) {
        let Some(file) = &self.0 else { return };
        // Its time counts; what is in it is for whoever looks.
        if let Err(why) = fs::write(file, format!("{}\n", jiff::Timestamp::now())) {
            tracing::warn!(file = %file.display(), error = %why, "that this service gets on could not be written");
        }
    }

    /// Beats for as long as this is waited for.
    pub(crate) async fn beats(&self) {
        if !self.is_wanted() {
            return std::future::pending().await;
        }
        loop {
            self.beat();
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Whether the service that writes this file has got on within this time; in words, where it has not.
pub(crate) fn look(file: &Path, within: Duration) -> Result<(), String> {
    let written = fs::metadata(file).and_then(|known| known.modified());
    let written = written.map_err(|why| format!("no service has written {}: {why}", file.display()))?;
    // One from the future is of a clock that was stepped back: the next beat mends it.
    let age = SystemTime::now().duration_since(written).unwrap_or_default();
    if age <= within {
        return Ok(());
    }
    Err(format!("the service has not got on for {} s: {}", age.as_secs(), file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_service_that_gets_on_is_seen_and_one_that_stands_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("alive");
        assert!(look(&file, Duration::from_mins(1)).unwrap_err().contains("no service has written"));
        let alive = Alive(Some(file.clone()));
        // It beats at once, and until it is no longer waited for.
        let beating = tokio::time::timeout(Duration::from_millis(50), alive.beats()).await;
        assert!(beating.is_err());
        look(&file, Duration::from_mins(1)).unwrap();
        let old = SystemTime::now() - Duration::from_mins(2);
        fs::File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
        assert!(look(&file, Duration::from_mins(1)).unwrap_err().contains("has not got on for 12"));
        look(&file, Duration::from_mins(3)).unwrap();
        alive.beat();
        look(&file, Duration::from_mins(1)).unwrap();
        Alive::default().beat();
    }
}
