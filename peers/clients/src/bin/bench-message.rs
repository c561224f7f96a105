//! What one text costs a client in instructions, under callgrind: on an existing chain, without a ratchet step.
//!
//! Runs itself under valgrind with two numbers of texts and takes the difference. `bench-message [--json]`

use std::process::Command;

use wa_conformance::{Chain, Failure};

const FEW: u64 = 20;
const MANY: u64 = 120;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["sent", count] => Chain::new()?.send(count.parse()?),
        ["received", count] => Chain::new()?.receive(count.parse()?),
        rest => compare(rest.first() == Some(&"--json")),
    }
}

fn compare(json: bool) -> Result<(), Failure> {
    // The public peer's figures, from its own benchmarks.
    for (name, peer) in [("sent", 178_000.0), ("received", 190_000.0)] {
        let each = (instructions(name, MANY)? - instructions(name, FEW)?) as f64 / (MANY - FEW) as f64;
        let share = each / peer;
        if json {
            println!(
                "{{\"name\":\"text {name}\",\"instructions\":{each:.0},\"peer\":{peer:.0},\"share\":{share:.3}}}"
            );
        } else {
            println!(
                "a text {name}: {each:.0} instructions, {share:.2} of the public peer's {peer:.0} (goal: 0.50)"
            );
        }
    }
    Ok(())
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
