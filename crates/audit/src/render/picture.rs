//! The timeline as a picture: one for each event that asked for an acknowledgement, each on a time axis of its own.

use std::{collections::BTreeMap, fmt::Write};

use tocsin_protocol::{SignedDuration, Timestamp};

use super::{View, story::Clock};
use crate::{
    report::{EventReport, RecipientReport, Report, State},
    words::{kind, length, plain},
};

/// The width of the picture, in its own units.
pub(super) const WIDTH: f64 = 1_000.0;
/// Where the time axis begins and ends.
const LEFT: f64 = 250.0;
const RIGHT: f64 = 975.0;
/// The height of a line of labels above the rows, and of a row.
const LANE: f64 = 18.0;
const ROW: f64 = 24.0;
/// Up to so many recipients have a row each; beyond that those in time share one for each kind.
const ALONE: usize = 24;
/// How many of the late, silent and escalated have a row each, beside the rows of the kinds.
const TROUBLED: usize = 40;
/// How many letters of a name fit beside a row.
const NAME: usize = 32;
/// How many times as long as its last window a picture may be. What comes later stands at its right edge.
const LONGEST: i32 = 3;

/// The signs and what they say.
pub(super) const LEGEND: [(&str, &str); 9] = [
    ("noticed", "notice stored"),
    ("delivered", "held by its system"),
    ("in-time", "acknowledged in time"),
    ("late", "acknowledged late"),
    ("silent", "silent when due"),
    ("excused", "excused"),
    ("open", "window open until"),
    ("mail", "e-mail taken by a relay"),
    ("unsent", "e-mail owed, not known to be taken"),
];

/// The picture of one event.
pub(super) struct Picture {
    pub(super) id: String,
    pub(super) title: String,
    /// What it shows, in words.
    pub(super) text: String,
    pub(super) height: f64,
    /// Where the rows begin and end.
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) ticks: Vec<Tick>,
    pub(super) lines: Vec<Mark>,
    pub(super) rows: Vec<PictureRow>,
}

/// A time on the axis, in the local zone with UTC beneath.
pub(super) struct Tick {
    pub(super) x: f64,
    pub(super) local: String,
    pub(super) utc: String,
}

/// A moment that concerns every row: began, detected, published, a window's closing.
pub(super) struct Mark {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) label: String,
    /// Words stand to the left of it.
    pub(super) before: bool,
    pub(super) class: &'static str,
    /// Where the words begin or end.
    pub(super) text_x: f64,
}

/// One row: a recipient, or those of a kind that were in time.
pub(super) struct PictureRow {
    pub(super) y: f64,
    pub(super) label: String,
    pub(super) signs: Vec<Sign>,
}

/// One sign in a row. Its shape tells what it is; its colour says the same again.
pub(super) struct Sign {
    pub(super) x: f64,
    /// `noticed`, `delivered`, `in-time`, `late`, `silent`, `excused`, `open`, `mail`, `unsent`: a shape of the page's own.
    pub(super) shape: &'static str,
    pub(super) title: String,
    /// When it was, where that is beyond the right edge.
    pub(super) beyond: Option<String>,
}

/// The pictures of a report: of each event that asked, else of the first.
pub(super) fn pictures(report: &Report, view: &View) -> Vec<Picture> {
    let clock = Clock::of(report, view);
    let asked: Vec<&EventReport> = report.events.iter().filter(|event| event.totals.asked > 0).collect();
    let shown = if asked.is_empty() { report.events.iter().take(1).collect() } else { asked };
    shown.into_iter().map(|event| picture(report, event, &clock)).collect()
}

/// A stretch of time and the place of each moment in it.
struct Axis {
    from: Timestamp,
    to: Timestamp,
}

impl Axis {
    fn x(&self, at: Timestamp) -> f64 {
        let part =
            at.duration_since(self.from).as_secs_f64() / self.to.duration_since(self.from).as_secs_f64();
        let part = if part.is_finite() { part } else { 0.0 };
        // A tenth of a unit is less than can be seen.
        ((LEFT + (RIGHT - LEFT) * part.clamp(0.0, 1.0)) * 10.0).round() / 10.0
    }
}

fn picture(report: &Report, event: &EventReport, clock: &Clock) -> Picture {
    let axis = axis(report, event, clock);
    let lines = lines(report, event, clock, &axis);
    let top = LANE * count(lines.len()) + 8.0;
    let mut rows = Vec::new();
    for (label, signs) in labelled(event, clock, &axis) {
        rows.push(PictureRow { y: top + ROW * (count(rows.len()) + 0.5), label, signs });
    }
    let bottom = top + ROW * count(rows.len().max(1));
    Picture {
        id: format!("event-{}", event.event),
        title: format!("Event {}, {}: {}", event.event, event.kind, plain(&event.headline)),
        text: in_words(event, clock),
        height: bottom + 44.0,
        top,
        bottom,
        ticks: ticks(clock, &axis),
        lines,
        rows,
    }
}

/// From the beginning of the failure (for the first event) or the publication, to when the last window closes, the last
/// mail is taken or the last acknowledgement comes, within reason.
fn axis(report: &Report, event: &EventReport, clock: &Clock) -> Axis {
    let shown = |at| clock.view.shown(at);
    let published = shown(event.published_at);
    let first = report.events.first().is_some_and(|first| first.event == event.event);
    let incident = &report.incident;
    let stated = [incident.began_at, incident.detected_at].into_iter().flatten().filter(|_| first).map(shown);
    let from = stated.chain([published]).min().unwrap_or(published);
    let windows =
        event.steps.iter().flat_map(|step| [Some(step.due_at), step.closed_at]).flatten().map(shown);
    let last_window = windows.chain([published]).max().unwrap_or(published);
    let last = event.recipients.iter().flat_map(|row| {
        let mails = row.escalations.iter().map(|mail| mail.accepted_at.unwrap_or(mail.owed_at));
        [row.noticed_at, row.delivered_at, row.acknowledged_at].into_iter().flatten().chain(mails)
    });
    let last = last.map(shown).chain([last_window]).max().unwrap_or(last_window);
    let shortest = SignedDuration::from_secs(10);
    let windows = last_window.duration_since(from).max(shortest);
    let limit = windows.checked_mul(LONGEST).unwrap_or(windows);
    let span = last.duration_since(from).min(limit).max(shortest);
    // A little room at both ends, so that no sign stands on the edge.
    let room = span / 40;
    Axis {
        from: from.checked_sub(room).unwrap_or(from),
        to: from.checked_add(span).and_then(|to| to.checked_add(room)).unwrap_or(Timestamp::MAX),
    }
}

fn lines(report: &Report, event: &EventReport, clock: &Clock, axis: &Axis) -> Vec<Mark> {
    let incident = &report.incident;
    let first = report.events.first().is_some_and(|first| first.event == event.event);
    let mut moments: Vec<(Timestamp, String, &'static str)> = Vec::new();
    if first {
        moments.extend(incident.began_at.map(|at| (at, "began".to_owned(), "began")));
        moments.extend(incident.detected_at.map(|at| (at, "detected".to_owned(), "began")));
    }
    moments.push((event.published_at, "published".to_owned(), "published"));
    for step in &event.steps {
        let what = format!("step {} due ({} contact)", step.step, plain(&step.contact));
        moments.push((step.due_at, what, "due"));
    }
    // No upright crosses another's words: each moment's line of labels is below those that its upright would cross.
    moments.sort_by_key(|(at, ..)| *at);
    // Words right of the middle run to the left: they stand in the upper lines, the last moment's on top.
    let middle = LEFT + (RIGHT - LEFT) * 0.5;
    let lanes = moments.len();
    let right = moments.iter().filter(|(at, ..)| axis.x(clock.view.shown(*at)) > middle).count();
    let mark = |(n, (at, what, class)): (usize, (Timestamp, String, &'static str))| {
        let x = axis.x(clock.view.shown(at));
        let before = x > middle;
        let lane = if before { lanes - 1 - n } else { right + n };
        Mark {
            x,
            y: LANE * (count(lane) + 1.0) - 4.0,
            label: format!("{what} {}", clock.moment(at).local),
            before,
            class,
            text_x: if before { x - 5.0 } else { x + 5.0 },
        }
    };
    moments.into_iter().enumerate().map(mark).collect()
}

/// The rows with their labels: each recipient, or the kinds with whoever needs a row of its own after them.
fn labelled(event: &EventReport, clock: &Clock, axis: &Axis) -> Vec<(String, Vec<Sign>)> {
    let own = |row: &RecipientReport| (cut(&plain(&row.name)), signs(row, clock, axis));
    if event.recipients.len() <= ALONE {
        return event.recipients.iter().map(own).collect();
    }
    let (well, troubled): (Vec<&RecipientReport>, Vec<&RecipientReport>) = event
        .recipients
        .iter()
        .partition(|row| matches!(row.state, State::InTime | State::NotAsked) && row.escalations.is_empty());
    let mut order: Vec<&str> = Vec::new();
    let mut kinds: BTreeMap<&str, (usize, Vec<Sign>)> = BTreeMap::new();
    for row in well {
        if !kinds.contains_key(row.kind.as_str()) {
            order.push(&row.kind);
        }
        let (rows, all) = kinds.entry(row.kind.as_str()).or_default();
        *rows += 1;
        all.extend(signs(row, clock, axis));
    }
    let mut rows = Vec::new();
    let untold = troubled.len().saturating_sub(TROUBLED);
    rows.extend(troubled.into_iter().take(TROUBLED).map(own));
    if untold > 0 {
        rows.push((format!("and {untold} more: see the table"), Vec::new()));
    }
    for name in order {
        if let Some((of, all)) = kinds.remove(name) {
            rows.push((cut(&format!("{} ({of})", kind(name))), thinned(all)));
        }
    }
    rows
}

/// Signs of one shape at one place are told once, with their number: a page must not grow with what cannot be seen.
fn thinned(signs: Vec<Sign>) -> Vec<Sign> {
    let mut places: BTreeMap<(&'static str, i64), (usize, Sign)> = BTreeMap::new();
    for sign in signs {
        // Half a unit: less than the stroke of a sign.
        #[allow(clippy::cast_possible_truncation, reason = "places lie between 0 and the picture's width")]
        let place = (sign.x * 2.0).round() as i64;
        places.entry((sign.shape, place)).and_modify(|(of, _)| *of += 1).or_insert((1, sign));
    }
    let told = |(of, sign): (usize, Sign)| {
        if of == 1 { sign } else { Sign { title: format!("{} and {} more", sign.title, of - 1), ..sign } }
    };
    let mut thin: Vec<Sign> = places.into_values().map(told).collect();
    // What is drawn last is on top: the acknowledgements.
    thin.sort_by_key(|sign| LEGEND.iter().position(|(shape, _)| *shape == sign.shape));
    thin
}

fn signs(row: &RecipientReport, clock: &Clock, axis: &Axis) -> Vec<Sign> {
    let mut signs = Vec::new();
    let name = plain(&row.name);
    let mut put = |shape: &'static str, at: Option<Timestamp>, what: &str| {
        if let Some(at) = at {
            // The machine's acts have no time of a replayed day.
            let machine = matches!(shape, "noticed" | "delivered" | "mail" | "unsent");
            let told = if machine { clock.act(Some(at)) } else { Some(clock.moment(at)) };
            let told = told.map(|at| format!(" {}", at.both())).unwrap_or_default();
            let shown = clock.view.shown(at);
            let beyond = (shown > axis.to).then(|| clock.moment(at).local);
            signs.push(Sign { x: axis.x(shown), shape, title: format!("{name}: {what}{told}"), beyond });
        }
    };
    put("noticed", row.noticed_at, "noticed");
    put("delivered", row.delivered_at, "delivered");
    for mail in &row.escalations {
        match mail.accepted_at {
            Some(at) => put("mail", Some(at), &format!("e-mail of step {} taken by a relay", mail.step)),
            None => put(
                "unsent",
                Some(mail.owed_at),
                &format!("e-mail of step {} owed, and not known to be taken", mail.step),
            ),
        }
    }
    match row.state {
        State::InTime => put("in-time", row.acknowledged_at, "acknowledged in time"),
        State::Late => put("late", row.acknowledged_at, "acknowledged late"),
        State::Silent => put("silent", row.due_at, "silent when its window closed"),
        State::Excused => put("excused", row.due_at, "excused: the incident ended before its window closed"),
        State::Open => put("open", row.due_at, "its window is open until"),
        State::NotAsked => put("in-time", row.acknowledged_at, "acknowledged, unasked"),
    }
    signs
}

/// The picture in words.
fn in_words(event: &EventReport, clock: &Clock) -> String {
    let totals = &event.totals;
    let mut words = format!("Published {}.", clock.moment(event.published_at).both());
    for step in &event.steps {
        let _ = write!(
            words,
            " Step {} was due {}, {} later.",
            step.step,
            clock.moment(step.due_at).both(),
            length(clock.view.between(event.published_at, step.due_at))
        );
    }
    let silent = totals.never.saturating_sub(totals.open).saturating_sub(totals.excused);
    let _ = write!(
        words,
        " Of {} asked, {} acknowledged in time, {} late and {silent} not at all; {} windows are open and {} were excused. {} \
         were escalated to by e-mail. {} were told and not asked.",
        totals.asked,
        totals.acknowledged_in_time,
        totals.acknowledged_late,
        totals.open,
        totals.excused,
        totals.escalated,
        count_not_asked(event)
    );
    words
}

fn count_not_asked(event: &EventReport) -> usize {
    event.recipients.iter().filter(|row| row.state == State::NotAsked).count()
}

/// Lengths between two ticks, in seconds.
const STEPS: [i64; 19] = [
    1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800,
    604_800,
];
const MOST_TICKS: i64 = 8;

fn ticks(clock: &Clock, axis: &Axis) -> Vec<Tick> {
    let span = axis.to.duration_since(axis.from).as_secs();
    let step = STEPS.into_iter().find(|step| span / step < MOST_TICKS).unwrap_or(span / MOST_TICKS + 1);
    // Ticks stand at round local times.
    let offset = clock.zone.offset_seconds(axis.from);
    let first = (axis.from.as_second() + offset).div_euclid(step) * step + step - offset;
    (0..=MOST_TICKS)
        .filter_map(|n| Timestamp::from_second(first + n * step).ok())
        .take_while(|at| *at <= axis.to)
        .map(|at| Tick {
            x: axis.x(at),
            local: if step < 60 {
                clock.zone.clock(at)
            } else if step < 43_200 {
                clock.zone.minute(at)
            } else {
                format!("{} {}", clock.zone.short_day(at), clock.zone.minute(at))
            },
            utc: at.strftime(if step < 60 { "%H:%M:%SZ" } else { "%H:%MZ" }).to_string(),
        })
        .collect()
}

fn cut(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    let kept: String = name.chars().take(NAME - 1).collect();
    format!("{}…", kept.trim_end())
}

/// A number of rows or lanes, of which there are few.
fn count(of: usize) -> f64 {
    f64::from(u32::try_from(of).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_stand_at_round_local_times() {
        let report_zone = crate::words::Zone::named("Asia/Kolkata");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        // Half an hour beside UTC: round there is not round here.
        assert_eq!(report_zone.offset_seconds(at("2023-06-25T05:24:00Z")), 19_800);
        assert_eq!(report_zone.minute(at("2023-06-25T05:30:00Z")), "11:00");
    }

    #[test]
    fn signs_that_cannot_be_told_apart_are_one_with_a_number() {
        let sign = |x| Sign { x, shape: "in-time", title: "a".to_owned(), beyond: None };
        let thin = thinned(vec![sign(300.0), sign(300.1), sign(400.0)]);
        let told: Vec<_> = thin.iter().map(|sign| sign.title.as_str()).collect();
        assert_eq!(told, ["a and 1 more", "a"]);
    }
}
