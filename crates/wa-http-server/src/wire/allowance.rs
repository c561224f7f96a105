//! How many frames a peer may send that ask for nothing: an account that time, requests and content fill.

use std::time::Duration;

use tokio::time::Instant;

/// The account of one connection.
#[derive(Debug)]
pub(crate) struct Allowance {
    left: u32,
    used_up: bool,
    filled_at: Instant,
    /// Bytes that have not earned a frame yet.
    bytes: u32,
}

impl Allowance {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { left: MOST, used_up: false, filled_at: now, bytes: 0 }
    }

    pub(crate) fn refill(&mut self, now: Instant) {
        let millis = now.saturating_duration_since(self.filled_at).as_millis();
        let frames = u32::try_from(millis).unwrap_or(u32::MAX) / MILLIS_A_FRAME;
        if frames > 0 {
            // What is left of the time counts for the next frame.
            self.filled_at += Duration::from_millis(u64::from(frames) * u64::from(MILLIS_A_FRAME));
            self.add(frames);
        }
    }

    pub(crate) fn take(&mut self, frames: u32) {
        match self.left.checked_sub(frames) {
            Some(left) => self.left = left,
            None => self.used_up = true,
        }
    }

    /// Content went over the wire: whoever takes or sends it opens windows.
    pub(crate) fn earn(&mut self, bytes: u32) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.add(self.bytes / BYTES_A_FRAME);
        self.bytes %= BYTES_A_FRAME;
    }

    /// Somebody asks for something.
    pub(crate) fn earn_request(&mut self) {
        self.add(FRAMES_A_REQUEST);
    }

    pub(crate) const fn is_used_up(&self) -> bool {
        self.used_up
    }

    fn add(&mut self, frames: u32) {
        self.left = self.left.saturating_add(frames).min(MOST);
    }
}

/// How many at once.
const MOST: u32 = 1000;
/// A hundred a second.
const MILLIS_A_FRAME: u32 = 10;
const BYTES_A_FRAME: u32 = 1024;
const FRAMES_A_REQUEST: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_empties_and_fills() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        allowance.take(MOST);
        assert!(!allowance.is_used_up());
        allowance.refill(start + Duration::from_millis(9));
        allowance.refill(start + Duration::from_millis(25));
        allowance.take(2);
        assert!(!allowance.is_used_up());
        allowance.earn(1000);
        allowance.earn(1000);
        allowance.earn_request();
        allowance.take(5);
        assert!(!allowance.is_used_up());
        allowance.take(1);
        assert!(allowance.is_used_up());
        allowance.refill(start + Duration::from_secs(1000));
        assert!(allowance.is_used_up(), "for good");
    }

    #[test]
    fn no_time_is_lost_however_often_it_is_looked_at() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        allowance.take(MOST);
        for step in 1..=100 {
            allowance.refill(start + Duration::from_millis(step * 19));
        }
        assert_eq!(allowance.left, 190, "a frame for each hundredth of a second");
    }
}
