//! The JSON web token form of the backend's credential (RFC 7519, RFC 7515 §3.1), read from its bytes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use wa_jwt::strict_json;

use crate::tokens::AuthenticationError;

/// A token whose header says HS256; nothing else of it was looked at.
pub(super) struct BackendToken<'t> {
    payload: &'t str,
}

/// For whom it must be: no other use of the secret has tokens for this audience.
const AUDIENCE: &str = "wa-integrator";
/// By how much the backend's clock may be ahead, in seconds.
const SKEW_SECONDS: u64 = 30;
/// Members that change what is signed or how it is read; none is understood.
const CRITICAL: [&str; 5] = ["crit", "b64", "zip", "cty", "enc"];

impl<'t> BackendToken<'t> {
    /// The token of which this is signed: a header and a payload. `None` for what is another form of credential.
    pub(super) fn parse(signed: &'t str) -> Option<Self> {
        let (header, payload) = signed.split_once('.')?;
        let header = strict_json(&URL_SAFE_NO_PAD.decode(header).ok()?)?;
        let algorithm = header.get("alg").and_then(Value::as_str);
        let plain = !CRITICAL.iter().any(|name| header.contains_key(*name));
        (algorithm == Some("HS256") && plain && !payload.contains('.')).then_some(Self { payload })
    }

    /// The user's bytes and the expiry; to be asked for once the MAC was verified.
    pub(super) fn claims(&self, now: u64) -> Result<(Vec<u8>, u64), AuthenticationError> {
        let malformed = AuthenticationError::Malformed;
        let payload = URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| malformed)?;
        let claims = strict_json(&payload).ok_or(malformed)?;
        if claims.get("aud").and_then(Value::as_str) != Some(AUDIENCE) {
            return Err(malformed);
        }
        let user = claims.get("sub").and_then(Value::as_str).ok_or(malformed)?;
        let expiry = date(&claims, "exp")?.ok_or(malformed)?;
        for name in ["nbf", "iat"] {
            if date(&claims, name)?.is_some_and(|at| at > now.saturating_add(SKEW_SECONDS)) {
                return Err(AuthenticationError::Expired);
            }
        }
        Ok((user.as_bytes().to_vec(), expiry))
    }
}

/// A date in whole seconds.
fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, AuthenticationError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or(AuthenticationError::Malformed),
    }
}
