//! Failures that are accepted, each with the reason: a file in TOML.
//!
//! ```toml
//! [accepted]
//! "typing" = "the client shows no typing"
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::checks::Check;
use crate::report::failure::Failure;
use crate::report::{Report, Verdict};

/// The accepted failures: names of checks and reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excuses {
    accepted: BTreeMap<String, String>,
}

impl Excuses {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, is not of the form above, names a check that there is not, or gives an empty reason.
    pub fn open(path: &Path, checks: &[Check]) -> Result<Self, Failure> {
        let named = |why: String| Failure(format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
        Self::parse(&text, checks).map_err(|Failure(why)| named(why))
    }

    fn parse(text: &str, checks: &[Check]) -> Result<Self, Failure> {
        let excuses: Self = toml::from_str(text)?;
        for (id, reason) in &excuses.accepted {
            if !checks.iter().any(|check| check.id == id) {
                return Err(Failure(format!("there is no check {id}; --list shows them")));
            }
            if reason.trim().is_empty() {
                return Err(Failure(format!("{id} has no reason")));
            }
        }
        Ok(excuses)
    }

    /// What becomes of a failure.
    pub(crate) fn judge(&self, id: &str, failure: String) -> Verdict {
        match self.accepted.get(id) {
            Some(reason) => Verdict::Accepted { failure, reason: reason.clone() },
            None => Verdict::Fail { failure },
        }
    }

    /// Checks whose failure is accepted and that passed wherever they ran: the file is older than what it judges.
    #[must_use]
    pub fn needless(&self, report: &Report) -> Vec<String> {
        let passed = |id: &String| {
            let mut of = report.results.iter().filter(|it| it.id == id).peekable();
            of.peek().is_some() && of.all(|it| it.verdict == Verdict::Pass)
        };
        self.accepted.keys().filter(|id| passed(id)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excuse_needs_a_check_and_a_reason() {
        let checks = crate::checks::all();
        let id = checks[0].id;
        let excuses = Excuses::parse(&format!("[accepted]\n{id} = \"why\""), &checks).unwrap();
        let accepted = Verdict::Accepted { failure: "f".to_owned(), reason: "why".to_owned() };
        assert_eq!(excuses.judge(id, "f".to_owned()), accepted);
        assert_eq!(excuses.judge("other", "f".to_owned()), Verdict::Fail { failure: "f".to_owned() });
        let refused = |text: &str| Excuses::parse(text, &checks).unwrap_err().0;
        assert_eq!(refused(&format!("[accepted]\n{id} = \" \"")), format!("{id} has no reason"));
        assert_eq!(refused("[accepted]\nx = \"y\""), "there is no check x; --list shows them");
        assert!(refused("[excused]\nx = \"y\"").contains("unknown field"));
    }
}
