//! What joins the logs of all services: the trace of an event.
//!
//! Everything that follows from an event (its dispatch, notices, receipts, windows, findings, escalations and attempts)
//! names that event in its subject, so the trace is worked out of the subject alone. Nobody has to carry it on, a
//! restart loses nothing of it, and nothing that a stranger writes into a header is ever believed.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::{
    id::IncidentId,
    subject::{EventNumber, Subject},
};

/// The identity of everything that is said and done about one event: the first 16 bytes of the SHA-256 of
/// `tocsin-trace-1`, a newline, the incident, a full stop and the event's number. As text it is 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

impl TraceId {
    /// The trace of an event.
    pub fn of(incident: &IncidentId, event: EventNumber) -> Self {
        Self(first(&format!("tocsin-trace-1\n{incident}.{event}")))
    }

    /// The trace of the event that the fact on this subject is about, if it is a fact about one.
    pub fn on(subject: &str) -> Option<Self> {
        subject.parse::<Subject>().ok()?.trace_id()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, &self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The place of one fact in the trace of its event, as W3C Trace Context has it. Printed, it is the value of the header
/// [`TRACEPARENT_HEADER`](crate::TRACEPARENT_HEADER): version, trace, span, and that it is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// Of the event.
    pub trace: TraceId,
    /// Of the fact: the first 8 bytes of the SHA-256 of `tocsin-span-1`, a newline and its subject.
    span: [u8; 8],
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-", self.trace)?;
        hex(f, &self.span)?;
        f.write_str("-01")
    }
}

impl Subject {
    /// The trace of the event that this fact is about, if it is about one. Every line of a log that tells of a fact has
    /// it as its field `trace_id`.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.about().map(|(incident, event)| TraceId::of(incident, event))
    }

    /// This fact's place in the trace of the event that it is about, if it is about one.
    pub fn trace(&self) -> Option<TraceContext> {
        let trace = self.trace_id()?;
        Some(TraceContext { trace, span: first(&format!("tocsin-span-1\n{self}")) })
    }
}

fn first<const N: usize>(text: &str) -> [u8; N] {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default())
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(subject: &str) -> TraceContext {
        subject.parse::<Subject>().unwrap().trace().unwrap()
    }

    #[test]
    fn whatever_follows_from_an_event_is_in_its_trace_under_a_span_of_its_own() {
        let facts = [
            "tocsin.incident.bt-cha.x.1",
            "tocsin.dispatch.bt-cha.x.1",
            "tocsin.notice.pol-kent.x.1",
            "tocsin.receipt.pol-kent.x.1.delivered",
            "tocsin.receipt.pol-kent.x.1.acknowledged",
            "tocsin.window.x.1.2",
            "tocsin.due.x.1.2",
            "tocsin.finding.x.1.2",
            "tocsin.escalation.pol-kent.x.1.2",
            "tocsin.attempt.pol-kent.x.1.2.1.begun",
        ];
        let traces: Vec<_> = facts.iter().map(|fact| trace(fact)).collect();
        for (at, one) in traces.iter().enumerate() {
            assert_eq!(one.trace, TraceId::of(&"x".parse().unwrap(), EventNumber::FIRST));
            assert!(traces.iter().skip(at + 1).all(|other| other.span != one.span), "{one}");
        }
        assert_ne!(trace("tocsin.dispatch.bt-cha.x.2").trace, traces[0].trace);
        assert_ne!(trace("tocsin.dispatch.bt-cha.y.1").trace, traces[0].trace);
    }

    #[test]
    fn a_context_is_written_as_the_w3c_has_it() {
        insta::assert_snapshot!(trace("tocsin.incident.bt-cha.bt-999-2023-06-25.1"), @"00-46e2b653c0bfe3b793dd66c259987bfa-3181b8ccec6df7ec-01");
    }

    #[test]
    fn what_is_about_no_event_has_no_trace() {
        for subject in ["tocsin.directory.1", "tocsin.refusal.bt-cha.7", "tocsin.checkpoint.3"] {
            assert_eq!(subject.parse::<Subject>().unwrap().trace(), None);
        }
    }
}
