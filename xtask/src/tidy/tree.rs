//! The files that the rules look at.

use std::path::Path;

use crate::failure::{Failure, io};
use crate::program::Program;

/// Every file that is in the repository or would be with the next commit.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: Vec<File>,
}

/// One file: its path from the root, with slashes, and its text.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Tree {
    /// Reads what git knows or would add; what is not UTF-8 is read as far as it goes.
    pub(crate) fn load(root: &Path) -> Result<Self, Failure> {
        let listing = Program::new("git")
            .with_args(["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z"])
            .output()?;
        let mut tree = Self::default();
        for path in listing.split_terminator('\0') {
            let absolute = root.join(path);
            match std::fs::read(&absolute) {
                Ok(bytes) => tree.push(path, &String::from_utf8_lossy(&bytes)),
                // Deleted and not yet committed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(io(&absolute, &error)),
            }
        }
        Ok(tree)
    }

    fn push(&mut self, path: &str, text: &str) {
        self.files.push(File { path: path.to_owned(), text: text.to_owned() });
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    /// The Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files().filter(|file| file.path.ends_with(".rs"))
    }

    /// The manifests of the crates under `crates/`, with the crate's name.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files().filter_map(|file| {
            let name = file.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
            (!name.contains('/')).then_some((name, file))
        })
    }
}

impl File {
    /// The lines with their numbers, the first being 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Whether it is a source of the crate in `crates/` (not a test beside it).
    pub(crate) fn is_crate_source(&self) -> bool {
        self.path.strip_prefix("crates/").and_then(|path| path.split('/').nth(1)) == Some("src")
    }

    /// Whether it was written by `cargo xtask codegen`.
    pub(crate) fn is_generated(&self) -> bool {
        self.path.contains("/src/gen/")
    }
}

/// Whether `word` stands in `text` with no letter, digit or underscore beside it.
pub(crate) fn holds_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
impl Tree {
    /// A tree of these files, for the rules' tests.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        files.iter().for_each(|(path, text)| tree.push(path, text));
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_ends_where_letters_end() {
        assert!(holds_word("use net::{Door, Window};", "Door"));
        assert!(holds_word("Doors Door", "Door"));
        assert!(!holds_word("Doors TrapDoor my_Door", "Door"));
    }

    #[test]
    fn kinds_of_files() {
        let tree = Tree::of(&[
            ("crates/a/Cargo.toml", ""),
            ("crates/a/src/b.rs", ""),
            ("crates/a/src/gen/c.rs", ""),
            ("crates/a/tests/src/d.rs", ""),
            ("crates/a/tests/x/Cargo.toml", ""),
        ]);
        let names: Vec<&str> = tree.manifests().map(|(name, _)| name).collect();
        assert_eq!(names, ["a"]);
        let sources: Vec<&str> =
            tree.rust().filter(|file| file.is_crate_source()).map(|file| file.path.as_str()).collect();
        assert_eq!(sources, ["crates/a/src/b.rs", "crates/a/src/gen/c.rs"]);
        assert_eq!(tree.rust().filter(|file| file.is_generated()).count(), 1);
    }
}
