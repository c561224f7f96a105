//! What can go wrong in the third party's server, and whose fault it is.

mod keys;
mod media;
mod push;
mod tls;

use std::{io, path::PathBuf};

use thiserror::Error;

pub use keys::{FetchError, KeySetError, KeyUnusable, KeyringError};
pub use media::BodyError;
pub use push::{PushRequestError, SinkError, StoreError, TokenRefusal};
pub use tls::TlsError;

/// Any error of this crate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IntegratorError {
    /// The base URL cannot be one; the configuration's fault.
    #[error("the base url {0}")]
    BaseUrl(#[from] BaseUrlError),
    /// The signing key cannot be used.
    #[error("the signing key {0}")]
    Key(#[from] KeyError),
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
    /// The server cannot listen; the world's fault.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Why a text is no user identifier; the caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UserIdentifierError {
    /// It is empty.
    #[error("the user identifier is empty")]
    Empty,
    /// It has more characters than a user identifier may.
    #[error("the user identifier has more than {max} characters")]
    TooLong {
        /// How many it may have.
        max: usize,
    },
    /// It has a control character, or one that changes the direction of text.
    #[error("character {position} of the user identifier is a control character")]
    Control {
        /// Which character, from 0.
        position: usize,
    },
}

/// Why a URL is no base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BaseUrlError {
    /// It is not an absolute URL with a scheme and a host.
    #[error("is not an absolute url")]
    NotAbsolute,
    /// Its scheme is neither `https`, nor `http` on a loopback host.
    #[error("must be https, or http on a loopback host")]
    Scheme,
    /// It carries a user, a query or a fragment.
    #[error("must have no user, query or fragment")]
    Extra,
    /// Its path is not plain: empty segments, dots, or characters outside letters, digits, `-`, `_`, `.`, `~`.
    #[error("has a path that is not plain")]
    Path,
    /// It is longer than allowed.
    #[error("is longer than {max} bytes")]
    TooLong {
        /// How many bytes it may have.
        max: usize,
    },
}

/// What is wrong with a signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is not an RSA private key as PKCS#8 in PEM.
    #[error("is not an rsa private key as pkcs#8 in pem")]
    NotPkcs8,
    /// The modulus has too few or too many bits.
    #[error("has {bits} bits, which is outside 2048 to 8192")]
    Size {
        /// How many it has.
        bits: u32,
    },
    /// A new key could not be made; the world's fault.
    #[error("could not be made")]
    Generation,
    /// The key signs nothing that its public half verifies.
    #[error("could not sign")]
    Signing,
    /// The key could not be sealed for the store; the world's fault.
    #[error("could not be sealed")]
    Sealing,
    /// The stored key is sealed with another master key, or was changed.
    #[error("does not open with this master key")]
    Sealed,
    /// The stored key is sealed and there is no master key; the configuration's fault.
    #[error("is sealed, and there is no master key")]
    MasterKeyMissing,
    /// The private half that should sign is not in the store.
    #[error("has no private half in the store")]
    PrivateMissing,
}

/// What is wrong with a file that holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PrivateFileError {
    /// The operating system refused an operation.
    #[error("{path} cannot be used: {kind}", path = .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        kind: io::ErrorKind,
    },
    /// It is not a regular file.
    #[error("{path} is not a regular file", path = .path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Others than its owner may use it.
    #[error("{path} has mode {mode:o}; only its owner may have access (chmod 600)", path = .path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Its content is not what it should hold. It is never replaced.
    #[error("{path} does not hold what it should; restore it, or move it away to start anew", path = .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
    },
    /// Another process uses the data directory.
    #[error("{path} is in use by another process", path = .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
}

/// Why a token cannot be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The lifetime is zero, not whole seconds, or longer than the profile allows; the configuration's fault.
    #[error("must live between 1 and {max_seconds} seconds")]
    Lifetime {
        /// The longest lifetime, in seconds.
        max_seconds: u64,
    },
    /// The clock shows no time a token can be issued at.
    #[error("cannot be issued at this time")]
    Clock,
    /// The token would be longer than WhatsApp takes.
    #[error("would be longer than {max} bytes")]
    TooLong {
        /// How many bytes it may have.
        max: usize,
    },
    /// The signing key failed.
    #[error("cannot be signed, the key {0}")]
    Key(#[from] KeyError),
}

/// Why the clock is not believed; the world's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClockError {
    /// It shows an earlier time than before.
    #[error("the clock went back by {seconds} seconds")]
    Back {
        /// By how much.
        seconds: u64,
    },
    /// It went further than the time that passed.
    #[error("the clock jumped by {seconds} seconds")]
    Jump {
        /// By how much.
        seconds: u64,
    },
}

/// Why a request names no user; the peer's fault, except for [`AuthenticationError::Unavailable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AuthenticationError {
    /// There is no credential.
    #[error("there is no credential")]
    Missing,
    /// The credential has another form, or there are several.
    #[error("the credential is malformed")]
    Malformed,
    /// The credential was not made with the shared secret, or was changed.
    #[error("the credential is not genuine")]
    NotGenuine,
    /// The credential's time is over.
    #[error("the credential has expired")]
    Expired,
    /// The credential is valid for longer than is accepted.
    #[error("the credential lives too long")]
    TooLongLived,
    /// The credential names no possible user identifier.
    #[error("{0}")]
    UserIdentifier(#[from] UserIdentifierError),
    /// The identity provider's token is refused.
    #[error("{0}")]
    Token(#[from] TokenRefusal),
    /// The request did not come from the proxy that is trusted to name users.
    #[error("the request did not come through the trusted proxy")]
    NotTrusted,
    /// Whether the credential is good cannot be said now; the world's fault.
    #[error("authentication is unavailable")]
    Unavailable,
}

/// Why the server cannot listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {kind}")]
    Bind {
        /// The address.
        address: std::net::SocketAddr,
        /// What the operating system said.
        kind: io::ErrorKind,
    },
}
