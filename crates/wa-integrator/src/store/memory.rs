//! The contract kept in memory: for tests and for trying things out; gone with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::keys::{KeyStore, KeyTable};
use crate::push::{Counts, DeadLetter, NewWakeUp, OutboxStore, Outcome, Put, Selection, WakeUp};
use crate::store::Store;
use crate::tokens::UserStore;
use crate::value::{StoreError, UserIdentifier};

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    keys: KeyTable,
    users: BTreeSet<String>,
    /// By sink and user.
    outbox: BTreeMap<(String, String), Waiting>,
    dead: Vec<DeadLetter>,
    last_id: i64,
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

#[async_trait]
impl KeyStore for MemoryStore {
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
}

#[async_trait]
impl UserStore for MemoryStore {
    async fn remember_user(&self, user: UserIdentifier, _: u64) -> Result<(), StoreError> {
        self.state().users.insert(user.as_str().to_owned());
        Ok(())
    }

    async fn forget_user(&self, user: UserIdentifier) -> Result<bool, StoreError> {
        let mut state = self.state();
        let before = state.outbox.len() + state.dead.len();
        state.outbox.retain(|(_, waiting), _| waiting != user.as_str());
        state.dead.retain(|dead| dead.user != user);
        let gone = state.outbox.len() + state.dead.len() < before;
        Ok(state.users.remove(user.as_str()) || gone)
    }
}

#[async_trait]
impl OutboxStore for MemoryStore {
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
        let key = (wake_up.sink.clone(), wake_up.user.as_str().to_owned());
        let waiting = state.outbox.get_mut(&key).filter(|waiting| waiting.wake_up.id == wake_up.id);
        let Some(waiting) = waiting else { return Ok(()) };
        let failed = outcome != Outcome::Delivered;
        if waiting.wake_up.count != wake_up.count {
            // Pushed again meanwhile: due since then.
            waiting.wake_up.attempts = if failed { wake_up.attempts.saturating_add(1) } else { 0 };
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
                let WakeUp { sink, user, count, received_at, attempts, .. } = wake_up;
                let attempts = attempts.saturating_add(1);
                state.dead.push(DeadLetter { sink, user, count, received_at, attempts, died_at: at });
            }
        }
        Ok(())
    }

    async fn sweep(&self, now: u64, dead_before: u64) -> Result<u64, StoreError> {
        let mut state = self.state();
        let before = state.outbox.len() + state.dead.len();
        state.outbox.retain(|_, waiting| waiting.wake_up.expires_at > now);
        state.dead.retain(|dead| dead.died_at >= dead_before);
        Ok(count(before - state.outbox.len() - state.dead.len()))
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        let state = self.state();
        Ok(Counts {
            waiting: count(state.outbox.len()),
            next_due: state.outbox.values().map(|waiting| waiting.due_at).min(),
            dead: count(state.dead.len()),
            users: count(state.users.len()),
        })
    }

    async fn next_due(&self, sink: &str) -> Result<Option<u64>, StoreError> {
        let state = self.state();
        let of_sink = state.outbox.values().filter(|waiting| waiting.wake_up.sink == sink);
        Ok(of_sink.map(|waiting| waiting.due_at).min())
    }

    async fn dead_letters(&self, of: Selection, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        let state = self.state();
        let mut dead: Vec<_> =
            state.dead.iter().filter(|dead| of.covers(&dead.sink, &dead.user)).cloned().collect();
        dead.sort_by_key(|dead| std::cmp::Reverse(dead.died_at));
        dead.truncate(limit);
        Ok(dead)
    }

    async fn revive(&self, of: Selection, now: u64, expires_at: u64) -> Result<u64, StoreError> {
        let mut state = self.state();
        let all = std::mem::take(&mut state.dead);
        let (revived, kept): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|dead| of.covers(&dead.sink, &dead.user));
        state.dead = kept;
        for dead in &revived {
            let new = NewWakeUp {
                user: dead.user.clone(),
                sinks: [dead.sink.clone()].into(),
                received_at: now,
                due_at: now,
                expires_at,
                for_strangers: true,
            };
            state.put(&dead.sink, &new);
        }
        Ok(count(revived.len()))
    }

    async fn drop_wake_ups(&self, of: Selection, waiting: bool) -> Result<u64, StoreError> {
        let mut state = self.state();
        let before = state.outbox.len() + state.dead.len();
        state.dead.retain(|dead| !of.covers(&dead.sink, &dead.user));
        if waiting {
            state.outbox.retain(|_, it| !of.covers(&it.wake_up.sink, &it.wake_up.user));
        }
        Ok(count(before - state.outbox.len() - state.dead.len()))
    }
}

impl Store for MemoryStore {}

impl State {
    fn put(&mut self, sink: &str, new: &NewWakeUp) {
        let key = (sink.to_owned(), new.user.as_str().to_owned());
        if let Some(waiting) = self.outbox.get_mut(&key) {
            let wake_up = &mut waiting.wake_up;
            wake_up.count = wake_up.count.saturating_add(1);
            wake_up.received_at = new.received_at;
            wake_up.expires_at = new.expires_at;
            waiting.due_at = waiting.due_at.min(new.due_at);
            return;
        }
        self.last_id += 1;
        let wake_up = WakeUp {
            id: self.last_id,
            sink: sink.to_owned(),
            user: new.user.clone(),
            count: 1,
            received_at: new.received_at,
            attempts: 0,
            expires_at: new.expires_at,
        };
        self.outbox.insert(key, Waiting { wake_up, due_at: new.due_at });
    }
}

impl Selection {
    fn covers(&self, sink: &str, user: &UserIdentifier) -> bool {
        self.sink.as_deref().is_none_or(|only| only == sink)
            && self.user.as_ref().is_none_or(|only| only == user)
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
