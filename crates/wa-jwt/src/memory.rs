//! Tokens that were verified, so that none is verified twice: a push token lives for an hour and comes with every push.
//!
//! A token is kept as its SHA-256 and what it claims, and only once every check has passed. What time may change is
//! judged again on each hit, and a hit needs the very key set that the signature was verified with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::key_set::ForeignKeySet;
use crate::verifier::VerifiedClaims;

/// At most [`TOKENS_MAX`] verified tokens; the older half is forgotten when it is full.
#[derive(Debug, Default)]
pub(crate) struct TokenMemory(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    newer: HashMap<[u8; 32], Remembered>,
    older: HashMap<[u8; 32], Remembered>,
}

#[derive(Clone, Debug)]
struct Remembered {
    claims: Arc<VerifiedClaims>,
    /// The set whose key signed it.
    keys: Arc<ForeignKeySet>,
}

/// How many tokens are remembered.
pub(crate) const TOKENS_MAX: usize = 4096;

impl TokenMemory {
    /// The claims of a token that was verified with this key set.
    pub(crate) fn get(&self, digest: &[u8; 32], keys: &Arc<ForeignKeySet>) -> Option<Arc<VerifiedClaims>> {
        let halves = self.halves();
        let remembered = halves.newer.get(digest).or_else(|| halves.older.get(digest))?;
        Arc::ptr_eq(&remembered.keys, keys).then(|| Arc::clone(&remembered.claims))
    }

    /// Remembers a token whose every check has passed.
    pub(crate) fn put(&self, digest: [u8; 32], claims: Arc<VerifiedClaims>, keys: Arc<ForeignKeySet>) {
        let mut halves = self.halves();
        if halves.newer.len() >= TOKENS_MAX / 2 {
            halves.older = std::mem::take(&mut halves.newer);
        }
        halves.newer.insert(digest, Remembered { claims, keys });
    }

    fn halves(&self) -> MutexGuard<'_, Halves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a token is remembered by.
pub(crate) fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
impl TokenMemory {
    pub(crate) fn len(&self) -> usize {
        let halves = self.halves();
        halves.newer.len() + halves.older.len()
    }
}
