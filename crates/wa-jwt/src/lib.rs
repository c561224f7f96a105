#![doc = include_str!("../README.md")]
//!
//! # In detail
//! [`ForeignKeySet`] reads a published key set key by key, [`KeyCache`] fetches and keeps one, [`TokenVerifier`] says
//! what a token must claim, [`RemoteVerifier`] puts the three together and remembers what it has verified. Only RS256
//! is taken. The arithmetic of a signature is not here: an engine comes in as a [`MakeKey`] and is asked through
//! [`VerifyRs256`].

mod cache;
mod compact;
mod error;
mod json;
mod key_set;
mod memory;
mod remote;
mod rsa;
mod verifier;

#[cfg(test)]
mod test_engine;

pub use cache::{KeyCache, KeyCacheRules, KeyCacheStatus};
pub use error::{FetchError, KeySetError, KeyUnusable, RemoteRefusal, TokenRefusal};
pub use json::object as strict_json;
pub use key_set::ForeignKeySet;
pub use remote::RemoteVerifier;
pub use rsa::{MakeKey, VerifyRs256};
pub use verifier::{TokenVerifier, VerifiedClaims};
