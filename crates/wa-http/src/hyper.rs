//! The HTTP client that opens sockets: hyper's pool over rustls, HTTP/1.1 and HTTP/2 by ALPN.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::addresses::Resolver;
use crate::connecting::Connecting;
use crate::{Addresses, BodyStream, HttpClient, HttpError, HttpLimits, StreamingClient, body};

/// An [`HttpClient`] over TCP and TLS with a connection pool; cheap to clone, clones share the pool.
///
/// Verifies certificates against Mozilla's trust anchors unless [`with_roots`](Self::with_roots) names
/// others, reads no proxy from the environment, follows no redirects, and asks for no content encoding.
/// Must be used inside a tokio runtime with time and I/O enabled.
#[derive(Clone)]
pub struct HyperClient {
    limits: HttpLimits,
    roots: Arc<RootCertStore>,
    plain_http: PlainHttp,
    addresses: Addresses,
    secure: Client<Connecting<HttpsConnector<HttpConnector<Resolver>>>, BodyStream>,
    plain: Client<Connecting<HttpConnector<Resolver>>, BodyStream>,
}

/// Whether plain `http` URIs are served, for tests and for peers on the same host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlainHttp {
    /// They are refused.
    #[default]
    Refused,
    /// They are made over HTTP/1.1.
    Http1,
    /// They are made over HTTP/2 without negotiation ("prior knowledge").
    Http2PriorKnowledge,
}

impl HyperClient {
    /// A client that speaks `https` only, within these limits.
    #[must_use]
    pub fn new(limits: HttpLimits) -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Self::assemble(limits, Arc::new(roots), PlainHttp::Refused, Addresses::Any)
    }

    /// This client with exactly these trust anchors, each a certificate in DER, and an empty pool.
    ///
    /// # Errors
    /// [`HttpError::Root`] for the first that is no certificate.
    pub fn with_roots(self, certificates: &[Bytes]) -> Result<Self, HttpError> {
        let mut roots = RootCertStore::empty();
        for (index, certificate) in certificates.iter().enumerate() {
            let certificate = CertificateDer::from(certificate.to_vec());
            roots.add(certificate).map_err(|_| HttpError::Root { index })?;
        }
        Ok(Self::assemble(self.limits, Arc::new(roots), self.plain_http, self.addresses))
    }

    /// This client with exactly these trust anchors, and an empty pool.
    #[must_use]
    pub fn with_root_store(self, roots: RootCertStore) -> Self {
        Self::assemble(self.limits, Arc::new(roots), self.plain_http, self.addresses)
    }

    /// This client with plain `http` allowed or refused, and an empty pool.
    #[must_use]
    pub fn with_plain_http(self, plain_http: PlainHttp) -> Self {
        Self::assemble(self.limits, self.roots, plain_http, self.addresses)
    }

    /// This client connecting to these addresses only, and an empty pool.
    #[must_use]
    pub fn with_addresses(self, addresses: Addresses) -> Self {
        Self::assemble(self.limits, self.roots, self.plain_http, addresses)
    }

    fn assemble(
        limits: HttpLimits,
        roots: Arc<RootCertStore>,
        plain_http: PlainHttp,
        addresses: Addresses,
    ) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver::new(addresses));
        tcp.set_nodelay(true);
        let plain = Connecting::new(tcp.clone(), limits.connect);
        tcp.enforce_http(false);
        let tls = HttpsConnectorBuilder::new()
            .with_tls_config(tls_config(&roots))
            .https_only()
            .enable_all_versions()
            .wrap_connector(tcp);
        let secure = Connecting::new(tls, limits.connect);
        Self {
            limits,
            roots,
            plain_http,
            addresses,
            secure: pool().build(secure),
            plain: pool().http2_only(plain_http == PlainHttp::Http2PriorKnowledge).build(plain),
        }
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = self.answer(request.map(BodyStream::whole)).await?.into_parts();
        let body = body::read(body, self.limits.body_bytes).await?;
        Ok(Response::from_parts(head, body))
    }

    async fn answer(&self, mut request: Request<BodyStream>) -> Result<Response<Incoming>, HttpError> {
        let identity = HeaderValue::from_static("identity");
        request.headers_mut().entry(header::ACCEPT_ENCODING).or_insert(identity);
        let scheme = request.uri().scheme().cloned().ok_or(HttpError::Uri)?;
        // A host that is an address is never resolved.
        if !request.uri().host().is_some_and(|host| self.addresses.allow_host(host)) {
            return Err(HttpError::Address);
        }
        let answer = if scheme == Scheme::HTTPS {
            self.secure.request(request).await
        } else if scheme != Scheme::HTTP {
            return Err(HttpError::Uri);
        } else if self.plain_http == PlainHttp::Refused {
            return Err(HttpError::PlainHttp);
        } else {
            self.plain.request(request).await
        };
        answer.map_err(|error| HttpError::from_client(&error))
    }
}

impl StreamingClient for HyperClient {
    async fn stream(&self, request: Request<BodyStream>) -> Result<Response<BodyStream>, HttpError> {
        let (taken, pause) = (request.body().taken(), self.limits.pause);
        let mut answering = pin!(self.answer(request));
        let mut seen = 0;
        let answer = loop {
            match tokio::time::timeout(pause, answering.as_mut()).await {
                Ok(answer) => break answer?,
                // As long as the request's body goes on, the peer has not paused.
                Err(_) => match taken.load(Ordering::Relaxed) {
                    now if now > seen => seen = now,
                    _ => return Err(HttpError::Timeout),
                },
            }
        };
        let body = |body: Incoming| BodyStream::new(body.map_err(|error| HttpError::from_body(&error)));
        Ok(answer.map(|incoming| body(incoming).with_pause(pause)))
    }
}

impl HttpClient for HyperClient {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        match tokio::time::timeout(self.limits.total, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::Timeout),
        }
    }
}

impl fmt::Debug for HyperClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperClient")
            .field("limits", &self.limits)
            .field("plain_http", &self.plain_http)
            .field("addresses", &self.addresses)
            .field("roots", &self.roots.len())
            .finish_non_exhaustive()
    }
}

/// How many bytes of head a peer may send.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How many idle connections stay open for each host, and how long.
const IDLE_PER_HOST: usize = 8;
const IDLE_TIME: Duration = Duration::from_secs(60);

fn pool() -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIME)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .http1_max_buf_size(HEAD_BYTES_MAX)
        .http2_max_header_list_size(16 * 1024)
        // Only a request that hyper never began to write is tried on another connection.
        .retry_canceled_requests(true);
    builder
}

#[expect(clippy::expect_used, reason = "the named provider has cipher suites for both default versions")]
fn tls_config(roots: &Arc<RootCertStore>) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider supports TLS 1.2 and 1.3")
        .with_root_certificates(Arc::clone(roots))
        .with_no_client_auth()
}
