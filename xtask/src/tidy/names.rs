//! Rule: what an application of the client names has one name, and each name means one thing (docs/ARCHITECTURE.md,
//! "Words").

use std::collections::BTreeMap;

use crate::tidy::tree::Tree;
use crate::tidy::violation::Violation;

/// Public names that two crates of the client's side define.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut homes: BTreeMap<&str, &str> = BTreeMap::new();
    let mut violations = Vec::new();
    for name in CRATES {
        let path = format!("crates/{name}/src/lib.rs");
        let Some(file) = tree.files().find(|file| file.path == path) else { continue };
        for public in exports(&file.text).filter(|public| !SHARED.contains(public)) {
            if let Some(other) = homes.insert(public, name) {
                let message = format!("`{public}` is a name of {other} too; each needs its own");
                violations.push(Violation::new(&path, message));
            }
        }
    }
    violations
}

/// The types that a front page exports and that are its own; what comes from another crate has its home there.
fn exports(text: &str) -> impl Iterator<Item = &str> {
    let statements = text.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let own = statements.filter(|path| {
        ["crate::", "self::"].iter().any(|from| path.starts_with(from))
            || path.split("::").next().is_some_and(|module| {
                text.contains(&format!("\nmod {module};")) || text.contains(&format!("\npub mod {module};"))
            })
    });
    own.flat_map(|path| path.split(['{', '}', ',', ':']))
        .map(str::trim)
        .map(|item| item.rsplit(" as ").next().unwrap_or(item))
        .filter(|item| item.starts_with(|first: char| first.is_ascii_uppercase()))
}

/// The crates that one application names side by side. The servers, the local WhatsApp and the checks are other programs.
const CRATES: [&str; 13] = [
    "wa-binary",
    "wa-chat",
    "wa-client",
    "wa-enlist",
    "wa-http",
    "wa-interop",
    "wa-keys",
    "wa-media",
    "wa-noise",
    "wa-profile",
    "wa-signal",
    "wa-stanza",
    "wa-store",
];

/// One thing under one name in two crates: the client as a value, and the task around it.
const SHARED: [&str; 1] = ["Client"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_two_homes_is_found_and_one_that_is_passed_on_is_not() {
        let binary =
            ("crates/wa-binary/src/lib.rs", "//!\nmod node;\npub use node::{\n    Content,\n    Node,\n};\n");
        let chat = (
            "crates/wa-chat/src/lib.rs",
            "pub use crate::content::Content;\npub use crate::client::Client;\npub use wa_binary::Node;",
        );
        let client = ("crates/wa-client/src/lib.rs", "pub use crate::client::Client;");
        let tree = Tree::of(&[binary, chat, client]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            ["crates/wa-chat/src/lib.rs: `Content` is a name of wa-binary too; each needs its own"]
        );
    }
}
