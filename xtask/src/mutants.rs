//! `cargo xtask mutants [CRATE | keyring] [--shard K/N]`: the code is broken in one place after the other, and its crate's
//! own tests should notice each.
//!
//! What may survive, and why, stands in `.cargo/mutants.toml`; what came of it in `docs/MUTANTS.md`.

use std::path::Path;

use crate::failure::{Failure, io};
use crate::program::{Program, root};
use crate::{report, tools};

/// Of a hundred mutants that compile, so many must be caught.
const CAUGHT: usize = 90;
/// What is broken where nothing is named, and the keyring: what keys, the handshake, the ratchet and tokens depend on.
const CRATES: [&str; 4] = ["wa-keys", "wa-noise", "wa-signal", "wa-jwt"];

/// The part of the server's crate that keeps signing keys.
const KEYRING: &str = "keyring";
const KEYRING_FILES: [&str; 4] =
    ["--package", "wa-integrator", "--file", "crates/wa-integrator/src/keys/**/*.rs"];
/// Its own tests stand beside its code.
const KEYRING_TESTS: [&str; 1] = ["--lib"];

/// Breaks a crate, or those above and the keyring, or one part in so many of them.
pub(crate) fn mutants(args: &[String]) -> Result<(), Failure> {
    let (names, shard) = asked(args)?;
    let (keyring, crates): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name == KEYRING);
    let packages: Vec<&str> = crates.iter().flat_map(|name| ["--package", name.as_str()]).collect();
    let shard = shard.as_deref();
    let crates = if crates.is_empty() { Ok(()) } else { broken(&crates, (&packages, &[]), shard) };
    let keyring =
        if keyring.is_empty() { Ok(()) } else { broken(&keyring, (&KEYRING_FILES, &KEYRING_TESTS), shard) };
    crates.and(keyring)
}

/// Breaks what the first arguments choose under the tests that the second ones choose.
fn broken(names: &[String], (chosen, tests): (&[&str], &[&str]), shard: Option<&str>) -> Result<(), Failure> {
    let place = if let [name] = names { name.as_str() } else { "crates" };
    let output = root().join("target/mutants").join(place);
    std::fs::create_dir_all(&output).map_err(|error| io(&output, &error))?;
    let run = tools::MUTANTS.command()?.with_args(["--no-shuffle"]);
    // Each is built anew: the less, the better.
    let run = run.with_env("CARGO_INCREMENTAL", "1").with_env("CARGO_PROFILE_DEV_DEBUG", "0");
    let run = run.with_args(["--colors", "never", "--output"]).with_args([&output]).with_args(chosen);
    // As `cargo xtask test` does.
    let nextest = Program::cargo().with_args(["nextest", "--version"]).succeeds();
    let run = run.with_args(if nextest { &["--test-tool", "nextest"][..] } else { &[] });
    let run = run
        .with_args(shard.map(|shard| ["--sharding", "round-robin", "--shard", shard]).into_iter().flatten());
    // It fails where one survives; how many may, is said here.
    let ended = run.with_args(["--"]).with_args(tests).run();
    let counted = Counted::from(&output.join("mutants.out"));
    match counted.all() {
        0 => ended,
        _ => counted.judged(names),
    }
}

fn asked(args: &[String]) -> Result<(Vec<String>, Option<String>), Failure> {
    let (name, rest) = match args.split_first() {
        Some((first, rest)) if !first.starts_with('-') => (Some(first.clone()), rest),
        _ => (None, args),
    };
    let shard = match rest {
        [] => None,
        [flag, shard] if flag == "--shard" && is_shard(shard) => Some(shard.clone()),
        _ => return Err(Failure::usage("mutants takes a crate or `keyring`, and `--shard K/N`, K from 0")),
    };
    if let Some(name) = &name
        && name != KEYRING
        && !root().join(format!("crates/{name}/Cargo.toml")).is_file()
    {
        return Err(Failure::usage(format!("there is no crate `{name}`")));
    }
    Ok((name.map_or_else(all, |name| vec![name]), shard))
}

fn all() -> Vec<String> {
    CRATES.iter().chain(&[KEYRING]).map(|name| (*name).to_owned()).collect()
}

fn is_shard(shard: &str) -> bool {
    let numbers = shard.split_once('/').map(|(k, n)| (k.parse::<u32>(), n.parse::<u32>()));
    matches!(numbers, Some((Ok(k), Ok(n))) if k < n)
}

/// What became of the mutants.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    caught: usize,
    /// They are shown.
    missed: Vec<String>,
    /// They ran on and on, which a test run notices.
    stuck: usize,
    /// They do not compile.
    unviable: usize,
}

impl Counted {
    fn from(directory: &Path) -> Self {
        let lines = |name: &str| {
            let text = std::fs::read_to_string(directory.join(name)).unwrap_or_default();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        Self {
            caught: lines("caught.txt").len(),
            missed: lines("missed.txt"),
            stuck: lines("timeout.txt").len(),
            unviable: lines("unviable.txt").len(),
        }
    }

    fn all(&self) -> usize {
        self.viable() + self.unviable
    }

    fn viable(&self) -> usize {
        self.caught + self.stuck + self.missed.len()
    }

    fn judged(&self, crates: &[String]) -> Result<(), Failure> {
        self.missed.iter().for_each(|mutant| report::line(&format!("missed: {mutant}")));
        let (noticed, viable) = (self.caught + self.stuck, self.viable());
        report::line(&format!(
            "{}: {} mutants, {} do not compile; of {viable}, {} caught, {} stopped, {} missed",
            crates.join(", "),
            self.all(),
            self.unviable,
            self.caught,
            self.stuck,
            self.missed.len(),
        ));
        match noticed * 100 >= viable * CAUGHT {
            true => Ok(()),
            false => Err(Failure::new(format!("fewer than {CAUGHT} of a hundred were caught"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(args: &[&str]) -> Vec<String> {
        args.iter().map(|arg| (*arg).to_owned()).collect()
    }

    #[test]
    fn a_crate_and_a_shard_are_taken_and_nothing_else() {
        assert_eq!(asked(&args(&[])).unwrap(), (all(), None));
        assert_eq!(asked(&args(&["keyring"])).unwrap(), (vec![KEYRING.to_owned()], None));
        let both = asked(&args(&["wa-keys", "--shard", "0/8"])).unwrap();
        assert_eq!(both, (vec!["wa-keys".to_owned()], Some("0/8".to_owned())));
        for wrong in [&["none"][..], &["--shard"], &["--shard", "8/8"], &["--shard", "x"], &["wa-keys", "x"]]
        {
            assert_eq!(asked(&args(wrong)).unwrap_err().code(), 2, "{wrong:?}");
        }
    }

    #[test]
    fn nine_in_ten_are_enough() {
        let counted = |caught, missed: usize| Counted {
            caught,
            missed: vec!["a mutant".to_owned(); missed],
            ..Counted::default()
        };
        assert!(counted(90, 10).judged(&[]).is_ok());
        assert!(counted(89, 11).judged(&[]).is_err());
        assert_eq!(Counted { stuck: 1, unviable: 5, ..counted(3, 2) }.all(), 11);
    }
}
