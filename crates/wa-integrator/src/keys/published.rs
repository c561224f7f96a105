//! The published keys: `GET /.well-known/oauth/openid/jwks` (overview §1.3; RFC 7517, RFC 7638).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::HeaderValue;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// The public half of a signing key: what the JWKS says of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey {
    n: String,
    e: String,
    kid: String,
}

/// The published key set, ready to send, with its entity tag.
///
/// Each key has exactly the members `kid`, `kty`, `alg`, `use`, `n` and `e`; nothing of a private half can
/// get in, since the set is made from [`PublicKey`]s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    body: Bytes,
    etag: HeaderValue,
    cache_control: HeaderValue,
}

impl PublicKey {
    /// The RSA key with this modulus and exponent, each big-endian without leading zeros in base64url without
    /// padding, named by its RFC 7638 thumbprint.
    pub(crate) fn new(n: &str, e: &str) -> Self {
        Self { n: n.to_owned(), e: e.to_owned(), kid: thumbprint(n, e) }
    }

    /// The key's name: 43 characters of base64url.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The modulus, in base64url without padding.
    #[must_use]
    pub fn n(&self) -> &str {
        &self.n
    }

    /// The public exponent, in base64url without padding.
    #[must_use]
    pub fn e(&self) -> &str {
        &self.e
    }
}

impl KeySet {
    /// The set of these keys, in this order.
    #[must_use]
    pub fn new(keys: &[PublicKey]) -> Self {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| {
                json!({"kid": key.kid, "kty": "RSA", "alg": "RS256", "use": "sig", "n": key.n, "e": key.e})
            })
            .collect();
        let body = json!({ "keys": keys }).to_string();
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(&body)));
        let cache_control = cache_control(REFRESH_MAX);
        Self { body: Bytes::from(body), etag: header_value(&etag), cache_control }
    }

    /// This set for clients that may hold a copy for at most this long, see [`cache_control`](Self::cache_control).
    #[must_use]
    pub fn with_refresh_max(mut self, refresh_max: Duration) -> Self {
        self.cache_control = cache_control(refresh_max);
        self
    }

    /// The JSON document.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// The strong entity tag of the document, with its quotes (RFC 9110 §8.8.3).
    #[must_use]
    pub const fn etag(&self) -> &HeaderValue {
        &self.etag
    }

    /// The `Cache-Control` that is sent with it (RFC 9111 §5.2, RFC 5861 §4).
    ///
    /// Fresh for five minutes, so that nobody asks every second; usable for as long as keys are published before
    /// they sign while this server cannot be reached. A cache that keeps to it never holds a copy that lacks a key
    /// which signs.
    #[must_use]
    pub const fn cache_control(&self) -> &HeaderValue {
        &self.cache_control
    }
}

/// How long clients take a copy for fresh.
const MAX_AGE: Duration = Duration::from_secs(300);
/// How long a copy may be held where nobody says otherwise.
const REFRESH_MAX: Duration = Duration::from_secs(24 * 60 * 60);

fn cache_control(refresh_max: Duration) -> HeaderValue {
    let max_age = MAX_AGE.min(refresh_max);
    let stale = refresh_max.saturating_sub(max_age).as_secs();
    header_value(&format!("public, max-age={}, stale-if-error={stale}", max_age.as_secs()))
}

#[expect(clippy::expect_used, reason = "digits, letters, quotes and spaces are a header's value")]
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("visible characters")
}

/// RFC 7638 §3: the SHA-256 of the required members in lexicographic order.
fn thumbprint(n: &str, e: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["{\"e\":\"", e, "\",\"kty\":\"RSA\",\"n\":\"", n, "\"}"] {
        hash.update(part);
    }
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7638 §3.1.
    const RFC_7638_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    #[test]
    fn the_name_is_the_rfc_7638_thumbprint() {
        let key = PublicKey::new(RFC_7638_N, "AQAB");
        assert_eq!(key.kid(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn the_document_has_these_members_only() {
        let key = PublicKey::new("AQ", "AQAB");
        let kid = key.kid().to_owned();
        let document: serde_json::Value = serde_json::from_slice(&KeySet::new(&[key]).body()).unwrap();
        let expected = format!(
            r#"{{"keys":[{{"kid":"{kid}","kty":"RSA","alg":"RS256","use":"sig","n":"AQ","e":"AQAB"}}]}}"#
        );
        assert_eq!(document, serde_json::from_str::<serde_json::Value>(&expected).unwrap());
    }

    #[test]
    fn nobody_who_keeps_to_it_holds_a_copy_for_too_long() {
        let set = KeySet::new(&[]);
        for (seconds, expected) in [
            (86_400, "public, max-age=300, stale-if-error=86100"),
            (300, "public, max-age=300, stale-if-error=0"),
            (60, "public, max-age=60, stale-if-error=0"),
        ] {
            let set = set.clone().with_refresh_max(Duration::from_secs(seconds));
            assert_eq!(set.cache_control(), expected);
        }
        assert_eq!(set.cache_control(), "public, max-age=300, stale-if-error=86100");
    }

    #[test]
    fn entity_tags_follow_the_content() {
        let one = KeySet::new(&[PublicKey::new("AQ", "AQAB")]);
        let other = KeySet::new(&[PublicKey::new("Ag", "AQAB")]);
        assert_ne!(one.etag(), other.etag());
    }
}
