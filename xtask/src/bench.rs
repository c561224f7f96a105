//! `cargo xtask bench AREA [--features NAME] [--json | --plot]`: side by side with other implementations.
//!
//! The benchmarks live in `peers/`, a workspace of its own that is never published, since it holds the other
//! implementations. What they print is described in `docs/BENCHMARKS.md`, whose pictures `--plot` draws.

mod plot;

use std::collections::BTreeMap;

use crate::failure::{Failure, io, no_more};
use crate::program::{Program, root};
use crate::report;

/// Runs the benchmark program of one area in release mode.
pub(crate) fn bench(args: &[String]) -> Result<(), Failure> {
    let areas = areas(PREFIX);
    if areas.is_empty() {
        return Err(Failure::usage("there are no benchmarks yet: no peers/*/src/bin/bench-AREA.rs"));
    }
    let Some((area, rest)) = args.split_first() else {
        return Err(Failure::usage(format!("name an area: {}", listed(&areas))));
    };
    let Some(manifest) = areas.get(area) else {
        return Err(Failure::usage(format!("there is no area `{area}`, only: {}", listed(&areas))));
    };
    let (features, rest) = match rest {
        [flag, name, rest @ ..] if flag == FEATURES => (vec![flag, name], rest),
        _ => (Vec::new(), rest),
    };
    let (form, rest) = match rest.split_first() {
        Some((first, rest)) if [JSON, PLOT].contains(&first.as_str()) => (Some(first.as_str()), rest),
        _ => (None, rest),
    };
    no_more("bench", rest)?;
    let program = format!("{PREFIX}{area}");
    let program = Program::cargo()
        .with_args(["run", "--release", "--quiet", "--manifest-path", manifest, "--bin", &program])
        .with_args(features)
        .with_args(["--"])
        .with_args(form.map(|_| JSON));
    if form == Some(PLOT) { plot(area, &program.output()?) } else { program.run() }
}

/// Shows what was printed, and draws it.
fn plot(area: &str, output: &str) -> Result<(), Failure> {
    report::line(output.trim_end());
    let picture =
        plot::svg(area, output).ok_or_else(|| Failure::new(format!("{area} has no rows to draw")))?;
    let path = root().join(format!("docs/benchmarks/{area}.svg"));
    std::fs::create_dir_all(root().join("docs/benchmarks")).map_err(|error| io(&path, &error))?;
    std::fs::write(&path, picture).map_err(|error| io(&path, &error))
}

/// How the figures come out: as lines of JSON, or as such and as a picture in `docs/benchmarks`.
const JSON: &str = "--json";
const PLOT: &str = "--plot";

/// What follows is a feature of the area's package, such as `ladder-only` of `signal`.
const FEATURES: &str = "--features";

const PREFIX: &str = "bench-";

/// The areas that have a program of this kind, `peers/PACKAGE/src/bin/PREFIX-AREA.rs`, each with its package's manifest:
/// built by that, a program needs nothing of the other packages.
pub(crate) fn areas(prefix: &str) -> BTreeMap<String, String> {
    let mut areas = BTreeMap::new();
    for package in std::fs::read_dir(root().join("peers")).into_iter().flatten().flatten() {
        let manifest = format!("peers/{}/Cargo.toml", package.file_name().to_string_lossy());
        for program in std::fs::read_dir(package.path().join("src/bin")).into_iter().flatten().flatten() {
            if let Some(area) = area(&program.file_name().to_string_lossy(), prefix) {
                areas.insert(area.to_owned(), manifest.clone());
            }
        }
    }
    areas
}

fn area<'n>(name: &'n str, prefix: &str) -> Option<&'n str> {
    name.strip_suffix(".rs")?.strip_prefix(prefix)
}

/// The areas in one line.
pub(crate) fn listed(areas: &BTreeMap<String, String>) -> String {
    areas.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
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
