//! Identity tokens the third party issues (overview §1.2.2 "token", §1.3).

use std::time::Duration;

/// What an identity token must say.
///
/// Assumed as a whole: the documents promise standard OpenID with minor modifications and name no claim.
/// The token is an RS256 JWT with `kid` first in its header, `iss` the integrator's base URL, `sub` the user
/// identifier, and integer `iat` and `exp`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct TokenRules {
    /// The `aud` claim. Assumed: the origin that publishes WhatsApp's own keys.
    pub audience: String,
    /// The longest `exp - iat`. Assumed: WhatsApp's own push tokens live exactly this long (overview §3.2.2).
    #[cfg_attr(feature = "file", serde(with = "crate::file::duration"))]
    pub lifetime_max: Duration,
    /// How many bytes the whole token may have (overview §1.2.2: four kilobytes).
    pub bytes_max: usize,
    /// How many characters a user identifier may have, at least one (overview §1.2.2).
    ///
    /// Assumed: "length" counts Unicode code points; each takes one to four bytes of UTF-8.
    pub user_identifier_chars_max: usize,
    /// The path, below the integrator's base URL, of its published keys (overview §1.3).
    pub jwks_path: String,
    /// How old WhatsApp's copy of the published keys may be at most. Assumed: the documents say
    /// "periodically". A new key is published at least this long before it signs.
    #[cfg_attr(feature = "file", serde(with = "crate::file::duration"))]
    pub peer_refresh_max: Duration,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self {
            audience: "https://whatsapp.com".to_owned(),
            lifetime_max: Duration::from_secs(60 * 60),
            bytes_max: 4096,
            user_identifier_chars_max: 40,
            jwks_path: "/.well-known/oauth/openid/jwks".to_owned(),
            peer_refresh_max: Duration::from_secs(24 * 60 * 60),
        }
    }
}
