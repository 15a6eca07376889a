//! The commands of README.md, run as a reader would paste them.
//!
//! Every ```` ```sh ```` block is run, in the order of the page, in one shell that ends at the first command that
//! fails, in an empty directory that holds `deploy` as a clone does. What stands after `sh` on the fence says how:
//!
//! - `sh background until: TEXT` is a program that stays, in a terminal of its own; once it has printed the text, the
//!   page goes on beside it. `until in FILE: TEXT` where it writes to a file what it tells.
//! - `sh exit=N` is to end with that code: a page may show what a refusal looks like.
//! - `sh skip: REASON` is not run, for that reason.
//!
//! Only the bus's port differs from what a reader has: a free one is taken, so that a bus on this machine is left alone.

use std::{
    env,
    fmt::Write as _,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    error::{Attempt, Error},
    nats, place,
};

/// The port of the bus that `deploy/tocsin.toml` and the page use.
const PORT: &str = "4222";
/// Where the console of `deploy/tocsin.toml` listens.
const CONSOLE: &str = "127.0.0.1:8911";

/// One block of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    /// The line of its fence, from 1.
    line: usize,
    how: How,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum How {
    Run { exit: u8 },
    Background { until: String, told_in: Option<String> },
    Skip(String),
}

/// Runs the page with this directory's programs first on the PATH.
///
/// # Errors
/// When a command fails; its output has been shown.
pub(crate) fn run(programs: &Path) -> Result<(), Error> {
    let page = place::root().join("README.md");
    let text = fs::read_to_string(&page).attempt(format!("read {}", page.display()))?;
    let blocks = blocks(&text)?;
    let home = place::target().join("readme");
    if home.exists() {
        fs::remove_dir_all(&home).attempt(format!("remove {}", home.display()))?;
    }
    let port = free_port()?;
    copy(&place::root().join("deploy"), &home.join("deploy"), port)?;
    let script = home.join("page.sh");
    fs::write(&script, shell(&blocks)).attempt(format!("write {}", script.display()))?;
    for block in &blocks {
        if let How::Skip(why) = &block.how {
            println!("README.md:{} is not run: {why}", block.line);
        }
    }
    let mut path = vec![programs.to_owned()];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let status = Command::new("bash")
        .arg(&script)
        .current_dir(&home)
        .env("PATH", env::join_paths(path).attempt("put the programs on the PATH")?)
        .env("HOME", &home)
        .env_remove("XDG_STATE_HOME")
        .env_remove("XDG_DATA_HOME")
        .env("NATS_SERVER", nats::server()?)
        .env("PAGE_BUS", format!("nats://{}:{port}", Ipv4Addr::LOCALHOST))
        .stdin(Stdio::null())
        .status()
        .attempt("run bash")?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::told(format!("a command of README.md failed ({status})")))
    }
}

fn blocks(text: &str) -> Result<Vec<Block>, Error> {
    let mut blocks = Vec::new();
    let mut open: Option<(Option<Block>, &str)> = None;
    for (line, text) in text.lines().enumerate() {
        match &mut open {
            None => {
                if let Some(fence) = text.strip_prefix("```") {
                    let block =
                        fence.strip_prefix("sh").filter(|rest| rest.is_empty() || rest.starts_with(' '));
                    let block = match block {
                        None => None,
                        Some(rest) => Some(Block {
                            line: line + 1,
                            how: how(rest.trim(), line + 1)?,
                            text: String::new(),
                        }),
                    };
                    open = Some((block, "```"));
                }
            }
            Some((block, end)) => {
                if text.trim_end() == *end {
                    blocks.extend(open.take().and_then(|(block, _)| block));
                } else if let Some(block) = block {
                    block.text.push_str(text);
                    block.text.push('\n');
                }
            }
        }
    }
    if open.is_some() { Err(Error::told("README.md ends within a block")) } else { Ok(blocks) }
}

fn how(words: &str, line: usize) -> Result<How, Error> {
    if words.is_empty() {
        return Ok(How::Run { exit: 0 });
    }
    if let Some(until) = words.strip_prefix("background until: ").filter(|until| !until.is_empty()) {
        return Ok(How::Background { until: until.to_owned(), told_in: None });
    }
    let told = words.strip_prefix("background until in ").and_then(|told| told.split_once(": "));
    if let Some((file, until)) = told.filter(|(file, until)| !file.is_empty() && !until.is_empty()) {
        return Ok(How::Background { until: until.to_owned(), told_in: Some(file.to_owned()) });
    }
    if let Some(why) = words.strip_prefix("skip: ").filter(|why| !why.is_empty()) {
        return Ok(How::Skip(why.to_owned()));
    }
    let exit = words.strip_prefix("exit=").and_then(|code| code.parse().ok());
    let exit =
        exit.ok_or_else(|| Error::told(format!("README.md:{line}: sh {words:?} says nothing known")))?;
    Ok(How::Run { exit })
}

/// The page as one script. Its last act is to end what it left in the background, whose keyboard nobody touches.
fn shell(blocks: &[Block]) -> String {
    let mut script = "set -uo pipefail\nstaying=()\ntrap 'for one in \"${staying[@]}\"; do kill \"$one\"; done; wait' EXIT\n\
                      export NATS_URL=\"$PAGE_BUS\"\nrm -f keyboard\nmkfifo keyboard\nexec 9<>keyboard\n"
        .to_owned();
    for Block { line, how, text } in blocks {
        // Writing to a String cannot fail.
        let _ = match how {
            How::Skip(_) => Ok(()),
            How::Background { until, told_in } => write!(
                script,
                "echo '--- README.md:{line} (stays)'\n( {}exec {}\n) <&9 > page-{line}.log \
                 2>&1 &\nstaying+=($!)\n{}",
                // `tocsin up` is what makes the bus that the others are told of.
                if text.starts_with("tocsin up") { "unset NATS_URL\n" } else { "" },
                text.trim(),
                AWAIT
                    .replace("LOG", told_in.as_ref().unwrap_or(&format!("page-{line}.log")))
                    .replace("TEXT", &until.replace('\'', "'\\''")),
            ),
            How::Run { exit } => write!(
                script,
                "echo '--- README.md:{line}'\nset -e\n{}set +e\n",
                if *exit == 0 {
                    text.clone()
                } else {
                    format!(
                        "set +e\n( set -e\n{text})\ncode=$?\nif [ $code != {exit} ]; then echo \"ended with $code, not {exit}\"; exit 1; fi\n"
                    )
                }
            ),
        };
    }
    script
}

/// Waits for what a program that stays is to print: half a minute, with its last words when it does not.
const AWAIT: &str = "for _ in $(seq 300); do if grep -qsF -- 'TEXT' LOG; then break; fi; sleep 0.1; done
if ! grep -qsF -- 'TEXT' LOG; then echo 'it did not say: TEXT'; tail -n 20 LOG; exit 1; fi
";

fn free_port() -> Result<u16, Error> {
    let listener = tocsin_ledger::server::free_port().attempt("find a free port")?;
    Ok(listener.local_addr().attempt("find a free port")?.port())
}

/// Copies what a clone holds, with the other port.
fn copy(from: &Path, to: &Path, port: u16) -> Result<(), Error> {
    fs::create_dir_all(to).attempt(format!("make {}", to.display()))?;
    for entry in fs::read_dir(from).attempt(format!("read {}", from.display()))? {
        let from: PathBuf = entry.attempt(format!("read {}", from.display()))?.path();
        let to = to.join(from.file_name().unwrap_or_default());
        if from.is_dir() {
            copy(&from, &to, port)?;
        } else {
            let text = fs::read_to_string(&from).attempt(format!("read {}", from.display()))?;
            let text = text.replace(&format!("port = {PORT}"), &format!("port = {port}"));
            let text = text.replace(CONSOLE, "127.0.0.1:0");
            fs::write(&to, text).attempt(format!("write {}", to.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shell_blocks_are_run_each_as_its_fence_says() {
        let page = "a\n```sh\none\n```\n```text\nnot\n```\n```sh background until in a.log: up\ntwo\n```\n```sh exit=2\nthree\n```\n```sh skip: too long\nfour\n```\n";
        let blocks = blocks(page).unwrap();
        let hows: Vec<_> =
            blocks.iter().map(|block| (block.line, block.how.clone(), block.text.as_str())).collect();
        assert_eq!(
            hows,
            [
                (2, How::Run { exit: 0 }, "one\n"),
                (8, How::Background { until: "up".to_owned(), told_in: Some("a.log".to_owned()) }, "two\n"),
                (11, How::Run { exit: 2 }, "three\n"),
                (14, How::Skip("too long".to_owned()), "four\n"),
            ]
        );
    }

    #[test]
    fn a_fence_that_says_something_unknown_or_never_ends_is_told() {
        assert!(blocks("```sh perhaps\nx\n```\n").is_err());
        assert!(blocks("```sh skip: \nx\n```\n").is_err());
        assert!(blocks("```sh\nx\n").is_err());
    }

    #[test]
    fn the_page_ends_at_the_first_command_that_fails_and_leaves_nothing_running() {
        let home = tempfile::tempdir().unwrap();
        let run = |page: &str| {
            let script = shell(&blocks(page).unwrap());
            let mut bash = Command::new("bash");
            bash.arg("-c").arg(script).env("PAGE_BUS", "x").current_dir(home.path());
            let output = bash.output().unwrap();
            (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
        };
        assert!(run("```sh\ntrue\n```\n").0);
        let (passed, said) = run("```sh\nfalse\n```\n```sh\necho after\n```\n");
        assert!(!passed && !said.contains("after"), "{said}");
        assert!(run("```sh exit=3\nexit 3\n```\n").0);
        assert!(!run("```sh exit=3\ntrue\n```\n").0);
        let staying = "bash -c \"echo it\\'s up; exec sleep 600\"";
        let page = format!("```sh background until: it's up\n{staying}\n```\n```sh\necho beside\n```\n");
        // Were it left running, the shell would wait for it.
        let (passed, said) = run(&page);
        assert!(passed && said.contains("beside"), "{said}");
    }
}
