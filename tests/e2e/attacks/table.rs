//! The table of attacks, as it stands in the documentation.

use std::{fmt::Write as _, fs, path::Path};

/// One attack and what came of it.
pub(super) struct Row {
    who: &'static str,
    attack: String,
    stopped: bool,
    why: String,
}

/// All of them.
#[derive(Default)]
pub(super) struct Table(Vec<Row>);

const HEAD: &str = "# Attacks on the bus, and what stops them

Written by a test (`cargo test -p tocsin-tests --test e2e attacks`), which tries each of these on a real nats-server with
the configuration that `tocsin provision` writes, and fails when what it finds differs from this page. To write it anew:
`TOCSIN_WRITE_ATTACKS=1` before the command.

Every body has a NATS account of its own. In one shared account, whatever the permissions, a body may name any subject
for the answer to its request, and the broker itself stores the answer there: the last table shows it. So there is no
shared form.

";

impl Table {
    pub(super) fn add(
        &mut self,
        who: &'static str,
        attack: impl Into<String>,
        outcome: Result<String, String>,
    ) {
        let (stopped, why) = match outcome {
            Ok(why) => (true, why),
            Err(why) => (false, why),
        };
        self.0.push(Row { who, attack: attack.into(), stopped, why });
    }

    /// How many are not stopped.
    pub(super) fn open(&self) -> Vec<&str> {
        self.0.iter().filter(|row| !row.stopped).map(|row| row.attack.as_str()).collect()
    }

    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        let mut last = "";
        for Row { who, attack, stopped, why } in &self.0 {
            if *who != last {
                let _ =
                    write!(text, "\n## {who}\n\n| attack | result | by what, or why not |\n|---|---|---|\n");
                last = who;
            }
            let result = if *stopped { "stopped" } else { "**not stopped**" };
            let _ =
                writeln!(text, "| {} | {result} | {} |", attack.replace('|', "\\|"), why.replace('|', "\\|"));
        }
        text.replace("\n\n\n", "\n\n")
    }

    /// Holds it against the page, or writes that.
    pub(super) fn hold(&self) {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nats/ATTACKS.md");
        let text = self.text();
        if std::env::var_os("TOCSIN_WRITE_ATTACKS").is_some() {
            fs::write(&page, &text).unwrap();
        }
        let there = fs::read_to_string(&page).unwrap_or_default();
        assert!(there == text, "deploy/nats/ATTACKS.md differs from what was found, which is:\n{text}");
    }
}
