//! How many frames an HTTP/2 peer may send that ask for nothing (RFC 9113 §10.5): an account that time, requests and
//! content fill, and that PING, SETTINGS, PRIORITY, WINDOW_UPDATE, RST_STREAM, CONTINUATION and empty DATA empty.
//!
//! This is what h2 lacks, in the form in which it could be offered there: it knows the heads of frames and the time it is
//! given, and nothing else of this server. h2 has limits for resets, for CONTINUATION and for empty DATA, each a counter of
//! its own beside the code that reads such a frame; it takes any number of the others. There, [`FrameBudget::received`]
//! would be asked for each frame that was decoded (`proto::Connection`, before the frame is handed to streams, settings or
//! ping), [`FrameBudget::sent`] for each DATA frame that was written, and `Err` would be `GOAWAY` with `ENHANCE_YOUR_CALM`,
//! as with `too_many_resets`; the four [limits](FrameLimits) would be options of the server's builder. Here it stands
//! before h2, on the [stream of bytes](super::Wire).

use std::time::{Duration, Instant};

use super::frames::{CONTINUATION, DATA, HEADERS, Head, RST_STREAM};

/// What fills the account of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameLimits {
    /// How many frames may come at once.
    pub(crate) burst: u32,
    /// For how much time another one may come.
    pub(crate) each: Duration,
    /// How many bytes of content, in either direction, earn one, since content needs window updates.
    pub(crate) bytes_a_frame: u32,
    /// How many a request earns, for what its answer needs.
    pub(crate) frames_a_request: u32,
}

/// The account of one connection. Once it is empty the connection is to be ended: it stays empty.
#[derive(Debug)]
pub(crate) struct FrameBudget {
    limits: FrameLimits,
    left: u32,
    used_up: bool,
    filled_at: Instant,
    /// Bytes that have not earned a frame yet.
    bytes: u32,
    /// The highest stream that was asked for.
    highest: u32,
}

/// The peer sent more frames than anything it asks for needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyFrames;

impl Default for FrameLimits {
    /// A thousand at once, and a hundred a second.
    fn default() -> Self {
        Self { burst: 1000, each: Duration::from_millis(10), bytes_a_frame: 1024, frames_a_request: 4 }
    }
}

impl FrameBudget {
    /// The account of a connection that begins now.
    pub(crate) const fn new(limits: FrameLimits, now: Instant) -> Self {
        Self { limits, left: limits.burst, used_up: false, filled_at: now, bytes: 0, highest: 0 }
    }

    /// A frame came; `Err` if it is one too many.
    pub(crate) fn received(&mut self, frame: Head, now: Instant) -> Result<(), TooManyFrames> {
        self.refill(now);
        match frame.kind {
            DATA => {
                if frame.length == 0 && !frame.ends_stream() {
                    self.take(1);
                }
                self.earn(frame.length);
            }
            HEADERS if frame.stream > self.highest => {
                self.highest = frame.stream;
                self.add(self.limits.frames_a_request);
            }
            HEADERS => {}
            CONTINUATION | RST_STREAM => self.take(1),
            // One SETTINGS may have thousands of entries.
            _ => self.take(1 + frame.length / 64),
        }
        if self.used_up { Err(TooManyFrames) } else { Ok(()) }
    }

    /// So many bytes were sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.earn(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    fn refill(&mut self, now: Instant) {
        let each = self.limits.each.as_millis().max(1);
        let passed = now.saturating_duration_since(self.filled_at).as_millis();
        let frames = u32::try_from(passed / each).unwrap_or(u32::MAX);
        if frames > 0 {
            // What is left of the time counts for the next frame.
            self.filled_at += self.limits.each * frames;
            self.add(frames);
        }
    }

    fn take(&mut self, frames: u32) {
        match self.left.checked_sub(frames) {
            Some(left) => self.left = left,
            None => self.used_up = true,
        }
    }

    fn earn(&mut self, bytes: u32) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.add(self.bytes / self.limits.bytes_a_frame);
        self.bytes %= self.limits.bytes_a_frame;
    }

    fn add(&mut self, frames: u32) {
        self.left = self.left.saturating_add(frames).min(self.limits.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, length: u32, stream: u32) -> Head {
        Head { length, kind, flags: 0, stream }
    }

    /// An account that has just been used up to the last frame.
    fn used(start: Instant) -> FrameBudget {
        let mut budget = FrameBudget::new(FrameLimits::default(), start);
        for _ in 0..1000 {
            assert_eq!(budget.received(frame(PING, 8, 0), start), Ok(()));
        }
        budget
    }

    #[test]
    fn the_account_empties_and_fills() {
        let start = tokio::time::Instant::now().into_std();
        let mut budget = used(start);
        let ping = |budget: &mut FrameBudget, millis| {
            budget.received(frame(PING, 8, 0), start + Duration::from_millis(millis))
        };
        // Two for the time, one for content, four for a request.
        assert_eq!(ping(&mut budget, 25), Ok(()));
        assert_eq!(ping(&mut budget, 25), Ok(()));
        budget.sent(1000);
        budget.sent(1000);
        assert_eq!(budget.received(frame(HEADERS, 9, 1), start), Ok(()));
        assert_eq!(budget.received(frame(HEADERS, 9, 1), start), Ok(()), "trailers are no other request");
        for _ in 0..5 {
            assert_eq!(ping(&mut budget, 25), Ok(()));
        }
        assert_eq!(ping(&mut budget, 25), Err(TooManyFrames));
        assert_eq!(ping(&mut budget, 1_000_000), Err(TooManyFrames), "for good");
    }

    #[test]
    fn no_time_is_lost_however_often_it_is_looked_at() {
        let start = tokio::time::Instant::now().into_std();
        let mut budget = used(start);
        for step in 1..=100 {
            budget.refill(start + Duration::from_millis(step * 19));
        }
        assert_eq!(budget.left, 190, "a frame for each hundredth of a second");
    }

    #[test]
    fn settings_with_thousands_of_entries_are_many_frames() {
        let start = tokio::time::Instant::now().into_std();
        let mut budget = FrameBudget::new(FrameLimits::default(), start);
        let came = (1..).take_while(|_| budget.received(frame(4, 16_384, 0), start).is_ok()).count();
        assert_eq!(came, 1000 / 257);
    }
}
