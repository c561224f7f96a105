//! `cargo xtask peers AREA [ARGS]`: agreement with other implementations, asked live.
//!
//! The programs, one `peers-AREA` for each area, live in the workspace `peers/` beside the benchmarks. What they need
//! of other package managers they install themselves.

use crate::bench::{areas, listed};
use crate::conformance::built;
use crate::failure::Failure;
use crate::program::{Program, root};
use crate::servers;

/// Runs the agreement program of one area in release mode; ARGS go to it.
pub(crate) fn peers(args: &[String]) -> Result<(), Failure> {
    if let Some((PYTHON, rest)) = args.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return python(rest);
    }
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
const PYTHON: &str = "python";

/// Builds a sandbox, makes an environment for Python with the packages that the client needs, and runs the client.
fn python(args: &[String]) -> Result<(), Failure> {
    let [sandbox] = built(["wa-sandbox"])?;
    let environment = root().join("target/peers-python");
    let python = environment.join("bin/python");
    if !python.exists() {
        Program::new("python3").with_args(["-m", "venv"]).with_args([&environment]).run()?;
    }
    let wanted = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        "peers/python/requirements.txt",
    ];
    Program::new(&python).with_args(wanted).run()?;
    let client = Program::new(&python).with_args(["peers/python/walk.py", "--sandbox"]).with_args([sandbox]);
    client.with_args(args).run()
}

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
