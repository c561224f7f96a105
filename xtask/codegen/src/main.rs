//! Generates `crates/wa-proto/src/gen` from `/proto`: `codegen OUT_DIR`.
//!
//! `cargo xtask codegen` runs it; with `--check` it writes elsewhere and compares.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const PACKAGES: [&str; 4] = ["content", "handshake", "record", "signal"];

fn main() -> ExitCode {
    let Some(out) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return fail("usage: codegen OUT_DIR");
    };
    match generate(&out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn generate(out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let files: Vec<PathBuf> = PACKAGES.iter().map(|name| proto.join(format!("{name}.proto"))).collect();
    std::fs::create_dir_all(out)?;
    let descriptors = protox::compile(&files, [&proto])?;
    let mut config = prost_build::Config::new();
    config.out_dir(out).bytes(["."]).skip_debug(SECRET_MESSAGES);
    config.compile_fds(descriptors)?;
    Ok(())
}

/// Messages that carry key material or user content; wa-proto gives them a redacted `Debug`.
const SECRET_MESSAGES: [&str; 0] = [];

#[expect(clippy::print_stderr, reason = "a command-line program speaks on stderr")]
fn fail(message: &str) -> ExitCode {
    eprintln!("codegen: {message}");
    ExitCode::FAILURE
}
