//! Whether the path from the bus to everyone's desk and mail stands, as far as it can be seen from here.

use std::{
    collections::HashSet,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use tocsin_duty::Held;
use tocsin_ledger::{NOTIFIER_WORK, desk_name};
use tocsin_protocol::{Outcome, SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::{
    app::App,
    model::{Hearing, State},
};

/// The router has so long to dispatch an event, and to find who was silent when a window has closed.
pub(super) const ROUTER_WITHIN: SignedDuration = SignedDuration::from_secs(5);
/// A relay whose last answer is older tells nothing.
const RELAY_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// The bus has so long to answer.
const BUS_WITHIN: Duration = Duration::from_secs(3);
/// What was found holds for so long: whoever asks again and again causes no more work.
const HOLDS: Duration = Duration::from_secs(2);
/// So many missing consumers are named.
const NAMED: usize = 5;

/// What was found last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness(Arc<Mutex<Option<(Instant, Found)>>>);

/// What was found of each part of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    name: &'static str,
    well: bool,
    words: String,
}

impl Readiness {
    /// What is so now, or was a moment ago.
    pub(super) async fn look(&self, app: &App) -> Found {
        let mut last = self.0.lock().await;
        if let Some((_, found)) = last.as_ref().filter(|(at, _)| at.elapsed() < HOLDS) {
            return found.clone();
        }
        let found = find(app).await;
        *last = Some((Instant::now(), found.clone()));
        found
    }
}

impl Found {
    /// Whether all of it stands.
    pub(super) fn is_ready(&self) -> bool {
        self.0.iter().all(|part| part.well)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| {
            writeln!(f, "{} {}: {}", if part.well { "ok  " } else { "FAIL" }, part.name, part.words)
        })
    }
}

async fn find(app: &App) -> Found {
    let ear = app.model().ear();
    let mut parts = vec![hearing(ear.hearing)];
    // Nothing is asked of a bus that does not answer.
    if !matches!(ear.hearing, Hearing::Deaf(_)) {
        parts.push(streams(app).await);
        parts.push(consumers(app).await);
    }
    let state = app.model().read();
    if let Some(pin) = &app.config().trusts
        && let Held::Not(why) = state.fold.held_against(pin)
    {
        parts.push(Part { name: "directory", well: false, words: why.to_string() });
    }
    if state.fold.directory().is_none() {
        parts.push(Part {
            name: "directory",
            well: false,
            words: "none is in force, so nobody can be told: `tocsin directory apply`".to_owned(),
        });
    }
    parts.push(router(&state, ear.now()));
    parts.push(relays(&state, ear.now()));
    Found(parts)
}

fn hearing(hearing: Hearing) -> Part {
    let words = match hearing {
        Hearing::Well => "it answers, and all that it holds has been read".to_owned(),
        Hearing::Reading(entries) => {
            format!("it answers; the record is being read, {entries} entries are to come")
        }
        Hearing::Deaf(since) => format!("it has not answered since {since}"),
        Hearing::Behind(entries) => format!("it answers, but {entries} entries of it do not come"),
    };
    Part { name: "bus", well: hearing.is_well(), words }
}

async fn streams(app: &App) -> Part {
    let (well, words) = match tokio::time::timeout(BUS_WITHIN, app.ledger().verify()).await {
        Ok(Ok(())) => (true, "both are as they must be".to_owned()),
        Ok(Err(error)) => (false, error.to_string()),
        Err(_) => (false, format!("no answer within {BUS_WITHIN:?}")),
    };
    Part { name: "streams", well, words }
}

async fn consumers(app: &App) -> Part {
    let name = "consumers";
    let there: HashSet<String> = match tokio::time::timeout(BUS_WITHIN, app.ledger().durables()).await {
        Ok(Ok(names)) => names.into_iter().collect(),
        Ok(Err(error)) => return Part { name, well: false, words: error.to_string() },
        Err(_) => return Part { name, well: false, words: format!("no answer within {BUS_WITHIN:?}") },
    };
    let state = app.model().read();
    let recipients = state.fold.directory().map(|directory| &directory.document().recipients);
    let desks = recipients.into_iter().flatten().map(|recipient| desk_name(&recipient.id));
    let work = NOTIFIER_WORK.into_iter().map(str::to_owned);
    let missing: Vec<String> = work.chain(desks).filter(|name| !there.contains(name)).collect();
    let words = match missing.as_slice() {
        [] => "every recipient's, and the notifiers'".to_owned(),
        missing => format!(
            "{} missing ({}{}); a router makes them",
            missing.len(),
            missing.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", "),
            if missing.len() > NAMED { ", ..." } else { "" }
        ),
    };
    Part { name, well: missing.is_empty(), words }
}

fn router(state: &State, now: Timestamp) -> Part {
    let (owed, behind) = state.measures.router(now);
    let well = behind <= ROUTER_WITHIN;
    let words = if well {
        "nothing is owed for long".to_owned()
    } else {
        format!(
            "{owed} dispatches or findings are owed, the oldest for {} s: see that `tocsin router` runs",
            behind.as_secs()
        )
    };
    Part { name: "router", well, words }
}

fn relays(state: &State, now: Timestamp) -> Part {
    let name = "relays";
    let recent: Vec<_> = state
        .measures
        .answers
        .iter()
        .filter(|(_, (at, _))| now.duration_since(*at) <= RELAY_WITHIN)
        .collect();
    let fails =
        |outcome: &Outcome| matches!(outcome, Outcome::Temporary | Outcome::RelayFault | Outcome::Unknown);
    let failing: Vec<_> =
        recent.iter().filter(|(_, (_, outcome))| fails(outcome)).map(|(relay, _)| relay.as_str()).collect();
    let words = match (recent.len(), failing.as_slice()) {
        (0, _) => "none was used within the hour".to_owned(),
        (_, []) => "each took what it was given last".to_owned(),
        (_, failing) => format!("the last attempt failed at: {}", failing.join(", ")),
    };
    // One that works is enough.
    Part { name, well: recent.is_empty() || failing.len() < recent.len(), words }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &'static str, well: bool, words: &str) -> Part {
        Part { name, well, words: words.to_owned() }
    }

    #[test]
    fn the_body_says_what_is_wrong_in_one_line_each() {
        let found =
            Found(vec![hearing(Hearing::Behind(3)), part("streams", true, "both are as they must be")]);
        assert!(!found.is_ready());
        insta::assert_snapshot!(found, @r"
        FAIL bus: it answers, but 3 entries of it do not come
        ok   streams: both are as they must be
        ");
    }
}
