//! The board: what is open, and what has ended lately.

use askama::Template;
use axum::{extract::State as Extracted, response::Response};
use tocsin_protocol::{Status, Timestamp};

use super::{
    fragment::{Count, Fragment},
    frame::{Frame, html},
    incident::course,
    names::Names,
    publish,
    words::{self, Zone},
};
use crate::{
    app::App,
    model::{DutyState, Incident, Sight, State},
    session::{Sees, Visitor},
};

/// How many open incidents of one status are shown, the newest.
const OPEN_SHOWN: usize = 100;
/// How many tests are shown, the newest.
const TESTS_SHOWN: usize = 2;
/// How many that have ended are shown, the last to end.
const ENDED_SHOWN: usize = 10;

#[derive(Template)]
#[template(path = "board.html")]
struct Page {
    frame: Frame,
    /// What of theirs is kept on disk and was not sent.
    waiting: Option<String>,
    board: String,
}

#[derive(Template)]
#[template(path = "board_list.html")]
struct List {
    open: usize,
    whose: Option<&'static str>,
    sections: Vec<Section>,
}

struct Section {
    key: &'static str,
    name: &'static str,
    rows: Vec<Row>,
    more: usize,
}

#[derive(Template)]
#[template(path = "board_row.html")]
struct Row {
    key: String,
    class: &'static str,
    status_class: &'static str,
    status: &'static str,
    course_class: &'static str,
    course: &'static str,
    /// What is bad of it.
    tags: Vec<String>,
    id: String,
    headline: String,
    publisher: String,
    newest: &'static str,
    said_at: String,
    said_clock: String,
    began_at: String,
    began_clock: String,
    platform: Option<&'static str>,
    standing: String,
    window: Option<Promise>,
    next: Option<Promise>,
}

struct Promise {
    at: String,
    clock: String,
    count: Count,
}

/// The board as somebody sees it at a moment.
pub(crate) struct View<'a> {
    state: &'a State,
    sees: &'a Sees,
    zone: &'a Zone,
    now: Timestamp,
}

impl<'a> View<'a> {
    pub(crate) fn of(state: &'a State, sees: &'a Sees, zone: &'a Zone, now: Timestamp) -> Self {
        Self { state, sees, zone, now }
    }

    /// The pieces of the board that changed after `since`: all of it when an incident came or ended.
    pub(crate) fn fragments(&self, since: u64) -> Vec<Fragment> {
        let seen: Vec<_> = self.state.seen_by(self.sees).collect();
        // What is open is settled by events alone, and who sees it by dispatches.
        let listed = seen.iter().map(|(incident, _)| incident.shared_changed).max().unwrap_or(0);
        if listed > since || since == 0 {
            return vec![self.list(seen)];
        }
        let changed = seen.into_iter().filter(|(incident, _)| incident.changed > since);
        changed
            .filter_map(|(incident, sight)| {
                let row = self.row(incident, sight)?;
                Some(Fragment::new(row.key.clone(), incident.changed, &row))
            })
            .collect()
    }

    fn list(&self, seen: Vec<(&Incident, Sight<'_>)>) -> Fragment {
        let (mut tests, seen): (Vec<_>, Vec<_>) =
            seen.into_iter().partition(|(incident, _)| incident.status == Status::Test);
        let (mut open, mut ended): (Vec<_>, Vec<_>) =
            seen.into_iter().partition(|(incident, _)| incident.is_open());
        tests.sort_by_key(|(incident, _)| std::cmp::Reverse(incident.began()));
        open.sort_by_key(|(incident, _)| std::cmp::Reverse(incident.began()));
        ended.sort_by_key(|(incident, _)| std::cmp::Reverse(incident.last_said()));
        let of = |status: Status| open.iter().filter(move |(incident, _)| incident.status == status);
        let section = |key, name, these: Vec<&(&Incident, Sight<'_>)>, shown: usize| {
            let more = these.len().saturating_sub(shown);
            let rows = these.into_iter().take(shown).filter_map(|(i, sight)| self.row(i, *sight)).collect();
            Section { key, name, rows, more }
        };
        let mut sections = vec![
            section("actual", "Actual", of(Status::Actual).collect(), OPEN_SHOWN),
            section("exercise", "Exercises: not real", of(Status::Exercise).collect(), OPEN_SHOWN),
            section("test", "Tests: not real", tests.iter().collect(), TESTS_SHOWN),
            section("ended", "Ended", ended.iter().collect(), ENDED_SHOWN),
        ];
        sections.retain(|section| !section.rows.is_empty());
        let whose = match self.sees {
            Sees::Recipient(_) => Some("of which you were told"),
            Sees::Publisher(_) => Some("of yours"),
            Sees::Everything => None,
        };
        let list = List { open: of(Status::Actual).count(), whose, sections };
        Fragment { whole: true, ..Fragment::new("board", self.state.revision(), &list) }
    }

    fn row(&self, incident: &Incident, sight: Sight<'_>) -> Option<Row> {
        let newest = &incident.newest()?.event;
        let names = Names::of(self.state, incident);
        let (course_class, course) = course(incident);
        let open = incident.is_open();
        let promise = |at: Timestamp, count: Count| Promise {
            at: at.to_string(),
            clock: self.zone.minute(at, self.now),
            count,
        };
        let closing = |at| promise(at, Count::closing(at, self.now));
        let (standing, window, tags) = match sight {
            Sight::Whole => {
                (whole(incident), incident.open_windows().first().map(|(_, s)| s.due_at), tags(incident))
            }
            Sight::Own(standing) => {
                let glance = incident.glance(standing);
                let due = glance.duty.and_then(|duty| duty.asked).map(|(_, at)| at);
                (own(glance.state), due.filter(|_| glance.state == DutyState::Waiting), Vec::new())
            }
        };
        let next = newest.next_update_by.filter(|_| open);
        Some(Row {
            key: format!("i-{}", incident.id),
            class: if open { incident.status.as_str() } else { "ended" },
            status_class: incident.status.as_str(),
            status: words::status(incident.status),
            course_class,
            course,
            tags,
            id: incident.id.to_string(),
            headline: newest.headline.clone(),
            publisher: names.publisher(&incident.publisher),
            newest: words::kind(newest.kind),
            said_at: incident.last_said().to_string(),
            said_clock: self.zone.minute(incident.last_said(), self.now),
            began_at: incident.began().to_string(),
            began_clock: self.zone.minute(incident.began(), self.now),
            platform: incident.events.iter().rev().find_map(|s| s.event.platform).map(words::platform),
            standing,
            window: window.map(closing),
            next: next.map(|at| promise(at, Count::promised(at, self.now))),
        })
    }
}

/// How everyone stands, in one line.
fn whole(incident: &Incident) -> String {
    let tally = &incident.tally;
    if tally.told == 0 {
        return "Nobody has been told yet".to_owned();
    }
    if tally.asked == 0 {
        return format!("{} of {} hold the notice; none has to acknowledge", tally.delivered, tally.told);
    }
    format!("{} of {} acknowledged", tally.acknowledged, tally.asked)
}

fn tags(incident: &Incident) -> Vec<String> {
    let tally = &incident.tally;
    let mut tags = Vec::new();
    if tally.silent > 0 {
        tags.push(format!("{} silent", tally.silent));
    }
    if tally.mail_failed > 0 {
        tags.push(format!("{} mails failed", tally.mail_failed));
    }
    tags
}

/// How somebody stands, to themselves.
fn own(state: DutyState) -> String {
    match state {
        DutyState::Told => "For your information",
        DutyState::Waiting => "You have not acknowledged yet",
        DutyState::Silent => "You have not acknowledged, and the window has closed",
        DutyState::InTime => "You have acknowledged",
        DutyState::Late(_) => "You have acknowledged, late",
        DutyState::Lifted => "You need not acknowledge any more",
    }
    .to_owned()
}

pub(super) async fn show(Extracted(app): Extracted<App>, visitor: Visitor) -> Response {
    let waiting = publish::waiting(&app, &visitor, None).await;
    let is_waiting = waiting.is_some();
    let page = {
        let state = app.model().read();
        let frame = Frame::on(&state, &app, &visitor, "board");
        let zone = frame.zone().clone();
        let mut pieces = View::of(&state, &visitor.sees, &zone, frame.now()).fragments(0);
        let board = pieces.pop().map(|piece| piece.html).unwrap_or_default();
        Page { frame: frame.live(format!("/live/board?since={}", state.revision())), waiting, board }
    };
    if is_waiting { publish::look_again(html(&page)) } else { html(&page) }
}
