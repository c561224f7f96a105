//! The two messages inside `<enc>`: `msg` and `pkmsg` (overview §3; observed).

use bytes::Bytes;
use prost::Message as _;
use wa_keys::PublicKey;
use wa_proto::signal;

use crate::MessageError;
use crate::message_keys::{MAC, padded};
use crate::varint;

/// What we write: version 3 of the message, version 3 of the session. Of what is read only the high half counts.
pub(crate) const VERSION_BYTE: u8 = 0x33;
const VERSION: u8 = 3;

/// An encrypted message and its kind, ready for `<enc>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ciphertext {
    /// `pkmsg` until the peer has answered, `msg` from then on.
    pub kind: Kind,
    /// The message's bytes.
    pub bytes: Bytes,
}

/// The kind of an encrypted message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `pkmsg`: carries what the receiver needs to begin a session.
    PreKey,
    /// `msg`: belongs to a session that both sides have.
    Signal,
}

/// A message of a session, parsed and not yet authenticated.
#[derive(Clone, Debug)]
pub struct SignalMessage {
    pub(crate) ratchet_key: PublicKey,
    pub(crate) counter: u32,
    pub(crate) ciphertext: Bytes,
    /// As it was received.
    bytes: Bytes,
}

impl SignalMessage {
    /// Parses the content of an `<enc type="msg">`.
    pub fn decode(bytes: Bytes) -> Result<Self, MessageError> {
        let length = bytes.len().checked_sub(MAC).filter(|&length| length > 0);
        let length = length.ok_or(MessageError::TooShort(bytes.len()))?;
        let body = bytes.get(..length).unwrap_or_default();
        check_version(body)?;
        let Some((ratchet_key, counter, ciphertext)) = usual(body) else {
            return Self::decode_unusual(bytes.slice(1..length), bytes);
        };
        let ciphertext = bytes.slice(length - ciphertext.len()..length);
        Ok(Self { ratchet_key: key("ratchet key", ratchet_key)?, counter, ciphertext, bytes })
    }

    /// Reads fields in any order, as protobuf allows.
    #[cold]
    fn decode_unusual(protobuf: Bytes, bytes: Bytes) -> Result<Self, MessageError> {
        let message = signal::SignalMessage::decode(protobuf).map_err(|_| MessageError::Decode)?;
        let ratchet_key = message.ratchet_key.ok_or(MessageError::Missing("ratchet key"))?;
        Ok(Self {
            ratchet_key: key("ratchet key", &ratchet_key)?,
            // Zero is written; absent is something else.
            counter: message.counter.ok_or(MessageError::Missing("counter"))?,
            ciphertext: message.ciphertext.ok_or(MessageError::Missing("ciphertext"))?,
            bytes,
        })
    }

    /// Version byte and protobuf: what the MAC covers.
    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.split_last_chunk::<MAC>().map_or(&[], |(body, _)| body)
    }

    pub(crate) fn mac(&self) -> &[u8; MAC] {
        self.bytes.last_chunk().unwrap_or(&[0; MAC])
    }
}

/// Ratchet key, counter and ciphertext of a body whose fields stand in the order and form in which everybody writes
/// them, and nothing else beside them.
fn usual(body: &[u8]) -> Option<(&[u8; 33], u32, &[u8])> {
    let [_, RATCHET_KEY, 33, rest @ ..] = body else { return None };
    let (ratchet_key, [COUNTER, rest @ ..]) = rest.split_first_chunk()? else { return None };
    let (counter, [PREVIOUS_COUNTER, rest @ ..]) = varint::split(rest)? else { return None };
    // The previous chain's count is under the MAC and not looked at: see `Session::decrypt_and_turn`.
    let (_, [CIPHERTEXT, rest @ ..]) = varint::split(rest)? else { return None };
    let (length, ciphertext) = varint::split(rest)?;
    (usize::try_from(length) == Ok(ciphertext.len())).then_some((ratchet_key, counter, ciphertext))
}

/// What stands before the ciphertext of a message.
pub(crate) struct Header<'a> {
    pub(crate) ratchet: &'a PublicKey,
    pub(crate) counter: u32,
    pub(crate) previous: u32,
}

impl Header<'_> {
    /// Version byte and protobuf of a message to be sent, with the plaintext where the ciphertext belongs, and where that
    /// begins. There is room for the padding and the MAC, so that the message is made in one allocation.
    pub(crate) fn before(&self, plaintext: &[u8]) -> (Vec<u8>, usize) {
        let (counter, previous) = (u64::from(self.counter), u64::from(self.previous));
        let ciphertext = padded(plaintext.len());
        let numbers = [counter, previous, ciphertext as u64].map(varint::length).iter().sum::<usize>();
        let start = 1 + 2 + 33 + 3 + numbers;
        let mut bytes = Vec::with_capacity(start + ciphertext + MAC);
        bytes.extend_from_slice(&[VERSION_BYTE, RATCHET_KEY, 33]);
        bytes.extend_from_slice(&self.ratchet.to_prefixed());
        for (tag, number) in
            [(COUNTER, counter), (PREVIOUS_COUNTER, previous), (CIPHERTEXT, ciphertext as u64)]
        {
            bytes.push(tag);
            varint::push(number, &mut bytes);
        }
        bytes.extend_from_slice(plaintext);
        (bytes, start)
    }
}

/// The tags of a message's fields.
const RATCHET_KEY: u8 = 0x0A;
const COUNTER: u8 = 0x10;
const PREVIOUS_COUNTER: u8 = 0x18;
const CIPHERTEXT: u8 = 0x22;

/// The first message of a session as its initiator sends it, parsed and not yet authenticated.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PreKeyMessage {
    /// The sender's registration id.
    pub registration_id: u32,
    /// The one-time prekey of ours that it uses, if any: load it for [`Prekeys`](crate::Prekeys).
    pub one_time_prekey_id: Option<u32>,
    /// The signed prekey of ours that it uses.
    pub signed_prekey_id: u32,
    /// Who the sender claims to be; proved once the message has decrypted.
    pub identity: PublicKey,
    pub(crate) base_key: PublicKey,
    pub(crate) message: SignalMessage,
}

impl PreKeyMessage {
    /// Names the session: its initiator makes one for each.
    pub fn base_key(&self) -> &PublicKey {
        &self.base_key
    }

    /// The message of the session inside, for [`SessionRecord::blocks_for`](crate::SessionRecord::blocks_for).
    pub fn message(&self) -> &SignalMessage {
        &self.message
    }

    /// Parses the content of an `<enc type="pkmsg">`.
    pub fn decode(bytes: Bytes) -> Result<Self, MessageError> {
        let message =
            signal::PreKeySignalMessage::decode(versioned(&bytes)?).map_err(|_| MessageError::Decode)?;
        if message.kyber_pre_key_id.is_some() || message.kyber_ciphertext.is_some() {
            return Err(MessageError::Kyber);
        }
        let base_key = key("base key", &message.base_key.ok_or(MessageError::Missing("base key"))?)?;
        if !base_key.is_prime_order() {
            return Err(MessageError::BaseKey);
        }
        let identity = message.identity_key.ok_or(MessageError::Missing("identity key"))?;
        Ok(Self {
            registration_id: message.registration_id.unwrap_or_default(),
            one_time_prekey_id: message.pre_key_id,
            signed_prekey_id: message.signed_pre_key_id.ok_or(MessageError::Missing("signed prekey id"))?,
            identity: key("identity key", &identity)?,
            base_key,
            message: SignalMessage::decode(message.message.ok_or(MessageError::Missing("message"))?)?,
        })
    }
}

/// What goes around a session's first messages.
pub(crate) struct Envelope {
    pub(crate) registration_id: u32,
    pub(crate) one_time_prekey_id: Option<u32>,
    pub(crate) signed_prekey_id: u32,
    pub(crate) identity: PublicKey,
    pub(crate) base_key: PublicKey,
}

impl Envelope {
    pub(crate) fn wrap(&self, message: Bytes) -> Bytes {
        let message = signal::PreKeySignalMessage {
            pre_key_id: self.one_time_prekey_id,
            base_key: Some(Bytes::copy_from_slice(&self.base_key.to_prefixed())),
            identity_key: Some(Bytes::copy_from_slice(&self.identity.to_prefixed())),
            message: Some(message),
            registration_id: Some(self.registration_id),
            signed_pre_key_id: Some(self.signed_prekey_id),
            ..Default::default()
        };
        encode_versioned(&message, 0).into()
    }
}

pub(crate) fn encode_versioned(message: &impl prost::Message, spare: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + message.encoded_len() + spare);
    bytes.push(VERSION_BYTE);
    message.encode_raw(&mut bytes);
    bytes
}

/// The protobuf behind the version byte.
pub(crate) fn versioned(bytes: &Bytes) -> Result<Bytes, MessageError> {
    check_version(bytes)?;
    Ok(bytes.slice(1..))
}

fn check_version(bytes: &[u8]) -> Result<(), MessageError> {
    match bytes.first().map(|byte| byte >> 4) {
        Some(VERSION) => Ok(()),
        Some(other) => Err(MessageError::Version(other)),
        None => Err(MessageError::TooShort(0)),
    }
}

pub(crate) fn key(name: &'static str, bytes: &[u8]) -> Result<PublicKey, MessageError> {
    PublicKey::from_prefixed(bytes).map_err(|error| MessageError::Key(name, error))
}

#[cfg(test)]
mod tests {
    use wa_keys::{BadKey, PrivateKey};

    use super::*;

    fn message() -> signal::SignalMessage {
        let key = PrivateKey::from_bytes([1; 32]).public_key();
        signal::SignalMessage {
            ratchet_key: Some(key.to_prefixed().to_vec().into()),
            counter: Some(0),
            previous_counter: Some(0),
            ciphertext: Some(Bytes::from_static(&[0; 16])),
        }
    }

    fn decode(version: u8, message: &signal::SignalMessage) -> Result<SignalMessage, MessageError> {
        let bytes = [&[version], message.encode_to_vec().as_slice(), &[0; MAC]].concat();
        SignalMessage::decode(bytes.into())
    }

    #[test]
    fn malformed_messages_are_refused_by_name() {
        use MessageError::{Decode, Key, Missing, TooShort, Version};
        assert!(decode(0x33, &message()).is_ok());
        assert!(decode(0x34, &message()).is_ok(), "only the high half counts");
        for version in [0x23, 0x43, 0x44, 0x03] {
            assert_eq!(decode(version, &message()).unwrap_err(), Version(version >> 4));
        }
        let ratchet_key = |key: &'static [u8]| signal::SignalMessage {
            ratchet_key: Some(Bytes::from_static(key)),
            ..message()
        };
        let short = BadKey::Length { expected: 33, actual: 32 };
        for (message, error) in [
            (signal::SignalMessage { counter: None, ..message() }, Missing("counter")),
            (signal::SignalMessage { ciphertext: None, ..message() }, Missing("ciphertext")),
            (signal::SignalMessage { ratchet_key: None, ..message() }, Missing("ratchet key")),
            (ratchet_key(&[5; 32]), Key("ratchet key", short)),
            (ratchet_key(&[6; 33]), Key("ratchet key", BadKey::Type(6))),
        ] {
            assert_eq!(decode(0x33, &message).unwrap_err(), error);
        }
        for length in 0..=8 {
            let error = SignalMessage::decode(vec![0x33; length].into()).unwrap_err();
            assert_eq!(error, TooShort(length));
        }
        assert_eq!(SignalMessage::decode(vec![0x33; 10].into()).unwrap_err(), Decode);
    }

    #[test]
    fn usual_and_unusual_protobuf_say_the_same() {
        let fields: [&[u8]; 4] =
            [&[&[0x0A, 33, 5][..], &[1; 32]].concat(), &[0x10, 0xAC, 2], &[0x18, 1], &[0x22, 2, 8, 9]];
        let mut read = Vec::new();
        // The usual order, another, a field that comes twice, one that nobody knows, a number that is too long.
        for order in [&[0, 1, 2, 3][..], &[3, 2, 1, 0], &[0, 1, 1, 2, 3], &[0, 1, 3]] {
            let body = order.iter().map(|field| fields[*field]).collect::<Vec<_>>().concat();
            read.push([&[0x33], &body[..], &[7; MAC]].concat());
        }
        let usual_body = fields.concat();
        read.push([&[0x33], &usual_body[..], &[0x28, 1], &[7; MAC]].concat());
        read.push(
            [&[0x33], fields[0], &[0x10, 0xAC, 0x82, 0x80, 0x80, 0x80, 0], &fields[2..].concat(), &[7; MAC]]
                .concat(),
        );
        for (index, bytes) in read.into_iter().enumerate() {
            assert_eq!(usual(&bytes[..bytes.len() - MAC]).is_some(), index == 0, "{index}");
            let message = SignalMessage::decode(bytes.clone().into()).unwrap();
            assert_eq!((message.ratchet_key.as_bytes(), message.counter), (&[1; 32], 300), "{index}");
            assert_eq!((&message.ciphertext[..], message.mac()), (&[8, 9][..], &[7; MAC]), "{index}");
            assert_eq!(message.body(), &bytes[..bytes.len() - MAC], "{index}");
        }
    }

    #[test]
    fn what_stands_before_the_ciphertext_is_protobuf() {
        let key = PrivateKey::from_bytes([1; 32]).public_key();
        for (counter, previous, length) in
            [(0, 0, 0), (127, 128, 15), (300, u32::MAX, 16), (1, 0, 127), (u32::MAX, 5, 70_000)]
        {
            let header = Header { ratchet: &key, counter, previous };
            let (mut bytes, start) = header.before(&vec![9; length]);
            assert_eq!(bytes.capacity(), start + padded(length) + MAC);
            bytes.resize(start + padded(length), 9);
            let expected = signal::SignalMessage {
                ratchet_key: Some(key.to_prefixed().to_vec().into()),
                counter: Some(counter),
                previous_counter: Some(previous),
                ciphertext: Some(vec![9; padded(length)].into()),
            };
            assert_eq!(bytes, encode_versioned(&expected, 0));
        }
    }

    #[test]
    fn a_counter_of_zero_is_written() {
        let key = PrivateKey::from_bytes([1; 32]).public_key();
        let (body, _) = Header { ratchet: &key, counter: 0, previous: 0 }.before(&[0; 16]);
        assert_eq!(body[..3], [0x33, 0x0A, 33]);
        assert_eq!(body[36..40], [0x10, 0, 0x18, 0]);
    }

    #[test]
    fn post_quantum_messages_and_aliased_base_keys_are_refused_by_name() {
        let key = PrivateKey::from_bytes([1; 32]).public_key();
        let inner = [&[0x33], message().encode_to_vec().as_slice(), &[0; MAC]].concat();
        let good = signal::PreKeySignalMessage {
            base_key: Some(key.to_prefixed().to_vec().into()),
            identity_key: Some(key.to_prefixed().to_vec().into()),
            message: Some(inner.into()),
            signed_pre_key_id: Some(0),
            ..Default::default()
        };
        let decode = |message: &signal::PreKeySignalMessage| {
            PreKeyMessage::decode([&[0x33], message.encode_to_vec().as_slice()].concat().into())
        };
        assert!(decode(&good).is_ok());
        let kyber = signal::PreKeySignalMessage { kyber_pre_key_id: Some(1), ..good.clone() };
        assert_eq!(decode(&kyber).unwrap_err(), MessageError::Kyber);
        let mut alias = key.to_prefixed();
        alias[32] |= 0x80;
        let alias = signal::PreKeySignalMessage { base_key: Some(alias.to_vec().into()), ..good };
        assert_eq!(decode(&alias).unwrap_err(), MessageError::BaseKey);
    }
}
