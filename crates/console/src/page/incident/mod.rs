//! One incident's page.

mod part;
mod situation;
#[cfg(test)]
mod tests;
mod timeline;
mod wall;

use askama::Template;
use axum::{
    extract::{Path, Query, State as Extracted},
    response::Response,
};
use serde::Deserialize;
use tocsin_duty::Directory;
use tocsin_protocol::{IncidentId, Timestamp};

pub(crate) use situation::course;

use super::{
    absent,
    fragment::Fragment,
    frame::{Frame, html},
    names::Names,
    publish, reports,
    words::Zone,
};
use crate::{
    app::App,
    model::{Incident, Sight, State},
    operate::presence::Presence,
    session::{Sees, Visitor},
};

/// How many moments a page shows where not all are asked for.
const MOMENTS_SHOWN: usize = 60;

/// An incident as somebody sees it at a moment.
pub(crate) struct View<'a> {
    incident: &'a Incident,
    sight: Sight<'a>,
    names: Names,
    zone: &'a Zone,
    now: Timestamp,
    revision: u64,
    presence: &'a Presence,
    directory: Option<&'a Directory>,
}

impl<'a> View<'a> {
    /// An incident as somebody sees it; none where for them it is not there.
    pub(crate) fn of(
        state: &'a State,
        sees: &Sees,
        id: &IncidentId,
        zone: &'a Zone,
        now: Timestamp,
    ) -> Option<Self> {
        let (incident, sight) = state.seen(sees, id)?;
        Some(Self {
            incident,
            sight,
            names: Names::of(state, incident),
            zone,
            now,
            revision: state.revision(),
            presence: &state.presence,
            directory: state.fold.directory().map(|directory| &**directory),
        })
    }

    /// The pieces of the page that changed after `since`.
    pub(crate) fn fragments(&self, since: u64) -> Vec<Fragment> {
        let mut pieces = self.parts(since);
        pieces.extend(timeline::fragments(self, since));
        pieces
    }

    /// The same without the timeline.
    fn parts(&self, since: u64) -> Vec<Fragment> {
        let mut pieces = Vec::new();
        if self.incident.changed <= since {
            return pieces;
        }
        if self.incident.shared_changed > since {
            pieces.extend(situation::title(self));
            pieces.extend(situation::situation(self));
        }
        match self.sight {
            Sight::Whole => wall::fragments(self, since, &mut pieces),
            Sight::Own(standing) if standing.changed.max(self.incident.shared_changed) > since => {
                pieces.push(part::own(self, standing));
            }
            Sight::Own(_) => {}
        }
        pieces
    }
}

/// What a page is asked to show.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    show: Option<String>,
    timeline: Option<String>,
}

#[derive(Template)]
#[template(path = "incident/page.html")]
struct Page {
    frame: Frame,
    id: IncidentId,
    headline: String,
    /// What of it is kept on disk and was not sent.
    waiting: Option<String>,
    /// What they may publish of it.
    publishes: Option<Publishes>,
    title: String,
    own: Option<String>,
    situation: String,
    wall: Option<WallPart>,
    /// What is linked with it, or was said not to be.
    others: Option<String>,
    missing: bool,
    moments: Vec<String>,
    earlier: usize,
}

/// What may follow: nothing follows a cancellation.
struct Publishes {
    open: bool,
}

struct WallPart {
    summary: String,
    wall: String,
}

pub(super) async fn show(
    Extracted(app): Extracted<App>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let page = {
        let state = app.model().read();
        let frame = Frame::on(&state, &app, &visitor, "board");
        id.parse().ok().and_then(|id| page(&state, frame, &visitor.sees, &id, &wanted))
    };
    let Some(mut page) = page else { return absent(&app, &visitor) };
    page.waiting = publish::waiting(&app, &visitor, Some(&page.id)).await;
    if page.waiting.is_some() { publish::look_again(html(&page)) } else { html(&page) }
}

fn page(state: &State, frame: Frame, sees: &Sees, id: &IncidentId, wanted: &Wanted) -> Option<Page> {
    let zone = frame.zone().clone();
    let view = View::of(state, sees, id, &zone, frame.now())?;
    let headline = view.incident.newest()?.event.headline.clone();
    let mut pieces = view.parts(0);
    let mut take = |key: &str| {
        let at = pieces.iter().position(|piece| piece.key == key)?;
        Some(pieces.swap_remove(at).html)
    };
    let title = take("title")?;
    let situation = take("situation")?;
    let own = take("own");
    let wall = take("wall").and_then(|wall| Some(WallPart { summary: take("summary")?, wall }));
    let newest = if wanted.timeline.is_some() { usize::MAX } else { MOMENTS_SHOWN };
    let (moments, earlier) = timeline::shown(&view, newest);
    let live = format!("/live/incidents/{id}?since={}", view.revision);
    Some(Page {
        frame: frame.about(view.incident.status).live(live),
        id: id.clone(),
        headline,
        waiting: None,
        publishes: (matches!(sees, Sees::Publisher(_))
            && view.incident.newest().is_some_and(|said| !said.event.kind.ends_incident()))
        .then(|| Publishes { open: view.incident.is_open() }),
        title,
        own,
        situation,
        wall,
        others: match view.sight {
            Sight::Whole => reports::others(state, view.incident, &zone, view.now),
            Sight::Own(_) => None,
        },
        missing: wanted.show.as_deref() == Some("missing"),
        moments,
        earlier,
    })
}
