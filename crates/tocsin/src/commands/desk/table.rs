//! What lies on the desk and is yet to be acknowledged.

use jiff::{Timestamp, tz::TimeZone};
use tocsin_desk::{Arrived, ReadNotice, clean, clock, countdown};
use tocsin_protocol::{EventNumber, IncidentId, Status};

/// What is yet to be acknowledged, one notice for each incident.
#[derive(Default)]
pub(super) struct Table {
    open: Vec<Lying>,
    last_number: u32,
}

struct Lying {
    /// By which the person names it, for as long as this desk is up.
    number: u32,
    read: ReadNotice,
    /// It has been shown in this session.
    shown: bool,
    /// That its window has closed was told.
    closed: bool,
}

/// What the person chose to acknowledge: numbers of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen(Vec<u32>);

impl Table {
    /// Takes in a notice that arrived. Returns what it changes for the person, when it ends an incident.
    pub(super) fn arrived(&mut self, arrived: &Arrived) -> Option<String> {
        let (notice, kind) = (&arrived.read.notice, arrived.read.event.kind);
        let mut told = None;
        if kind.lifts_duties() {
            let before = self.open.len();
            self.open.retain(|lying| {
                lying.read.notice.incident != notice.incident || lying.read.notice.event >= notice.event
            });
            if self.open.len() < before && !notice.acknowledge {
                told = Some(format!(
                    "{} is over: nothing of it is to be acknowledged any more.",
                    notice.incident
                ));
            }
        }
        if notice.acknowledge && arrived.superseded_by.is_none() {
            self.put(arrived.read.clone(), true);
        }
        told
    }

    /// Takes in what was found on the bus.
    pub(super) fn found(&mut self, reads: Vec<ReadNotice>) {
        for read in reads {
            self.put(read, false);
        }
    }

    /// One notice for each incident: an acknowledgement of the newest covers those before it.
    fn put(&mut self, read: ReadNotice, shown: bool) {
        if let Some(lying) =
            self.open.iter_mut().find(|lying| lying.read.notice.incident == read.notice.incident)
        {
            if lying.read.notice.event < read.notice.event {
                lying.closed = false;
                lying.read = read;
                lying.shown = shown;
            } else if lying.read.notice.event == read.notice.event {
                lying.shown |= shown;
            }
            return;
        }
        self.last_number += 1;
        self.open.push(Lying { number: self.last_number, read, shown, closed: false });
    }

    /// An acknowledgement was given: it covers this event and every earlier one.
    pub(super) fn acknowledged(&mut self, incident: &IncidentId, event: EventNumber) -> bool {
        let before = self.open.len();
        self.open.retain(|lying| lying.read.notice.incident != *incident || lying.read.notice.event > event);
        self.open.len() < before
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn every(&self) -> Vec<ReadNotice> {
        self.open.iter().map(|lying| lying.read.clone()).collect()
    }

    /// What the person means: a number, `all`, or nothing when there is only one.
    pub(super) fn choose(&self, text: &str) -> Result<Chosen, String> {
        let all = || Chosen(self.open.iter().map(|lying| lying.number).collect());
        match (text, self.open.len()) {
            (_, 0) => Err("Nothing is to be acknowledged.".to_owned()),
            ("", 1) | ("all", _) => Ok(all()),
            ("", _) => Err(format!(
                "{} incidents wait: write a and the number, or a all.\n{}",
                self.open.len(),
                self.lines(Timestamp::now(), &TimeZone::system()).join("\n")
            )),
            (number, _) => match number.parse() {
                Ok(number) if self.open.iter().any(|lying| lying.number == number) => {
                    Ok(Chosen(vec![number]))
                }
                _ => Err(format!("There is no number {} here; l lists them.", clean::line(number, 20))),
            },
        }
    }

    pub(super) fn of(&self, chosen: &Chosen) -> Vec<ReadNotice> {
        let chosen = |lying: &&Lying| chosen.0.contains(&lying.number);
        self.open.iter().filter(chosen).map(|lying| lying.read.clone()).collect()
    }

    /// The chosen, in a few words.
    pub(super) fn names(&self, chosen: &Chosen) -> String {
        match &self.of(chosen)[..] {
            [one] => {
                format!("{}\"{}\"", status_word(one.notice.status), clean::line(&one.event.headline, 60))
            }
            several => format!("{} incidents", several.len()),
        }
    }

    /// A line for each, soonest due first.
    pub(super) fn lines(&self, now: Timestamp, zone: &TimeZone) -> Vec<String> {
        self.sorted().into_iter().map(|lying| line(lying, now, zone)).collect()
    }

    /// Those that were there before this desk was up, told once.
    pub(super) fn told_before(&mut self, now: Timestamp, zone: &TimeZone) -> Vec<String> {
        let lines =
            self.sorted().into_iter().filter(|lying| !lying.shown).map(|lying| line(lying, now, zone));
        let lines = lines.collect();
        self.open.iter_mut().for_each(|lying| lying.shown = true);
        lines
    }

    /// The windows that have closed since the last look.
    pub(super) fn closed(&mut self, now: Timestamp) -> Vec<String> {
        let mut told = Vec::new();
        for lying in &mut self.open {
            if lying.closed || lying.read.notice.due_at.is_none_or(|due_at| now <= due_at) {
                continue;
            }
            lying.closed = true;
            told.push(format!(
                "{}THE TIME IS UP for number {}, \"{}\": your contact is being written to. An acknowledgement still stops what follows.",
                status_word(lying.read.notice.status),
                lying.number,
                clean::line(&lying.read.event.headline, 80)
            ));
        }
        told
    }

    /// What waits, in one line.
    pub(super) fn status(&self, now: Timestamp, zone: &TimeZone) -> String {
        let sorted = self.sorted();
        let Some(first) = sorted.first() else { return "Nothing is to be acknowledged.".to_owned() };
        let more =
            if sorted.len() > 1 { format!(" (and {} more: l)", sorted.len() - 1) } else { String::new() };
        match first.read.notice.due_at {
            Some(due_at) => format!(
                "TO BE ACKNOWLEDGED: number {} by {}: {}{more}",
                first.number,
                short(due_at, now, zone),
                countdown(due_at, now)
            ),
            None => format!("TO BE ACKNOWLEDGED: number {}{more}", first.number),
        }
    }

    fn sorted(&self) -> Vec<&Lying> {
        let mut all: Vec<_> = self.open.iter().collect();
        all.sort_by_key(|lying| {
            let due_at = lying.read.notice.due_at;
            (lying.read.notice.status != Status::Actual, due_at.is_none(), due_at, lying.number)
        });
        all
    }
}

fn line(lying: &Lying, now: Timestamp, zone: &TimeZone) -> String {
    let (notice, event) = (&lying.read.notice, &lying.read.event);
    let due = notice.due_at.map_or_else(
        || "no time is set".to_owned(),
        |due_at| format!("by {}: {}", short(due_at, now, zone), countdown(due_at, now)),
    );
    format!(
        "  {}  {}{}\n     {} event {} ({}); {due}",
        lying.number,
        status_word(notice.status),
        clean::line(&event.headline, 70),
        notice.incident,
        notice.event,
        event.kind,
    )
}

/// Without UTC beside it: the line is short and the notice has both.
fn short(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let told = clock(at, now, zone);
    told.split(" (").next().unwrap_or(&told).to_owned()
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Actual => "",
        Status::Exercise => "EXERCISE: ",
        Status::Test => "TEST: ",
    }
}
