//! Our users, as far as this server knows them: those who got a token (overview §1.2.2).

use std::collections::HashSet;
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
    noted: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

/// How many are remembered: half a megabyte.
const NOTED_MAX: usize = 65_536;

impl KnownUsers {
    pub(crate) fn new(store: Arc<dyn UserStore>) -> Self {
        Self { store, noted: Mutex::default(), hasher: RandomState::new() }
    }

    pub(crate) async fn note(&self, user: &UserIdentifier, now: u64) -> Result<(), StoreError> {
        let key = self.hasher.hash_one(user);
        if self.noted().contains(&key) {
            return Ok(());
        }
        self.store.remember_user(user.clone(), now).await?;
        let mut noted = self.noted();
        if noted.len() >= NOTED_MAX {
            noted.clear();
        }
        noted.insert(key);
        Ok(())
    }

    /// Forgets a user here and in the store; with their next token they are one of ours again.
    pub(crate) async fn forget(&self, user: &UserIdentifier) -> Result<bool, StoreError> {
        let forgotten = self.store.forget_user(user.clone()).await?;
        self.noted().remove(&self.hasher.hash_one(user));
        Ok(forgotten)
    }

    fn noted(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
