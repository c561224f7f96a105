//! `[tls]`: the server's certificate (RFC 8446).

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use wa_http_server::TlsFiles;

use super::value::Within;
use crate::error::StartError;

/// The server's certificate; without one it speaks in the clear, behind a proxy.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsSettings {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    refresh: Within<1, 3600, 30>,
}

impl TlsSettings {
    /// The files, if there are any.
    ///
    /// # Errors
    /// [`StartError::Needed`] for one without the other.
    pub(crate) fn files(&self) -> Result<Option<TlsFiles>, StartError> {
        match (&self.certificate, &self.key) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => {
                Ok(Some(TlsFiles { certificate: certificate.clone(), key: key.clone() }))
            }
            (None, Some(_)) => Err(StartError::Needed { name: "tls.certificate" }),
            (Some(_), None) => Err(StartError::Needed { name: "tls.key" }),
        }
    }

    /// How often the files are looked at.
    pub(crate) const fn refresh(&self) -> Duration {
        self.refresh.seconds()
    }
}
