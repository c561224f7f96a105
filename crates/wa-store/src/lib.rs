//! A durable store for chat clients: many accounts in one SQLite file, every value encrypted.
//!
//! A [`SqliteStore`] is a file and two threads, one that writes and one that reads. What many accounts ask for at the
//! same time shares one commit, and so one sync of the disk (write-ahead log, `synchronous=FULL`); each is answered
//! alone, behind the sync. An [`AccountStore`] is one account of it and what a [`Client`](wa_chat::Client) is given.
//!
//! ```
//! use wa_store::{AccountId, SqliteStore, StoreKey};
//!
//! # fn run(directory: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//! let key = StoreKey::generate(); // keep it where the platform keeps secrets
//! let store = SqliteStore::create(&directory.join("accounts.db"), &key)?;
//! let alice = store.account(&AccountId::new("alice")?)?;
//! # Ok(())
//! # }
//! # let directory = tempfile::tempdir().unwrap();
//! # run(directory.path()).unwrap();
//! ```
//!
//! # What is encrypted
//! Values, with XChaCha20-Poly1305 under the caller's key, a random nonce for each, bound to the account and the row's
//! name: a value that was moved, exchanged or changed is [`StoreError::Corrupt`](wa_chat::StoreError::Corrupt). Names
//! of rows are not: they hold users' addresses and message ids. Sizes and the time of writing can be seen as well.
//!
//! # What looks like nothing
//! A missing, empty, cut or foreign file is an error in [`SqliteStore::open`], never a store without accounts: a new
//! one is made by [`SqliteStore::create`] alone, and never over anything. An older copy of the file that was put back
//! is [`OpenError::Restored`] if the store was opened after the copy was made and the small file beside it (`….opened`)
//! was not put back with it; see [`SqliteStore::open_restored`].

mod error;
mod schema;
mod seal;
mod sqlite;
mod writer;

pub use crate::error::{BadAccountId, OpenError};
pub use crate::seal::StoreKey;
pub use crate::sqlite::{AccountId, AccountStore, SqliteStore};
