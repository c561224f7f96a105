//! A bounded map: the oldest entry makes room for a new one.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The newest entries by key. An entry is as old as its key.
#[derive(Debug)]
pub(crate) struct Newest<K, V> {
    most: usize,
    entries: HashMap<K, V>,
    /// The keys, oldest first.
    in_order: VecDeque<K>,
}

impl<K: Eq + Hash + Clone, V> Newest<K, V> {
    /// A map that is empty and keeps at most so many entries.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, entries: HashMap::new(), in_order: VecDeque::new() }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    /// The keys, oldest first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.in_order.iter()
    }

    /// The value under a key; this one if there was none.
    pub(crate) fn get_or_insert(&mut self, key: K, value: V) -> &mut V {
        if !self.entries.contains_key(&key) {
            if self.in_order.len() >= self.most
                && let Some(oldest) = self.in_order.pop_front()
            {
                self.entries.remove(&oldest);
            }
            self.in_order.push_back(key.clone());
        }
        self.entries.entry(key).or_insert(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_whatever_its_key() {
        let mut newest = Newest::new(2);
        for (key, value) in [("z", 1), ("b", 2), ("z", 3), ("a", 4)] {
            newest.get_or_insert(key, value);
        }
        assert_eq!([newest.get(&"a"), newest.get(&"b"), newest.get(&"z")], [Some(&4), Some(&2), None]);
        assert_eq!(newest.keys().collect::<Vec<_>>(), [&"b", &"a"]);
    }
}
