//! Rule: a fact of PROTOCOL.md that is marked "–" is not built, and says no more.

use crate::tidy::documents::known::Known;
use crate::tidy::documents::{prose, spans};
use crate::tidy::tree::Tree;
use crate::tidy::violation::Violation;

const DOCUMENT: &str = "docs/PROTOCOL.md";
const NOT_BUILT: &str = "–";

/// Rows whose last cell has the mark: it stands alone, and no code has the names of the fact.
pub(super) fn check(tree: &Tree, known: &Known<'_>) -> Vec<Violation> {
    let Some(file) = tree.files().find(|file| file.path == DOCUMENT) else { return Vec::new() };
    let mut found = Vec::new();
    for (line, text) in prose(file) {
        let cells: Vec<&str> = text.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [fact, .., here] = cells.as_slice() else { continue };
        if !here.contains(NOT_BUILT) {
            continue;
        }
        let mut violation = |message: String| found.push(Violation::new(DOCUMENT, message).with_line(line));
        if *here != NOT_BUILT {
            violation(format!("is marked {NOT_BUILT}, not built, and says where it is"));
        }
        for (_, name) in spans(fact) {
            let name = name.trim_matches(['<', '>', '/']);
            if known.is_in_code(name) {
                violation(format!("is marked {NOT_BUILT}, not built, and there is code with `{name}`"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_built_has_no_code_and_no_place() {
        let text = "| a `<gone>` | RO | – |\n| b `<there/>` | RO | – |\n| c | RO | – (`x.rs`) |\n| d | RO | `x.rs` |\n";
        let tree = Tree::of(&[(DOCUMENT, text), ("crates/a/src/x.rs", "// gone\nlet tag = \"there\";\n")]);
        let found: Vec<String> = check(&tree, &Known::of(&tree)).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "docs/PROTOCOL.md:2: is marked –, not built, and there is code with `there`",
                "docs/PROTOCOL.md:3: is marked –, not built, and says where it is"
            ]
        );
    }
}
