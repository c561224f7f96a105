//! TLS with certificates of a local authority that is made at the start: for clients that speak nothing else, and for
//! seeing that they verify.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

/// The names and addresses that the certificate is for: this machine's, and those of WhatsApp's that a test may point here.
const NAMES: [&str; 8] = [
    "localhost",
    "127.0.0.1",
    "::1",
    "v.whatsapp.net",
    "mmg.whatsapp.net",
    "g.whatsapp.net",
    "whatsapp.com",
    "www.whatsapp.com",
];

/// What goes wrong while certificates are made; nobody's fault but the system's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("could not make certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("could not set TLS up: {0}")]
    Tls(#[from] rustls::Error),
    #[error("could not set TLS up: {0}")]
    Key(&'static str),
}

/// Accepts connections with a certificate of the authority.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    /// The authority's certificate, in PEM.
    pub(crate) authority: String,
}

impl Tls {
    pub(crate) fn generate() -> Result<Self, TlsError> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name.push(DnType::CommonName, "wa-sandbox, for tests on this machine");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
        params.distinguished_name.push(DnType::CommonName, "wa-sandbox");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(TlsError::Key)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), authority: authority.pem() })
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
