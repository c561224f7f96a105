//! A server against any last message (wa-noise).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_fuzz::WORLD;

fuzz_target!(|data: &[u8]| {
    let (_, hello) = WORLD.client();
    let (server, _) = WORLD.server(hello).send(&WORLD.chain).expect("a chain fits");
    if let Ok((_, client)) = server.read_client_finish(data.to_vec().into()) {
        assert_eq!(client.key, WORLD.client.static_key.public_key());
    }
});
