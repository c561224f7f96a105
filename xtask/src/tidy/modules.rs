//! Rule: the folders of the server's crates are few, and point one way (docs/ARCHITECTURE.md, "Code map").

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::tree::{File, Tree};
use crate::tidy::violation::Violation;

/// More than so many entries in a `src` folder, and circles among the folders of capabilities.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for name in CRATES {
        let source = format!("crates/{name}/src/");
        let files: Vec<(&str, &File)> =
            tree.rust().filter_map(|file| Some((file.path.strip_prefix(&source)?, file))).collect();
        let entries: BTreeSet<&str> = files.iter().filter_map(|(path, _)| path.split('/').next()).collect();
        if entries.len() > ENTRIES_MAX {
            let message = format!("{} entries; more than {ENTRIES_MAX} are two folders", entries.len());
            violations.push(Violation::new(&source, message));
        }
        if name == WITHOUT_CIRCLES
            && let Some(circle) = circle(&uses(&files))
        {
            violations.push(Violation::new(&source, format!("folders in a circle: {}", circle.join(", "))));
        }
    }
    violations
}

/// Which folder uses which, tests aside.
fn uses(files: &[(&str, &File)]) -> BTreeMap<String, BTreeSet<String>> {
    let folders: BTreeSet<&str> = files.iter().map(|(path, _)| folder(path)).collect();
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, file) in files {
        let from = folder(path);
        if from == "lib" || path.ends_with("tests.rs") || path.contains("/tests/") {
            continue;
        }
        let code = file.text.split(TESTS).next().unwrap_or_default();
        for line in code.lines() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for part in line.split("crate::").skip(1) {
                let to: String = part.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                if to != from && folders.contains(to.as_str()) {
                    uses.entry(from.to_owned()).or_default().insert(to);
                }
            }
        }
    }
    uses
}

/// The entry of `src` that a file belongs to.
fn folder(path: &str) -> &str {
    let entry = path.split('/').next().unwrap_or(path);
    entry.strip_suffix(".rs").unwrap_or(entry)
}

/// Some folders that use each other, if there are any: what is left when those that use nothing more have gone.
fn circle(uses: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut left = uses.clone();
    loop {
        let names: BTreeSet<String> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|_, used| used.iter().any(|name| names.contains(name)));
        if left.is_empty() {
            return None;
        }
        if left.len() == before {
            return Some(left.into_keys().collect());
        }
    }
}

/// Where the tests of a file begin, which are its end.
const TESTS: &str = "#[cfg(test)]\nmod tests {\n";
const CRATES: [&str; 4] = ["wa-http-server", "wa-integrator", "wa-integrator-server", "wa-jwt"];
/// The crate whose folders are capabilities.
const WITHOUT_CIRCLES: &str = "wa-integrator";
const ENTRIES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_named_and_a_line_passes() {
        let keys = ("crates/wa-integrator/src/keys.rs", "use crate::value::Clock;\n");
        let value = ("crates/wa-integrator/src/value/clock.rs", "use crate::keys::Keys;\n");
        let tested = (
            "crates/wa-integrator/src/value/clock.rs",
            "#[cfg(test)]\nmod tests {\nuse crate::keys::Keys;\n",
        );
        let above = "#[cfg(test)]\nmod property;\nuse crate::keys::Keys;\n";
        let found = check(&Tree::of(&[keys, value]));
        assert_eq!(found[0].to_string(), "crates/wa-integrator/src/: folders in a circle: keys, value");
        assert_eq!(check(&Tree::of(&[keys, tested])), []);
        let above = ("crates/wa-integrator/src/value/clock.rs", above);
        assert_eq!(
            check(&Tree::of(&[keys, above])).len(),
            1,
            "what is behind a module of tests in another file counts"
        );
    }

    #[test]
    fn a_crowded_folder_is_named() {
        let paths: Vec<String> = (0..17).map(|n| format!("crates/wa-jwt/src/m{n}.rs")).collect();
        let files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "")).collect();
        let found = check(&Tree::of(&files));
        assert_eq!(found[0].to_string(), "crates/wa-jwt/src/: 17 entries; more than 16 are two folders");
    }
}
