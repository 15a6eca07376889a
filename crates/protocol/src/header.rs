//! The message headers that Tocsin itself reads or writes.

/// The author's NKey public key, as the directory lists it.
pub const KEY_HEADER: &str = "Tocsin-Key";

/// Ed25519 over the subject, a newline and the exact body bytes; base64url without padding.
pub const SIGNATURE_HEADER: &str = "Tocsin-Signature";

/// On what the router writes: the last sequence of `TOCSIN_SAID` that it had judged, every refusal up to there
/// already written. A later replay need not check those signatures again.
pub const SAID_THROUGH_HEADER: &str = "Tocsin-Said-Through";

/// W3C Trace Context: the place of a fact in the trace of its event (see [`TraceContext`](crate::TraceContext)). It is for
/// tools that watch the bus: it is in no signature and no leaf, and nothing of ours ever reads it.
pub const TRACEPARENT_HEADER: &str = "traceparent";
