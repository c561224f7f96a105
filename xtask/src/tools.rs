//! Other people's commands: cargo's are taken from the path, or installed below `target/tools` in the version that is named
//! here; those that read workflows and words come from PyPI, as `.github/requirements.txt` names them.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::program::{Program, root};
use crate::report;

/// A cargo command, and its version where it has to be installed.
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
}

/// Licences, bans, sources, advisories.
pub(crate) const DENY: Tool = Tool { name: "deny", version: "0.20.2" };
/// Each feature alone.
pub(crate) const HACK: Tool = Tool { name: "hack", version: "0.6.46" };
/// Code broken on purpose.
pub(crate) const MUTANTS: Tool = Tool { name: "mutants", version: "27.1.0" };

impl Tool {
    /// The command, installed if it was not there.
    pub(crate) fn command(&self) -> Result<Program, Failure> {
        let path = searched()?;
        let cargo = || Program::cargo().with_env("PATH", &path).with_args([self.name]);
        if !cargo().with_args(["--help"]).succeeds() {
            report::note(&format!("installing cargo-{} {} below target/tools", self.name, self.version));
            let (name, version) = (format!("cargo-{}", self.name), format!("={}", self.version));
            let install =
                ["install", "--locked", "--quiet", "--root", "target/tools", &name, "--version", &version];
            Program::cargo().with_args(install).run()?;
        }
        Ok(cargo())
    }
}

/// A program of `.github/requirements.txt`; all of them are installed once, below `target/readers`.
pub(crate) fn reader(name: &str) -> Result<Program, Failure> {
    let environment = root().join("target/readers");
    let program = |name: &str| environment.join("bin").join(name);
    if !program(name).exists() {
        report::note("installing what .github/requirements.txt names below target/readers");
        Program::new("python3").with_args(["-m", "venv"]).with_args([&environment]).run()?;
        let wanted = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        let wanted = wanted.iter().chain(&[".github/requirements.txt"]);
        Program::new(program("python")).with_args(wanted).run()?;
    }
    Ok(Program::new(program(name)))
}

/// The path with the programs below `target/tools` in front.
fn searched() -> Result<std::ffi::OsString, Failure> {
    let ours: PathBuf = root().join("target/tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(ours).chain(std::env::split_paths(&path));
    std::env::join_paths(all).map_err(|error| Failure::new(format!("PATH: {error}")))
}
