//! `[trust]`: whom our own connections trust.

use std::path::PathBuf;

use serde::Deserialize;
use wa_integrator::{ClientTrust, PlainHost, PrivateFileError};

use super::value;

/// Whom the server's own connections trust: to the webhook, NATS, the database, the object store, an identity provider, a
/// collector.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TrustSettings {
    authorities_file: Option<PathBuf>,
    #[serde(deserialize_with = "value::texts")]
    plain_http: Vec<PlainHost>,
}

impl TrustSettings {
    /// The trust.
    ///
    /// # Errors
    /// [`PrivateFileError`] for authorities that cannot be read.
    pub(crate) fn trust(&self) -> Result<ClientTrust, PrivateFileError> {
        let trust = ClientTrust::public().with_plain(&self.plain_http);
        match &self.authorities_file {
            Some(path) => trust.with_authorities(path),
            None => Ok(trust),
        }
    }
}
