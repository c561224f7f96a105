//! `cargo xtask bench AREA [--json]`: side by side with other implementations.
//!
//! The benchmarks live in `peers/`, a workspace of its own that is never published, since it holds the other
//! implementations. What they print is described in `docs/BENCHMARKS.md`.

use std::collections::BTreeSet;

use crate::failure::{Failure, no_more};
use crate::program::{Program, root};

/// Runs the benchmark program of one area in release mode.
pub(crate) fn bench(args: &[String]) -> Result<(), Failure> {
    let areas = areas(PREFIX);
    if areas.is_empty() {
        return Err(Failure::usage("there are no benchmarks yet: no peers/*/src/bin/bench-AREA.rs"));
    }
    let Some((area, rest)) = args.split_first() else {
        return Err(Failure::usage(format!("name an area: {}", listed(&areas))));
    };
    if !areas.contains(area) {
        return Err(Failure::usage(format!("there is no area `{area}`, only: {}", listed(&areas))));
    }
    let (json, rest) = match rest.split_first() {
        Some((first, rest)) if first == "--json" => (Some("--json"), rest),
        _ => (None, rest),
    };
    no_more("bench", rest)?;
    let program = format!("{PREFIX}{area}");
    Program::cargo()
        .with_args(["run", "--release", "--quiet", "--manifest-path", MANIFEST, "--bin", &program, "--"])
        .with_args(json)
        .run()
}

/// The workspace of the other implementations.
pub(crate) const MANIFEST: &str = "peers/Cargo.toml";

const PREFIX: &str = "bench-";

/// The areas that have a program of this kind: `peers/*/src/bin/PREFIX-AREA.rs`.
pub(crate) fn areas(prefix: &str) -> BTreeSet<String> {
    let packages = std::fs::read_dir(root().join("peers")).into_iter().flatten().flatten();
    let programs = packages.filter_map(|package| std::fs::read_dir(package.path().join("src/bin")).ok());
    let names =
        programs.flatten().flatten().map(|program| program.file_name().to_string_lossy().into_owned());
    names.filter_map(|name| area(&name, prefix).map(str::to_owned)).collect()
}

fn area<'n>(name: &'n str, prefix: &str) -> Option<&'n str> {
    name.strip_suffix(".rs")?.strip_prefix(prefix)
}

/// The areas in one line.
pub(crate) fn listed(areas: &BTreeSet<String>) -> String {
    areas.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_the_names_of_programs() {
        assert_eq!(area("bench-noise.rs", PREFIX), Some("noise"));
        assert_eq!(area("handshake-noise.rs", PREFIX), None);
        assert_eq!(area("bench-noise", PREFIX), None);
    }
}
