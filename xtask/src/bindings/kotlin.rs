//! The package for Kotlin: sources, Gradle files and the library of this machine, compiled and run on a JVM.

use std::fs;
use std::path::PathBuf;

use crate::bindings::{LIBRARY, built_library, copied, copied_tree, generate, place, remade, written};
use crate::conformance::built;
use crate::failure::{Failure, io};
use crate::program::{Program, root};
use crate::servers;

/// Lays the package out, compiles it with its tests and the sample of the page, and runs them.
pub(crate) fn package() -> Result<(), Failure> {
    servers::ensure_java()?;
    let package = laid_out()?;
    let [sandbox] = built(["wa-sandbox"])?;
    let compiler = root().join("target/kotlin");
    fs::create_dir_all(&compiler).map_err(|error| io(&compiler, &error))?;
    let run = Program::new("python3").with_args(["bindings/kotlin/run.py", "--jna", servers::JNA]);
    let run = run.with_args(["--sandbox".as_ref(), sandbox.as_os_str()]);
    let run = run.with_args(["--package".as_ref(), package.as_os_str()]);
    run.with_args(["--compiler".as_ref(), compiler.as_os_str()]).run()
}

fn laid_out() -> Result<PathBuf, Failure> {
    let (bindgen, library) = built_library()?;
    let (package, from) = (place("kotlin"), root().join("bindings/kotlin"));
    remade(&package)?;
    for file in ["build.gradle.kts", "settings.gradle.kts"] {
        copied(&from.join(file), &package.join(file))?;
    }
    copied_tree(&from.join("src"), &package.join("src"))?;
    let generated = place("kotlin-generated");
    generate(&bindgen, &library, "kotlin", &generated)?;
    copied_tree(&generated, &package.join("src/main/kotlin"))?;
    copied(&library, &package.join("src/main/resources").join(JNA_PLATFORM).join(LIBRARY))?;
    let sample = Program::new("python3").with_args(["bindings/kotlin/sample.py"]).output()?;
    let path = package.join("src/test/kotlin/Sample.kt");
    fs::write(&path, sample).map_err(|error| io(&path, &error))?;
    written(&package);
    Ok(package)
}

/// What JNA calls this machine: where it looks for a library among the resources.
const JNA_PLATFORM: &str = match (cfg!(target_os = "macos"), cfg!(target_arch = "aarch64")) {
    (false, false) => "linux-x86-64",
    (false, true) => "linux-aarch64",
    (true, false) => "darwin-x86-64",
    (true, true) => "darwin-aarch64",
};
