//! The catalogue as people read it: Markdown for the documentation, plain text for a terminal.

use std::fmt::Write;

use crate::checks::Check;
use crate::checks::catalogue::{Catalogue, Form, Requirement};
use crate::report::failure::Failure;

/// The milestones of the documents (overview §1; the sixth RO 1.0.3).
const MILESTONES: [&str; 6] =
    ["Identities", "The channel", "Messages", "Media and blocking", "Deletion", "Reachability"];

impl Catalogue {
    /// One table a milestone, in Markdown, and what has no check.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!("{}.\n", self.totals());
        for (number, name) in (1..).zip(MILESTONES) {
            // Writing to a text does not fail.
            let _ = write!(
                text,
                "\n### Milestone {number}: {name}\n\n\
                 | id | source | label | who | requirement | accepted form | refused form |\n\
                 |---|---|---|---|---|---|---|\n"
            );
            for it in self.requirements.iter().filter(|it| it.milestone == number) {
                let (accepted, refused) =
                    (in_markdown(it.accepted.as_ref()), in_markdown(it.refused.as_ref()));
                let Requirement { id, section, label, words, .. } = it;
                let words = escaped(words);
                let _ = writeln!(
                    text,
                    "| {id} | {section} | {label} | {} | {words} | {accepted} | {refused} |",
                    parties(it)
                );
            }
        }
        text
    }

    /// Every requirement in a few lines, for a terminal, and how many there are.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for it in &self.requirements {
            let Requirement { id, section, milestone, label, words, .. } = it;
            let _ =
                writeln!(text, "{id}  M{milestone} · {label} · {section} · {}\n     {words}", parties(it));
            for (form, proof) in [("accepted", &it.accepted), ("refused", &it.refused)] {
                let _ = writeln!(text, "     {form}: {}", in_text(proof.as_ref()));
            }
        }
        let _ = writeln!(text, "\n{}", self.totals());
        text
    }

    /// Everything about a check or a requirement.
    ///
    /// # Errors
    /// There is nothing of that name.
    pub fn explain(&self, name: &str, checks: &[Check]) -> Result<String, Failure> {
        let mut text = String::new();
        if let Some(check) = checks.iter().find(|check| check.id == name) {
            let Check { id, milestone, title, drives, .. } = check;
            let _ = writeln!(text, "{id}: {title}\n  milestone {milestone}; {drives}\n");
            for it in self.of_check(name) {
                let _ = writeln!(text, "  {} ({}, {}): {}", it.id, it.section, it.label, it.words);
            }
            let _ = writeln!(text, "\n  cargo xtask conformance --filter {id}");
            return Ok(text);
        }
        let Some(it) = self.requirements.iter().find(|it| it.id.eq_ignore_ascii_case(name)) else {
            return Err(Failure(format!("there is no check and no requirement {name}; --list shows them")));
        };
        let _ = writeln!(
            text,
            "{}: {}\n  {}, {}, milestone {}, kept by: {}",
            it.id,
            it.words,
            it.section,
            it.label,
            it.milestone,
            parties(it)
        );
        for (form, proof) in [("accepted", &it.accepted), ("refused", &it.refused)] {
            let _ = writeln!(text, "\n  {form} form:");
            match proof {
                Some(Form::Checks(names)) => {
                    for check in checks.iter().filter(|check| names.iter().any(|name| name == check.id)) {
                        let _ = writeln!(text, "    {}: {}", check.id, check.title);
                    }
                }
                other => {
                    let _ = writeln!(text, "    {}", in_text(other.as_ref()));
                }
            }
        }
        Ok(text)
    }

    /// How many requirements there are, and what of them is not covered.
    #[must_use]
    pub fn totals(&self) -> String {
        let gaps: Vec<&str> = self.gaps().map(|it| it.id.as_str()).collect();
        let listed = if gaps.is_empty() { String::new() } else { format!(" ({})", gaps.join(", ")) };
        format!(
            "{} requirements; {} of them uncovered{listed}; {} cannot be tested, each with its reason",
            self.requirements.len(),
            gaps.len(),
            self.untestable().count()
        )
    }
}

fn parties(requirement: &Requirement) -> String {
    requirement.parties.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn in_text(proof: Option<&Form>) -> String {
    match proof {
        Some(Form::Checks(names)) => names.join(", "),
        Some(Form::Moot(why)) => format!("no check: {why}"),
        None => "UNCOVERED".to_owned(),
    }
}

fn in_markdown(proof: Option<&Form>) -> String {
    match proof {
        Some(Form::Checks(names)) => {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        }
        Some(Form::Moot(why)) => format!("– {}", escaped(why)),
        None => "**uncovered**".to_owned(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('<', "&lt;").replace('>', "&gt;").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/CONFORMANCE.md");

    #[test]
    fn the_document_has_this_very_catalogue() {
        let document = std::fs::read_to_string(DOCUMENT).unwrap();
        let (_, rest) = document.split_once("<!-- catalogue: written by cargo xtask codegen -->").unwrap();
        let (table, _) = rest.split_once("<!-- end of catalogue -->").unwrap();
        let fresh = Catalogue::open().unwrap().to_markdown();
        assert!(table.trim() == fresh.trim(), "run: cargo xtask codegen");
    }

    #[test]
    fn checks_and_requirements_are_explained() {
        let (catalogue, checks) = (Catalogue::open().unwrap(), crate::checks::all());
        let check = catalogue.explain("push-refused", &checks).unwrap();
        assert!(check.contains("milestone 3") && check.contains("O72"), "{check}");
        let requirement = catalogue.explain("o72", &checks).unwrap();
        assert!(requirement.contains("push-http1:") && requirement.contains("refused form"), "{requirement}");
        assert!(catalogue.explain("nothing", &checks).is_err());
    }
}
