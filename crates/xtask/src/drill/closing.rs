//! The last screen: this drill beside the day that it plays, whether it ended as told, what people and the machine did, and what to look at next. It stands under
//! the report's own table, which has the rest.

use std::net::SocketAddr;

use jiff::SignedDuration;
use tocsin_audit::{Comparison, ComparisonRow, EventReport, Report, Totals};

use super::{
    clock::Clock,
    day::Day,
    ends::Ending,
    measured::Measure,
    paint::{Ink, Paint},
    progress::length,
    view::span,
};

/// The widest line.
const WIDTH: usize = 118;

/// All that the last screen tells.
pub(crate) struct Closing<'a> {
    /// The day.
    pub(crate) day: &'a Day,
    /// How it was named on the command line, where that was not the default.
    pub(crate) scenario: Option<&'a str>,
    /// The report.
    pub(crate) report: &'a Report,
    /// What came of each sentence of the end.
    pub(crate) endings: &'a [Ending],
    /// The two clocks.
    pub(crate) clock: &'a Clock,
    /// What the machine did.
    pub(crate) measures: &'a [Measure],
    /// This drill beside that day.
    pub(crate) comparison: &'a Comparison,
    /// What speaks against the drill.
    pub(crate) against: &'a [String],
    /// What the lots were drawn from.
    pub(crate) seed: u64,
    /// How many of the recipients are made up.
    pub(crate) synthetic: usize,
    /// How many were to answer in time, and were late because this machine could not keep up.
    pub(crate) overtaken: usize,
    /// How many mails there are, and the name of one that is worth a look.
    pub(crate) mails: (u64, Option<String>),
    /// Where everything is, as a person would type it.
    pub(crate) place: String,
    /// Where the console still is.
    pub(crate) held: Option<SocketAddr>,
    /// How long it took.
    pub(crate) took: SignedDuration,
}

impl Closing<'_> {
    /// The lines of the last screen.
    pub(crate) fn lines(&self, paint: Paint) -> Vec<String> {
        let blank = || vec![String::new()];
        [
            vec![paint.on(Ink::Faint, &"-".repeat(WIDTH)), String::new()],
            self.then_and_now(paint),
            blank(),
            self.ends(paint),
            blank(),
            self.people(paint),
            blank(),
            self.machine(paint),
            blank(),
            self.verdict(paint),
            blank(),
            self.next(paint),
        ]
        .concat()
    }

    fn then_and_now(&self, paint: Paint) -> Vec<String> {
        let title = format!("{}, and the same day through Tocsin", self.day.date());
        let mut lines = vec![paint.on(Ink::Strong, &title)];
        let rows = &self.comparison.rows;
        let widest = |of: fn(&ComparisonRow) -> &str| rows.iter().map(|row| of(row).chars().count()).max();
        let label = widest(|row| &row.label).unwrap_or_default() + 3;
        let then = widest(|row| &row.then).unwrap_or_default() + 3;
        if !self.comparison.rows.is_empty() {
            let head = format!("  {:<label$}{:<then$}{}", "", self.day.year(), "this drill");
            lines.push(paint.on(Ink::Faint, &head));
        }
        for row in &self.comparison.rows {
            lines.push(format!(
                "  {:<label$}{:<then$}{}",
                row.label,
                row.then,
                paint.on(Ink::Good, &row.now)
            ));
            let noted = if row.note.is_empty() {
                Vec::new()
            } else {
                wrapped(&row.note, &" ".repeat(2 + label + then))
            };
            lines.extend(noted.into_iter().map(|line| paint.on(Ink::Faint, &line)));
        }
        if let Some(supposed) = self.day.scenario.notes.first() {
            lines.push(String::new());
            lines.extend(wrapped(supposed, "  ").into_iter().map(|line| paint.on(Ink::Faint, &line)));
        }
        lines
    }

    /// Sentence by sentence: whether it ended as the scenario tells.
    fn ends(&self, paint: Paint) -> Vec<String> {
        let mut lines = vec![paint.on(Ink::Strong, "How it was to end, and did")];
        for Ending { says, came } in self.endings {
            let (ink, word) = if came.is_ok() { (Ink::Good, "yes") } else { (Ink::Bad, "NO") };
            let mut said = wrapped(says, "       ").into_iter();
            let first = said.next().unwrap_or_default();
            lines.push(format!("  {}{}", paint.on(ink, &format!("{word:<5}")), first.trim_start()));
            lines.extend(said);
            match came {
                Ok(told) => {
                    lines.extend(
                        wrapped(told, "         ").into_iter().map(|line| paint.on(Ink::Faint, &line)),
                    );
                }
                Err(against) => lines.extend(against.iter().flat_map(|why| wrapped(why, "         "))),
            }
        }
        lines
    }

    /// Event by event: what people did, in the time of that day.
    fn people(&self, paint: Paint) -> Vec<String> {
        let head = format!(
            "  {:<14}{:<54}{:>5}{:>7}{:>9}{:>6}{:>7}{:>10}",
            "published", "event", "told", "asked", "in time", "late", "never", "e-mailed"
        );
        let mut lines = vec![
            paint.on(Ink::Strong, &format!("What people did, in the time of {}", self.day.date()))
                + &paint.on(Ink::Faint, &format!("  (by lot, seed {}: not a measurement)", self.seed)),
            paint.on(Ink::Faint, &head),
        ];
        lines.extend(self.report.events.iter().map(|event| self.event(event)));
        lines
    }

    fn event(&self, event: &EventReport) -> String {
        let at = self.clock.hour(self.clock.day(event.published_at));
        let told = event.recipients.iter().filter(|row| row.noticed_at.is_some()).count();
        let headline = tocsin_desk::clean::line(&format!("{} {}", event.event, event.headline), 53);
        let Totals { asked, acknowledged_in_time, acknowledged_late, never, escalated, .. } = event.totals;
        let counts = if event.acknowledge {
            format!("{asked:>7}{acknowledged_in_time:>9}{acknowledged_late:>6}{never:>7}{escalated:>10}")
        } else {
            format!("{:>7}", "-")
        };
        format!("  {at:<14}{headline:<54}{told:>5}{counts}")
    }

    fn machine(&self, paint: Paint) -> Vec<String> {
        let mut lines = vec![
            paint.on(Ink::Strong, "What the machine did, as measured here, not scaled")
                + &paint.on(Ink::Faint, "  (one machine, every write forced to disk)"),
            paint.on(Ink::Faint, &format!("  {:<60}{:>12}{:>12}{:>10}", "", "median", "slowest", "measured")),
        ];
        for Measure { what, count, median, slowest } in self.measures {
            let read = |of: SignedDuration| length(of.as_secs_f64() * 1000.0);
            lines.push(format!("  {what:<60}{:>12}{:>12}{count:>10}", read(*median), read(*slowest)));
        }
        lines
    }

    fn verdict(&self, paint: Paint) -> Vec<String> {
        let totals = &self.report.totals;
        let mut lines = Vec::new();
        if self.overtaken > 0 {
            let text = format!(
                "{} who were to answer in time were late, as this machine could not keep up at {} times the speed: use a \
                 lower --speed.",
                self.overtaken,
                self.clock.speed()
            );
            lines.extend(wrapped(&text, ""));
        }
        match self.report.problems.len() {
            0 => {}
            1 => lines.push("The report warns of something: it is told above, under PROBLEMS.".to_owned()),
            n => lines.push(format!("The report warns of {n} things: they are told above, under PROBLEMS.")),
        }
        if self.against.is_empty() {
            let text = format!(
                "Passed: each of the {} that must acknowledge did so in time ({}) or was escalated to ({}); nobody was left \
                 with neither.",
                totals.required, totals.acknowledged_in_time, totals.escalated
            );
            lines.extend(wrapped(&text, "").into_iter().map(|line| paint.on(Ink::Good, &line)));
        } else {
            lines.push(paint.on(Ink::Bad, "FAILED:"));
            lines.extend(self.against.iter().flat_map(|why| wrapped(why, "  ")));
        }
        lines
    }

    fn next(&self, paint: Paint) -> Vec<String> {
        let (place, (mails, one)) = (&self.place, &self.mails);
        let scenario = self.scenario.map(|named| format!(" --scenario {named}")).unwrap_or_default();
        // A long path pushes its words aside, and does not run into them.
        let entry = |file: String, what: &str| format!("  {file:<60}  {what}");
        let mail = one.clone().unwrap_or_default();
        let synthetic = match self.synthetic {
            0 => String::new(),
            n => format!(", {n} of them synthetic"),
        };
        let ended = format!(
            "It took {}, with {} recipients{synthetic}.{}",
            span(self.took),
            self.report.recipients.len(),
            if self.held.is_some() { "" } else { " Nothing of it is running any more." }
        );
        let page = match self.held {
            Some(address) => entry(
                format!("http://{address}"),
                "acknowledge, read the mails, download the report: see below",
            ),
            None => entry(
                format!("cargo xtask drill{scenario} --hold"),
                "slower, and the console stays up, for a browser",
            ),
        };
        let mut lines = vec![
            paint.on(Ink::Strong, "What to look at next"),
            page,
            entry(format!("{place}/report.html"), "the report as a committee would read it, for a browser"),
            entry(format!("{place}/report.csv, report.json"), "the same for a spreadsheet, and for programs"),
        ];
        if *mails > 0 {
            lines.push(entry(
                format!("{place}/mail/{mail}"),
                &format!("one of the {mails} mails that went out"),
            ));
        }
        lines.extend([
            entry(
                format!("cargo xtask drill{scenario} --seed 7 --recipients 300"),
                "other lots, and 300 more to tell",
            ),
            String::new(),
            paint.on(Ink::Faint, &ended),
        ]);
        lines
    }
}

fn wrapped(text: &str, indent: &str) -> Vec<String> {
    let lines = tocsin_desk::clean::wrapped(text, WIDTH - indent.len());
    lines.into_iter().map(|line| format!("{indent}{line}")).collect()
}

#[cfg(test)]
mod tests {
    use console::{measure_text_width, strip_ansi_codes};

    use super::*;
    use crate::drill::{
        compare::{comparison, tests::example},
        measured,
    };

    fn lines(against: &[String], paint: bool) -> Vec<String> {
        lines_at("target/drill", against, paint)
    }

    fn lines_at(place: &str, against: &[String], paint: bool) -> Vec<String> {
        let (report, day, clock) = example();
        let measures = measured::of(&report, &[SignedDuration::from_micros(12_345)]);
        let comparison = comparison(&report, &day, &clock, 25);
        let ending = |says: &str, came| Ending { says: says.to_owned(), came };
        let endings = [
            ending(
                "The regulator acknowledges within the first window",
                Ok("1 acknowledged in time".to_owned()),
            ),
            ending("Nobody is silent", Err(vec!["dsit is silent".to_owned(), "ofcom is late".to_owned()])),
        ];
        let closing = Closing {
            day: &day,
            scenario: None,
            report: &report,
            endings: &endings,
            clock: &clock,
            measures: &measures,
            comparison: &comparison,
            against,
            seed: 25,
            synthetic: 1,
            overtaken: 0,
            mails: (1, Some("00001-duty.officer_dsit.gov.example.eml".to_owned())),
            place: place.to_owned(),
            held: None,
            took: SignedDuration::from_secs(35),
        };
        closing.lines(Paint(paint))
    }

    #[test]
    fn the_last_screen_tells_2023_people_and_machine_apart() {
        insta::assert_snapshot!(lines(&[], false).join("\n"));
    }

    #[test]
    fn a_drill_that_failed_says_why() {
        let lines = lines(&["the SMTP server took 2 mails".to_owned()], false).join("\n");
        assert!(lines.contains("FAILED:\n  the SMTP server took 2 mails"), "{lines}");
        assert!(!lines.contains("Passed"));
    }

    #[test]
    fn a_long_path_does_not_run_into_its_words() {
        let lines = lines_at("/somewhere/of/its/own/target/drill", &[], false).join("\n");
        assert!(lines.contains(".eml  one of the 1 mails that went out"), "{lines}");
    }

    #[test]
    fn what_it_says_is_never_in_the_colour_alone() {
        for (plain, painted) in lines(&[], false).iter().zip(lines(&[], true)) {
            assert_eq!(*plain, strip_ansi_codes(&painted));
            assert!(measure_text_width(plain) <= 120, "{plain}");
        }
    }
}
