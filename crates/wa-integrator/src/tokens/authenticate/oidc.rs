//! Users who show a token of the service's own identity provider (OpenID Connect Core §2, RFC 9068).

use std::time::Duration;

use async_trait::async_trait;
use http::request::Parts;
use wa_jwt::{KeyCache, RemoteRefusal, RemoteVerifier, TokenVerifier};

use crate::tokens::{AuthenticationError, Authenticator, Principal, bearer};
use crate::value::UserIdentifier;

/// Recognises users by an ID or access token of one issuer, sent as `Authorization: Bearer`.
///
/// RS256 only; the issuer and the audience are compared byte by byte, the keys come from one URL, nothing is
/// discovered. The user identifier is one claim, `sub` unless another is named.
#[derive(Debug)]
pub struct Oidc {
    verifier: RemoteVerifier,
    claim: String,
    user_identifier_chars_max: usize,
}

impl Oidc {
    /// Takes tokens of `issuer` for `audience` that a key of `keys` signed, living at most `lifetime_max`, for
    /// identifiers of at most this many characters.
    #[must_use]
    pub fn new(
        keys: KeyCache,
        issuer: &str,
        audience: &str,
        lifetime_max: Duration,
        user_identifier_chars_max: usize,
    ) -> Self {
        let verifier = TokenVerifier::new(issuer, audience, lifetime_max).with_access_tokens();
        let verifier = RemoteVerifier::new(verifier, keys);
        Self { verifier, claim: "sub".to_owned(), user_identifier_chars_max }
    }

    /// This authenticator with another claim for the user identifier.
    #[must_use]
    pub fn with_claim(mut self, claim: &str) -> Self {
        claim.clone_into(&mut self.claim);
        self
    }

    async fn user(&self, request: &Parts, now: u64) -> Result<Principal, AuthenticationError> {
        let claims =
            self.verifier.verify(bearer(&request.headers)?, now).await.map_err(|refusal| match refusal {
                RemoteRefusal::Token(refusal) => refusal.into(),
                RemoteRefusal::Unavailable => AuthenticationError::Unavailable,
            })?;
        let user = claims.text(&self.claim).ok_or(AuthenticationError::Malformed)?;
        Ok(Principal::new(UserIdentifier::new(user, self.user_identifier_chars_max)?))
    }
}

#[async_trait]
impl Authenticator for Oidc {
    async fn authenticate(&self, request: &Parts, now: u64) -> Result<Principal, AuthenticationError> {
        self.user(request, now).await
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{Request, Response, Uri, header};
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    use serde_json::{Value, json};

    use wa_http::{HttpClient, HttpError};
    use wa_jwt::{KeyCacheRules, TokenRefusal};

    use super::*;
    use crate::keys::{SigningKey, rs256};
    use crate::value::UserIdentifierError;

    const NOW: u64 = 1_700_000_000;

    struct Provider(Option<String>);

    impl HttpClient for Provider {
        async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
            let body = self.0.clone().ok_or(HttpError::Timeout)?;
            Ok(Response::builder().header("content-type", "application/json").body(body.into()).unwrap())
        }
    }

    fn key() -> &'static SigningKey {
        static KEY: std::sync::OnceLock<SigningKey> = std::sync::OnceLock::new();
        KEY.get_or_init(|| SigningKey::generate().unwrap())
    }

    fn oidc(up: bool) -> Oidc {
        let public = key().public_key();
        let set = json!({"keys": [{"kty": "RSA", "kid": "k", "n": public.n(), "e": public.e()}]});
        let url = Uri::from_static("https://id.example/jwks");
        let keys = KeyCache::new(Provider(up.then(|| set.to_string())), url, KeyCacheRules::default(), rs256);
        Oidc::new(keys, "https://id.example", "our-service", Duration::from_secs(3600), 40)
    }

    fn request(kid: &str, claims: &Value) -> Parts {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(kid.to_owned());
        let pem = EncodingKey::from_rsa_pem(&key().to_pem()).unwrap();
        let token = jsonwebtoken::encode(&header, claims, &pem).unwrap();
        let request = Request::builder().header(header::AUTHORIZATION, format!("Bearer {token}"));
        request.body(()).unwrap().into_parts().0
    }

    fn claims() -> Value {
        json!({"iss": "https://id.example", "aud": "our-service", "iat": NOW, "exp": NOW + 300,
            "sub": "alice", "preferred_username": "alice421", "groups": [1]})
    }

    async fn recognised(oidc: &Oidc, request: &Parts) -> Result<String, AuthenticationError> {
        let user = oidc.authenticate(request, NOW).await?;
        Ok(user.user_identifier().as_str().to_owned())
    }

    #[tokio::test]
    async fn a_token_of_the_provider_names_the_user() {
        assert_eq!(recognised(&oidc(true), &request("k", &claims())).await, Ok("alice".to_owned()));
        let other = oidc(true).with_claim("preferred_username");
        assert_eq!(recognised(&other, &request("k", &claims())).await, Ok("alice421".to_owned()));
    }

    #[tokio::test]
    async fn every_other_token_is_refused() {
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            request("k", &claims)
        };
        for (request, error) in [
            (request("other", &claims()), TokenRefusal::UnknownKey.into()),
            (with("iss", json!("https://id.example/")), TokenRefusal::Issuer.into()),
            (with("aud", json!("other-service")), TokenRefusal::Audience.into()),
            (with("exp", json!(NOW - 60)), TokenRefusal::Expired.into()),
            (with("sub", json!(1)), AuthenticationError::Malformed),
            (with("sub", json!("")), UserIdentifierError::Empty.into()),
            (with("sub", json!("x".repeat(41))), UserIdentifierError::TooLong { max: 40 }.into()),
            (Request::new(()).into_parts().0, AuthenticationError::Missing),
        ] {
            assert_eq!(recognised(&oidc(true), &request).await, Err(error));
        }
        let down = recognised(&oidc(false), &request("k", &claims())).await;
        assert_eq!(down, Err(AuthenticationError::Unavailable));
    }
}
