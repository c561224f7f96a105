//! A party of ours: the session record, its prekeys, and trust on first use, as an application keeps them.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wa_keys::{PrivateKey, PublicKey};
use wa_signal::{
    Bundle, DecryptError, KeyBlockId, Kind, LocalIdentity, PreKeyMessage, Prekeys, SessionRecord,
    SignalMessage, SignedPrekey, Trust,
};
use zeroize::Zeroizing;

use crate::oracle::Refusal;

/// The time of everything, in Unix seconds.
pub const NOW: u64 = 1_800_000_000;

/// One end of a conversation with one peer.
pub struct Ours {
    local: LocalIdentity,
    signed: BTreeMap<u32, PrivateKey>,
    one_time: BTreeMap<u32, PrivateKey>,
    record: SessionRecord,
    /// The keys of overtaken messages beside it.
    blocks: BTreeMap<KeyBlockId, Zeroizing<Vec<u8>>>,
    peer: Option<PublicKey>,
    rng: StdRng,
}

impl Ours {
    /// A new installation.
    pub fn new(registration_id: u32, rng: &mut StdRng) -> Self {
        let mut rng = StdRng::from_seed(rng.random());
        Self {
            local: LocalIdentity { key: PrivateKey::generate(&mut rng), registration_id },
            signed: BTreeMap::new(),
            one_time: BTreeMap::new(),
            record: SessionRecord::default(),
            blocks: BTreeMap::new(),
            peer: None,
            rng,
        }
    }

    /// The identity key.
    pub fn key(&self) -> &PrivateKey {
        &self.local.key
    }

    /// Publishes the signed prekey of that id, made when it is first asked for, and a new one-time prekey if one is.
    pub fn bundle(&mut self, signed_id: u32, one_time_id: Option<u32>) -> Bundle {
        let rng = &mut self.rng;
        let signed = self.signed.entry(signed_id).or_insert_with(|| PrivateKey::generate(rng));
        let one_time_prekey = one_time_id.map(|id| {
            let key = PrivateKey::generate(rng);
            let public = key.public_key();
            self.one_time.insert(id, key);
            (id, public)
        });
        Bundle {
            registration_id: self.local.registration_id,
            identity: self.local.key.public_key(),
            signed_prekey: SignedPrekey::sign(signed_id, signed, &self.local.key, rng),
            one_time_prekey,
        }
    }

    /// Begins a session.
    pub fn process(&mut self, bundle: &Bundle) -> Result<(), Refusal> {
        let trust = self.trust();
        let established = self.record.establish(&self.local.key, bundle, &trust, NOW, &mut self.rng);
        established.map_err(|_| Refusal::Other)?;
        self.peer = Some(bundle.identity);
        self.reload();
        Ok(())
    }

    /// Encrypts the next message.
    pub fn encrypt(&mut self, plaintext: &[u8]) -> Result<(Kind, Vec<u8>), Refusal> {
        let sealed =
            self.record.encrypt(&self.local, plaintext, NOW, &mut self.rng).map_err(|_| Refusal::Other)?;
        self.reload();
        Ok((sealed.kind, sealed.bytes.into()))
    }

    /// Decrypts a message.
    ///
    /// # Panics
    /// If a refused message has changed the record.
    pub fn decrypt(&mut self, kind: Kind, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
        let before = self.record.encode();
        let decrypted = match kind {
            Kind::PreKey => self.decrypt_prekey(bytes),
            Kind::Signal => self.decrypt_signal(bytes),
        };
        match decrypted {
            Ok(_) => self.reload(),
            Err(_) => assert!(before == self.record.encode(), "a refused message has changed the record"),
        }
        decrypted
    }

    fn decrypt_signal(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
        let message = SignalMessage::decode(bytes.to_vec().into()).map_err(|_| Refusal::Other)?;
        let trust = self.trust();
        self.load(&message);
        let decrypted = self.record.decrypt(&message, &trust).map_err(refusal)?;
        self.peer = Some(decrypted.identity);
        Ok(decrypted.plaintext)
    }

    fn decrypt_prekey(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
        let message = PreKeyMessage::decode(bytes.to_vec().into()).map_err(|_| Refusal::Other)?;
        let trust = self.trust();
        self.load(message.message());
        // A session that exists already needs no prekey; any key stands in for one that is gone by then.
        let signed = match self.signed.get(&message.signed_prekey_id) {
            None if self.record.knows(&message) => &self.local.key,
            signed => signed.ok_or(Refusal::Other)?,
        };
        let one_time = message.one_time_prekey_id.and_then(|id| self.one_time.get(&id));
        let prekeys = Prekeys { signed, one_time };
        let decrypted = self.record.decrypt_prekey(&self.local.key, prekeys, &message, &trust);
        let decrypted = decrypted.map_err(refusal)?;
        if let Some(id) = decrypted.used_one_time_prekey {
            self.one_time.remove(&id);
        }
        self.peer = Some(decrypted.identity);
        Ok(decrypted.plaintext)
    }

    fn trust(&self) -> Trust {
        self.peer.map_or(Trust::Any, Trust::Only)
    }

    /// Loads the keys that a message needs.
    fn load(&mut self, message: &SignalMessage) {
        for id in self.record.blocks_for(message).collect::<Vec<_>>() {
            let block = self.blocks.get(&id).map(|block| block.as_slice());
            self.record.load_block(id, block).expect("its own block");
        }
    }

    /// Every step goes through the stored form.
    fn reload(&mut self) {
        for (id, block) in self.record.take_block_changes() {
            match block {
                Some(block) => drop(self.blocks.insert(id, block)),
                None => drop(self.blocks.remove(&id)),
            }
        }
        self.record = SessionRecord::decode(&self.record.encode()).expect("its own record");
    }
}

fn refusal(error: DecryptError) -> Refusal {
    match error {
        DecryptError::Duplicate { .. } => Refusal::Duplicate,
        DecryptError::Untrusted => Refusal::Untrusted,
        _ => Refusal::Other,
    }
}
