//! Where the server keeps what it must not forget (overview §1.3, §3.2.2).
//!
//! What a store must do is said where it is needed: [`KeyStore`], [`UserStore`], [`OutboxStore`] and
//! [`MediaStore`](crate::media::MediaStore). [`MemoryStore`] does it for tests, [`SqliteStore`] and [`SqliteMedia`] for one
//! machine, `PostgresStore` for many.

mod memory;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::keys::KeyStore;
use crate::push::OutboxStore;
use crate::tokens::UserStore;
use crate::value::StoreError;

pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use postgres::{Imported, PostgresAddress, PostgresStore};
pub use sqlite::{SqliteMedia, SqliteStore};

/// A store of everything but hosted media.
#[async_trait]
pub trait Store: KeyStore + UserStore + OutboxStore {
    /// Whether the store answers.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn check(&self) -> Result<(), StoreError> {
        self.keys().await.map(drop)
    }

    /// Connections to it that are open, and how many of them are in use, where it has several.
    fn connections(&self) -> Option<(usize, usize)> {
        None
    }
}

/// What may be done with a store that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Nothing: a store that is not there, or is behind this program, is an error.
    Existing,
    /// A store is made where there is none. A file that is behind is brought to this program's version; a database that
    /// is behind is an error, because others use it.
    Serve,
    /// A store is made where there is none, and brought to this program's version.
    Upgrade,
}

/// The stores, behind one pointer.
pub type AnyStore = Arc<dyn Store>;

/// A private key that came out of a database, wiped when dropped.
fn secret(bytes: Vec<u8>) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes)
}
