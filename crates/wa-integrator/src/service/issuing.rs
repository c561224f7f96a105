//! Issuing tokens to recognised users: `POST {base}/token` (seed §1.3).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body_util::Full;

use super::{JSON, RETRY_SECONDS, Shared, empty, not_allowed, retry_later, unauthenticated, unavailable};
use crate::{Authenticator, KeyringError, Principal, SigningKey, Token, TokenError, answer::is_longer};

impl<A: Authenticator> Shared<A> {
    pub(super) async fn serve_token(&self, request: &Parts) -> Response<Full<Bytes>> {
        if request.method != Method::POST {
            return not_allowed("POST");
        }
        if is_longer(request, TOKEN_BODY_BYTES_MAX) {
            return empty(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let mut response = match self.issue(request).await {
            Ok(token) => {
                metrics::counter!("wa_integrator_tokens_issued_total").increment(1);
                granted(&token)
            }
            Err(response) => response,
        };
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// Recognises the user, and only then spends anything on the request.
    async fn issue(&self, request: &Parts) -> Result<Token, Response<Full<Bytes>>> {
        let now = self.clock.steady().map_err(|error| unavailable(&error))?;
        let principal = self.authenticator.authenticate(request, now).await.map_err(unauthenticated)?;
        let too_often = |seconds| retry_later(StatusCode::TOO_MANY_REQUESTS, seconds);
        self.limit.check(principal.user_identifier().as_str()).map_err(too_often)?;
        let key = self.keys.signer(now).map_err(|error: KeyringError| unavailable(&error))?;
        if let Some(users) = &self.users {
            let noted = users.note(principal.user_identifier(), now).await;
            noted.map_err(|error| unavailable(&error))?;
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
        let later = || retry_later(StatusCode::SERVICE_UNAVAILABLE, RETRY_SECONDS);
        let _room = self.room.try_acquire().map_err(|_| later())?;
        let permit = Arc::clone(&self.signing).acquire_owned().await.map_err(|_| later())?;
        let issuer = Arc::clone(&self.issuer);
        let signing = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            issuer.issue(&key, &principal, now, &mut rand::rng())
        });
        match signing.await {
            Ok(Ok(token)) => Ok(token),
            Ok(Err(TokenError::Clock)) => Err(later()),
            Ok(Err(error)) => {
                tracing::error!(%error, "no token issued");
                Err(empty(StatusCode::INTERNAL_SERVER_ERROR))
            }
            Err(_) => Err(empty(StatusCode::INTERNAL_SERVER_ERROR)),
        }
    }
}

/// The longest body of a request for a token, which is not read.
const TOKEN_BODY_BYTES_MAX: u64 = 4096;

fn granted(token: &Token) -> Response<Full<Bytes>> {
    let body = serde_json::json!({"token": token.as_str(), "expires_at": token.expires_at()});
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}
