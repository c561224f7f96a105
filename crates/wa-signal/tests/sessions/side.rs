//! One side of a conversation, with its store: a record, and the blocks of keys beside it.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_keys::PrivateKey;
use wa_signal::{
    Bundle, Ciphertext, DecryptError, Decrypted, EstablishError, KeyBlockId, Kind, LocalIdentity,
    PreKeyMessage, Prekeys, SessionRecord, SignalMessage, SignedPrekey, SkipLimits, Trust,
};

pub(crate) const NOW: u64 = 1_800_000_000;

/// One side: its keys and its record of the other.
pub(crate) struct Side {
    pub(crate) local: LocalIdentity,
    pub(crate) signed_prekey: PrivateKey,
    pub(crate) one_time: Option<PrivateKey>,
    pub(crate) record: SessionRecord,
    /// The rows beside the record.
    pub(crate) blocks: BTreeMap<KeyBlockId, Vec<u8>>,
    pub(crate) limits: SkipLimits,
    pub(crate) rng: StdRng,
}

impl Side {
    pub(crate) fn new(rng: &mut StdRng) -> Self {
        Self {
            local: LocalIdentity { key: PrivateKey::generate(rng), registration_id: 7 },
            signed_prekey: PrivateKey::generate(rng),
            one_time: Some(PrivateKey::generate(rng)),
            record: SessionRecord::default(),
            blocks: BTreeMap::new(),
            limits: SkipLimits::default(),
            rng: StdRng::from_rng(rng),
        }
    }

    pub(crate) fn bundle(&self, rng: &mut StdRng) -> Bundle {
        Bundle {
            registration_id: self.local.registration_id,
            identity: self.local.key.public_key(),
            signed_prekey: SignedPrekey::sign(1, &self.signed_prekey, &self.local.key, rng),
            one_time_prekey: self.one_time.as_ref().map(|key| (9, key.public_key())),
        }
    }

    pub(crate) fn establish(&mut self, bundle: &Bundle, rng: &mut StdRng) -> Result<(), EstablishError> {
        self.record.establish(&self.local.key, bundle, &Trust::Any, NOW, rng)
    }

    pub(crate) fn send(&mut self, text: &[u8]) -> Ciphertext {
        self.record.encrypt(&self.local, text, NOW, &mut self.rng).unwrap()
    }

    pub(crate) fn receive(&mut self, sent: &Ciphertext) -> Result<Decrypted, DecryptError> {
        self.receive_trusting(sent, &Trust::Any)
    }

    /// Decrypts with the blocks that the record asks for; whatever fails must have changed nothing.
    pub(crate) fn receive_trusting(
        &mut self,
        sent: &Ciphertext,
        trust: &Trust,
    ) -> Result<Decrypted, DecryptError> {
        let decrypted = match sent.kind {
            Kind::Signal => {
                let message = SignalMessage::decode(sent.bytes.clone()).map_err(|_| DecryptError::Invalid)?;
                self.load(&message);
                self.unless_it_fails(|record| record.decrypt(&message, trust))
            }
            Kind::PreKey => {
                let message = PreKeyMessage::decode(sent.bytes.clone()).map_err(|_| DecryptError::Invalid)?;
                self.load(message.message());
                let (identity, signed, one_time) =
                    (self.local.key.clone(), self.signed_prekey.clone(), self.one_time.clone());
                let prekeys = Prekeys { signed: &signed, one_time: one_time.as_ref() };
                self.unless_it_fails(|record| record.decrypt_prekey(&identity, prekeys, &message, trust))
            }
        };
        if decrypted.as_ref().is_ok_and(|decrypted| decrypted.used_one_time_prekey.is_some()) {
            self.one_time = None;
        }
        self.store();
        decrypted
    }

    pub(crate) fn load(&mut self, message: &SignalMessage) {
        for id in self.record.blocks_for(message).collect::<Vec<_>>() {
            self.record.load_block(id, self.blocks.get(&id).map(Vec::as_slice)).unwrap();
        }
    }

    pub(crate) fn unless_it_fails<T>(
        &mut self,
        act: impl FnOnce(&mut SessionRecord) -> Result<T, DecryptError>,
    ) -> Result<T, DecryptError> {
        let mut before = self.record.clone();
        let done = act(&mut self.record);
        if done.is_err() {
            assert_eq!(self.record.encode(), before.encode(), "a failure changed the record");
            let changes = self.record.clone().take_block_changes();
            assert_eq!(changes, before.take_block_changes(), "a failure changed a block");
        }
        done
    }

    /// Writes record and blocks, and reads the record again.
    pub(crate) fn store(&mut self) {
        for (id, block) in self.record.take_block_changes() {
            match block {
                Some(block) => self.blocks.insert(id, block.to_vec()),
                None => self.blocks.remove(&id),
            };
        }
        assert_eq!(self.record.take_block_changes(), [], "what was taken is given once");
        self.record = SessionRecord::decode(&self.record.encode()).unwrap().with_limits(self.limits);
    }
}

/// Two sides, the first of which has the other's bundle; nothing sent yet.
pub(crate) fn pair(rng: &mut StdRng) -> (Side, Side) {
    let (mut alice, bob) = (Side::new(rng), Side::new(rng));
    let bundle = bob.bundle(rng);
    alice.establish(&bundle, rng).unwrap();
    (alice, bob)
}

/// Two sides that have both heard from each other.
pub(crate) fn acquainted(rng: &mut StdRng) -> (Side, Side) {
    let (mut alice, mut bob) = pair(rng);
    bob.receive(&alice.send(b"hello")).unwrap();
    alice.receive(&bob.send(b"hello")).unwrap();
    (alice, bob)
}

pub(crate) fn rng() -> StdRng {
    StdRng::seed_from_u64(5)
}
