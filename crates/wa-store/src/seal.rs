//! Encryption of values: XChaCha20-Poly1305, a random nonce for each, bound to account and row.

use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use rand::rngs::SysRng;
use rand_core::{Rng, UnwrapErr};
use wa_chat::{StoreError, Value};
use zeroize::Zeroizing;

/// The key that the values of a store are encrypted with. The caller keeps it: without it the store is lost.
#[derive(Clone)]
pub struct StoreKey(Zeroizing<[u8; 32]>);

const NONCE: usize = 24;

impl StoreKey {
    /// A new key from the operating system's randomness.
    pub fn generate() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        UnwrapErr(SysRng).fill_bytes(&mut *key);
        Self(key)
    }

    /// A key that was kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, to be kept where the platform keeps secrets.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(..)")
    }
}

/// Seals and opens the values of one account.
#[derive(Clone)]
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
    account: Vec<u8>,
}

impl Sealer {
    pub(crate) fn new(key: &StoreKey, account: &[u8]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(&Key::from(*key.0)), account: account.to_vec() }
    }

    /// Nonce and ciphertext.
    pub(crate) fn seal(&self, row: &[u8], value: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        UnwrapErr(SysRng).fill_bytes(&mut nonce);
        let aad = self.aad(row);
        let payload = Payload { msg: value, aad: &aad };
        // It fails beyond 256 GiB only; what is stored then cannot be opened.
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).unwrap_or_default();
        [&nonce[..], &sealed].concat()
    }

    pub(crate) fn open(&self, row: &[u8], sealed: &[u8]) -> Result<Value, StoreError> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE>().ok_or(StoreError::Corrupt)?;
        let aad = self.aad(row);
        let payload = Payload { msg: ciphertext, aad: &aad };
        let value = self.cipher.decrypt(&XNonce::from(*nonce), payload);
        value.map(Value::new).map_err(|_| StoreError::Corrupt)
    }

    /// Account and row, the account with its length, so that no two run together.
    fn aad(&self, row: &[u8]) -> Vec<u8> {
        let length = u32::try_from(self.account.len()).unwrap_or(u32::MAX).to_be_bytes();
        [&length, &*self.account, row].concat()
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_where_it_was_sealed_and_nowhere_else() {
        let key = StoreKey::generate();
        let (alice, bob) = (Sealer::new(&key, b"alice"), Sealer::new(&key, b"bob"));
        let sealed = alice.seal(b"row", b"value");
        assert_eq!(alice.open(b"row", &sealed).unwrap().as_bytes(), b"value");
        assert_eq!(alice.open(b"wor", &sealed).err(), Some(StoreError::Corrupt));
        assert_eq!(bob.open(b"row", &sealed).err(), Some(StoreError::Corrupt));
        let other = Sealer::new(&StoreKey::generate(), b"alice");
        assert_eq!(other.open(b"row", &sealed).err(), Some(StoreError::Corrupt));
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert_eq!(alice.open(b"row", &changed).err(), Some(StoreError::Corrupt), "byte {position}");
            assert_eq!(
                alice.open(b"row", &sealed[..position]).err(),
                Some(StoreError::Corrupt),
                "cut at {position}"
            );
        }
    }

    #[test]
    fn names_do_not_run_together_and_no_two_nonces_are_the_same() {
        let key = StoreKey::generate();
        let sealed = Sealer::new(&key, b"a").seal(b"bc", b"");
        assert_eq!(Sealer::new(&key, b"ab").open(b"c", &sealed).err(), Some(StoreError::Corrupt));
        let alice = Sealer::new(&key, b"alice");
        assert_ne!(alice.seal(b"row", b"value"), alice.seal(b"row", b"value"));
        assert_eq!(format!("{key:?}{alice:?}"), "StoreKey(..)Sealer(..)");
    }
}
