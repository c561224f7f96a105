//! Requests that the sandbox makes of third parties' servers: keys, files, wake-ups (overview §1.3, §3.2.2; RO 1.0.3).
//!
//! Over TLS only the authorities that were named are trusted, so that a test sees what its own certificates are worth.
//! Why a request failed is said in words.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::http::response::Parts;
use hyper::{Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore, SupportedProtocolVersion};

/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(10);

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Clients for what is fetched, and for wake-ups over HTTP/1.1 and HTTP/2.
#[derive(Debug)]
pub(crate) struct Outgoing {
    fetching: HttpClient,
    waking: [HttpClient; 2],
}

/// Why certificates of authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error("the authorities hold no certificate in PEM")]
    Empty,
    #[error("a certificate of the authorities cannot be read: {0}")]
    Unreadable(String),
    #[error("could not set TLS up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Outgoing {
    /// Trusts these authorities, in PEM; without any nobody's certificate.
    pub(crate) fn new(authorities: Option<&str>) -> Result<Self, AuthorityError> {
        let roots = Arc::new(authorities.map_or(Ok(RootCertStore::empty()), roots)?);
        let client = |http2, versions| client(&roots, http2, versions);
        // Wake-ups come over TLS 1.3 (overview §3.2.2); of the rest no document says a version.
        let (any, newest) = (&[&TLS13, &TLS12][..], &[&TLS13][..]);
        Ok(Self { fetching: client(false, any)?, waking: [client(false, newest)?, client(true, newest)?] })
    }

    /// Fetches what lies at a URL, at most so many bytes, or says why it cannot be had.
    pub(crate) async fn fetch(&self, url: &str, most: usize) -> Result<(Parts, Bytes), String> {
        let url: Uri = url.parse().map_err(|_| format!("{url} is no URL"))?;
        let request = Request::get(url).body(Full::default()).map_err(|error| error.to_string())?;
        answer(&self.fetching, request, most).await
    }

    /// Sends a request over this version of HTTP, 1 or 2; the answer, or why there is none.
    pub(crate) async fn send(
        &self,
        http: u8,
        request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<(Parts, Bytes), String> {
        let [one, two] = &self.waking;
        answer(if http == 2 { two } else { one }, request, most).await
    }
}

async fn answer(
    client: &HttpClient,
    request: Request<Full<Bytes>>,
    most: usize,
) -> Result<(Parts, Bytes), String> {
    let asked = async {
        let (head, body) = client.request(request).await.map_err(|error| reason(&error))?.into_parts();
        let body = Limited::new(body, most).collect().await;
        let body = body.map_err(|error| format!("its answer cannot be read: {error}"))?;
        Ok((head, body.to_bytes()))
    };
    let late = |_| Err(format!("it did not answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(late)
}

/// The certificates of authorities, in PEM.
fn roots(pem: &str) -> Result<RootCertStore, AuthorityError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| AuthorityError::Unreadable(error.to_string()))?;
        roots.add(certificate).map_err(|error| AuthorityError::Unreadable(error.to_string()))?;
    }
    if roots.is_empty() { Err(AuthorityError::Empty) } else { Ok(roots) }
}

fn client(
    roots: &Arc<RootCertStore>,
    http2: bool,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<HttpClient, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)?
        .with_root_certificates(Arc::clone(roots))
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
    let connector = if http2 { connector.enable_http2().build() } else { connector.enable_http1().build() };
    Ok(Client::builder(TokioExecutor::new()).http2_only(http2).build(connector))
}

/// Why nothing came, in words.
fn reason(mut error: &(dyn Error + 'static)) -> String {
    loop {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return of_tls(tls);
        }
        // What is inside one of the system's errors is no source of it.
        let system = error.downcast_ref::<io::Error>();
        let inner = system.and_then(|it| it.get_ref()).map(|inner| inner as &(dyn Error + 'static));
        match (inner.or_else(|| error.source()), system.map(io::Error::kind)) {
            (Some(next), _) => error = next,
            (None, Some(io::ErrorKind::ConnectionRefused)) => return "nobody listens there".to_owned(),
            (None, Some(io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof)) => {
                return "it closed the connection".to_owned();
            }
            (None, _) => return error.to_string(),
        }
    }
}

fn of_tls(error: &rustls::Error) -> String {
    let said = match error {
        rustls::Error::InvalidCertificate(why) => return of_certificate(why),
        rustls::Error::InvalidMessage(_) => "it does not speak TLS",
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(_) => "it does not speak TLS 1.3, which wake-ups demand",
        other => return format!("TLS failed: {other}"),
    };
    said.to_owned()
}

fn of_certificate(error: &CertificateError) -> String {
    let said = match error {
        CertificateError::UnknownIssuer => {
            "its certificate is of no authority that the sandbox trusts: name the authority with --authorities FILE"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name than the base URL's"
        }
        CertificateError::BadSignature => "its certificate is not signed by the authority that it names",
        CertificateError::Revoked => "its certificate is revoked",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is not for servers"
        }
        other => return format!("its certificate cannot be used: {other}"),
    };
    said.to_owned()
}
