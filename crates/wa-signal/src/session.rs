//! One session: a root, a sending chain, a few receiving chains (observed).

use std::collections::VecDeque;

use bytes::Bytes;
use rand_core::CryptoRng;
use wa_keys::{PrivateKey, PublicKey, ZeroSecret};

use crate::chain_key::ChainKey;
use crate::hmac::Hmac;
use crate::key_block::{KeyBlockId, KeyBlocks};
use crate::message::{Ciphertext, Envelope, Header, Kind};
use crate::message_keys::{MessageKeys, Parties};
use crate::receiver_chain::{Budget, ReceiverChain};
use crate::record::MAX_UNACKNOWLEDGED_AGE;
use crate::root_key::RootKey;
use crate::{Bundle, DecryptError, EncryptError, LocalIdentity, PreKeyMessage, Prekeys, SignalMessage, x3dh};

/// Ratchet keys of the peer's that a session remembers; the oldest is dropped, and what was sent under it and has not
/// arrived is lost: keys that are kept can be stolen (Double Ratchet §6.4; observed).
pub const MAX_RECEIVER_CHAINS: usize = 5;

/// A session as a value. A failed call leaves it unchanged.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) local_identity: PublicKey,
    pub(crate) remote_identity: PublicKey,
    pub(crate) remote_registration_id: u32,
    pub(crate) root: RootKey,
    /// The initiator's ephemeral key: the session's name.
    pub(crate) base_key: PublicKey,
    pub(crate) previous_counter: u32,
    /// None while the peer has turned and nothing was sent since: the next message brings a new ratchet key.
    pub(crate) sender: Option<SenderChain>,
    /// The peer's chains, the oldest first.
    pub(crate) receivers: VecDeque<ReceiverChain>,
    pub(crate) unacknowledged: Option<Unacknowledged>,
    /// Whether nothing is sent before the next turn, because messages may have been sent that this state does not know of.
    pub(crate) receive_only: bool,
}

/// Our current ratchet key and its chain.
#[derive(Clone, Debug)]
pub(crate) struct SenderChain {
    pub(crate) ratchet: PrivateKey,
    pub(crate) public: PublicKey,
    pub(crate) chain: ChainKey,
}

/// The peer's prekeys that began the session; sent along until it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unacknowledged {
    pub(crate) one_time_prekey_id: Option<u32>,
    pub(crate) signed_prekey_id: u32,
    /// The date of the first message, in Unix seconds.
    pub(crate) since: u64,
}

impl Session {
    /// The initiator's side; the bundle's signature was verified.
    pub(crate) fn initiate(
        identity: &PrivateKey,
        bundle: &Bundle,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, ZeroSecret> {
        let (base, ratchet) = (PrivateKey::generate(rng), PrivateKey::generate(rng));
        let prekey = &bundle.signed_prekey.key;
        // DH1 = DH(IK_A, SPK_B), DH2 = DH(EK_A, IK_B), DH3 = DH(EK_A, SPK_B), DH4 = DH(EK_A, OPK_B) (X3DH §3.3).
        let (root, receiving) = x3dh::agree(
            [(identity, prekey), (&base, &bundle.identity), (&base, prekey)],
            bundle.one_time_prekey.as_ref().map(|(_, key)| (&base, key)),
        )?;
        // The signed prekey is the peer's first ratchet key, so that the initiator can turn the ratchet and send at once;
        // the chain that X3DH gave is what the peer sends on until it turns too (Double Ratchet §5.1; observed).
        let (root, sending) = root.advance(&ratchet, prekey)?;
        Ok(Self {
            local_identity: identity.public_key(),
            remote_identity: bundle.identity,
            remote_registration_id: bundle.registration_id,
            root,
            base_key: base.public_key(),
            previous_counter: 0,
            sender: Some(SenderChain::new(ratchet, sending)),
            receivers: VecDeque::from([ReceiverChain::new(*prekey, receiving)]),
            receive_only: false,
            unacknowledged: Some(Unacknowledged {
                one_time_prekey_id: bundle.one_time_prekey.map(|(id, _)| id),
                signed_prekey_id: bundle.signed_prekey.id,
                since: now,
            }),
        })
    }

    /// The responder's side, before the first message is decrypted.
    pub(crate) fn respond(
        identity: &PrivateKey,
        prekeys: Prekeys<'_>,
        message: &PreKeyMessage,
    ) -> Result<Self, DecryptError> {
        let one_time = match (message.one_time_prekey_id, prekeys.one_time) {
            (None, _) => None,
            (Some(_), Some(key)) => Some((key, &message.base_key)),
            (Some(id), None) => return Err(DecryptError::NoOneTimePrekey(id)),
        };
        // The initiator's DH1 to DH4, each from the other side (X3DH §3.4).
        let (signed, base_key) = (prekeys.signed, &message.base_key);
        let (root, chain) =
            x3dh::agree([(signed, &message.identity), (identity, base_key), (signed, base_key)], one_time)?;
        Ok(Self {
            local_identity: identity.public_key(),
            remote_identity: message.identity,
            remote_registration_id: message.registration_id,
            root,
            base_key: message.base_key,
            previous_counter: 0,
            // Nothing is sent on it: the message that began the session brings a new ratchet key, and to decrypt it turns
            // the ratchet with the signed prekey as ours.
            sender: Some(SenderChain::new(signed.clone(), chain)),
            receivers: VecDeque::new(),
            receive_only: false,
            unacknowledged: None,
        })
    }

    /// Encrypts the next message of the sending chain.
    pub(crate) fn encrypt(
        &mut self,
        local: &LocalIdentity,
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Ciphertext, EncryptError> {
        self.turn(rng)?;
        let parties = Parties { sender: &self.local_identity, receiver: &self.remote_identity };
        let sender = self.sender.as_mut().ok_or(EncryptError::NoSession)?;
        // The chain moves on before anything is encrypted. A message's keys are all there is to its IV, so that two
        // messages under one counter would share both (Double Ratchet §3.4).
        let counter = sender.chain.index();
        let mut hmac = Hmac::unkeyed();
        let seed = sender.chain.advance(&mut hmac).ok_or(EncryptError::Exhausted)?;
        let keys = MessageKeys::derive(&mut hmac, &seed);
        // Encrypt, then MAC: over both identities, in the message's direction, and over all that is sent before the MAC.
        let header = Header { ratchet: &sender.public, counter, previous: self.previous_counter };
        let (mut message, start) = header.before(plaintext);
        keys.encrypt(&mut message, start);
        let mac = keys.mac(&mut hmac, parties, &message);
        message.extend_from_slice(&mac);
        Ok(self.envelop(local.registration_id, message.into()))
    }

    /// Makes a new ratchet key to send with, if the peer has turned since the last was made.
    ///
    /// It is made now and not when the peer turned: a session that only reads never pays for it, and the key is as young as
    /// it can be (Double Ratchet §6.5).
    pub(crate) fn turn(&mut self, rng: &mut impl CryptoRng) -> Result<(), EncryptError> {
        if self.sender.is_none() {
            let theirs = self.receivers.back().ok_or(EncryptError::NoSession)?.ratchet;
            let ratchet = PrivateKey::generate(rng);
            // Our new ratchet key with the newest of theirs gives the chain that we send on (Double Ratchet §3.5, DHRatchet).
            // Theirs is of no small order, or there would be no chain of it.
            let (root, chain) = self.root.advance(&ratchet, &theirs).map_err(|_| EncryptError::NoSession)?;
            self.root = root;
            self.sender = Some(SenderChain::new(ratchet, chain));
        }
        Ok(())
    }

    fn envelop(&self, registration_id: u32, message: Bytes) -> Ciphertext {
        let Some(unacknowledged) = &self.unacknowledged else {
            return Ciphertext { kind: Kind::Signal, bytes: message };
        };
        let envelope = Envelope {
            registration_id,
            one_time_prekey_id: unacknowledged.one_time_prekey_id,
            signed_prekey_id: unacknowledged.signed_prekey_id,
            identity: self.local_identity,
            base_key: self.base_key,
        };
        Ciphertext { kind: Kind::PreKey, bytes: envelope.wrap(message) }
    }

    /// Decrypts a message of this session; on failure nothing has changed.
    pub(crate) fn decrypt(
        &mut self,
        message: &SignalMessage,
        blocks: &mut KeyBlocks,
        budget: &mut Budget,
    ) -> Result<Vec<u8>, DecryptError> {
        let plaintext = match self.receiver(&message.ratchet_key) {
            Some(position) => self.decrypt_on_chain(position, message, blocks, budget)?,
            None => self.decrypt_and_turn(message, blocks, budget)?,
        };
        self.unacknowledged = None;
        Ok(plaintext)
    }

    /// The receiving chain of a ratchet key, if the session has it.
    pub(crate) fn receiver(&self, ratchet: &PublicKey) -> Option<usize> {
        // The key is public, so that its comparison may take as long as it takes.
        self.receivers.iter().position(|chain| chain.ratchet.as_bytes() == ratchet.as_bytes())
    }

    fn decrypt_on_chain(
        &mut self,
        position: usize,
        message: &SignalMessage,
        blocks: &mut KeyBlocks,
        budget: &mut Budget,
    ) -> Result<Vec<u8>, DecryptError> {
        let session = self.base_key;
        let parties = Parties { sender: &self.remote_identity, receiver: &self.local_identity };
        let chain = self.receivers.get_mut(position).ok_or(DecryptError::Invalid)?;
        let mut hmac = Hmac::unkeyed();
        // Found beside the chain, applied once the message has authenticated: a forged one must neither move the chain nor
        // use up a skipped key (Double Ratchet §3.5).
        let (seed, step) = chain.find(message.counter, &session, blocks, budget, &mut hmac)?;
        let plaintext = open(&seed, &mut hmac, parties, message)?;
        chain.apply(step, &session, blocks, budget.limits);
        Ok(plaintext)
    }

    /// The peer's ratchet key is new: one step of the root to receive. The one to send follows when there is something to
    /// send.
    fn decrypt_and_turn(
        &mut self,
        message: &SignalMessage,
        blocks: &mut KeyBlocks,
        budget: &mut Budget,
    ) -> Result<Vec<u8>, DecryptError> {
        // The peer turns only when it has heard from us since the last turn: it has not, if we have no chain to send on.
        let sender = self.sender.as_ref().ok_or(DecryptError::Invalid)?;
        let theirs = message.ratchet_key;
        let session = self.base_key;
        // Our present ratchet key with their new one gives the chain that they send on (Double Ratchet §3.5, DHRatchet).
        let (root, receiving) = self.root.advance(&sender.ratchet, &theirs)?;
        let mut chain = ReceiverChain::new(theirs, receiving);
        let mut hmac = Hmac::unkeyed();
        let (seed, step) = chain.find(message.counter, &session, blocks, budget, &mut hmac)?;
        let parties = Parties { sender: &self.remote_identity, receiver: &self.local_identity };
        let plaintext = open(&seed, &mut hmac, parties, message)?;

        // Nothing of the session has changed up to here, and nothing can fail from here on. Our old private key goes: who
        // takes this state later cannot read what came before. The chains before stay as they are: a late message walks its
        // own chain when it comes, so that the peer's count of the previous one (PN of §3.5) is not needed.
        chain.apply(step, &session, blocks, budget.limits);
        // One less than the PN of §3.5: the number of the last message, not how many there were (observed).
        self.previous_counter = sender.chain.index().saturating_sub(1);
        self.root = root;
        self.sender = None;
        self.receive_only = false;
        if self.receivers.len() == MAX_RECEIVER_CHAINS
            && let Some(mut oldest) = self.receivers.pop_front()
        {
            while oldest.drop_oldest(&session, blocks) {}
        }
        self.receivers.push_back(chain);
        Ok(plaintext)
    }

    /// Whether the peer has not answered for so long that it may have deleted the prekeys that every message names until it
    /// does (X3DH §3.2).
    pub(crate) fn is_stale(&self, now: u64) -> bool {
        let since = self.unacknowledged.as_ref().map_or(now, |unacknowledged| unacknowledged.since);
        now.saturating_sub(since) > MAX_UNACKNOWLEDGED_AGE
    }

    /// Whether a message can be sent in it at all.
    pub(crate) fn can_send(&self) -> bool {
        !self.receive_only && (self.sender.is_some() || !self.receivers.is_empty())
    }

    /// The block that a message needs, if the session has its ratchet key.
    pub(crate) fn block_for(&self, message: &SignalMessage) -> Option<KeyBlockId> {
        let chain = self.receivers.get(self.receiver(&message.ratchet_key)?)?;
        let number = chain.block_for(message.counter)?;
        Some(KeyBlockId::of_chain(&self.base_key, &chain.ratchet).with_number(number))
    }

    /// Blocks of keys in all chains.
    pub(crate) fn blocks(&self) -> usize {
        self.receivers.iter().map(|chain| chain.blocks.len()).sum()
    }

    /// Gives the oldest block up; says whether there was one.
    pub(crate) fn drop_oldest_block(&mut self, blocks: &mut KeyBlocks) -> bool {
        let session = self.base_key;
        self.receivers.iter_mut().any(|chain| chain.drop_oldest(&session, blocks))
    }
}

fn open(
    seed: &[u8; 32],
    hmac: &mut Hmac,
    parties: Parties<'_>,
    message: &SignalMessage,
) -> Result<Vec<u8>, DecryptError> {
    let opened = MessageKeys::derive(hmac, seed).open(
        hmac,
        parties,
        message.body(),
        message.mac(),
        &message.ciphertext,
    );
    opened.map_err(|_| DecryptError::Invalid)
}

impl SenderChain {
    pub(crate) fn new(ratchet: PrivateKey, chain: ChainKey) -> Self {
        Self { public: ratchet.public_key(), ratchet, chain }
    }
}
