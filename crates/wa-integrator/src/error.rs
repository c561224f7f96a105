//! One error for an application that does not tell them apart.

use thiserror::Error;

use crate::keys::{KeyError, KeyringError, KeysError};
use crate::push::SinkError;
use crate::tokens::TokenError;
use crate::value::{BaseUrlError, PrivateFileError, StoreError};

/// Why something of this crate could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IntegratorError {
    /// The base URL cannot be one; the configuration's fault.
    #[error("the base url {0}")]
    BaseUrl(#[from] BaseUrlError),
    /// The signing key cannot be used.
    #[error("the signing key {0}")]
    Key(#[from] KeyError),
    /// The keys cannot be read or kept.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A file that holds a secret cannot be used; the configuration's or the file system's fault.
    #[error(transparent)]
    PrivateFile(#[from] PrivateFileError),
    /// A token cannot be issued.
    #[error("the token {0}")]
    Token(#[from] TokenError),
    /// The keyring refuses.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sink cannot be used; the configuration's fault.
    #[error(transparent)]
    Sink(#[from] SinkError),
}
