//! `peers-noise`: live handshakes with wacore-noise 0.7.0 in all its roles, then frames both ways.
//!
//! It has clients (XX, IK, XXfallback); the servers that our own client meets are put together from its symmetric
//! state. Exit code 0 only if every handshake and every frame went through.

use std::process::ExitCode;

use bytes::{Bytes, BytesMut};
use peers_noise::channel::{LOGIN, NOW, PROLOGUE, certify, setup};
use peers_noise::reference::{End, Outcome, Server, resume};
use rand::rngs::StdRng;
use wa_keys::PrivateKey;
use wa_noise::{
    ExpectResumption, ExpectServerHello, FrameDecoder, Hello, KnownServer, MAX_FRAME, Resumption, Setup,
    Transport, frame,
};
use wacore_libsignal::protocol::KeyPair;
use wacore_noise::{
    IkHandshakeState, IkServerHelloOutcome, XxFallbackHandshakeState, XxHandshakeState, framing,
};

fn main() -> ExitCode {
    let handshakes: [(&str, fn(&mut StdRng) -> Outcome<usize>); 6] = [
        ("wacore-noise as client, XX", their_xx),
        ("wacore-noise as client, IK", their_ik),
        ("wacore-noise as client, IK refused, XXfallback", their_fallback),
        ("wacore-noise's state as server, XX", our_xx),
        ("wacore-noise's state as server, IK", our_ik),
        ("wacore-noise's state as server, IK refused, XXfallback", our_fallback),
    ];
    let mut failed = 0;
    for (name, handshake) in handshakes {
        match handshake(&mut rand::make_rng()) {
            Ok(frames) => println!("{name}: done, {frames} frames"),
            Err(error) => {
                failed += 1;
                println!("{name}: FAILED: {error}");
            }
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn their_xx(rng: &mut StdRng) -> Outcome<usize> {
    let server = setup(rng);
    let (_, chain) = certify(&server, rng);
    let identity = KeyPair::generate(rng);
    let mut client = XxHandshakeState::new(identity.clone(), LOGIN.to_vec(), &PROLOGUE)?;
    let Hello::Full(answer) = Hello::read(&server, client.build_client_hello()?.into(), rng)? else {
        return Err("the server took XX for a resumption".into());
    };
    let (expect_finish, hello) = answer.send(&chain)?;
    let finish = client.read_server_hello_and_build_client_finish(&hello)?;
    let (ours, proved) = expect_finish.read_client_finish(finish.into())?;
    check_client(&identity, proved.key.as_bytes(), &proved.payload)?;
    let outcome = client.finish()?;
    if outcome.server_cert_chain.leaf_key != *server.static_key.public_key().as_bytes() {
        return Err("the client read another leaf".into());
    }
    exchange(ours, End::new(outcome.write_cipher, outcome.read_cipher))
}

fn their_ik(rng: &mut StdRng) -> Outcome<usize> {
    let server = setup(rng);
    let identity = KeyPair::generate(rng);
    let known = *server.static_key.public_key().as_bytes();
    let mut client = IkHandshakeState::new(identity.clone(), known, LOGIN.to_vec(), &PROLOGUE)?;
    let Hello::Resume(resume) = Hello::read(&server, client.build_client_hello()?.into(), rng)? else {
        return Err("the server refused its own key".into());
    };
    let (ours, proved, hello) = resume.accept(&[])?;
    check_client(&identity, proved.key.as_bytes(), &proved.payload)?;
    match client.read_server_hello(&hello)? {
        IkServerHelloOutcome::Continue(ends) => exchange(ours, End::new(ends.write_cipher, ends.read_cipher)),
        IkServerHelloOutcome::Fallback(_) => Err("the client fell back".into()),
    }
}

fn their_fallback(rng: &mut StdRng) -> Outcome<usize> {
    let server = setup(rng);
    let (_, chain) = certify(&server, rng);
    let identity = KeyPair::generate(rng);
    let old = *PrivateKey::generate(rng).public_key().as_bytes();
    let mut client = IkHandshakeState::new(identity.clone(), old, LOGIN.to_vec(), &PROLOGUE)?;
    let Hello::Full(answer) = Hello::read(&server, client.build_client_hello()?.into(), rng)? else {
        return Err("the server accepted another key".into());
    };
    let (expect_finish, hello) = answer.send(&chain)?;
    let IkServerHelloOutcome::Fallback(inputs) = client.read_server_hello(&hello)? else {
        return Err("the client did not fall back".into());
    };
    let mut client = XxFallbackHandshakeState::from_ik_failure(*inputs, &PROLOGUE)?;
    let finish = client.build_client_finish()?;
    let (ours, proved) = expect_finish.read_client_finish(finish.into())?;
    check_client(&identity, proved.key.as_bytes(), &proved.payload)?;
    let outcome = client.finish()?;
    exchange(ours, End::new(outcome.write_cipher, outcome.read_cipher))
}

fn our_xx(rng: &mut StdRng) -> Outcome<usize> {
    let (client, identity) = (setup(rng), setup(rng));
    let (root, chain) = certify(&identity, rng);
    let (expect_hello, hello) = ExpectServerHello::start(&client, rng)?;
    let mut server = Server::read_hello(XX, KeyPair::generate(rng), &hello)?;
    let answer = server.answer(&theirs(&identity)?, &chain)?;
    let (ours, finish) = expect_hello.read_server_hello(answer, &root, NOW)?.finish(&LOGIN)?;
    let (end, key, login) = server.read_finish(&finish)?;
    check_client(&theirs(&client)?, &key, &login)?;
    exchange(ours, end)
}

fn our_ik(rng: &mut StdRng) -> Outcome<usize> {
    let (client, identity) = (setup(rng), setup(rng));
    let (root, _) = certify(&identity, rng);
    let known = KnownServer { key: identity.static_key.public_key(), not_after: NOW + 1 };
    let (expect_hello, hello) = ExpectResumption::start(&client, &known, &LOGIN, rng)?;
    let (answer, end, key, login) = resume(IK, &theirs(&identity)?, &KeyPair::generate(rng), &hello)?;
    check_client(&theirs(&client)?, &key, &login)?;
    match expect_hello.read_server_hello(answer, &root, NOW)? {
        Resumption::Resumed(ours) => exchange(ours, end),
        Resumption::Fallback(_) => Err("the client fell back".into()),
    }
}

fn our_fallback(rng: &mut StdRng) -> Outcome<usize> {
    let (client, identity) = (setup(rng), setup(rng));
    let (root, chain) = certify(&identity, rng);
    let old = KnownServer { key: PrivateKey::generate(rng).public_key(), not_after: NOW + 1 };
    let (expect_hello, hello) = ExpectResumption::start(&client, &old, &LOGIN, rng)?;
    let mut server = Server::read_hello(XX_FALLBACK, KeyPair::generate(rng), &hello)?;
    let answer = server.answer(&theirs(&identity)?, &chain)?;
    let Resumption::Fallback(verified) = expect_hello.read_server_hello(answer, &root, NOW)? else {
        return Err("the client did not fall back".into());
    };
    let (ours, finish) = verified.finish(&LOGIN)?;
    let (end, key, login) = server.read_finish(&finish)?;
    check_client(&theirs(&client)?, &key, &login)?;
    exchange(ours, end)
}

const XX: &str = "Noise_XX_25519_AESGCM_SHA256\0\0\0\0";
const IK: &str = "Noise_IK_25519_AESGCM_SHA256\0\0\0\0";
const XX_FALLBACK: &str = "Noise_XXfallback_25519_AESGCM_SHA256";

fn theirs(setup: &Setup) -> Outcome<KeyPair> {
    let key = &setup.static_key;
    let public = key.public_key().to_prefixed();
    Ok(KeyPair::from_public_and_private(&public, key.as_bytes())?)
}

fn check_client(expected: &KeyPair, key: &[u8], login: &[u8]) -> Outcome<()> {
    if key != expected.public_key.public_key_bytes() || login != LOGIN {
        return Err("the server read another client".into());
    }
    Ok(())
}

/// Frames of many lengths, both ways, through both framings; how many.
fn exchange(mut ours: Transport, mut theirs: End) -> Outcome<usize> {
    let (mut our_decoder, mut their_decoder) = (FrameDecoder::new(MAX_FRAME), framing::FrameDecoder::new());
    let lengths = (0..60).chain([1_000, 65_519, 65_520, 70_000, 1 << 20]);
    let mut frames = 0;
    for length in lengths {
        let text: Bytes = vec![length as u8; length].into();
        let mut sealed = BytesMut::from(&text[..]);
        ours.sealer.seal(&mut sealed)?;
        their_decoder.feed(&frame(&sealed)?);
        let arrived = their_decoder.decode_frame().ok_or("no whole frame for the reference")?;
        let opened = theirs.open(arrived.to_vec())?;

        let sealed = theirs.seal(text.to_vec())?;
        our_decoder.push(&framing::encode_frame(&sealed, None).map_err(|error| error.to_string())?);
        let mut arrived = our_decoder.next_frame()?.ok_or("no whole frame for us")?;
        ours.opener.open(&mut arrived)?;
        if opened != text || arrived != text {
            return Err(format!("a message of {length} bytes came out changed").into());
        }
        frames += 2;
    }
    Ok(frames)
}
