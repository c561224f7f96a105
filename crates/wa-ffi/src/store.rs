//! The store, its accounts, and who of several processes holds one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wa_interop::store::{AccountId, AccountStore, SqliteStore, StoreKey};

use crate::error::WaError;
use crate::tasks::{Canceller, unless};

/// Many accounts in one file, every value encrypted with a key of the caller's.
#[derive(Debug, uniffi::Object)]
pub struct Store(SqliteStore);

/// One account of a store: what a client is opened on.
#[derive(Debug, uniffi::Object)]
pub struct Account(pub(crate) AccountStore);

/// An account that this process holds until it releases it or is overtaken.
#[derive(Debug, uniffi::Object)]
pub struct Lease(wa_interop::store::Lease);

/// A fresh key, 32 bytes. Keep it where the platform keeps secrets: without it the store is lost.
#[uniffi::export]
#[must_use]
pub fn new_store_key() -> Vec<u8> {
    StoreKey::generate().as_bytes().to_vec()
}

#[uniffi::export(async_runtime = "tokio")]
impl Store {
    /// Makes a store at a path where nothing is.
    ///
    /// # Errors
    /// There is a file, or it cannot be made; the key has not 32 bytes.
    #[uniffi::constructor]
    pub fn create(path: &str, key: Vec<u8>) -> Result<Arc<Self>, WaError> {
        Ok(Arc::new(Self(SqliteStore::create(Path::new(path), &store_key(key)?)?)))
    }

    /// Opens a store that is there.
    ///
    /// # Errors
    /// There is none, it is damaged, newer, or an older copy, or the key is another's.
    #[uniffi::constructor]
    pub fn open(path: &str, key: Vec<u8>) -> Result<Arc<Self>, WaError> {
        Ok(Arc::new(Self(SqliteStore::open(Path::new(path), &store_key(key)?)?)))
    }

    /// The account of this name, taken from its present owner. Where several processes take turns, `lease` is the way.
    ///
    /// # Errors
    /// The file cannot be written; the name has not 1 to 128 bytes.
    pub fn account(&self, name: &str) -> Result<Arc<Account>, WaError> {
        let name = AccountId::new(name).map_err(WaError::argument)?;
        Ok(Arc::new(Account(self.0.account(&name)?)))
    }

    /// Takes the account if no other holder has it; `holder` is this process's part ("app", "extension").
    ///
    /// # Errors
    /// `Held`, or the file cannot be written.
    pub fn try_lease(&self, name: &str, holder: &str, term_millis: u64) -> Result<Arc<Lease>, WaError> {
        let name = AccountId::new(name).map_err(WaError::argument)?;
        let lease = self.0.try_lease(&name, holder, Duration::from_millis(term_millis))?;
        Ok(Arc::new(Lease(lease)))
    }

    /// Takes the account as `try_lease` does, but waits for the other holder, who is told.
    ///
    /// # Errors
    /// The file cannot be written; `Cancelled`.
    #[uniffi::method(default(canceller = None))]
    pub async fn lease(
        &self,
        name: String,
        holder: String,
        term_millis: u64,
        canceller: Option<Arc<Canceller>>,
    ) -> Result<Arc<Lease>, WaError> {
        let name = AccountId::new(name).map_err(WaError::argument)?;
        let term = Duration::from_millis(term_millis);
        unless(canceller, async { Ok(Arc::new(Lease(self.0.lease(&name, &holder, term).await?))) }).await
    }

    /// How far the store has come: kept elsewhere, it recognises a snapshot that was put back.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.number()
    }

    /// Lets go of the files. Call it before the process is suspended: no lock is held then.
    pub async fn shut_down(&self) {
        self.0.clone().close().await;
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl Lease {
    /// The account that is held.
    #[must_use]
    pub fn account(&self) -> Arc<Account> {
        Arc::new(Account(self.0.account()))
    }

    /// Waits until another process asks for the account, or has it.
    pub async fn wanted(&self) {
        self.0.wanted().await;
    }

    /// Waits until the account is another's, or was released.
    pub async fn lost(&self) {
        self.0.lost().await;
    }

    /// Gives the account back; others can take it when this returns.
    pub async fn release(&self) {
        self.0.release().await;
    }
}

fn store_key(key: Vec<u8>) -> Result<StoreKey, WaError> {
    let key: [u8; 32] = key.try_into().map_err(|_| WaError::argument("a store's key has 32 bytes"))?;
    Ok(StoreKey::from_bytes(key))
}
