//! A local WhatsApp under any form, key set, control request, kept state and bytes: a refusal changes nothing that it
//! keeps, nobody is enlisted without a token, and what it keeps it goes on from (wa-sandbox).
//!
//! The input is a list of acts, each a byte, a length and what it is about.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use wa_profile::Profile;
use wa_sandbox::{Clock, Enlisted, Integrator, World, WorldConfig, control_routes};

fuzz_target!(|data: &[u8]| {
    let (mut world, clock, mut rest) = (world(), Clock::still(NOW), data);
    let connection = world.connect(NOW);
    for _ in 0..MOST {
        let Some((&[act, high, low], following)) = rest.split_first_chunk() else { break };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (bytes, following) = following.split_at(following.len().min(length));
        rest = following;
        match act & 3 {
            0 => enlist(&mut world, bytes),
            1 => control(&mut world, &clock, usize::from(act >> 2), bytes),
            2 => load(&mut world, bytes),
            _ => world.handle_bytes(connection, NOW, bytes),
        }
        while world.poll_output().is_some() || world.poll_fetch().is_some() {}
    }
    // Whatever happened, what it keeps it can go on from, and keeps the same again.
    let kept = world.save(0);
    let mut other = self::world();
    assert_eq!(other.load(kept.clone()).expect("what was kept"), 0);
    assert_eq!(other.save(0)["accounts"], kept["accounts"]);
});

const NOW: u64 = 1_700_000_000;
/// Acts in one input.
const MOST: usize = 32;

fn world() -> World {
    let integrators = vec![Integrator { id: 1, base_url: "http://127.0.0.1:1".to_owned() }];
    let phones = vec!["14155551001".to_owned()];
    let profile = Profile::reference_offer_1_0_3();
    let config = WorldConfig { profile, integrators, phones, strict: false };
    World::new(config, Box::new(StdRng::seed_from_u64(9)))
}

/// A form: no key of the integrator signs tokens here, so nobody is enlisted, whatever it says.
fn enlist(world: &mut World, form: &[u8]) {
    let before = world.save(0);
    world.handle_keys(1, Ok(form), NOW);
    match world.enlist(form, true, NOW) {
        Enlisted::Login(login) => unreachable!("{login} has no token"),
        _ => assert_eq!(world.save(0), before, "a refused form changed something"),
    }
}

/// A route, its name and its body, divided by a line's end.
fn control(world: &mut World, clock: &Clock, route: usize, bytes: &[u8]) {
    let routes: Vec<_> = control_routes().collect();
    let (method, path) = routes[route % routes.len()];
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let name = String::from_utf8_lossy(&bytes[..end]);
    let path: Vec<_> =
        path.split('/').map(|part| if part.starts_with('{') { &*name } else { part }).collect();
    let before = world.save(0);
    let done = world.control(clock, method, &path.join("/"), bytes.get(end + 1..).unwrap_or_default());
    if done.is_err() || method == "GET" {
        assert_eq!(world.save(0), before, "{method} {path:?} was refused, or asks, and changed something");
    }
}

fn load(world: &mut World, bytes: &[u8]) {
    let Ok(state) = serde_json::from_slice::<Value>(bytes) else { return };
    let before = world.save(0);
    if world.load(state).is_err() {
        assert_eq!(world.save(0), before, "a state that was refused changed something");
    }
}
