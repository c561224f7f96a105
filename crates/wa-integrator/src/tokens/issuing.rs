//! Issuing tokens to recognised users: `POST {base}/token` (overview §1.3).

use std::num::{NonZero, NonZeroU32};
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use tokio::sync::Semaphore;

use crate::keys::{Keys, SigningKey};
use crate::tokens::{
    AuthenticationError, Authenticator, KnownUsers, Principal, Token, TokenError, TokenIssuer,
};
use crate::value::answers::{challenged, empty, is_longer, json, not_allowed, retry_later, unavailable};
use crate::value::{Clock, PerName, StoreError, UserIdentifier};

/// Recognises users, and issues their tokens.
pub(crate) struct Issuing {
    pub(crate) issuer: Arc<TokenIssuer>,
    pub(crate) keys: Keys,
    pub(crate) clock: Clock,
    authenticator: Arc<dyn Authenticator>,
    limit: PerName,
    room: Semaphore,
    signing: Arc<Semaphore>,
    users: Option<KnownUsers>,
}

/// The longest body of a request for a token, which is not read.
const TOKEN_BODY_BYTES_MAX: u64 = 4096;
const CHALLENGE_MISSING: &str = "Bearer realm=\"wa-integrator\"";
const CHALLENGE_REFUSED: &str = "Bearer realm=\"wa-integrator\", error=\"invalid_token\"";
/// How many tokens are being signed or wait to be; beyond that the answer is 503.
const WAITING_MAX: usize = 256;
/// While one ends and the next is being handed over, a processor has others.
const SIGNING_OF_A_PROCESSOR: usize = 4;
const TOKENS_A_MINUTE: NonZeroU32 = NonZeroU32::new(60).expect("not zero");

impl Issuing {
    pub(crate) fn new(
        issuer: TokenIssuer,
        keys: Keys,
        authenticator: Arc<dyn Authenticator>,
        clock: Clock,
    ) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            issuer: Arc::new(issuer),
            keys,
            authenticator,
            limit: PerName::new(TOKENS_A_MINUTE),
            clock,
            room: Semaphore::new(WAITING_MAX),
            signing: Arc::new(Semaphore::new(SIGNING_OF_A_PROCESSOR * processors)),
            users: None,
        }
    }

    pub(crate) fn limit(&mut self, tokens_a_minute: NonZeroU32) {
        self.limit = PerName::new(tokens_a_minute);
    }

    pub(crate) fn remember(&mut self, users: KnownUsers) {
        self.users = Some(users);
    }

    /// The answer to a request for a token.
    pub(crate) async fn answer(&self, request: &Parts) -> Response<Full<Bytes>> {
        if request.method != Method::POST {
            return not_allowed("POST");
        }
        if is_longer(request, TOKEN_BODY_BYTES_MAX) {
            return empty(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let mut response = match self.issue(request).await {
            Ok(token) => {
                metrics::counter!("wa_integrator_tokens_issued_total").increment(1);
                json(&serde_json::json!({"token": token.as_str(), "expires_at": token.expires_at()}))
            }
            Err(response) => response,
        };
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// The user who asks.
    pub(crate) async fn principal(&self, request: &Parts) -> Result<Principal, Response<Full<Bytes>>> {
        let now = self.clock.steady().map_err(|error| not_issued(&error))?;
        self.authenticator.authenticate(request, now).await.map_err(unauthenticated)
    }

    /// Forgets a user; whether there was anything to forget.
    pub(crate) async fn forget(&self, user: &UserIdentifier) -> Result<bool, StoreError> {
        match &self.users {
            Some(users) => users.forget(user).await,
            None => Ok(false),
        }
    }

    /// Recognises the user, and only then spends anything on the request.
    async fn issue(&self, request: &Parts) -> Result<Token, Response<Full<Bytes>>> {
        let principal = self.principal(request).await?;
        let now = self.clock.steady().map_err(|error| not_issued(&error))?;
        let too_often = |seconds| retry_later(StatusCode::TOO_MANY_REQUESTS, seconds);
        self.limit.check(principal.user_identifier().as_str()).map_err(too_often)?;
        let key = self.keys.signer(now).map_err(|error| not_issued(&error))?;
        if let Some(users) = &self.users {
            users.note(principal.user_identifier(), now).await.map_err(|error| not_issued(&error))?;
        }
        self.sign(key, principal, now).await
    }

    /// Signs off the async threads: a bounded number waits, and few sign at a time.
    async fn sign(
        &self,
        key: Arc<SigningKey>,
        principal: Principal,
        now: u64,
    ) -> Result<Token, Response<Full<Bytes>>> {
        let _room = self.room.try_acquire().map_err(|_| unavailable())?;
        let _in_work = InWork::begin();
        let permit = Arc::clone(&self.signing).acquire_owned().await.map_err(|_| unavailable())?;
        let issuer = Arc::clone(&self.issuer);
        let signing = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            issuer.issue(&key, &principal, now, &mut rand::rng())
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

/// A token that is being signed or waits to be, until this is dropped.
struct InWork(metrics::Gauge);

impl InWork {
    fn begin() -> Self {
        let gauge = metrics::gauge!("wa_integrator_tokens_in_work");
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for InWork {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// One answer for every refused credential; which check it failed is only in the log.
fn unauthenticated(error: AuthenticationError) -> Response<Full<Bytes>> {
    if error == AuthenticationError::Unavailable {
        return unavailable();
    }
    metrics::counter!("wa_integrator_credentials_refused_total", "reason" => error.name()).increment(1);
    tracing::debug!(%error, "credential refused");
    let missing = error == AuthenticationError::Missing;
    challenged(StatusCode::UNAUTHORIZED, if missing { CHALLENGE_MISSING } else { CHALLENGE_REFUSED })
}

/// Nothing is wrong with the request.
fn not_issued(error: &dyn std::error::Error) -> Response<Full<Bytes>> {
    tracing::error!(%error, "no token issued");
    unavailable()
}
