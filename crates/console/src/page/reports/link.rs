//! A person's word on two trails.

use axum::{
    extract::{OriginalUri, State as Extracted},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use tocsin_protocol::{IncidentId, LinkAnswer, LinkId, Linking, Person, Timestamp, Trail};

use super::{
    list,
    say::{Became, say_publishers},
};
use crate::{
    app::App,
    hands::Word,
    session::{Posted, Refusal, Sees},
};

/// What was filled in.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Fields {
    /// The link's name, made with the page: the form sent twice leaves one.
    link: String,
    incident: String,
    /// The other trail, as [`trail_text`] writes it.
    with: String,
    answer: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    note: String,
}

/// The address of a form that was posted, asked for by itself.
pub(super) async fn again() -> Redirect {
    Redirect::to("/reports")
}

pub(super) async fn post(
    Extracted(app): Extracted<App>,
    uri: OriginalUri,
    Posted { visitor, form }: Posted<Fields>,
) -> Result<Response, Refusal> {
    let Sees::Publisher(publisher) = visitor.sees.clone() else {
        return Err(Refusal::forbidden(
            &uri,
            "Only the operator whose incident it is says what belongs to it. Your account is not an operator's.",
        ));
    };
    let wrong = |words: &str| Ok(list::page(&app, &visitor, StatusCode::UNPROCESSABLE_ENTITY, Some(words)));
    let answer = match form.answer.as_str() {
        "same" => LinkAnswer::Same,
        "not-the-same" => LinkAnswer::NotTheSame,
        _ => return wrong("Say whether it is the same outage."),
    };
    let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let (Some(name), Some(role)) = (text(&form.name), text(&form.role)) else {
        return wrong("Nothing was said yet: enter your name and your role.");
    };
    let note = text(&form.note);
    if answer == LinkAnswer::NotTheSame && note.is_none() {
        return wrong("Nothing was said yet: write why it is not the same outage.");
    }
    let parsed = (LinkId::new(&form.link), IncidentId::new(&form.incident), read_trail(&form.with));
    let (Ok(link), Ok(incident), Some(with)) = parsed else {
        return wrong("Nothing was said: use the buttons of this page.");
    };
    let at = Timestamp::now();
    let by = Person { name, role };
    let linking = Linking { link, publisher: publisher.clone(), incident, with, answer, at, by, note };
    match say_publishers(&app, &publisher, Word::Link(Box::new(linking))).await {
        Became::Counts => Ok(Redirect::to("/reports").into_response()),
        // The form sent twice is told as what was said first.
        Became::Refused(why) => {
            let words = format!("It does not count: {why}");
            Ok(list::page(&app, &visitor, StatusCode::CONFLICT, Some(&words)))
        }
        Became::NotSaid(why) | Became::Unknown(why) => {
            let words = format!("It is not known to be said: {why} Try again; it ends as one.");
            Ok(list::page(&app, &visitor, StatusCode::SERVICE_UNAVAILABLE, Some(&words)))
        }
    }
}

/// A trail in a form's field.
pub(super) fn trail_text(trail: &Trail) -> String {
    match trail {
        Trail::Incident(trail) => format!("incident/{}/{}", trail.publisher, trail.incident),
        Trail::Report(trail) => format!("report/{}/{}", trail.body, trail.report),
    }
}

fn read_trail(text: &str) -> Option<Trail> {
    let mut words = text.split('/');
    match (words.next()?, words.next()?, words.next()?, words.next()) {
        ("incident", whose, which, None) => Some(Trail::incident(whose.parse().ok()?, which.parse().ok()?)),
        ("report", whose, which, None) => Some(Trail::report(whose.parse().ok()?, which.parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_comes_back_from_a_form_as_it_was() {
        for trail in [
            Trail::incident("bt".parse().unwrap(), "x".parse().unwrap()),
            Trail::report("kent".parse().unwrap(), "r".parse().unwrap()),
        ] {
            assert_eq!(read_trail(&trail_text(&trail)), Some(trail));
        }
        for bad in ["", "incident/bt", "report/kent/r/x", "event/bt/x", "report/K/r"] {
            assert_eq!(read_trail(bad), None, "{bad}");
        }
    }
}
