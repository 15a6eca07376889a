//! Where a desk reads the time.

use std::{fmt, sync::Arc};

use tocsin_protocol::Timestamp;

/// Where a desk reads the time that it claims in its receipts. It decides nothing: in time is what the broker's clock says.
/// So a test may give a desk one that is wrong, and see that nothing is judged otherwise.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that says what this says.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// This machine's.
impl Default for Clock {
    fn default() -> Self {
        Self::new(Timestamp::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
