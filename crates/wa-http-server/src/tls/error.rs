//! What can be wrong with the server's certificate (RFC 8446 §4.4.2).

use std::path::PathBuf;

use thiserror::Error;

use crate::system_error::SystemError;

/// Why a certificate and a key cannot be used; the configuration's or the file system's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {reason}", path = .path.display())]
    File {
        /// The file that cannot be read.
        path: PathBuf,
        /// What the operating system said.
        reason: SystemError,
    },
    /// A file does not hold what it should.
    #[error("{path} does not hold a certificate, or a private key, in pem", path = .path.display())]
    NotPem {
        /// The file that cannot be used.
        path: PathBuf,
    },
    /// The key belongs to another certificate.
    #[error("the private key is not that of the certificate")]
    OtherKey,
    /// The library has neither version of TLS.
    #[error("tls 1.2 and 1.3 are not there")]
    Provider,
}
