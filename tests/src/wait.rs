//! Waiting for a condition.

use std::time::{Duration, Instant};

/// Longer than anything here takes on the slowest machine: only a failure waits so long.
pub const LONG: Duration = Duration::from_mins(1);

/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until `look` gives a value.
///
/// # Panics
/// When it gives none for a minute, with what it last gave instead.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        match look().await {
            Ok(value) => return value,
            Err(seen) if Instant::now() > deadline => panic!("{what}: not within {LONG:?}: {seen}"),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}
