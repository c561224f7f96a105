//! One device of a WhatsApp user: a Signal identity and its sessions with third parties' users.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use rand_core::{CryptoRng, Rng};
use wa_binary::{Jid, Node, Str};
use wa_keys::{PrivateKey, PublicKey, Signature};
use wa_signal::{
    Bundle, Ciphertext, DecryptError, Decrypted, Kind, LocalIdentity, PreKeyMessage, Prekeys, SessionRecord,
    SignalMessage, SignedPrekey, Trust,
};

use crate::newest::Newest;
use crate::phone::arrival::Enc;

const SIGNED_PREKEY_ID: u32 = 1;

/// Messages of which a device knows that it has shown them, and those that it asked for again.
const MAX_SEEN: usize = 20_000;
const MAX_ASKED: usize = 10_000;

/// How often one message is asked for again.
const MAX_RETRIES: u32 = 5;

/// Keys and sessions of one device.
#[derive(Debug)]
pub(crate) struct Device {
    local: LocalIdentity,
    signed_prekey: PrivateKey,
    signed: SignedPrekey,
    prekeys: BTreeMap<u32, PrivateKey>,
    next_prekey: u32,
    /// The sessions by login.
    sessions: HashMap<Jid, SessionRecord>,
    /// Messages that were decrypted, by login and id.
    seen: Newest<(Jid, Str), ()>,
    /// How often a message was asked for again, by login and id.
    asked: Newest<(Jid, Str), u32>,
    /// Messages that were encrypted with a key that another one had been encrypted with.
    pub(crate) reused: u64,
}

/// A device's keys and sessions, in hexadecimal.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceState {
    identity: String,
    registration_id: u32,
    signed_prekey: String,
    signature: String,
    prekeys: BTreeMap<u32, String>,
    next_prekey: u32,
    sessions: BTreeMap<String, String>,
    seen: BTreeSet<(String, String)>,
}

/// What became of a message at a device.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// The plaintext, without its padding.
    Plain(Vec<u8>),
    /// It was decrypted before.
    Again,
    /// It cannot be decrypted: ask for it the so many-th time, with these keys.
    Ask { count: u32, registration: u32, keys: Option<Box<Bundle>> },
    /// It cannot be decrypted, and was asked for often enough.
    GivenUp,
}

impl Device {
    pub(crate) fn new(rng: &mut impl CryptoRng) -> Self {
        let identity = PrivateKey::generate(rng);
        let signed_prekey = PrivateKey::generate(rng);
        Self {
            signed: SignedPrekey::sign(SIGNED_PREKEY_ID, &signed_prekey, &identity, rng),
            local: LocalIdentity { key: identity, registration_id: rng.next_u32() },
            signed_prekey,
            prekeys: BTreeMap::new(),
            next_prekey: 1,
            sessions: HashMap::new(),
            seen: Newest::new(MAX_SEEN),
            asked: Newest::new(MAX_ASKED),
            reused: 0,
        }
    }

    /// What outlives the program.
    pub(crate) fn save(&self) -> DeviceState {
        let key = |key: &PrivateKey| hex::encode(key.as_bytes());
        let sessions = self.sessions.iter();
        DeviceState {
            identity: key(&self.local.key),
            registration_id: self.local.registration_id,
            signed_prekey: key(&self.signed_prekey),
            signature: hex::encode(self.signed.signature.as_bytes()),
            prekeys: self.prekeys.iter().map(|(id, prekey)| (*id, key(prekey))).collect(),
            next_prekey: self.next_prekey,
            sessions: sessions
                .map(|(login, session)| (login.to_string(), hex::encode(&*session.encode())))
                .collect(),
            seen: self.seen.keys().map(|(login, id)| (login.to_string(), id.to_string())).collect(),
        }
    }

    /// The device that was kept.
    pub(crate) fn load(state: DeviceState) -> Option<Self> {
        let key = |text: &str| PrivateKey::from_slice(&hex::decode(text).ok()?).ok();
        let signed_prekey = key(&state.signed_prekey)?;
        let signature = Signature::from_slice(&hex::decode(state.signature).ok()?).ok()?;
        let prekeys = state.prekeys.iter().map(|(id, prekey)| Some((*id, key(prekey)?)));
        let session = |text: &str| SessionRecord::decode(&hex::decode(text).ok()?).ok();
        let sessions = state.sessions.iter().map(|(login, it)| Some((login.parse().ok()?, session(it)?)));
        let mut seen = Newest::new(MAX_SEEN);
        for (login, id) in state.seen {
            seen.get_or_insert((login.parse().ok()?, id.into()), ());
        }
        Some(Self {
            local: LocalIdentity { key: key(&state.identity)?, registration_id: state.registration_id },
            signed: SignedPrekey { id: SIGNED_PREKEY_ID, key: signed_prekey.public_key(), signature },
            signed_prekey,
            prekeys: prekeys.collect::<Option<_>>()?,
            next_prekey: state.next_prekey,
            sessions: sessions.collect::<Option<_>>()?,
            seen,
            asked: Newest::new(MAX_ASKED),
            reused: 0,
        })
    }

    /// Its keys for one new session, with a one-time prekey made for it.
    pub(crate) fn bundle(&mut self, rng: &mut impl CryptoRng) -> Bundle {
        let prekey = PrivateKey::generate(rng);
        let one_time_prekey = Some((self.next_prekey, prekey.public_key()));
        self.prekeys.insert(self.next_prekey, prekey);
        self.next_prekey += 1;
        Bundle {
            registration_id: self.local.registration_id,
            identity: self.local.key.public_key(),
            signed_prekey: self.signed.clone(),
            one_time_prekey,
        }
    }

    /// Knows which messages another one has shown.
    pub(crate) fn remember(&mut self, old: &mut Self) {
        std::mem::swap(&mut self.seen, &mut old.seen);
    }

    /// Loses the session with a login, as a device does that was restored from an old copy.
    pub(crate) fn forget(&mut self, login: &Jid) {
        self.sessions.remove(login);
    }

    /// Decrypts an `<enc>`, or says what to do instead.
    pub(crate) fn open(&mut self, login: &Jid, id: &Str, enc: &Enc, rng: &mut impl CryptoRng) -> Opened {
        let name = (login.clone(), id.clone());
        if self.seen.get(&name).is_some() {
            return Opened::Again;
        }
        match self.decrypt(login, enc).as_deref().and_then(unpad) {
            Some(plain) => {
                self.seen.get_or_insert(name, ());
                Opened::Plain(plain.to_vec())
            }
            None => {
                let count = self.asked.get_or_insert(name, 0);
                *count += 1;
                let count = *count;
                let registration = self.local.registration_id;
                match count {
                    1 => Opened::Ask { count, registration, keys: None },
                    2..=MAX_RETRIES => {
                        let keys = Some(Box::new(self.bundle(rng)));
                        Opened::Ask { count, registration, keys }
                    }
                    _ => Opened::GivenUp,
                }
            }
        }
    }

    /// The keys of overtaken messages stay with the session, in memory, so that none are loaded.
    fn decrypt(&mut self, login: &Jid, enc: &Enc) -> Option<Vec<u8>> {
        let bytes = enc.bytes.clone();
        let session = self.sessions.entry(login.clone()).or_default();
        if !enc.is_prekey {
            let message = SignalMessage::decode(bytes).ok()?;
            let decrypted = session.decrypt(&message, &Trust::Any);
            self.reused += u64::from(is_reuse(&decrypted));
            return Some(decrypted.ok()?.plaintext);
        }
        let message = PreKeyMessage::decode(bytes).ok()?;
        if message.signed_prekey_id != SIGNED_PREKEY_ID {
            return None;
        }
        let one_time = message.one_time_prekey_id.and_then(|id| self.prekeys.get(&id));
        let prekeys = Prekeys { signed: &self.signed_prekey, one_time };
        let decrypted = session.decrypt_prekey(&self.local.key, prekeys, &message, &Trust::Any);
        self.reused += u64::from(is_reuse(&decrypted));
        let decrypted = decrypted.ok()?;
        if let Some(used) = decrypted.used_one_time_prekey {
            self.prekeys.remove(&used);
        }
        Some(decrypted.plaintext)
    }

    /// Whether it has a session with a login.
    pub(crate) fn knows(&self, login: &Jid) -> bool {
        self.sessions.contains_key(login)
    }

    /// Whether nothing can be encrypted for a login without a bundle of it.
    pub(crate) fn needs_bundle(&self, login: &Jid, now: u64) -> bool {
        self.sessions.get(login).is_none_or(|session| !session.can_encrypt(now))
    }

    /// Begins a session.
    pub(crate) fn begin(
        &mut self,
        login: &Jid,
        bundle: &Bundle,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Option<()> {
        let session = self.sessions.entry(login.clone()).or_default();
        session.establish(&self.local.key, bundle, &Trust::Any, now, rng).ok()
    }

    /// The type and the bytes of an `<enc>`.
    pub(crate) fn seal(
        &mut self,
        login: &Jid,
        plain: &[u8],
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Option<(&'static str, Bytes)> {
        let padded = pad(plain.to_vec(), rng);
        let session = self.sessions.get_mut(login)?;
        let Ciphertext { kind, bytes } = session.encrypt(&self.local, &padded, now, rng).ok()?;
        Some((if kind == Kind::PreKey { "pkmsg" } else { "msg" }, bytes))
    }
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

/// A prekey with its id of three bytes.
pub(crate) fn write_key(tag: &'static str, id: u32, key: &PublicKey) -> Node {
    Node::new(tag).with_children([
        Node::new("id").with_bytes(id.to_be_bytes().into_iter().skip(1).collect::<Vec<_>>()),
        Node::new("value").with_bytes(key.as_bytes().to_vec()),
    ])
}

/// A bundle as the children of a `<user>` or `<keys>`.
pub(crate) fn write_bundle(bundle: &Bundle, with_registration: bool) -> Vec<Node> {
    let signed = &bundle.signed_prekey;
    let signature = Node::new("signature").with_bytes(signed.signature.as_bytes().to_vec());
    let registration = Node::new("registration").with_bytes(bundle.registration_id.to_be_bytes().to_vec());
    let mut children: Vec<Node> = with_registration.then_some(registration).into_iter().collect();
    children.extend([
        Node::new("type").with_bytes(vec![5]),
        Node::new("identity").with_bytes(bundle.identity.as_bytes().to_vec()),
    ]);
    children.extend(bundle.one_time_prekey.map(|(id, public)| write_key("key", id, &public)));
    children.push(write_key("skey", signed.id, &signed.key).with_child(signature));
    children
}

/// A one-time prekey as its node says it.
pub(crate) fn read_prekey(key: &Node) -> Option<(u32, PublicKey)> {
    let id = key.child("id")?.bytes()?;
    let id = id.iter().fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
    Some((id, PublicKey::from_slice(key.child("value")?.bytes()?).ok()?))
}

/// A signed prekey as its node says it.
pub(crate) fn read_signed_prekey(skey: &Node) -> Option<SignedPrekey> {
    let (id, key) = read_prekey(skey)?;
    let signature = Signature::from_slice(skey.child("signature")?.bytes()?).ok()?;
    Some(SignedPrekey { id, key, signature })
}

/// What is under a new name and has a key that was used.
fn is_reuse(decrypted: &Result<Decrypted, DecryptError>) -> bool {
    matches!(decrypted, Err(DecryptError::Duplicate { .. }))
}

/// The keys of a retry receipt.
pub(crate) fn read_bundle(registration: &Node, keys: &Node) -> Option<Bundle> {
    let registration: [u8; 4] = registration.bytes()?.try_into().ok()?;
    Some(Bundle {
        registration_id: u32::from_be_bytes(registration),
        identity: PublicKey::from_slice(keys.child("identity")?.bytes()?).ok()?,
        signed_prekey: read_signed_prekey(keys.child("skey")?)?,
        one_time_prekey: match keys.child("key") {
            Some(key) => Some(read_prekey(key)?),
            None => None,
        },
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn what_was_asked_for_is_bounded_and_the_newest_of_it_is_known() {
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        let mut device = Device::new(&mut rng);
        let login = Jid::interop(1, 2).unwrap();
        let enc = Enc { is_prekey: false, bytes: vec![0].into() };
        for number in 0..=MAX_ASKED {
            device.open(&login, &format!("x{number}").into(), &enc, &mut rng);
        }
        assert_eq!(device.asked.keys().count(), MAX_ASKED);
        let mut count = |id: &str| match device.open(&login, &id.into(), &enc, &mut rng) {
            Opened::Ask { count, .. } => count,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            [count("a1"), count("a2"), count("a1")],
            [1, 1, 2],
            "the oldest is forgotten, whatever its name"
        );
    }
}
