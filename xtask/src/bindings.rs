//! `cargo xtask bindings [python|kotlin|swift|size]`: the client's bindings, generated from the library; and what it weighs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::conformance::built;
use crate::failure::{Failure, io};
use crate::program::{Program, root};
use crate::{report, servers, system};

const LANGUAGES: [&str; 3] = ["kotlin", "python", "swift"];

/// What a library for devices is built like: small, without names.
const SMALL: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s"),
    ("CARGO_PROFILE_RELEASE_LTO", "true"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_STRIP", "true"),
];

/// Writes the bindings of one language, or of all, below `target/bindings`; those of Kotlin and Python are tried out at once.
pub(crate) fn bindings(args: &[String]) -> Result<(), Failure> {
    match args {
        [] => LANGUAGES.iter().try_for_each(|language| bind(language)),
        [what] if what == "size" => size(),
        [language] if LANGUAGES.contains(&language.as_str()) => bind(language),
        _ => Err(Failure::usage("bindings takes python, kotlin, swift, size, or nothing for all languages")),
    }
}

fn bind(language: &str) -> Result<(), Failure> {
    let (library, directory) = (library()?, root().join("target/bindings").join(language));
    fs::create_dir_all(&directory).map_err(|error| io(&directory, &error))?;
    let bindgen = Program::cargo().with_args([
        "run",
        "--quiet",
        "--package",
        "wa-ffi",
        "--features",
        "bindgen",
        "--bin",
        "wa-bindgen",
        "--",
    ]);
    let bindgen = bindgen.with_args(["generate", "--no-format", "--language", language, "--library"]);
    bindgen.with_args([&library]).with_args(["--out-dir".as_ref(), directory.as_os_str()]).run()?;
    report::note(&format!("written: {}", directory.display()));
    match language {
        "kotlin" => kotlin(&library, &directory),
        "python" => python(&library, &directory),
        // There is no compiler of Swift to be had here.
        _ => Ok(()),
    }
}

/// Lays the library beside the bindings and holds a conversation with them.
fn python(library: &Path, directory: &Path) -> Result<(), Failure> {
    let name = library.file_name().unwrap_or_default();
    fs::copy(library, directory.join(name)).map_err(|error| io(library, &error))?;
    let [sandbox] = built(["wa-sandbox"])?;
    let python = Program::new("python3").with_env("PYTHONPATH", &directory.to_string_lossy());
    python.with_args(["crates/wa-ffi/python/conversation.py", "--sandbox"]).with_args([sandbox]).run()
}

/// Compiles them and holds the same conversation.
fn kotlin(library: &Path, directory: &Path) -> Result<(), Failure> {
    servers::ensure_java()?;
    let [sandbox] = built(["wa-sandbox"])?;
    let compiler = root().join("target/kotlin");
    fs::create_dir_all(&compiler).map_err(|error| io(&compiler, &error))?;
    let libraries = library.parent().unwrap_or(directory);
    let run = Program::new("python3").with_args(["crates/wa-ffi/kotlin/run.py", "--jna", servers::JNA]);
    let run = run.with_args([
        "--sandbox".as_ref(),
        sandbox.as_os_str(),
        "--library".as_ref(),
        libraries.as_os_str(),
    ]);
    run.with_args(["--bindings".as_ref(), directory.as_os_str(), "--compiler".as_ref(), compiler.as_os_str()])
        .run()
}

/// The library as it is built for daily work.
fn library() -> Result<PathBuf, Failure> {
    system::ensure()?;
    Program::cargo().with_args(["build", "--package", "wa-ffi", "--features", "bindgen"]).run()?;
    Ok(target().join("debug").join(LIBRARY))
}

/// Builds the library as for a device, with and without HTTP and files, and prints bytes.
fn size() -> Result<(), Failure> {
    for (what, features) in [("without HTTP", ""), ("with HTTP and files", "media")] {
        let build =
            ["build", "--release", "--package", "wa-ffi", "--no-default-features", "--features", features];
        let build = Program::cargo().with_args(build);
        SMALL.iter().fold(build, |build, (name, value)| build.with_env(name, value)).run()?;
        let path = target().join("release").join(LIBRARY);
        let bytes = fs::metadata(&path).map_err(|error| io(&path, &error))?.len();
        report::line(&format!("{what}: {bytes} bytes"));
    }
    Ok(())
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
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
