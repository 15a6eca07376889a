//! What became of what was published, as long as that is not that everyone is being told.

use askama::Template;
use axum::{
    extract::{OriginalUri, Path, State as Extracted},
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse as _, Redirect, Response},
};
use tocsin_protocol::{Event, EventNumber, IncidentId, Status};

use super::Operator;
use crate::{
    app::App,
    hands::Waiting,
    page::{
        absent,
        frame::{Frame, answer},
        words::{self, Zone},
    },
    session::{Refusal, Sees, Visitor},
};

/// In how many seconds a page that waits for something looks again.
const LOOK: &str = "5";

#[derive(Template)]
#[template(path = "publish/fate.html")]
struct Page {
    frame: Frame,
    class: &'static str,
    title: &'static str,
    words: Vec<String>,
    again: Option<String>,
    back: String,
    back_words: &'static str,
}

#[derive(Template)]
#[template(path = "publish/waiting.html")]
struct Kept {
    waiting: Vec<Row>,
}

struct Row {
    what: String,
    headline: String,
    incident: String,
    at: String,
    clock: String,
}

/// What of a publisher's is kept on disk and was not sent: the part of a page that says so, for those who may publish; of
/// one incident, or of all.
pub(in crate::page) async fn waiting(
    app: &App,
    visitor: &Visitor,
    of: Option<&IncidentId>,
) -> Option<String> {
    let Sees::Publisher(publisher) = &visitor.sees else { return None };
    let press = app.hands().press.as_ref()?;
    let waiting = press.waiting(publisher.clone()).await;
    let waiting =
        waiting.inspect_err(|why| tracing::error!(%publisher, why = why.0, "the spool cannot be read"));
    let waiting: Vec<_> = waiting
        .ok()?
        .into_iter()
        .filter(|one| of.is_none_or(|incident| one.event.incident == *incident))
        .collect();
    if waiting.is_empty() {
        return None;
    }
    let (zone, now) = (Zone::of(&app.model().read()), app.model().now());
    let row = |Waiting { event, since }: Waiting| {
        let mark = if event.status == Status::Actual {
            String::new()
        } else {
            format!("{}: ", words::status(event.status))
        };
        Row {
            what: format!("{mark}{}", words::kind(event.kind)),
            headline: event.headline,
            incident: event.incident.to_string(),
            at: since.to_string(),
            clock: zone.second(since, now),
        }
    };
    Kept { waiting: waiting.into_iter().map(row).collect() }.render().ok()
}

/// Makes a browser look again in some seconds, with a script or without.
pub(in crate::page) fn look_again(mut response: Response) -> Response {
    response.headers_mut().insert(HeaderName::from_static("refresh"), HeaderValue::from_static(LOOK));
    response
}

pub(super) async fn show(
    Extracted(app): Extracted<App>,
    visitor: Visitor,
    uri: OriginalUri,
    Path((incident, event)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let operator = Operator::of(app, visitor, &uri)?;
    let place = incident.parse().ok().zip(event.parse::<u32>().ok().and_then(EventNumber::new));
    let Some((incident, number)) = place else { return Ok(absent(&operator.app, &operator.visitor)) };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let again = Some(format!("{}{query}", uri.path()));
    let waiting = operator.press.waiting(operator.publisher.clone()).await.unwrap_or_default();
    let kept = waiting.into_iter().find(|one| one.event.incident == incident && one.event.sequence == number);
    if let Some(kept) = kept {
        let page = Page {
            frame: operator.frame(Some(kept.event.status)),
            class: "act",
            title: "Kept on disk, NOT sent yet",
            words: vec![
                format!("\u{201c}{}\u{201d} is safe on this console's disk. NOBODY HAS BEEN TOLD YET.", kept.event.headline),
                "The bus could not be reached. It goes out by itself when the bus is back, once and in order: you need not send it again. Until then, use the telephone.".to_owned(),
            ],
            again,
            back: "/".to_owned(),
            back_words: "Go to the board",
        };
        return Ok(look_again(answer(StatusCode::OK, &page)));
    }
    let known = {
        let state = operator.app.model().read();
        state
            .incident(&incident)
            .filter(|one| one.publisher == operator.publisher)
            .and_then(|one| one.event(number))
            .map(|said| (said.event.status, said.dispatch.is_some()))
    };
    if let Some((_, true)) = known {
        return Ok(Redirect::to(&format!("/incidents/{incident}{query}")).into_response());
    }
    let page = Page {
        frame: operator.frame(known.map(|(status, _)| status)),
        class: "wait",
        title: "On the bus, and nobody is told yet",
        words: vec![
            "The event has left this console, and no router has answered it yet. Nobody is told before one does.".to_owned(),
            "If this stays so, see that `tocsin router` runs, and use the telephone.".to_owned(),
        ],
        again,
        back: "/".to_owned(),
        back_words: "Go to the board",
    };
    Ok(look_again(answer(StatusCode::OK, &page)))
}

/// The router refused it.
pub(super) fn refused(operator: &Operator, event: &Event, why: String) -> Response {
    let page = Page {
        frame: operator.frame(Some(event.status)),
        class: "act",
        title: "Nobody was told: it was refused",
        words: vec![
            "The event stands on the bus and counts for nothing.".to_owned(),
            why,
            "Use the telephone, mend what is said above with whoever keeps the directory, and publish anew."
                .to_owned(),
        ],
        again: None,
        back: "/publish".to_owned(),
        back_words: "Begin again",
    };
    answer(StatusCode::CONFLICT, &page)
}
