//! The contract kept in memory: for tests and for trying things out; gone with the process.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Counts, KeyTable, NewWakeUp, Outcome, Put, Store, WakeUp};
use crate::{StoreError, UserIdentifier};

/// A [`Store`] in memory.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    keys: KeyTable,
    users: BTreeSet<String>,
    /// By sink and user.
    outbox: BTreeMap<(String, String), Waiting>,
    dead: Vec<u64>,
}

#[derive(Debug)]
struct Waiting {
    wake_up: WakeUp,
    due_at: u64,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    async fn keys(&self) -> Result<KeyTable, StoreError> {
        Ok(self.state().keys.clone())
    }

    async fn replace_keys(&self, table: KeyTable) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.keys.generation.checked_add(1) != Some(table.generation) {
            return Err(StoreError::Conflict);
        }
        state.keys = table;
        Ok(())
    }

    async fn remember_user(&self, user: UserIdentifier, _: u64) -> Result<(), StoreError> {
        self.state().users.insert(user.as_str().to_owned());
        Ok(())
    }

    async fn forget_user(&self, user: UserIdentifier) -> Result<bool, StoreError> {
        let mut state = self.state();
        state.outbox.retain(|(_, waiting), _| waiting != user.as_str());
        Ok(state.users.remove(user.as_str()))
    }

    async fn put_wake_up(&self, new: NewWakeUp) -> Result<Put, StoreError> {
        let mut state = self.state();
        let known = state.users.contains(new.user.as_str());
        if known || new.for_strangers {
            for sink in new.sinks.iter() {
                state.put(sink, &new);
            }
        }
        Ok(Put { known })
    }

    async fn due_wake_ups(&self, sink: &str, now: u64, limit: usize) -> Result<Vec<WakeUp>, StoreError> {
        let state = self.state();
        let due = |waiting: &&Waiting| waiting.wake_up.sink == sink && waiting.due_at <= now;
        let mut due: Vec<&Waiting> = state.outbox.values().filter(due).collect();
        due.sort_by_key(|waiting| waiting.due_at);
        Ok(due.into_iter().take(limit).map(|waiting| waiting.wake_up.clone()).collect())
    }

    async fn settle(&self, wake_up: WakeUp, outcome: Outcome) -> Result<(), StoreError> {
        let mut state = self.state();
        let key = (wake_up.sink, wake_up.user.as_str().to_owned());
        let Some(waiting) = state.outbox.get_mut(&key) else { return Ok(()) };
        if waiting.wake_up.count != wake_up.count {
            // Pushed again meanwhile: due since then.
            waiting.wake_up.attempts = 0;
            waiting.due_at = waiting.wake_up.received_at;
            return Ok(());
        }
        match outcome {
            Outcome::Delivered => drop(state.outbox.remove(&key)),
            Outcome::Retry { at } => {
                waiting.wake_up.attempts = waiting.wake_up.attempts.saturating_add(1);
                waiting.due_at = at;
            }
            Outcome::Dead { at } => {
                state.outbox.remove(&key);
                state.dead.push(at);
            }
        }
        Ok(())
    }

    async fn sweep(&self, now: u64, dead_before: u64) -> Result<u64, StoreError> {
        let mut state = self.state();
        let before = state.outbox.len() + state.dead.len();
        state.outbox.retain(|_, waiting| waiting.wake_up.expires_at > now);
        state.dead.retain(|at| *at >= dead_before);
        let swept = before - state.outbox.len() - state.dead.len();
        Ok(u64::try_from(swept).unwrap_or(u64::MAX))
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        let state = self.state();
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        Ok(Counts {
            waiting: count(state.outbox.len()),
            next_due: state.outbox.values().map(|waiting| waiting.due_at).min(),
            dead: count(state.dead.len()),
            users: count(state.users.len()),
        })
    }
}

impl State {
    fn put(&mut self, sink: &str, new: &NewWakeUp) {
        let key = (sink.to_owned(), new.user.as_str().to_owned());
        if let Some(waiting) = self.outbox.get_mut(&key) {
            let wake_up = &mut waiting.wake_up;
            wake_up.count = wake_up.count.saturating_add(1);
            wake_up.received_at = new.received_at;
            wake_up.expires_at = new.expires_at;
            return;
        }
        let wake_up = WakeUp {
            sink: sink.to_owned(),
            user: new.user.clone(),
            count: 1,
            received_at: new.received_at,
            attempts: 0,
            expires_at: new.expires_at,
        };
        self.outbox.insert(key, Waiting { wake_up, due_at: new.received_at });
    }
}
