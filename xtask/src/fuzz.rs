//! `cargo xtask fuzz TARGET [SECONDS]`: one target; `cargo xtask fuzz smoke [SECONDS]`: each of them for a moment.
//!
//! The targets are built and run on stable Rust by `fuzz/build` and `fuzz/run` (docs/FUZZING.md).

use std::path::Path;

use crate::failure::{Failure, no_more};
use crate::program::{Program, root};
use crate::report;

/// Runs one target, or all of them.
pub(crate) fn fuzz(args: &[String]) -> Result<(), Failure> {
    let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap_or_default();
    let targets = targets(&manifest);
    let Some((target, rest)) = args.split_first() else {
        return Err(Failure::usage(format!("name a target, or smoke: {}", targets.join(", "))));
    };
    if target != "smoke" && !targets.contains(target) {
        return Err(Failure::usage(format!("there is no target `{target}`, only: {}", targets.join(", "))));
    }
    let (seconds, rest) = match rest.split_first() {
        Some((text, rest)) => (Some(seconds(text)?), rest),
        None => (None, rest),
    };
    no_more("fuzz", rest)?;
    match target.as_str() {
        "smoke" => smoke(&targets, seconds.unwrap_or(SMOKE_SECONDS)),
        _ => {
            let seconds = seconds.map(|it| it.to_string());
            Program::new(root().join("fuzz/run")).with_args([target]).with_args(seconds).run()
        }
    }
}

/// Builds all targets at once and runs each for so many seconds; fails if any has a finding.
fn smoke(targets: &[String], seconds: u32) -> Result<(), Failure> {
    let programs = Program::new(root().join("fuzz/build")).output()?;
    let mut found = Vec::new();
    report::line(&format!("{:<20} {:>12} {:>8} {:>8}  verdict", "target", "executions", "cov", "ft"));
    for target in targets {
        let (ended_well, said) = brief(Path::new(programs.trim()), target, seconds)?;
        let Seen { executions, coverage, features } = Seen::of(&said);
        let verdict = if ended_well { "nothing found" } else { "a finding" };
        report::line(&format!("{target:<20} {executions:>12} {coverage:>8} {features:>8}  {verdict}"));
        if !ended_well {
            let last = said.lines().rev().take(LAST_LINES).collect::<Vec<_>>();
            last.into_iter().rev().for_each(report::note);
            found.push(target.as_str());
        }
    }
    match found[..] {
        [] => Ok(()),
        _ => Err(Failure::new(format!("findings in {}: see fuzz/artifacts", found.join(", ")))),
    }
}

/// One target, from its seeds and from what was learned before: whether it ended well, and what it said.
fn brief(programs: &Path, target: &str, seconds: u32) -> Result<(bool, String), Failure> {
    let directory = root().join("fuzz");
    for made in ["corpus", "artifacts"] {
        let made = directory.join(made).join(target);
        std::fs::create_dir_all(&made).map_err(|error| crate::failure::io(&made, &error))?;
    }
    let seeds = match target {
        // Pictures, films and music are with the crate that reads them.
        "metadata" => "../crates/wa-media/tests/files".to_owned(),
        _ => format!("seeds/{target}"),
    };
    Program::new(programs.join(target))
        .with_directory("fuzz")
        .with_args([format!("corpus/{target}"), seeds, format!("-artifact_prefix=artifacts/{target}/")])
        .with_args(["-max_len=65536", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"])
        .with_args([format!("-max_total_time={seconds}")])
        .heard()
}

/// Seconds for each target, unless told otherwise.
const SMOKE_SECONDS: u32 = 5;
/// Of a finding, what is shown.
const LAST_LINES: usize = 40;

/// What libFuzzer counts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    executions: u64,
    /// Edges, and what it tells inputs apart by.
    coverage: u64,
    features: u64,
}

impl Seen {
    fn of(said: &str) -> Self {
        let after = |line: &str, name: &str| {
            let (_, rest) = line.split_once(name)?;
            rest.split_whitespace().next()?.parse().ok()
        };
        let last = |name: &str| said.lines().rev().find_map(|line| after(line, name)).unwrap_or_default();
        Self {
            executions: last("stat::number_of_executed_units:"),
            coverage: last(" cov: "),
            features: last(" ft: "),
        }
    }
}

fn seconds(text: &str) -> Result<u32, Failure> {
    match text.parse::<u32>() {
        Ok(seconds) if seconds > 0 => Ok(seconds),
        _ => Err(Failure::usage(format!("`{text}` is not a number of seconds"))),
    }
}

/// The names of the manifest's `[[bin]]` sections.
fn targets(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = toml::from_str(manifest).unwrap_or_default();
    let programs = manifest.get("bin").and_then(toml::Value::as_array).into_iter().flatten();
    programs.filter_map(|program| Some(program.get("name")?.as_str()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_manifests_programs_and_each_has_its_row() {
        let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
        let documented = std::fs::read_to_string(root().join("docs/FUZZING.md")).unwrap();
        let targets = targets(&manifest);
        assert!(targets.len() >= 45);
        for target in targets {
            assert!(root().join(format!("fuzz/fuzz_targets/{target}.rs")).is_file(), "{target}");
            assert!(documented.contains(&format!("`{target}`")), "{target} is not in docs/FUZZING.md");
            assert!(target == "metadata" || root().join(format!("fuzz/seeds/{target}")).is_dir(), "{target}");
        }
    }

    #[test]
    fn only_a_positive_number_is_a_time() {
        assert_eq!(seconds("60"), Ok(60));
        for wrong in ["0", "-1", "1m", ""] {
            assert_eq!(seconds(wrong), Err(Failure::usage(format!("`{wrong}` is not a number of seconds"))));
        }
    }

    #[test]
    fn what_libfuzzer_says_is_read() {
        let said = "#2\tINITED cov: 5 ft: 6 corp: 1/1b\n#99\tDONE   cov: 41 ft: 120 corp: 9/99b lim: 4 exec/s: 9\n\
                    stat::number_of_executed_units: 99\nstat::average_exec_per_sec:     49\n";
        assert_eq!(Seen::of(said), Seen { executions: 99, coverage: 41, features: 120 });
        assert_eq!(Seen::of("==1== ERROR: libFuzzer: deadly signal"), Seen::default());
    }
}
