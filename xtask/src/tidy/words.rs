//! Rule: words that must not be in the repository: machine paths, hosts of registries, unfinished work.

use crate::tidy::tree::{File, Tree, holds_word};
use crate::tidy::violation::Violation;

/// Looks through every file for what no file may hold, and through Rust for what no source may hold.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    tree.files().flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Violation> {
    let rust = if file.path.ends_with(".rs") { RUST } else { &[] };
    let lock = file.path.ends_with("Cargo.lock");
    let mut found = Vec::new();
    for (line, text) in file.lines() {
        let words = EVERYWHERE.iter().chain(rust).filter(|word| word.is_in(text));
        found.extend(words.map(|word| Violation::new(&file.path, word.message()).with_line(line)));
        if lock && text.starts_with("source = ") && !text.contains(CRATES_IO) {
            found.push(
                Violation::new(&file.path, "a dependency from elsewhere than crates.io").with_line(line),
            );
        }
    }
    found
}

/// A forbidden piece of text, and why.
struct Word {
    text: &'static str,
    whole: bool,
    why: &'static str,
}

impl Word {
    const fn piece(text: &'static str, why: &'static str) -> Self {
        Self { text, whole: false, why }
    }

    const fn whole(text: &'static str, why: &'static str) -> Self {
        Self { text, whole: true, why }
    }

    fn is_in(&self, line: &str) -> bool {
        if self.whole { holds_word(line, self.text) } else { line.contains(self.text) }
    }

    fn message(&self) -> String {
        format!("`{}`: {}", self.text, self.why)
    }
}

const EVERYWHERE: &[Word] = &[
    Word::piece(concat!("see", "d §"), "the published document is called the overview"),
    Word::piece(concat!("See", "d §"), "the published document is called the overview"),
    Word::piece(concat!("/ro", "ot/"), MACHINE),
    Word::piece(concat!("/wo", "rk/"), MACHINE),
    Word::piece(concat!("../sha", "red"), MACHINE),
    Word::piece(concat!("index.crates", ".io"), REGISTRY),
    Word::piece(concat!("static.crates", ".io"), REGISTRY),
    Word::piece(concat!("registry.npmjs", ".org"), REGISTRY),
    Word::piece(concat!("registry.yarnpkg", ".com"), REGISTRY),
    Word::piece(concat!("pythonhosted", ".org"), REGISTRY),
    Word::piece(concat!("pypi", ".org"), REGISTRY),
    Word::piece(concat!("proxy.golang", ".org"), REGISTRY),
];

const RUST: &[Word] = &[
    Word::piece(concat!("to", "do!("), UNFINISHED),
    Word::piece(concat!("unimple", "mented!("), UNFINISHED),
    Word::whole(concat!("TO", "DO"), UNFINISHED),
    Word::whole(concat!("FIX", "ME"), UNFINISHED),
    Word::piece(concat!("#[ig", "nore"), "a test runs or is not there"),
    Word::piece(concat!("thread::sl", "eep"), "time is an argument; a test that waits is slow or flaky"),
];

const MACHINE: &str = "a path of one machine";
const REGISTRY: &str = "a registry's host belongs in the user's own configuration";
const UNFINISHED: &str = "what is not built is absent";
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_word_trips_in_rust_and_the_general_ones_everywhere() {
        for word in EVERYWHERE {
            let text = format!("fine\nx {} y\n", word.text);
            let expected = format!("notes.md:2: {}", word.message());
            assert_eq!(found("notes.md", &text), [expected]);
        }
        for word in RUST {
            let text = format!("x {} y\n", word.text);
            assert_eq!(found("a.rs", &text), [format!("a.rs:1: {}", word.message())]);
            assert_eq!(found("notes.md", &text), [""; 0]);
        }
    }

    #[test]
    fn parts_of_longer_words_pass() {
        assert_eq!(
            found("a.rs", "struct Todos; // framework/, the root of trust, MASTODON, thread::park\n"),
            [""; 0]
        );
    }

    #[test]
    fn only_crates_io_is_a_source() {
        let other = "source = \"git+https://example.org/x\"\n";
        assert_eq!(found("Cargo.lock", other), ["Cargo.lock:1: a dependency from elsewhere than crates.io"]);
        assert_eq!(found("Cargo.lock", &format!("source = \"{CRATES_IO}\"\n")), [""; 0]);
    }
}
