//! A client against any server: any hello, and any certificate chain in a good one (wa-noise).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_fuzz::WORLD;

fuzz_target!(|data: &[u8]| {
    let (client, _) = WORLD.client();
    let raw = WORLD.read_server_hello(client, data.to_vec().into());
    let (client, hello) = WORLD.client();
    let Ok((_, hello)) = WORLD.server(hello).send(data) else { return };
    for proved in [raw, WORLD.read_server_hello(client, hello)].into_iter().flatten() {
        assert_eq!(proved.server().key, WORLD.server.static_key.public_key());
    }
});
