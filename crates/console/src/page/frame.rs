//! What every page has around it.

use askama::Template;
use axum::{
    http::{StatusCode, header::CACHE_CONTROL},
    response::{Html, IntoResponse, Response},
};
use tocsin_protocol::{SignedDuration, Status, Timestamp};

use super::{
    names::Names,
    words::{Zone, length},
};
use crate::{
    app::App,
    model::{Hearing, State},
    session::{Sees, Visitor},
};

/// What stands around a page: who is at it, where they are, and what must be unmistakable.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// Who has signed in; nobody at the sign-in page.
    pub(crate) who: Option<Who>,
    place: &'static str,
    /// The status of the incident that the page is about.
    about: Option<Status>,
    /// Whether an incident that they see is an exercise or test and not over.
    pub(crate) exercise: bool,
    hearing: Hearing,
    /// That escalation itself fails, in words; empty where it does not, and for an agency.
    pub(crate) failing: String,
    /// Whether the mails that were sent can be read here.
    pub(crate) mails: bool,
    /// Where the page's changes come from, if it is one that changes.
    pub(crate) live: Option<String>,
    now: Timestamp,
    zone: Zone,
}

/// Who is at a page.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) account: String,
    /// What they see, for people.
    pub(crate) sees: String,
    pub(crate) publishes: bool,
    /// Whether they see everyone's part, and so whose desks are at work.
    pub(crate) operates: bool,
    /// How many proposals wait for their word.
    pub(crate) waits: usize,
    pub(crate) csrf: String,
}

impl Frame {
    /// Around a page of somebody who has signed in. `place` is which of the header's links it belongs to: `board`,
    /// `publish`, `reports`, `desks`, `audit`, `mails`, or nothing.
    pub(crate) fn of(app: &App, visitor: &Visitor, place: &'static str) -> Self {
        let state = app.model().read();
        Self::on(&state, app, visitor, place)
    }

    /// The same, where what is known is being read already: the lock must not be taken twice.
    pub(crate) fn on(state: &State, app: &App, visitor: &Visitor, place: &'static str) -> Self {
        let exercise = state
            .seen_by(&visitor.sees)
            .any(|(incident, _)| incident.status != Status::Actual && incident.is_open());
        let who = Who {
            account: visitor.account.clone(),
            sees: seen(state, &visitor.sees),
            publishes: matches!(visitor.sees, Sees::Publisher(_)),
            operates: !matches!(visitor.sees, Sees::Recipient(_)),
            waits: match &visitor.sees {
                Sees::Publisher(publisher) => {
                    state.trails.waiting(state.fold.answers(), Some(publisher)).count()
                }
                _ => 0,
            },
            csrf: visitor.csrf(),
        };
        let failing = if who.operates {
            failing_words(state, app.config().mail_within, app.model().now())
        } else {
            String::new()
        };
        Self { who: Some(who), exercise, failing, ..Self::around(state, app, place) }
    }

    /// Around a page for anybody.
    pub(crate) fn open(app: &App) -> Self {
        Self::open_on(&app.model().read(), app)
    }

    /// The same, where what is known is being read already: the lock must not be taken twice.
    pub(crate) fn open_on(state: &State, app: &App) -> Self {
        Self::around(state, app, "")
    }

    fn around(state: &State, app: &App, place: &'static str) -> Self {
        let ear = app.model().ear();
        Self {
            who: None,
            place,
            about: None,
            exercise: false,
            hearing: ear.hearing,
            failing: String::new(),
            mails: app.hands().mailbox.is_some(),
            live: None,
            now: ear.now(),
            zone: Zone::of(state),
        }
    }

    /// The same, of a page about an incident of this status, or one that makes such an incident.
    #[must_use]
    pub(crate) fn about(self, status: Status) -> Self {
        Self { about: Some(status), ..self }
    }

    /// The same, of a page that is kept up to date from there.
    #[must_use]
    pub(crate) fn live(self, from: String) -> Self {
        Self { live: Some(from), ..self }
    }

    /// The time that the page is of.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// The zone of the times shown.
    pub(crate) fn zone(&self) -> &Zone {
        &self.zone
    }

    pub(crate) fn is_at(&self, place: &str) -> bool {
        self.place == place
    }

    /// What the page must be marked with: nothing where it is about something real, or about no incident.
    pub(crate) fn mark(&self) -> Option<Status> {
        self.about.filter(|status| *status != Status::Actual)
    }

    pub(crate) fn mark_word(&self) -> &'static str {
        if self.about == Some(Status::Test) { "TEST" } else { "EXERCISE" }
    }

    pub(crate) fn mark_words(&self) -> &'static str {
        match self.about {
            Some(Status::Test) => "This is a technical test. Nothing has failed.",
            _ => "This is not a real incident. Act as the exercise asks; do not tell the public.",
        }
    }

    pub(crate) fn title_mark(&self) -> String {
        self.mark().map(|_| format!("{}: ", self.mark_word())).unwrap_or_default()
    }

    pub(crate) fn deaf_words(&self) -> String {
        deaf_words(self.hearing, &self.zone)
    }

    pub(crate) fn now_text(&self) -> String {
        self.now.to_string()
    }

    pub(crate) fn now_words(&self) -> String {
        self.zone.both(self.now)
    }
}

/// What a page says when it cannot be believed; empty when it can.
pub(crate) fn deaf_words(hearing: Hearing, zone: &Zone) -> String {
    match hearing {
        Hearing::Well => String::new(),
        Hearing::Reading(_) => "The console has just started and is still reading the record. \
                                What this page shows is not complete yet."
            .to_owned(),
        Hearing::Deaf(since) => format!(
            "The console lost touch with the bus at {}. What this page shows may be out of date: no news is not good \
             news. Use the telephone until this message has gone.",
            zone.clock(since)
        ),
        Hearing::Behind(entries) => format!(
            "The console is {entries} entries behind the bus and does not catch up. What this page shows is out of \
             date. Use the telephone, and tell whoever runs the console."
        ),
    }
}

/// What a page says when escalation itself fails; empty when it does not. It names nobody.
pub(crate) fn failing_words(state: &State, within: SignedDuration, now: Timestamp) -> String {
    let mut parts = Vec::new();
    if let Some(relays) = state.measures.failing_relays() {
        parts.push(format!("every mail relay fails ({})", relays.join(", ")));
    }
    for (status, what) in [(Status::Actual, ""), (Status::Exercise, " of exercises")] {
        let (many, since) = state.measures.untaken(status, within, now);
        if let Some(since) = since {
            let mails = if many == 1 { "1 mail".to_owned() } else { format!("{many} mails") };
            let since = length(now.duration_since(since));
            parts.push(format!(
                "no relay has taken {mails}{what} to silent bodies, the oldest owed for {since}"
            ));
        }
    }
    if parts.is_empty() {
        return String::new();
    }
    format!("ESCALATION FAILS: {}. Telephone them: the call list has their numbers.", parts.join("; "))
}

/// Whom an account speaks for, or what it sees.
fn seen(state: &State, sees: &Sees) -> String {
    match sees {
        Sees::Recipient(id) => Names::in_force(state).name(id),
        Sees::Publisher(id) => Names::in_force(state).publisher(id),
        Sees::Everything => "sees everything".to_owned(),
    }
}

/// A page as an answer. It is somebody's own and of this moment, so nothing between may keep it.
pub(crate) fn html(page: &impl Template) -> Response {
    answer(StatusCode::OK, page)
}

/// The same with another status.
pub(crate) fn answer(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, [(CACHE_CONTROL, "no-store")], Html(text)).into_response(),
        // Templates fail by what they show failing to be shown, and nothing here does.
        Err(error) => {
            tracing::error!(%error, "a page cannot be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Template)]
    #[template(
        source = r#"{% extends "layout.html" %}{% block title %}A page{% endblock %}{% block main %}<h1>A page</h1>{% endblock %}"#,
        ext = "html"
    )]
    struct Plain {
        frame: Frame,
    }

    fn frame() -> Frame {
        Frame {
            who: None,
            place: "board",
            about: None,
            exercise: false,
            hearing: Hearing::Well,
            failing: String::new(),
            mails: false,
            live: None,
            now: "2023-06-25T05:24:00Z".parse().unwrap(),
            zone: Zone::named("Europe/London"),
        }
    }

    fn page(frame: Frame) -> String {
        Plain { frame }.render().unwrap()
    }

    #[test]
    fn an_exercise_and_a_test_are_unmistakable_and_a_real_incident_is_unmarked() {
        assert!(!page(frame().about(Status::Actual)).contains("class=\"drill"));
        for (status, word) in [(Status::Exercise, "EXERCISE"), (Status::Test, "TEST")] {
            let page = page(frame().about(status));
            assert!(page.contains(&format!("<title>{word}: A page")), "{page}");
            assert!(page.contains(&format!("<strong>{word}</strong>")), "{page}");
        }
        assert!(page(Frame { exercise: true, ..frame() }).contains("An exercise or test is under way"));
    }

    #[test]
    fn a_page_that_cannot_be_believed_says_so() {
        let alarm = r#"<div id="touch" class="alarm" role="alert">"#;
        assert!(!page(frame()).contains(alarm), "{}", page(frame()));
        let since = "2023-06-25T05:20:00Z".parse().unwrap();
        for hearing in [Hearing::Deaf(since), Hearing::Behind(3), Hearing::Reading(9)] {
            assert!(page(Frame { hearing, ..frame() }).contains(alarm), "{hearing:?}");
        }
        insta::assert_snapshot!(
            deaf_words(Hearing::Deaf(since), &Zone::named("Europe/London")),
            @"The console lost touch with the bus at 06:20:00. What this page shows may be out of date: no news is not good news. Use the telephone until this message has gone."
        );
    }
}
