//! Rule: the code map of `wa-chat` in ARCHITECTURE names every file of it once, in at most fifty lines.

use crate::tidy::documents::spans;
use crate::tidy::tree::Tree;
use crate::tidy::violation::Violation;

const DOCUMENT: &str = "docs/ARCHITECTURE.md";
const HEADING: &str = "### Inside `wa-chat`";
const SOURCES: &str = "crates/wa-chat/src/";
const MOST: usize = 50;

/// Compares the section with the sources; tests beside them need no mention.
pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let Some(file) = tree.files().find(|file| file.path == DOCUMENT) else { return Vec::new() };
    let Some((before, section)) = file.text.split_once(HEADING) else {
        return vec![Violation::new(DOCUMENT, format!("has no section `{HEADING}`"))];
    };
    let section = section.split("\n#").next().unwrap_or_default();
    let start = before.lines().count() + 1;
    let lines = section.trim_end().lines().count();
    let mut found = Vec::new();
    if lines > MOST {
        found
            .push(Violation::new(DOCUMENT, format!("{lines} lines are no map; {MOST} are")).with_line(start));
    }
    let mut named: Vec<&str> = section.lines().flat_map(spans).map(|(_, name)| name).collect();
    named.retain(|name| name.ends_with(".rs"));
    for path in tree.files().filter_map(|file| file.path.strip_prefix(SOURCES)) {
        let is_test = path == "tests.rs" || path.ends_with("/tests.rs");
        let times = named.iter().filter(|name| **name == path).count();
        if times != 1 && !(is_test && times == 0) {
            let message = format!("{HEADING} names {path} {times} times, not once");
            found.push(Violation::new(DOCUMENT, message).with_line(start));
        }
        named.retain(|name| *name != path);
    }
    let strangers = named.iter().map(|name| format!("{HEADING} names {name}, which is not there"));
    found.extend(strangers.map(|message| Violation::new(DOCUMENT, message).with_line(start)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(section: &str) -> Vec<String> {
        let text = format!("# A\n{HEADING}\n{section}\n## B\n`c.rs`\n");
        let tree = Tree::of(&[
            (DOCUMENT, &text),
            ("crates/wa-chat/src/a.rs", ""),
            ("crates/wa-chat/src/a/b.rs", ""),
            ("crates/wa-chat/src/a/tests.rs", ""),
        ]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_file_is_named_once() {
        assert_eq!(found("`a.rs` holds `a/b.rs` and `A`"), [""; 0]);
        let once = |what: &str| format!("docs/ARCHITECTURE.md:2: {HEADING} names {what}");
        assert_eq!(found("`a.rs`"), [once("a/b.rs 0 times, not once")]);
        assert_eq!(found("`a.rs` `a.rs` `a/b.rs`"), [once("a.rs 2 times, not once")]);
        assert_eq!(found("`a.rs` `a/b.rs` `d.rs`"), [once("d.rs, which is not there")]);
        assert_eq!(found(&format!("`a.rs` `a/b.rs`{}", "\nx".repeat(50))).len(), 1);
    }

    #[test]
    fn without_the_section_that_is_said() {
        let tree = Tree::of(&[(DOCUMENT, "# A\n")]);
        assert_eq!(check(&tree).len(), 1);
    }
}
