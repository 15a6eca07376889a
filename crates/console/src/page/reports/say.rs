//! Saying a report or a link, and learning whether it counts.

use std::time::Duration;

use tocsin_protocol::{PublisherId, ReceiptMethod, Report, SigningKey, schema, to_body};

use crate::{
    app::App,
    hands::{Told, Word},
    model::{Hearing, State},
};

/// How long the bus is given to take it.
const SAID_WITHIN: Duration = Duration::from_secs(5);
/// How long it may then take until this console has read it back.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Became {
    /// It counts.
    Counts,
    /// It stands on the bus and counts for nothing, and why.
    Refused(String),
    /// It was not said, and why.
    NotSaid(String),
    /// Nobody knows whether it stands, or whether it counts: it may be said again.
    Unknown(String),
}

/// Says what an agency's people see, with the console's key.
pub(crate) async fn say_agencys(app: &App, report: &Report) -> Became {
    if let Some(why) = unheard(app) {
        return Became::NotSaid(why);
    }
    let subject = report.subject();
    let signed = {
        let state = app.model().read();
        match key(app, &state, report) {
            Ok(key) => to_body("report", report)
                .and_then(|body| Ok((key.sign(&subject.to_string(), &body)?, body)))
                .map_err(|why| why.to_string()),
            Err(why) => Err(why),
        }
    };
    let (signed, body) = match signed {
        Ok(signed) => signed,
        Err(why) => return Became::NotSaid(why),
    };
    if let Err(problems) = schema::check_report(&body) {
        return Became::NotSaid(
            problems.iter().map(|one| one.message.clone()).collect::<Vec<_>>().join("; "),
        );
    }
    let said = match tokio::time::timeout(SAID_WITHIN, app.ledger().say(&subject, &signed, body)).await {
        Ok(Ok(said)) => said.position().sequence,
        Ok(Err(why @ (tocsin_ledger::Error::Denied { .. } | tocsin_ledger::Error::NoStream { .. }))) => {
            tracing::error!(%subject, error = %why, "a report could not be said");
            return Became::NotSaid(
                "The bus does not let this console say it. Tell whoever runs the console.".to_owned(),
            );
        }
        Ok(Err(why)) => {
            tracing::warn!(%subject, error = %why, "it is not known whether a report was said");
            return Became::Unknown("The bus did not confirm it.".to_owned());
        }
        Err(_) => return Became::Unknown("The bus did not answer in time.".to_owned()),
    };
    read_back(app, said, |state| {
        state.trails.said(&report.body, &report.report).map(|said| said.report == *report)
    })
    .await
}

/// Says a publisher's word, with the publisher's key.
pub(crate) async fn say_publishers(app: &App, publisher: &PublisherId, word: Word) -> Became {
    let Some(press) = app.hands().press.clone() else {
        return Became::NotSaid(format!("This console holds no key of {publisher}."));
    };
    if let Some(why) = unheard(app) {
        return Became::NotSaid(why);
    }
    let said = match press.say(publisher.clone(), word.clone()).await {
        Ok(said) => said,
        Err(Told(why)) => return Became::Unknown(why),
    };
    read_back(app, said, |state| match &word {
        Word::Report(report) => {
            state.trails.said(&report.body, &report.report).map(|said| said.report == **report)
        }
        Word::Link(linking) => state.trails.linked(linking).map(|said| said.linking == **linking),
    })
    .await
}

/// Waits until this console has read as far as what was said. `counts` tells whether what counts there is just that.
async fn read_back(app: &App, said: u64, counts: impl Fn(&State) -> Option<bool>) -> Became {
    let mut changes = app.model().changes();
    let read = async {
        while app.model().read().fold.said_through() < said {
            if changes.changed().await.is_err() {
                // The follower has ended, and with it the console.
                std::future::pending::<()>().await;
            }
        }
    };
    if tokio::time::timeout(READ_WITHIN, read).await.is_err() {
        return Became::Unknown("It stands on the bus, and this console has not read it back.".to_owned());
    }
    let state = app.model().read();
    if counts(&state) == Some(true) {
        return Became::Counts;
    }
    let why = state.trails.refusal(said).map(|refusal| refusal.reasons.join("; "));
    Became::Refused(why.unwrap_or_else(|| "It does not count by the rules.".to_owned()))
}

/// The key with which to report in an agency's name, or why the console may not, and what to do instead.
fn key<'a>(app: &'a App, state: &State, report: &Report) -> Result<&'a SigningKey, String> {
    // The console vouches for who was signed in, as it does for what is acknowledged on its page.
    app.voice().of(state, &report.body.as_recipient(), ReceiptMethod::Page).map_err(|_| {
        "This console cannot report in your organisation's name: it has no key for it, or the directory does not let it. \
         Report with `tocsin tell`, or by telephone."
            .to_owned()
    })
}

/// Why nothing can be said now: what a client that has lost its connection is given it would send later, when the person
/// has long been told otherwise.
fn unheard(app: &App) -> Option<String> {
    match app.model().ear().hearing {
        _ if !app.ledger().is_connected() => Some("The console has lost touch with the bus.".to_owned()),
        Hearing::Deaf(_) => Some("The console has lost touch with the bus.".to_owned()),
        Hearing::Reading(_) => Some(
            "The console has just started and is still reading the record: try again in a moment.".to_owned(),
        ),
        Hearing::Well | Hearing::Behind(_) => None,
    }
}
