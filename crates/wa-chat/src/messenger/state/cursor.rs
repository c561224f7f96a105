//! A cursor over a log in the store: live rows pass straight through, the rest is read in pages.

/// Rows of one page.
pub(crate) const PAGE: u16 = 64;

/// Bytes of one page, about.
pub(crate) const PAGE_BYTES: usize = 512 * 1024;

/// Where the reader of a log stands. Numbers are those of the rows; there may be gaps.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    /// The next row to hand out; none while the log is not being read.
    next: Option<u64>,
    /// Behind the last committed row.
    end: u64,
    /// Rises whenever the cursor is set anew: a page asked for before is dropped.
    epoch: u64,
}

/// A page that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) from: u64,
    pub(crate) to: u64,
    epoch: u64,
}

impl Cursor {
    /// The log ends here, as its counter says.
    pub(crate) fn set_end(&mut self, end: u64) {
        self.end = self.end.max(end);
    }

    /// Reads the log from its start.
    pub(crate) fn restart(&mut self) {
        self.next = Some(0);
        self.epoch += 1;
    }

    /// Reads no more.
    pub(crate) fn stop(&mut self) {
        self.next = None;
        self.epoch += 1;
    }

    /// The page to ask for, if committed rows were not handed out yet.
    pub(crate) fn wanted(&self) -> Option<Page> {
        let from = self.next.filter(|&next| next < self.end)?;
        Some(Page { from, to: self.end, epoch: self.epoch })
    }

    /// Whether the rows of a page are to be handed out; the numbers are those that it has. A page may end anywhere: only
    /// one without rows, or with the last, is the end.
    pub(crate) fn take_page(&mut self, page: Page, numbers: &[u64]) -> bool {
        if page.epoch != self.epoch || self.next != Some(page.from) {
            return false;
        }
        self.next = Some(numbers.last().map_or(page.to, |last| last + 1));
        true
    }

    /// Whether rows that were committed just now are to be handed out at once; the last has this number.
    pub(crate) fn take_live(&mut self, last: u64) -> bool {
        let is_at_end = self.next == Some(self.end);
        self.end = self.end.max(last + 1);
        if is_at_end {
            self.next = Some(self.end);
        }
        is_at_end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_lead_to_the_end_and_then_rows_pass_through() {
        let mut cursor = Cursor::default();
        cursor.set_end(100);
        assert_eq!(cursor.wanted(), None, "not started");
        cursor.restart();
        let page = cursor.wanted().unwrap();
        assert_eq!((page.from, page.to), (0, 100));
        assert!(!cursor.take_live(100), "older rows come first");
        let numbers: Vec<u64> = (10..74).collect();
        assert!(cursor.take_page(page, &numbers));
        let page = cursor.wanted().unwrap();
        assert_eq!((page.from, page.to), (74, 101));
        assert!(cursor.take_page(page, &[80, 90]));
        let page = cursor.wanted().unwrap();
        assert_eq!((page.from, page.to), (91, 101), "it may have been short because its rows are long");
        assert!(cursor.take_page(page, &[]));
        assert_eq!(cursor.wanted(), None);
        assert!(cursor.take_live(105));
        assert_eq!(cursor.wanted(), None);
    }

    #[test]
    fn a_page_from_before_a_restart_is_dropped() {
        let mut cursor = Cursor::default();
        cursor.set_end(5);
        cursor.restart();
        let page = cursor.wanted().unwrap();
        cursor.stop();
        assert!(!cursor.take_page(page, &[1, 2]));
        cursor.restart();
        assert!(!cursor.take_page(page, &[1, 2]));
        assert_eq!(cursor.wanted().map(|page| page.from), Some(0));
    }
}
