//! The page for everybody: the agreed words that apply now, in the language of the reader.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, VARY},
    },
    response::{Html, IntoResponse, Response},
};
use jiff::{SignedDuration, tz::TimeZone};
use serde::Deserialize;
use tocsin_protocol::{Language, Timestamp};

use super::{
    FEED_SECONDS,
    alert::{Alert, alerts},
    not_yet, place,
    words::Phrase,
};
use crate::{app::App, model::Hearing};

/// The most incidents that are shown, the newest.
const SHOWN: usize = 50;
/// For how long it is shown that something is over.
const OVER: SignedDuration = SignedDuration::from_hours(24);

#[derive(Deserialize)]
pub(super) struct Asked {
    lang: Option<String>,
}

impl Asked {
    /// What was asked for by name, and otherwise what the browser says.
    pub(super) fn language(&self, app: &App, headers: &HeaderMap) -> Language {
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        app.words().chosen(self.lang.as_deref(), accepted).clone()
    }

    /// What was asked for by name.
    pub(super) fn named(&self, app: &App) -> Language {
        app.words().chosen(self.lang.as_deref(), None).clone()
    }
}

#[derive(Template)]
#[template(path = "feed/public.html")]
struct Page<'a> {
    lang: &'a Language,
    title: Phrase,
    agreed: Phrase,
    none: Phrase,
    follow: Phrase,
    languages_word: Phrase,
    languages: Vec<(&'a Language, String)>,
    missing: Option<Phrase>,
    items: Vec<Item>,
}

/// What is said of one incident.
struct Item {
    headline: Phrase,
    advice: Option<Phrase>,
    /// That there are no words in this language.
    untranslated: Option<Phrase>,
    over: Option<Phrase>,
    published: Phrase,
    areas: Phrase,
    at: Timestamp,
}

pub(super) async fn show(app: State<App>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let ear = app.model().ear();
    if matches!(ear.hearing, Hearing::Reading(_)) {
        return not_yet();
    }
    let language = asked.language(&app, &headers);
    let (words, now, (_, domain)) = (app.words(), ear.now(), place(&app));
    let (mut newest, zone) = {
        let state = app.model().read();
        let newest: Vec<Alert> = state
            .incidents()
            .filter_map(|incident| alerts(&state, incident, domain, words).pop())
            .filter(|alert| !alert.over || now.duration_since(alert.at) < OVER)
            .collect();
        let zone = state.fold.directory().and_then(|directory| TimeZone::get(directory.time_zone()).ok());
        (newest, zone.unwrap_or(TimeZone::UTC))
    };
    newest.sort_by(|a, b| (b.at, &b.identifier).cmp(&(a.at, &a.identifier)));
    newest.truncate(SHOWN);
    let clock = |at: Timestamp| at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string();
    let fixed = |name: &str| words.phrase(&language, name, &[]);
    let item = |alert: &Alert| {
        let (headline, advice, is_own) = alert.said(&language, words);
        let lang = (!is_own && language != *words.english()).then(|| words.english().to_string());
        Item {
            headline: Phrase { text: headline, lang: lang.clone() },
            untranslated: (lang.is_some() && advice.is_some()).then(|| fixed("not-translated")),
            advice: match advice {
                Some(text) => Some(Phrase { text, lang }),
                None => Some(fixed("withdrawn")),
            },
            over: alert.over.then(|| fixed("over")),
            published: words.phrase(
                &language,
                "published",
                &[("time", &clock(alert.at)), ("sender", &alert.sender_name)],
            ),
            areas: words.phrase(&language, "areas", &[("areas", &alert.areas.join(", "))]),
            at: alert.at,
        }
    };
    let page = Page {
        lang: &language,
        title: fixed("title"),
        agreed: fixed("agreed"),
        none: fixed("none"),
        follow: fixed("follow"),
        languages_word: fixed("languages"),
        languages: words.languages(),
        missing: match ear.hearing {
            Hearing::Deaf(since) => Some(words.phrase(&language, "not-heard", &[("time", &clock(since))])),
            Hearing::Behind(_) => Some(fixed("behind")),
            Hearing::Well | Hearing::Reading(_) => None,
        },
        items: newest.iter().map(item).collect(),
    };
    let Ok(body) = page.render() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let mut response = Html(body).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(FEED_SECONDS));
    headers.insert(VARY, HeaderValue::from_static("Accept-Language"));
    // A tag is ASCII.
    if let Ok(tag) = HeaderValue::from_str(language.as_str()) {
        headers.insert(CONTENT_LANGUAGE, tag);
    }
    response
}
