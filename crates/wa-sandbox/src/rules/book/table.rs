//! The rule book as tables in Markdown.

use crate::rules::book::{Clause, Place, clauses};
use crate::rules::describe::element;
use crate::rules::{Class, Kind, Rule};

/// The tables of `docs/SANDBOX.md`: what is demanded at each door, then each stanza with its attributes.
#[must_use]
pub fn table() -> String {
    let mut text = String::new();
    for (place, title) in PLACES {
        text.push_str(&format!(
            "### {title}\n\n| rule | demands | source | a breach gets |\n|---|---|---|---|\n"
        ));
        for clause in clauses().filter(|clause| clause.place == place) {
            text.push_str(&row(clause));
        }
        text.push('\n');
    }
    text.push_str("### Attributes and contents of stanzas\n\n");
    text.push_str("| rule | what it is | attributes | inside | taken with a note |\n|---|---|---|---|---|\n");
    for (clause, grammar) in clauses().filter_map(|clause| Some((clause, clause.grammar?))) {
        text.push_str(&stanza(clause, grammar));
    }
    text
}

const PLACES: [(Place, &str); 6] = [
    (Place::Enlistment, "Enlistment"),
    (Place::Token, "Tokens"),
    (Place::Handshake, "Handshake"),
    (Place::Login, "Login"),
    (Place::Frame, "Frames"),
    (Place::Stanza, "Stanzas"),
];

fn row(clause: &Clause) -> String {
    let noted = if clause.class == Class::Note { " *(noted)*" } else { "" };
    let Clause { id, says, source, answer, .. } = clause;
    format!("| {id}{noted} | {} | {} | {} |\n", cell(says), cell(source), cell(answer))
}

fn stanza(clause: &Clause, rule: &Rule) -> String {
    let attributes = rule.required.iter().map(|it| (it, "")).chain(rule.optional.iter().map(|it| (it, "[]")));
    let attributes = attributes.map(|((name, kind), mark)| match mark {
        "" => format!("{name}: {kind}"),
        _ => format!("[{name}]: {kind}"),
    });
    let noted = rule.noted.iter().map(|(name, kind)| match kind {
        Kind::OneOf(words) => format!("{name}=\"{}\"", words.join("\", \"")),
        _ => (*name).to_owned(),
    });
    let beside = rule.beside.iter().map(|tag| element(tag, &crate::rules::EMPTY));
    let joined = |items: Vec<String>| if items.is_empty() { "–".to_owned() } else { items.join("; ") };
    let whole = if clause.class == Class::Note { Some("the stanza itself".to_owned()) } else { None };
    format!(
        "| {} | {} | {} | {} | {} |\n",
        clause.id,
        cell(clause.says),
        cell(&joined(attributes.collect())),
        cell(&rule.content.to_string()),
        cell(&joined(whole.into_iter().chain(noted).chain(beside).collect())),
    )
}

/// Angle brackets and bars would be read as Markdown's own.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('>', "&gt;")
}
