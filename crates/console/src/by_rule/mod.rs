//! What becomes of monitors' reports by rule, and saying it.
//!
//! A report is on the bus before any rule is asked, and what becomes of it is judged by the record alone
//! (`tocsin_duty::judge_report`). So nothing is kept here that must not be lost: a console that dies before an event is
//! in the spool judges the report anew when it is back, and comes to the same event under the same name; one that dies
//! after finds it in the spool or on the bus. Two consoles that judge at once say the same bytes, which are one fact.

mod act;
mod told;

use std::{
    cell::OnceCell,
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tocsin_duty::{Course, EventRule, Judged, KnownIncident, Reported, Rules, judge_later, judge_report};
use tocsin_protocol::{BodyId, ByRule, PublisherId, Report, ReportId, ReportSays, SignedDuration, Timestamp};

pub(crate) use self::{act::run, told::Told};
use crate::{
    config::{Config, Monitoring},
    error::Error,
    model::{Incident, SaidReport, State},
};

/// The rules, and what could not be done by them.
pub(crate) struct Rulings {
    rules: Rules,
    /// The publishers that have rules.
    publishers: Vec<PublisherId>,
    /// Why what a rule wanted said was not, by the report that it is of.
    failed: Mutex<HashMap<(BodyId, ReportId), String>>,
}

impl Rulings {
    pub(crate) fn new(monitoring: &Monitoring) -> Self {
        let rules = Rules { rules: monitoring.rules.clone(), most_an_hour: monitoring.opens_an_hour };
        let mut publishers: Vec<_> = rules.rules.iter().map(|rule| rule.publisher.clone()).collect();
        publishers.sort();
        publishers.dedup();
        Self { rules, publishers, failed: Mutex::default() }
    }

    /// What the rules are held against: the record at this moment.
    pub(crate) fn look<'a>(&'a self, state: &'a State, now: Timestamp) -> Look<'a> {
        Look { rulings: self, state, now, known: OnceCell::new() }
    }

    /// How long after it was said a report may still become anything.
    fn longest(&self) -> SignedDuration {
        let of = |rule: &EventRule| rule.held_for.saturating_add(rule.within);
        self.rules.rules.iter().map(of).max().unwrap_or_default()
    }

    /// Why what a rule wanted said because of a report was not.
    pub(crate) fn failure(&self, report: &Report) -> Option<String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get(&(report.body.clone(), report.report.clone())).cloned()
    }

    fn note(&self, report: &Report, why: Option<&str>) {
        let key = (report.body.clone(), report.report.clone());
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => failed.insert(key, why.to_owned()),
            None => failed.remove(&key),
        };
    }
}

/// The record at one moment, as the rules see it.
pub(crate) struct Look<'a> {
    rulings: &'a Rulings,
    state: &'a State,
    now: Timestamp,
    /// The incidents of each publisher that has rules.
    known: OnceCell<Vec<(PublisherId, Vec<KnownIncident>)>>,
}

impl Look<'_> {
    /// What becomes of a report, and of which publisher's rules; none where no rule is for it.
    pub(crate) fn of(&self, said: &SaidReport) -> Option<(PublisherId, Judged)> {
        let Self { rulings, state, now, .. } = self;
        let SaidReport { report, at } = said;
        let is_later = report.adds_to.is_some();
        if !is_later && !rulings.rules.rules.iter().any(|rule| rule.is_for(report)) {
            return None;
        }
        let directory = state.fold.directory()?;
        self.known.get_or_init(|| self.known()).iter().find_map(|(publisher, known)| {
            let judged = if is_later {
                let fires =
                    |by: &ByRule| state.trails.by_machines().any(|said| is_again(state, by, &said.report));
                judge_later(&rulings.rules, publisher, (report, *at), *now, known, fires)
            } else {
                let reported = Reported { report, said_at: *at, over: state.trails.is_over(report) };
                judge_report(&rulings.rules, publisher, reported, *now, directory, known)
            };
            (judged != Judged::NoRule).then(|| (publisher.clone(), judged))
        })
    }

    fn known(&self) -> Vec<(PublisherId, Vec<KnownIncident>)> {
        let longest = self.rulings.longest();
        let of = |publisher: &PublisherId| {
            let theirs = self.state.incidents().filter(|one| one.publisher == *publisher);
            // What ended before any report that may still become something was said stands against none.
            let matters = |one: &KnownIncident| {
                one.by_rule.is_some() || one.ended_at.is_none_or(|at| self.now.duration_since(at) <= longest)
            };
            (publisher.clone(), theirs.filter_map(known).filter(matters).collect())
        };
        self.rulings.publishers.iter().map(of).collect()
    }
}

/// Whether a report is of the same alert as what a rule made an event of, and that is not over.
fn is_again(state: &State, by: &ByRule, report: &Report) -> bool {
    let fingerprint = report.alert.as_ref().and_then(|alert| alert.fingerprint.as_ref());
    report.says == ReportSays::Failing
        && report.adds_to.is_none()
        && report.body == by.body
        && fingerprint == by.fingerprint.as_ref()
        && !state.trails.is_over(report)
}

fn known(incident: &Incident) -> Option<KnownIncident> {
    let (first, newest) = (incident.events.first()?, incident.newest()?);
    Some(KnownIncident {
        incident: incident.id.clone(),
        by_rule: first.event.by_rule.as_deref().cloned(),
        opened_at: first.published_at,
        ended_at: ended_at(incident),
        looked_at: incident.events.iter().any(|said| said.event.by_rule.is_none()),
        status: incident.status,
        services: newest.event.services.clone(),
        areas: newest.event.areas.clone(),
    })
}

/// When what is over ended: by the first event since which it has not been open.
fn ended_at(incident: &Incident) -> Option<Timestamp> {
    let (mut course, mut ended_at) = (Course::default(), None);
    for said in &incident.events {
        course = course.after(said.event.kind, said.event.platform);
        ended_at = if course.is_open() { None } else { ended_at.or(Some(said.published_at)) };
    }
    ended_at
}

/// Holds the rules against what they could say, and with whose key.
pub(crate) fn check(config: &Config) -> Result<(), Error> {
    let rulings = Rulings::new(&config.monitoring);
    let wrong =
        |value: String, why: String| Err(Error::Setting { field: "monitoring.rules".to_owned(), value, why });
    if let Err(why) = rulings.rules.check() {
        return wrong(
            rulings.rules.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>().join(", "),
            why,
        );
    }
    for rule in &rulings.rules.rules {
        if !config.publishers.contains_key(&rule.publisher) {
            let why = format!(
                "its event is {}'s to sign: name that publisher's key under [console.publishers]",
                rule.publisher
            );
            return wrong(rule.id.to_string(), why);
        }
    }
    Ok(())
}
