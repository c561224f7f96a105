//! How often somebody may ask: a limit for each name, and one for all, by a clock that nobody sets.

use std::fmt;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// A limit for each name, such as a user or an address: so many a minute, all of them at once if they like.
pub(crate) struct PerName<C: Clock = MonotonicClock> {
    limiter: RateLimiter<u64, DashMapStateStore<u64>, C, NoOpMiddleware<C::Instant>>,
    hasher: RandomState,
    checks: AtomicU32,
}

/// A limit for everybody together: so many a second.
pub(crate) struct ForAll<C: Clock = MonotonicClock>(
    RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
);

/// After how many checks names that were quiet are forgotten.
const FORGET_EVERY: u32 = 65_536;

impl PerName {
    pub(crate) fn new(a_minute: NonZeroU32) -> Self {
        Self::with_clock(a_minute, MonotonicClock)
    }
}

impl ForAll {
    pub(crate) fn new(a_second: NonZeroU32) -> Self {
        Self::with_clock(a_second, MonotonicClock)
    }
}

impl<C: Clock> PerName<C> {
    fn with_clock(a_minute: NonZeroU32, clock: C) -> Self {
        let limiter = RateLimiter::new(Quota::per_minute(a_minute), DashMapStateStore::default(), clock);
        Self { limiter, hasher: RandomState::new(), checks: AtomicU32::new(0) }
    }

    /// Whether this name may; otherwise after how many seconds to ask again.
    pub(crate) fn check(&self, name: impl Hash) -> Result<(), u64> {
        // Names that have been quiet for long enough are forgotten.
        if self.checks.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.limiter.retain_recent();
        }
        let key = self.hasher.hash_one(name);
        self.limiter
            .check_key(&key)
            .map_err(|not_until| retry_after(not_until.wait_time_from(self.limiter.clock().now())))
    }
}

impl<C: Clock> ForAll<C> {
    fn with_clock(a_second: NonZeroU32, clock: C) -> Self {
        Self(RateLimiter::new(Quota::per_second(a_second), InMemoryState::default(), clock))
    }

    /// Whether one more may; otherwise after how many seconds to ask again.
    pub(crate) fn check(&self) -> Result<(), u64> {
        self.0.check().map_err(|not_until| retry_after(not_until.wait_time_from(self.0.clock().now())))
    }
}

impl<C: Clock> fmt::Debug for PerName<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PerName")
    }
}

impl<C: Clock> fmt::Debug for ForAll<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForAll")
    }
}

fn retry_after(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn a_user_has_so_many_a_minute_and_others_have_theirs() {
        let clock = FakeRelativeClock::default();
        let limit = PerName::with_clock(NonZeroU32::new(3).unwrap(), clock.clone());
        let all = ForAll::with_clock(NonZeroU32::new(2).unwrap(), clock.clone());
        for _ in 0..3 {
            assert_eq!(limit.check("alice"), Ok(()));
        }
        assert_eq!(limit.check("alice"), Err(20));
        assert_eq!(limit.check("bob"), Ok(()));
        assert_eq!((all.check(), all.check(), all.check()), (Ok(()), Ok(()), Err(1)));
        clock.advance(Duration::from_secs(20));
        assert_eq!(limit.check("alice"), Ok(()));
        assert_eq!(limit.check("alice"), Err(20));
        assert_eq!(all.check(), Ok(()));
        assert_eq!(limit.limiter.len(), 2);
        clock.advance(Duration::from_secs(21));
        limit.limiter.retain_recent();
        assert_eq!(limit.limiter.len(), 1, "bob was quiet for long enough");
    }
}
