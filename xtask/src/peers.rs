//! `cargo xtask peers AREA [ARGS]`: agreement with other implementations, asked live.
//!
//! The programs, one `peers-AREA` for each area, live in the workspace `peers/` beside the benchmarks. What they need
//! of other package managers they install themselves.

use crate::bench::{areas, listed};
use crate::failure::Failure;
use crate::program::Program;
use crate::servers;

/// Runs the agreement program of one area in release mode; ARGS go to it.
pub(crate) fn peers(args: &[String]) -> Result<(), Failure> {
    let areas = areas(PREFIX);
    let Some((area, rest)) = args.split_first() else {
        return Err(Failure::usage(format!("name an area: {}", listed(&areas))));
    };
    let Some(manifest) = areas.get(area) else {
        return Err(Failure::usage(format!("there is no area `{area}`, only: {}", listed(&areas))));
    };
    if area == "http" {
        servers::ensure_load()?;
    }
    let program = format!("{PREFIX}{area}");
    Program::cargo()
        .with_args(["run", "--release", "--quiet", "--manifest-path", manifest, "--bin", &program, "--"])
        .with_args(rest)
        .run()
}

const PREFIX: &str = "peers-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_area_is_a_usage_error() {
        let failure = peers(&["nothing".to_owned()]).unwrap_err();
        assert_eq!(failure.code(), 2);
        assert_eq!(failure.message(), Some("there is no area `nothing`, only: http, identity, signal"));
    }
}
