//! One broken rule at one place.

use std::fmt;

/// Where a rule is broken and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    path: String,
    line: Option<usize>,
    message: String,
}

impl Violation {
    /// A violation by a whole file, or by the workspace.
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), line: None, message: message.into() }
    }

    /// At this line, the first being 1.
    pub(crate) fn with_line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}
