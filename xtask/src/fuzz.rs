//! `cargo xtask fuzz TARGET [SECONDS]`: one cargo-fuzz target.

use crate::failure::{Failure, no_more};
use crate::program::{Program, root};

/// Runs one target on nightly Rust, for so many seconds or until stopped.
pub(crate) fn fuzz(args: &[String]) -> Result<(), Failure> {
    let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap_or_default();
    let targets = targets(&manifest);
    let Some((target, rest)) = args.split_first() else {
        return Err(Failure::usage(format!("name a target: {}", targets.join(", "))));
    };
    if !targets.contains(target) {
        return Err(Failure::usage(format!("there is no target `{target}`, only: {}", targets.join(", "))));
    }
    let (time, rest) = match rest.split_first() {
        Some((seconds, rest)) => (Some(time_limit(seconds)?), rest),
        None => (None, rest),
    };
    no_more("fuzz", rest)?;
    if !nightly().with_args(["fuzz", "--version"]).succeeds() {
        return Err(Failure::new(
            "fuzzing needs nightly Rust and cargo-fuzz: rustup toolchain install nightly && cargo install cargo-fuzz",
        ));
    }
    // Nested input shows itself only beyond libFuzzer's default of 4096 bytes.
    let features = features(&manifest, target);
    let run = nightly().with_args(["fuzz", "run", "--features", &features, target]);
    run.with_args(["--", "-max_len=65536"]).with_args(time).run()
}

fn nightly() -> Program {
    Program::new("rustup").with_args(["run", "nightly", "cargo"])
}

fn time_limit(seconds: &str) -> Result<String, Failure> {
    match seconds.parse::<u32>() {
        Ok(seconds) if seconds > 0 => Ok(format!("-max_total_time={seconds}")),
        _ => Err(Failure::usage(format!("`{seconds}` is not a number of seconds"))),
    }
}

/// The names of the manifest's `[[bin]]` sections.
fn targets(manifest: &str) -> Vec<String> {
    let sections = manifest.split("[[bin]]").skip(1);
    let names =
        sections.filter_map(|section| section.lines().find_map(|line| line.trim().strip_prefix("name = ")));
    names.map(|name| name.trim_matches('"').to_owned()).collect()
}

/// What a target's section of the manifest requires.
fn features(manifest: &str, target: &str) -> String {
    let named = format!("\nname = \"{target}\"\n");
    let section = manifest.split("[[bin]]").find(|section| section.contains(&named)).unwrap_or_default();
    let required = section.lines().find_map(|line| line.strip_prefix("required-features = "));
    required.unwrap_or_default().chars().filter(|it| it.is_ascii_alphabetic() || *it == ',').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_programs_of_the_manifest() {
        let manifest = "[package]\nname = \"wa-fuzz\"\n\n[[bin]]\nname = \"node\"\npath = \"x\"\n\n[[bin]]\nname = \"jid\"\n";
        assert_eq!(targets(manifest), ["node", "jid"]);
    }

    #[test]
    fn a_target_has_the_features_that_its_section_requires() {
        let manifest = "[[bin]]\nname = \"node\"\npath = \"x\"\n\n[[bin]]\nname = \"jwt\"\nrequired-features = [\"integrator\"]\n";
        assert_eq!(features(manifest, "jwt"), "integrator");
        assert_eq!(features(manifest, "node"), "");
    }

    #[test]
    fn only_a_positive_number_is_a_time() {
        assert_eq!(time_limit("60"), Ok("-max_total_time=60".to_owned()));
        for wrong in ["0", "-1", "1m", ""] {
            assert_eq!(
                time_limit(wrong),
                Err(Failure::usage(format!("`{wrong}` is not a number of seconds")))
            );
        }
    }
}
