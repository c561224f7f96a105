//! Whether one side of a connection keeps up: it moves at all, and it moves at a rate (slow-read and slow-body
//! attacks).

use std::time::Duration;

use tokio::time::Instant;

/// How long we have waited for the peer, and what came of it. Only waiting counts: what we hold up ourselves does not.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    waiting_since: Option<Instant>,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// The peer has to do something first.
    pub(crate) fn wait(&mut self, now: Instant) {
        self.waiting_since.get_or_insert(now);
    }

    /// The peer did something.
    pub(crate) fn moved(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.waiting_since.take() {
            self.waited += now.saturating_duration_since(since);
        }
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// A new message begins, with an empty account.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Whether we wait now.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.waiting_since.is_some()
    }

    /// Whether the peer has paused for as long as `pause`, or was slower in all than `bytes_a_second` and a pause.
    pub(crate) fn is_overdue(&self, now: Instant, pause: Duration, bytes_a_second: u32) -> bool {
        let Some(since) = self.waiting_since else { return false };
        let pausing = now.saturating_duration_since(since);
        pausing >= pause || self.waited + pausing >= pause.saturating_add(earned(self.bytes, bytes_a_second))
    }

    /// When the peer, who is waited for, will have had its time.
    pub(crate) fn deadline(&self, now: Instant, pause: Duration, bytes_a_second: u32) -> Instant {
        let since = self.waiting_since.unwrap_or(now);
        let left = pause.saturating_add(earned(self.bytes, bytes_a_second)).saturating_sub(self.waited);
        since + pause.min(left)
    }
}

/// How much time so many bytes may take.
fn earned(bytes: u64, bytes_a_second: u32) -> Duration {
    Duration::from_secs(bytes.checked_div(u64::from(bytes_a_second)).unwrap_or(u64::MAX / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    #[test]
    fn a_pause_and_a_trickle_are_overdue_and_our_own_delays_are_not() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::default();
        assert!(!pace.is_overdue(at(1000), PAUSE, 100), "nobody waits");
        pace.wait(at(0));
        pace.wait(at(5));
        assert!(!pace.is_overdue(at(9), PAUSE, 100));
        assert!(pace.is_overdue(at(10), PAUSE, 100), "the wait began at 0");
        pace.moved(1, at(9));
        assert!(!pace.is_waiting());
        assert!(!pace.is_overdue(at(10_000), PAUSE, 100), "we were busy");
        // A byte every nine seconds never pauses for long, and is too slow.
        pace.wait(at(20));
        assert!(!pace.is_overdue(at(20), PAUSE, 100));
        assert!(pace.is_overdue(at(21), PAUSE, 100), "nine seconds and one for one byte");
        pace.moved(500, at(21));
        pace.wait(at(21));
        assert!(!pace.is_overdue(at(25), PAUSE, 100), "500 bytes earn five seconds");
        assert!(pace.is_overdue(at(26), PAUSE, 100));
        pace.restart();
        assert!(!pace.is_overdue(at(26), PAUSE, 100));
    }
}
