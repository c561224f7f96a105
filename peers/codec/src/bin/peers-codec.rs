//! `peers-codec [--nodes N] [--seed S]`: generated nodes, written by each codec and read by the other.
//!
//! Ends with 0 if all agree but for the differences that are listed, with 1 if one does not, and with 2 if it
//! was called wrongly.

use std::process::ExitCode;

use peers_codec::agreement::{Counts, agree};
use peers_codec::generated::Generator;
use peers_codec::inputs::inputs;

fn main() -> ExitCode {
    let Some((nodes, seed)) = arguments() else {
        eprintln!("usage: peers-codec [--nodes N] [--seed S]");
        return ExitCode::from(2);
    };
    let mut generator = Generator::new(seed);
    let generated = std::iter::from_fn(|| Some(generator.node())).take(nodes);
    let mut counts = Counts::new();
    for (index, node) in inputs().into_iter().map(|input| input.node).chain(generated).enumerate() {
        if let Err(difference) = agree(&node, &mut counts) {
            println!("node {index} of seed {seed}: {difference}\n{node}");
            return ExitCode::FAILURE;
        }
    }
    println!("{nodes} generated nodes (seed {seed}) agree with wacore-binary 0.7.0 both ways");
    for (accepted, count) in counts {
        let (name, reason) = accepted.reason();
        println!("accepted {count:>7} x {name}: {reason}");
    }
    ExitCode::SUCCESS
}

fn arguments() -> Option<(usize, u64)> {
    let (mut nodes, mut seed) = (200_000, 1);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--nodes" => nodes = args.next()?.parse().ok()?,
            "--seed" => seed = args.next()?.parse().ok()?,
            _ => return None,
        }
    }
    Some((nodes, seed))
}
