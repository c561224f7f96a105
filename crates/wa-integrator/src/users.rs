//! Our users, as far as this server knows them: whoever got a token (seed §1.2.2).

use std::{
    collections::HashSet,
    future::Future,
    hash::{BuildHasher as _, RandomState},
    pin::Pin,
    sync::{Mutex, PoisonError},
};

use crate::{StoreError, UserIdentifier, store::Store};

/// Notes users in a store, and remembers for a while whom it has noted.
pub(crate) struct Users<S> {
    store: S,
    noted: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

/// [`Users`] whatever the store is.
pub(crate) trait UserLog: Send + Sync {
    fn note<'a>(
        &'a self,
        user: &'a UserIdentifier,
        now: u64,
    ) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;
}

impl<S: Store> Users<S> {
    pub(crate) fn new(store: S) -> Self {
        Self { store, noted: Mutex::default(), hasher: RandomState::new() }
    }

    fn is_noted(&self, key: u64) -> bool {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).contains(&key)
    }
}

impl<S: Store> UserLog for Users<S> {
    fn note<'a>(
        &'a self,
        user: &'a UserIdentifier,
        now: u64,
    ) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>> {
        Box::pin(async move {
            let key = self.hasher.hash_one(user);
            if self.is_noted(key) {
                return Ok(());
            }
            self.store.remember_user(user.clone(), now).await?;
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.len() >= NOTED_MAX {
                noted.clear();
            }
            noted.insert(key);
            Ok(())
        })
    }
}

/// How many are remembered: half a megabyte.
const NOTED_MAX: usize = 65_536;
