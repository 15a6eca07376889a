//! The drill: a day once more, such as 25 June 2023, through the real parts, in under a minute.
//!
//! What people and the calendar do is played at speed, in the time of that day. What the machine does is measured
//! and never scaled.

mod cast;
mod clock;
mod closing;
mod compare;
mod day;
mod desks;
mod ends;
mod front;
mod leave;
mod measured;
mod operator;
mod paint;
mod parts;
mod people;
mod progress;
// The auditor's side, as `tocsin console` wires it.
#[path = "../../../tocsin/src/reports.rs"]
mod reports;
mod run;
mod screen;
mod split;
mod verdict;
mod view;
mod way;
mod world;

pub(crate) use run::run;

/// How to run it.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
A scenario is a file: what happened and when, who says it, who answers and who stays silent, and how it is to end. Three
are in deploy/scenarios, whose README.md says how to write your own; `tocsin drill --scenario FILE` tells its faults.

The day is played at one constant speed; stretches in which nothing is due are left out, and the screen says so. The
windows of the policies are shortened as much as the day. What machines do is measured, and not scaled.

Examples:
  cargo xtask drill                         25 June 2023, when the UK's 999 failed: under a minute
  cargo xtask drill --scenario west-mercia  a force's own control room fails, and its neighbours take its calls
  cargo xtask drill --scenario optus-2025   mails to a retired mailbox say ten calls, and it was over 600
  cargo xtask drill --hold                  slower, to be watched in a browser; everything stays up afterwards
  cargo xtask drill --seed 7                other people are silent
  cargo xtask drill --recipients 300        300 synthetic recipients beside the directory's
  cargo xtask drill --secure                over a guarded bus: TLS, and a login for each
  cargo xtask drill --speed 1               an exercise with the real windows: an hour and a half

Leaves target/drill/report.{html,json,csv} and target/drill/mail/*.eml. The exit code is 1 when a required recipient
neither acknowledged in time nor was escalated to, when it does not end as the scenario tells, or when the report does not
say what the drill itself knows.")]
pub(crate) struct Options {
    /// Which day: the name of a scenario in deploy/scenarios, or a file of your own [default: uk-2023].
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) scenario: Option<String>,
    /// How many times faster than that day it runs [default: the scenario's own, such as 180; with --hold a sixth of it].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=1800))]
    speed: Option<i32>,
    /// What it is drawn from who is silent, and how fast the others answer [default: the scenario's own].
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// How many synthetic recipients to add to the directory's.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = most_recipients)]
    pub(crate) recipients: usize,
    /// Over a bus as `tocsin provision` writes it: TLS, and a login and rights of its own for each.
    #[arg(long)]
    pub(crate) secure: bool,
    /// Keep the console, the bus and the services up after the day, until Ctrl-C.
    #[arg(long)]
    pub(crate) hold: bool,
}

/// How many times slower than otherwise a day is played that is to be watched in a browser.
const HELD: i32 = 6;

impl Options {
    /// Which day it is.
    pub(crate) fn scenario(&self) -> &str {
        self.scenario.as_deref().unwrap_or("uk-2023")
    }

    /// How many times faster than the day it runs, whose own speed this is.
    pub(crate) fn speed(&self, own: i32) -> i32 {
        self.speed.unwrap_or(if self.hold { (own / HELD).max(1) } else { own })
    }
}

/// More than these would be a bench, not a drill.
const RECIPIENTS_MAX: usize = 5_000;

fn most_recipients(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count <= RECIPIENTS_MAX => Ok(count),
        _ => Err(format!("expected 0 to {RECIPIENTS_MAX}; for more, use cargo xtask bench")),
    }
}
