//! Both ends of the handshake through the public API: what completes, and everything that must not.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use bytes::{Bytes, BytesMut};
use prost::Message;
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use wa_keys::{PrivateKey, ZeroSecret};
use wa_noise::{
    CertificateAuthority, CertificateError, ClientIdentity, Dialect, ExpectResumption, ExpectServerHello,
    HandshakeError, Hello, KnownServer, Link, Resumption, SendFinish, Setup, Transport, TrustRoot, Validity,
    is_resumption,
};
use wa_proto::handshake::{CertChain, CertificateDetails, ClientHello, HandshakeMessage};

const NOW: u64 = 1_800_000_000;
const VALIDITY: Validity = Validity { not_before: NOW - 10, not_after: NOW + 10 };

struct World {
    rng: UnwrapErr<SysRng>,
    authority: CertificateAuthority,
    client: Setup,
    server: Setup,
}

impl World {
    fn new() -> Self {
        let mut rng = UnwrapErr(SysRng);
        let setup = |rng: &mut _| Setup {
            prologue: Bytes::from_static(&[0x57, 0x41, 6, 3]),
            dialect: Dialect::WhatsApp,
            static_key: PrivateKey::generate(rng),
        };
        let (client, server) = (setup(&mut rng), setup(&mut rng));
        Self { authority: CertificateAuthority::generate(&mut rng), rng, client, server }
    }

    fn root(&self) -> TrustRoot {
        self.authority.root()
    }

    fn chain(&mut self) -> CertChain {
        let key = self.server.static_key.public_key();
        self.authority.issue(&key, VALIDITY, &mut self.rng)
    }

    fn full(
        &mut self,
        chain: &CertChain,
    ) -> Result<(SendFinish, wa_noise::ExpectClientFinish), HandshakeError> {
        let (client, hello) = ExpectServerHello::start(&self.client, &mut self.rng)?;
        let Hello::Full(server) = Hello::read(&self.server, hello, &mut self.rng)? else { panic!("resumed") };
        let (server, hello) = server.send(&chain.encode_to_vec())?;
        Ok((client.read_server_hello(hello, &self.root(), NOW)?, server))
    }

    fn known(&mut self) -> KnownServer {
        let chain = self.chain();
        *self.full(&chain).unwrap().0.server()
    }
}

#[test]
fn a_full_handshake_opens_both_directions_and_names_both_ends() {
    let mut world = World::new();
    let chain = world.chain();
    let (client, server) = world.full(&chain).unwrap();
    let known = *client.server();
    assert_eq!(known.key, world.server.static_key.public_key());
    assert!(known.is_valid(NOW + 10) && !known.is_valid(NOW + 11));
    let (client, finish) = client.finish(b"login").unwrap();
    let (server, identity) = server.read_client_finish(finish).unwrap();
    check_identity(&world, &identity);
    check_transport(client, server);
}

#[test]
fn a_known_server_is_resumed_in_one_round_trip() {
    let mut world = World::new();
    let known = world.known();
    let (client, hello) = ExpectResumption::start(&world.client, &known, b"login", &mut world.rng).unwrap();
    let Hello::Resume(server) = Hello::read(&world.server, hello, &mut world.rng).unwrap() else {
        panic!("full")
    };
    check_identity(&world, &server.client);
    let (server, _, hello) = server.accept(b"").unwrap();
    match client.read_server_hello(hello, &world.root(), NOW).unwrap() {
        Resumption::Resumed(client) => check_transport(client, server),
        Resumption::Fallback(_) => panic!("fell back"),
    }
}

#[test]
fn a_server_with_another_key_falls_back_on_the_same_connection() {
    let mut world = World::new();
    let known = world.known();
    world.server.static_key = PrivateKey::generate(&mut world.rng);
    let chain = world.chain();
    let (client, hello) = ExpectResumption::start(&world.client, &known, b"login", &mut world.rng).unwrap();
    let Hello::Full(server) = Hello::read(&world.server, hello, &mut world.rng).unwrap() else {
        panic!("resumed")
    };
    let (server, hello) = server.send(&chain.encode_to_vec()).unwrap();
    let Resumption::Fallback(client) = client.read_server_hello(hello, &world.root(), NOW).unwrap() else {
        panic!("resumed")
    };
    assert_eq!(client.server().key, world.server.static_key.public_key());
    let (client, finish) = client.finish(b"login").unwrap();
    let (server, identity) = server.read_client_finish(finish).unwrap();
    check_identity(&world, &identity);
    check_transport(client, server);
}

#[test]
fn a_server_may_insist_on_a_full_handshake() {
    let mut world = World::new();
    let known = world.known();
    let chain = world.chain();
    let (client, hello) = ExpectResumption::start(&world.client, &known, b"login", &mut world.rng).unwrap();
    let Hello::Resume(server) = Hello::read(&world.server, hello, &mut world.rng).unwrap() else {
        panic!("full")
    };
    let server = server.fall_back(&mut world.rng).unwrap();
    let (server, hello) = server.send(&chain.encode_to_vec()).unwrap();
    let Resumption::Fallback(client) = client.read_server_hello(hello, &world.root(), NOW).unwrap() else {
        panic!("resumed")
    };
    let (_, finish) = client.finish(b"login").unwrap();
    check_identity(&world, &server.read_client_finish(finish).unwrap().1);
}

fn check_identity(world: &World, identity: &ClientIdentity) {
    assert_eq!(identity.key, world.client.static_key.public_key());
    assert_eq!(identity.payload.as_slice(), b"login");
}

fn check_transport(mut client: Transport, mut server: Transport) {
    for text in [b"one".as_slice(), b"", b"three"] {
        let mut message = BytesMut::from(text);
        client.sealer.seal(&mut message).unwrap();
        server.opener.open(&mut message).unwrap();
        assert_eq!(message, text);
        server.sealer.seal(&mut message).unwrap();
        client.opener.open(&mut message).unwrap();
        assert_eq!(message, text);
    }
}

/// One line for each condition of the chain: what is done to it, and the exact error.
#[test]
fn a_chain_holds_from_its_first_second_to_its_last() {
    let mut world = World::new();
    assert_eq!(TrustRoot::new(wa_keys::PublicKey::from_bytes(world.authority.root_bytes())), world.root());
    let key = world.server.static_key.public_key();
    for validity in [Validity { not_before: NOW, ..VALIDITY }, Validity { not_after: NOW, ..VALIDITY }] {
        let chain = world.authority.issue(&key, validity, &mut world.rng);
        assert!(world.full(&chain).is_ok(), "{validity:?}");
    }
    assert_eq!([Link::Leaf, Link::Intermediate].map(|link| link.to_string()), ["leaf", "intermediate"]);
}

#[test]
fn a_resumption_is_known_by_what_it_brings() {
    let mut world = World::new();
    let some = |length| Some(Bytes::from(vec![9; length]));
    let message = |identity, payload| {
        let client_hello = ClientHello { ephemeral: some(32), r#static: identity, payload };
        Bytes::from(
            HandshakeMessage { client_hello: Some(client_hello), ..HandshakeMessage::default() }
                .encode_to_vec(),
        )
    };
    assert!(!is_resumption(&message(None, None)) && !is_resumption(&Bytes::from_static(b"?")));
    for (identity, payload, missing) in [(some(48), None, "payload"), (None, some(16), "static")] {
        let message = message(identity, payload);
        assert!(is_resumption(&message));
        let refused = Hello::read(&world.server, message, &mut world.rng).unwrap_err();
        assert!(matches!(refused, HandshakeError::Missing(what) if what.contains(missing)), "{refused}");
    }
}

#[test]
fn every_condition_of_the_chain_is_checked() {
    let mut world = World::new();
    let stranger = CertificateAuthority::generate(&mut world.rng);
    let good = world.chain();
    let key = world.server.static_key.public_key();
    let other = stranger.issue(&key, VALIDITY, &mut world.rng);
    let other_key =
        world.authority.issue(&PrivateKey::from_bytes([1; 32]).public_key(), VALIDITY, &mut world.rng);
    let late = world.authority.issue(&key, Validity { not_before: NOW + 1, ..VALIDITY }, &mut world.rng);
    let early = world.authority.issue(&key, Validity { not_after: NOW - 1, ..VALIDITY }, &mut world.rng);
    let (leaf, intermediate) = (good.leaf.clone().unwrap(), good.intermediate.clone().unwrap());
    let chain = |leaf: &wa_proto::handshake::Certificate, intermediate: &wa_proto::handshake::Certificate| {
        CertChain { leaf: Some(leaf.clone()), intermediate: Some(intermediate.clone()) }
    };
    let edited = |certificate: &wa_proto::handshake::Certificate, edit: fn(&mut CertificateDetails)| {
        let mut details = CertificateDetails::decode(certificate.details.clone().unwrap()).unwrap();
        edit(&mut details);
        let details = Some(details.encode_to_vec().into());
        wa_proto::handshake::Certificate { details, ..certificate.clone() }
    };
    let signed = |certificate: &wa_proto::handshake::Certificate, length: usize| {
        let signature = Some(certificate.signature.clone().unwrap().slice(..length));
        wa_proto::handshake::Certificate { signature, ..certificate.clone() }
    };
    use CertificateError::*;
    use Link::{Intermediate, Leaf};
    let cases = [
        (other.clone(), Signature(Intermediate)),
        (chain(other.leaf.as_ref().unwrap(), &intermediate), Signature(Leaf)),
        (chain(&leaf, &edited(&intermediate, |d| d.issuer_serial = Some(1))), Issuer(Intermediate)),
        (chain(&leaf, &edited(&intermediate, |d| d.serial = Some(9))), Signature(Intermediate)),
        (chain(&edited(&leaf, |d| d.issuer_serial = Some(0)), &intermediate), Issuer(Leaf)),
        (chain(&edited(&leaf, |d| d.serial = Some(9)), &intermediate), Signature(Leaf)),
        (other_key, Key),
        (late.clone(), NotYetValid(Intermediate)),
        (chain(late.leaf.as_ref().unwrap(), &intermediate), NotYetValid(Leaf)),
        (early.clone(), Expired(Intermediate)),
        (chain(early.leaf.as_ref().unwrap(), &intermediate), Expired(Leaf)),
        (chain(&intermediate, &leaf), Issuer(Intermediate)),
        (CertChain { leaf: None, ..good.clone() }, Missing(Leaf, "everything")),
        (CertChain { intermediate: None, ..good.clone() }, Missing(Intermediate, "everything")),
        (chain(&signed(&leaf, 63), &intermediate), Length(Leaf, "signature", 63)),
        (chain(&leaf, &signed(&intermediate, 0)), Length(Intermediate, "signature", 0)),
        (
            chain(&edited(&leaf, |d| d.key = Some(Bytes::from_static(&[1; 33]))), &intermediate),
            Length(Leaf, "key", 33),
        ),
        (chain(&edited(&leaf, |d| d.key = None), &intermediate), Missing(Leaf, "key")),
        (chain(&edited(&leaf, |d| d.not_after = None), &intermediate), Missing(Leaf, "end of validity")),
    ];
    assert!(world.full(&good).is_ok());
    for (index, (chain, error)) in cases.into_iter().enumerate() {
        assert_eq!(world.full(&chain).unwrap_err(), HandshakeError::Certificate(error), "case {index}");
    }
}

#[test]
fn whatsapps_root_does_not_trust_us() {
    let mut world = World::new();
    let chain = world.chain();
    let (client, hello) = ExpectServerHello::start(&world.client, &mut world.rng).unwrap();
    let Hello::Full(server) = Hello::read(&world.server, hello, &mut world.rng).unwrap() else { panic!() };
    let (_, hello) = server.send(&chain.encode_to_vec()).unwrap();
    let error = client.read_server_hello(hello, &wa_noise::WHATSAPP_ROOT, NOW).unwrap_err();
    assert_eq!(error, CertificateError::Signature(Link::Intermediate).into());
}

/// Every byte of every handshake message, changed: the handshake ends in an error on one side or the other.
#[test]
fn no_changed_byte_survives() {
    let mut world = World::new();
    let chain = world.chain();
    let lengths = run_mutated(&mut world, &chain, None).unwrap();
    for (message, length) in lengths.into_iter().enumerate() {
        for position in 0..length {
            let outcome = run_mutated(&mut world, &chain, Some((message, position)));
            assert!(outcome.is_err(), "message {message}, byte {position}");
        }
    }
}

/// Runs a full handshake in which one byte of one message is flipped; gives the messages' lengths.
fn run_mutated(
    world: &mut World,
    chain: &CertChain,
    flip: Option<(usize, usize)>,
) -> Result<[usize; 3], HandshakeError> {
    let mut lengths = [0; 3];
    let mut send = |index: usize, message: Bytes| {
        lengths[index] = message.len();
        let mut message = message.to_vec();
        if let Some((_, position)) = flip.filter(|flip| flip.0 == index) {
            message[position] ^= 0x10;
        }
        Bytes::from(message)
    };
    let (client, hello) = ExpectServerHello::start(&world.client, &mut world.rng)?;
    let Hello::Full(server) = Hello::read(&world.server, send(0, hello), &mut world.rng)? else {
        return Err(HandshakeError::Decode);
    };
    let (server, hello) = server.send(&chain.encode_to_vec())?;
    let client = client.read_server_hello(send(1, hello), &world.authority.root(), NOW)?;
    let (_, finish) = client.finish(b"login")?;
    server.read_client_finish(send(2, finish))?;
    Ok(lengths)
}

/// Every byte of both resumption messages, changed: nobody resumes. What remains is an error, or the full handshake
/// that a server falls back to when it cannot read a login; that one authenticates everything anew.
#[test]
fn no_changed_byte_resumes() {
    let mut world = World::new();
    let known = world.known();
    let (hello, answer) = resumption_lengths(&mut world, &known);
    for position in 0..hello {
        let (_, hello) = ExpectResumption::start(&world.client, &known, b"login", &mut world.rng).unwrap();
        let read = Hello::read(&world.server, flipped(&hello, position), &mut world.rng);
        assert!(!matches!(read, Ok(Hello::Resume(_))), "first message, byte {position}");
    }
    for position in 0..answer {
        let (client, hello) =
            ExpectResumption::start(&world.client, &known, b"login", &mut world.rng).unwrap();
        let Hello::Resume(server) = Hello::read(&world.server, hello, &mut world.rng).unwrap() else {
            panic!("full")
        };
        let (_, _, answer) = server.accept(b"").unwrap();
        let read = client.read_server_hello(flipped(&answer, position), &world.root(), NOW);
        assert!(read.is_err(), "answer, byte {position}");
    }
}

fn resumption_lengths(world: &mut World, known: &KnownServer) -> (usize, usize) {
    let (_, hello) = ExpectResumption::start(&world.client, known, b"login", &mut world.rng).unwrap();
    let Hello::Resume(server) = Hello::read(&world.server, hello.clone(), &mut world.rng).unwrap() else {
        panic!("full")
    };
    (hello.len(), server.accept(b"").unwrap().2.len())
}

fn flipped(message: &Bytes, position: usize) -> Bytes {
    let mut message = message.to_vec();
    message[position] ^= 0x10;
    message.into()
}

/// A fallback whose first message was changed on the way: the ephemeral is bound into what the server proves.
#[test]
fn a_changed_ephemeral_does_not_fall_back() {
    let mut world = World::new();
    let known = world.known();
    let chain = world.chain().encode_to_vec();
    for position in 0..32 {
        let (client, hello) =
            ExpectResumption::start(&world.client, &known, b"login", &mut world.rng).unwrap();
        let mut message = HandshakeMessage::decode(hello).unwrap();
        let fields = message.client_hello.as_mut().unwrap();
        fields.ephemeral = Some(flipped(fields.ephemeral.as_ref().unwrap(), position));
        let read = Hello::read(&world.server, message.encode_to_vec().into(), &mut world.rng);
        let Ok(Hello::Full(server)) = read else { continue };
        let (_, answer) = server.send(&chain).unwrap();
        let read = client.read_server_hello(answer, &world.root(), NOW);
        assert_eq!(read.err(), Some(HandshakeError::Decrypt), "byte {position}");
    }
}

#[test]
fn fields_of_another_length_are_refused_before_they_are_joined() {
    let mut world = World::new();
    let chain = world.chain();
    let (client, hello) = ExpectServerHello::start(&world.client, &mut world.rng).unwrap();
    let Hello::Full(server) = Hello::read(&world.server, hello, &mut world.rng).unwrap() else { panic!() };
    let (_, hello) = server.send(&chain.encode_to_vec()).unwrap();
    // The same bytes, with the boundary between static and payload moved by one.
    let mut message = HandshakeMessage::decode(hello).unwrap();
    let fields = message.server_hello.as_mut().unwrap();
    let joined = [fields.r#static.take().unwrap(), fields.payload.take().unwrap()].concat();
    fields.r#static = Some(joined[..47].to_vec().into());
    fields.payload = Some(joined[47..].to_vec().into());
    let error = client.read_server_hello(message.encode_to_vec().into(), &world.root(), NOW).unwrap_err();
    assert_eq!(error, HandshakeError::Length { field: "server static", actual: 47 });
}

#[test]
fn small_order_ephemerals_are_refused() {
    let mut world = World::new();
    let (client, hello) = ExpectServerHello::start(&world.client, &mut world.rng).unwrap();
    let mut zero = HandshakeMessage::decode(hello.clone()).unwrap();
    zero.client_hello.as_mut().unwrap().ephemeral = Some(Bytes::from_static(&[0; 32]));
    let chain = world.chain().encode_to_vec();
    let zero = zero.encode_to_vec().into();
    let Hello::Full(server) = Hello::read(&world.server, zero, &mut world.rng).unwrap() else { panic!() };
    assert_eq!(server.send(&chain).unwrap_err(), ZeroSecret.into());

    let Hello::Full(server) = Hello::read(&world.server, hello, &mut world.rng).unwrap() else { panic!() };
    let (_, hello) = server.send(&chain).unwrap();
    let mut zero = HandshakeMessage::decode(hello).unwrap();
    zero.server_hello.as_mut().unwrap().ephemeral = Some(Bytes::from_static(&[0; 32]));
    let error = client.read_server_hello(zero.encode_to_vec().into(), &world.root(), NOW).unwrap_err();
    assert_eq!(error, ZeroSecret.into());
}

#[test]
fn another_prologue_or_dialect_does_not_connect() {
    for edit in
        [(|setup| setup.prologue = Bytes::from_static(&[0x57, 0x41, 6, 2])) as fn(&mut Setup), |setup| {
            setup.dialect = Dialect::Strict
        }]
    {
        let mut world = World::new();
        edit(&mut world.client);
        let chain = world.chain();
        assert_eq!(world.full(&chain).unwrap_err(), HandshakeError::Decrypt);
    }
}

#[test]
fn messages_of_another_kind_are_refused() {
    let mut world = World::new();
    let (client, hello) = ExpectServerHello::start(&world.client, &mut world.rng).unwrap();
    let error = client.read_server_hello(hello, &world.root(), NOW).unwrap_err();
    assert_eq!(error, HandshakeError::Missing("server hello"));
    for (message, error) in [
        (b"".as_slice(), HandshakeError::Missing("client hello")),
        (b"\xFF", HandshakeError::Decode),
        (b"\x12\x00", HandshakeError::Missing("client ephemeral")),
        (b"\x12\x03\x0a\x01\x07", HandshakeError::Length { field: "client ephemeral", actual: 1 }),
    ] {
        let read = Hello::read(&world.server, Bytes::from_static(message), &mut world.rng);
        assert_eq!(read.unwrap_err(), error);
    }
}
