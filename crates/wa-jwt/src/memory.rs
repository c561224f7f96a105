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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_engine::aws_lc;

    #[test]
    fn half_of_what_is_remembered_is_forgotten_at_a_time() {
        let (memory, keys) =
            (TokenMemory::default(), Arc::new(ForeignKeySet::parse(PUBLISHED, aws_lc).unwrap()));
        let token = |number: usize| digest(&number.to_string());
        for number in 0..TOKENS_MAX {
            memory.put(token(number), Arc::default(), Arc::clone(&keys));
        }
        assert_eq!(memory.len(), TOKENS_MAX);
        assert!((0..TOKENS_MAX).all(|number| memory.get(&token(number), &keys).is_some()));
        memory.put(token(TOKENS_MAX), Arc::default(), Arc::clone(&keys));
        assert_eq!(memory.len(), TOKENS_MAX / 2 + 1);
        assert!(memory.get(&token(0), &keys).is_none() && memory.get(&token(TOKENS_MAX), &keys).is_some());
    }

    /// RFC 7638 §3.1.
    const PUBLISHED: &[u8] = br#"{"keys":[{"kty":"RSA","kid":"a","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}]}"#;
}
