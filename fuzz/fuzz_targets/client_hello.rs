//! A server against any first message (wa-noise).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_fuzz::WORLD;
use wa_noise::{Hello, is_resumption};

fuzz_target!(|data: &[u8]| {
    let message = data.to_vec().into();
    let resumes = is_resumption(&message);
    if let Ok(Hello::Resume(_)) = Hello::read(&WORLD.server, message, &mut WORLD.rng()) {
        assert!(resumes);
    }
});
