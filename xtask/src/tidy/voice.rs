//! Rule: one voice. Derives and imports have one form, and docs say something in plain English.

use crate::tidy::tree::{File, Tree};
use crate::tidy::violation::Violation;

/// Looks at every source of ours.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    tree.rust().filter(|file| !file.is_generated()).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Violation> {
    let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| lines.get(before)).copied().unwrap_or_default();
        let after = lines.get(at + 1).copied().unwrap_or_default();
        let rules = [unordered(line), nested(line), wordless(before, line, after), phrase(line)];
        let broken = rules.into_iter().flatten();
        found.extend(broken.map(|message| Violation::new(&file.path, message).with_line(at + 1)));
    }
    found
}

/// Derives of the standard library come first, in this order.
const DERIVES: [&str; 9] =
    ["Clone", "Copy", "Debug", "Default", "PartialEq", "Eq", "PartialOrd", "Ord", "Hash"];

fn unordered(line: &str) -> Option<String> {
    let derives = line.strip_prefix("#[derive(")?.strip_suffix(")]")?;
    let rank = |name: &str| DERIVES.iter().position(|known| *known == name).unwrap_or(DERIVES.len());
    let ranks: Vec<usize> = derives.split(',').map(|name| rank(name.trim())).collect();
    (!ranks.is_sorted()).then(|| format!("derives come in the order {}, then others", DERIVES.join(", ")))
}

fn nested(line: &str) -> Option<String> {
    let path = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("use ")?;
    let (_, names) =
        path.strip_prefix("std::{").or_else(|| path.strip_prefix("crate::{")).map(|names| ((), names))?;
    let is_nested = path.starts_with("std::") || names.contains("::");
    is_nested.then(|| "one `use` a module: names in braces, and no path inside them".to_owned())
}

/// A doc comment of one line that says no more than the name below it.
fn wordless(before: &str, line: &str, after: &str) -> Option<String> {
    let doc = line.strip_prefix("/// ")?;
    let is_alone = !before.starts_with("///") && !after.starts_with("///");
    let is_reference = doc.starts_with("As ") || doc.starts_with('`');
    let is_short = doc.split_whitespace().count() <= 2;
    (is_alone && is_short && !is_reference).then(|| format!("`{doc}` says nothing that the name does not"))
}

fn phrase(line: &str) -> Option<String> {
    let text = line.strip_prefix("//")?.to_lowercase();
    let found = PHRASES.iter().find(|(phrase, _)| text.contains(phrase))?;
    Some(format!("\"{}\": {}", found.0, found.1))
}

/// What nobody says aloud, in pieces, so that this source does not trip over it.
const PHRASES: [(&str, &str); 4] = [
    (concat!("who", "ever"), "name who it is"),
    (concat!("for ", "ever "), "say \"never returns\", \"without end\" or \"always\""),
    (concat!("none of ", "ours"), "say what it is"),
    (concat!("of them ", "none"), "say \"none of them\""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        check(&Tree::of(&[("crates/a/src/b.rs", text)])).len()
    }

    #[test]
    fn derives_have_one_order() {
        let derive = |names: &str| found(&format!("#[derive({names})]\n"));
        assert_eq!(derive("Clone, Copy, Debug, PartialEq, Serialize"), 0);
        assert_eq!(derive("Debug, Clone"), 1);
        assert_eq!(derive("Serialize, Clone"), 1);
    }

    #[test]
    fn a_use_names_one_module() {
        assert_eq!(found("use std::fmt;\nuse std::sync::{Arc, Mutex};\nuse crate::{a, b};\n"), 0);
        assert_eq!(found("use std::{fmt, io};\n"), 1);
        assert_eq!(found("pub use crate::{a::A, b::B};\n"), 1);
    }

    #[test]
    fn a_doc_comment_says_something() {
        assert_eq!(found("/// The bytes of the key.\nx\n"), 0);
        assert_eq!(found("/// Its key.\nx\n"), 1);
        assert_eq!(found("/// Its key.\n///\n/// More of it.\nx\n"), 0);
        assert_eq!(found("/// `#[inline]` too.\nx\n"), 0);
    }

    #[test]
    fn phrases_are_plain() {
        let told = ["// ", "who", "ever asks\n"].concat();
        assert_eq!(found(&told), 1);
        assert_eq!(found("let text = \"x\"; // anybody\n"), 0);
    }
}
