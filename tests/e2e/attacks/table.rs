//! The table of attacks, as it stands in the documentation.

use std::{fmt::Write as _, fs, path::Path};

/// One attack and what came of it.
struct Row {
    who: String,
    attack: String,
    stopped: bool,
    why: String,
}

/// What a key lets whoever has it say.
pub(super) struct Right {
    /// Whose or which it is.
    pub(super) key: String,
    /// What it can make the record say.
    pub(super) says: String,
    /// How that is told afterwards.
    pub(super) told: String,
    /// What ends it.
    pub(super) ends: String,
}

/// All of them.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Row>,
    rights: Vec<Right>,
    /// What nothing stops where it is tried, and whether it came about.
    detours: Vec<(String, bool)>,
    shared: Vec<(String, bool)>,
}

const HEAD: &str = "# Attacks on the bus, and what stops them

Written by a test (`cargo test -p tocsin-tests --test e2e attacks`), which tries each of these on a real nats-server with
the configuration that `tocsin provision` writes, and fails when what it finds differs from this page. To write it anew:
`TOCSIN_WRITE_ATTACKS=1` before the command. What stands under \"by what\" is what the server, the router or the client
answered, where there was an answer.
";

const RIGHTS: &str = "
## What each key may do by its right

No attack is what a key is for, and whoever has stolen it may do that too. So each key is for as little as can be, what was
said with it can be told afterwards, and it can be ended on a running bus: from the next version of the directory on, what is
signed with it is refused, and who logged in with it is put out. The commands take `--bus DIR` besides. The test says
something with each of the bodies' keys, the console's and a link, finds it in the auditor's report as it stands here, and
sees it refused under a directory without the key; that a service writes what is its own it tries too. What is altered on the
broker's machine is altered in `tests/e2e/tampered.rs`.
What a service that trusts a `directory_key` does on a record that another has begun is tried in `crates/router/tests/router.rs`,
`crates/notifier/tests/work.rs` and `crates/publisher/tests/bus.rs`.

| key | what whoever steals it can make the record say | how it is told afterwards | what ends it |
|---|---|---|---|
";

const DETOURS: &str = "
## A stolen key of our own services

The router and the administrator share the account of the streams: the one writes what follows, the other makes the streams
themselves, may change them, and puts a backup back. Their permissions above hold against mistakes. Against who holds such a
key they do not, as the answer to a request may be put under any subject of the account. Notifier, console and auditor, which
speak with mail servers and people, each have an account of their own, where an answer stays. What tells of it afterwards are
the signatures (no service has the key of a publisher or recipient), the checkpoints that agencies repeat in their receipts,
and an auditor's bundle (`tests/e2e/tampered.rs`). So a service's key belongs on that service's machine alone;
`tocsin keys rotate` changes it on a running bus.

| detour | result |
|---|---|
";

const SHARED: &str = "
## Not shipped: one account for all bodies

Why every body has an account of its own: in a common one, with the narrowest permissions that work, a body may name any
subject for the answer to its request, no permission is asked about it, and the broker itself stores the answer there.

| attack | result |
|---|---|
";

impl Table {
    pub(super) fn add(
        &mut self,
        who: impl Into<String>,
        attack: impl Into<String>,
        outcome: Result<String, String>,
    ) {
        let stopped = outcome.is_ok();
        let (Ok(why) | Err(why)) = outcome;
        self.rows.push(Row { who: who.into(), attack: attack.into(), stopped, why });
    }

    /// What each key lets.
    pub(super) fn rights(&mut self, rights: impl IntoIterator<Item = Right>) {
        self.rights.extend(rights);
    }

    /// What a stolen key of a service could do.
    pub(super) fn detour(&mut self, what: impl Into<String>, done: bool) {
        self.detours.push((what.into(), done));
    }

    /// What a body could do in an account that it shared with others.
    pub(super) fn shared(&mut self, what: impl Into<String>, done: bool) {
        self.shared.push((what.into(), done));
    }

    /// What is not stopped.
    pub(super) fn open(&self) -> Vec<&str> {
        self.rows.iter().filter(|row| !row.stopped).map(|row| row.attack.as_str()).collect()
    }

    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        let mut last = "";
        let cell = |text: &str| text.replace('|', "\\|");
        // By whom, in the order in which each was first tried.
        let mut whose: Vec<&str> = Vec::new();
        for Row { who, .. } in &self.rows {
            if !whose.contains(&who.as_str()) {
                whose.push(who);
            }
        }
        let rows = whose.iter().flat_map(|who| self.rows.iter().filter(move |row| row.who == **who));
        for Row { who, attack, stopped, why } in rows {
            if *who != last {
                let _ =
                    write!(text, "\n## {who}\n\n| attack | result | by what, or why not |\n|---|---|---|\n");
                last = who;
            }
            let result = if *stopped { "stopped" } else { "**not stopped**" };
            let _ = writeln!(text, "| {} | {result} | {} |", cell(attack), cell(why));
        }
        text.push_str(RIGHTS);
        for Right { key, says, told, ends } in &self.rights {
            let row = [key, says, told, ends].map(|text| cell(text)).join(" | ");
            let _ = writeln!(text, "| {row} |");
        }
        for (head, rows) in [(DETOURS, &self.detours), (SHARED, &self.shared)] {
            text.push_str(head);
            for (what, done) in rows {
                let _ = writeln!(text, "| {} | {} |", cell(what), if *done { "done" } else { "refused" });
            }
        }
        text
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
