//! A server against any first message: it believes no resumption but of a client that sealed for its key, answers every
//! full hello alike, and sends no transport to anybody (wa-noise).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_fuzz::WORLD;
use wa_noise::{Hello, is_resumption};

fuzz_target!(|data: &[u8]| {
    let message = data.to_vec().into();
    let resumes = is_resumption(&message);
    match Hello::read(&WORLD.server, message.clone(), &mut WORLD.rng()) {
        Ok(Hello::Resume(resume)) => {
            assert!(resumes);
            assert_eq!(resume.client.key, WORLD.client.static_key.public_key(), "who else sealed for us?");
        }
        Ok(Hello::Full(server)) => {
            let (waiting, hello) = server.send(&WORLD.chain).expect("a chain fits");
            waiting.read_client_finish(hello.clone()).expect_err("a hello is no finish");
            // The same hello and the same randomness: the same answer, whatever came between.
            let Ok(Hello::Full(again)) = Hello::read(&WORLD.server, message, &mut WORLD.rng()) else {
                unreachable!("it was read before")
            };
            assert_eq!(again.send(&WORLD.chain).expect("a chain fits").1, hello);
        }
        Err(_) => {}
    }
});
