//! What is wrong with an answer's body.

use thiserror::Error;

/// A hosted file could not be read to its end: the answer breaks off, and its peer knows that it is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the hosted file cannot be read")]
pub struct BodyError;
