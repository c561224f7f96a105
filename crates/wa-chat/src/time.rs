//! Time as an argument: what a driver reads from its clocks and passes in.

use std::time::Duration;

/// A moment, by both clocks that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The date: seconds since 1970, for certificates and message ages. May jump.
    pub unix: u64,
    /// Time since any fixed start, for timers. Never goes back.
    pub tick: Duration,
}

impl Now {
    /// Whether it is so many seconds since a date that was written down. A date to come counts as long ago: the clock was
    /// wrong then or is now, and what depends on it is done once too often rather than never.
    pub(crate) fn is_due(self, since: u64, seconds: u64) -> bool {
        since > self.unix || self.unix - since >= seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_to_come_is_due() {
        let now = Now { unix: 100, tick: Duration::ZERO };
        let due = [90, 91, 100, 101, u64::MAX].map(|since| now.is_due(since, 10));
        assert_eq!(due, [true, false, false, true, true]);
    }
}
