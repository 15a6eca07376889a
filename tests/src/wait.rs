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
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Result<T, String>) -> T {
    within(LONG, what, look).await.unwrap_or_else(|why| panic!("{why}"))
}

/// Waits until `look` gives a value, and no longer than this time.
///
/// # Errors
/// What it last gave instead, in words.
pub(crate) async fn within<T>(
    time: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> Result<T, String> {
    let deadline = Instant::now() + time;
    loop {
        match look().await {
            Ok(value) => return Ok(value),
            Err(seen) if Instant::now() > deadline => {
                return Err(format!("{what}: not within {time:?}: {seen}"));
            }
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}
