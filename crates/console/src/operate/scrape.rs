//! `/metrics`, in OpenMetrics.

use std::{collections::BTreeMap, fmt, sync::atomic::AtomicU64};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{family::Family, gauge::Gauge, info::Info},
    registry::Registry,
};
use tocsin_protocol::{SignedDuration, Status, Timestamp};

use super::measures::{Measures, OfKind, OfStatus};
use crate::{
    app::App,
    model::{DutyState, Ear, Hearing, State},
};

type Whole = Gauge<i64>;
type Real = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStream {
    stream: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfWhat {
    what: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDesk {
    kind: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPublisher {
    publisher: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfBody {
    body: String,
}

/// A test counts as swiftly delivered within this time of its publication.
pub(super) const SWIFT: SignedDuration = SignedDuration::from_secs(5);

const STATUSES: [Status; 3] = [Status::Actual, Status::Exercise, Status::Test];

pub(super) fn text(app: &App) -> Result<String, fmt::Error> {
    let ear = app.model().ear();
    let mut registry = Registry::with_prefix("tocsin");
    {
        let state = app.model().read();
        kept(&mut registry, &state.measures);
        talk(&mut registry, &state.measures, ear.now());
        open(&mut registry, &state, ear.now());
        services(&mut registry, &state.measures, ear.now());
        escalation(&mut registry, &state.measures, ear.now(), app.config().mail_within);
        tests(&mut registry, &state);
        desks(&mut registry, app, &state);
        streams(&mut registry, &state, &ear);
    }
    own(&mut registry, app, &ear);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// What has been counted with every entry.
fn kept(registry: &mut Registry, measures: &Measures) {
    registry.register("events", "Valid events", measures.events.clone());
    registry.register("refusals", "Words that did not count, by code", measures.refusals.clone());
    registry.register("escalations", "Mails that came to be owed", measures.escalations.clone());
    registry.register("attempts", "Attempts to send a mail that have ended", measures.attempts.clone());
    registry.register(
        "acknowledgement_lateness_seconds",
        "How long after its window closed an acknowledgement came; 0 is in time",
        measures.lateness.clone(),
    );
    registry.register(
        "delivery_seconds",
        "How long after publication a desk said that it holds the notice",
        measures.delivery.clone(),
    );
}

/// Who says most.
fn talk(registry: &mut Registry, measures: &Measures, now: Timestamp) {
    let said = Family::<OfBody, Whole>::default();
    for (body, words) in measures.talk.loudest(now) {
        let words = i64::try_from(words).unwrap_or(i64::MAX);
        said.get_or_create(&OfBody { body: body.to_owned() }).set(words);
    }
    registry.register(
        "said_per_minute",
        "What a body said in the minute under way or the one before, counting or not, of those who say most",
        said,
    );
}

/// What is open now. No more is looked at than the incidents that are not over.
fn open(registry: &mut Registry, state: &State, now: Timestamp) {
    let incidents = Family::<OfStatus, Whole>::default();
    let duties = Family::<OfStatus, Whole>::default();
    let (waiting, silent) = (Family::<OfKind, Whole>::default(), Family::<OfKind, Whole>::default());
    let next = Family::<OfStatus, Real>::default();
    let mut soonest: BTreeMap<&'static str, Timestamp> = BTreeMap::new();
    for status in STATUSES {
        // So that a rule finds a nought and not nothing.
        incidents.get_or_create(&OfStatus { status: status.as_str() }).set(0);
        duties.get_or_create(&OfStatus { status: status.as_str() }).set(0);
    }
    for incident in state.measures.open.iter().filter_map(|id| state.incident(id)) {
        let status = incident.status.as_str();
        incidents.get_or_create(&OfStatus { status }).inc();
        for standing in &incident.standings {
            let glance = incident.glance(standing);
            let missing = match glance.state {
                DutyState::Waiting => &waiting,
                DutyState::Silent => &silent,
                _ => continue,
            };
            let known = state.fold.directory().and_then(|directory| directory.recipient(&standing.recipient));
            let kind = state.measures.kind_word(known.map_or("none", |known| known.entry.kind.as_str()));
            missing.get_or_create(&OfKind { status, kind: kind.to_owned() }).inc();
            duties.get_or_create(&OfStatus { status }).inc();
        }
        if incident.tally.waiting > 0
            && let Some((_, step)) = incident.open_windows().first()
        {
            let at = soonest.entry(status).or_insert(step.due_at);
            *at = step.due_at.min(*at);
        }
    }
    for (status, at) in soonest {
        next.get_or_create(&OfStatus { status }).set(at.duration_since(now).as_secs_f64());
    }
    registry.register("incidents_open", "Incidents that are not over", incidents);
    registry.register(
        "duties_open",
        "Acknowledgements that are missing, the window being open or closed",
        duties,
    );
    registry.register(
        "required_waiting",
        "Recipients who must acknowledge and whose window is open",
        waiting,
    );
    registry.register(
        "required_silent",
        "Recipients who have not acknowledged and whose window has closed",
        silent,
    );
    registry.register(
        "next_window_seconds",
        "How long until the next window closes on somebody who has not acknowledged",
        next,
    );
}

/// Whether router and notifier do what is owed.
fn services(registry: &mut Registry, measures: &Measures, now: Timestamp) {
    let owed = Family::<OfWhat, Whole>::default();
    owed.get_or_create(&OfWhat { what: "dispatch" }).set(count(measures.undispatched.len()));
    owed.get_or_create(&OfWhat { what: "finding" }).set(count(measures.unfound.len()));
    registry.register("router_owed", "Facts that follow from others and are not in the log", owed);
    let behind = Real::default();
    behind.set(measures.router(now).1.as_secs_f64());
    registry.register("router_behind_seconds", "The age of the oldest of them", behind);

    let (mails, oldest) = (Family::<OfStatus, Whole>::default(), Family::<OfStatus, Real>::default());
    for status in STATUSES {
        let of = OfStatus { status: status.as_str() };
        let waiting = measures.mails.values().filter(|mail| mail.status == status);
        mails.get_or_create(&of).set(count(waiting.clone().count()));
        let since = waiting.map(|mail| mail.since).min();
        oldest.get_or_create(&of).set(since.map_or(0.0, |since| now.duration_since(since).as_secs_f64()));
    }
    registry.register("mails_waiting", "Mails that are owed and that no relay has taken yet", mails);
    registry.register("mails_waiting_seconds", "The age of the oldest of them", oldest);

    let unsigned = Real::default();
    unsigned
        .set(measures.unsigned_since.map_or(0.0, |since| now.duration_since(since).as_secs_f64().max(0.0)));
    registry.register(
        "unsigned_seconds",
        "The age of the oldest entry that came after the last checkpoint",
        unsigned,
    );
}

/// Whether escalation itself fails.
fn escalation(registry: &mut Registry, measures: &Measures, now: Timestamp, within: SignedDuration) {
    let untaken = Family::<OfStatus, Whole>::default();
    for status in STATUSES {
        let (many, _) = measures.untaken(status, within, now);
        untaken.get_or_create(&OfStatus { status: status.as_str() }).set(count(many));
    }
    registry.register(
        "escalations_untaken",
        "Mails to silent recipients that no relay has taken within [console] mail_within, or that one refused for good",
        untaken,
    );
    let failing = Whole::default();
    failing.set(i64::from(measures.failing_relays().is_some()));
    registry.register(
        "relays_all_fail",
        "1 while every relay that was used failed last and a mail waits",
        failing,
    );
}

/// The dead man's switch.
fn tests(registry: &mut Registry, state: &State) {
    let time = Family::<OfPublisher, Real>::default();
    let (owed, delivered, swift) = (
        Family::<OfPublisher, Whole>::default(),
        Family::<OfPublisher, Whole>::default(),
        Family::<OfPublisher, Whole>::default(),
    );
    for (publisher, (id, event)) in &state.measures.tests {
        let Some(test) = state.incident(id).and_then(|incident| super::desks::test_of(incident, *event))
        else {
            continue;
        };
        let of = OfPublisher { publisher: publisher.to_string() };
        time.get_or_create(&of).set(test.published_at.as_duration().as_secs_f64());
        owed.get_or_create(&of).set(count(test.owed));
        delivered.get_or_create(&of).set(count(test.delivered));
        swift.get_or_create(&of).set(count(test.swift));
    }
    registry.register("test_timestamp_seconds", "When each publisher's last test was stored", time);
    registry.register("test_owed", "How many desks it was owed to", owed);
    registry.register("test_delivered", "How many of them have said that they hold it", delivered);
    registry.register("test_delivered_swiftly", "How many of them said so within 5 s", swift);
}

fn desks(registry: &mut Registry, app: &App, state: &State) {
    let desks = Family::<OfDesk, Whole>::default();
    if let Some(directory) = state.fold.directory() {
        let recipients = &directory.document().recipients;
        let attendances = app.model().presence().of_all(recipients.iter().map(|recipient| &recipient.id));
        for (recipient, attendance) in recipients.iter().zip(attendances) {
            let kind = state.measures.kind_word(&recipient.kind).to_owned();
            desks.get_or_create(&OfDesk { kind, state: attendance.as_str() }).inc();
        }
    }
    registry.register("desks", "Recipients, by whether a desk of theirs is at work", desks);
}

fn streams(registry: &mut Registry, state: &State, ear: &Ear) {
    let read = Family::<OfStream, Whole>::default();
    let of = |stream: tocsin_protocol::Stream| OfStream { stream: stream.name() };
    let whole = |sequence: u64| i64::try_from(sequence).unwrap_or(i64::MAX);
    read.get_or_create(&of(tocsin_protocol::Stream::Said)).set(whole(state.fold.said_through()));
    read.get_or_create(&of(tocsin_protocol::Stream::Log)).set(whole(state.fold.log_through()));
    registry.register("stream_read_sequence", "The last sequence that the console has read", read);
    let (entries, standing) = ear.lag();
    let (behind, seconds) = (Whole::default(), Real::default());
    behind.set(whole(entries));
    seconds.set(standing.as_secs_f64());
    registry.register("stream_behind_entries", "Entries that the bus holds and the console lacks", behind);
    registry.register("stream_behind_seconds", "For how long none of them has come", seconds);
}

/// The console itself.
fn own(registry: &mut Registry, app: &App, ear: &Ear) {
    let deaf = Whole::default();
    deaf.set(i64::from(matches!(ear.hearing, Hearing::Deaf(_))));
    registry.register("console_deaf", "1 while the bus does not answer the console", deaf);
    let pages = Whole::default();
    pages.set(count(app.live().open_pages()));
    registry.register("console_pages", "Pages that are kept up to date", pages);
    let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "What runs", build);
}

fn count(many: usize) -> i64 {
    i64::try_from(many).unwrap_or(i64::MAX)
}
