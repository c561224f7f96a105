//! Rule: every crate takes the workspace's lints; and the small reader of manifests that other rules use.

use crate::tidy::tree::{File, Tree};
use crate::tidy::violation::Violation;

/// Every package of the workspace says `[lints] workspace = true`.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let tools = tree.files().filter(|file| TOOLS.contains(&file.path.as_str()));
    let manifests = tree.manifests().map(|(_, file)| file).chain(tools);
    // UniFFI's scaffolding is unsafe, and nothing else may be.
    let bare = manifests.filter(|file| file.path != SCAFFOLDED && !inherits_lints(&file.text));
    bare.map(|file| Violation::new(&file.path, "must say `[lints] workspace = true`")).collect()
}

/// One entry of a dependency section.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The package's name, also when the manifest renames it.
    pub(crate) name: String,
    /// Whether only tests, examples and benchmarks use it.
    pub(crate) dev: bool,
    /// Where it stands, the first line being 1.
    pub(crate) line: usize,
}

/// The dependencies of a manifest: normal, build and dev, for every target.
pub(crate) fn dependencies(manifest: &File) -> Vec<Dependency> {
    let mut section = Section::Other;
    let mut found = Vec::new();
    for (line, text) in manifest.lines() {
        let text = text.trim();
        if let Some(header) = text.strip_prefix('[') {
            section = Section::of(header.trim_end_matches(']'));
            if let Section::Table { name, dev } = &section {
                found.push(Dependency { name: name.clone(), dev: *dev, line });
            }
        } else if let (Section::List { dev }, Some((key, value))) = (&section, text.split_once('='))
            && !text.starts_with('#')
        {
            found.push(Dependency { name: package_name(key, value), dev: *dev, line });
        }
    }
    found
}

/// What a header opens.
enum Section {
    /// `[dependencies]`: one entry a line.
    List {
        dev: bool,
    },
    /// `[dependencies.name]`: this one.
    Table {
        name: String,
        dev: bool,
    },
    Other,
}

impl Section {
    fn of(header: &str) -> Self {
        let mut parts = header.rsplit('.');
        let last = parts.next().unwrap_or_default();
        let before = parts.next().unwrap_or_default();
        match (is_list(last), is_list(before)) {
            (Some(_), _) if before == "workspace" => Self::Other,
            (Some(dev), _) => Self::List { dev },
            (None, Some(dev)) => Self::Table { name: last.to_owned(), dev },
            (None, None) => Self::Other,
        }
    }
}

fn is_list(part: &str) -> Option<bool> {
    match part {
        "dependencies" | "build-dependencies" => Some(false),
        "dev-dependencies" => Some(true),
        _ => None,
    }
}

fn package_name(key: &str, value: &str) -> String {
    let renamed = value.split_once("package").and_then(|(_, rest)| rest.split('"').nth(1));
    let own = key.trim().split('.').next().unwrap_or_default().trim_matches('"');
    renamed.unwrap_or(own).to_owned()
}

fn inherits_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.clone().any(|line| line == "lints.workspace = true")
        || lines.any(|line| line == "[lints]") && lines.next() == Some("workspace = true")
}

const SCAFFOLDED: &str = "crates/wa-ffi/Cargo.toml";
const TOOLS: [&str; 2] = ["xtask/Cargo.toml", "xtask/codegen/Cargo.toml"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_without_the_lints_is_named() {
        let tree = Tree::of(&[
            ("crates/a/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n"),
            ("crates/b/Cargo.toml", "[package]\nlints.workspace = true\n"),
            ("crates/c/Cargo.toml", "[package]\n[dependencies]\nworkspace = true\n"),
            ("xtask/Cargo.toml", "[lints]\nrust.unsafe_code = \"forbid\"\n"),
            ("Cargo.toml", "[workspace]\n"),
        ]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "crates/c/Cargo.toml: must say `[lints] workspace = true`",
                "xtask/Cargo.toml: must say `[lints] workspace = true`"
            ]
        );
    }

    #[test]
    fn dependencies_of_every_section_and_form() {
        let text = "\
[package]
name = \"x\"
[dependencies]
# a = \"1\"
wa-keys.workspace = true
b = { package = \"real-b\", version = \"1\" }
[dependencies.c]
version = \"1\"
[target.'cfg(unix)'.dev-dependencies]
d = \"1\"
[build-dependencies]
e = \"1\"
[features]
f = []
";
        let file = File { path: String::new(), text: text.to_owned() };
        let entry = |name: &str, dev, line| Dependency { name: name.to_owned(), dev, line };
        assert_eq!(
            dependencies(&file),
            [
                entry("wa-keys", false, 5),
                entry("real-b", false, 6),
                entry("c", false, 7),
                entry("d", true, 10),
                entry("e", false, 12),
            ]
        );
    }
}
