//! `cargo xtask chaos`: client and WhatsApp under faults, many times; a run that fails replays from its number.

use crate::failure::Failure;
use crate::program::Program;
use crate::servers;
use crate::system;

/// Builds the program and runs one of its series, or all of `crash`.
pub(crate) fn chaos(args: &[String]) -> Result<(), Failure> {
    let (series, rest) = match args.split_first() {
        Some((first, rest)) if !first.starts_with('-') => (first.as_str(), rest),
        _ => ("seeds", args),
    };
    system::ensure()?;
    match series {
        "digest" | "drain" | "edges" | "fixture" | "kill" | "seeds" | "sync" | "turns" => {
            run(series, rest.iter().map(String::as_str))
        }
        "crash" => {
            let (seeds, rest) = seeds(rest)?;
            crate::failure::no_more("chaos crash", rest)?;
            let half = (seeds / 2).max(1).to_string();
            run("edges", ["--every", "5"])?;
            run("seeds", ["--faults", "crashes", "--seeds", &half])?;
            run("seeds", ["--faults", "crashes", "--store", "sqlite", "--seeds", &half])
        }
        "replicas" => replicas(rest),
        other => Err(Failure::usage(format!(
            "there is no series `{other}`, only: crash, digest, drain, edges, fixture, kill, replicas, seeds, sync, turns"
        ))),
    }
}

/// Two servers on one database, killed by turns while they take ten thousand pushes.
fn replicas(args: &[String]) -> Result<(), Failure> {
    crate::failure::no_more("chaos replicas", args)?;
    servers::ensure()?;
    Program::cargo()
        .with_args(["test", "--package", "wa-integrator-server", "--test", "server", "replicas::"])
        .with_env("WA_INTEGRATOR_TEST_PUSHES", "10000")
        .run()
}

/// `--seeds N`, or ten thousand.
fn seeds(args: &[String]) -> Result<(u64, &[String]), Failure> {
    match args {
        [flag, number, rest @ ..] if flag == "--seeds" => {
            let number = number.parse().map_err(|_| Failure::usage("--seeds takes a number"))?;
            Ok((number, rest))
        }
        rest => Ok((10_000, rest)),
    }
}

fn run<'a>(series: &'a str, args: impl IntoIterator<Item = &'a str>) -> Result<(), Failure> {
    Program::cargo()
        .with_args([
            "run",
            "--release",
            "--quiet",
            "--package",
            "wa-conformance",
            "--bin",
            "wa-chaos",
            "--",
            series,
        ])
        .with_args(args)
        .run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_series_is_a_usage_error() {
        let failure = chaos(&["monkeys".to_owned()]).unwrap_err();
        assert_eq!(failure.code(), 2);
    }

    #[test]
    fn ten_thousand_unless_told_otherwise() {
        let args = ["--seeds".to_owned(), "12".to_owned()];
        assert_eq!(seeds(&args), Ok((12, &[][..])));
        assert_eq!(seeds(&[]), Ok((10_000, &[][..])));
        assert!(seeds(&["--seeds".to_owned(), "many".to_owned()]).is_err());
    }
}
