//! What a hostile server can make a client hold, and what one forged message can make it compute.
//!
//! `bench-hostile [--json]`. The application takes no event, the line takes no byte, the store works (or, in the rows
//! named so, does not); the server sends as long as the client wants to read. Held is what the client has allocated at most,
//! its rows not counted, beyond what it held before. One frame is what the attack's first frame takes when it is read: all
//! of an attack are as long.

#[path = "../hostile/attacks.rs"]
mod attacks;
#[path = "../hostile/forged.rs"]
mod forged;
#[path = "../hostile/shelf.rs"]
mod shelf;
#[path = "../hostile/victim.rs"]
mod victim;

use measure::Holding;
use victim::Victim;

#[global_allocator]
static ALLOCATOR: Holding = Holding;

/// What a client may hold beyond one frame.
const BUDGET: i64 = 4 << 20;

/// Steps of chains that one message may cost; a tenth more is taken for an error of the clock.
const STEPS: f64 = 25_000.0;

/// Stanzas of an attack, if the client takes all of them.
const STANZAS: u64 = 100_000;

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let mut ok = true;
    for (name, stanza) in attacks::ATTACKS {
        for stalled in [false, true] {
            let held = Victim::new(stalled).suffer(*stanza, STANZAS);
            let bound = BUDGET + held.frame;
            ok &= held.most <= bound;
            let store = if stalled { ", store stalled" } else { "" };
            let victim::Held { most, frame, stanzas } = held;
            if json {
                println!(
                    "{{\"name\":\"held/{name}{store}\",\"bytes\":{most},\"frame\":{frame},\"budget\":{BUDGET},\"stanzas\":{stanzas}}}"
                );
            } else {
                println!(
                    "{:<44} {:>9} KiB held after {stanzas:>6} stanzas (at most {} KiB: the budget and one frame of {} KiB)",
                    format!("{name}{store}"),
                    most / 1024,
                    bound / 1024,
                    frame / 1024,
                );
            }
        }
    }
    for (name, steps) in forged::steps() {
        ok &= steps <= STEPS * 1.1;
        if json {
            println!("{{\"name\":\"steps/{name}\",\"steps\":{steps:.0},\"goal\":{STEPS}}}");
        } else {
            println!("{name:<44} {steps:>9.0} steps' time (at most {STEPS})");
        }
    }
    if !ok {
        eprintln!("bench-hostile: a bound does not hold");
        std::process::exit(1);
    }
}
