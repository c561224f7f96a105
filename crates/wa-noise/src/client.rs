//! The client's side of the handshake: XX, and IK with its fallback (overview §2; observed).

use bytes::Bytes;
use rand_core::CryptoRng;
use wa_proto::handshake::{ClientFinish, ClientHello, HandshakeMessage, ServerHello};
use zeroize::Zeroizing;

use crate::handshake::{
    KEY, Noise, Pattern, Role, SEALED_KEY, Setup, decode, encode, ephemeral, exact, sealed,
};
use crate::{HandshakeError, KnownServer, Transport, TrustRoot};

/// A client that knows nothing of the server yet (XX): its hello is sent, the server's is awaited.
#[derive(Debug)]
pub struct ExpectServerHello {
    noise: Noise,
}

impl ExpectServerHello {
    /// Begins; the bytes are the first frame's body.
    pub fn start(setup: &Setup, rng: &mut impl CryptoRng) -> Result<(Self, Bytes), HandshakeError> {
        let mut noise = Noise::new(setup, Pattern::Xx, Role::Client, None, ephemeral(rng))?;
        let ([ephemeral], _) = noise.write(&[], [KEY])?;
        let hello = ClientHello { ephemeral: Some(ephemeral), ..Default::default() };
        let message = HandshakeMessage { client_hello: Some(hello), ..Default::default() };
        Ok((Self { noise }, encode(message)))
    }

    /// Reads the server's hello and verifies its certificates below `root` at `now` (Unix seconds).
    pub fn read_server_hello(
        self,
        message: Bytes,
        root: &TrustRoot,
        now: u64,
    ) -> Result<SendFinish, HandshakeError> {
        SendFinish::verify(self.noise, server_hello(message)?, root, now)
    }
}

/// A client that has verified the server; only its own finish is missing.
#[derive(Debug)]
pub struct SendFinish {
    noise: Noise,
    server: KnownServer,
}

impl SendFinish {
    fn verify(
        mut noise: Noise,
        hello: ServerHello,
        root: &TrustRoot,
        now: u64,
    ) -> Result<Self, HandshakeError> {
        let ephemeral = exact("server ephemeral", hello.ephemeral, KEY)?;
        let identity = exact("server static", hello.r#static, SEALED_KEY)?;
        let chain = sealed("server payload", hello.payload)?;
        // e, ee, s, es, then the payload: once it opens, the server has shown that it holds `identity`. Whose key that is
        // the certificates in the payload say, and nothing of ours is sent before they do (overview §2).
        let chain = noise.read(&[&ephemeral, &identity, &chain])?;
        let server = root.verify(&chain, &noise.remote_static()?, now)?;
        Ok(Self { noise, server })
    }

    /// The server as proved: keep it to resume with.
    pub fn server(&self) -> &KnownServer {
        &self.server
    }

    /// Ends the handshake with the client payload (the login, protobuf); the bytes are the next frame's body.
    pub fn finish(mut self, payload: &[u8]) -> Result<(Transport, Bytes), HandshakeError> {
        let ([identity], payload) = self.noise.write(payload, [SEALED_KEY])?;
        let finish = ClientFinish { r#static: Some(identity), payload: Some(payload) };
        let message = HandshakeMessage { client_finish: Some(finish), ..Default::default() };
        Ok((self.noise.split()?, encode(message)))
    }
}

/// A client that resumes with a known server (IK): hello and login are sent, the server's answer is awaited.
///
/// The first message can be replayed by anybody who saw it, so a server gives it no effect before a transport message.
#[derive(Debug)]
pub struct ExpectResumption {
    noise: Noise,
    setup: Setup,
    ephemeral: Zeroizing<[u8; KEY]>,
}

/// How a server answers a client that resumes.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "held for one step only")]
pub enum Resumption {
    /// The login stands; the channel is open.
    Resumed(Transport),
    /// The server has another key: go on as with XX, the login still to be sent.
    Fallback(SendFinish),
}

impl ExpectResumption {
    /// Begins with the client payload in the first message; the bytes are the first frame's body.
    ///
    /// The caller checks [`KnownServer::is_valid`] first.
    pub fn start(
        setup: &Setup,
        server: &KnownServer,
        payload: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Bytes), HandshakeError> {
        let secret = ephemeral(rng);
        let mut noise = Noise::new(setup, Pattern::Ik, Role::Client, Some(&server.key), secret.clone())?;
        let ([ephemeral, identity], payload) = noise.write(payload, [KEY, SEALED_KEY])?;
        let hello =
            ClientHello { ephemeral: Some(ephemeral), r#static: Some(identity), payload: Some(payload) };
        let message = HandshakeMessage { client_hello: Some(hello), ..Default::default() };
        Ok((Self { noise, setup: setup.clone(), ephemeral: secret }, encode(message)))
    }

    /// Reads the server's hello. With a static key in it, the handshake falls back to XX and that key is verified.
    pub fn read_server_hello(
        mut self,
        message: Bytes,
        root: &TrustRoot,
        now: u64,
    ) -> Result<Resumption, HandshakeError> {
        let hello = server_hello(message)?;
        // A static key in the answer means that the server could not read the IK message. Its new key is verified as a first
        // one is: an attacker who forces the fallback gains nothing.
        if hello.r#static.is_some() {
            let mut noise = Noise::new(&self.setup, Pattern::Fallback, Role::Client, None, self.ephemeral)?;
            // The ephemeral went out with the first message already; here it only enters the hash.
            let ([_], _) = noise.write(&[], [KEY])?;
            return Ok(Resumption::Fallback(SendFinish::verify(noise, hello, root, now)?));
        }
        let ephemeral = exact("server ephemeral", hello.ephemeral, KEY)?;
        let payload = sealed("server payload", hello.payload)?;
        self.noise.read(&[&ephemeral, &payload])?;
        Ok(Resumption::Resumed(self.noise.split()?))
    }
}

fn server_hello(message: Bytes) -> Result<ServerHello, HandshakeError> {
    decode(message)?.server_hello.ok_or(HandshakeError::Missing("server hello"))
}
