//! `cargo xtask bench AREA [--json]`: side by side with other implementations.
//!
//! The benchmarks live in `peers/`, a workspace of its own that is never published, since it holds the other
//! implementations. What they print is described in `docs/BENCHMARKS.md`.

use std::collections::BTreeSet;

use crate::failure::{Failure, no_more};
use crate::program::{Program, root};

/// Runs the benchmark program of one area in release mode.
pub(crate) fn bench(args: &[String]) -> Result<(), Failure> {
    let areas = areas()?;
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
    let program = format!("bench-{area}");
    Program::cargo()
        .with_args(["run", "--release", "--quiet", "--manifest-path", MANIFEST, "--bin", &program, "--"])
        .with_args(json)
        .run()
}

const MANIFEST: &str = "peers/Cargo.toml";

/// The areas that have a benchmark program, named in the workspace's manifest or in that of one of its packages.
fn areas() -> Result<BTreeSet<String>, Failure> {
    let peers = root().join("peers");
    let packages = std::fs::read_dir(&peers).into_iter().flatten().flatten().map(|entry| entry.path());
    let manifests = packages.chain([peers.clone()]).map(|directory| directory.join("Cargo.toml"));
    let texts = manifests.filter_map(|manifest| std::fs::read_to_string(manifest).ok());
    let areas: BTreeSet<String> = texts.flat_map(|text| named(&text)).collect();
    if areas.is_empty() {
        return Err(Failure::usage("there are no benchmarks yet: no manifest in peers/ names a bench-AREA"));
    }
    Ok(areas)
}

/// The areas of a manifest's `name = "bench-AREA"` lines.
fn named(manifest: &str) -> BTreeSet<String> {
    let values = manifest.lines().filter_map(|line| line.trim().strip_prefix("name"));
    let values = values.filter_map(|rest| rest.trim_start().strip_prefix('='));
    let programs = values.filter_map(|value| value.trim().trim_matches('"').strip_prefix("bench-"));
    programs.map(str::to_owned).collect()
}

fn listed(areas: &BTreeSet<String>) -> String {
    areas.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_read_from_the_manifest() {
        let manifest =
            "[package]\nname = \"peers\"\n\n[[bin]]\nname = \"bench-noise\"\n[[bin]]\nname=\"bench-codec\"\n";
        assert_eq!(listed(&named(manifest)), "codec, noise");
        assert!(named("[package]\nname = \"peers\"\n").is_empty());
    }
}
