//! `cargo xtask conformance`: the real programs, started on loopback and judged by every check.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::Failure;
use crate::program::Program;
use crate::system;

/// Options with which nothing of this project's is judged.
const WITHOUT_OURS: [&str; 8] =
    ["--list", "--explain", "--integrator", "--client", "--watch", "--chat", "--prove", "--help"];

/// Builds the three programs and runs the suite; `args` and the suite's exit code are passed on.
pub(crate) fn conformance(args: &[String]) -> Result<(), Failure> {
    let name = |arg: &String| arg.split('=').next().unwrap_or_default().to_owned();
    if args.iter().any(|arg| WITHOUT_OURS.contains(&name(arg).as_str())) {
        let [suite] = built(["wa-conformance"])?;
        return Program::new(suite).with_args(args).run();
    }
    let [suite, integrator, sandbox] = built(["wa-conformance", "wa-integrator", "wa-sandbox"])?;
    Program::new(suite)
        .with_args(["--integrator-program".as_ref(), integrator.as_os_str()])
        .with_args(["--sandbox-program".as_ref(), sandbox.as_os_str()])
        .with_args(args)
        .run()
}

/// Builds a local WhatsApp, a service and the program `wa`, and chats; `args` (`--profile FILE`) are passed on.
pub(crate) fn chat(args: &[String]) -> Result<(), Failure> {
    let [playground, wa] = built(["wa-playground", "wa"])?;
    Program::new(playground).with_args(["chat", "--wa"]).with_args([wa]).with_args(args).run()
}

/// Builds a local WhatsApp and runs it; `args` are passed on.
pub(crate) fn sandbox(args: &[String]) -> Result<(), Failure> {
    let [sandbox] = built(["wa-sandbox"])?;
    Program::new(sandbox).with_args(args).run()
}

/// Builds programs of the workspace and says where they are.
pub(crate) fn built<const N: usize>(names: [&str; N]) -> Result<[PathBuf; N], Failure> {
    system::ensure()?;
    let messages = Program::cargo()
        .with_args(["build", "--workspace", "--message-format=json-render-diagnostics"])
        .with_args(names.iter().flat_map(|name| ["--bin", name]))
        .output()?;
    let mut found = Vec::with_capacity(N);
    for name in names {
        found.push(executable(&messages, name)?);
    }
    found.try_into().map_err(|_| Failure::new("cargo built something else"))
}

/// Where cargo's messages say that the program `name` was built.
fn executable(messages: &str, name: &str) -> Result<PathBuf, Failure> {
    messages
        .lines()
        .filter_map(|message| serde_json::from_str::<Value>(message).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .find(|path| path.file_stem().is_some_and(|stem| Path::new(stem) == Path::new(name)))
        .ok_or_else(|| Failure::new(format!("cargo built no program named {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = r#"{"reason":"compiler-artifact","target":{"name":"wa-sandbox"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"wa-sandbox"},"executable":"/t/debug/wa-sandbox","fresh":true}
{"reason":"build-finished","success":true}"#;

    #[test]
    fn a_program_is_found_where_cargo_put_it() {
        assert_eq!(executable(MESSAGES, "wa-sandbox"), Ok(PathBuf::from("/t/debug/wa-sandbox")));
        assert_eq!(executable(MESSAGES, "wa"), Err(Failure::new("cargo built no program named wa")));
    }
}
