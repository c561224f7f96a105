//! `[store]`: where the server's state lies (overview §1.3).

use std::path::{Path, PathBuf};

use serde::Deserialize;
#[cfg(feature = "postgres")]
use wa_integrator::{ClientTrust, PostgresAddress, private_file};

use super::value::Within;
#[cfg(feature = "postgres")]
use crate::error::StartError;

/// Where the server's state lies.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreSettings {
    data_dir: Option<PathBuf>,
    postgres: Option<String>,
    postgres_password_file: Option<PathBuf>,
    postgres_authorities_file: Option<PathBuf>,
    postgres_connections: Within<2, 1000, 16>,
}

impl StoreSettings {
    /// The directory of the store and the secrets.
    pub(crate) fn data_dir(&self) -> &Path {
        self.data_dir.as_deref().unwrap_or(Path::new("wa-integrator-data"))
    }

    /// Whether the store is a database that other servers may share.
    pub(crate) const fn is_shared(&self) -> bool {
        self.postgres.is_some()
    }

    /// Where the database is, if there is one.
    ///
    /// # Errors
    /// [`StartError`].
    #[cfg(feature = "postgres")]
    pub(crate) fn postgres(&self, trust: &ClientTrust) -> Result<Option<PostgresAddress>, StartError> {
        let Some(url) = &self.postgres else { return Ok(None) };
        let mut address = PostgresAddress::new(url)?.with_trust(trust);
        if address.has_password() {
            return Err(StartError::PasswordShown);
        }
        if let Some(path) = &self.postgres_password_file {
            let password = private_file::read_existing(path)?;
            address = address.with_password(password.strip_suffix(b"\n").unwrap_or(&password));
        }
        if let Some(path) = &self.postgres_authorities_file {
            address = address.with_authorities(path)?;
        }
        Ok(Some(address.with_connections(self.postgres_connections.count())))
    }
}
