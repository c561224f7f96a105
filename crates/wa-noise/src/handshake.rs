//! What both sides of the handshake share: setup, snow states, field lengths, the raw split (overview §2).

use bytes::Bytes;
use prost::Message;
use rand_core::CryptoRng;
use snow::params::NoiseParams;
use snow::{Builder, HandshakeState};
use wa_keys::{PrivateKey, PublicKey};
use wa_proto::handshake::HandshakeMessage;
use zeroize::Zeroizing;

use crate::resolver::Resolver;
use crate::transport::TAG;
use crate::{Dialect, HandshakeError, Transport};

/// Bytes of the longest payload in a handshake message: what Noise allows, less keys and tags.
pub const MAX_PAYLOAD: usize = 65_535 - KEY - SEALED_KEY - TAG;

pub(crate) const KEY: usize = 32;
pub(crate) const SEALED_KEY: usize = KEY + TAG;

/// What one end brings to every handshake.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The bytes sent before the first frame and hashed first (not the edge preamble).
    pub prologue: Bytes,
    /// The variant of Noise that is spoken.
    pub dialect: Dialect,
    /// Our static key: a client's `authkey` (overview §1.2.2), or the key that a server's leaf certifies.
    pub static_key: PrivateKey,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    Xx,
    Ik,
    /// XX after a refused IK, whose first message is a pre-message (so its payload is hashed in neither dialect).
    Fallback,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// One snow state, checked at its edges.
pub(crate) struct Noise {
    state: HandshakeState,
    role: Role,
}

impl Noise {
    pub(crate) fn new(
        setup: &Setup,
        pattern: Pattern,
        role: Role,
        remote: Option<&PublicKey>,
        ephemeral: Zeroizing<[u8; KEY]>,
    ) -> Result<Self, HandshakeError> {
        // The protocol's name is the first thing hashed, so that both sides must mean the same pattern and ciphers
        // (Noise §5.2, Initialize). snow knows no XXfallback: it is XX in which the client's ephemeral came with the message
        // before, and only its name differs (Noise §10.2; observed).
        let name = if pattern == Pattern::Ik { IK } else { XX };
        let mut params: NoiseParams = name.parse().map_err(|_| HandshakeError::OutOfStep)?;
        let dialect = if pattern == Pattern::Fallback { Dialect::WhatsApp } else { setup.dialect };
        if pattern == Pattern::Fallback {
            XX_FALLBACK.clone_into(&mut params.name);
        }
        let resolver = Box::new(Resolver::new(dialect, ephemeral));
        let mut builder =
            Builder::with_resolver(params, resolver).prologue(&setup.prologue).map_err(failed)?;
        builder = builder.local_private_key(setup.static_key.as_bytes()).map_err(failed)?;
        if let Some(remote) = remote {
            builder = builder.remote_public_key(remote.as_bytes()).map_err(failed)?;
        }
        let state = match role {
            Role::Client => builder.build_initiator().map_err(failed)?,
            Role::Server => builder.build_responder().map_err(failed)?,
        };
        Ok(Self { state, role })
    }

    /// The next message, cut into `N` parts of the given lengths and the sealed payload.
    pub(crate) fn write<const N: usize>(
        &mut self,
        payload: &[u8],
        lengths: [usize; N],
    ) -> Result<([Bytes; N], Bytes), HandshakeError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(HandshakeError::PayloadTooLong(payload.len()));
        }
        let mut message = vec![0; lengths.iter().sum::<usize>() + payload.len() + TAG];
        let length = self.state.write_message(payload, &mut message).map_err(failed)?;
        message.truncate(length);
        let mut rest = Bytes::from(message);
        if rest.len() < lengths.iter().sum() {
            return Err(HandshakeError::OutOfStep);
        }
        Ok((lengths.map(|length| rest.split_to(length)), rest))
    }

    /// Reads a message from its parts, whose lengths the caller has checked; gives the payload.
    pub(crate) fn read(&mut self, parts: &[&[u8]]) -> Result<Zeroizing<Vec<u8>>, HandshakeError> {
        let message = parts.concat();
        let mut payload = Zeroizing::new(vec![0; message.len()]);
        let length = self.state.read_message(&message, &mut payload).map_err(failed)?;
        payload.truncate(length);
        Ok(payload)
    }

    /// The peer's static key, once it was read.
    pub(crate) fn remote_static(&self) -> Result<PublicKey, HandshakeError> {
        let key = self.state.get_remote_static().ok_or(HandshakeError::OutOfStep)?;
        PublicKey::from_slice(key).map_err(|_| HandshakeError::OutOfStep)
    }

    /// The transport of a finished handshake.
    pub(crate) fn split(mut self) -> Result<Transport, HandshakeError> {
        if !self.state.is_handshake_finished() {
            return Err(HandshakeError::OutOfStep);
        }
        // Split: the first key is the initiator's, the second the responder's (Noise §5.2). snow's own transport ends at
        // 65,535 bytes a message, WhatsApp's at 2^24 - 1, so that the keys go to ours.
        let (to_server, to_client) = self.state.dangerously_get_raw_split();
        let (to_server, to_client) = (Zeroizing::new(to_server), Zeroizing::new(to_client));
        Ok(match self.role {
            Role::Client => Transport::new(&to_server, &to_client),
            Role::Server => Transport::new(&to_client, &to_server),
        })
    }

    #[cfg(test)]
    fn hash(&self) -> &[u8] {
        self.state.get_handshake_hash()
    }
}

impl std::fmt::Debug for Noise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Noise(..)")
    }
}

const XX: &str = "Noise_XX_25519_AESGCM_SHA256";
const IK: &str = "Noise_IK_25519_AESGCM_SHA256";
const XX_FALLBACK: &str = "Noise_XXfallback_25519_AESGCM_SHA256";

/// What snow says, in words of ours: a function, so that its error type is no part of this crate's interface.
fn failed(error: snow::Error) -> HandshakeError {
    match error {
        snow::Error::Decrypt => HandshakeError::Decrypt,
        snow::Error::Dh => HandshakeError::ZeroSecret(wa_keys::ZeroSecret),
        _ => HandshakeError::OutOfStep,
    }
}

pub(crate) fn ephemeral(rng: &mut impl CryptoRng) -> Zeroizing<[u8; KEY]> {
    let mut ephemeral = Zeroizing::new([0; KEY]);
    rng.fill_bytes(ephemeral.as_mut_slice());
    ephemeral
}

pub(crate) fn decode(message: Bytes) -> Result<HandshakeMessage, HandshakeError> {
    HandshakeMessage::decode(message).map_err(|_| HandshakeError::Decode)
}

pub(crate) fn encode(message: HandshakeMessage) -> Bytes {
    message.encode_to_vec().into()
}

/// A field that must be there with exactly this length: parts are joined before snow sees them, so a wrong length
/// would move a boundary.
pub(crate) fn exact(
    field: &'static str,
    value: Option<Bytes>,
    length: usize,
) -> Result<Bytes, HandshakeError> {
    let value = value.ok_or(HandshakeError::Missing(field))?;
    if value.len() == length { Ok(value) } else { Err(HandshakeError::Length { field, actual: value.len() }) }
}

/// A sealed payload: a tag at least, and within what a handshake message carries.
pub(crate) fn sealed(field: &'static str, value: Option<Bytes>) -> Result<Bytes, HandshakeError> {
    let value = value.ok_or(HandshakeError::Missing(field))?;
    let allowed = TAG..=MAX_PAYLOAD + TAG;
    if allowed.contains(&value.len()) {
        Ok(value)
    } else {
        Err(HandshakeError::Length { field, actual: value.len() })
    }
}

#[cfg(test)]
mod tests;
