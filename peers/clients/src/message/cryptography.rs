//! The cryptography of a text alone: a step of the chain, the message's cipher and MAC, and the seal of its frame.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_keys::PrivateKey;
use wa_signal::{
    Bundle, LocalIdentity, PreKeyMessage, Prekeys, SessionRecord, SignalMessage, SignedPrekey, Trust,
};

const NOW: u64 = 1_800_000_000;

/// Bytes of a padded text, as the client makes one, and of the frame that it travels in.
const PADDED: usize = 64;
const FRAME: usize = 230;

/// Two ends that know each other.
pub struct Cryptography {
    local: LocalIdentity,
    sender: SessionRecord,
    receiver: SessionRecord,
    frame: Aes256Gcm,
    rng: StdRng,
}

impl Cryptography {
    /// Both have written, so that neither sends prekeys any more.
    pub fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(11);
        let mut identity =
            |registration_id| LocalIdentity { key: PrivateKey::generate(&mut rng), registration_id };
        let (local, peer) = (identity(1), identity(2));
        let prekey = PrivateKey::generate(&mut rng);
        let signed_prekey = SignedPrekey::sign(1, &prekey, &peer.key, &mut rng);
        let (registration_id, identity) = (2, peer.key.public_key());
        let bundle = Bundle { registration_id, identity, signed_prekey, one_time_prekey: None };
        let (mut sender, mut receiver) = (SessionRecord::default(), SessionRecord::default());
        sender.establish(&local.key, &bundle, &Trust::Any, NOW, &mut rng).expect("begins");
        let first = sender.encrypt(&local, b"hi", NOW, &mut rng).expect("encrypts");
        let first = PreKeyMessage::decode(first.bytes).expect("a message");
        let prekeys = Prekeys { signed: &prekey, one_time: None };
        receiver.decrypt_prekey(&peer.key, prekeys, &first, &Trust::Any).expect("decrypts");
        let answer = receiver.encrypt(&peer, b"hi", NOW, &mut rng).expect("encrypts");
        let answer = SignalMessage::decode(answer.bytes).expect("a message");
        sender.decrypt(&answer, &Trust::Any).expect("decrypts");
        let frame = Aes256Gcm::new_from_slice(&[7; 32]).expect("a key");
        let mut cryptography = Self { local, sender, receiver, frame, rng };
        // The turn of the ratchet, which the chain that it is compared with has behind it.
        cryptography.receive(1);
        cryptography
    }

    /// How long it takes to encrypt and seal so many texts.
    pub fn send(&mut self, texts: u32) -> Duration {
        let mut elapsed = Duration::ZERO;
        for _ in 0..texts {
            let start = Instant::now();
            let message = self.encrypt();
            self.seal();
            elapsed += start.elapsed();
            self.decrypt(message);
        }
        elapsed
    }

    /// How long it takes to open and decrypt so many texts, and to seal a receipt and an ack for each.
    pub fn receive(&mut self, texts: u32) -> Duration {
        let mut elapsed = Duration::ZERO;
        for _ in 0..texts {
            let message = self.encrypt();
            let start = Instant::now();
            (0..3).for_each(|_| self.seal());
            self.decrypt(message);
            elapsed += start.elapsed();
        }
        elapsed
    }

    fn encrypt(&mut self) -> Bytes {
        let sent = self.sender.encrypt(&self.local, &[5; PADDED], NOW, &mut self.rng);
        sent.expect("encrypts").bytes
    }

    fn decrypt(&mut self, message: Bytes) {
        let message = SignalMessage::decode(message).expect("a message");
        self.receiver.decrypt(&message, &Trust::Any).expect("decrypts");
    }

    /// Opening costs what sealing does.
    fn seal(&self) {
        let mut frame = [3; FRAME];
        let tag = self.frame.encrypt_inout_detached(&[0; 12].into(), b"", frame.as_mut_slice().into());
        black_box((frame, tag.expect("seals")));
    }
}
