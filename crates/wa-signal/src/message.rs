//! The two messages inside `<enc>`: `msg` and `pkmsg` (seed §3; observed).

use bytes::Bytes;
use prost::Message as _;
use wa_keys::PublicKey;
use wa_proto::signal;

use crate::MessageError;
use crate::message_keys::MAC;

/// What we write: version 3 of the message, version 3 of the session. Of what is read only the high half counts.
const VERSION_BYTE: u8 = 0x33;
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
    /// Version byte and protobuf: what the MAC covers, as it was received.
    pub(crate) body: Bytes,
    pub(crate) mac: [u8; MAC],
}

impl SignalMessage {
    /// Parses the content of an `<enc type="msg">`.
    pub fn decode(bytes: Bytes) -> Result<Self, MessageError> {
        let length = bytes.len().checked_sub(MAC).filter(|&length| length > 0);
        let length = length.ok_or(MessageError::TooShort(bytes.len()))?;
        let mac = bytes.last_chunk().copied().unwrap_or_default();
        let body = bytes.slice(..length);
        let message = signal::SignalMessage::decode(versioned(&body)?).map_err(|_| MessageError::Decode)?;
        let ratchet_key = message.ratchet_key.ok_or(MessageError::Missing("ratchet key"))?;
        Ok(Self {
            ratchet_key: key("ratchet key", &ratchet_key)?,
            // Zero is written; absent is something else.
            counter: message.counter.ok_or(MessageError::Missing("counter"))?,
            ciphertext: message.ciphertext.ok_or(MessageError::Missing("ciphertext"))?,
            body,
            mac,
        })
    }

    /// Version byte and protobuf of a message to be sent; the MAC over it goes behind.
    pub(crate) fn body(ratchet: &PublicKey, counter: u32, previous: u32, ciphertext: Vec<u8>) -> Vec<u8> {
        let message = signal::SignalMessage {
            ratchet_key: Some(Bytes::copy_from_slice(&ratchet.to_prefixed())),
            counter: Some(counter),
            previous_counter: Some(previous),
            ciphertext: Some(ciphertext.into()),
        };
        encode_versioned(&message, MAC)
    }
}

/// The first message of a session as its initiator sends it, parsed and not yet authenticated.
#[derive(Clone, Debug)]
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
    match bytes.first().map(|byte| byte >> 4) {
        Some(VERSION) => Ok(bytes.slice(1..)),
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
    fn a_counter_of_zero_is_written() {
        let key = PrivateKey::from_bytes([1; 32]).public_key();
        let body = SignalMessage::body(&key, 0, 0, vec![0; 16]);
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
