//! Tokens: from the integrator as a service's backend gets them, and such as no integrator would sign.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::Full;
use hyper::{Request, StatusCode, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::report::failure::Failure;
use crate::target::environment::Environment;
use crate::target::exchange::{Http, send};

impl Environment {
    /// A token for a user, asked for as the service's own backend would.
    pub(crate) async fn issue(&self, user: &str) -> Result<String, Failure> {
        self.server.token(user).await
    }

    /// What the token endpoint answers to a credential.
    pub(crate) async fn ask_token(&self, credential: Option<&str>) -> Result<(StatusCode, Value), Failure> {
        ask(&self.own()?.token, credential).await
    }

    /// The credential that the backend makes for its logged-in user, as wa-integrator documents it.
    pub(crate) fn credential(&self, user: &str) -> Result<String, Failure> {
        self.own()?.credential(user)
    }

    /// A token with other dates, signed with the integrator's own first key.
    pub(crate) fn dated(&self, user: &str, issued: i64, lifetime: i64) -> Result<String, Failure> {
        self.sign(&EncodingKey::from_rsa_pem(&self.own()?.first_key)?, user, issued, lifetime)
    }

    /// A token in the integrator's name, signed with a stranger's key under the integrator's `kid`.
    pub(crate) fn forged(&self, user: &str) -> Result<String, Failure> {
        let stranger = wa_interop::integrator::SigningKey::generate()?.to_pem();
        self.sign(&EncodingKey::from_rsa_pem(&stranger)?, user, 0, 600)
    }

    /// A token signed with the integrator's key, in the name of somebody whom WhatsApp does not know.
    pub(crate) fn of_stranger(&self, user: &str) -> Result<String, Failure> {
        self.sign_for(
            "https://stranger.example",
            &EncodingKey::from_rsa_pem(&self.own()?.first_key)?,
            user,
            0,
            600,
        )
    }

    fn sign(&self, key: &EncodingKey, user: &str, issued: i64, lifetime: i64) -> Result<String, Failure> {
        self.sign_for(&self.base(), key, user, issued, lifetime)
    }

    fn sign_for(
        &self,
        issuer: &str,
        key: &EncodingKey,
        user: &str,
        issued: i64,
        lifetime: i64,
    ) -> Result<String, Failure> {
        let iat = unix_now().saturating_add_signed(issued);
        let claims = json!({
            "iss": issuer,
            "sub": user,
            "aud": self.rules().profile().token.audience,
            "iat": iat,
            "exp": iat.saturating_add_signed(lifetime),
        });
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.kid()?);
        Ok(jsonwebtoken::encode(&header, &claims, key)?)
    }

    /// The name of the integrator's first key: its RFC 7638 thumbprint, taken from the private key.
    fn kid(&self) -> Result<String, Failure> {
        Ok(wa_interop::integrator::SigningKey::from_pem(&self.own()?.first_key)?
            .public_key()
            .kid()
            .to_owned())
    }
}

/// A token for a user, of the service whose endpoint this is and that shares this secret with its backend.
pub(crate) async fn ask_for_token(url: &str, secret: &[u8], user: &str) -> Result<String, Failure> {
    let (status, body) = ask(url, Some(&credential(secret, user)?)).await?;
    if status != StatusCode::OK {
        return Err(Failure(format!("token endpoint answered {status}")));
    }
    let token = body.get("token").and_then(Value::as_str);
    token.map(str::to_owned).ok_or_else(|| Failure::new("no token in the answer"))
}

pub(crate) async fn ask(url: &str, credential: Option<&str>) -> Result<(StatusCode, Value), Failure> {
    let mut request = Request::post(url);
    if let Some(credential) = credential {
        request = request.header(header::AUTHORIZATION, format!("Bearer {credential}"));
    }
    let response = send(Http::One, request.body(Full::<Bytes>::default())?).await?;
    let body = serde_json::from_slice(response.body()).unwrap_or_default();
    Ok((response.status(), body))
}

pub(crate) fn credential(secret: &[u8], user: &str) -> Result<String, Failure> {
    let text = format!("wau1.{}.{}", URL_SAFE_NO_PAD.encode(user), unix_now() + 60);
    let mac = Hmac::<Sha256>::new_from_slice(secret)?.chain_update(&text).finalize().into_bytes();
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac)))
}

/// Now, in Unix seconds.
#[expect(clippy::disallowed_methods, reason = "the checks are a program of their own")]
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
