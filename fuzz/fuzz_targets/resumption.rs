//! A client that resumes against any server: any hello, any payload in a good answer, any certificate chain in a good
//! fallback. It takes no transport but that of the server that it knows, and no other key without its certificate
//! (wa-noise).
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use wa_fuzz::WORLD;
use wa_noise::{HandshakeError, Resumption, Transport};

fuzz_target!(|data: &[u8]| {
    let (client, _) = WORLD.resuming();
    match WORLD.read_resumption(client, data.to_vec().into()) {
        Ok(Resumption::Resumed(_)) => unreachable!("nobody sealed it for this client"),
        Ok(Resumption::Fallback(proved)) => {
            assert_eq!(proved.server().key, WORLD.server.static_key.public_key());
        }
        Err(_) => {}
    }

    let (client, hello) = WORLD.resuming();
    let Ok((server, _, answer)) = WORLD.resumed(hello).accept(data) else { return };
    match WORLD.read_resumption(client, answer) {
        Ok(Resumption::Resumed(client)) => assert_carries(client, server),
        other => unreachable!("the known server's answer: {other:?}"),
    }

    let (client, hello) = WORLD.resuming();
    let fallen = WORLD.resumed(hello).fall_back(&mut WORLD.rng()).expect("a good hello");
    let Ok((_, hello)) = fallen.send(data) else { return };
    match WORLD.read_resumption(client, hello) {
        Ok(Resumption::Resumed(_)) => unreachable!("the server fell back"),
        Ok(Resumption::Fallback(proved)) => {
            assert_eq!(proved.server().key, WORLD.server.static_key.public_key());
            assert_eq!(data, WORLD.chain, "another chain proves the server's key");
        }
        Err(error) => assert!(!matches!(error, HandshakeError::Decrypt), "it was sealed for this client"),
    }
});

fn assert_carries(mut client: Transport, mut server: Transport) {
    let mut message = BytesMut::from(&b"first"[..]);
    client.sealer.seal(&mut message).expect("a fresh transport seals");
    server.opener.open(&mut message).expect("what the peer sealed opens");
    assert_eq!(message, b"first"[..]);
}
