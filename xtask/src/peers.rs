//! `cargo xtask peers AREA [ARGS]`: agreement with other implementations, asked live.
//!
//! The programs, one `peers-AREA` for each area, live in the workspace `peers/` beside the benchmarks. What they need
//! of other package managers they install themselves.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::{areas, listed};
use crate::conformance::built;
use crate::failure::{Failure, io};
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

/// Builds sandbox and suite, makes an environment for Python with the packages that its programs need, walks the client
/// through the milestones, and has the suite judge client and server.
fn python(args: &[String]) -> Result<(), Failure> {
    if args == ["--bad"] {
        return bad();
    }
    let [sandbox, suite] = built(["wa-sandbox", "wa-conformance"])?;
    let python = environment()?;
    let walk = Program::new(&python).with_args(["peers/python/walk.py", "--sandbox"]).with_args([&sandbox]);
    walk.with_args(args).run()?;
    judged(&suite, &python)?;
    // Servers and clients with one fault each: the suite finds exactly it.
    Program::new(&python).with_args(["peers/python/bad.py"]).with_args([&suite]).run()
}

/// One server, one media server and one client with a fault each: the suite finds exactly it.
fn bad() -> Result<(), Failure> {
    let [suite] = built(["wa-conformance"])?;
    Program::new(environment()?)
        .with_args(["peers/python/bad.py"])
        .with_args([&suite])
        .with_args(["--few"])
        .run()
}

/// Python with the packages that the programs need.
pub(crate) fn environment() -> Result<PathBuf, Failure> {
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
    Ok(python)
}

/// The suite judges the client in Python, and a third party's server in Python.
fn judged(suite: &Path, python: &Path) -> Result<(), Failure> {
    let shim = format!("{} peers/python/shim.py", python.display());
    Program::new(suite).with_args(["--client", &shim]).run()?;
    let [service, whatsapp] = free_ports()?;
    let jwks = format!("http://127.0.0.1:{whatsapp}/.well-known/jwks");
    let mut server = Command::new(python)
        .current_dir(root())
        .args(["peers/python/service.py", &service.to_string(), &jwks])
        .spawn()
        .map_err(|error| io(python, &error))?;
    let base = format!("http://127.0.0.1:{service}");
    let files = ["peers/python/service.toml", "peers/python/accepted.toml"];
    let outcome = Program::new(suite)
        .with_args(["--integrator", &base, "--integrator-file", files[0], "--accepted", files[1]])
        .with_args(["--port", &whatsapp.to_string()])
        .run();
    // It has nothing to lose.
    let _ = server.kill();
    let _ = server.wait();
    outcome
}

/// Five ports in a row that nobody has at the moment, below those that the system gives to clients: the service's, and that
/// of the local WhatsApp, which takes the three behind it as well.
fn free_ports() -> Result<[u16; 2], Failure> {
    let first = 20_000 + std::process::id() % 1000 * 10;
    let blocks = (first..30_000).chain(20_000..first).step_by(5).filter_map(|port| u16::try_from(port).ok());
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let block = blocks.into_iter().find(|block| (*block..block + 5).all(is_free));
    block.map(|block| [block + 4, block]).ok_or_else(|| Failure::new("no five ports in a row are free"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_area_is_a_usage_error() {
        let failure = peers(&["nothing".to_owned()]).unwrap_err();
        assert_eq!(failure.code(), 2);
        assert_eq!(
            failure.message(),
            Some("there is no area `nothing`, only: codec, http, identity, noise, signal")
        );
    }
}
