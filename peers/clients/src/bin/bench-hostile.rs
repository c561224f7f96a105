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

use measure::{Holding, Report, Row, Unit};
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
    let (mut memory, mut time) = (Report::new("budget and one frame"), Report::new("the goal"));
    for (name, stanza) in attacks::ATTACKS {
        for stalled in [false, true] {
            let held = Victim::new(stalled).suffer(*stanza, STANZAS);
            let bound = BUDGET + held.frame;
            ok &= held.most <= bound;
            let store = if stalled { ", store stalled" } else { "" };
            // An attack that takes nothing has a ratio, too.
            let most = held.most.max(1) as f64;
            memory.push(Row::new(format!("{name}{store}"), Unit::Bytes, most, bound as f64));
        }
    }
    memory.print(json);
    for (name, steps) in forged::steps() {
        ok &= steps <= STEPS * 1.1;
        time.push(Row::new(name, Unit::Steps, steps, STEPS));
    }
    time.print(json);
    if !ok {
        eprintln!("bench-hostile: a bound does not hold");
        std::process::exit(1);
    }
}
