//! `[store]`: where the server's state lies (overview §1.3).

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
#[cfg(feature = "postgres")]
use wa_integrator::{ClientTrust, PostgresAddress, private_file};

use super::over;
use super::value::Within;
#[cfg(feature = "postgres")]
use crate::error::StartError;

/// Where the server's state lies.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreSettings {
    /// The directory of the store and the secrets, made on first start; served by one process at a time [default:
    /// wa-integrator-data].
    #[arg(long, global = true, value_name = "DIR", env = "WA_INTEGRATOR_DATA_DIR")]
    data_dir: Option<PathBuf>,

    /// The database that holds the store in place of a file: `postgresql://user@host/database`. Any number of servers may
    /// share it.
    #[arg(long, global = true, value_name = "URL", env = "WA_INTEGRATOR_POSTGRES")]
    postgres: Option<String>,

    /// The password of the database's user.
    #[arg(long, global = true, value_name = "FILE", env = "WA_INTEGRATOR_POSTGRES_PASSWORD_FILE")]
    postgres_password_file: Option<PathBuf>,

    /// The authorities that the database's certificate is checked against, PEM; by default the public ones.
    #[arg(long, global = true, value_name = "FILE", env = "WA_INTEGRATOR_POSTGRES_AUTHORITIES_FILE")]
    postgres_authorities_file: Option<PathBuf>,

    /// How many connections to the database are used at a time [default: 16].
    #[arg(long, global = true, value_name = "N", env = "WA_INTEGRATOR_POSTGRES_CONNECTIONS")]
    postgres_connections: Option<Within<2, 1000>>,
}

impl StoreSettings {
    pub(super) fn over(self, below: Self) -> Self {
        over!(
            self,
            below,
            data_dir,
            postgres,
            postgres_password_file,
            postgres_authorities_file,
            postgres_connections,
        )
    }

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
        if let Some(connections) = self.postgres_connections {
            address = address.with_connections(usize::try_from(connections.value()).unwrap_or(usize::MAX));
        }
        Ok(Some(address))
    }
}
