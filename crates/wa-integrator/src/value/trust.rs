//! Whom our own connections trust: authorities that sign certificates, and where plain text may go.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::value::{PrivateFileError, is_loopback, private_file};

/// One trust for every connection that this server opens: the webhook, NATS, PostgreSQL, the object store, an identity
/// provider, a collector of traces.
#[derive(Clone, Debug)]
pub struct ClientTrust {
    roots: Arc<RootCertStore>,
    /// The authorities of the file, in PEM, for libraries that read them by themselves.
    pem: Option<Arc<[u8]>>,
    plain: Arc<[PlainHost]>,
}

/// Where plain text may go: a host's name, all names below one (`.svc.cluster.local`), or addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlainHost {
    /// A host with exactly this name.
    Name(String),
    /// Every name that ends like this.
    Below(String),
    /// Hosts whose address is in this network.
    Network(IpNet),
}

impl ClientTrust {
    /// The public authorities, and plain text to this machine only.
    #[must_use]
    pub fn public() -> Self {
        let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        Self { roots: Arc::new(roots), pem: None, plain: Arc::new([]) }
    }

    /// This trust, and the authorities in a PEM file beside the public ones.
    ///
    /// # Errors
    /// [`PrivateFileError`] for a file that cannot be read or holds none.
    pub fn with_authorities(mut self, path: &Path) -> Result<Self, PrivateFileError> {
        let (mut roots, pem) = (RootCertStore::clone(&self.roots), read_authorities(path)?);
        for authority in pem.1 {
            roots.add(authority).map_err(|_| PrivateFileError::Corrupt { path: path.to_owned() })?;
        }
        self.roots = Arc::new(roots);
        self.pem = Some(pem.0.into());
        Ok(self)
    }

    /// This trust, with plain text to these hosts too.
    #[must_use]
    pub fn with_plain(mut self, hosts: &[PlainHost]) -> Self {
        self.plain = hosts.into();
        self
    }

    /// This trust with other authorities.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub(crate) fn with_roots(&self, roots: RootCertStore) -> Self {
        Self { roots: Arc::new(roots), ..self.clone() }
    }

    /// The authorities whose certificates are trusted.
    #[must_use]
    pub fn roots(&self) -> &RootCertStore {
        &self.roots
    }

    /// The authorities beside the public ones, in PEM.
    #[must_use]
    pub fn pem(&self) -> Option<&[u8]> {
        self.pem.as_deref()
    }

    /// Whether plain text may go to this host of a URL.
    #[must_use]
    pub fn is_plain(&self, host: &str) -> bool {
        is_loopback(host) || self.names_plain(host)
    }

    /// Whether the settings name this host of a URL as one of our own network.
    #[must_use]
    pub fn names_plain(&self, host: &str) -> bool {
        self.plain.iter().any(|plain| plain.covers(host))
    }

    /// How TLS is spoken to them. The provider is named: somebody else in the program may know another one.
    ///
    /// # Errors
    /// [`rustls::Error`] if the library has no version of TLS.
    pub fn tls_config(&self) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(builder.with_root_certificates(RootCertStore::clone(&self.roots)).with_no_client_auth())
    }
}

/// The file's bytes and the certificates in it, at least one.
pub(crate) fn read_authorities(
    path: &Path,
) -> Result<(Vec<u8>, Vec<CertificateDer<'static>>), PrivateFileError> {
    let corrupt = || PrivateFileError::Corrupt { path: path.to_owned() };
    let pem = std::fs::read(path).map_err(|error| private_file::refused(path, &error))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|_| corrupt())?;
    if certificates.is_empty() { Err(corrupt()) } else { Ok((pem, certificates)) }
}

impl PlainHost {
    fn covers(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let host = bare.trim_end_matches('.');
        match self {
            Self::Name(name) => host.eq_ignore_ascii_case(name),
            Self::Below(end) => host.len() > end.len() && host.to_ascii_lowercase().ends_with(end.as_str()),
            Self::Network(network) => bare.parse().is_ok_and(|address: IpAddr| network.contains(&address)),
        }
    }
}

impl std::str::FromStr for PlainHost {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        let name = text.strip_prefix('.').unwrap_or(text);
        let label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if !name.split('.').all(label) {
            return Err("a host is a name, a dot and the end of names, an address, or a network");
        }
        let lower = text.to_ascii_lowercase();
        Ok(if text.starts_with('.') { Self::Below(lower) } else { Self::Name(lower) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_goes_where_it_was_allowed_to() {
        let hosts = ["backend", ".svc.cluster.local", "10.0.0.0/8", "fd00::1"];
        let hosts: Vec<PlainHost> = hosts.iter().map(|host| host.parse().unwrap()).collect();
        let trust = ClientTrust::public().with_plain(&hosts);
        for host in [
            "backend",
            "Backend",
            "a.prod.svc.cluster.local",
            "a.svc.cluster.local.",
            "10.1.2.3",
            "[fd00::1]",
            "localhost",
            "127.0.0.1",
        ] {
            assert!(trust.is_plain(host), "{host}");
        }
        for host in [
            "backend.example",
            "xbackend",
            "svc.cluster.local",
            ".svc.cluster.local",
            "11.0.0.1",
            "[fd00::2]",
            "example.com",
        ] {
            assert!(!trust.is_plain(host), "{host}");
        }
        assert!(!ClientTrust::public().is_plain("backend"));
        for odd in ["", ".", "a..b", "a b", "*.example", "http://a", "10.0.0.0/33"] {
            assert!(odd.parse::<PlainHost>().is_err(), "{odd}");
        }
    }

    #[test]
    fn a_file_of_authorities_holds_some() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("authorities.pem");
        for content in ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, content).unwrap();
            let refused = ClientTrust::public().with_authorities(&path).unwrap_err();
            assert_eq!(refused, PrivateFileError::Corrupt { path: path.clone() }, "{content}");
        }
        let absent = ClientTrust::public().with_authorities(&directory.path().join("absent"));
        assert!(matches!(absent.unwrap_err(), PrivateFileError::Io { .. }));
    }
}
