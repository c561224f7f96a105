//! The package for Python: a wheel by maturin, tried out in an environment that has nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bindings::{built_library, place, remade, written};
use crate::conformance::built;
use crate::failure::{Failure, io};
use crate::program::{Program, target};

const HERE: &str = "bindings/python";

/// What is written for the package to be used, with types.
const TYPED: [&str; 5] = ["conversation.py", "cost.py", "sandbox.py", "sample.py", "shim.py"];

/// Makes the wheel, installs it, and runs: the comparison of its stub, mypy, a conversation, the sample of the page, and the
/// suite against the package's shim.
pub(crate) fn package() -> Result<(), Failure> {
    let python = installed("dev")?;
    let here = |name: &str| format!("{HERE}/{name}");
    Program::new(&python).with_args([here("stubs.py").as_str(), "--check"]).run()?;
    typed(&python)?;
    let [sandbox, suite] = built(["wa-sandbox", "wa-conformance"])?;
    for program in ["conversation.py", "sample.py"] {
        Program::new(&python).with_args([&here(program), "--sandbox"]).with_args([&sandbox]).run()?;
    }
    let shim = format!("{} {}", python.display(), here("shim.py"));
    Program::new(suite).with_args(["--client", &shim]).run()
}

/// Writes the stub from the package as it is.
pub(crate) fn write_stubs() -> Result<(), Failure> {
    Program::new(installed("dev")?).with_args([format!("{HERE}/stubs.py")]).run()
}

/// What a call and a message cost through Python, beside the same calls in Rust.
pub(crate) fn cost() -> Result<(), Failure> {
    let python = installed("release")?;
    let build = ["build", "--release", "--package", "wa-ffi", "--features", "codec", "--example", "cost"];
    Program::cargo().with_args(build).run()?;
    let [sandbox] = built(["wa-sandbox"])?;
    let cost = Program::new(python).with_args([format!("{HERE}/cost.py")]);
    let rust = target().join("release/examples/cost");
    cost.with_args(["--sandbox".as_ref(), sandbox.as_os_str(), "--rust".as_ref(), rust.as_os_str()]).run()
}

/// Reads the programs, and what the package has by hand, as a type checker of its users would.
fn typed(python: &Path) -> Result<(), Failure> {
    let mypy = || {
        let mypy = Program::new(tools()?.join("mypy")).with_directory(HERE);
        let mypy = mypy.with_args(["--strict", "--follow-imports=silent", "--cache-dir"]);
        let mypy = mypy.with_args([place("python/mypy")]).with_args(["--python-executable"]);
        Ok::<_, Failure>(mypy.with_args([python]))
    };
    mypy()?.with_args(TYPED).run()?;
    mypy()?.with_args(["-m", "wa_ffi.aio"]).run()
}

/// The Python of a fresh environment with the wheel in it, and nothing else.
fn installed(profile: &str) -> Result<PathBuf, Failure> {
    let wheel = wheel(profile)?;
    let environment = place("python/environment");
    Program::new("python3").with_args(["-m", "venv", "--clear"]).with_args([&environment]).run()?;
    let python = environment.join("bin/python");
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"];
    Program::new(&python).with_args(install).with_args([wheel]).run()?;
    Ok(python)
}

/// Builds the wheel. Maturin asks for the sources with a program of a fixed name, which is ours.
fn wheel(profile: &str) -> Result<PathBuf, Failure> {
    let (bindgen, _) = built_library()?;
    let (names, wheels) = (place("python/bin"), place("python/wheels"));
    remade(&names)?;
    remade(&wheels)?;
    let name = names.join("uniffi-bindgen");
    fs::hard_link(&bindgen, &name).map_err(|error| io(&name, &error))?;
    let tools = tools()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([names, tools.clone()].into_iter().chain(std::env::split_paths(&path)));
    let path = path.map_err(|error| Failure::new(format!("PATH: {error}")))?;
    let maturin = Program::new(tools.join("maturin")).with_directory(HERE).with_env("PATH", path);
    let maturin = maturin.with_args(["build", "--quiet", "--profile", profile, "--out"]);
    maturin.with_args([&wheels]).run()?;
    let wheel = fs::read_dir(&wheels).into_iter().flatten().flatten().map(|entry| entry.path()).next();
    let wheel = wheel.ok_or_else(|| Failure::new("maturin made no wheel"))?;
    written(&wheel);
    Ok(wheel)
}

/// Where maturin and mypy are, in an environment of their own.
fn tools() -> Result<PathBuf, Failure> {
    let environment = place("python/tools");
    let python = environment.join("bin/python");
    if !python.exists() {
        Program::new("python3").with_args(["-m", "venv"]).with_args([&environment]).run()?;
    }
    if !environment.join("bin/mypy").exists() {
        let wanted = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        Program::new(&python).with_args(wanted).with_args([format!("{HERE}/requirements.txt")]).run()?;
    }
    Ok(environment.join("bin"))
}
