//! The handshake against known answers and against stock snow.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use snow::Builder;
use wa_keys::{PrivateKey, PublicKey};
use zeroize::Zeroizing;

use super::*;

/// A transcript with fixed keys, made by another implementation.
#[derive(Deserialize)]
struct KnownAnswer {
    name: String,
    prologue: String,
    client_ephemeral_private: String,
    client_static_private: String,
    server_ephemeral_private: String,
    server_static_private: String,
    client_hello: Hello,
    server_hello: Hello,
    client_finish: Option<Hello>,
    server_payload: String,
    client_payload: String,
    handshake_hash: String,
    client_to_server_key: String,
    server_to_client_key: String,
    transport: Vec<Sealed>,
}

#[derive(Deserialize)]
struct Hello {
    ephemeral: Option<String>,
    r#static: Option<String>,
    payload: Option<String>,
}

#[derive(Deserialize)]
struct Sealed {
    dir: String,
    counter: u64,
    plaintext: String,
    ciphertext: String,
}

impl KnownAnswer {
    fn load() -> Vec<Self> {
        serde_json::from_str(include_str!("../../tests/vectors/wa_noise_kat.json")).unwrap()
    }

    fn setup(&self, private: &str) -> Setup {
        Setup {
            prologue: bytes(&self.prologue).into(),
            dialect: Dialect::WhatsApp,
            static_key: PrivateKey::from_slice(&bytes(private)).unwrap(),
        }
    }

    /// Both ends of the transcript; the IK client knows the server's key.
    fn ends(&self, pattern: Pattern) -> (Noise, Noise) {
        let (client, server) =
            (self.setup(&self.client_static_private), self.setup(&self.server_static_private));
        let known = server.static_key.public_key();
        let known = (pattern == Pattern::Ik).then_some(&known);
        (
            Noise::new(&client, pattern, Role::Client, known, secret(&self.client_ephemeral_private))
                .unwrap(),
            Noise::new(&server, pattern, Role::Server, None, secret(&self.server_ephemeral_private)).unwrap(),
        )
    }

    fn check_end(&self, mut client: Noise, mut server: Noise) {
        for end in [&client, &server] {
            assert_eq!(hex::encode(end.hash()), self.handshake_hash, "{}", self.name);
        }
        for end in [&mut client, &mut server] {
            let (to_server, to_client) = end.state.dangerously_get_raw_split();
            assert_eq!(hex::encode(to_server), self.client_to_server_key);
            assert_eq!(hex::encode(to_client), self.server_to_client_key);
        }
        let (mut client, mut server) = (client.split().unwrap(), server.split().unwrap());
        for sealed in &self.transport {
            let (from, to) = match sealed.dir.as_str() {
                "c2s" => (&mut client.sealer, &mut server.opener),
                _ => (&mut server.sealer, &mut client.opener),
            };
            while from.count() < sealed.counter {
                let mut filler = BytesMut::new();
                from.seal(&mut filler).unwrap();
                to.open(&mut filler).unwrap();
            }
            let mut message = BytesMut::from(bytes(&sealed.plaintext).as_slice());
            from.seal(&mut message).unwrap();
            assert_eq!(hex::encode(&message), sealed.ciphertext, "{} {}", sealed.dir, sealed.counter);
            to.open(&mut message).unwrap();
            assert_eq!(hex::encode(&message), sealed.plaintext);
        }
    }
}

#[test]
fn known_answers_match_byte_for_byte() {
    let mut seen = Vec::new();
    for case in KnownAnswer::load() {
        match case.name.as_str() {
            "Noise_XX_25519_AESGCM_SHA256" => three_messages(&case, Pattern::Xx),
            "Noise_XXfallback_25519_AESGCM_SHA256" => three_messages(&case, Pattern::Fallback),
            "Noise_IK_25519_AESGCM_SHA256" => two_messages(&case),
            other => panic!("unknown pattern {other}"),
        }
        seen.push(case.name);
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
}

fn three_messages(case: &KnownAnswer, pattern: Pattern) {
    let (mut client, mut server) = case.ends(pattern);
    let ([ephemeral], rest) = client.write(&[], [KEY]).unwrap();
    assert!(rest.is_empty());
    assert_field(&ephemeral, &case.client_hello.ephemeral);
    server.read(&[&ephemeral]).unwrap();

    let ([ephemeral, identity], payload) =
        server.write(&bytes(&case.server_payload), [KEY, SEALED_KEY]).unwrap();
    assert_field(&ephemeral, &case.server_hello.ephemeral);
    assert_field(&identity, &case.server_hello.r#static);
    assert_field(&payload, &case.server_hello.payload);
    let payload = client.read(&[&ephemeral, &identity, &payload]).unwrap();
    assert_eq!(hex::encode(&*payload), case.server_payload);

    let finish = case.client_finish.as_ref().unwrap();
    let ([identity], payload) = client.write(&bytes(&case.client_payload), [SEALED_KEY]).unwrap();
    assert_field(&identity, &finish.r#static);
    assert_field(&payload, &finish.payload);
    let payload = server.read(&[&identity, &payload]).unwrap();
    assert_eq!(hex::encode(&*payload), case.client_payload);
    case.check_end(client, server);
}

fn two_messages(case: &KnownAnswer) {
    let (mut client, mut server) = case.ends(Pattern::Ik);
    let ([ephemeral, identity], payload) =
        client.write(&bytes(&case.client_payload), [KEY, SEALED_KEY]).unwrap();
    assert_field(&ephemeral, &case.client_hello.ephemeral);
    assert_field(&identity, &case.client_hello.r#static);
    assert_field(&payload, &case.client_hello.payload);
    let payload = server.read(&[&ephemeral, &identity, &payload]).unwrap();
    assert_eq!(hex::encode(&*payload), case.client_payload);

    let ([ephemeral], payload) = server.write(&bytes(&case.server_payload), [KEY]).unwrap();
    assert_field(&ephemeral, &case.server_hello.ephemeral);
    assert_field(&payload, &case.server_hello.payload);
    let payload = client.read(&[&ephemeral, &payload]).unwrap();
    assert_eq!(hex::encode(&*payload), case.server_payload);
    case.check_end(client, server);
}

/// Strict Noise is stock Noise, in both roles and with empty and other payloads; WhatsApp's dialect is not, exactly
/// where the first payload is empty, which for XX it always is.
#[test]
fn strict_xx_agrees_with_stock_snow_and_the_dialect_does_not() {
    for payload in [b"".as_slice(), b"payload"] {
        for role in [Role::Client, Role::Server] {
            assert_eq!(xx_with_stock_snow(Dialect::Strict, role, payload), Ok(()));
            assert_eq!(xx_with_stock_snow(Dialect::WhatsApp, role, payload), Err(HandshakeError::Decrypt));
        }
    }
}

#[test]
fn ik_agrees_with_stock_snow_in_both_dialects() {
    for payload in [b"".as_slice(), b"payload"] {
        for dialect in [Dialect::Strict, Dialect::WhatsApp] {
            for role in [Role::Client, Role::Server] {
                assert_eq!(ik_with_stock_snow(dialect, role, payload), Ok(()));
            }
        }
    }
}

fn xx_with_stock_snow(dialect: Dialect, ours: Role, payload: &[u8]) -> Result<(), HandshakeError> {
    let mut us = Noise::new(&setup(dialect, 7), Pattern::Xx, ours, None, Zeroizing::new([5; 32]))?;
    let mut stock = stock(XX, other(ours), None);
    exchange(&mut us, &mut stock, ours, &[b"", payload, payload])
}

fn ik_with_stock_snow(dialect: Dialect, ours: Role, payload: &[u8]) -> Result<(), HandshakeError> {
    let server = if ours == Role::Client { 9 } else { 7 };
    let server = PrivateKey::from_bytes([server; 32]).public_key();
    let known = (ours == Role::Client).then_some(&server);
    let mut us = Noise::new(&setup(dialect, 7), Pattern::Ik, ours, known, Zeroizing::new([5; 32]))?;
    let mut stock = stock(IK, other(ours), (ours == Role::Server).then_some(&server));
    exchange(&mut us, &mut stock, ours, &[payload, payload])
}

/// Sends the payloads to and fro, then compares both split keys.
fn exchange(
    us: &mut Noise,
    stock: &mut HandshakeState,
    ours: Role,
    payloads: &[&[u8]],
) -> Result<(), HandshakeError> {
    let mut buffer = [0; 1024];
    for (index, payload) in payloads.iter().enumerate() {
        if (index % 2 == 0) == (ours == Role::Client) {
            let mut message = vec![0; 1024];
            let length = us.state.write_message(payload, &mut message).map_err(failed)?;
            let length = stock.read_message(&message[..length], &mut buffer).map_err(failed)?;
            assert_eq!(&buffer[..length], *payload);
        } else {
            let length = stock.write_message(payload, &mut buffer).map_err(failed)?;
            assert_eq!(us.read(&[&buffer[..length]])?.as_slice(), *payload);
        }
    }
    assert_eq!(us.state.dangerously_get_raw_split(), stock.dangerously_get_raw_split());
    Ok(())
}

fn stock(name: &str, role: Role, remote: Option<&PublicKey>) -> HandshakeState {
    let local = [9; 32];
    let mut builder =
        Builder::with_resolver(name.parse().unwrap(), Box::new(snow::resolvers::DefaultResolver));
    builder = builder.prologue(PROLOGUE).unwrap().local_private_key(&local).unwrap();
    if let Some(remote) = remote {
        builder = builder.remote_public_key(remote.as_bytes()).unwrap();
    }
    match role {
        Role::Client => builder.build_initiator().unwrap(),
        Role::Server => builder.build_responder().unwrap(),
    }
}

#[test]
fn payloads_are_bounded() {
    let (mut client, _) = KnownAnswer::load()[0].ends(Pattern::Xx);
    let error = client.write(&[0; MAX_PAYLOAD + 1], [KEY]).unwrap_err();
    assert_eq!(error, HandshakeError::PayloadTooLong(MAX_PAYLOAD + 1));
}

#[test]
fn a_sealed_payload_is_as_long_as_a_tag_to_as_the_longest_with_its_tag() {
    // 65,535 bytes less an ephemeral key, a sealed static one and the payload's tag.
    assert_eq!(MAX_PAYLOAD, 65_535 - 32 - 48 - 16);
    let taken = |length| sealed("payload", Some(vec![0; length].into())).is_ok();
    assert_eq!([15, 16, MAX_PAYLOAD + 16, MAX_PAYLOAD + 17].map(taken), [false, true, true, false]);
}

#[test]
fn no_two_ephemeral_keys_are_the_same() {
    let mut rng = rand_core::UnwrapErr(rand::rngs::SysRng);
    assert_ne!(*ephemeral(&mut rng), *ephemeral(&mut rng));
}

#[test]
fn a_longest_payload_crosses() {
    let (mut client, mut server) = KnownAnswer::load()[0].ends(Pattern::Xx);
    let ([ephemeral], _) = client.write(&[], [KEY]).unwrap();
    server.read(&[&ephemeral]).unwrap();
    let payload = vec![7; MAX_PAYLOAD];
    let ([ephemeral, identity], sealed) = server.write(&payload, [KEY, SEALED_KEY]).unwrap();
    assert_eq!(*client.read(&[&ephemeral, &identity, &sealed]).unwrap(), payload);
}

#[test]
fn the_ephemeral_is_drawn_once() {
    let (mut client, mut server) = KnownAnswer::load()[0].ends(Pattern::Xx);
    let ([ephemeral], _) = client.write(&[], [KEY]).unwrap();
    server.read(&[&ephemeral]).unwrap();
    server.write(&[], [KEY, SEALED_KEY]).unwrap();
    assert_eq!(server.write(&[], [KEY, SEALED_KEY]).unwrap_err(), HandshakeError::OutOfStep);
}

const PROLOGUE: &[u8] = &[0x57, 0x41, 6, 3];

fn setup(dialect: Dialect, key: u8) -> Setup {
    let static_key = PrivateKey::from_bytes([key; 32]);
    Setup { prologue: Bytes::from_static(PROLOGUE), dialect, static_key }
}

fn other(role: Role) -> Role {
    if role == Role::Client { Role::Server } else { Role::Client }
}

fn assert_field(actual: &[u8], expected: &Option<String>) {
    assert_eq!(Some(hex::encode(actual)), *expected);
}

fn secret(text: &str) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(bytes(text).try_into().unwrap())
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}
