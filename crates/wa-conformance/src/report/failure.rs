//! What went wrong in a check, in words.

use std::fmt;

/// Why a check failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl Failure {
    /// A failure from anything that can be shown.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// The same failure, and of what it is one.
    pub(crate) fn of(self, what: &str) -> Self {
        Self(format!("{what}: {self}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Fails unless both are equal, and shows them.
pub(crate) fn expect<T: PartialEq + fmt::Debug>(what: &str, actual: T, expected: T) -> Result<(), Failure> {
    if actual == expected {
        return Ok(());
    }
    Err(Failure(format!("{what}: got {actual:?}, expected {expected:?}")))
}

/// Fails unless the condition holds.
pub(crate) fn ensure(what: &str, holds: bool) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(what)) }
}
