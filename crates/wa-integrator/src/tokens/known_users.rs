//! Our users, as far as this server knows them: those who got a token (overview §1.2.2).

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::value::{StoreError, UserIdentifier};

/// Keeps who our users are.
#[async_trait]
pub trait UserStore: Send + Sync + 'static {
    /// Notes that this is one of our users.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn remember_user(&self, user: UserIdentifier, now: u64) -> Result<(), StoreError>;

    /// Forgets a user, every wake-up for them that waits, and every one that was given up; whether there was anything.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn forget_user(&self, user: UserIdentifier) -> Result<bool, StoreError>;
}

/// Notes users in a store, and remembers for a while whom it has noted.
pub(crate) struct KnownUsers {
    store: Arc<dyn UserStore>,
    /// By the hash of a user: when they were noted.
    noted: Mutex<HashMap<u64, u64>>,
    hasher: RandomState,
}

/// How many are remembered: a megabyte.
const NOTED_MAX: usize = 65_536;
/// For how long, in seconds: until then a server does not see that another one has forgotten a user.
const NOTED_SECONDS: u64 = 600;

impl KnownUsers {
    pub(crate) fn new(store: Arc<dyn UserStore>) -> Self {
        Self { store, noted: Mutex::default(), hasher: RandomState::new() }
    }

    pub(crate) async fn note(&self, user: &UserIdentifier, now: u64) -> Result<(), StoreError> {
        let key = self.hasher.hash_one(user);
        if self.noted().get(&key).is_some_and(|at| now.abs_diff(*at) < NOTED_SECONDS) {
            return Ok(());
        }
        self.store.remember_user(user.clone(), now).await?;
        let mut noted = self.noted();
        if noted.len() >= NOTED_MAX {
            noted.clear();
        }
        noted.insert(key, now);
        Ok(())
    }

    /// Forgets a user here and in the store; with their next token they are one of ours again. Other servers on the store note
    /// them again once [`NOTED_SECONDS`] have passed.
    pub(crate) async fn forget(&self, user: &UserIdentifier) -> Result<bool, StoreError> {
        let forgotten = self.store.forget_user(user.clone()).await?;
        self.noted().remove(&self.hasher.hash_one(user));
        Ok(forgotten)
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    /// By another server, or by the command line, which tell nobody.
    #[tokio::test]
    async fn a_user_who_was_forgotten_elsewhere_is_one_of_ours_again_after_a_while() {
        let store = Arc::new(MemoryStore::new());
        let users = KnownUsers::new(Arc::clone(&store) as _);
        let alice = UserIdentifier::new("alice", 40).unwrap();
        users.note(&alice, 1000).await.unwrap();
        assert_eq!(store.forget_user(alice.clone()).await, Ok(true));
        users.note(&alice, 1000 + NOTED_SECONDS).await.unwrap();
        assert_eq!(store.forget_user(alice).await, Ok(true));
    }
}
