//! Where the database is, and how to reach it.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use rustls::RootCertStore;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::value::{ClientTrust, PrivateFileError, StoreError, is_loopback, read_authorities};

/// Where a database is and how it is reached; shows no password.
///
/// A connection that leaves this machine is encrypted, and the server's certificate checked, unless the URL says
/// `sslmode=disable`.
#[derive(Clone)]
pub struct PostgresAddress {
    config: Config,
    trust: ClientTrust,
    /// In place of those of the trust.
    roots: Option<RootCertStore>,
    connections: usize,
}

impl PostgresAddress {
    /// The database at a URL as libpq knows it, such as `postgresql://user@host:5432/database`, or its
    /// `key=value` form. Sixteen connections.
    ///
    /// # Errors
    /// [`StoreError::Address`].
    pub fn new(url: &str) -> Result<Self, StoreError> {
        let mut config: Config = url.parse().map_err(|_| StoreError::Address)?;
        if config.get_hosts().is_empty() {
            return Err(StoreError::Address);
        }
        if config.get_ssl_mode() == SslMode::Prefer {
            let near = config.get_hosts().iter().all(is_near);
            config.ssl_mode(if near { SslMode::Disable } else { SslMode::Require });
        }
        if config.get_application_name().is_none() {
            config.application_name("wa-integrator");
        }
        config.connect_timeout(Duration::from_secs(5)).keepalives_idle(Duration::from_secs(30));
        config.tcp_user_timeout(Duration::from_secs(10));
        Ok(Self { config, trust: ClientTrust::public(), roots: None, connections: 16 })
    }

    /// This address with the password of its user.
    #[must_use]
    pub fn with_password(mut self, password: &[u8]) -> Self {
        self.config.password(password);
        self
    }

    /// Whether the URL named a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// This address with so many connections at a time, at least two.
    #[must_use]
    pub fn with_connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(2);
        self
    }

    /// This address, trusting these authorities.
    #[must_use]
    pub fn with_trust(mut self, trust: &ClientTrust) -> Self {
        self.trust = trust.clone();
        self
    }

    /// This address with the authorities in a PEM file in place of all others.
    ///
    /// # Errors
    /// [`PrivateFileError`] for a file that cannot be read or holds none.
    pub fn with_authorities(mut self, path: &Path) -> Result<Self, PrivateFileError> {
        let mut roots = RootCertStore::empty();
        for authority in read_authorities(path)?.1 {
            roots.add(authority).map_err(|_| PrivateFileError::Corrupt { path: path.to_owned() })?;
        }
        self.roots = Some(roots);
        Ok(self)
    }

    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    pub(super) const fn connections(&self) -> usize {
        self.connections
    }

    pub(super) fn tls(&self) -> Result<MakeRustlsConnect, StoreError> {
        let trust = match &self.roots {
            Some(roots) => self.trust.with_roots(roots.clone()),
            None => self.trust.clone(),
        };
        trust.tls_config().map(MakeRustlsConnect::new).map_err(|_| StoreError::Unavailable)
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresAddress")
            .field("hosts", &self.config.get_hosts())
            .field("database", &self.config.get_dbname())
            .field("user", &self.config.get_user())
            .finish_non_exhaustive()
    }
}

/// Whether nothing of the connection leaves this machine.
fn is_near(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => is_loopback(name),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        PostgresAddress::new(url).unwrap().config.get_ssl_mode()
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted() {
        for (url, expected) in [
            ("postgresql://a@127.0.0.1/d", SslMode::Disable),
            ("postgresql://a@localhost/d", SslMode::Disable),
            ("host=/run/postgresql user=a", SslMode::Disable),
            ("postgresql://a@127.0.0.1/d?sslmode=require", SslMode::Require),
            ("postgresql://a@db.example/d", SslMode::Require),
            ("postgresql://a@db.example/d?sslmode=prefer", SslMode::Require),
            ("postgresql://a@db.example/d?sslmode=disable", SslMode::Disable),
            ("postgresql://a@127.0.0.1,db.example/d", SslMode::Require),
        ] {
            assert_eq!(mode(url), expected, "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_no_password_shown() {
        for url in
            ["", "db.example", "postgresql://", "http://db.example/", "postgresql://a@h/d?sslmod=disable"]
        {
            assert_eq!(PostgresAddress::new(url).unwrap_err(), StoreError::Address, "{url}");
        }
        let address = PostgresAddress::new("postgresql://a:secret1@h/d").unwrap().with_password(b"secret2");
        assert!(!format!("{address:?}").contains("secret"), "{address:?}");
    }
}
