//! What is wrong with a file, its path or its transfer, and whose fault that is.

use std::io;

use thiserror::Error;

/// Which check a file failed: the sender's fault, or the media host's. The checks run in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The encrypted file is shorter or longer than the message's length makes it.
    #[error("the encrypted file has {found} bytes instead of {expected}")]
    BlobLength {
        /// What follows from the message.
        expected: u64,
        /// What there was, at least.
        found: u64,
    },
    /// The encrypted file is not the one that the message names (`fileEncSHA256`).
    #[error("the hash of the encrypted file differs")]
    EncryptedHash,
    /// The encrypted file was not made with the message's key.
    #[error("the mac of the encrypted file differs")]
    Mac,
    /// What was decrypted does not end in a padding.
    #[error("the padding of the file is malformed")]
    Padding,
    /// The file is shorter than the message says.
    #[error("the file has {found} bytes instead of {expected}")]
    Length {
        /// What the message says.
        expected: u64,
        /// What was decrypted.
        found: u64,
    },
    /// The file is not the one that the message names (`fileSHA256`).
    #[error("the hash of the file differs")]
    Hash,
    /// A sidecar's length is no multiple of ten, or it has more windows than any file.
    #[error("the sidecar has {length} bytes, not ten for each window")]
    SidecarLength {
        /// The length of the sidecar in bytes.
        length: usize,
    },
    /// A window is not what the sidecar says.
    #[error("window {index} of the sidecar differs")]
    SidecarWindow {
        /// Which, from 0.
        index: usize,
    },
}

/// Why a direct path is not taken: the sender's fault, or for a hosted one the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DirectPathError {
    /// It is longer than 2048 bytes.
    #[error("the direct path is too long")]
    TooLong,
    /// It does not begin as the profile says.
    #[error("the direct path begins otherwise")]
    Prefix,
    /// It has a character that a path has not.
    #[error("the direct path has a forbidden character at byte {offset}")]
    Character {
        /// The byte at which the path is malformed.
        offset: usize,
    },
    /// It has an empty segment, or one that names its parent or itself.
    #[error("the direct path has an empty or relative segment")]
    Segment,
    /// The host to put before it is no origin.
    #[error("the media host is no http origin")]
    Origin,
}

/// Why a transfer ended, apart from what the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The media host has it no longer, or never had it (404, 410).
    #[error("the media has expired")]
    Expired,
    /// The host is busy; the same may succeed later (408, 429, 5xx).
    #[error("the host answered {status}, try again later")]
    Unavailable {
        /// The status of the answer.
        status: u16,
    },
    /// The host refuses (any other status).
    #[error("the host answered {status}")]
    Refused {
        /// The status of the answer.
        status: u16,
    },
    /// The host says, or sends, another length than the message's.
    #[error("the host offers {found} bytes instead of {expected}")]
    Length {
        /// What follows from the message.
        expected: u64,
        /// What the host says, or sent at least.
        found: u64,
    },
    /// The host answered another range than the one that was asked for.
    #[error("the host answered another range")]
    Range,
    /// The upload's answer names no storage reference.
    #[error("the answer names no storage reference")]
    Reference,
    /// The server's base URL, or the credential, cannot stand in a request.
    #[error("the upload's base url or credential is malformed")]
    Request,
}

impl TransferError {
    /// Whether the same may succeed a little later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// Why a file was not encrypted or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FileError {
    /// It is not the file that was meant.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The operating system refused.
    #[error("the file cannot be read or written: {kind}")]
    Io {
        /// What it said.
        kind: io::ErrorKind,
    },
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io { kind: error.kind() }
    }
}
