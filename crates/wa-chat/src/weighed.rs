//! A queue that knows how many bytes it holds, and how many a client may hold.

use std::collections::VecDeque;

/// Bytes that a client holds before [`Client::wants_input`](crate::Client::wants_input) says no.
///
/// They are estimated from above as allocated bytes, over inputs, rows, uncommitted writes, events and stanzas. One frame
/// may be let in just below, and what is made of it (its row, and the bytes of that in a transaction) comes on top: all
/// together stays within 4 MiB beyond one frame.
pub(crate) const BUDGET: usize = 2 << 20;

/// Bytes that counters and capacity of what an item has allocated take beside its content.
const ALLOCATION: usize = 64;

/// A queue and the bytes that it holds. An empty one holds no memory: most clients are idle most of the time.
#[derive(Debug)]
pub(crate) struct Weighed<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Weighed<T> {
    /// Appends an item that has allocated so many bytes beside its own size.
    pub(crate) fn push(&mut self, item: T, allocated: usize) {
        let bytes = Self::weigh(allocated);
        self.bytes += bytes;
        push_into(&mut self.items, (item, bytes));
    }

    /// Puts an item before all others.
    pub(crate) fn push_front(&mut self, item: T, allocated: usize) {
        let bytes = Self::weigh(allocated);
        self.bytes += bytes;
        self.items.push_front((item, bytes));
    }

    /// A queue has at most twice the room that it needs.
    fn weigh(allocated: usize) -> usize {
        allocated + ALLOCATION + 2 * size_of::<(T, usize)>()
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.remove(0)
    }

    pub(crate) fn remove(&mut self, position: usize) -> Option<T> {
        let (item, bytes) = self.items.remove(position)?;
        self.bytes -= bytes;
        free_if_empty(&mut self.items);
        Some(item)
    }

    /// An item, and the bytes that it was said to hold with its place.
    pub(crate) fn get(&self, position: usize) -> Option<(&T, usize)> {
        self.items.get(position).map(|(item, bytes)| (item, *bytes))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|(item, _)| item)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut().map(|(item, _)| item)
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps the items of which `keep` says so, as they are.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.items.retain(|(item, _)| keep(item));
        self.bytes = self.items.iter().map(|(_, bytes)| bytes).sum();
    }

    /// Forgets everything, and the room for it.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Appends an item. A queue mostly holds one, and begins with room for that: it is had and given back at once, where room
/// for four costs more than allocators keep at hand.
pub(crate) fn push_into<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.capacity() == 0 {
        queue.reserve_exact(1);
    }
    queue.push_back(item);
}

/// Gives back the room of a queue that is empty.
pub(crate) fn free_if_empty<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() {
        *queue = VecDeque::new();
    }
}

impl<T> Default for Weighed<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), bytes: 0 }
    }
}
