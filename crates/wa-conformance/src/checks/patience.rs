//! How long a check waits for something that may never come.

use std::time::Duration;

/// How much shorter it is where many saboteurs are let loose on all checks, of which most will wait in vain.
const HURRY: u32 = 4;

tokio::task_local! {
    static IS_HURRIED: bool;
}

/// Runs a check, perhaps in a hurry.
pub(crate) async fn hurried<T>(is_hurried: bool, check: impl Future<Output = T>) -> T {
    IS_HURRIED.scope(is_hurried, check).await
}

/// What the check that runs makes of a time.
pub(crate) fn patience(usual: Duration) -> Duration {
    let is_hurried = IS_HURRIED.try_with(|it| *it).unwrap_or_default();
    if is_hurried { usual / HURRY } else { usual }
}
