//! Running the list and showing how it went: a line for each check, then totals.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::checks::Check;
use crate::environment::Environment;
use crate::failure::Failure;

/// How results are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `id · document · milestone · seed section · what · pass/fail`.
    Text,
    /// One JSON object a line.
    Json,
}

/// How many checks passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Checks that passed.
    pub passed: u32,
    /// Checks that failed.
    pub failed: u32,
}

/// How long one check may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);

impl Report {
    /// Runs checks one after the other against each environment, each under a time limit, and writes a line for each
    /// and the totals.
    ///
    /// # Errors
    /// The output cannot be written.
    pub async fn run(
        environments: &[Arc<Environment>],
        checks: &[Check],
        form: Form,
        out: &mut impl Write,
    ) -> io::Result<Self> {
        let mut report = Self::default();
        let each = environments.iter().flat_map(|environment| checks.iter().map(move |it| (environment, it)));
        for (environment, check) in each {
            #[expect(clippy::disallowed_methods, reason = "measures how long a check took")]
            let start = Instant::now();
            let outcome = tokio::time::timeout(TIME_LIMIT, (check.run)(Arc::clone(environment))).await;
            let outcome = outcome.unwrap_or_else(|_| Err(Failure::new("took too long")));
            match &outcome {
                Ok(()) => report.passed += 1,
                Err(_) => report.failed += 1,
            }
            show(environment.rules().name(), check, &outcome, start.elapsed(), form, out)?;
        }
        report.total(form, out)?;
        Ok(report)
    }

    fn total(self, form: Form, out: &mut impl Write) -> io::Result<()> {
        match form {
            Form::Text => writeln!(out, "\n{} passed, {} failed", self.passed, self.failed),
            Form::Json => writeln!(out, "{}", json!({ "passed": self.passed, "failed": self.failed })),
        }
    }
}

fn show(
    rules: &str,
    check: &Check,
    outcome: &Result<(), Failure>,
    took: Duration,
    form: Form,
    out: &mut impl Write,
) -> io::Result<()> {
    let result = if outcome.is_ok() { "pass" } else { "fail" };
    match form {
        Form::Text => {
            let Check { id, milestone, section, title, .. } = check;
            writeln!(out, "{id} · {rules} · M{milestone} · seed {section} · {title} · {result}")?;
            if let Err(failure) = outcome {
                writeln!(out, "    {failure}")?;
            }
        }
        Form::Json => {
            let mut line = json!({
                "id": check.id,
                "document": rules,
                "milestone": check.milestone,
                "section": check.section,
                "title": check.title,
                "result": result,
                "ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            });
            if let (Err(failure), Some(line)) = (outcome, line.as_object_mut()) {
                line.insert("failure".to_owned(), failure.0.clone().into());
            }
            writeln!(out, "{line}")?;
        }
    }
    out.flush()
}
