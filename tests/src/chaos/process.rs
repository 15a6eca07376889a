//! The processes of the suite: killed, paused and started again, and none left behind.

use std::{
    fs::File,
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
};

/// Kills what it was told of, and removes a directory, when this process ends, however it ends.
///
/// A process that is killed cleans nothing up. So a shell waits for the end of its input, which is this process's end.
#[derive(Debug)]
pub(super) struct Guard {
    told: Mutex<ChildStdin>,
    shell: Mutex<Child>,
}

const SHELL: &str = r#"
trap '' INT TERM HUP
all=' '
while read -r what id; do
  case $what in
    +) all="$all$id " ;;
    -) all="${all%% $id *} ${all#* $id }" ;;
  esac
done
for id in $all; do kill -9 "$id" 2>/dev/null; done
rm -rf "$0"
"#;

impl Guard {
    /// A guard over this directory.
    pub(super) fn over(directory: &Path) -> Arc<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SHELL])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let told = Mutex::new(shell.stdin.take().unwrap());
        Arc::new(Self { told, shell: Mutex::new(shell) })
    }

    fn tell(&self, what: char, id: u32) {
        // When the shell is gone there is nothing to be told any more.
        let _ = writeln!(self.told.lock().unwrap(), "{what} {id}");
    }

    /// Has it kill this process when ours ends.
    pub(super) fn watch(&self, id: u32) {
        self.tell('+', id);
    }

    /// This process has ended, and its number may become another's.
    pub(super) fn forget(&self, id: u32) {
        self.tell('-', id);
    }

    /// Lets it do its work now, and waits for it.
    pub(super) fn close(self: Arc<Self>) {
        if let Ok(Self { told, shell }) = Arc::try_unwrap(self).map_err(drop) {
            drop(told);
            let _ = shell.into_inner().unwrap().wait();
        }
    }
}

/// A process that is started again after it was killed. Dropping it kills it.
pub(super) struct Process {
    /// Its name in what is told, and of its log.
    pub(super) name: String,
    make: Box<dyn Fn() -> Command + Send + Sync>,
    directory: PathBuf,
    state: Mutex<State>,
    guard: Arc<Guard>,
    /// Held by the one fault that is done to it.
    pub(super) busy: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct State {
    child: Option<Child>,
    paused: bool,
}

impl Process {
    /// Starts it; its output goes to files of its name in this directory.
    pub(super) fn start(
        name: &str,
        directory: &Path,
        guard: &Arc<Guard>,
        make: impl Fn() -> Command + Send + Sync + 'static,
    ) -> Self {
        let process = Self {
            name: name.to_owned(),
            make: Box::new(make),
            directory: directory.to_owned(),
            state: Mutex::default(),
            guard: Arc::clone(guard),
            busy: Arc::default(),
        };
        process.revive();
        process
    }

    /// The file of its standard output.
    pub(super) fn output(&self) -> PathBuf {
        self.directory.join(format!("{}.out", self.name))
    }

    /// The file of its log.
    pub(super) fn log(&self) -> PathBuf {
        Self::log_of(&self.name, &self.directory)
    }

    /// The file of the log of a process of this name in this directory.
    pub(super) fn log_of(name: &str, directory: &Path) -> PathBuf {
        directory.join(format!("{name}.log"))
    }

    /// Starts it if it does not run, and lets it go on if it was paused.
    pub(super) fn revive(&self) {
        let mut state = self.state.lock().unwrap();
        if state.child.is_none() {
            let open = |path| File::options().create(true).append(true).open(path).unwrap();
            let child = (self.make)()
                .stdin(Stdio::null())
                .stdout(open(self.output()))
                .stderr(open(self.log()))
                // What the terminal interrupts is the suite alone, which ends the others.
                .process_group(0)
                .spawn()
                .unwrap();
            self.guard.watch(child.id());
            state.child = Some(child);
        }
        if std::mem::take(&mut state.paused) {
            signal("CONT", state.child.as_ref().unwrap().id());
        }
    }

    /// Kills it (SIGKILL), as a power cut would. False when it did not run.
    pub(super) fn kill(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        let Some(mut child) = state.child.take() else { return false };
        state.paused = false;
        // An error means that it is gone already.
        let _ = child.kill();
        let _ = child.wait();
        self.guard.forget(child.id());
        true
    }

    /// Stops it in its tracks (SIGSTOP): its connections stay open and it does nothing. False when it does not run.
    pub(super) fn pause(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        let Some(id) = state.child.as_ref().map(Child::id) else { return false };
        state.paused = signal("STOP", id);
        state.paused
    }

    /// Its number, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.state.lock().unwrap().child.as_ref().map(Child::id)
    }

    /// How it ended by itself, if it did; it is then taken for killed.
    pub(super) fn ended(&self) -> Option<String> {
        let mut state = self.state.lock().unwrap();
        let status = state.child.as_mut()?.try_wait().unwrap()?;
        if let Some(child) = state.child.take() {
            self.guard.forget(child.id());
        }
        drop(state);
        Some(format!("{} ended by itself ({status}): {}", self.name, self.tail()))
    }

    /// The end of its log.
    pub(super) fn tail(&self) -> String {
        let log = std::fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n    ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The shell's own kill: no unsafe code, and no other program, is needed.
fn signal(signal: &str, id: u32) -> bool {
    let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {id}")]).status();
    sent.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn runs(id: u32) -> bool {
        std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn a_guard_kills_what_it_watches_and_leaves_what_it_forgot() {
        let directory = tempfile::tempdir().unwrap().keep();
        let guard = Guard::over(&directory);
        let mut sleepers: Vec<Child> =
            (0..3).map(|_| Command::new("sleep").arg("600").spawn().unwrap()).collect();
        for sleeper in &sleepers {
            guard.watch(sleeper.id());
        }
        guard.forget(sleepers[1].id());
        guard.close();
        let deadline = Instant::now() + Duration::from_secs(20);
        while runs(sleepers[0].id()) || runs(sleepers[2].id()) {
            assert!(Instant::now() < deadline, "they still run");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(runs(sleepers[1].id()), "it was forgotten, and is another's");
        assert!(!directory.exists());
        for sleeper in &mut sleepers {
            let _ = sleeper.kill();
            sleeper.wait().unwrap();
        }
    }
}
