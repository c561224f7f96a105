//! The requirements of the documents: what a third party and WhatsApp owe each other, in our own words.
//!
//! They stand in `data/catalogue.toml`. Each names the checks of the form that must pass and of the one that must not, or
//! says why there is none. What has neither is a gap.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::checks::Check;
use crate::report::failure::Failure;

mod page;

const DATA: &str = include_str!("../../data/catalogue.toml");

/// Every requirement, in the order of the documents.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// The requirements, in the order of the documents.
    #[serde(rename = "requirement")]
    pub requirements: Vec<Requirement>,
}

/// One requirement of a document.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Its name, stable between versions: O and a number for the overview, R for the reference offer and the rest.
    pub id: String,
    /// The document and its section, or what it rests on.
    pub section: String,
    /// The milestone to which it belongs, 1 to 6.
    pub milestone: u8,
    /// Who has to keep it.
    pub parties: Vec<Party>,
    /// How well it is known.
    pub label: Label,
    /// The requirement in our own words.
    pub words: String,
    /// How it is seen that the right form is accepted.
    #[serde(default)]
    pub accepted: Option<Form>,
    /// How it is seen that a wrong form is refused.
    #[serde(default)]
    pub refused: Option<Form>,
}

/// Who has to keep a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// The third party's server.
    Server,
    /// The third party's client.
    Client,
    /// A third party's proxy between its clients and WhatsApp.
    Proxy,
    /// WhatsApp itself, which the local one stands for.
    WhatsApp,
}

/// How well a requirement is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// The published overview says it.
    Overview,
    /// The reference offer says it.
    Ro,
    /// Public clients of WhatsApp do it.
    Observed,
    /// Nothing public says it; this project chose it.
    Assumed,
}

/// How one form of a requirement is seen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Form {
    /// By these checks.
    Checks(Vec<String>),
    /// Not at all, for this reason.
    Moot(String),
}

impl Catalogue {
    /// Reads the catalogue that is built in.
    ///
    /// # Errors
    /// `data/catalogue.toml` is not what it should be; a test keeps that from happening.
    pub fn open() -> Result<Self, Failure> {
        toml::from_str(DATA).map_err(|error| Failure(format!("data/catalogue.toml: {error}")))
    }

    /// The requirements that a check is about.
    pub fn of_check<'a>(&'a self, check: &'a str) -> impl Iterator<Item = &'a Requirement> {
        self.requirements.iter().filter(move |it| it.checks().any(|name| name == check))
    }

    /// Requirements of which one form has neither a check nor a reason.
    pub fn gaps(&self) -> impl Iterator<Item = &Requirement> {
        self.requirements.iter().filter(|it| it.is_gap())
    }

    /// Requirements of which no form can be tested.
    pub fn untestable(&self) -> impl Iterator<Item = &Requirement> {
        let is_moot = |proof: &Option<Form>| matches!(proof, Some(Form::Moot(_)));
        self.requirements.iter().filter(move |it| is_moot(&it.accepted) && is_moot(&it.refused))
    }

    /// What is wrong with the links between requirements and checks: names of checks that are not there, checks that no
    /// requirement names, names that stand twice.
    #[must_use]
    pub fn faults(&self, checks: &[Check]) -> Vec<String> {
        let known: BTreeSet<&str> = checks.iter().map(|check| check.id).collect();
        let mut ids = BTreeSet::new();
        let twice = self.requirements.iter().filter(|it| !ids.insert(it.id.as_str()));
        let mut faults: Vec<String> = twice.map(|it| format!("{} stands twice", it.id)).collect();
        for requirement in &self.requirements {
            let unknown = requirement.checks().filter(|name| !known.contains(name));
            faults.extend(unknown.map(|name| format!("{}: there is no check {name}", requirement.id)));
        }
        let named: BTreeSet<&str> = self.requirements.iter().flat_map(Requirement::checks).collect();
        faults.extend(known.difference(&named).map(|name| format!("no requirement names the check {name}")));
        faults
    }
}

impl Requirement {
    /// The names of its checks, those of the accepted form first.
    pub fn checks(&self) -> impl Iterator<Item = &str> {
        [&self.accepted, &self.refused].into_iter().flatten().flat_map(Form::checks)
    }

    /// Whether one of its forms has neither a check nor a reason.
    #[must_use]
    pub fn is_gap(&self) -> bool {
        self.accepted.is_none() || self.refused.is_none()
    }
}

impl Form {
    fn checks(&self) -> impl Iterator<Item = &str> {
        let names = match self {
            Self::Checks(names) => names.as_slice(),
            Self::Moot(_) => &[],
        };
        names.iter().map(String::as_str)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overview => "overview",
            Self::Ro => "RO",
            Self::Observed => "observed",
            Self::Assumed => "assumed",
        })
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Proxy => "proxy",
            Self::WhatsApp => "WhatsApp",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_and_the_checks_know_each_other() {
        let catalogue = Catalogue::open().unwrap();
        assert_eq!(catalogue.faults(&crate::checks::all()), Vec::<String>::new());
        assert_eq!(catalogue.requirements.len(), 134);
    }

    #[test]
    fn what_is_wrong_with_links_is_told() {
        let text = r#"
            [[requirement]]
            id = "A"
            section = "1"
            milestone = 1
            parties = ["server"]
            label = "ro"
            words = "w"
            accepted = ["nothing-such"]
            [[requirement]]
            id = "A"
            section = "1"
            milestone = 1
            parties = ["whatsapp"]
            label = "assumed"
            words = "w"
            accepted = "why"
            refused = "why"
        "#;
        let catalogue: Catalogue = toml::from_str(text).unwrap();
        let checks: Vec<_> = crate::checks::all().into_iter().take(1).collect();
        let unnamed = format!("no requirement names the check {}", checks[0].id);
        assert_eq!(
            catalogue.faults(&checks),
            ["A stands twice", "A: there is no check nothing-such", &unnamed]
        );
        assert_eq!(catalogue.gaps().count(), 1);
        assert_eq!(catalogue.untestable().count(), 1);
    }
}
