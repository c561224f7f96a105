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
