//! Where signing keys are kept: the contract, the same for every database and shown by one suite of tests.

use std::fmt;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::keys::KeyEntry;
use crate::value::StoreError;

/// Keeps the signing keys of all servers that share it. Times are Unix seconds.
///
/// What a method has answered is synced to the disk, and two servers that change the keys at the same time do not overwrite
/// each other.
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// The signing keys; generation 0 without keys before anything was written.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn keys(&self) -> Result<KeyTable, StoreError>;

    /// Replaces all keys, if the stored table's generation is the one before this table's.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else was first; nothing is changed then.
    async fn replace_keys(&self, table: KeyTable) -> Result<(), StoreError>;

    /// Ready when another server says that it has changed the keys; never, where none can say so.
    async fn keys_changed(&self) {
        std::future::pending().await
    }
}

/// All signing keys and the version of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyTable {
    /// Goes up by one with each replacement.
    pub generation: u64,
    /// When they were changed last.
    pub seen_at: u64,
    /// In the order in which they were published.
    pub keys: Vec<StoredKey>,
}

/// A signing key as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// What the keyring knows of it.
    pub entry: KeyEntry,
    /// The private half, in the clear (PKCS#8 in PEM) or sealed with a master key; none once it signs no more.
    pub private: Option<Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let private = if self.private.is_some() { "…" } else { "none" };
        f.debug_struct("StoredKey").field("entry", &self.entry).field("private", &private).finish()
    }
}
