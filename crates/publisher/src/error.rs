//! What can go wrong on the operator's side, in words for the person at the desk.

use std::{io, path::PathBuf};

use tocsin_duty::NotUnder;
use tocsin_protocol::{EventNumber, IncidentId, PublisherId, Subject, schema::Problem};

/// A failure on the operator's side.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The event is not as the schema says. Nothing was sent; every fault is listed.
    #[error("the event is not valid and was not sent; mend and send it again:{}", listed(problems))]
    Invalid {
        /// Each fault: where, what was given, what is expected.
        problems: Vec<Problem>,
    },
    /// A report or a link is not as the schema says. Nothing was said; every fault is listed.
    #[error("the {what} is not valid and was not said; mend it and say it again:{}", listed(problems))]
    Unfit {
        /// Which it was to be.
        what: &'static str,
        /// Each fault: where, what was given, what is expected.
        problems: Vec<Problem>,
    },
    /// The event is another publisher's.
    #[error(
        "the event says publisher \"{found}\", but this publisher is \"{own}\": it was not sent; mend the event or the configuration"
    )]
    AnothersEvent {
        /// The publisher in the event.
        found: PublisherId,
        /// The publisher whose key this is.
        own: PublisherId,
    },
    /// The router would refuse the event by the directory in force. It was taken out of the spool again.
    #[error(
        "the event was not sent, as it would be refused; mend this and send it again:{}",
        lines(problems)
    )]
    WouldBeRefused {
        /// Each reason.
        problems: Vec<String>,
    },
    /// There is no event of this incident to follow.
    #[error("no event of incident {incident} by {publisher} is known, on the bus or in the spool {dir}: check its name with `tocsin incidents`; or begin it without --update, --resolve or --cancel", dir = dir.display())]
    NothingToFollow {
        /// Which incident.
        incident: IncidentId,
        /// Whose.
        publisher: PublisherId,
        /// The spool's directory.
        dir: PathBuf,
    },
    /// The incident was cancelled.
    #[error(
        "incident {incident} was cancelled by its event {event}: nothing follows that; begin a new incident"
    )]
    Closed {
        /// Which incident.
        incident: IncidentId,
        /// The event that cancelled it.
        event: EventNumber,
    },
    /// Another event waits in the spool under the same subject.
    #[error("{subject} is already in the spool ({file}) with other words: send or withdraw that one first, or number this event anew", file = file.display())]
    AlreadySpooled {
        /// The subject of both.
        subject: Subject,
        /// The file that waits.
        file: PathBuf,
    },
    /// The spool holds as many events as it may.
    #[error("the spool {dir} holds {most} events that were not sent, which is all that it takes: send or withdraw them first", dir = dir.display())]
    SpoolFull {
        /// The spool's directory.
        dir: PathBuf,
        /// The bound.
        most: usize,
    },
    /// No such event waits in the spool.
    #[error("{subject} does not wait in the spool {dir}: see `tocsin spool list`", dir = dir.display())]
    NotSpooled {
        /// What was asked for.
        subject: Subject,
        /// The spool's directory.
        dir: PathBuf,
    },
    /// The disk refused.
    #[error("the spool could not {doing} {path}: {source}; see to the disk and its permissions", path = path.display())]
    Disk {
        /// What was attempted.
        doing: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process is sending from this spool, and went on doing so past the deadline.
    #[error("another process is sending from the spool {dir} and has not ended in time: the event is kept there and that process will send it, or `tocsin spool send` will", dir = dir.display())]
    Busy {
        /// The spool's directory.
        dir: PathBuf,
    },
    /// The bus cannot be reached, or did not answer in time.
    #[error("the bus cannot be reached, so NOBODY HAS BEEN TOLD YET. {kept} safe on disk in {dir}. As soon as the bus is back, `tocsin spool send --spool {dir}` or the same command again sends it, in order; until then, telephone.\n  Why: {why}", kept = counted(*kept), dir = dir.display())]
    BusAway {
        /// The spool's directory.
        dir: PathBuf,
        /// How many events wait there.
        kept: usize,
        /// What went wrong.
        why: Box<tocsin_ledger::Error>,
    },
    /// The bus was reached, but is not fit to take any event.
    #[error("the bus is not fit to take events, so NOBODY HAS BEEN TOLD YET. {kept} safe on disk in {dir}. When an administrator has mended the bus, `tocsin spool send --spool {dir}` or the same command again sends it; until then, telephone.\n  Why: {why}", kept = counted(*kept), dir = dir.display())]
    BusUnfit {
        /// The spool's directory.
        dir: PathBuf,
        /// How many events wait there.
        kept: usize,
        /// What went wrong.
        why: Box<tocsin_ledger::Error>,
    },
    /// The directory in force is not to be trusted, so the bus was given nothing.
    #[error("NOBODY HAS BEEN TOLD, as the record on the bus is not the one that is trusted here. {kept} safe on disk in {dir}. When that is mended, `tocsin spool send --spool {dir}` or the same command again sends it; until then, telephone.\n  Why: {why}", kept = counted(*kept), dir = dir.display())]
    NotTrusted {
        /// The spool's directory.
        dir: PathBuf,
        /// How many events wait there.
        kept: usize,
        /// What was found in place of the trusted key.
        why: Box<NotUnder>,
    },
    /// The bus was reached and will not take the event as it is.
    #[error("the bus refuses {subject}: it is kept in {dir}; mend what stands against it and run `tocsin spool send`, or take it out with `tocsin spool withdraw`; {why}", dir = dir.display())]
    RefusedAtTheDoor {
        /// The event.
        subject: Subject,
        /// The spool's directory.
        dir: PathBuf,
        /// The bus's own words.
        why: Box<tocsin_ledger::Error>,
    },
    /// An earlier event of the incident was refused by the bus, so this one was not tried.
    #[error("{subject} was not sent, as {behind} before it could not be: it is kept in {dir}", dir = dir.display())]
    HeldBack {
        /// The event that was not tried.
        subject: Subject,
        /// The one before it.
        behind: Box<Subject>,
        /// The spool's directory.
        dir: PathBuf,
    },
    /// The bus failed a reader.
    #[error(transparent)]
    Ledger(#[from] tocsin_ledger::Error),
    /// A word that is not one of ours.
    #[error(transparent)]
    Word(#[from] tocsin_protocol::Error),
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |all, problem| all + "\n  " + &problem.message)
}

fn lines(problems: &[String]) -> String {
    problems.iter().fold(String::new(), |all, problem| all + "\n  " + problem)
}

fn counted(kept: usize) -> String {
    match kept {
        1 => "The event is".to_owned(),
        n => format!("{n} events are"),
    }
}
