//! `cargo xtask test`: all tests, then the examples in the documentation.

use crate::failure::{Failure, no_more};
use crate::program::Program;
use crate::report;
use crate::servers;
use crate::system;

/// Runs the tests; what follows `--` goes to the test runner and leaves the examples out.
pub(crate) fn test(args: &[String]) -> Result<(), Failure> {
    let (ours, runners) = split(args);
    no_more("test", ours)?;
    system::ensure()?;
    if needs_servers(runners) {
        servers::ensure()?;
    }
    let nextest = Program::cargo().with_args(["nextest", "--version"]).succeeds();
    let runner: &[&str] = if nextest { &["nextest", "run"] } else { &["test"] };
    let mut tests = Program::cargo().with_args(runner);
    if !names_a_package(runners) {
        tests = tests.with_args(["--workspace"]);
    }
    if !nextest {
        report::note("xtask: cargo-nextest is not installed, running the tests with cargo test");
        // Examples have their own run below.
        tests = tests.with_args(if runners.is_empty() { &["--all-targets"][..] } else { &[] });
    }
    tests.with_args(runners).run()?;
    if runners.is_empty() {
        Program::cargo().with_args(["test", "--doc", "--workspace"]).run()
    } else {
        Ok(())
    }
}

/// The arguments before and after the first `--`.
fn split(args: &[String]) -> (&[String], &[String]) {
    match args.iter().position(|arg| arg == "--").and_then(|at| args.split_at_checked(at)) {
        Some((ours, [_, runners @ ..])) => (ours, runners),
        _ => (args, &[]),
    }
}

fn names_a_package(args: &[String]) -> bool {
    args.iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package"))
}

/// Whether the tests of the third party's server are among them.
fn needs_servers(args: &[String]) -> bool {
    !names_a_package(args) || args.iter().any(|arg| arg.contains("wa-integrator"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(args: &[&str]) -> Vec<String> {
        args.iter().map(|arg| (*arg).to_owned()).collect()
    }

    #[test]
    fn the_runners_arguments_follow_the_dashes() {
        assert_eq!(split(&owned(&[])), (&[][..], &[][..]));
        assert_eq!(split(&owned(&["a"])), (&owned(&["a"])[..], &[][..]));
        assert_eq!(
            split(&owned(&["--", "-p", "x", "--", "y"])),
            (&[][..], &owned(&["-p", "x", "--", "y"])[..])
        );
    }

    #[test]
    fn a_named_package_replaces_the_workspace() {
        assert!(names_a_package(&owned(&["-p", "wa-binary"])));
        assert!(names_a_package(&owned(&["--package=wa-binary"])));
        assert!(!names_a_package(&owned(&["jid"])));
    }

    #[test]
    fn servers_are_for_the_third_partys_server() {
        assert!(needs_servers(&owned(&[])));
        assert!(needs_servers(&owned(&["-p", "wa-integrator"])));
        assert!(!needs_servers(&owned(&["-p", "wa-binary"])));
    }

    #[test]
    fn arguments_before_the_dashes_are_refused() {
        let failure = test(&owned(&["-p", "wa-binary"])).unwrap_err();
        assert_eq!(failure, Failure::usage("`test` does not know `-p`"));
    }
}
