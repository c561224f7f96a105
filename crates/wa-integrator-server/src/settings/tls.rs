//! `[tls]`: the server's certificate (RFC 8446).

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use wa_http_server::TlsFiles;

use super::over;
use super::value::Within;
use crate::error::StartError;

/// The server's certificate; without one it speaks in the clear, behind a proxy.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsSettings {
    /// The certificates in PEM, the server's own first. With it, the server speaks TLS only.
    #[arg(
        id = "tls_certificate",
        long = "tls-certificate",
        value_name = "FILE",
        env = "WA_INTEGRATOR_TLS_CERTIFICATE"
    )]
    certificate: Option<PathBuf>,

    /// Its private key in PEM.
    #[arg(id = "tls_key", long = "tls-key", value_name = "FILE", env = "WA_INTEGRATOR_TLS_KEY")]
    key: Option<PathBuf>,

    /// How many seconds pass until a change of these files is seen; SIGHUP has them read at once [default: 30].
    #[arg(
        id = "tls_refresh",
        long = "tls-refresh",
        value_name = "SECONDS",
        env = "WA_INTEGRATOR_TLS_REFRESH"
    )]
    refresh: Option<Within<1, 3600>>,
}

impl TlsSettings {
    pub(super) fn over(self, below: Self) -> Self {
        over!(self, below, certificate, key, refresh)
    }

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
            (None, Some(_)) => Err(StartError::Needed { name: "tls-certificate" }),
            (Some(_), None) => Err(StartError::Needed { name: "tls-key" }),
        }
    }

    /// How often the files are looked at.
    pub(crate) fn refresh(&self) -> Duration {
        Duration::from_secs(self.refresh.map_or(30, Within::value))
    }
}
