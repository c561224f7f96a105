//! Events that wait for the application: rows of the inbox, and what is told once.

use std::collections::VecDeque;

use crate::Event;
use crate::messenger::MAX_READY;
use crate::row::InboxEntry;
use crate::weighed::{BUDGET, Weighed};

/// Events told once that wait; what comes then is dropped and counted.
const MAX_TOLD: usize = 64;

/// Events that wait to be taken.
#[derive(Debug, Default)]
pub(crate) struct Events {
    waiting: Weighed<Waiting>,
    told: usize,
    dropped: u64,
    /// Rows that were taken and not confirmed, in their order.
    unconfirmed: VecDeque<u64>,
}

/// A row stays as short as it is stored until it is taken.
#[derive(Debug)]
enum Waiting {
    Row(u64, InboxEntry),
    Told(Event),
}

impl Events {
    /// A row of the inbox, under its number.
    pub(crate) fn push(&mut self, number: u64, entry: InboxEntry) {
        let bytes = entry.bytes();
        self.waiting.push(Waiting::Row(number, entry), bytes);
    }

    /// Something that is told once. Of what a peer is doing the newest counts.
    pub(crate) fn tell(&mut self, event: Event) {
        if let Event::Typing { from, .. } = &event {
            let same = |waiting: &&mut Waiting| matches!(waiting, Waiting::Told(Event::Typing { from: other, .. }) if other == from);
            if let Some(waiting) = self.waiting.iter_mut().find(same) {
                *waiting = Waiting::Told(event);
                return;
            }
        }
        if self.told < MAX_TOLD {
            self.told += 1;
            self.waiting.push(Waiting::Told(event), MAX_ALLOCATED);
        } else {
            self.dropped += 1;
        }
    }

    /// The next event; behind those that waited, how many did not find room.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        match self.waiting.pop() {
            Some(Waiting::Row(number, entry)) => {
                self.unconfirmed.push_back(number);
                Some(entry.event(number))
            }
            Some(Waiting::Told(event)) => {
                self.told -= 1;
                Some(event)
            }
            None if self.dropped > 0 => Some(Event::Dropped { events: std::mem::take(&mut self.dropped) }),
            None => None,
        }
    }

    /// Numbers of the rows that were taken and not confirmed.
    pub(crate) fn unconfirmed(&self) -> &VecDeque<u64> {
        &self.unconfirmed
    }

    /// A row is confirmed.
    pub(crate) fn confirm(&mut self, number: u64) {
        if let Ok(at) = self.unconfirmed.binary_search(&number) {
            self.unconfirmed.remove(at);
        }
    }

    /// Whether every event was taken and confirmed.
    pub(crate) fn are_done(&self) -> bool {
        self.waiting.is_empty() && self.dropped == 0 && self.unconfirmed.is_empty()
    }

    /// Whether more rows may be read for the application.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_READY && self.waiting.bytes() < BUDGET / 2
    }

    /// Bytes that they hold.
    pub(crate) fn bytes(&self) -> usize {
        self.waiting.bytes()
    }
}

/// Bytes that an event told once has allocated at most: two ids or addresses.
const MAX_ALLOCATED: usize = 512;
