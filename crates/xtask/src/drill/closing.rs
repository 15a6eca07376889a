//! The last screen: what happened, beside 2023, and what to look at next.

use jiff::SignedDuration;
use tocsin_audit::{Comparison, EventReport, Report, Totals};

use super::{
    clock::Clock,
    measured::Measure,
    paint::{Ink, Paint},
    progress::length,
    view::{day_time, span},
};

/// The widest line.
const WIDTH: usize = 118;

/// All that the last screen tells.
pub(crate) struct Closing<'a> {
    /// The report.
    pub(crate) report: &'a Report,
    /// The two clocks.
    pub(crate) clock: &'a Clock,
    /// What the machine did.
    pub(crate) measures: &'a [Measure],
    /// This drill beside 2023.
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
    /// How long it took.
    pub(crate) took: SignedDuration,
}

impl Closing<'_> {
    /// The lines of the last screen.
    pub(crate) fn lines(&self, paint: Paint) -> Vec<String> {
        let mut lines = vec![
            String::new(),
            paint.on(Ink::Strong, "25 June 2023 through Tocsin: who was told what, when"),
            String::new(),
        ];
        lines.extend(self.people(paint));
        lines.push(String::new());
        lines.extend(self.kinds(paint));
        lines.push(String::new());
        lines.extend(self.machine(paint));
        lines.push(String::new());
        lines.extend(self.then_and_now(paint));
        if !self.report.problems.is_empty() {
            lines.push(String::new());
            lines.push(paint.on(Ink::Strong, "What the report itself warns of"));
            for problem in &self.report.problems {
                lines.extend(wrapped(&problem.text, "  "));
            }
        }
        lines.push(String::new());
        lines.extend(self.verdict(paint));
        lines.push(String::new());
        lines.extend(self.next(paint));
        lines
    }

    /// Event by event: what people did, in the time of day of 2023.
    fn people(&self, paint: Paint) -> Vec<String> {
        let mut lines = vec![
            paint.on(Ink::Strong, "What people did, in the time of day of 2023")
                + &paint.on(Ink::Faint, &format!("  (drawn by lot, seed {}; not a measurement)", self.seed)),
            paint.on(
                Ink::Faint,
                &format!(
                    "  {:<14}{:<46}{:>5}{:>7}{:>9}{:>6}{:>7}{:>11}",
                    "published", "event", "told", "asked", "in time", "late", "never", "escalated"
                ),
            ),
        ];
        lines.extend(self.report.events.iter().map(|event| self.event(event)));
        lines
    }

    fn event(&self, event: &EventReport) -> String {
        let day = self.clock.day(event.published_at);
        let told = event.recipients.iter().filter(|row| row.noticed_at.is_some()).count();
        let headline = cut(&format!("{} {}", event.event, event.headline), 45);
        let at = day_time(day);
        let Totals { asked, acknowledged_in_time, acknowledged_late, never, escalated, .. } = event.totals;
        let counts = if event.acknowledge {
            format!("{asked:>7}{acknowledged_in_time:>9}{acknowledged_late:>6}{never:>7}{escalated:>11}")
        } else {
            format!("{:>7}", "nobody")
        };
        format!("  {at:<14}{headline:<46}{told:>5}{counts}")
    }

    /// Kind by kind, over the incident.
    fn kinds(&self, paint: Paint) -> Vec<String> {
        let mut lines = vec![
            paint.on(Ink::Strong, "The same by kind of recipient, each counted at its worst event"),
            paint.on(
                Ink::Faint,
                &format!(
                    "  {:<60}{:>12}{:>9}{:>6}{:>7}{:>11}",
                    "kind", "asked", "in time", "late", "never", "escalated"
                ),
            ),
        ];
        for kind in self.report.timeliness.by_kind.iter().filter(|kind| kind.required > 0) {
            lines.push(format!(
                "  {:<60}{:>12}{:>9}{:>6}{:>7}{:>11}",
                kind.kind.replace('-', " "),
                kind.required,
                kind.acknowledged_in_time,
                kind.acknowledged_late,
                kind.never,
                kind.escalated
            ));
        }
        let totals = &self.report.totals;
        lines.push(paint.on(
            Ink::Strong,
            &format!(
                "  {:<60}{:>12}{:>9}{:>6}{:>7}{:>11}",
                "all that are required",
                totals.required,
                totals.acknowledged_in_time,
                totals.acknowledged_late,
                totals.never,
                totals.escalated
            ),
        ));
        lines.push(format!("  and {} informed: told of everything, asked nothing", totals.informed));
        lines
    }

    /// What the machine did.
    fn machine(&self, paint: Paint) -> Vec<String> {
        let mut lines = vec![
            paint.on(Ink::Strong, "What the machine did, as measured here, not scaled")
                + &paint.on(Ink::Faint, "  (every write forced to disk; one machine)"),
            paint.on(Ink::Faint, &format!("  {:<60}{:>12}{:>12}{:>10}", "", "median", "slowest", "measured")),
        ];
        for Measure { what, count, median, slowest } in self.measures {
            let read = |of: SignedDuration| length(of.as_secs_f64() * 1000.0);
            lines.push(format!("  {what:<60}{:>12}{:>12}{count:>10}", read(*median), read(*slowest)));
        }
        lines
    }

    fn then_and_now(&self, paint: Paint) -> Vec<String> {
        let mut lines = vec![
            paint.on(Ink::Strong, "2023 and now"),
            paint.on(Ink::Faint, &format!("  {:<32}{:<24}{}", "", "2023", "this drill")),
        ];
        for row in &self.comparison.rows {
            lines.push(format!("  {:<32}{:<24}{}", row.label, row.then, paint.on(Ink::Good, &row.now)));
            if !row.note.is_empty() {
                let noted = wrapped(&row.note, &" ".repeat(58));
                lines.extend(noted.into_iter().map(|line| paint.on(Ink::Faint, &line)));
            }
        }
        for note in &self.comparison.notes {
            let marked = wrapped(note, "    ");
            lines.extend(marked.into_iter().map(|line| paint.on(Ink::Faint, &line)));
        }
        lines
    }

    fn verdict(&self, paint: Paint) -> Vec<String> {
        let totals = &self.report.totals;
        let mut lines = Vec::new();
        if self.overtaken > 0 {
            lines.extend(wrapped(
                &format!(
                    "{} who were to answer in time were late, as this machine could not keep up at {} times the speed: \
                     use a lower --speed.",
                    self.overtaken,
                    self.clock.speed()
                ),
                "  ",
            ));
        }
        if self.against.is_empty() {
            lines.push(
                paint.on(
                    Ink::Good,
                    &format!(
                        "Passed: each of the {} required recipients acknowledged in time or was escalated to; {} neither.",
                        totals.required, totals.neither
                    ),
                ),
            );
        } else {
            lines.push(paint.on(Ink::Bad, "FAILED:"));
            for why in self.against {
                lines.extend(wrapped(why, "  "));
            }
        }
        lines
    }

    fn next(&self, paint: Paint) -> Vec<String> {
        let (place, (mails, one)) = (&self.place, &self.mails);
        let entry = |file: String, what: String| format!("  {file:<62}{what}");
        let mut lines = vec![
            paint.on(Ink::Strong, "What to look at next"),
            entry(
                format!("{place}/report.html"),
                "the whole report, as a committee would read it".to_owned(),
            ),
            entry(
                format!("{place}/report.csv, report.json"),
                "the same for a spreadsheet, and for programs".to_owned(),
            ),
        ];
        let mail = one.clone().map_or_else(|| format!("{place}/mail/"), |one| format!("{place}/mail/{one}"));
        lines.push(entry(mail, format!("one of the {mails} mails that really went out")));
        lines.push(entry(
            "cargo xtask drill --seed 7 --recipients 300".to_owned(),
            "other lots, and 300 synthetic recipients more".to_owned(),
        ));
        let synthetic = match self.synthetic {
            0 => String::new(),
            n => format!(", {n} of them synthetic"),
        };
        lines.push(paint.on(
            Ink::Faint,
            &format!(
                "It took {}. {} recipients{synthetic}. Nothing of it is running any more.",
                span(self.took),
                self.report.recipients.len()
            ),
        ));
        lines
    }
}

fn wrapped(text: &str, indent: &str) -> Vec<String> {
    let lines = tocsin_desk::clean::wrapped(text, WIDTH - indent.len());
    lines.into_iter().map(|line| format!("{indent}{line}")).collect()
}

fn cut(text: &str, most: usize) -> String {
    tocsin_desk::clean::line(text, most.saturating_sub(3))
}
