//! A transport opens what its peer sealed and nothing else, and nothing after a failure (wa-noise).
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use wa_fuzz::WORLD;
use wa_noise::TransportError;

fuzz_target!(|data: &[u8]| {
    let (mut client, mut server) = WORLD.transports();
    let mut message = BytesMut::from(data);
    client.sealer.seal(&mut message).expect("a fresh transport seals");
    let sealed = message.clone();
    server.opener.open(&mut message).expect("what the peer sealed opens");
    assert_eq!(message, data);
    assert_eq!(client.opener.open(&mut BytesMut::from(data)), Err(TransportError::Open));
    assert_eq!(client.opener.open(&mut sealed.clone()), Err(TransportError::Closed));
});
