//! By whoever has an escalation's mail: its link is all that is asked for.
//!
//! Mail scanners follow links, so to open one shows and changes nothing; a person presses a button. The link is for one
//! recipient and one event. Its page asks for no cookie, and nobody may keep or list it.

use std::time::Instant;

use axum::{
    Form,
    extract::{Path, State as Extracted, rejection::FormRejection},
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse as _, Redirect, Response},
};
use tocsin_duty::{Shut, check_link};
use tocsin_protocol::{Link, ReceiptMethod, RefusalCode, SignedLink};

use super::{
    say::{Fate, Given, say},
    view::{Faults, Fields, Subject, Telling, Way, acknowledged, fate, form},
};
use crate::{
    app::App,
    model::{Hearing, State},
    page::{frame::Frame, words},
};

pub(super) async fn show(Extracted(app): Extracted<App>, Path(token): Path<String>) -> Response {
    let state = app.model().read();
    unlisted(shown(&app, &state, &token, Fields::default(), Faults::default()))
}

pub(super) async fn post(
    Extracted(app): Extracted<App>,
    Path(token): Path<String>,
    fields: Result<Form<Fields>, FormRejection>,
) -> Response {
    let fields = fields.map(|Form(fields)| fields).unwrap_or_default();
    unlisted(posted(&app, token, fields).await)
}

async fn posted(app: &App, token: String, fields: Fields) -> Response {
    let link = {
        let state = app.model().read();
        match read(app, &state, &token) {
            Ok(link) => link,
            Err(told) => return told.page(Frame::open_on(&state, app)),
        }
    };
    let key = (link.recipient.clone(), link.incident.clone(), link.event);
    if let Err(wait) = app.voice().tries.take(&key, Instant::now()) {
        let why = format!(
            "This link was tried too often. Nothing was done this time. Wait {} seconds, or telephone.",
            wait.as_secs() + 1
        );
        let told = Telling::cannot(app, StatusCode::TOO_MANY_REQUESTS, "Too many tries", why);
        return told.page(Frame::open(app));
    }
    let by = match fields.person() {
        Ok(by) => by,
        Err(faults) => {
            let state = app.model().read();
            return shown(app, &state, &token, fields, faults);
        }
    };
    let given = Given {
        recipient: link.recipient.clone(),
        incident: link.incident.clone(),
        event: link.event,
        by,
        method: ReceiptMethod::Link,
        link: Some(token.clone()),
        signed_in: None,
    };
    let became = say(app, given).await;
    if became == Fate::Counts {
        return Redirect::to(&action(&token)).into_response();
    }
    let state = app.model().read();
    let frame = Frame::open_on(&state, app);
    match Subject::of(&state, &link.incident, &link.recipient, link.event, true) {
        Some(subject) => {
            let told = fate(app, &frame, &subject, &became, &way(&token));
            told.page(frame.about(subject.incident.status))
        }
        None => unknown(app).page(frame),
    }
}

fn action(token: &str) -> String {
    // A token that was read has nothing in it that is written otherwise in an address.
    format!("/a/{token}")
}

fn way(token: &str) -> Way {
    Way { csrf: None, action: action(token), back: None }
}

/// The form, or what there is to tell in its place.
fn shown(app: &App, state: &State, token: &str, fields: Fields, faults: Faults) -> Response {
    let frame = Frame::open_on(state, app);
    let link = match read(app, state, token) {
        Ok(link) => link,
        Err(told) => {
            // One that has been used, and has expired since, tells what it was used for.
            let link = SignedLink::read(token).ok().filter(|_| told.status == StatusCode::GONE);
            let link = link.map(|signed| signed.link);
            let subject =
                link.and_then(|link| Subject::of(state, &link.incident, &link.recipient, link.event, true));
            return match subject.as_ref().and_then(|subject| Some((subject, subject.acknowledgement()?))) {
                Some((subject, by)) => {
                    acknowledged(&frame, subject, by, None).page(frame.about(subject.incident.status))
                }
                None => told.page(frame),
            };
        }
    };
    let Some(subject) = Subject::of(state, &link.incident, &link.recipient, link.event, true) else {
        return unknown(app).page(frame);
    };
    if let Some(by) = subject.acknowledgement() {
        return acknowledged(&frame, &subject, by, None).page(frame.about(subject.incident.status));
    }
    if let Err(why) = app.voice().of(state, &link.recipient, ReceiptMethod::Link) {
        let told = Telling::cannot(app, StatusCode::CONFLICT, "Not by this link", why);
        return told.page(frame.about(subject.incident.status));
    }
    form(app, frame, &subject, way(token), fields, faults)
}

/// What a link lets, or why it lets nothing.
fn read(app: &App, state: &State, token: &str) -> Result<Link, Box<Telling>> {
    let Some(directory) = state.fold.directory() else { return Err(Box::new(unknown(app))) };
    check_link(directory, token, app.model().now()).map_err(|Shut { code, why }| {
        let (status, title) = match code {
            RefusalCode::LinkExpired => (StatusCode::GONE, "This link has expired"),
            _ => (StatusCode::NOT_FOUND, "This link cannot be used"),
        };
        let mut told = Telling::cannot(app, status, title, format!("{}.", words::capital(&why)));
        told.words.push(
            "Nothing is acknowledged by it. Use the newest mail's link, whole as it stands there; or acknowledge at your \
             desk; or telephone."
                .to_owned(),
        );
        Box::new(told)
    })
}

/// What is linked to has not been read, or was never there.
fn unknown(app: &App) -> Telling {
    let reading = !matches!(app.model().ear().hearing, Hearing::Well);
    let (status, why) = if reading {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "The console does not know the incident: it has just started, or has lost touch with the bus. Nothing is \
             acknowledged. Try again in a minute; if it is urgent, telephone.",
        )
    } else {
        (
            StatusCode::NOT_FOUND,
            "There is no such event on the record of this console, or it was not yours. Nothing is acknowledged. \
             Acknowledge at your desk, or telephone.",
        )
    };
    Telling::cannot(app, status, "This link leads to nothing here", why.to_owned())
}

/// A link is one person's own: no search engine is to list it.
fn unlisted(mut response: Response) -> Response {
    let name = HeaderName::from_static("x-robots-tag");
    response.headers_mut().insert(name, HeaderValue::from_static("noindex, nofollow"));
    response
}
