//! The time of day, as an argument (Unix seconds, as in a token's dates: RFC 7519 §2), and whether to believe it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use thiserror::Error;

/// Where the server reads the time: the system, or what a test says. Clones are one clock.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    seconds: Box<dyn Fn() -> u64 + Send + Sync>,
    /// The time that passed, by a clock that nobody sets and that goes on while the machine is suspended.
    elapsed: Option<Box<dyn Fn() -> Duration + Send + Sync>>,
    watch: Mutex<Watch>,
}

/// Why the clock is not believed; the world's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClockError {
    /// It shows an earlier time than before.
    #[error("the clock went back by {seconds} seconds")]
    Back {
        /// By how much.
        seconds: u64,
    },
    /// It went further than the time that passed.
    #[error("the clock jumped by {seconds} seconds")]
    Jump {
        /// By how much.
        seconds: u64,
    },
}

/// What has been seen of the clock so far.
#[derive(Debug, Default)]
struct Watch {
    latest: u64,
    /// What it showed first, and what had passed by then.
    first: Option<Sample>,
    /// The same for a time that is not believed yet.
    doubt: Option<Sample>,
}

/// What the clock showed when so much time had passed.
#[derive(Clone, Copy, Debug)]
struct Sample {
    shown: u64,
    passed: Duration,
}

/// How far a clock may be set back.
const BACK_SECONDS_MAX: u64 = 60;
/// How much faster than time it may go.
const JUMP_SECONDS_MAX: u64 = 600;
/// How long a clock that was set must go as time does before it is believed again.
const PROBATION: Duration = Duration::from_secs(600);
/// How far it may stray meanwhile.
const STRAY_SECONDS_MAX: u64 = 5;

impl Clock {
    /// The system's clock, compared with the time since the machine started.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Box::new(system_seconds), Some(Box::new(since_boot)))
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
    /// [`ClockError::Back`] when it is more than a minute behind a time that it showed before, [`ClockError::Jump`] when
    /// it went ten minutes further than the time that passed. Both last until the clock shows the expected time again, or
    /// until it has gone as time does for ten minutes: then it was put right, and is believed.
    pub fn steady(&self) -> Result<u64, ClockError> {
        let now = self.now();
        let elapsed = self.0.elapsed.as_ref().map(|elapsed| elapsed());
        self.0.watch.lock().unwrap_or_else(PoisonError::into_inner).see(now, elapsed)
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
        let verdict = self.judge(now, elapsed);
        match (verdict, elapsed) {
            (Ok(()), _) => self.doubt = None,
            (Err(error), Some(passed)) if self.is_put_right(Sample { shown: now, passed }) => {
                tracing::warn!(%error, "the clock was put right, and is believed from now on");
                *self = Self { latest: now, first: Some(Sample { shown: now, passed }), doubt: None };
            }
            (Err(error), _) => return Err(error),
        }
        self.latest = self.latest.max(now);
        Ok(now)
    }

    fn judge(&mut self, now: u64, elapsed: Option<Duration>) -> Result<(), ClockError> {
        if let Some(passed) = elapsed {
            let first = *self.first.get_or_insert(Sample { shown: now, passed });
            let ahead = now.saturating_sub(first.expected(passed));
            if ahead > JUMP_SECONDS_MAX {
                return Err(ClockError::Jump { seconds: ahead });
            }
        }
        let behind = self.latest.saturating_sub(now);
        if behind > BACK_SECONDS_MAX {
            return Err(ClockError::Back { seconds: behind });
        }
        Ok(())
    }

    /// Whether a clock that is not believed has gone as time does for long enough.
    fn is_put_right(&mut self, seen: Sample) -> bool {
        let doubt = *self.doubt.get_or_insert(seen);
        if doubt.expected(seen.passed).abs_diff(seen.shown) > STRAY_SECONDS_MAX {
            self.doubt = Some(seen);
            return false;
        }
        seen.passed.saturating_sub(doubt.passed) >= PROBATION
    }
}

impl Sample {
    /// What a clock shows that goes as time does.
    fn expected(self, passed: Duration) -> u64 {
        self.shown.saturating_add(passed.saturating_sub(self.passed).as_secs())
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

/// It goes on while the machine is suspended, as the time does.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[expect(clippy::disallowed_methods, reason = "the server is an edge; everything below takes the time")]
fn since_boot() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 1_700_000_000;

    fn passed(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

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
        assert_eq!(watch.see(T, passed(5)), Ok(T));
        assert_eq!(watch.see(T + 1100, passed(505)), Ok(T + 1100));
        assert_eq!(watch.see(T + 1101, passed(505)), Err(ClockError::Jump { seconds: 601 }));
        assert_eq!(watch.see(u64::MAX, passed(506)), Err(ClockError::Jump { seconds: u64::MAX - T - 501 }));
        assert_eq!(watch.see(T + 1100, passed(506)), Ok(T + 1100), "the jump left no trace");
    }

    /// NTP's first step, a machine that stood still (A5).
    #[test]
    fn a_clock_that_was_put_right_is_believed_after_ten_minutes() {
        for step in [3600_i64, -3600] {
            let mut watch = Watch::default();
            assert_eq!(watch.see(T, passed(0)), Ok(T));
            let shown = |after: u64| (T + after).saturating_add_signed(step);
            for after in [1, 300, 600] {
                assert!(watch.see(shown(after), passed(after)).is_err(), "{step} after {after} s");
            }
            assert_eq!(watch.see(shown(601), passed(601)), Ok(shown(601)), "{step}");
            let month = 30 * 86_400;
            assert_eq!(watch.see(shown(month), passed(month)), Ok(shown(month)), "{step}");
        }
    }

    #[test]
    fn a_clock_that_goes_on_jumping_is_never_believed() {
        let mut watch = Watch::default();
        assert_eq!(watch.see(T, passed(0)), Ok(T));
        for minute in 1..120 {
            let shown = T + 3600 + minute * 120;
            assert!(watch.see(shown, passed(minute * 60)).is_err(), "minute {minute}");
        }
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
