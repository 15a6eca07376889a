//! Events, recipients, mails and refusals, one by one.

use std::fmt::Write;

use tocsin_protocol::{
    EscalationReason, EventKind, LinkAnswer, Outcome, Reach, ReceiptMethod, ReportSource, Requirement,
    Signer, Stage, Timestamp,
};

use super::{Clock, EventRow, Line, LinkedLine, Mail, RefusalLine, Row, line};
use crate::{
    linked::LinkedReport,
    report::{EscalationReport, EventReport, RecipientReport, Report, State, StreamRead},
    words::{kind, length, method as method_words, outcome, plain, share, utc},
};

pub(super) fn event(event: &EventReport, clock: &Clock, rows: Vec<Row>) -> EventRow {
    let totals = &event.totals;
    let standing = if totals.asked > 0 {
        format!("{} in time", share(totals.acknowledged_in_time, totals.asked, ""))
    } else if event.dispatched_at.is_none() {
        "NOT DISPATCHED".to_owned()
    } else {
        "none asked".to_owned()
    };
    let mut notes: Vec<String> = Vec::new();
    notes.extend(event.by_rule.as_ref().map(|by| format!("said {}", plain(&by.to_string()))));
    notes.extend(match event.kind {
        EventKind::Correction => event.corrects.map(|of| format!("corrects event {of}")),
        EventKind::Cancelled => Some("it was no incident; nothing follows it".to_owned()),
        EventKind::SentInError => Some("it should not have been sent; nothing follows it".to_owned()),
        EventKind::Initial | EventKind::Update | EventKind::Resolved => None,
    });
    notes.extend(match event.stage {
        Some(Stage::Full) => Some("a full report".to_owned()),
        Some(Stage::Final) => Some("the final report".to_owned()),
        _ => None,
    });
    notes.extend(event.next_update_by.map(|by| format!("promised more by {}", clock.moment(by).both())));
    if !event.worsened.is_empty() {
        let why: Vec<String> = event.worsened.iter().map(|why| plain(why)).collect();
        notes.push(format!("asked anew: {}", why.join("; ")));
    }
    for step in &event.steps {
        let what = format!(
            "step {} ({}, {} contact{}) due {}",
            step.step,
            step.policy,
            plain(&step.contact),
            match step.reach {
                Reach::Own => "",
                Reach::Buddy => " of its buddy",
                Reach::CoordinatingBody => " of its coordinating body",
            },
            clock.moment(step.due_at).both()
        );
        notes.push(match (&step.stopped_by, step.closed_at, step.silent, step.required) {
            (Some(stopped), ..) => format!("{what}: lifted by event {}, {}", stopped.event, stopped.kind),
            (None, None, ..) => format!("{what}: not closed"),
            (None, Some(_), Some(silent), Some(required)) => format!("{what}: {silent} of {required} silent"),
            (None, Some(_), ..) => format!("{what}: closed, NO FINDING"),
        });
    }
    EventRow {
        event: event.event,
        kind: event.kind.as_str(),
        headline: plain(&event.headline),
        published: clock.moment(event.published_at),
        standing,
        notes,
        rows,
    }
}

pub(super) fn row(clock: &Clock, published: Option<Timestamp>, row: &RecipientReport) -> Row {
    let after = |at: Option<Timestamp>| match (published, at) {
        (Some(from), Some(to)) => length(to.duration_since(from).as_secs_f64()),
        _ => String::new(),
    };
    let standing = match (row.state, row.due_at, row.acknowledged_at) {
        (State::InTime, Some(due), Some(at)) => format!("{} to spare", length(clock.view.between(at, due))),
        (State::Late, Some(due), Some(at)) => format!("{} late", length(clock.view.between(due, at))),
        (State::Silent, ..) => "never acknowledged".to_owned(),
        (State::Excused, ..) => "the incident ended first".to_owned(),
        _ => String::new(),
    };
    let mut by = row.acknowledged_by.as_ref().map(|by| format!("{}, {}", plain(&by.name), plain(&by.role)));
    if let Some(by) = &mut by {
        if let Some(room) = &row.acknowledged_control_room {
            let _ = write!(by, ", control room {}", plain(room));
        }
        if let Some(whose) = &row.acknowledged_on_behalf_of {
            let _ = write!(by, ", on behalf of {}", plain(whose));
        }
        by.push_str(&door(row));
    }
    if let (Some(by), Some(of)) = (&mut by, row.acknowledged_event.filter(|of| *of != row.event)) {
        let _ = write!(by, " (by event {of})");
    }
    Row {
        name: plain(&row.name),
        kind: kind(&row.kind),
        requirement: requirement(row),
        event: row.event,
        state: row.state,
        noticed: clock.act(row.noticed_at),
        noticed_after: after(row.noticed_at),
        delivered: clock.act(row.delivered_at),
        delivered_after: after(row.delivered_at),
        acknowledged: row.acknowledged_at.map(|at| clock.moment(at)),
        by: by.unwrap_or_default(),
        due: row.due_at.map(|at| clock.moment(at)),
        standing,
        mails: row.escalations.iter().map(|owed| mail(clock, owed)).collect(),
    }
}

/// Through which door an acknowledgement came, and by whose key where that is not the recipient's own.
fn door(row: &RecipientReport) -> String {
    let mut door = match (row.acknowledged_method, row.acknowledged_step) {
        (None, _) => String::new(),
        (Some(ReceiptMethod::Link), Some(step)) => format!(", by the link in the mail of step {step}"),
        (Some(method), _) => format!(", {}", method_words(method)),
    };
    match (row.acknowledged_method, row.acknowledged_signer) {
        (_, Some(Signer::Console)) => {
            door.push_str(", signed by the console");
            if let (Some(account), Some(session)) = (&row.acknowledged_account, &row.acknowledged_session) {
                let session: String = session.chars().take(8).collect();
                let _ = write!(door, " for account {}, session {}", plain(account), plain(&session));
            }
        }
        // Its own key may name any door; that it is the console's is then its own word.
        (Some(ReceiptMethod::Page | ReceiptMethod::Link), Some(Signer::Recipient)) => {
            door.push_str(", signed with its own key");
        }
        _ => {}
    }
    door
}

fn requirement(row: &RecipientReport) -> &'static str {
    match row.requirement {
        Requirement::Required => "required",
        Requirement::Informed => "informed",
    }
}

/// What became of an e-mail: relay, attempts, unknown and repeated sends.
pub(super) fn outcome_of(owed: &EscalationReport) -> String {
    let relay = owed.relay.as_deref().map(plain).filter(|relay| !relay.is_empty());
    let mut became = match (owed.outcome, owed.attempts) {
        (None, 0) => "NOT TRIED".to_owned(),
        (None, _) => "send unknown: an attempt was begun and never ended".to_owned(),
        (Some(Outcome::Accepted), _) => "taken".to_owned(),
        (Some(end), _) => outcome(end).to_owned(),
    };
    if let Some(relay) = relay {
        let _ = write!(became, " by {relay}");
    }
    if let Some(of) = owed.digest {
        let _ = write!(became, ", in one mail of {of} notices");
    }
    if owed.attempts != 1 {
        let _ = write!(became, ", {} attempts", owed.attempts);
    }
    if owed.unknown > 0 {
        let _ = write!(became, ", {} UNKNOWN", owed.unknown);
    }
    let sends = u32::from(owed.outcome == Some(Outcome::Accepted)) + owed.unknown;
    if sends > 1 {
        let _ = write!(became, ", may have arrived {sends} times");
    }
    if owed.reason == EscalationReason::Unreachable {
        became.push_str(", as the contact before cannot be reached");
    }
    became
}

fn mail(clock: &Clock, owed: &EscalationReport) -> Mail {
    let became = outcome_of(owed);
    Mail {
        to: format!(
            "event {}, step {}, {} contact{}, {}",
            owed.event,
            owed.step,
            plain(&owed.contact),
            owed.via.as_ref().map(|via| format!(" of {} in its stead", plain(&via.name))).unwrap_or_default(),
            plain(&owed.address)
        ),
        closed: owed.closed_at.map(|at| clock.moment(at)),
        became,
        accepted: clock.act(owed.accepted_at),
        took: owed.accepted_at.map(|at| length(at.duration_since(owed.owed_at).as_secs_f64())),
    }
}

pub(super) fn linked(report: &Report, clock: &Clock) -> Vec<LinkedLine> {
    report.linked.iter().map(|linked| linked_line(linked, report, clock)).collect()
}

fn linked_line(linked: &LinkedReport, report: &Report, clock: &Clock) -> LinkedLine {
    let apart = clock.view.between(linked.said_at, report.incident.published_at);
    let side = if linked.before_seconds >= 0.0 { "before" } else { "after" };
    let mut words =
        linked.headline.as_deref().map_or_else(|| "its marking keeps its words".to_owned(), plain);
    if let Some(by) = &linked.reported_by {
        let _ = write!(words, ", said by {}, {}", plain(&by.name), plain(&by.role));
    } else if linked.source == Some(ReportSource::Monitoring) {
        words.push_str(", seen by a machine");
    }
    for added in &linked.added {
        let _ = write!(words, "; {}: {}", clock.moment(added.said_at).local, plain(&added.headline));
    }
    let who = match (&linked.linked_by_person, &linked.linked_by_rule) {
        (Some(by), _) => format!("by {}, {}", plain(&by.name), plain(&by.role)),
        (None, Some(rule)) => format!("by rule {rule}, as no person had looked"),
        (None, None) => "by nobody".to_owned(),
    };
    let mut link = format!(
        "{} {who}, of {}, {}",
        match linked.answer {
            LinkAnswer::Same => "linked",
            LinkAnswer::NotTheSame => "NOT THE SAME, said",
        },
        linked.linked_by,
        clock.moment(linked.linked_at).local
    );
    if let Some(note) = &linked.note {
        let _ = write!(link, ": {}", plain(note));
    }
    LinkedLine {
        trail: linked.trail.to_string(),
        said: clock.moment(linked.said_at),
        seen: linked.seen_at.map(|at| clock.moment(at)),
        apart: format!("{} {side} the first event", length(apart.abs())),
        words,
        link,
    }
}

pub(super) fn refusals(report: &Report, clock: &Clock) -> Vec<RefusalLine> {
    report
        .refusals
        .iter()
        .map(|refusal| RefusalLine {
            said: refusal.said,
            at: refusal.at.map(|at| clock.moment(at)),
            subject: plain(&refusal.subject),
            why: refusal.reasons.iter().map(|why| plain(why)).collect::<Vec<_>>().join("; "),
        })
        .collect()
}

pub(super) fn sources(report: &Report) -> Vec<Line> {
    let provenance = &report.provenance;
    let versions: Vec<String> = provenance.directory_versions.iter().map(ToString::to_string).collect();
    let directory = provenance.directory_name.as_deref().map_or_else(|| "none".to_owned(), plain);
    let stream = |name: &str, read: &StreamRead| {
        line(name, format!("{} entries", read.entries), format!("through sequence {}", read.last_sequence))
    };
    let mut lines = vec![
        line("as of", utc(provenance.as_of), "by the broker's clock"),
        line("directory", directory, format!("version {}", versions.join(", "))),
    ];
    lines.extend(
        provenance
            .directories
            .iter()
            .map(|read| line(plain(&read.subject).as_str(), utc(read.at), plain(&read.words()))),
    );
    lines.extend([stream("TOCSIN_SAID", &provenance.said), stream("TOCSIN_LOG", &provenance.log)]);
    lines
}
