//! `cargo xtask tidy`: the taste that the compiler cannot check.
//!
//! Each rule is a pure function over the [`Tree`] (or over what cargo says) that returns its [`Violation`]s. Rules
//! name the words they look for in pieces, so that this source does not trip them.

mod crypto;
mod documents;
mod files;
mod layers;
mod manifest;
mod modules;
mod names;
mod packages;
mod sockets;
mod tree;
mod violation;
mod voice;
mod words;

use crate::failure::{Failure, no_more};
use crate::program::{Program, root};
use crate::report;
use crate::tidy::tree::Tree;
use crate::tidy::violation::Violation;

pub(crate) use crate::tidy::layers::LEAVES;

/// Checks every rule and lists every violation.
pub(crate) fn tidy(args: &[String]) -> Result<(), Failure> {
    no_more("tidy", args)?;
    let tree = Tree::load(&root())?;
    let mut violations = static_rules(&tree);
    violations.extend(crypto::one_generation(&dependency_tree(&layers::protocol_crates(&tree))?));
    for name in layers::protocol_crates(&tree) {
        violations.extend(layers::edges_below(&name, &dependency_tree(&[name.as_str()])?));
    }
    violations.extend(layers::heavy(&Program::cargo().with_args(layers::LIGHT_CLIENT).output()?));
    for warning in files::warnings(&tree) {
        report::note(&format!("warning: {warning}"));
    }
    for violation in &violations {
        report::line(&violation.to_string());
    }
    match violations.len() {
        0 => Ok(()),
        1 => Err(Failure::new("tidy found 1 violation")),
        count => Err(Failure::new(format!("tidy found {count} violations"))),
    }
}

/// The rules that need nothing but the files.
fn static_rules(tree: &Tree) -> Vec<Violation> {
    let rules: [fn(&Tree) -> Vec<Violation>; 10] = [
        sockets::check,
        layers::check,
        words::check,
        files::check,
        manifest::check,
        documents::check,
        modules::check,
        names::check,
        packages::check,
        voice::check,
    ];
    rules.iter().flat_map(|rule| rule(tree)).collect()
}

/// What the named crates depend on, not counting tests and build scripts: one `name vVERSION` a line.
fn dependency_tree<S: AsRef<str>>(crates: &[S]) -> Result<String, Failure> {
    let packages = crates.iter().flat_map(|name| ["-p", name.as_ref()]);
    Program::cargo().with_args(["tree", "--edges", "normal", "--prefix", "none"]).with_args(packages).output()
}
