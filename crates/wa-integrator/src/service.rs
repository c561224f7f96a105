//! The server's routes as a `tower::Service`: published keys and tokens (seed §1.3).

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use tokio::sync::Semaphore;
use tower::Service;

use crate::{
    AuthenticationError, Authenticator, Clock, KeySet, Principal, Token, TokenError, TokenIssuer, host,
};

/// The third party's server without its sockets; cheap to clone.
///
/// Requests' bodies are never read. Every answer's body is whole; refusals have none. Signing runs on tokio's
/// blocking threads, so the service is called inside a tokio runtime.
///
/// | request | answer |
/// |---|---|
/// | `GET`, `HEAD` of the JWKS path | 200 `application/json` with a strong `ETag`, or 304 |
/// | `POST /token`, recognised | 200 `{"token": text, "expires_at": Unix seconds}`, never cached |
/// | `POST /token`, not recognised | 401 with `WWW-Authenticate: Bearer` |
/// | another method of these | 405 with `Allow` |
/// | another path | 404 |
/// | no host, several, or contradicting ones | 400 |
///
/// The key set is sent as `application/json`, as the OpenID examples have it: every JOSE client takes that,
/// while the registered `application/jwk-set+json` is refused by some.
pub struct Integrator<A> {
    shared: Arc<Shared<A>>,
}

struct Shared<A> {
    issuer: Arc<TokenIssuer>,
    key_set: KeySet,
    authenticator: A,
    clock: Clock,
    signing: Arc<Semaphore>,
}

impl<A: Authenticator> Integrator<A> {
    /// The server that issues with `issuer` to the users `authenticator` recognises, at `clock`'s time.
    #[must_use]
    pub fn new(issuer: TokenIssuer, authenticator: A, clock: Clock) -> Self {
        let key_set = issuer.key_set();
        let signing = Arc::new(Semaphore::new(SIGNING_MAX));
        Self { shared: Arc::new(Shared { issuer: Arc::new(issuer), key_set, authenticator, clock, signing }) }
    }

    /// Where the keys are published.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("{}{}", self.shared.issuer.base_url(), self.shared.issuer.jwks_path())
    }

    /// Where tokens are asked for.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("{}{TOKEN_PATH}", self.shared.issuer.base_url())
    }
}

impl<A, B> Service<Request<B>> for Integrator<A>
where
    A: Authenticator,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        let (head, _) = request.into_parts();
        Box::pin(async move { Ok(shared.answer(&head).await) })
    }
}

impl<A: Authenticator> Shared<A> {
    async fn answer(&self, request: &Parts) -> Response<Full<Bytes>> {
        if !host::is_single(request) {
            return empty(StatusCode::BAD_REQUEST);
        }
        match request.uri.path().strip_prefix(self.issuer.base_url().path()) {
            Some(path) if path == self.issuer.jwks_path() => self.serve_keys(request),
            Some(TOKEN_PATH) => self.serve_token(request).await,
            _ => empty(StatusCode::NOT_FOUND),
        }
    }

    fn serve_keys(&self, request: &Parts) -> Response<Full<Bytes>> {
        if request.method != Method::GET && request.method != Method::HEAD {
            return not_allowed("GET, HEAD");
        }
        let mut tags = request.headers.get_all(header::IF_NONE_MATCH).iter();
        let known = tags.any(|tags| tags.to_str().is_ok_and(|tags| self.key_set.matches(tags)));
        let mut response = empty(if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
        let headers = response.headers_mut();
        if let Ok(etag) = HeaderValue::from_str(self.key_set.etag()) {
            headers.insert(header::ETAG, etag);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(KEYS_CACHE_CONTROL));
        if known {
            return response;
        }
        let body = self.key_set.body();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        if request.method == Method::GET {
            *response.body_mut() = Full::new(body);
        }
        response
    }

    async fn serve_token(&self, request: &Parts) -> Response<Full<Bytes>> {
        if request.method != Method::POST {
            return not_allowed("POST");
        }
        let now = self.clock.now();
        let mut response = match self.authenticator.authenticate(request, now).await {
            Ok(principal) => match self.sign(principal, now).await {
                Ok(token) => granted(&token),
                Err(response) => response,
            },
            Err(error) => unauthenticated(error),
        };
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// Signs off the async threads, a bounded number at a time.
    async fn sign(&self, principal: Principal, now: u64) -> Result<Token, Response<Full<Bytes>>> {
        let Ok(permit) = Arc::clone(&self.signing).try_acquire_owned() else {
            return Err(unavailable());
        };
        let issuer = Arc::clone(&self.issuer);
        let signing = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            issuer.issue(&principal, now, &mut rand::rng())
        });
        match signing.await {
            Ok(Ok(token)) => Ok(token),
            Ok(Err(TokenError::Clock)) => Err(unavailable()),
            Ok(Err(error)) => {
                tracing::error!(%error, "no token issued");
                Err(empty(StatusCode::INTERNAL_SERVER_ERROR))
            }
            Err(_) => Err(empty(StatusCode::INTERNAL_SERVER_ERROR)),
        }
    }
}

impl<A> Clone for Integrator<A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<A> fmt::Debug for Integrator<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Integrator").field("base_url", self.shared.issuer.base_url()).finish_non_exhaustive()
    }
}

const TOKEN_PATH: &str = "/token";
const JSON: &str = "application/json";
/// Long enough that nobody asks every second, short enough that a new key is soon seen.
const KEYS_CACHE_CONTROL: &str = "public, max-age=300";
const CHALLENGE_MISSING: &str = "Bearer realm=\"wa-integrator\"";
const CHALLENGE_REFUSED: &str = "Bearer realm=\"wa-integrator\", error=\"invalid_token\"";
/// How many tokens are being signed or wait to be; beyond that the answer is 503.
const SIGNING_MAX: usize = 256;

fn granted(token: &Token) -> Response<Full<Bytes>> {
    let body = serde_json::json!({"token": token.as_str(), "expires_at": token.expires_at()});
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

/// One answer for every refused credential; which check it failed is only in the log.
fn unauthenticated(error: AuthenticationError) -> Response<Full<Bytes>> {
    if error == AuthenticationError::Unavailable {
        return unavailable();
    }
    tracing::debug!(%error, "credential refused");
    let missing = error == AuthenticationError::Missing;
    let challenge = if missing { CHALLENGE_MISSING } else { CHALLENGE_REFUSED };
    let mut response = empty(StatusCode::UNAUTHORIZED);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

fn unavailable() -> Response<Full<Bytes>> {
    let mut response = empty(StatusCode::SERVICE_UNAVAILABLE);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn not_allowed(allow: &'static str) -> Response<Full<Bytes>> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
