//! Our signing keys: their life, what is published, what signs (overview §1.3; RFC 7517, RFC 7518).

mod error;
mod jose;
mod keeper;
mod master_key;
mod published;
mod ring;
mod store;

pub use error::{KeyError, KeyringError, KeysError};
pub use jose::{SigningKey, rs256};
pub use keeper::{KeyKeeper, Keys};
pub use master_key::MasterKey;
pub use published::{KeySet, PublicKey};
pub use ring::{KeyEntry, KeyRules, KeyState, Keyring, NEXT_KEYS, PUBLISHED_MAX};
pub use store::{KeyStore, KeyTable, StoredKey};
