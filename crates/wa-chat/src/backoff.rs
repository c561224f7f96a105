//! How long to wait before connecting again: longer each time, never the same for two clients.

use std::time::Duration;

use rand_core::Rng;

/// The pauses between attempts. [`reset`](Self::reset) once a login stands.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    attempts: u32,
}

/// The first pause is at most this long.
const FIRST: Duration = Duration::from_secs(1);

/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(60);

impl Backoff {
    /// The next pause: random, between half of a bound and the whole; the bound doubles up to a minute.
    pub fn next_pause(&mut self, rng: &mut impl Rng) -> Duration {
        let bound = FIRST.saturating_mul(1 << self.attempts.min(16)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let half = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX) / 2;
        Duration::from_millis(half + rng.next_u64() % (half + 1))
    }

    /// The next attempt comes soon again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn pauses_grow_to_a_cap_and_differ() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..40).map(|_| backoff.next_pause(&mut rng)).collect();
        for (attempt, pause) in pauses.iter().enumerate() {
            let bound = Duration::from_secs(1 << attempt.min(6)).min(LONGEST);
            assert!((bound / 2..=bound).contains(pause), "{attempt}: {pause:?}");
        }
        let distinct: std::collections::BTreeSet<_> = pauses.iter().skip(7).collect();
        assert!(distinct.len() > 25, "two clients that were cut off together do not return together");
        backoff.reset();
        assert!(backoff.next_pause(&mut rng) <= FIRST);
    }
}
