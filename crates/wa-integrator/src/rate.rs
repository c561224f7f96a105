//! How often somebody may ask: a limit for each user, and one for all.

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock as RateClock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, keyed::DashMapStateStore},
};

use crate::Clock;

/// A limit for each user: so many a minute, all of them at once if they like.
pub(crate) struct PerUser {
    limiter: RateLimiter<u64, DashMapStateStore<u64>, Seconds, NoOpMiddleware<Nanos>>,
    hasher: RandomState,
    checks: AtomicU32,
}

/// A limit for everybody together: so many a second.
pub(crate) struct ForAll(RateLimiter<NotKeyed, InMemoryState, Seconds, NoOpMiddleware<Nanos>>);

impl PerUser {
    pub(crate) fn new(a_minute: NonZeroU32, clock: Clock) -> Self {
        let limiter =
            RateLimiter::new(Quota::per_minute(a_minute), DashMapStateStore::default(), Seconds(clock));
        Self { limiter, hasher: RandomState::new(), checks: AtomicU32::new(0) }
    }

    /// Whether the user may; otherwise after how many seconds to ask again.
    pub(crate) fn check(&self, user: &str) -> Result<(), u64> {
        // Users who have been quiet for long enough are forgotten.
        if self.checks.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.limiter.retain_recent();
        }
        let key = self.hasher.hash_one(user);
        self.limiter
            .check_key(&key)
            .map_err(|not_until| retry_after(not_until.wait_time_from(self.limiter.clock().now())))
    }
}

impl ForAll {
    pub(crate) fn new(a_second: NonZeroU32, clock: Clock) -> Self {
        Self(RateLimiter::new(Quota::per_second(a_second), InMemoryState::default(), Seconds(clock)))
    }

    /// Whether one more may; otherwise after how many seconds to ask again.
    pub(crate) fn check(&self) -> Result<(), u64> {
        self.0.check().map_err(|not_until| retry_after(not_until.wait_time_from(self.0.clock().now())))
    }
}

impl fmt::Debug for PerUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PerUser")
    }
}

impl fmt::Debug for ForAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForAll")
    }
}

/// After how many checks quiet users are forgotten.
const FORGET_EVERY: u32 = 65_536;

/// The server's clock, as the limiter wants it.
#[derive(Clone)]
struct Seconds(Clock);

impl RateClock for Seconds {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Duration::from_secs(self.0.now()).into()
    }
}

fn retry_after(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicU64};

    use super::*;

    #[test]
    fn a_user_has_so_many_a_minute_and_others_have_theirs() {
        let hand = Arc::new(AtomicU64::new(1_700_000_000));
        let shown = Arc::clone(&hand);
        let clock = Clock::from_fn(move || shown.load(Ordering::Relaxed));
        let limit = PerUser::new(NonZeroU32::new(3).unwrap(), clock.clone());
        let all = ForAll::new(NonZeroU32::new(2).unwrap(), clock);
        for _ in 0..3 {
            assert_eq!(limit.check("alice"), Ok(()));
        }
        assert_eq!(limit.check("alice"), Err(20));
        assert_eq!(limit.check("bob"), Ok(()));
        assert_eq!((all.check(), all.check(), all.check()), (Ok(()), Ok(()), Err(1)));
        hand.fetch_add(20, Ordering::Relaxed);
        assert_eq!(limit.check("alice"), Ok(()));
        assert_eq!(limit.check("alice"), Err(20));
        assert_eq!(all.check(), Ok(()));
        assert_eq!(limit.limiter.len(), 2);
        hand.fetch_add(21, Ordering::Relaxed);
        limit.limiter.retain_recent();
        assert_eq!(limit.limiter.len(), 1, "bob was quiet for long enough");
    }
}
