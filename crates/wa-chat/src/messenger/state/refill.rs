//! How often one-time prekeys are made and uploaded: what the server says is no reason to do either without end.

use std::time::Duration;

/// Between two refills, whatever the server says.
const PAUSE: Duration = Duration::from_secs(60 * 60);

/// The first two pauses after which a server in trouble is asked again, and the longest: each is the sum of the two before it
/// (observed).
const FIRST: [u64; 2] = [10, 20];
const LONGEST: u64 = 610;

/// The upload of prekeys under way, the last time that some were made, and what a server in trouble has to do with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refill {
    is_under_way: bool,
    is_counting: bool,
    last: Option<Duration>,
    /// When the server is asked again, after it was in trouble so many times in a row.
    again: Option<Duration>,
    troubles: u32,
}

impl Refill {
    /// Whether an upload has left, or is about to, that was not answered on this connection.
    pub(crate) fn is_under_way(self) -> bool {
        self.is_under_way
    }

    /// Whether the server was asked how many it has, and has not answered.
    pub(crate) fn is_counting(self) -> bool {
        self.is_counting
    }

    /// The server is asked how many it has, or has answered, or never will.
    pub(crate) fn set_counting(&mut self, is_counting: bool) {
        self.is_counting = is_counting;
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

    /// The server is well again, or another one.
    pub(crate) fn forget_troubles(&mut self) {
        (self.again, self.troubles) = (None, 0);
    }

    /// The server is in trouble.
    pub(crate) fn back_off(&mut self, tick: Duration) {
        let [mut pause, mut next] = FIRST;
        for _ in 0..self.troubles.min(64) {
            (pause, next) = (next, LONGEST.min(pause + next));
        }
        self.again = Some(tick + Duration::from_secs(pause));
        self.troubles = self.troubles.saturating_add(1);
    }

    /// When the server is to be asked again.
    pub(crate) fn due(self) -> Option<Duration> {
        self.again
    }

    /// Whether it is to be asked now; says so once.
    pub(crate) fn take_due(&mut self, tick: Duration) -> bool {
        self.again.take_if(|again| *again <= tick).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_in_trouble_is_asked_less_and_less() {
        let (mut refill, mut tick, mut pauses) = (Refill::default(), Duration::from_secs(7), Vec::new());
        for _ in 0..12 {
            refill.back_off(tick);
            let due = refill.due().unwrap();
            assert!(!refill.take_due(due - Duration::from_millis(1)));
            assert!(refill.take_due(due) && !refill.take_due(due));
            pauses.push((due - tick).as_secs());
            tick = due;
        }
        assert_eq!(pauses, [10, 20, 30, 50, 80, 130, 210, 340, 550, 610, 610, 610]);
        refill.forget_troubles();
        refill.back_off(tick);
        assert_eq!(refill.due(), Some(tick + Duration::from_secs(10)));
    }
}
