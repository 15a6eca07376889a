//! Says what the rules let become of monitors' reports, one at a time, so that each is judged with the last in the record.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tocsin_duty::Judged;
use tocsin_protocol::{
    BodyId, ByRule, Event, EventNumber, IncidentId, PublisherId, Report, ReportId, SignedDuration, to_body,
};

use super::Told;
use crate::{
    app::App,
    hands::{Draft, Fate, Fault, More, Press, Says},
    page::publish::known,
};

/// How long between two looks at most: what waits until it has held comes due without anything being said.
const LOOK: Duration = Duration::from_millis(500);
/// How long after a change: most changes come in numbers.
const SETTLE: Duration = Duration::from_millis(20);
/// How long until what was said is read back here.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// How long until what could not be said is tried again.
const AGAIN: Duration = Duration::from_secs(15);

/// How long after a report may become nothing any more it is told that it is a draft.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(1);

type Key = (BodyId, ReportId);

/// One thing to be said.
struct Due {
    publisher: PublisherId,
    report: Report,
    what: What,
}

enum What {
    Open(Box<Event>),
    Resolve(IncidentId, ByRule),
}

/// Does what the rules say, for ever. It may be dropped at any moment.
pub(crate) async fn run(app: App) {
    let press = app.hands().press.clone();
    let (false, Some(press)) = (app.rulings().rules.rules.is_empty(), press) else {
        return std::future::pending().await;
    };
    let mut changes = app.model().changes();
    let mut acting = Acting::default();
    loop {
        // What has not all been read is not judged: an event that stands would be said again, and one over the number.
        if app.model().ear().hearing.is_well()
            && app.untrusted().is_none()
            && acting.act(&app, press.as_ref()).await
        {
            continue;
        }
        tokio::select! {
            more = changes.changed() => match more {
                Ok(()) => tokio::time::sleep(SETTLE).await,
                // The follower has ended, and with it the console.
                Err(_) => std::future::pending().await,
            },
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

#[derive(Default)]
struct Acting {
    /// When what could not be said may be tried again.
    tried: HashMap<Key, Instant>,
    /// What was told of each report, so that it is told once.
    told: HashMap<Key, String>,
}

impl Acting {
    /// Says the first that is due; tells whether there was one.
    async fn act(&mut self, app: &App, press: &dyn Press) -> bool {
        let Some(due) = self.due(app) else { return false };
        let Due { publisher, report, what } = due;
        let event = match what {
            What::Open(event) => Ok(*event),
            What::Resolve(incident, by) => resolution(app, press, &publisher, &report, incident, by).await,
        };
        let said = match event {
            Ok(event) => say(app, press, publisher.clone(), &event).await.map(|()| event),
            Err(why) => Err(why),
        };
        match said {
            Ok(event) => {
                let (incident, number) = (&event.incident, event.sequence);
                let by = event.by_rule.as_ref().map(ToString::to_string).unwrap_or_default();
                tracing::warn!(%incident, event = %number, %publisher, "said {by}");
                app.rulings().note(&report, None);
                if !read_back(app, incident, number).await {
                    self.tried.insert(key(&report), Instant::now() + AGAIN);
                }
            }
            Err(why) => {
                tracing::error!(report = %report.report, body = %report.body, %publisher,
                    "a rule lets it become an event, and it could not be said; until it can, it is a draft: {why}");
                app.rulings().note(&report, Some(&why));
                self.tried.insert(key(&report), Instant::now() + AGAIN);
            }
        }
        true
    }

    /// The first report, in the order of the record, of which a rule lets something be said now.
    fn due(&mut self, app: &App) -> Option<Due> {
        let state = app.model().read();
        let now = app.model().now();
        self.tried.retain(|_, again| *again > Instant::now());
        let mut drafts = HashMap::new();
        let mut due = None;
        let look = app.rulings().look(&state, now);
        let lately = app.rulings().longest().saturating_add(TOLD_FOR);
        let machines = state.trails.by_machines().filter(|said| now.duration_since(said.at) <= lately);
        for said in machines {
            let Some((publisher, judged)) = look.of(said) else { continue };
            let report = &said.report;
            let what = match judged {
                Judged::Opens(event) => What::Open(event),
                Judged::Resolves(incident, by) => What::Resolve(incident, by),
                Judged::Draft(..) => {
                    let failure = app.rulings().failure(report);
                    let told = Told::judged(judged, failure).and_then(|told| told.why);
                    drafts.insert(key(report), told.unwrap_or_default());
                    continue;
                }
                Judged::NoRule | Judged::Stands(_) | Judged::Waits(..) => continue,
            };
            if due.is_none() && !self.tried.contains_key(&key(report)) {
                due = Some(Due { publisher, report: report.clone(), what });
            }
        }
        drop(look);
        drop(state);
        self.tell(drafts);
        due
    }

    /// Tells once of each report that a rule is for why it is a draft.
    fn tell(&mut self, drafts: HashMap<Key, String>) {
        for ((body, report), why) in &drafts {
            if self.told.get(&(body.clone(), report.clone())) != Some(why) {
                tracing::warn!(%body, %report, "a report of a monitor's is a draft, and no event by rule: {why}");
            }
        }
        self.told = drafts;
    }
}

fn key(report: &Report) -> Key {
    (report.body.clone(), report.report.clone())
}

/// Puts an event on disk and says it.
async fn say(app: &App, press: &dyn Press, publisher: PublisherId, event: &Event) -> Result<(), String> {
    let body = to_body("event", event).map_err(|why| why.to_string())?;
    // It may have been said while this was made.
    if stands(app, &event.incident, event.sequence) {
        return Ok(());
    }
    match press.publish(publisher, body).await {
        Ok(Fate::Dispatched | Fate::OnTheBus) => Ok(()),
        Ok(Fate::Kept(why)) => Err(format!("it is kept on disk and is sent as soon as it can be: {why}")),
        Ok(Fate::Refused(why)) => Err(why),
        Err(faults) => Err(words(faults)),
    }
}

/// The event that ends an incident which a rule opened.
async fn resolution(
    app: &App,
    press: &dyn Press,
    publisher: &PublisherId,
    report: &Report,
    incident: IncidentId,
    by: ByRule,
) -> Result<Event, String> {
    let rule = app.rulings().rules.rules.iter().find(|rule| rule.id == by.rule);
    let description = rule.map(|rule| rule.told(&by, "resolved", report.observed_at, None));
    let draft = Draft {
        publisher: publisher.clone(),
        says: Says::Resolved(incident.clone()),
        category: None,
        services: Vec::new(),
        areas: Vec::new(),
        headline: None,
        more: More { description, restored_at: Some(report.observed_at), ..More::default() },
    };
    let foreseen = press.draft(draft, known(app, publisher, Some(&incident))).await.map_err(words)?;
    Ok(Event { by_rule: Some(Box::new(by)), ..foreseen.event })
}

fn stands(app: &App, incident: &IncidentId, number: EventNumber) -> bool {
    let state = app.model().read();
    state.incident(incident).is_some_and(|known| known.event(number).is_some())
}

/// Waits until what was said has been read here, as the next is judged by it.
async fn read_back(app: &App, incident: &IncidentId, number: EventNumber) -> bool {
    let mut changes = app.model().changes();
    let read = async {
        while !stands(app, incident, number) {
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::time::timeout(READ_WITHIN, read).await.is_ok()
}

fn words(faults: Vec<Fault>) -> String {
    faults.into_iter().map(|fault| fault.words).collect::<Vec<_>>().join("; ")
}
