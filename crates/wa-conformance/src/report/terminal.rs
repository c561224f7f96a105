//! A run for a terminal: a line for each check as it ends, what to mend, and how each milestone went.

use std::fmt::Write;

use crate::report::{Judged, Report, Totals, Verdict};

impl Judged {
    /// The line of this check, and more where it did not pass.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { id, document, milestone, title, verdict, .. } = self;
        let mut text = format!("M{milestone} {:<8} {id} · {document} · {title}", verdict.word());
        match verdict {
            Verdict::Pass => {}
            Verdict::Skip { reason } => _ = write!(text, "\n    {reason}"),
            Verdict::Accepted { failure, reason } => {
                _ = write!(text, "\n    {failure}\n    accepted: {reason}")
            }
            Verdict::Fail { failure } => {
                _ = write!(text, "\n    {failure}");
                for it in &self.requirements {
                    _ = write!(text, "\n    {} ({}, {}): {}", it.id, it.section, it.label, it.words);
                }
                for it in &self.evidence.deviations {
                    _ = write!(text, "\n    {} {}: {}", it.class, it.rule, it.what);
                    if let Some(marked) = &it.marked {
                        _ = write!(text, "\n      {marked}");
                    }
                    _ = write!(text, "\n      {}; to mend it: {}", it.source, it.mend);
                }
            }
        }
        text
    }
}

impl Report {
    /// How each milestone went, and all of them.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = String::new();
        for number in 1..=6 {
            let of: Vec<&Judged> = self.results.iter().filter(|it| it.milestone == number).collect();
            if !of.is_empty() {
                let took: u64 = of.iter().map(|it| it.ms).sum();
                let totals = Totals::of(of.iter().copied());
                _ = writeln!(text, "milestone {number}: {totals}, {:.1} s of checks", seconds(took));
            }
        }
        _ = write!(text, "{} in {:.1} s", self.totals(), seconds(self.about.ms));
        text
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.accepted > 0 {
            write!(f, ", {} accepted", self.accepted)?;
        }
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit behind the point")]
pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
