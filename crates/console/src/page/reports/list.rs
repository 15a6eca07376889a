//! What waits for a person's word, and what was reported.

use askama::Template;
use axum::{extract::State as Extracted, http::StatusCode, response::Response};
use tocsin_protocol::{
    BodyId, Candidate, IncidentId, LinkAnswer, Person, Proposal, ReportSays, ReportSource, Seen,
    SignedDuration, Status, Timestamp, Trail,
};

use super::link::trail_text;
use crate::{
    app::App,
    by_rule::{Look, Told},
    model::{Incident, SaidLink, SaidReport, State},
    page::{
        frame::{Frame, answer},
        names::Names,
        words::{self, Zone},
    },
    session::{Sees, Visitor},
};

/// How many of each are shown, the newest.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "reports/list.html")]
struct Page {
    frame: Frame,
    /// What came of what was just tried.
    told: Option<String>,
    csrf: String,
    person: Person,
    /// Whether they may say whether it is one outage, or report themselves.
    links: bool,
    tells: bool,
    waiting: Vec<Waiting>,
    reports: Vec<Row>,
    more: usize,
}

/// One proposal that is open.
struct Waiting {
    whose: String,
    of: Trails,
    /// The report from which an incident may be begun.
    begin: Option<String>,
    candidates: Vec<With>,
}

/// A trail as it is shown.
struct Trails {
    status: Option<&'static str>,
    what: String,
    /// Its own page, where it has one that they see.
    page: Option<String>,
    headline: String,
    said_at: String,
    said_clock: String,
    seen: Option<(String, String)>,
    services: String,
    areas: String,
}

/// A trail that it may be one with, and the form to say so.
struct With {
    trail: Trails,
    why: String,
    form: Option<Form>,
}

struct Form {
    link: String,
    incident: IncidentId,
    with: String,
}

struct Row {
    status: Option<&'static str>,
    said_at: String,
    said_clock: String,
    seen_at: String,
    seen_clock: String,
    who: String,
    source: &'static str,
    restored: bool,
    adds_to: Option<String>,
    headline: String,
    what: Option<String>,
    by: Option<String>,
    contact: Option<String>,
    areas: String,
    calls: Option<u64>,
    ruled: Option<Ruled>,
    links: Vec<String>,
}

/// What became of it by a rule of the operator's.
struct Ruled {
    /// Whether it calls for a person.
    warns: bool,
    words: String,
    /// The incident that it is or concerns.
    incident: Option<IncidentId>,
    /// Where a person says it instead, and what that is.
    instead: Option<(String, &'static str)>,
}

pub(super) async fn show(Extracted(app): Extracted<App>, visitor: Visitor) -> Response {
    page(&app, &visitor, StatusCode::OK, None)
}

/// The page, with what came of what was just tried.
pub(super) fn page(app: &App, visitor: &Visitor, status: StatusCode, told: Option<&str>) -> Response {
    let state = app.model().read();
    let frame = Frame::on(&state, app, visitor, "reports");
    let shown = Shown {
        state: &state,
        names: Names::in_force(&state),
        zone: frame.zone().clone(),
        now: frame.now(),
        rules: None,
    };
    let publisher = match &visitor.sees {
        Sees::Publisher(publisher) => Some(publisher),
        _ => None,
    };
    let waiting: Vec<_> = match &visitor.sees {
        Sees::Recipient(_) => Vec::new(),
        _ => state.trails.waiting(state.fold.answers(), publisher).take(SHOWN).collect(),
    };
    let holds_key = publisher
        .zip(app.hands().press.as_ref())
        .is_some_and(|(publisher, press)| press.publishers().contains(publisher));
    let waiting = waiting
        .into_iter()
        .map(|(proposal, candidates)| shown.waiting(proposal, &candidates, holds_key))
        .collect();
    let all = match &visitor.sees {
        Sees::Recipient(recipient) => state.trails.reports(Some(&BodyId::from(recipient))),
        Sees::Everything => state.trails.reports(None),
        // Those of the areas of which it may speak.
        Sees::Publisher(publisher) => {
            let directory = state.fold.directory();
            let known = directory.and_then(|directory| Some((directory, directory.publisher(publisher)?)));
            let theirs = |said: &&SaidReport| {
                known.is_some_and(|(directory, known)| {
                    said.report.areas.iter().any(|area| directory.may_speak_of(known, area))
                })
            };
            state.trails.reports(None).into_iter().filter(theirs).collect()
        }
    };
    let rules = match &visitor.sees {
        Sees::Recipient(_) => None,
        _ => Some((app.rulings().look(&state, app.model().now()), holds_key)),
    };
    let shown = Shown { rules, ..shown };
    let more = all.len().saturating_sub(SHOWN);
    let reports = all.into_iter().take(SHOWN).map(|said| shown.row(said)).collect();
    let page = Page {
        told: told.map(str::to_owned),
        csrf: visitor.csrf(),
        person: visitor.person.clone().unwrap_or_else(|| Person { name: String::new(), role: String::new() }),
        links: holds_key,
        tells: matches!(visitor.sees, Sees::Recipient(_)),
        waiting,
        reports,
        more,
        frame,
    };
    drop(shown);
    drop(state);
    answer(status, &page)
}

/// What is shown, and how.
struct Shown<'s> {
    state: &'s State,
    names: Names,
    zone: Zone,
    now: Timestamp,
    /// What the operator's rules make of reports, and whether the visitor may say it instead.
    rules: Option<(Look<'s>, bool)>,
}

impl Shown<'_> {
    fn ruled(&self, said: &SaidReport) -> Option<Ruled> {
        let (look, may_say) = self.rules.as_ref()?;
        let told = Told::of(look, said)?;
        let rule = told.rule.as_ref().map(|rule| format!("Rule {rule}: ")).unwrap_or_default();
        let why = told.why.unwrap_or_default();
        let words = match told.outcome {
            "stands" => "An event was made of it by rule, as no person had looked".to_owned(),
            "opens" => format!("{rule}it is being made an event"),
            "resolves" => format!("{rule}its incident is being resolved"),
            "waits" => {
                let until = told.until.map(|at| self.zone.second(at, self.now)).unwrap_or_default();
                format!("{rule}it becomes an event at {until}, unless it is over before")
            }
            _ => format!("{rule}NOT made an event: {why}"),
        };
        let report = &said.report;
        let instead = match &told.incident {
            _ if !may_say || told.outcome != "draft" => None,
            Some(incident) if self.state.incident(incident).is_some() => {
                let (says, words) = match report.says {
                    ReportSays::Restored => ("resolved", "Say that it is resolved"),
                    ReportSays::Failing => ("update", "Say it as an update"),
                };
                Some((format!("/incidents/{incident}/publish?says={says}"), words))
            }
            _ if report.adds_to.is_some() => None,
            _ => Some((
                format!("/publish?body={}&report={}", report.body, report.report),
                "Begin an incident from it",
            )),
        };
        let incident = told.incident.filter(|incident| self.state.incident(incident).is_some());
        Some(Ruled { warns: told.outcome == "draft", words, incident, instead })
    }

    fn waiting(&self, proposal: &Proposal, candidates: &[&Candidate], holds_key: bool) -> Waiting {
        let begin = match &proposal.of.trail {
            Trail::Report(trail) if candidates.is_empty() && holds_key => {
                Some(format!("/publish?body={}&report={}", trail.body, trail.report))
            }
            _ => None,
        };
        let candidates = candidates.iter().enumerate().map(|(n, candidate)| {
            let ends = ends(proposal, candidate).filter(|_| holds_key);
            With {
                trail: self.trail(&candidate.seen),
                why: self.why(candidate),
                form: ends.map(|(incident, with)| Form {
                    // One name for each form of a page: what is sent twice is one link.
                    link: format!("page-{}-{n}-{}", proposal.of.said, self.now.as_millisecond()),
                    incident,
                    with: trail_text(&with),
                }),
            }
        });
        Waiting {
            whose: self.names.publisher(&proposal.publisher),
            of: self.trail(&proposal.of),
            begin,
            candidates: candidates.collect(),
        }
    }

    fn why(&self, candidate: &Candidate) -> String {
        let services: Vec<_> =
            candidate.shared_services.iter().map(|service| words::service(*service)).collect();
        let areas: Vec<_> =
            candidate.touching_areas.iter().take(5).map(|area| self.names.area(area)).collect();
        let apart = i64::try_from(candidate.apart_seconds).unwrap_or(i64::MAX);
        format!(
            "Both name {}; {} touches; said {} apart.",
            services.join(", "),
            areas.join(", "),
            words::length(SignedDuration::from_secs(apart))
        )
    }

    fn trail(&self, seen: &Seen) -> Trails {
        let (what, page) = match &seen.trail {
            Trail::Incident(trail) => (
                format!("Incident {} of {}", trail.incident, self.names.publisher(&trail.publisher)),
                Some(format!("/incidents/{}", trail.incident)),
            ),
            Trail::Report(trail) => {
                (format!("Report by {}{}", self.body(&trail.body), source_words(seen.source)), None)
            }
        };
        let services: Vec<_> = seen.services.iter().map(|service| words::service(*service)).collect();
        let areas: Vec<_> = seen.areas.iter().take(8).map(|area| self.names.area(area)).collect();
        Trails {
            status: mark(seen.status),
            what,
            page,
            headline: seen
                .headline
                .clone()
                .unwrap_or_else(|| "Its marking keeps its words among those who are owed it".to_owned()),
            said_at: seen.said_at.to_string(),
            said_clock: self.zone.second(seen.said_at, self.now),
            seen: seen.seen_at.map(|at| (at.to_string(), self.zone.second(at, self.now))),
            services: services.join(", "),
            areas: areas.join(", "),
        }
    }

    fn row(&self, said: &SaidReport) -> Row {
        let report = &said.report;
        let areas: Vec<_> = report.areas.iter().take(8).map(|area| self.names.area(area)).collect();
        let trail = Trail::report(report.body.clone(), report.report.clone());
        let links = self.state.trails.with_report(&trail).into_iter().map(|link| self.link_words(link));
        Row {
            status: mark(report.status),
            said_at: said.at.to_string(),
            said_clock: self.zone.second(said.at, self.now),
            seen_at: report.observed_at.to_string(),
            seen_clock: self.zone.second(report.observed_at, self.now),
            who: self.body(&report.body),
            source: match report.source {
                ReportSource::Agency => "its people",
                ReportSource::Operator => "the operator's people",
                ReportSource::Monitoring => "a machine",
            },
            restored: report.says == ReportSays::Restored,
            adds_to: report.adds_to.as_ref().map(ToString::to_string),
            headline: report.headline.clone(),
            what: report.what.clone(),
            by: report.by.as_ref().map(|by| format!("{}, {}", by.name, by.role)),
            contact: report.contact.as_ref().map(|contact| {
                let phone = contact.phone.as_deref().unwrap_or_default();
                format!("{} {phone}", contact.role).trim().to_owned()
            }),
            areas: areas.join(", "),
            calls: report.calls_lost,
            ruled: self.ruled(said),
            links: links.collect(),
        }
    }

    fn link_words(&self, link: &SaidLink) -> String {
        let linking = &link.linking;
        let words = match linking.answer {
            LinkAnswer::Same => "Linked with",
            LinkAnswer::NotTheSame => "Not the same as",
        };
        let note = linking.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        format!(
            "{words} {} by {}, {}, at {}{note}",
            linking.incident,
            linking.by.name,
            linking.by.role,
            self.zone.second(link.at, self.now)
        )
    }

    fn body(&self, body: &BodyId) -> String {
        let directory = self.state.fold.directory();
        let known = directory.and_then(|directory| directory.reporter(body));
        known.map_or_else(|| body.to_string(), |known| known.name().to_owned())
    }
}

/// The publisher's own incident, and the other trail.
fn ends(proposal: &Proposal, candidate: &Candidate) -> Option<(IncidentId, Trail)> {
    let own = |trail: &Trail| match trail {
        Trail::Incident(trail) if trail.publisher == proposal.publisher => Some(trail.incident.clone()),
        _ => None,
    };
    let (of, with) = (&proposal.of.trail, &candidate.seen.trail);
    own(of).map(|incident| (incident, with.clone())).or_else(|| Some((own(with)?, of.clone())))
}

fn mark(status: Status) -> Option<&'static str> {
    match status {
        Status::Actual => None,
        Status::Exercise => Some("EXERCISE"),
        Status::Test => Some("TEST"),
    }
}

fn source_words(source: Option<ReportSource>) -> &'static str {
    if source == Some(ReportSource::Monitoring) { ", seen by a machine" } else { "" }
}

#[derive(Template)]
#[template(path = "reports/others.html")]
struct Others {
    rows: Vec<Other>,
}

struct Other {
    same: bool,
    what: String,
    headline: Option<String>,
    said: Option<(String, String, String)>,
    seen: Option<(String, String)>,
    link: String,
}

/// The other trails of an incident, for its page; none where nobody has spoken of any.
pub(crate) fn others(state: &State, incident: &Incident, zone: &Zone, now: Timestamp) -> Option<String> {
    let shown = Shown { state, names: Names::of(state, incident), zone: zone.clone(), now, rules: None };
    let first = incident.events.first()?.published_at;
    let rows: Vec<_> = state
        .trails
        .with_incident(&incident.id)
        .into_iter()
        .map(|(trail, link)| shown.other(&trail, link, first))
        .collect();
    if rows.is_empty() { None } else { Others { rows }.render().ok() }
}

impl Shown<'_> {
    fn other(&self, trail: &Trail, link: &SaidLink, first: Timestamp) -> Other {
        let (what, headline, said_at, seen_at) = match trail {
            Trail::Report(of) => {
                let said = self.state.trails.said(&of.body, &of.report);
                (
                    format!("Report {} of {}", of.report, self.body(&of.body)),
                    said.map(|said| said.report.headline.clone()),
                    said.map(|said| said.at),
                    said.map(|said| said.report.observed_at),
                )
            }
            Trail::Incident(of) => {
                let other = self.state.incident(&of.incident);
                let newest = other.and_then(Incident::newest).map(|said| &said.event);
                (
                    format!("Incident {} of {}", of.incident, self.names.publisher(&of.publisher)),
                    newest.filter(|event| !event.is_sensitive()).map(|event| event.headline.clone()),
                    other.and_then(|other| other.events.first()).map(|said| said.published_at),
                    newest.and_then(|event| event.began_at),
                )
            }
        };
        let said = said_at.map(|at| {
            let apart = words::length(first.duration_since(at));
            let side = if at <= first { "before" } else { "after" };
            (at.to_string(), self.zone.second(at, self.now), format!("{apart} {side} the first event"))
        });
        let linking = &link.linking;
        let note = linking.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        Other {
            same: linking.answer == LinkAnswer::Same,
            what,
            headline,
            said,
            seen: seen_at.map(|at| (at.to_string(), self.zone.second(at, self.now))),
            link: format!(
                "{}, {}, of {}, at {}{note}",
                linking.by.name,
                linking.by.role,
                self.names.publisher(&linking.publisher),
                self.zone.second(link.at, self.now)
            ),
        }
    }
}

/// A name made of a time, down to the millisecond.
pub(super) fn made_of(now: Timestamp) -> String {
    format!("page-{}-{:03}", now.strftime("%Y-%m-%d-%H%M%S"), now.subsec_millisecond())
}
