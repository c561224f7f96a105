//! Rule: a file is named after a noun of the protocol, says what it is, and is of readable length.

use crate::tidy::packages::README;
use crate::tidy::tree::{File, Tree};
use crate::tidy::violation::Violation;

/// Names, first lines and lengths.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    tree.rust().filter(|file| is_ours(file)).flat_map(check_file).collect()
}

/// Files that are longer than they should be, though not yet too long.
pub(crate) fn warnings(tree: &Tree) -> Vec<Violation> {
    let long = tree.rust().filter(|file| has_length(file) && (LONG + 1..=TOO_LONG).contains(&length(file)));
    long.map(|file| Violation::new(&file.path, format!("{} lines; {LONG} are enough", length(file))))
        .collect()
}

fn check_file(file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    if !file.text.starts_with("//!") && !file.text.starts_with(README) {
        found.push(Violation::new(&file.path, "begins with no `//!` line that says what it is").with_line(1));
    }
    if has_length(file) && length(file) > TOO_LONG {
        let message = format!("{} lines; more than {TOO_LONG} are two files", length(file));
        found.push(Violation::new(&file.path, message));
    }
    let name = file.path.rsplit('/').next().unwrap_or_default();
    if name == "mod.rs" {
        found.push(Violation::new(&file.path, "a module `x` is x.rs beside the directory x"));
    }
    if SAY_NOTHING.contains(&name) {
        found.push(Violation::new(&file.path, "a name that says nothing: name the noun"));
    }
    found
}

fn is_ours(file: &File) -> bool {
    let ours = file.path.starts_with("crates/") || file.path.starts_with("xtask/");
    ours && !file.is_generated()
}

/// Sources; a table of test cases is as long as it is.
fn has_length(file: &File) -> bool {
    is_ours(file) && (file.is_crate_source() || file.path.starts_with("xtask/"))
}

fn length(file: &File) -> usize {
    file.text.lines().count()
}

const LONG: usize = 400;
const TOO_LONG: usize = 500;
const SAY_NOTHING: [&str; 6] = ["utils.rs", "util.rs", "helpers.rs", "common.rs", "types.rs", "prelude.rs"];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    fn lines(count: usize) -> String {
        "//! x\n".repeat(count)
    }

    #[test]
    fn the_first_line_says_what_the_file_is() {
        let expected = ["crates/a/tests/b.rs:1: begins with no `//!` line that says what it is"];
        assert_eq!(found("crates/a/tests/b.rs", "use x;\n"), expected);
        assert_eq!(found("crates/a/tests/b.rs", "//! Doc.\nuse x;\n"), [""; 0]);
        assert_eq!(found("crates/a/src/lib.rs", &format!("{README}\nuse x;\n")), [""; 0]);
        assert_eq!(found("crates/a/src/gen/b.rs", "use x;\n"), [""; 0]);
        assert_eq!(found("fuzz/fuzz_targets/b.rs", "#![no_main]\n"), [""; 0]);
    }

    #[test]
    fn length_is_warned_about_and_then_refused() {
        let path = "crates/a/src/b.rs";
        let warned = |count| warnings(&Tree::of(&[(path, &lines(count))])).len();
        assert_eq!((warned(400), warned(401), warned(500), warned(501)), (0, 1, 1, 0));
        assert_eq!(found(path, &lines(500)), [""; 0]);
        assert_eq!(found(path, &lines(501)), ["crates/a/src/b.rs: 501 lines; more than 500 are two files"]);
        assert_eq!(found("crates/a/src/gen/b.rs", &lines(501)), [""; 0]);
        assert_eq!(found("crates/a/tests/b.rs", &lines(501)), [""; 0]);
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        assert_eq!(
            found("crates/a/src/b/mod.rs", "//! x\n"),
            ["crates/a/src/b/mod.rs: a module `x` is x.rs beside the directory x"]
        );
        for name in SAY_NOTHING {
            let path = format!("crates/a/src/{name}");
            assert_eq!(found(&path, "//! x\n"), [format!("{path}: a name that says nothing: name the noun")]);
        }
        assert_eq!(found("crates/a/src/jid.rs", "//! x\n"), [""; 0]);
    }
}
