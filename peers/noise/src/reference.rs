//! The reference's ends: its clients, and a server put together from its symmetric state, since it has none.

use bytes::Bytes;
use prost::Message;
use wa_proto::handshake::{HandshakeMessage, ServerHello};
use wacore_libsignal::protocol::KeyPair;
use wacore_noise::{NoiseCipher, NoiseHandshake};

use crate::channel::PROLOGUE;

/// What anything of the reference's ends in; it has an error type in each module.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// One end after the handshake, with its counters.
pub struct End {
    write: NoiseCipher,
    read: NoiseCipher,
    written: u32,
    read_so_far: u32,
}

impl End {
    /// An end from the ciphers of its two directions.
    pub fn new(write: NoiseCipher, read: NoiseCipher) -> Self {
        Self { write, read, written: 0, read_so_far: 0 }
    }

    /// Seals the next message.
    pub fn seal(&mut self, mut message: Vec<u8>) -> Outcome<Vec<u8>> {
        self.write.encrypt_in_place_with_counter(self.written, &mut message)?;
        self.written += 1;
        Ok(message)
    }

    /// Opens the next message.
    pub fn open(&mut self, mut message: Vec<u8>) -> Outcome<Vec<u8>> {
        self.read.decrypt_in_place_with_counter(self.read_so_far, &mut message)?;
        self.read_so_far += 1;
        Ok(message)
    }
}

/// A server on the reference's symmetric state, in the middle of a handshake.
pub struct Server {
    state: NoiseHandshake,
    ephemeral: KeyPair,
    client_ephemeral: Bytes,
}

impl Server {
    /// Reads a first message that names no server, or whose server is not meant any more (`pattern` XXfallback).
    pub fn read_hello(pattern: &str, ephemeral: KeyPair, message: &[u8]) -> Outcome<Self> {
        let hello = HandshakeMessage::decode(message)?.client_hello.ok_or("no client hello")?;
        let client_ephemeral = hello.ephemeral.ok_or("no client ephemeral")?;
        let mut state = NoiseHandshake::new(pattern, &PROLOGUE)?;
        state.authenticate(&client_ephemeral);
        Ok(Self { state, ephemeral, client_ephemeral })
    }

    /// Answers with the server's static key and its certificates.
    pub fn answer(&mut self, identity: &KeyPair, chain: &[u8]) -> Outcome<Bytes> {
        let Self { state, ephemeral, client_ephemeral } = self;
        let public = ephemeral.public_key.public_key_bytes();
        state.authenticate(public);
        state.mix_shared_secret(ephemeral.private_key.serialize().as_ref(), client_ephemeral)?;
        let sealed_identity = state.encrypt(identity.public_key.public_key_bytes())?;
        state.mix_shared_secret(identity.private_key.serialize().as_ref(), client_ephemeral)?;
        let hello = ServerHello {
            ephemeral: Some(Bytes::copy_from_slice(public)),
            r#static: Some(sealed_identity.into()),
            payload: Some(state.encrypt(chain)?.into()),
            ..Default::default()
        };
        Ok(encode(hello))
    }

    /// Reads the last message: the end, and the client's static key and login.
    pub fn read_finish(mut self, message: &[u8]) -> Outcome<(End, Vec<u8>, Vec<u8>)> {
        let finish = HandshakeMessage::decode(message)?.client_finish.ok_or("no client finish")?;
        let identity = self.state.decrypt(&finish.r#static.ok_or("no client static")?)?;
        self.state.mix_shared_secret(self.ephemeral.private_key.serialize().as_ref(), &identity)?;
        let login = self.state.decrypt(&finish.payload.ok_or("no client payload")?)?;
        let (to_server, to_client) = self.state.finish()?;
        Ok((End::new(to_client, to_server), identity, login))
    }
}

/// A whole resumption as the server sees it: its answer, its end, and the client's static key and login.
pub fn resume(
    pattern: &str,
    identity: &KeyPair,
    ephemeral: &KeyPair,
    message: &[u8],
) -> Outcome<(Bytes, End, Vec<u8>, Vec<u8>)> {
    let hello = HandshakeMessage::decode(message)?.client_hello.ok_or("no client hello")?;
    let client_ephemeral = hello.ephemeral.ok_or("no client ephemeral")?;
    let ours = identity.private_key.serialize();
    let mut state = NoiseHandshake::new(pattern, &PROLOGUE)?;
    state.authenticate(identity.public_key.public_key_bytes());
    state.authenticate(&client_ephemeral);
    state.mix_shared_secret(ours.as_ref(), &client_ephemeral)?;
    let client = state.decrypt(&hello.r#static.ok_or("no client static")?)?;
    state.mix_shared_secret(ours.as_ref(), &client)?;
    let login = state.decrypt(&hello.payload.ok_or("no client payload")?)?;
    let (public, private) = (ephemeral.public_key.public_key_bytes(), ephemeral.private_key.serialize());
    state.authenticate(public);
    state.mix_shared_secret(private.as_ref(), &client_ephemeral)?;
    state.mix_shared_secret(private.as_ref(), &client)?;
    let hello = ServerHello {
        ephemeral: Some(Bytes::copy_from_slice(public)),
        payload: Some(state.encrypt(&[])?.into()),
        ..Default::default()
    };
    let (to_server, to_client) = state.finish()?;
    Ok((encode(hello), End::new(to_client, to_server), client, login))
}

fn encode(hello: ServerHello) -> Bytes {
    HandshakeMessage { server_hello: Some(hello), ..Default::default() }.encode_to_vec().into()
}
