//! What is on the screen: a pure function of what is known, the two clocks and the width.

use jiff::{SignedDuration, Timestamp};
use tocsin_protocol::{EventNumber, Requirement};

use super::{
    clock::Clock,
    paint::{Ink, Paint},
    progress::{EventProgress, Line, Progress, StepProgress, Tone, milliseconds},
};

/// How many of the last lines stay in sight.
const LAST: usize = 7;
/// The width of a bar.
const BAR: usize = 30;

/// The live view: who has it, who has acknowledged, how long the window is open, what was mailed.
pub(crate) fn frame(
    progress: &Progress,
    last: &[Line],
    clock: &Clock,
    now: Timestamp,
    paint: Paint,
) -> Vec<String> {
    let day = clock.day(now);
    let pace = format!(
        "{} times as fast: 1 s here is {} then",
        clock.speed(),
        span(clock.of_day(SignedDuration::from_secs(1)))
    );
    let mut lines = vec![
        format!(
            "{}  {}   {}",
            paint.on(Ink::Strong, &clock.told(day, "%H:%M:%S %Z, %A %-d %B %Y")),
            paint.on(Ink::Late, "EXERCISE"),
            paint.on(Ink::Faint, &pace)
        ),
        String::new(),
    ];
    for (number, event) in &progress.events {
        lines.extend(told(*number, event, clock, paint));
    }
    if let Some((number, event)) = progress.asking() {
        lines.push(String::new());
        lines.extend(
            event.steps.iter().map(|step| window(*number, step, event.published_at, clock, now, paint)),
        );
        lines.push(String::new());
        let heading = format!("  who must acknowledge event {number}");
        lines.push(paint.on(Ink::Faint, &heading));
        lines.extend(kinds(progress, event, paint));
        let (mails, word) = (progress.mails, |count| if count == 1 { "mail" } else { "mails" });
        lines.push(format!(
            "  {:<22}{:>3} {} owed to silent recipients, {} taken by the relay{}",
            "mail",
            mails.owed,
            word(mails.owed),
            mails.accepted,
            match mails.given_up {
                0 => String::new(),
                n => format!(", {n} given up"),
            }
        ));
    }
    lines.push(String::new());
    let from = last.len().saturating_sub(LAST);
    lines.extend(last[from..].iter().map(|last| line(last, clock, paint)));
    lines
}

/// One line of what happened, with the time of day.
pub(crate) fn line(line: &Line, clock: &Clock, paint: Paint) -> String {
    let ink = match line.tone {
        Tone::Event => Ink::Strong,
        Tone::Good => Ink::Good,
        Tone::Bad => Ink::Bad,
        Tone::Plain => Ink::Plain,
    };
    let at = line.at.map(|at| clock.day(at)).map_or_else(String::new, |day| clock.hour(day));
    format!("{}  {}", paint.on(Ink::Faint, &format!("{at:>5}")), paint.on(ink, &line.text))
}

/// An event, and how far its notices have come.
fn told(number: EventNumber, event: &EventProgress, clock: &Clock, paint: Paint) -> Vec<String> {
    let at = clock.hour(clock.day(event.published_at));
    let since = |at: Option<Timestamp>| {
        at.map_or_else(|| "...".to_owned(), |at| milliseconds(event.published_at, at))
    };
    let counts = event.counts(|_| true);
    let asked = if event.asks() {
        let anew = if event.worsened.is_empty() { "" } else { " anew" };
        format!("; {} of {} acknowledged{anew}", counts.in_time + counts.late, counts.required)
    } else if event.owed() > 0 {
        "; no acknowledgement asked".to_owned()
    } else {
        String::new()
    };
    vec![
        format!(
            "{at}  {} {}",
            paint.on(Ink::Faint, &format!("{number}")),
            paint.on(Ink::Strong, &event.headline)
        ),
        format!(
            "         {} told in {}, held at {} desks in {}{asked}",
            event.noticed,
            since(event.last_noticed_at),
            event.delivered.len(),
            since(event.last_delivered_at)
        ),
    ]
}

/// A window with how long it is open.
fn window(
    number: EventNumber,
    step: &StepProgress,
    opened: Timestamp,
    clock: &Clock,
    now: Timestamp,
    paint: Paint,
) -> String {
    let name = format!("window {} of event {number}", step.step);
    let closes = clock.told(clock.day(step.due_at), "%H:%M");
    let left = step.due_at.duration_since(now);
    if step.found_at.is_some() {
        let found = match step.silent {
            0 if step.lifted => "closed: a later event had lifted it".to_owned(),
            0 => paint.on(Ink::Good, "closed: nobody was silent"),
            silent => paint
                .on(Ink::Bad, &format!("closed: {silent} silent, the {} contacts written to", step.contact)),
        };
        return format!("  {name:<22}{closes}  {found}");
    }
    let whole = step.due_at.duration_since(opened).as_secs_f64();
    let part = (left.as_secs_f64() / whole).clamp(0.0, 1.0);
    format!(
        "  {name:<22}{closes}  {}  in {} ({:.1} s here)",
        bar(&[(part, Ink::Strong)], paint),
        span(clock.of_day(left.max(SignedDuration::ZERO))),
        left.as_secs_f64().max(0.0)
    )
}

/// Who has acknowledged, kind by kind; and those who are only told.
fn kinds(progress: &Progress, event: &EventProgress, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for kind in &progress.kinds {
        let counts = event.counts(|id| progress.kind(id) == kind);
        if counts.required == 0 {
            continue;
        }
        let of = |count: usize| share(count, counts.required);
        let missing = counts.required - counts.in_time - counts.late;
        let mut rest = Vec::new();
        if counts.late > 0 {
            rest.push(paint.on(Ink::Late, &format!("{} late", counts.late)));
        }
        if missing > 0 && event.steps.first().is_some_and(|step| step.found_at.is_some()) {
            rest.push(paint.on(Ink::Bad, &format!("{missing} silent")));
        }
        let drawn = format!(
            "  {:<22}{:>3} of {:>3}  {}  {}",
            kind.replace('-', " "),
            counts.in_time + counts.late,
            counts.required,
            bar(&[(of(counts.in_time), Ink::Good), (of(counts.late), Ink::Late)], paint),
            rest.join(", ")
        );
        lines.push(drawn.trim_end().to_owned());
    }
    let informed: Vec<_> =
        event.recipients.iter().filter(|(_, requirement)| **requirement == Requirement::Informed).collect();
    let held = informed.iter().filter(|(id, _)| event.delivered.contains(*id)).count();
    lines.push(format!(
        "  {:<22}{held:>3} of {:>3}  hold it; they are told, and not asked",
        "informed",
        informed.len()
    ));
    lines
}

fn share(count: usize, of: usize) -> f64 {
    // Counts of recipients are far below where a float loses one.
    #[expect(clippy::cast_precision_loss, reason = "as said")]
    let share = count as f64 / of.max(1) as f64;
    share
}

/// A bar of several parts, the rest of it empty.
fn bar(parts: &[(f64, Ink)], paint: Paint) -> String {
    let mut left = BAR;
    let mut drawn = String::new();
    for (share, ink) in parts {
        // Between 0 and BAR, as the share is between 0 and 1.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "as said"
        )]
        let filled = ((share * BAR as f64).floor() as usize).min(left);
        left -= filled;
        drawn.push_str(&paint.on(*ink, &"█".repeat(filled)));
    }
    drawn + &paint.on(Ink::Faint, &"░".repeat(left))
}

/// A length of the day in whole words.
pub(crate) fn span(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) if minutes < 10 => format!("{minutes} min {seconds} s"),
        (0, minutes, _) => format!("{minutes} min"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use console::{measure_text_width, strip_ansi_codes};

    use super::*;
    use jiff::tz::TimeZone;
    use tocsin_scenario::Stretch;

    use crate::drill::progress::tests::{Told, time};

    /// The day begins with the event, 180 times as fast.
    fn clock() -> Clock {
        let day = |text: &str| text.parse().unwrap();
        let stretch = Stretch { from: day("2023-06-25T05:24:00Z"), to: day("2023-06-25T06:04:00Z") };
        Clock::new(time(0), 180, &[stretch], TimeZone::get("Europe/London").unwrap())
    }

    fn shown(told: &mut Told, at: i64, paint: bool) -> Vec<String> {
        let last = told.progress.news();
        frame(&told.progress, &last, &clock(), time(at), Paint(paint))
    }

    #[test]
    fn while_the_window_is_open_it_is_counted_down() {
        let mut told = Told::new();
        told.event_1().acknowledges(2_000, "ofcom").acknowledges(2_400, "fire-a");
        insta::assert_snapshot!(shown(&mut told, 2_500, false).join("\n"));
    }

    #[test]
    fn after_the_window_it_is_seen_who_was_late_and_who_is_silent() {
        let mut told = Told::new();
        told.event_1()
            .acknowledges(2_000, "ofcom")
            .acknowledges(2_400, "fire-a")
            .window_1(&["fire-b", "fire-c"]);
        told.mailed(5_040, "fire-b", "accepted")
            .mailed(5_050, "fire-c", "accepted")
            .acknowledges(7_000, "fire-b");
        insta::assert_snapshot!(shown(&mut told, 7_500, false).join("\n"));
    }

    #[test]
    fn colour_adds_nothing_and_no_line_is_wider_than_a_terminal() {
        let mut told = Told::new();
        told.event_1().acknowledges(2_000, "ofcom").window_1(&["fire-a", "fire-b", "fire-c"]);
        let last = told.progress.news();
        let drawn = |paint| frame(&told.progress, &last, &clock(), time(6_000), Paint(paint));
        let (plain, painted) = (drawn(false), drawn(true));
        assert_ne!(plain, painted);
        for (plain, painted) in plain.iter().zip(&painted) {
            assert_eq!(*plain, strip_ansi_codes(painted));
            assert!(measure_text_width(plain) <= 120, "{plain}");
        }
    }

    #[test]
    fn a_length_of_the_day_is_told_in_words() {
        for (seconds, words) in [
            (3, "3 s"),
            (60, "1 min"),
            (200, "3 min 20 s"),
            (754, "12 min"),
            (3_600, "1 h"),
            (45_540, "12 h 39 min"),
        ] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), words);
        }
    }
}
