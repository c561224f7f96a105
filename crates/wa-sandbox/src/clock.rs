//! The sandbox's clock: the machine's or one that stands still, moved by an offset, so that tests need not wait for what
//! takes days.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

/// Unix time with an offset.
#[derive(Debug, Default)]
pub struct Clock {
    /// Where the clock stands still; `None` for the machine's time.
    still: Option<u64>,
    offset: AtomicI64,
}

impl Clock {
    /// A clock that is `offset` seconds ahead of the machine's (behind, if negative).
    pub fn new(offset: i64) -> Self {
        Self { still: None, offset: AtomicI64::new(offset) }
    }

    /// A clock that stands at `unix` seconds and moves only by its offset.
    pub fn still(unix: u64) -> Self {
        Self { still: Some(unix), offset: AtomicI64::new(0) }
    }

    /// Now, in Unix seconds.
    #[expect(clippy::disallowed_methods, reason = "the one place of the sandbox that asks for the time")]
    pub fn now(&self) -> u64 {
        let elapsed = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let base = self.still.unwrap_or_else(|| elapsed().as_secs());
        base.saturating_add_signed(self.offset.load(Ordering::Relaxed))
    }

    /// Seconds by which it is ahead.
    pub fn offset(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// Moves the clock to `offset` seconds ahead of the machine's, or of where it stands still.
    pub fn set_offset(&self, offset: i64) {
        self.offset.store(offset, Ordering::Relaxed);
    }
}
