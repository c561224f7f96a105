//! `cargo xtask bindings [python|kotlin|swift|stubs|size|cost]`: the client's packages for other languages, made from the
//! library and tried out; and what they weigh and cost.

mod kotlin;
mod python;
mod swift;
mod weight;

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, io};
use crate::program::{Program, root, target};
use crate::{report, system};

/// Makes the package of one language, or of all, below `target/bindings`, and tries out what can be run here.
pub(crate) fn bindings(args: &[String]) -> Result<(), Failure> {
    match args {
        [] => PACKAGES.iter().try_for_each(|(_, make)| make()),
        [what] => {
            let found = PACKAGES.iter().chain(&OTHERS).find(|(name, _)| name == what);
            let (_, run) = found.ok_or_else(usage)?;
            run()
        }
        _ => Err(usage()),
    }
}

type Run = fn() -> Result<(), Failure>;

const PACKAGES: [(&str, Run); 3] =
    [("kotlin", kotlin::package), ("python", python::package), ("swift", swift::package)];
const OTHERS: [(&str, Run); 3] =
    [("stubs", python::write_stubs), ("size", weight::size), ("cost", python::cost)];

fn usage() -> Failure {
    Failure::usage(
        "bindings takes python, kotlin, swift, stubs, size, cost, or nothing for all three packages",
    )
}

/// The path of `name` below `target/bindings`.
fn place(name: &str) -> PathBuf {
    root().join("target/bindings").join(name)
}

/// The program that writes bindings, and the library as it is built for daily work.
fn built_library() -> Result<(PathBuf, PathBuf), Failure> {
    system::ensure()?;
    Program::cargo().with_args(["build", "--package", "wa-ffi", "--features", "bindgen"]).run()?;
    let built = target().join("debug");
    Ok((built.join(format!("wa-bindgen{}", std::env::consts::EXE_SUFFIX)), built.join(LIBRARY)))
}

/// Writes the sources of a language into a directory, anew.
fn generate(bindgen: &Path, library: &Path, language: &str, directory: &Path) -> Result<(), Failure> {
    remade(directory)?;
    let generate = Program::new(bindgen).with_args(["generate", "--no-format", "--language", language]);
    generate
        .with_args(["--library".as_ref(), library.as_os_str()])
        .with_args(["--out-dir".as_ref(), directory.as_os_str()])
        .run()
}

/// An empty directory in the place of what was there.
fn remade(directory: &Path) -> Result<(), Failure> {
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(|error| io(directory, &error))?;
    }
    fs::create_dir_all(directory).map_err(|error| io(directory, &error))
}

/// Copies a file to a path, making the directories above it.
fn copied(from: &Path, to: &Path) -> Result<(), Failure> {
    let above = to.parent().unwrap_or(to);
    fs::create_dir_all(above).map_err(|error| io(above, &error))?;
    fs::copy(from, to).map_err(|error| io(from, &error)).map(drop)
}

/// Copies all that lies in a directory.
fn copied_tree(from: &Path, to: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(from).map_err(|error| io(from, &error))?.flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() { copied_tree(&path, &target)? } else { copied(&path, &target)? }
    }
    Ok(())
}

fn written(directory: &Path) {
    report::note(&format!("written: {}", directory.display()));
}

const LIBRARY: &str = if cfg!(target_os = "macos") { "libwa_ffi.dylib" } else { "libwa_ffi.so" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_language_is_a_usage_error() {
        for args in [&["cobol"][..], &["python", "size"]] {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            assert_eq!(bindings(&args).unwrap_err().code(), 2);
        }
    }
}
