//! Public advice of actual incidents, for anybody: CAP 1.2 and Atom.
//!
//! An answer carries no more than [`alert`] takes from an incident. Before the record has been read for the first time
//! there is no feed, as an empty one would say that all is well; a feed of a console that has lost the bus says so.

mod alert;
mod page;
#[cfg(test)]
mod tests;
mod words;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH,
            LAST_MODIFIED, RETRY_AFTER,
        },
    },
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};
use tocsin_exchange::cap::LANGUAGE;
use tocsin_protocol::{EventNumber, IncidentId, Language, Timestamp};

pub(crate) use self::words::Words;

use self::{
    alert::{Alert, alerts},
    page::Asked,
};
use crate::{app::App, model::Hearing};

/// The most entries of the feed, the newest: those and no more are made anew when something changes.
const ENTRIES: usize = 100;
/// How long others may keep the feed and a CAP message, in seconds. A message may be told otherwise only by another name
/// in the directory.
const FEED_SECONDS: &str = "public, max-age=15";
const CAP_SECONDS: &str = "public, max-age=300";

pub(crate) fn routes() -> Router<App> {
    let feed = Arc::new(Kept::default());
    Router::new()
        .route("/feed/atom.xml", get(async move |app, asked, headers| atom(&feed, &app, &asked, &headers)))
        .route("/feed/cap/{incident}/{file}", get(cap))
        .route("/public", get(page::show))
}

/// The feed as it was last made in each language, and of what.
#[derive(Default)]
struct Kept(Mutex<BTreeMap<Language, Made>>);

/// A feed, and what was known when it was made.
type Made = ((u64, Hearing), File);

/// A file for everybody.
#[derive(Clone)]
struct File {
    body: Bytes,
    etag: String,
    /// When what is in it was last said; none where something else in it may change without a word being said.
    changed: Option<Timestamp>,
    media_type: &'static str,
    kept: &'static str,
}

#[derive(Template)]
#[template(path = "feed/atom.xml")]
struct Atom<'a> {
    here: &'a str,
    lang: &'a str,
    title: &'a str,
    subtitle: &'a str,
    updated: Timestamp,
    entries: Vec<Entry<'a>>,
}

/// A message, as a list shows it.
struct Entry<'a> {
    alert: &'a Alert,
    title: String,
    summary: String,
    /// The language of both, where that is not the feed's.
    lang: Option<&'a str>,
}

impl File {
    fn new(body: String, changed: Option<Timestamp>, media_type: &'static str, kept: &'static str) -> Self {
        let hash = Sha256::digest(&body);
        let etag = format!("\"{}\"", BASE64URL_NOPAD.encode(&hash[..12]));
        Self { body: body.into(), etag, changed, media_type, kept }
    }

    /// The file, or that it is as they have it.
    fn answer(&self, asked: &HeaderMap) -> Response {
        let status = if self.is_had(asked) { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let body = if status == StatusCode::OK { self.body.clone() } else { Bytes::new() };
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(self.kept));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        let changed = self.changed.map(|at| (LAST_MODIFIED, http_date(at)));
        for (name, value) in [(ETAG, self.etag.clone())].into_iter().chain(changed) {
            // Both are ASCII as they are made here.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }

    /// Whether they have it (RFC 9110, 13.2.2: a tag is asked before a date).
    fn is_had(&self, asked: &HeaderMap) -> bool {
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let mut tags = asked.get_all(IF_NONE_MATCH).iter().map(text).peekable();
        if tags.peek().is_some() {
            let is_this = |tag: &str| tag == "*" || tag.trim_start_matches("W/") == self.etag;
            return tags.any(|line| line.split(',').map(str::trim).any(is_this));
        }
        let Some(changed) = self.changed else { return false };
        let since = asked.get(IF_MODIFIED_SINCE).map(text);
        let since = since.and_then(|date| jiff::fmt::rfc2822::parse(&date).ok());
        since.is_some_and(|since| changed.as_second() <= since.timestamp().as_second())
    }
}

fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Where the console is reached, and the domain in that.
pub(crate) fn place(app: &App) -> (&str, Option<&str>) {
    let here = app.config().public_url.as_deref().unwrap_or_default().trim_end_matches('/');
    let host = here.split_once("://").map(|(_, host)| host.split(':').next().unwrap_or(host));
    (here, host)
}

/// What is told where the record is not known yet.
fn not_yet() -> Response {
    let words = "the record is still being read: ask again in a few seconds\n";
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5"), (CACHE_CONTROL, "no-store")], words)
        .into_response()
}

fn atom(kept: &Kept, app: &State<App>, asked: &Query<Asked>, headers: &HeaderMap) -> Response {
    let hearing = app.model().ear().hearing;
    if matches!(hearing, Hearing::Reading(_)) {
        return not_yet();
    }
    match feed(kept, app, hearing, &asked.named(app)) {
        Ok(file) => file.answer(headers),
        Err(status) => status.into_response(),
    }
}

/// The feed: made once for all who ask in that language, until something changes.
fn feed(kept: &Kept, app: &App, hearing: Hearing, language: &Language) -> Result<File, StatusCode> {
    let (words, (here, domain)) = (app.words(), place(app));
    let mut kept = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    let state = app.model().read();
    let of = (state.revision(), hearing);
    if let Some((_, file)) = kept.get(language).filter(|(last, _)| *last == of) {
        return Ok(file.clone());
    }
    let mut alerts: Vec<Alert> =
        state.incidents().flat_map(|incident| alerts(&state, incident, domain, words)).collect();
    drop(state);
    alerts.sort_by(|a, b| (b.at, &b.identifier).cmp(&(a.at, &a.identifier)));
    alerts.truncate(ENTRIES);
    let subtitle = match hearing {
        Hearing::Deaf(since) => {
            let since = since.round(jiff::Unit::Second).unwrap_or(since).to_string();
            words.text(language, "not-heard", &[("time", &since)])
        }
        Hearing::Behind(_) => words.text(language, "behind", &[]),
        Hearing::Well | Hearing::Reading(_) => words.text(language, "agreed", &[]),
    };
    let updated = alerts.first().map_or(Timestamp::UNIX_EPOCH, |alert| alert.at);
    let is_english = language == words.english();
    let entry = |alert| {
        let (title, advice, is_own) = Alert::said(alert, language, words);
        let summary = advice.unwrap_or_else(|| words.text(language, "withdrawn", &[]));
        Entry { alert, title, summary, lang: (!is_own && !is_english).then_some(LANGUAGE) }
    };
    let title = words.text(language, "title", &[]);
    let entries = alerts.iter().map(entry).collect();
    let lang = if is_english { LANGUAGE } else { language.as_str() };
    let page = Atom { here, lang, title: &title, subtitle: &subtitle, updated, entries };
    // That the bus is not heard, and that it is again, is no later than what was said.
    let changed = hearing.is_well().then_some(updated);
    let body = page.render().map_err(|why| {
        tracing::error!(error = %why, "the public feed could not be written");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    let file = File::new(body, changed, "application/atom+xml; charset=utf-8", FEED_SECONDS);
    kept.insert(language.clone(), (of, file.clone()));
    Ok(file)
}

async fn cap(app: State<App>, Path((incident, file)): Path<(String, String)>, asked: HeaderMap) -> Response {
    if matches!(app.model().ear().hearing, Hearing::Reading(_)) {
        return not_yet();
    }
    let absent = || {
        let words = "there is no such advice to the public\n";
        (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")], words).into_response()
    };
    let number = file.strip_suffix(".xml").and_then(|number| number.parse::<EventNumber>().ok());
    let (Ok(id), Some(number)) = (incident.parse::<IncidentId>(), number) else { return absent() };
    let found = {
        let state = app.model().read();
        let all = state.incident(&id).map(|incident| alerts(&state, incident, place(&app).1, app.words()));
        all.and_then(|all| all.into_iter().find(|alert| alert.number == number))
    };
    let Some(alert) = found else { return absent() };
    let changed = Some(alert.at);
    File::new(alert.cap().to_xml(), changed, "application/cap+xml; charset=utf-8", CAP_SECONDS).answer(&asked)
}
