//! Generates the Rust types of `/proto`: `codegen OUT_DIR`.
//!
//! `cargo xtask codegen` runs it; with `--check` it writes elsewhere and compares.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The files of `/proto`, each a package `wa.NAME`.
const PACKAGES: [&str; 4] = ["content", "handshake", "record", "signal"];

/// Messages with key material or tokens: wa-proto writes their `Debug` by hand, redacted.
const SECRET: [&str; 2] = [".wa.record", ".wa.handshake.InteropData"];

/// Messages of `wa.record` whose fields are keys: they are read from bytes that wipe themselves.
const KEYS: [&str; 8] = [
    "ChainKey",
    "KeyBlock",
    "ReceiverChain",
    "SenderChain",
    "SenderKey",
    "SenderKeyState",
    "Session",
    "SkippedKey",
];

fn main() -> ExitCode {
    let Some(out) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return fail("usage: codegen OUT_DIR");
    };
    match generate(&out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn generate(out: &Path) -> Result<(), Box<dyn Error>> {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let files: Vec<PathBuf> = PACKAGES.iter().map(|name| proto.join(format!("{name}.proto"))).collect();
    std::fs::create_dir_all(out)?;
    let mut config = prost_build::Config::new();
    // Sliced, not copied: what crosses the wire for speed; records with keys because a copy is one more to wipe, and
    // prost makes two.
    let wire = [".wa.content", ".wa.handshake", ".wa.signal"].map(str::to_owned);
    config.bytes(wire.into_iter().chain(KEYS.map(|name| format!(".wa.record.{name}"))));
    config.skip_debug(SECRET).out_dir(out);
    config.compile_fds(protox::compile(&files, [&proto])?)?;
    Ok(())
}

#[expect(clippy::print_stderr, reason = "a command-line program speaks on stderr")]
fn fail(message: &str) -> ExitCode {
    eprintln!("codegen: {message}");
    ExitCode::FAILURE
}
