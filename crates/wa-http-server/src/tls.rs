//! TLS 1.3, and 1.2 with authenticated encryption only, with a certificate that can be exchanged while serving (RFC
//! 8446; ALPN: RFC 7301).

mod error;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use zeroize::Zeroizing;

pub use error::TlsError;

use crate::observe::{Event, Observe, Observer};

/// The server's certificate and key; clones are one, and all show what was read last.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    shared: Arc<Shared>,
    observer: Observer,
}

/// Where certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificates in PEM, the server's own first.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
}

struct Shared {
    files: TlsFiles,
    current: RwLock<Arc<Current>>,
}

/// A certificate in use.
struct Current {
    certified: Arc<CertifiedKey>,
    /// What the files held, as a hash, so that a change of either is seen.
    seen: [u8; 32],
    valid_from: u64,
    expires_at: u64,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`]: a file that cannot be read, that holds something else, or a key of another certificate.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = Current::read(&files, &provider)?;
        let shared = Arc::new(Shared { files, current: RwLock::new(Arc::new(current)) });
        let resolver = Arc::new(Resolver(Arc::clone(&shared)));
        let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions);
        let mut config =
            config.map_err(|_| TlsError::Provider)?.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), shared, observer: Observer::default() })
    }

    /// This, telling `observe` of each reading.
    #[must_use]
    pub fn with_observer(mut self, observe: impl Observe) -> Self {
        self.observer = Observer::new(observe);
        self
    }

    /// Reads the files again, and uses what they hold from the next handshake on if it is another pair that fits
    /// together; whether it is another.
    ///
    /// # Errors
    /// [`TlsError`]; what was used before is used further.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let read = Current::read(&self.shared.files, &aws_lc_rs::default_provider());
        let result = match &read {
            Ok(read) if read.seen == self.shared.current().seen => "unchanged",
            Ok(_) => "changed",
            Err(_) => "failed",
        };
        self.observer.note(Event::CertificateRead(result));
        let read = read?;
        self.observer.note(Event::CertificateExpires(read.expires_at));
        let changed = result == "changed";
        *self.shared.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
        Ok(changed)
    }

    /// Reads the files again each `interval`, and never returns; failures are logged.
    pub async fn run(self, interval: Duration) {
        let mut refused = false;
        self.observer.note(Event::CertificateExpires(self.expires_at()));
        loop {
            tokio::time::sleep(interval).await;
            let tls = self.clone();
            // The files may lie on a disk that is slow.
            let Ok(reloaded) = tokio::task::spawn_blocking(move || tls.reload()).await else { continue };
            match &reloaded {
                Ok(true) => tracing::info!(expires_at = self.expires_at(), "another certificate is in use"),
                Err(error) if !refused => tracing::error!(%error, "the certificate in use is kept"),
                _ => {}
            }
            refused = reloaded.is_err();
        }
    }

    /// Since when the certificate in use is good, in Unix seconds.
    #[must_use]
    pub fn valid_from(&self) -> u64 {
        self.shared.current().valid_from
    }

    /// Until when the certificate in use is good, in Unix seconds.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        self.shared.current().expires_at
    }

    /// Does a handshake.
    pub(crate) async fn accept<I>(&self, stream: I) -> io::Result<TlsStream<I>>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        self.acceptor.accept(stream).await
    }
}

impl Shared {
    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Current {
    fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let certificates = read(&files.certificate)?;
        let private = read(&files.key)?;
        let seen = Sha256::new().chain_update(&*certificates).chain_update([0]).chain_update(&*private);
        let not_pem = |path: &Path| TlsError::NotPem { path: path.to_owned() };
        let chain: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_slice_iter(&certificates).collect();
        let chain = chain.map_err(|_| not_pem(&files.certificate))?;
        let own = chain.first().ok_or_else(|| not_pem(&files.certificate))?;
        let (valid_from, expires_at) = validity(own).ok_or_else(|| not_pem(&files.certificate))?;
        let key = PrivateKeyDer::from_pem_slice(&private).map_err(|_| not_pem(&files.key))?;
        let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::OtherKey,
            _ => not_pem(&files.key),
        })?;
        Ok(Self { certified: Arc::new(certified), seen: seen.finalize().into(), valid_from, expires_at })
    }
}

/// Shows the certificate in use to every client, whatever name it asks for.
struct Resolver(Arc<Shared>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current().certified))
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.shared.files).finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    fs::read(path)
        .map(Zeroizing::new)
        .map_err(|error| TlsError::File { path: path.to_owned(), reason: (&error).into() })
}

/// Since when and until when a certificate is good.
fn validity(certificate: &CertificateDer<'_>) -> Option<(u64, u64)> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let validity = parsed.validity();
    // What begins before 1970 has begun.
    let valid_from = u64::try_from(validity.not_before.timestamp()).unwrap_or(0);
    Some((valid_from, u64::try_from(validity.not_after.timestamp()).ok()?))
}
