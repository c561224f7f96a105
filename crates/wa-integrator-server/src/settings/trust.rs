//! `[trust]`: whom our own connections trust.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use wa_integrator::{ClientTrust, PlainHost, PrivateFileError};

use super::{over, value};

/// Whom the server's own connections trust: to the webhook, NATS, the database, the object store, an identity provider, a
/// collector.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TrustSettings {
    /// Authorities beside the public ones whose certificates are taken, PEM: a company's, a cluster's.
    #[arg(long, global = true, value_name = "FILE", env = "WA_INTEGRATOR_AUTHORITIES_FILE")]
    authorities_file: Option<PathBuf>,

    /// Where plain text may go, beside this machine: names of hosts, `.svc.cluster.local` for all below it, addresses or
    /// networks, separated by commas.
    #[arg(long, global = true, value_name = "HOST", env = "WA_INTEGRATOR_PLAIN_HTTP", value_delimiter = ',')]
    #[serde(deserialize_with = "value::texts")]
    plain_http: Option<Vec<PlainHost>>,
}

impl TrustSettings {
    pub(super) fn over(self, below: Self) -> Self {
        over!(self, below, authorities_file, plain_http)
    }

    /// The trust.
    ///
    /// # Errors
    /// [`PrivateFileError`] for authorities that cannot be read.
    pub(crate) fn trust(&self) -> Result<ClientTrust, PrivateFileError> {
        let trust = ClientTrust::public().with_plain(self.plain_http.as_deref().unwrap_or_default());
        match &self.authorities_file {
            Some(path) => trust.with_authorities(path),
            None => Ok(trust),
        }
    }
}
