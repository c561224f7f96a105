//! `cargo xtask mutants [CRATE | keyring | messenger] [--shard K/N]`: the code is broken in one place after the other, and
//! its crate's own tests should notice each.
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

/// A part of a crate, or a crate that is more than its defaults, which is broken by itself.
struct Part {
    name: &'static str,
    /// Its package and its files, or its features.
    chosen: [&'static str; 4],
    /// Of its package's tests those that are there for it.
    tests: &'static [&'static str],
}

/// What keeps signing keys; its tests stand beside its code.
const KEYRING: Part = Part {
    name: "keyring",
    chosen: ["--package", "wa-integrator", "--file", "crates/wa-integrator/src/keys/**/*.rs"],
    tests: &["--lib"],
};

/// What encrypts, decrypts, asks and answers.
const MESSENGER: Part = Part {
    name: "messenger",
    chosen: ["--package", "wa-chat", "--file", "crates/wa-chat/src/messenger/**/*.rs"],
    tests: &[],
};

/// The codec, with its JSON.
const BINARY: Part = Part {
    name: "wa-binary",
    chosen: ["--package", "wa-binary", "--features", "wa-binary/serde"],
    tests: &[],
};

const PARTS: [Part; 3] = [KEYRING, MESSENGER, BINARY];

/// Breaks a crate or a part, or those above and the keyring, or one part in so many of them.
pub(crate) fn mutants(args: &[String]) -> Result<(), Failure> {
    let (name, shard) = asked(args)?;
    let shard = shard.as_deref();
    let part = |part: &Part| broken(&[part.name], (&part.chosen, part.tests), shard);
    let crates = |names: &[&str]| {
        let packages: Vec<&str> = names.iter().flat_map(|name| ["--package", *name]).collect();
        broken(names, (&packages, &[]), shard)
    };
    match name.as_deref() {
        None => crates(&CRATES).and(part(&KEYRING)),
        Some(name) => match PARTS.iter().find(|part| part.name == name) {
            Some(named) => part(named),
            None => crates(&[name]),
        },
    }
}

/// Breaks what the first arguments choose under the tests that the second ones choose.
fn broken(names: &[&str], (chosen, tests): (&[&str], &[&str]), shard: Option<&str>) -> Result<(), Failure> {
    let place = if let [name] = names { name } else { "crates" };
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

/// The name, if there is one, and the shard.
fn asked(args: &[String]) -> Result<(Option<String>, Option<String>), Failure> {
    let (name, rest) = match args.split_first() {
        Some((first, rest)) if !first.starts_with('-') => (Some(first.clone()), rest),
        _ => (None, args),
    };
    let shard = match rest {
        [] => None,
        [flag, shard] if flag == "--shard" && is_shard(shard) => Some(shard.clone()),
        _ => {
            return Err(Failure::usage(
                "mutants takes a crate, `keyring` or `messenger`, and `--shard K/N`, K from 0",
            ));
        }
    };
    if let Some(name) = &name
        && PARTS.iter().all(|part| part.name != name)
        && !root().join(format!("crates/{name}/Cargo.toml")).is_file()
    {
        return Err(Failure::usage(format!("there is no crate `{name}`")));
    }
    Ok((name, shard))
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

    fn judged(&self, names: &[&str]) -> Result<(), Failure> {
        self.missed.iter().for_each(|mutant| report::line(&format!("missed: {mutant}")));
        let (noticed, viable) = (self.caught + self.stuck, self.viable());
        report::line(&format!(
            "{}: {} mutants, {} do not compile; of {viable}, {} caught, {} stopped, {} missed",
            names.join(", "),
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
        assert_eq!(asked(&args(&[])).unwrap(), (None, None));
        assert_eq!(asked(&args(&["--shard", "7/8"])).unwrap(), (None, Some("7/8".to_owned())));
        for name in ["keyring", "messenger", "wa-binary"] {
            assert_eq!(asked(&args(&[name])).unwrap(), (Some(name.to_owned()), None));
        }
        let both = asked(&args(&["wa-keys", "--shard", "0/8"])).unwrap();
        assert_eq!(both, (Some("wa-keys".to_owned()), Some("0/8".to_owned())));
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
