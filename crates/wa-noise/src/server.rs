//! The server's side of the handshake: XX, and IK with its fallback (overview §2; observed). For a local WhatsApp.

use bytes::Bytes;
use rand_core::CryptoRng;
use wa_keys::PublicKey;
use wa_proto::handshake::{ClientHello, HandshakeMessage, ServerHello};
use zeroize::Zeroizing;

use crate::handshake::{
    KEY, Noise, Pattern, Role, SEALED_KEY, Setup, decode, encode, ephemeral, exact, sealed,
};
use crate::{HandshakeError, Transport};

/// What a client's first message asks for.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "held for one step only")]
pub enum Hello {
    /// A full handshake: the client does not know us, or knows an old key of ours.
    Full(SendServerHello),
    /// A resumption, with the login already in it.
    Resume(Resume),
}

impl Hello {
    /// Reads a client's first message.
    pub fn read(setup: &Setup, message: Bytes, rng: &mut impl CryptoRng) -> Result<Self, HandshakeError> {
        let hello = decode(message)?.client_hello.ok_or(HandshakeError::Missing("client hello"))?;
        let client = exact("client ephemeral", hello.ephemeral.clone(), KEY)?;
        if hello.r#static.is_none() && hello.payload.is_none() {
            return Ok(Self::Full(SendServerHello::new(setup, Pattern::Xx, &client, rng)?));
        }
        match Resume::read(setup, hello, client.clone(), rng) {
            Ok(resume) => Ok(Self::Resume(resume)),
            // Sealed for another static key than ours: both go on as if the ephemeral alone had come (Noise §10.2).
            Err(HandshakeError::Decrypt) => {
                Ok(Self::Full(SendServerHello::new(setup, Pattern::Fallback, &client, rng)?))
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether a client's first message asks to resume, whatever key it means. Bytes that are no message do not.
pub fn is_resumption(message: &Bytes) -> bool {
    let hello = decode(message.clone()).ok().and_then(|message| message.client_hello);
    hello.is_some_and(|hello| hello.r#static.is_some() || hello.payload.is_some())
}

/// A server that owes its hello, in XX or XXfallback.
#[derive(Debug)]
pub struct SendServerHello {
    noise: Noise,
}

impl SendServerHello {
    fn new(
        setup: &Setup,
        pattern: Pattern,
        client: &Bytes,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, HandshakeError> {
        let mut noise = Noise::new(setup, pattern, Role::Server, None, ephemeral(rng))?;
        noise.read(&[client])?;
        Ok(Self { noise })
    }

    /// Answers with the certificate chain (protobuf); the bytes are the frame's body.
    pub fn send(mut self, chain: &[u8]) -> Result<(ExpectClientFinish, Bytes), HandshakeError> {
        let ([ephemeral, identity], payload) = self.noise.write(chain, [KEY, SEALED_KEY])?;
        let hello =
            ServerHello { ephemeral: Some(ephemeral), r#static: Some(identity), payload: Some(payload) };
        let message = HandshakeMessage { server_hello: Some(hello), ..Default::default() };
        Ok((ExpectClientFinish { noise: self.noise }, encode(message)))
    }
}

/// A server that awaits the client's finish.
#[derive(Debug)]
pub struct ExpectClientFinish {
    noise: Noise,
}

impl ExpectClientFinish {
    /// Reads the client's finish: the transport, and who the client proved to be.
    pub fn read_client_finish(
        mut self,
        message: Bytes,
    ) -> Result<(Transport, ClientIdentity), HandshakeError> {
        let finish = decode(message)?.client_finish.ok_or(HandshakeError::Missing("client finish"))?;
        let identity = exact("client static", finish.r#static, SEALED_KEY)?;
        let payload = sealed("client payload", finish.payload)?;
        let payload = self.noise.read(&[&identity, &payload])?;
        let key = self.noise.remote_static()?;
        Ok((self.noise.split()?, ClientIdentity { key, payload }))
    }
}

/// A client as the handshake proved it.
#[derive(Debug)]
#[non_exhaustive]
pub struct ClientIdentity {
    /// Its static key, to be compared with the enlisted `authkey` (overview §1.2.2).
    pub key: PublicKey,
    /// The client payload, protobuf; holds the token.
    pub payload: Zeroizing<Vec<u8>>,
}

/// A client that resumes. Its message may be a replay: until its first transport message, change nothing for it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Resume {
    noise: Noise,
    setup: Setup,
    client_ephemeral: Bytes,
    /// Who sent it, some time.
    pub client: ClientIdentity,
}

impl Resume {
    fn read(
        setup: &Setup,
        hello: ClientHello,
        client_ephemeral: Bytes,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, HandshakeError> {
        let identity = exact("client static", hello.r#static, SEALED_KEY)?;
        let payload = sealed("client payload", hello.payload)?;
        let mut noise = Noise::new(setup, Pattern::Ik, Role::Server, None, ephemeral(rng))?;
        let payload = noise.read(&[&client_ephemeral, &identity, &payload])?;
        let client = ClientIdentity { key: noise.remote_static()?, payload };
        Ok(Self { noise, setup: setup.clone(), client_ephemeral, client })
    }

    /// Accepts; the bytes are the frame's body.
    pub fn accept(mut self, payload: &[u8]) -> Result<(Transport, ClientIdentity, Bytes), HandshakeError> {
        let ([ephemeral], payload) = self.noise.write(payload, [KEY])?;
        let hello = ServerHello { ephemeral: Some(ephemeral), payload: Some(payload), ..Default::default() };
        let message = HandshakeMessage { server_hello: Some(hello), ..Default::default() };
        Ok((self.noise.split()?, self.client, encode(message)))
    }

    /// Insists on a full handshake instead.
    pub fn fall_back(self, rng: &mut impl CryptoRng) -> Result<SendServerHello, HandshakeError> {
        SendServerHello::new(&self.setup, Pattern::Fallback, &self.client_ephemeral, rng)
    }
}
