//! Virtual phones: WhatsApp users with a Signal identity of their own, who answer a text (seed §3).

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use prost::Message as _;
use rand_core::{CryptoRng, Rng};
use wa_binary::{Jid, Node};
use wa_keys::PrivateKey;
use wa_proto::content;
use wa_signal::{
    Bundle, Ciphertext, Kind, LocalIdentity, PreKeyMessage, Prekeys, SessionRecord, SignalMessage,
    SignedPrekey, Trust,
};

use crate::account::Account;

const SIGNED_PREKEY_ID: u32 = 1;

/// Messages and receipts that a phone remembers.
const MAX_REMEMBERED: usize = 10_000;

/// One WhatsApp user.
#[derive(Debug)]
pub(crate) struct Phone {
    local: LocalIdentity,
    signed_prekey: PrivateKey,
    signed: SignedPrekey,
    prekeys: BTreeMap<u32, PrivateKey>,
    next_prekey: u32,
    /// By login.
    sessions: BTreeMap<String, SessionRecord>,
    /// Whether a text is answered with an echo.
    pub(crate) answers: bool,
    /// How many bundles were handed out.
    pub(crate) bundles: u64,
    /// What was received, oldest first.
    pub(crate) received: VecDeque<Received>,
    /// Receipts for what was sent, oldest first.
    pub(crate) receipts: VecDeque<Receipt>,
}

/// A message as the phone's user sees it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) id: String,
    /// Absent if it could not be decrypted or is no text.
    pub(crate) text: Option<String>,
}

/// A receipt from a third party's client.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Receipt {
    pub(crate) from: String,
    pub(crate) id: String,
    pub(crate) kind: String,
}

/// A message for the phone, judged by the rules.
#[derive(Debug)]
pub(crate) struct Delivery<'a> {
    pub(crate) from: Jid,
    pub(crate) id: String,
    pub(crate) enc: &'a Node,
}

/// What the phone sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The message has arrived.
    Delivered { id: String },
    /// An encrypted message.
    Message { id: String, kind: &'static str, bytes: Bytes },
}

impl Reply {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Delivered { id } | Self::Message { id, .. } => id,
        }
    }
}

impl Phone {
    pub(crate) fn new(number: &str, rng: &mut impl CryptoRng) -> Self {
        let identity = PrivateKey::generate(rng);
        let signed_prekey = PrivateKey::generate(rng);
        tracing::debug!(number, "phone");
        Self {
            signed: SignedPrekey::sign(SIGNED_PREKEY_ID, &signed_prekey, &identity, rng),
            local: LocalIdentity { key: identity, registration_id: rng.next_u32() },
            signed_prekey,
            prekeys: BTreeMap::new(),
            next_prekey: 1,
            sessions: BTreeMap::new(),
            answers: true,
            bundles: 0,
            received: VecDeque::new(),
            receipts: VecDeque::new(),
        }
    }

    /// The phone's keys for one new session, with a one-time prekey made for it.
    pub(crate) fn bundle(&mut self, rng: &mut impl CryptoRng) -> Bundle {
        let prekey = PrivateKey::generate(rng);
        let one_time_prekey = Some((self.next_prekey, prekey.public_key()));
        self.prekeys.insert(self.next_prekey, prekey);
        self.next_prekey += 1;
        self.bundles += 1;
        Bundle {
            registration_id: self.local.registration_id,
            identity: self.local.key.public_key(),
            signed_prekey: self.signed.clone(),
            one_time_prekey,
        }
    }

    /// Decrypts a message, says that it has arrived, and answers a text.
    pub(crate) fn handle_message(
        &mut self,
        delivery: &Delivery<'_>,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Vec<Reply> {
        let from = delivery.from.to_string();
        if self.received.iter().any(|it| it.from == from && it.id == delivery.id && it.text.is_some()) {
            // Sent again because the ack was lost: say again that it has arrived.
            return vec![Reply::Delivered { id: delivery.id.clone() }];
        }
        let padded = self.decrypt(&from, delivery.enc, rng);
        let text = padded.as_deref().and_then(unpad).and_then(read_text);
        let seen = Received { from: from.clone(), id: delivery.id.clone(), text };
        let mut replies = Vec::new();
        if padded.is_some() {
            replies.push(Reply::Delivered { id: delivery.id.clone() });
        }
        if let Some(text) = seen.text.as_ref().filter(|_| self.answers) {
            replies.extend(self.encrypt(&from, &format!("echo: {text}"), now, rng));
        }
        remember(&mut self.received, seen);
        replies
    }

    fn decrypt(&mut self, from: &str, enc: &Node, rng: &mut impl CryptoRng) -> Option<Vec<u8>> {
        let bytes = Bytes::copy_from_slice(enc.bytes()?);
        let session = self.sessions.entry(from.to_owned()).or_default();
        if enc.attr_str("type") == Some("msg") {
            let message = SignalMessage::decode(bytes).ok()?;
            return Some(session.decrypt(&message, &Trust::Any, rng).ok()?.plaintext);
        }
        let message = PreKeyMessage::decode(bytes).ok()?;
        if message.signed_prekey_id != SIGNED_PREKEY_ID {
            return None;
        }
        let one_time = message.one_time_prekey_id.and_then(|id| self.prekeys.get(&id));
        let prekeys = Prekeys { signed: &self.signed_prekey, one_time };
        let decrypted = session.decrypt_prekey(&self.local.key, prekeys, &message, &Trust::Any, rng).ok()?;
        if let Some(used) = decrypted.used_one_time_prekey {
            self.prekeys.remove(&used);
        }
        Some(decrypted.plaintext)
    }

    pub(crate) fn handle_receipt(&mut self, from: &Jid, id: &str, kind: Option<&str>) {
        let kind = kind.unwrap_or("delivery").to_owned();
        remember(&mut self.receipts, Receipt { from: from.to_string(), id: id.to_owned(), kind });
    }

    /// Writes to an account, taking a bundle of it when there is no session.
    pub(crate) fn send_text(
        &mut self,
        account: &mut Account,
        text: &str,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Option<Reply> {
        let to = account.login.to_string();
        let session = self.sessions.entry(to.clone()).or_default();
        if !session.can_encrypt(now) {
            let bundle = account.take_bundle();
            session.establish(&self.local.key, &bundle, &Trust::Any, now, rng).ok()?;
        }
        self.encrypt(&to, text, now, rng)
    }

    fn encrypt(&mut self, to: &str, text: &str, now: u64, rng: &mut impl CryptoRng) -> Option<Reply> {
        let content = content::Message { conversation: Some(text.to_owned()), ..Default::default() };
        let plaintext = pad(content.encode_to_vec(), rng);
        let session = self.sessions.get_mut(to)?;
        let Ciphertext { kind, bytes } = session.encrypt(&self.local, &plaintext, now).ok()?;
        let mut id = [0; 8];
        rng.fill_bytes(&mut id);
        let kind = if kind == Kind::PreKey { "pkmsg" } else { "msg" };
        Some(Reply::Message { id: hex::encode_upper(id), kind, bytes })
    }
}

/// Keeps the newest.
fn remember<T>(items: &mut VecDeque<T>, item: T) {
    if items.len() == MAX_REMEMBERED {
        items.pop_front();
    }
    items.push_back(item);
}

/// Appends 1 to 15 bytes, each the number of them.
fn pad(mut plaintext: Vec<u8>, rng: &mut impl Rng) -> Vec<u8> {
    let mut random = [0];
    rng.fill_bytes(&mut random);
    let [random] = random;
    let count = random % 15 + 1;
    plaintext.extend(std::iter::repeat_n(count, usize::from(count)));
    plaintext
}

/// Takes off as many bytes as the last one says.
fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let count = usize::from(*padded.last()?);
    padded.get(..padded.len().checked_sub(count)?).filter(|_| count > 0)
}

fn read_text(plaintext: &[u8]) -> Option<String> {
    let message = content::Message::decode(plaintext).ok()?;
    message.conversation.or(message.extended_text_message.and_then(|extended| extended.text))
}
