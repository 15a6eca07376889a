//! The settings of both streams.

/// The oldest nats-server that serves: schedules (ADR-51) and atomic batches (ADR-50) came with it.
pub const MINIMUM_SERVER: &str = "2.12.0";

/// What an administrator may choose about the streams. Everything else is fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// On how many servers each stream is kept: 1, 3 or 5.
    pub replicas: usize,
    /// The most consumers on `TOCSIN_LOG`: one for each recipient and some for our services.
    pub max_consumers: i64,
}

impl Default for Shape {
    fn default() -> Self {
        Self { replicas: 1, max_consumers: 20_000 }
    }
}
