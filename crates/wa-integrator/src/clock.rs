//! The time of day, as an argument (Unix seconds, as in a token's dates: RFC 7519 §2), and whether to believe it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use crate::ClockError;

/// Where the server reads the time: the system, or what a test says. Clones are one clock.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    seconds: Box<dyn Fn() -> u64 + Send + Sync>,
    /// The time that passed since the clock was made, by a clock that nobody sets.
    elapsed: Option<Box<dyn Fn() -> Duration + Send + Sync>>,
    watch: Mutex<Watch>,
}

/// What has been seen of the clock so far.
#[derive(Debug, Default)]
struct Watch {
    latest: u64,
    /// What it showed first, and what had passed by then.
    first: Option<(u64, Duration)>,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the server is an edge; everything below takes the time")]
    pub fn system() -> Self {
        let start = Instant::now();
        Self::new(Box::new(system_seconds), Some(Box::new(move || start.elapsed())))
    }

    /// A clock that shows what `seconds` returns: whole seconds since the Unix epoch.
    #[must_use]
    pub fn from_fn(seconds: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self::new(Box::new(seconds), None)
    }

    /// A clock that shows what `seconds` returns beside one that nobody sets, which tells how much time passed.
    #[must_use]
    pub fn with_elapsed(
        seconds: impl Fn() -> u64 + Send + Sync + 'static,
        elapsed: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self::new(Box::new(seconds), Some(Box::new(elapsed)))
    }

    /// The time now, in whole seconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> u64 {
        (self.0.seconds)()
    }

    /// The time now, if the clock may be believed: what is signed at a wrong time is valid at a wrong time.
    ///
    /// # Errors
    /// [`ClockError::Back`] when it is more than a minute behind a time that it showed before,
    /// [`ClockError::Jump`] when it went ten minutes further than the time that passed. Both last until the
    /// clock is right again, or the program is started anew.
    pub fn steady(&self) -> Result<u64, ClockError> {
        let now = self.now();
        let elapsed = self.0.elapsed.as_ref().map(|elapsed| elapsed());
        let mut watch = self.0.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.see(now, elapsed)
    }

    fn new(
        seconds: Box<dyn Fn() -> u64 + Send + Sync>,
        elapsed: Option<Box<dyn Fn() -> Duration + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(Inner { seconds, elapsed, watch: Mutex::default() }))
    }
}

impl Watch {
    fn see(&mut self, now: u64, elapsed: Option<Duration>) -> Result<u64, ClockError> {
        if let Some(elapsed) = elapsed {
            let (first, then) = *self.first.get_or_insert((now, elapsed));
            let expected = first.saturating_add(elapsed.saturating_sub(then).as_secs());
            let ahead = now.saturating_sub(expected);
            if ahead > JUMP_SECONDS_MAX {
                return Err(ClockError::Jump { seconds: ahead });
            }
        }
        let behind = self.latest.saturating_sub(now);
        if behind > BACK_SECONDS_MAX {
            return Err(ClockError::Back { seconds: behind });
        }
        self.latest = self.latest.max(now);
        Ok(now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// How far a clock may be set back.
const BACK_SECONDS_MAX: u64 = 60;
/// How much faster than time it may go.
const JUMP_SECONDS_MAX: u64 = 600;

/// A system clock before 1970 shows 0, at which no token is issued.
#[expect(clippy::disallowed_methods, reason = "the server is an edge; everything below takes the time")]
fn system_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 1_700_000_000;

    #[test]
    fn a_clock_that_goes_back_is_not_believed_until_it_is_right() {
        let mut watch = Watch::default();
        assert_eq!(watch.see(T, None), Ok(T));
        assert_eq!(watch.see(T - 60, None), Ok(T - 60), "clocks are corrected a little");
        assert_eq!(watch.see(T - 61, None), Err(ClockError::Back { seconds: 61 }));
        assert_eq!(watch.see(0, None), Err(ClockError::Back { seconds: T }));
        assert_eq!(watch.see(T, None), Ok(T));
        assert_eq!(watch.see(T * 2, None), Ok(T * 2), "nothing to compare with");
    }

    #[test]
    fn a_clock_that_jumps_is_not_believed_until_it_is_right() {
        let mut watch = Watch::default();
        let passed = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(watch.see(T, passed(5)), Ok(T));
        assert_eq!(watch.see(T + 1100, passed(505)), Ok(T + 1100));
        assert_eq!(watch.see(T + 1101, passed(505)), Err(ClockError::Jump { seconds: 601 }));
        assert_eq!(watch.see(u64::MAX, passed(506)), Err(ClockError::Jump { seconds: u64::MAX - T - 501 }));
        assert_eq!(watch.see(T + 1100, passed(506)), Ok(T + 1100), "the jump left no trace");
    }

    #[test]
    fn the_systems_clock_is_believed() {
        let clock = Clock::system();
        assert!(clock.now() > T);
        assert!(clock.steady().is_ok() && clock.clone().steady().is_ok());
        let odd = Clock::with_elapsed(|| T, || Duration::ZERO);
        assert_eq!(odd.steady(), Ok(T));
    }
}
