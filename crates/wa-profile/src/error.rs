//! What can be wrong with a value given to a profile.

use thiserror::Error;

/// A text that is not an interoperability protocol version; the caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VersionError {
    /// There are not exactly three parts separated by dots.
    #[error("a protocol version has three parts separated by dots, not {found}")]
    Parts {
        /// How many parts the text has.
        found: usize,
    },
    /// A part is not a decimal number below 2^32 written without sign, spaces or leading zeros.
    #[error("part {part} of the protocol version is not a plain decimal number")]
    Part {
        /// Which part, counted from 1.
        part: usize,
    },
}
