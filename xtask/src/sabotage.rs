//! `cargo xtask sabotage`: breaks each gate of the store contract, one at a time, and sees that a test notices.
//!
//! It works on a copy of the tree below `target`. A sabotage is a replacement in one file and the tests that must turn
//! red; one that no longer applies is a failure too, so the list cannot rot.

mod gates;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::program::{Program, root};
use crate::report;
use crate::sabotage::gates::GATES;

/// One gate, how it is broken, and which tests notice.
struct Sabotage {
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    tests: &'static [&'static str],
}

/// What became of one sabotage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Noticed,
    Survived,
    NotCompiled,
    NotApplied,
}

/// Runs all, or those whose names are given.
pub(crate) fn sabotage(names: &[String]) -> Result<(), Failure> {
    let chosen: Vec<&Sabotage> =
        GATES.iter().filter(|it| names.is_empty() || names.iter().any(|name| name == it.name)).collect();
    if chosen.len() < names.len().max(1) {
        let known: Vec<&str> = GATES.iter().map(|it| it.name).collect();
        return Err(Failure::usage(format!("there is no such sabotage, only: {}", known.join(", "))));
    }
    let tree = copy_tree()?;
    let mut failed = 0;
    for sabotage in chosen {
        let outcome = run(sabotage, &tree)?;
        let said = match outcome {
            Outcome::Noticed => "noticed",
            Outcome::Survived => "NOT NOTICED",
            Outcome::NotCompiled => "does not compile",
            Outcome::NotApplied => "does not apply any more",
        };
        report::line(&format!("{:<28} {said}", sabotage.name));
        failed += usize::from(outcome != Outcome::Noticed);
    }
    if failed > 0 {
        return Err(Failure::new(format!("{failed} sabotages were not noticed")));
    }
    Ok(())
}

fn run(sabotage: &Sabotage, tree: &Path) -> Result<Outcome, Failure> {
    let path = tree.join(sabotage.file);
    let whole =
        fs::read_to_string(&path).map_err(|error| Failure::new(format!("{}: {error}", sabotage.file)))?;
    if whole.matches(sabotage.from).count() != 1 {
        return Ok(Outcome::NotApplied);
    }
    write(&path, &whole.replacen(sabotage.from, sabotage.to, 1))?;
    let outcome = sabotage.tests.iter().try_fold(Outcome::Survived, |outcome, tests| match outcome {
        Outcome::Survived => test(tree, tests),
        decided => Ok(decided),
    });
    write(&path, &whole)?;
    outcome
}

/// Runs tests in the sabotaged tree: first whether they compile, then whether they fail.
fn test(tree: &Path, tests: &str) -> Result<Outcome, Failure> {
    let target = tree.join("../..");
    let cargo = |more: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.arg("test").args(tests.split(' ')).args(more).current_dir(tree);
        cargo.env("CARGO_TARGET_DIR", &target).env("RUSTFLAGS", "-Awarnings");
        cargo.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        cargo.status().map(|status| status.success()).map_err(|error| Failure::new(format!("cargo: {error}")))
    };
    Ok(match () {
        () if !cargo(&["--no-run"])? => Outcome::NotCompiled,
        () if cargo(&[])? => Outcome::Survived,
        () => Outcome::Noticed,
    })
}

/// Makes the copy equal to what git knows of and to what it does not ignore. A file that has not changed stays, so that
/// little is built.
fn copy_tree() -> Result<PathBuf, Failure> {
    let root = root();
    let tree = root.join("target/sabotage/tree");
    let listed =
        Program::new("git").with_args(["ls-files", "--cached", "--others", "--exclude-standard"]).output()?;
    let files = listed.lines().map(Path::new);
    let listed: BTreeSet<&Path> = files.filter(|file| root.join(file).is_file()).collect();
    remove_others(&tree, &tree, &listed);
    for file in listed {
        let (from, to) = (fs::read(root.join(file)), tree.join(file));
        let from = from.map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
        if fs::read(&to).is_ok_and(|old| old == from) {
            continue;
        }
        fs::create_dir_all(to.parent().unwrap_or(&tree)).ok();
        fs::write(&to, from).map_err(|error| Failure::new(format!("{}: {error}", to.display())))?;
    }
    Ok(tree)
}

/// Removes files that are not listed, and folders that are empty then.
fn remove_others(tree: &Path, folder: &Path, listed: &BTreeSet<&Path>) {
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            remove_others(tree, &path, listed);
            // Fails where something is left in it.
            fs::remove_dir(&path).ok();
        } else if path.strip_prefix(tree).is_ok_and(|file| !listed.contains(file)) {
            fs::remove_file(&path).ok();
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sabotage_applies_to_the_tree_as_it_is() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for sabotage in GATES {
            let text = fs::read_to_string(root.join(sabotage.file)).unwrap();
            assert_eq!(text.matches(sabotage.from).count(), 1, "{}", sabotage.name);
            assert_ne!(sabotage.from, sabotage.to, "{}", sabotage.name);
        }
    }

    #[test]
    fn an_unknown_name_is_a_usage_error() {
        assert_eq!(sabotage(&["gremlin".to_owned()]).unwrap_err().code(), 2);
    }
}
