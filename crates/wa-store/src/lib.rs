#![doc = include_str!("../README.md")]
//!
//! # What is encrypted
//! Values, with XChaCha20-Poly1305 under the caller's key, a random nonce for each, bound to the account and the row's
//! name: a value that was moved, exchanged or changed is [`StoreError::Corrupt`](wa_chat::StoreError::Corrupt). Names
//! of rows are not: they hold users' addresses and message ids. Sizes and the time of writing can be seen as well.
//!
//! # What looks like nothing
//! A missing, empty, cut or foreign file is an error in [`SqliteStore::open`], never a store without accounts: a new
//! one is made by [`SqliteStore::create`] alone, and never over anything.
//!
//! # Two processes
//! An application and its notification extension share an account by taking turns: [`SqliteStore::try_lease`] and
//! [`SqliteStore::lease`] say who has it. A process that holds it and is stopped is overtaken after its term, and finds
//! [`StoreError::Fenced`](wa_chat::StoreError::Fenced) when it goes on. What another process may have changed has to be
//! read again: there is no pause, but `close` of the client, [`Lease::release`], [`SqliteStore::close`], and opening.
//!
//! # Copies
//! Copy a store that is open with SQLite's `VACUUM INTO` (it makes one whole file; copying the file by itself leaves out
//! what still stands in the write-ahead log). Every transaction that writes moves a number in the database and in the
//! small file beside it (`….opened`). An older copy that is put back while the small file stayed is [`OpenError::Restored`]: leave the
//! small file out of backups. Where both come back together, as with a snapshot of a machine, nothing in them can know:
//! keep [`SqliteStore::number`] elsewhere now and then (a keychain, a key service) and open with
//! [`SqliteStore::open_from`]. What to do with an older copy says [`SqliteStore::open_restored`].

mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod lease;
mod number;
mod schema;
mod seal;
mod sqlite;
mod writer;

pub use crate::error::{BadAccountId, LeaseError, OpenError};
pub use crate::lease::Lease;
pub use crate::seal::StoreKey;
pub use crate::sqlite::{AccountId, AccountStore, SqliteStore};
