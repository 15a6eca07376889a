//! The desk's screen: text that scrolls, and under it a line of status with a countdown and a question.
//!
//! The status is drawn anew in the line above the question, with the cursor put back, so that what the person is
//! writing stays where it is. Where the output is no terminal there is neither.

use std::{
    env,
    io::{self, IsTerminal as _},
};

use jiff::{Timestamp, tz::TimeZone};
use tocsin_desk::{Arrived, Delivered, ReadNotice, View, clean, show};
use tocsin_duty::Course;

use crate::{failure::Failure, out};

/// The width of the page: what every terminal has.
const WIDTH: usize = 78;

pub(super) struct Screen {
    terminal: bool,
    colour: bool,
    bell: bool,
    /// What stands under the text now: status and question.
    standing: Option<(String, String)>,
}

impl Screen {
    pub(super) fn new(bell: bool) -> Self {
        let terminal = io::stdout().is_terminal() && env::var_os("TERM").is_some_and(|term| term != "dumb");
        let colour = terminal && env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
        Self { terminal, colour, bell, standing: None }
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    pub(super) fn ring(&self) {
        if self.terminal && self.bell {
            // A bell that cannot ring is no reason to end.
            let _ = out::text("\u{7}");
        }
    }

    /// Prints text of our own, or cleaned, above the status.
    pub(super) fn print(&mut self, text: &str) -> Result<(), Failure> {
        if self.terminal { self.raw(&fitted(text)) } else { self.raw(text) }
    }

    fn raw(&mut self, text: &str) -> Result<(), Failure> {
        let clear = match self.standing.take() {
            Some(_) => "\r\u{1b}[2K\u{1b}[1A\u{1b}[2K",
            None => "",
        };
        out::text(&format!("{clear}{}\n", text.trim_end()))
    }

    /// Shows a notice, which is as wide as it should be.
    pub(super) fn notice(&mut self, arrived: &Arrived, zone: &TimeZone) -> Result<(), Failure> {
        let view = View { now: Timestamp::now(), zone, width: WIDTH, colour: self.colour };
        let page = show(arrived, &view);
        self.raw(&page)
    }

    /// Shows a notice again.
    pub(super) fn read(&mut self, read: &ReadNotice, zone: &TimeZone) -> Result<(), Failure> {
        let delivered = Delivered::Said(read.stored_at);
        self.notice(
            &Arrived { read: read.clone(), delivered, superseded_by: None, before: Course::default() },
            zone,
        )
    }

    /// Brings the status and the question up to date.
    pub(super) fn prompt(&mut self, status: &str, question: &str) -> Result<(), Failure> {
        if !self.terminal {
            return Ok(());
        }
        let status = clean::line(status, WIDTH);
        let drawn = match &self.standing {
            Some((old, asked)) if asked == question && *old == status => return Ok(()),
            // The person may be writing: only the line above is touched.
            Some((_, asked)) if asked == question => {
                format!("\u{1b}7\u{1b}[1A\r\u{1b}[2K{}\u{1b}8", self.painted(&status))
            }
            Some(_) => format!("\r\u{1b}[2K\u{1b}[1A\u{1b}[2K{}\n{question}", self.painted(&status)),
            None => format!("{}\n{question}", self.painted(&status)),
        };
        out::text(&drawn)?;
        self.standing = Some((status, question.to_owned()));
        Ok(())
    }

    /// The person ended a line: the cursor is on a fresh one. The status above the question has served.
    pub(super) fn line_ended(&mut self, line: &str) {
        let Some((_, question)) = self.standing.take() else { return };
        // What ran on to a second row is left as it stands.
        if question.chars().count() + line.chars().count() < WIDTH {
            // Deletes the row of the status and comes back; a terminal that cannot shows it once more, no worse.
            let _ = out::text("\u{1b}[2A\r\u{1b}[M\u{1b}[1B");
        }
    }

    fn painted(&self, status: &str) -> String {
        if self.colour { format!("\u{1b}[7m{status}\u{1b}[0m") } else { status.to_owned() }
    }
}

/// Breaks lines that are too long between words; what is set in stays set in.
fn fitted(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.chars().count() <= WIDTH {
            lines.push(line.to_owned());
            continue;
        }
        let margin: String = line.chars().take_while(|c| *c == ' ').collect();
        let parts = clean::wrapped(line, WIDTH - margin.len());
        lines.extend(parts.into_iter().map(|part| format!("{margin}{part}")));
    }
    lines.join("\n")
}
