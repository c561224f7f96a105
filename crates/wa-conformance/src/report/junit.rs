//! A run in the XML of JUnit, which build servers read.

use std::fmt::Write;

use crate::report::terminal::seconds;
use crate::report::{Judged, Report, Verdict};

impl Report {
    /// One suite for each set of rules. An accepted failure counts as skipped.
    #[must_use]
    pub fn to_junit(&self) -> String {
        let mut text =
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"wa-conformance\">\n".to_owned();
        for rules in &self.about.rules {
            let of: Vec<&Judged> = self.results.iter().filter(|it| it.document == *rules).collect();
            let number = |is: fn(&Verdict) -> bool| of.iter().filter(|it| is(&it.verdict)).count();
            let failed = number(|it| matches!(it, Verdict::Fail { .. }));
            let skipped = number(|it| matches!(it, Verdict::Skip { .. } | Verdict::Accepted { .. }));
            _ = writeln!(
                text,
                "<testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\">",
                escaped(rules),
                of.len()
            );
            for judged in of {
                case(&mut text, judged);
            }
            text.push_str("</testsuite>\n");
        }
        text.push_str("</testsuites>\n");
        text
    }
}

fn case(text: &mut String, judged: &Judged) {
    let (id, title, time) = (judged.id, escaped(judged.title), seconds(judged.ms));
    _ = write!(
        text,
        "<testcase classname=\"milestone {}\" name=\"{id}: {title}\" time=\"{time:.3}\">",
        judged.milestone
    );
    match &judged.verdict {
        Verdict::Pass => {}
        Verdict::Skip { reason } => _ = write!(text, "<skipped message=\"{}\"/>", escaped(reason)),
        Verdict::Accepted { reason, .. } => {
            _ = write!(text, "<skipped message=\"accepted: {}\"/>", escaped(reason));
        }
        Verdict::Fail { failure } => {
            let (failure, whole) = (escaped(failure), escaped(&judged.to_text()));
            _ = write!(text, "<failure message=\"{failure}\">{whole}</failure>");
        }
    }
    text.push_str("</testcase>\n");
}

/// Text inside of XML; characters that XML cannot have are replaced.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}
