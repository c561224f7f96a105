//! The sandbox's clock: the machine's, moved by an offset, so that tests need not wait for what takes days.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

/// Unix time with an offset.
#[derive(Debug, Default)]
pub struct Clock {
    offset: AtomicI64,
}

impl Clock {
    /// A clock that is `offset` seconds ahead of the machine's (behind, if negative).
    pub fn new(offset: i64) -> Self {
        Self { offset: AtomicI64::new(offset) }
    }

    /// Now, in Unix seconds.
    #[expect(clippy::disallowed_methods, reason = "the one place of the sandbox that asks for the time")]
    pub fn now(&self) -> u64 {
        let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        elapsed.as_secs().saturating_add_signed(self.offset.load(Ordering::Relaxed))
    }

    /// Moves the clock to `offset` seconds ahead of the machine's.
    pub fn set_offset(&self, offset: i64) {
        self.offset.store(offset, Ordering::Relaxed);
    }
}
