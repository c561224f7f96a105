//! How a run went: one result for each check under each set of rules, and what can be mailed of it.

use std::time::Duration;

use serde::Serialize;

use crate::checks::catalogue::Requirement;
use crate::report::evidence::Evidence;

pub(crate) mod evidence;
pub(crate) mod excuses;
pub(crate) mod failure;
mod hex;
mod html;
mod json;
mod junit;
mod terminal;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What was judged, and under which rules.
    pub about: About,
    /// The results, in the order of the list of checks.
    pub results: Vec<Judged>,
}

/// What ran, and how.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct About {
    /// What was judged.
    pub target: String,
    /// The version of the suite.
    pub version: &'static str,
    /// The documents or profiles whose rules applied.
    pub rules: Vec<String>,
    /// The number that the order of the checks came from.
    pub seed: Option<u64>,
    /// How many checks ran at the same time.
    pub jobs: usize,
    /// When it began, in Unix seconds.
    pub began: u64,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// How one check went under one set of rules.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// The name of the check.
    pub id: &'static str,
    /// The document or profile whose rules applied.
    pub document: String,
    /// The milestone of the documents.
    pub milestone: u8,
    /// What is checked.
    pub title: &'static str,
    /// The requirements that it is about.
    #[serde(skip)]
    pub requirements: Vec<Requirement>,
    /// How it went.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// What was said meanwhile; only of a check that failed.
    #[serde(skip_serializing_if = "Evidence::is_empty")]
    pub evidence: Evidence,
}

/// How a check went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum Verdict {
    /// What it checks holds.
    Pass,
    /// It does not.
    Fail {
        /// What was seen.
        failure: String,
    },
    /// It does not, and somebody has said why that is accepted.
    Accepted {
        /// What was seen.
        failure: String,
        /// Why it is accepted.
        reason: String,
    },
    /// It did not run.
    Skip {
        /// What is missing for it.
        reason: String,
    },
}

/// How many checks went how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Checks that passed.
    pub passed: usize,
    /// Checks that failed.
    pub failed: usize,
    /// Checks that failed as it was said that they would.
    pub accepted: usize,
    /// Checks that did not run.
    pub skipped: usize,
}

impl Judged {
    /// Whether it failed, and nobody accepts that.
    #[must_use]
    pub fn is_red(&self) -> bool {
        matches!(self.verdict, Verdict::Fail { .. })
    }
}

impl Report {
    /// How many went how.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals::of(&self.results)
    }
}

impl Totals {
    fn of<'a>(results: impl IntoIterator<Item = &'a Judged>) -> Self {
        let mut totals = Self::default();
        for judged in results {
            *match judged.verdict {
                Verdict::Pass => &mut totals.passed,
                Verdict::Fail { .. } => &mut totals.failed,
                Verdict::Accepted { .. } => &mut totals.accepted,
                Verdict::Skip { .. } => &mut totals.skipped,
            } += 1;
        }
        totals
    }
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail { .. } => "fail",
            Self::Accepted { .. } => "accepted",
            Self::Skip { .. } => "skip",
        }
    }
}

/// A time as reports count it.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
