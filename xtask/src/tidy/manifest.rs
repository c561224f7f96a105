//! Rule: every crate takes the workspace's lints; and the dependencies in a manifest, for other rules.

use toml::Table;
use toml::de::DeTable;

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

/// The dependencies of a manifest, in their order: normal, build and dev, for every target. Of what is no TOML cargo speaks.
pub(crate) fn dependencies(manifest: &File) -> Vec<Dependency> {
    let Ok(document) = DeTable::parse(&manifest.text) else { return Vec::new() };
    let document = document.get_ref();
    let targets = document.get("target").and_then(|targets| targets.get_ref().as_table());
    let targets = targets.into_iter().flat_map(DeTable::values).filter_map(|it| it.get_ref().as_table());
    let lists = std::iter::once(document).chain(targets).flat_map(|tables| {
        SECTIONS.iter().filter_map(|(name, dev)| Some((*dev, tables.get(*name)?.get_ref().as_table()?)))
    });
    let line = |at: usize| manifest.text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    let mut found: Vec<Dependency> = lists
        .flat_map(|(dev, list)| list.iter().map(move |(key, value)| (dev, key, value)))
        .map(|(dev, key, value)| {
            let renamed = value.get_ref().get("package").and_then(|name| name.get_ref().as_str());
            let name = renamed.unwrap_or(key.get_ref()).to_owned();
            Dependency { name, dev, line: line(key.span().start) }
        })
        .collect();
    found.sort_by_key(|dependency| dependency.line);
    found
}

/// Where dependencies stand, and whether only tests, examples and benchmarks use them.
const SECTIONS: [(&str, bool); 3] =
    [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)];

fn inherits_lints(manifest: &str) -> bool {
    let document: Table = toml::from_str(manifest).unwrap_or_default();
    document.get("lints").and_then(|lints| lints.get("workspace")?.as_bool()) == Some(true)
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
            ("crates/b/Cargo.toml", "lints.workspace = true\n[package]\n"),
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
