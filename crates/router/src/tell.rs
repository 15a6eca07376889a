//! What the process's own log says of the work.

use tocsin_duty::{Fold, Verdict};
use tocsin_protocol::{Dispatch, Entry, Finding, NewFact, Refusal, Subject, TraceId, from_body};

use crate::plan::{Kind, Part};

/// So many refusals of a turn are told one by one; the rest are in the log of the bus.
const REFUSALS_TOLD: usize = 10;

/// An entry met while the router is live.
pub(crate) fn met(entry: &Entry, verdict: &Verdict) {
    match verdict {
        Verdict::Foreign => tracing::error!(
            sequence = entry.sequence,
            subject = %entry.subject.escape_debug(),
            "somebody wrote to TOCSIN_LOG what no service of ours writes: have it audited, and change the service keys"
        ),
        Verdict::NotInForce { version, why } if why.lacks_the_key() => tracing::error!(
            sequence = entry.sequence,
            version,
            %why,
            "a directory was put on the log without the directory_key: it changes nothing. Was it the administrator, apply it anew with --directory-key; else have it audited, and change the administrator's and the routers' keys"
        ),
        Verdict::NotInForce { version, why } => tracing::error!(
            sequence = entry.sequence,
            version,
            why = %why.to_string().escape_debug(),
            "a directory on the log is not in force, and changes nothing: see `tocsin directory show`"
        ),
        Verdict::Event(event) => tracing::info!(
            trace_id = %TraceId::of(&event.incident, event.sequence),
            incident = %event.incident,
            event = %event.sequence,
            publisher = %event.publisher,
            "an event was said"
        ),
        Verdict::Report(report) => tracing::info!(
            body = %report.body,
            report = %report.report,
            status = %report.status,
            says = report.says.as_str(),
            "a report was said"
        ),
        Verdict::Link(linking) => tracing::info!(
            incident = %linking.incident,
            publisher = %linking.publisher,
            with = %linking.with,
            answer = linking.answer.as_str(),
            "a link was said"
        ),
        Verdict::Recorded(Subject::Directory { version }) => {
            tracing::info!(version, "a directory is in force");
        }
        _ => {}
    }
}

/// The replay has come to its end.
pub(crate) fn live(fold: &Fold) {
    let (said, log) = (fold.said_through(), fold.log_through());
    if let Some(directory) = fold.directory() {
        let (directory, open_duties) = (directory.version(), fold.open_duties());
        tracing::info!(said, log, directory, open_duties, "the router is live");
    } else {
        tracing::warn!(
            said,
            log,
            "the router is live, but no directory is in force, so nothing that is said counts: `tocsin directory apply FILE`"
        );
    }
}

/// What is told of one part once it has been appended.
pub(crate) struct Told {
    pub(crate) written: usize,
    facts: usize,
}

impl Told {
    pub(crate) fn of(part: &Part) -> Self {
        Self { written: 0, facts: part.facts.len() }
    }

    /// Tells it, if this router wrote any of it. `refused` counts the refusals of the turn.
    pub(crate) fn tell(&self, part: &Part, refused: &mut usize) {
        let Some(first) = part.facts.first().filter(|_| self.written > 0) else { return };
        let (written, facts) = (self.written, self.facts);
        match part.kind {
            Kind::Dispatch => {
                let Ok(dispatch) = from_body::<Dispatch>("dispatch", &first.body) else { return };
                tracing::info!(
                    trace_id = %TraceId::of(&dispatch.incident, dispatch.event),
                    incident = %dispatch.incident,
                    event = %dispatch.event,
                    status = %dispatch.status,
                    recipients = dispatch.recipients().len(),
                    due_at = dispatch.steps.first().map(|step| step.due_at.to_string()),
                    written,
                    "dispatched"
                );
            }
            Kind::Finding => {
                let Ok(finding) = from_body::<Finding>("finding", &first.body) else { return };
                tracing::info!(
                    trace_id = %TraceId::of(&finding.incident, finding.event),
                    incident = %finding.incident,
                    event = %finding.event,
                    step = %finding.step,
                    required = finding.required,
                    silent = finding.silent.len(),
                    stopped = finding.stopped_by.is_some(),
                    "a window closed"
                );
            }
            Kind::Proposals => tracing::info!(
                written,
                facts,
                "trails that may be of one outage were proposed for linking: see `tocsin proposals`"
            ),
            Kind::Notices | Kind::Escalations => {
                tracing::info!(
                    trace_id = first.subject.trace_id().map(display),
                    incident = first.subject.incident().map(display),
                    subject = %first.subject,
                    written,
                    facts,
                    "what another router left was completed"
                );
            }
            Kind::Refusals => {
                part.facts.iter().take(REFUSALS_TOLD.saturating_sub(*refused)).for_each(refusal);
                *refused += facts;
                if *refused > REFUSALS_TOLD {
                    tracing::warn!(refusals = *refused, "much is refused: see `tocsin refusals`");
                }
            }
        }
    }
}

fn refusal(fact: &NewFact) {
    let Subject::Refusal { said, .. } = fact.subject else { return };
    if let Ok(refusal) = from_body::<Refusal>("refusal", &fact.body) {
        tracing::warn!(
            trace_id = TraceId::on(&refusal.subject).map(display),
            said,
            subject = %refusal.subject.escape_debug(),
            code = ?refusal.code,
            reason = refusal.reasons.first().map(|reason| reason.escape_debug().to_string()),
            "refused"
        );
    }
}
