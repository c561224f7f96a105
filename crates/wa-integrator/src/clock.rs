//! The time of day, as an argument (Unix seconds, as in a token's dates: RFC 7519 §2).

use std::{fmt, sync::Arc, time::SystemTime};

/// Where the server reads the time: the system, or what a test says.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::from_fn(system_seconds)
    }

    /// A clock that shows what `seconds` returns: whole seconds since the Unix epoch.
    #[must_use]
    pub fn from_fn(seconds: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(seconds))
    }

    /// The time now, in whole seconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> u64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A system clock before 1970 shows 0, at which no token is issued.
#[expect(clippy::disallowed_methods, reason = "the server is an edge; everything below takes the time")]
fn system_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
