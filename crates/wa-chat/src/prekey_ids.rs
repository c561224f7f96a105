//! The ids of one-time prekeys: which were given out, and which the server has confirmed.

use std::ops::Range;

/// Ids begin at 1: some implementations take 0 for absent.
pub(crate) const FIRST_PREKEY: u32 = 1;

/// Ids are 24 bits on the wire; behind the last they begin again.
pub(crate) const LAST_PREKEY: u32 = 0x00FF_FFFF;

/// Where the ids stand. An id is given out once; those from `next_upload` on are with us and perhaps with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PrekeyIds {
    /// The next one to give out.
    pub(crate) next: u32,
    /// The first one that the server has not confirmed; `next` if it has all.
    pub(crate) next_upload: u32,
}

impl Default for PrekeyIds {
    fn default() -> Self {
        Self { next: FIRST_PREKEY, next_upload: FIRST_PREKEY }
    }
}

impl PrekeyIds {
    /// Gives out `count` ids for an upload; where `at_most` would lead behind the last id, they begin again.
    pub(crate) fn take(&mut self, at_most: u32, count: u32) -> Range<u32> {
        if self.next > LAST_PREKEY.saturating_sub(at_most) {
            *self = Self::default();
        }
        let first = self.next;
        self.next += count;
        first..self.next
    }

    /// Gives out one id for a prekey that the server never sees. None while an upload is unconfirmed: the ids of one
    /// are a range, and none of it may be given out twice.
    pub(crate) fn take_given(&mut self) -> Option<u32> {
        let id = self.next;
        if self.first_unconfirmed().is_some() || id > LAST_PREKEY {
            return None;
        }
        *self = Self { next: id + 1, next_upload: id + 1 };
        Some(id)
    }

    /// The server has those up to `last`.
    pub(crate) fn confirm(&mut self, last: u32) {
        self.next_upload = self.next_upload.max(last + 1);
    }

    /// The server has all of them. Says whether that is news.
    pub(crate) fn confirm_all(&mut self) -> bool {
        let is_news = self.first_unconfirmed().is_some();
        self.next_upload = self.next;
        is_news
    }

    /// The first id that the server has not confirmed, unless it has all.
    pub(crate) fn first_unconfirmed(self) -> Option<u32> {
        (self.next_upload != self.next).then_some(self.next_upload)
    }

    /// The last id that was given out.
    pub(crate) fn last(self) -> u32 {
        self.next.saturating_sub(1)
    }

    /// Whether none was ever given out.
    pub(crate) fn is_new(self) -> bool {
        self.next == FIRST_PREKEY
    }

    /// Passes over ids that may have been given out and confirmed by a later state of this account.
    pub(crate) fn leap(&mut self, ids: u32) {
        self.next = self.next.saturating_add(ids);
        self.next_upload = self.next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_unconfirmed_until_the_server_has_its_last() {
        let mut ids = PrekeyIds::default();
        assert!(ids.is_new());
        assert_eq!(ids.take(100, 3), 1..4);
        assert_eq!((ids.first_unconfirmed(), ids.last()), (Some(1), 3));
        ids.confirm(2);
        assert_eq!(ids.first_unconfirmed(), Some(3));
        ids.confirm(3);
        assert_eq!(ids.first_unconfirmed(), None);
        assert!(!ids.confirm_all(), "no news");
    }

    #[test]
    fn one_is_given_only_when_no_upload_is_unconfirmed() {
        let mut ids = PrekeyIds::default();
        assert_eq!(ids.take_given(), Some(1));
        assert_eq!(ids.take(100, 2), 2..4);
        assert_eq!(ids.take_given(), None, "2 and 3 may be uploaded again");
        assert!(ids.confirm_all());
        assert_eq!(ids.take_given(), Some(4));
        assert_eq!(ids.first_unconfirmed(), None);
    }

    #[test]
    fn behind_the_last_they_begin_again() {
        let mut ids = PrekeyIds { next: LAST_PREKEY - 50, next_upload: LAST_PREKEY - 50 };
        assert_eq!(ids.take(100, 100), 1..101);
        let mut ids = PrekeyIds { next: LAST_PREKEY + 1, next_upload: LAST_PREKEY + 1 };
        assert_eq!(ids.take_given(), None);
    }
}
