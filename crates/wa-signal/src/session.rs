//! One session: a root, a sending chain, a few receiving chains (observed).

use std::collections::VecDeque;

use bytes::Bytes;
use rand_core::CryptoRng;
use wa_keys::{PrivateKey, PublicKey, ZeroSecret};

use crate::chain_key::ChainKey;
use crate::hmac::Hmac;
use crate::message::{Ciphertext, Envelope, Header, Kind};
use crate::message_chain::MessageChain;
use crate::message_keys::{MessageKeys, Parties};
use crate::root_key::RootKey;
use crate::{Bundle, DecryptError, EncryptError, LocalIdentity, PreKeyMessage, Prekeys, SignalMessage, x3dh};

/// Ratchet keys of the peer's that a session remembers; the oldest is dropped.
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
    pub(crate) sender: SenderChain,
    /// Oldest first.
    pub(crate) receivers: VecDeque<ReceiverChain>,
    pub(crate) unacknowledged: Option<Unacknowledged>,
}

/// Our current ratchet key and its chain.
#[derive(Clone, Debug)]
pub(crate) struct SenderChain {
    pub(crate) ratchet: PrivateKey,
    pub(crate) public: PublicKey,
    pub(crate) chain: ChainKey,
}

/// A ratchet key of the peer's and the messages that came with it.
#[derive(Clone, Debug)]
pub(crate) struct ReceiverChain {
    pub(crate) ratchet: PublicKey,
    pub(crate) messages: MessageChain,
}

/// The peer's prekeys that began the session; sent along until it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unacknowledged {
    pub(crate) one_time_prekey_id: Option<u32>,
    pub(crate) signed_prekey_id: u32,
    /// Unix seconds.
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
            sender: SenderChain::new(ratchet, sending),
            receivers: VecDeque::from([ReceiverChain::new(*prekey, receiving)]),
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
            sender: SenderChain::new(signed.clone(), chain),
            receivers: VecDeque::new(),
            unacknowledged: None,
        })
    }

    /// Encrypts the next message of the sending chain.
    pub(crate) fn encrypt(
        &mut self,
        local: &LocalIdentity,
        plaintext: &[u8],
    ) -> Result<Ciphertext, EncryptError> {
        // The chain moves on before anything is encrypted. A message's keys are all there is to its IV, so that two
        // messages under one counter would share both (Double Ratchet §3.4).
        let counter = self.sender.chain.index();
        let mut hmac = Hmac::unkeyed();
        let seed = self.sender.chain.advance(&mut hmac).ok_or(EncryptError::Exhausted)?;
        let keys = MessageKeys::derive(&mut hmac, &seed);
        // Encrypt, then MAC: over both identities, in the message's direction, and over all that is sent before the MAC.
        let header = Header { ratchet: &self.sender.public, counter, previous: self.previous_counter };
        let (mut message, start) = header.before(plaintext);
        keys.encrypt(&mut message, start);
        let mac = keys.mac(&mut hmac, self.sending_parties(), &message);
        message.extend_from_slice(&mac);
        Ok(self.envelop(local.registration_id, message.into()))
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
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, DecryptError> {
        let plaintext = match self.receiver(&message.ratchet_key) {
            Some(position) => self.decrypt_on_chain(position, message)?,
            None => self.decrypt_and_turn(message, rng)?,
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
    ) -> Result<Vec<u8>, DecryptError> {
        let parties = Parties { sender: &self.remote_identity, receiver: &self.local_identity };
        let chain = self.receivers.get_mut(position).ok_or(DecryptError::Invalid)?;
        let mut hmac = Hmac::unkeyed();
        // Found beside the chain, applied once the message has authenticated: a forged one must neither move the chain nor
        // use up a skipped key (Double Ratchet §3.5).
        let (seed, step) = chain.messages.find(message.counter, &mut hmac)?;
        let plaintext = open(&seed, &mut hmac, parties, message)?;
        chain.messages.apply(step);
        Ok(plaintext)
    }

    /// The peer's ratchet key is new: one step of the root to receive, and one more to send.
    fn decrypt_and_turn(
        &mut self,
        message: &SignalMessage,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, DecryptError> {
        let theirs = message.ratchet_key;
        // Our present ratchet key with their new one gives the chain that they send on (Double Ratchet §3.5, DHRatchet).
        let (root, receiving) = self.root.advance(&self.sender.ratchet, &theirs)?;
        let mut chain = ReceiverChain::new(theirs, receiving);
        let mut hmac = Hmac::unkeyed();
        let (seed, step) = chain.messages.find(message.counter, &mut hmac)?;
        let parties = Parties { sender: &self.remote_identity, receiver: &self.local_identity };
        let plaintext = open(&seed, &mut hmac, parties, message)?;
        // A new ratchet key of ours with the same of theirs gives the chain that we send on. The old private key goes with
        // it: who takes this state later cannot read what came before.
        let ratchet = PrivateKey::generate(rng);
        let (root, sending) = root.advance(&ratchet, &theirs)?;

        // Nothing of the session has changed up to here, and nothing can fail from here on.
        chain.messages.apply(step);
        self.previous_counter = self.sender.chain.index().saturating_sub(1);
        self.root = root;
        self.sender = SenderChain::new(ratchet, sending);
        if self.receivers.len() == MAX_RECEIVER_CHAINS {
            self.receivers.pop_front();
        }
        self.receivers.push_back(chain);
        Ok(plaintext)
    }

    fn sending_parties(&self) -> Parties<'_> {
        Parties { sender: &self.local_identity, receiver: &self.remote_identity }
    }

    /// Keys of skipped messages in all chains.
    pub(crate) fn skipped(&self) -> usize {
        self.receivers.iter().map(|chain| chain.messages.skipped.len()).sum()
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

impl ReceiverChain {
    pub(crate) fn new(ratchet: PublicKey, chain: ChainKey) -> Self {
        Self { ratchet, messages: MessageChain::new(chain) }
    }
}

impl SenderChain {
    pub(crate) fn new(ratchet: PrivateKey, chain: ChainKey) -> Self {
        Self { public: ratchet.public_key(), ratchet, chain }
    }
}
