//! Rule: what a document names exists: paths, items, tests, checks, commands, fields of the profile.
//!
//! Documents name things in backticks. A name is looked for in the code by its form, not by understanding it: an item that
//! was renamed, a test that is gone and a file that moved are found, a sentence that is wrong about a thing that exists is
//! not.

mod facts;
mod known;
mod map;

use crate::tidy::documents::known::Known;
use crate::tidy::tree::{File, Tree};
use crate::tidy::violation::Violation;

/// Looks up every name in README, CONTRIBUTING, `docs/` and the crates' own READMEs.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let known = Known::of(tree);
    let documents = tree.files().filter(|file| is_document(&file.path));
    let mut found: Vec<Violation> =
        documents.flat_map(|file| check_document(file, &known).chain(check_links(file, tree))).collect();
    found.extend(facts::check(tree, &known));
    found.extend(map::check(tree));
    found
}

fn is_document(path: &str) -> bool {
    let in_docs = path.strip_prefix("docs/").is_some_and(|name| !name.contains('/'));
    let of_crate = path.starts_with("crates/") && path.ends_with("/README.md");
    path.ends_with(".md") && (in_docs || of_crate || ["README.md", "CONTRIBUTING.md"].contains(&path))
}

fn check_document<'a>(file: &'a File, known: &'a Known<'a>) -> impl Iterator<Item = Violation> + 'a {
    prose(file).flat_map(move |(line, text)| {
        let mut last_crate = None;
        let mut is_check = false;
        spans(text).filter_map(move |(before, name)| {
            // "`wa-keys` `tests/vectors.rs`, `a_test`": what follows a crate without another word is in it.
            let goes_on = before.chars().all(|c| c == ' ' || c == ',');
            let says_check = [" check", " checks", "(check", "(checks", "|check", "|checks"]
                .iter()
                .any(|word| format!(" {}", before.trim()).ends_with(word));
            is_check = says_check || is_check && goes_on;
            last_crate = last_crate.filter(|_| goes_on);
            let missing = if is_check && !known.is_check(name) {
                Some("there is no such check".to_owned())
            } else {
                known.missing(name, last_crate)
            };
            if known.is_crate(name) {
                last_crate = Some(name);
            }
            missing.map(|why| Violation::new(&file.path, format!("`{name}`: {why}")).with_line(line))
        })
    })
}

/// The lines outside of blocks of code, and in those only the project's own commands.
fn prose(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    file.lines().filter(move |(_, text)| {
        let is_fence = text.trim_start().starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence
    })
}

/// The names in a line, each with the text since the one before.
fn spans(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let (before, behind) = rest.split_once('`')?;
        let (name, behind) = behind.split_once('`')?;
        rest = behind;
        Some((before, name))
    })
}

/// Links to files that are not there.
fn check_links<'a>(file: &'a File, tree: &'a Tree) -> impl Iterator<Item = Violation> + 'a {
    let directory = file.path.rsplit_once('/').map_or("", |(directory, _)| directory);
    prose(file).flat_map(move |(line, text)| {
        text.split("](").skip(1).filter_map(move |link| {
            let target = link.split_once(')')?.0.split('#').next().unwrap_or_default();
            let is_elsewhere = target.contains(':') || target.is_empty();
            let path = resolve(directory, target);
            let is_there = tree.files().any(|file| {
                file.path == path || file.path.strip_prefix(&path).is_some_and(|rest| rest.starts_with('/'))
            });
            (!is_elsewhere && !is_there).then(|| {
                Violation::new(&file.path, format!("a link to {target}, which is not there")).with_line(line)
            })
        })
    })
}

fn resolve(directory: &str, target: &str) -> String {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.trim_end_matches('/').split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("README.md", text),
            ("crates/wa-a/Cargo.toml", ""),
            ("crates/wa-a/src/door/hinge.rs", "pub struct Hinge;\nimpl Hinge { fn turn() {} }\n// Ghost\n"),
            ("crates/wa-b/Cargo.toml", ""),
            ("crates/wa-b/src/lib.rs", "#[test]\nfn it_holds() {}\nconst MOST: u8 = 1;\n"),
            ("crates/wa-conformance/src/checks/a.rs", "check!(\"a-check\", 1, \"1\", \"x\", x),\n"),
            ("crates/wa-profile/src/profile.rs", "pub struct Profile {\n    pub chat: Chat,\n}\n"),
            ("crates/wa-profile/src/chat.rs", "pub struct Chat {\n    pub host: String,\n}\n"),
            ("xtask/src/main.rs", "\"tidy\" => tidy(),\n\"fuzz\" => fuzz(),\n"),
            ("fuzz/fuzz_targets/node.rs", ""),
        ]);
        check_document(tree.files().next().unwrap(), &Known::of(&tree)).map(|it| it.to_string()).collect()
    }

    #[test]
    fn what_is_there_passes() {
        for text in [
            "`crates/wa-a`, `door/hinge.rs`, `hinge.rs`, `door/`, `wa-a` `src/door/hinge.rs`",
            "`Hinge`, `Hinge::turn`, `it_holds`, `MOST`, `wa-b` `it_holds`",
            "check `a-check`; `chat.host`; `cargo xtask tidy`; `cargo xtask fuzz node 60`",
            "`POST /push`, `<iq/>`, `57 41 06 03`, `a word`, `{x}`, `https://a.b/c.rs`, `xmlns`, `w:p`",
            "```\n`Nobody`\n```\n",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn what_is_gone_is_named_with_its_line() {
        for (name, why) in [
            ("hinges.rs", "there is no such path"),
            ("crates/wa-c/src", "there is no such path"),
            ("Ghost", "no code has this name"),
            ("Hinge::open", "no code has this name"),
            ("it_holds_no_more", "no code has this name"),
            ("chat.port", "the profile has no such field"),
            ("cargo xtask tide", "there is no such command"),
            ("cargo xtask fuzz nod", "there is no such command"),
            ("wa-c", "there is no such crate or program"),
        ] {
            assert_eq!(found(&format!("fine\nx `{name}`\n")), [format!("README.md:2: `{name}`: {why}")]);
        }
        assert_eq!(found("`wa-b` `hinge.rs`"), ["README.md:1: `hinge.rs`: there is no such path in wa-b"]);
        assert_eq!(found("the check `b-check`"), ["README.md:1: `b-check`: there is no such check"]);
        assert_eq!(found("checks `a-check`, `b`"), ["README.md:1: `b`: there is no such check"]);
    }

    #[test]
    fn links_lead_somewhere() {
        let tree = Tree::of(&[
            ("docs/A.md", "[a](B.md#x) [b](../README.md) [c](../crates/a) [d](https://x.y/) [e](C.md)"),
            ("docs/B.md", ""),
            ("README.md", ""),
            ("crates/a/Cargo.toml", ""),
        ]);
        let found: Vec<String> =
            check_links(tree.files().next().unwrap(), &tree).map(|it| it.to_string()).collect();
        assert_eq!(found, ["docs/A.md:1: a link to C.md, which is not there"]);
    }
}
