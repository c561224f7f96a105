//! How often one-time prekeys are made: what the server says of their number is no reason to make them without end.

use std::time::Duration;

/// Between two refills, whatever the server says.
const PAUSE: Duration = Duration::from_secs(60 * 60);

/// The upload of prekeys under way, and the last time that some were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refill {
    is_under_way: bool,
    last: Option<Duration>,
}

impl Refill {
    /// Whether an upload has left, or is about to, that was not answered on this connection.
    pub(crate) fn is_under_way(self) -> bool {
        self.is_under_way
    }

    /// Whether new ones may be made.
    pub(crate) fn may_make(self, tick: Duration) -> bool {
        self.last.is_none_or(|last| tick.saturating_sub(last) >= PAUSE)
    }

    /// New ones were made.
    pub(crate) fn made(&mut self, tick: Duration) {
        self.last = Some(tick);
    }

    /// An upload begins.
    pub(crate) fn begin(&mut self) {
        self.is_under_way = true;
    }

    /// It was answered, or never will be.
    pub(crate) fn end(&mut self) {
        self.is_under_way = false;
    }
}
