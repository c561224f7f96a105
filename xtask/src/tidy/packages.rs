//! Rule: a crate can be taken alone. Its package holds the licences, and a README that is also the crate's documentation.

use crate::tidy::tree::Tree;
use crate::tidy::violation::Violation;

/// Looks at every package under `crates/`.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    tree.manifests().flat_map(|(name, _)| check_package(tree, name)).collect()
}

fn check_package(tree: &Tree, name: &str) -> Vec<Violation> {
    let file = |path: &str| tree.files().find(|file| file.path == format!("crates/{name}/{path}"));
    let missing = HELD.iter().filter(|held| file(held).is_none());
    let mut found: Vec<Violation> = missing
        .map(|held| Violation::new(format!("crates/{name}/{held}"), "is missing; a package is read alone"))
        .collect();
    if let Some(library) = file("src/lib.rs")
        && !library.text.starts_with(README)
    {
        let message = format!("begins with no `{README}`: the README is what the crate says of itself");
        found.push(Violation::new(&library.path, message).with_line(1));
    }
    found
}

const HELD: [&str; 3] = ["README.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// The first line of a library.
pub(crate) const README: &str = "#![doc = include_str!(\"../README.md\")]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_its_licences_and_a_readme_that_is_its_documentation() {
        let whole = [
            ("crates/a/Cargo.toml", ""),
            ("crates/a/README.md", "# a\n"),
            ("crates/a/LICENSE-MIT", "MIT"),
            ("crates/a/LICENSE-APACHE", "Apache"),
            ("crates/a/src/lib.rs", "#![doc = include_str!(\"../README.md\")]\n"),
        ];
        assert!(check(&Tree::of(&whole)).is_empty());
        for left_out in 1..4 {
            let mut files = whole.to_vec();
            files.remove(left_out);
            let found = check(&Tree::of(&files));
            assert_eq!(found.len(), 1, "{}", whole[left_out].0);
        }
        let mut files = whole.to_vec();
        files[4].1 = "//! Something else.\n";
        assert_eq!(check(&Tree::of(&files)).len(), 1);
        // A program alone has no library.
        files.remove(4);
        assert!(check(&Tree::of(&files)).is_empty());
    }
}
