//! What is wrong with our keys.

use std::fmt;

use thiserror::Error;

use crate::value::{StoreError, date};

/// Why keys cannot be read, changed or used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeysError {
    /// A key cannot be used.
    #[error("the signing key {0}")]
    Key(#[from] KeyError),
    /// The keyring refuses.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is wrong with a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is not an RSA private key as PKCS#8 in PEM.
    #[error("is not an rsa private key as pkcs#8 in pem")]
    NotPkcs8,
    /// The modulus has too few or too many bits.
    #[error("has {bits} bits, which is outside 2048 to 8192")]
    Size {
        /// How many it has.
        bits: u32,
    },
    /// A new key could not be made; the world's fault.
    #[error("could not be made")]
    Generation,
    /// The key signs nothing that its public half verifies.
    #[error("could not sign")]
    Signing,
    /// The key could not be sealed for the store; the world's fault.
    #[error("could not be sealed")]
    Sealing,
    /// The stored key is sealed with another master key, or was changed.
    #[error("does not open with this master key")]
    Sealed,
    /// The stored key is sealed and there is no master key; the configuration's fault.
    #[error("is sealed, and there is no master key")]
    MasterKeyMissing,
    /// The private half that should sign is not in the store.
    #[error("has no private half in the store")]
    PrivateMissing,
}

/// Why a keyring refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// No Next has been published for long enough to sign.
    #[error("no key has been published for long enough to sign{}", When(*ripe_at))]
    NotRipe {
        /// From when on one may, in Unix seconds; none when no Next is published.
        ripe_at: Option<u64>,
    },
    /// There is no such key.
    #[error("there is no such key")]
    Unknown,
    /// The key is not published any more.
    #[error("the key is not published any more")]
    Ended,
    /// The ring has, or had, this key.
    #[error("the key is known already")]
    Known,
    /// More keys would be published than clients read.
    #[error("too many keys are published")]
    Full,
    /// The clock shows a time before a change that was made; the world's fault.
    #[error("the clock is {seconds} seconds behind the last change of the keys")]
    ClockBack {
        /// By how much.
        seconds: u64,
    },
    /// The state that this server knows is too old to act on.
    #[error("the keys have not been read for too long")]
    Stale,
}

/// How a time is told, if it is known.
struct When(Option<u64>);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(at) => write!(f, "; the next may from {} on", date(at)),
            None => Ok(()),
        }
    }
}
