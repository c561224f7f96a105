//! Two devices with a session between them, once of ours and once of the reference's.

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_keys::PrivateKey;
use wa_signal::{
    Bundle, Kind, LocalIdentity, PreKeyMessage, Prekeys, SessionRecord, SignalMessage, SignedPrekey, Trust,
};
use wacore_libsignal::protocol as reference;
use wacore_libsignal::protocol::{
    CiphertextMessage, DeviceId, GenericSignedPreKey as _, IdentityKeyPair, KeyPair, PreKeyBundle,
    PreKeyRecord, ProtocolAddress, SignedPreKeyRecord, Timestamp, UsePQRatchet,
};

use crate::ours::NOW;
use crate::reference::{Identities, Prekeys as TheirPrekeys, Sessions, at_once};

/// What every message says: a short text with the rest of what surrounds it.
pub const TEXT: [u8; 128] = [0x42; 128];

/// One device of ours.
pub struct Ours {
    local: LocalIdentity,
    /// Its side of the session.
    pub record: SessionRecord,
    signed: PrivateKey,
    one_time: PrivateKey,
    /// What it publishes.
    pub bundle: Bundle,
    rng: StdRng,
}

impl Ours {
    /// A device without sessions.
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let [key, signed, one_time] = [(); 3].map(|()| PrivateKey::generate(&mut rng));
        let local = LocalIdentity { key, registration_id: 7 };
        let bundle = Bundle {
            registration_id: 7,
            identity: local.key.public_key(),
            signed_prekey: SignedPrekey::sign(1, &signed, &local.key, &mut rng),
            one_time_prekey: Some((1, one_time.public_key())),
        };
        Self { local, record: SessionRecord::default(), signed, one_time, bundle, rng }
    }

    /// Two devices that have heard of each other, so that neither writes first messages any more.
    pub fn pair() -> [Self; 2] {
        let [mut alice, mut bob] = [Self::new(1), Self::new(2)];
        alice.establish(&bob.bundle.clone());
        let first = alice.encrypt();
        bob.decrypt_first(first);
        let answer = bob.encrypt();
        alice.decrypt(answer);
        [alice, bob]
    }

    /// Begins a session in an empty record.
    pub fn establish(&mut self, bundle: &Bundle) {
        self.record = SessionRecord::default();
        let established = self.record.establish(&self.local.key, bundle, &Trust::Any, NOW, &mut self.rng);
        established.expect("establishes");
    }

    /// The next message.
    pub fn encrypt(&mut self) -> Bytes {
        self.record.encrypt(&self.local, &TEXT, NOW, &mut self.rng).expect("encrypts").bytes
    }

    /// Opens a message of the session.
    pub fn decrypt(&mut self, message: Bytes) -> u64 {
        let message = SignalMessage::decode(message).expect("a message");
        let opened = self.record.decrypt(&message, &Trust::Any).expect("decrypts");
        opened.plaintext.len() as u64
    }

    /// Opens a first message in an empty record.
    pub fn decrypt_first(&mut self, message: Bytes) -> u64 {
        self.record = SessionRecord::default();
        let message = PreKeyMessage::decode(message).expect("a first message");
        let prekeys = Prekeys { signed: &self.signed, one_time: Some(&self.one_time) };
        let opened = self.record.decrypt_prekey(&self.local.key, prekeys, &message, &Trust::Any);
        opened.expect("decrypts").plaintext.len() as u64
    }

    /// Whether the next message would be a first one.
    pub fn is_unanswered(&self) -> bool {
        let sent = self
            .record
            .clone()
            .encrypt(&self.local, &TEXT, NOW, &mut StdRng::seed_from_u64(0))
            .expect("encrypts");
        sent.kind == Kind::PreKey
    }
}

/// One device of the reference's.
pub struct Theirs {
    address: ProtocolAddress,
    sessions: Sessions,
    identities: Identities,
    prekeys: TheirPrekeys,
    /// What it publishes.
    pub bundle: PreKeyBundle,
    rng: StdRng,
}

impl Theirs {
    /// A device without sessions.
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let ours = IdentityKeyPair::generate(&mut rng);
        let [signed, one_time] = [(); 2].map(|()| KeyPair::generate(&mut rng));
        let prefixed = signed.public_key.serialize();
        let signature = ours.private_key().calculate_signature(&prefixed, &mut rng).expect("signs");
        let bundle = PreKeyBundle::new(
            7,
            DeviceId::from(1),
            Some((1.into(), one_time.public_key)),
            1.into(),
            signed.public_key,
            signature.to_vec(),
            *ours.identity_key(),
        );
        Self {
            address: ProtocolAddress::new("peer", DeviceId::from(1)),
            sessions: Sessions::default(),
            identities: Identities { ours, known: None },
            prekeys: TheirPrekeys {
                signed: SignedPreKeyRecord::new(
                    1.into(),
                    Timestamp::from_epoch_millis(0),
                    &signed,
                    &signature,
                ),
                one_time: PreKeyRecord::new(1.into(), &one_time),
            },
            bundle: bundle.expect("a bundle"),
            rng,
        }
    }

    /// Two devices that have heard of each other, so that neither writes first messages any more.
    pub fn pair() -> [Self; 2] {
        let [mut alice, mut bob] = [Self::new(1), Self::new(2)];
        alice.establish(&bob.bundle);
        let first = alice.encrypt();
        bob.decrypt_first(first);
        let answer = bob.encrypt();
        alice.decrypt(answer);
        [alice, bob]
    }

    /// Begins a session in an empty store.
    pub fn establish(&mut self, bundle: &PreKeyBundle) {
        let Self { address, sessions, identities, rng, .. } = self;
        *sessions = Sessions::default();
        let begun =
            reference::process_prekey_bundle(address, sessions, identities, bundle, rng, UsePQRatchet::No);
        at_once(begun).expect("establishes");
    }

    /// The next message.
    pub fn encrypt(&mut self) -> Bytes {
        let Self { address, sessions, identities, .. } = self;
        let sealed =
            at_once(reference::message_encrypt(&TEXT, address, sessions, identities)).expect("encrypts");
        match sealed {
            CiphertextMessage::SignalMessage(message) => message.into_serialized().into_vec().into(),
            CiphertextMessage::PreKeySignalMessage(message) => message.into_serialized().into_vec().into(),
            _ => panic!("neither a first message nor one of a session"),
        }
    }

    /// Opens a message of the session.
    pub fn decrypt(&mut self, message: Bytes) -> u64 {
        let Self { address, sessions, identities, rng, .. } = self;
        let message = reference::SignalMessage::try_from(message).expect("a message");
        let opened = reference::message_decrypt_signal(&message, address, sessions, identities, rng);
        at_once(opened).expect("decrypts").plaintext.len() as u64
    }

    /// Opens a first message in an empty store.
    pub fn decrypt_first(&mut self, message: Bytes) -> u64 {
        let Self { address, sessions, identities, prekeys, rng, .. } = self;
        *sessions = Sessions::default();
        let message = reference::PreKeySignalMessage::try_from(message).expect("a first message");
        let signed = prekeys.clone();
        let opened = reference::message_decrypt_prekey(
            &message,
            address,
            sessions,
            identities,
            prekeys,
            &signed,
            rng,
            UsePQRatchet::No,
        );
        at_once(opened).expect("decrypts").plaintext.len() as u64
    }

    /// The record of the session.
    pub fn record(&self) -> reference::SessionRecord {
        self.sessions.0.lock().expect("unpoisoned").clone().expect("a session")
    }

    /// Puts another record in its place; gives the one that was there.
    pub fn replace_record(&mut self, record: reference::SessionRecord) -> reference::SessionRecord {
        self.sessions.0.get_mut().expect("unpoisoned").replace(record).expect("a session")
    }
}
