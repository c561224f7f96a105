//! What one text costs a client on an existing chain, without a ratchet step: in time, beside its own cryptography alone,
//! and in instructions under callgrind, beside the public peer's.
//!
//! For the instructions it runs itself under valgrind with two numbers of texts and takes the difference.
//! `bench-message [--json]`

use std::process::Command;
use std::time::Duration;

use measure::{Report, Row, Unit};
use wa_conformance::{Chain, Failure};

use crate::cryptography::Cryptography;

#[path = "../message/cryptography.rs"]
mod cryptography;

const FEW: u64 = 20;
const MANY: u64 = 120;

/// Half of the instructions that the public peer takes by its own benchmarks.
const GOALS: [(&str, f64); 2] = [("sent", 89_000.0), ("received", 95_000.0)];

/// Rounds of so many texts by turns with their cryptography alone; medians count.
const ROUNDS: usize = 15;
const TEXTS: u32 = 500;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["sent", count] => Chain::new()?.send(count.parse()?),
        ["received", count] => Chain::new()?.receive(count.parse()?),
        rest => {
            let json = rest.first() == Some(&"--json");
            let mut time = Report::new("its cryptography alone");
            let mut instructions = Report::new("half of the public peer");
            for (name, goal) in GOALS {
                time.push(times(name)?);
                instructions.push(compare(name, goal)?);
            }
            [time, instructions].iter().for_each(|report| report.print(json));
            Ok(())
        }
    }
}

/// The time of one text, and of what of it is cryptography.
fn times(name: &str) -> Result<Row, Failure> {
    let (mut chain, mut cryptography) = (Chain::new()?, Cryptography::new());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before = chain.elapsed();
        let alone = if name == "sent" {
            chain.send(u64::from(TEXTS))?;
            cryptography.send(TEXTS)
        } else {
            chain.receive(u64::from(TEXTS))?;
            cryptography.receive(TEXTS)
        };
        ours.push(chain.elapsed() - before);
        theirs.push(alone);
    }
    Ok(Row::new(format!("time, a text {name}"), Unit::Nanoseconds, median(ours), median(theirs)).with_info())
}

/// Nanoseconds of one text.
fn median(mut rounds: Vec<Duration>) -> f64 {
    rounds.sort();
    rounds[rounds.len() / 2].as_nanos() as f64 / f64::from(TEXTS)
}

/// The instructions of one text.
fn compare(name: &str, goal: f64) -> Result<Row, Failure> {
    let each = (instructions(name, MANY)? - instructions(name, FEW)?) as f64 / (MANY - FEW) as f64;
    Ok(Row::new(format!("instructions, a text {name}"), Unit::Instructions, each, goal))
}

/// Instructions inside the functions that the client's work is done in.
fn instructions(name: &str, count: u64) -> Result<u64, Failure> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=*measured_*")
        .arg(std::env::current_exe()?)
        .args([name, &count.to_string()])
        .output()
        .map_err(|error| Failure::new(format!("valgrind does not start ({error}): install it")))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(Failure::new(said));
    }
    let collected =
        said.lines().find_map(|line| line.split_once("Collected : ").map(|(_, rest)| rest.trim()));
    Ok(collected.ok_or_else(|| Failure::new("callgrind did not say what it collected"))?.parse()?)
}
