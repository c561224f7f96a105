//! Push notifications: WhatsApp wakes the third party's server (overview §3.2.1, §3.2.2; RO 1.0.3).

use std::time::Duration;

/// What a push request looks like and who signs it.
///
/// The body is `{"to": user identifier}`; the token is an RS256 JWT in `Authorization: Bearer`. The
/// overview's sample header reads HS256, but its signature has the 256 bytes of an RSA-2048 key, so only
/// RS256 is right.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Push {
    /// The `iss` claim of WhatsApp's tokens (overview §3.2.2; RO 1.0.3).
    pub issuer: String,
    /// The longest `exp - iat` of such a token (overview §3.2.2; RO 1.0.3: exactly 3600 s in the sample).
    #[cfg_attr(feature = "file", serde(with = "crate::file::duration"))]
    pub lifetime_max: Duration,
    /// The path below the integrator's base URL (overview §3.2.2; RO 1.0.3).
    pub path: String,
    /// Where WhatsApp publishes its keys (overview §3.2.2; no `www`).
    pub whatsapp_jwks_url: String,
    /// Whether the audience is the base URL without its trailing slash.
    ///
    /// Assumed: the sample's base URL has no path, so it does not show what happens to one.
    pub audience_without_trailing_slash: bool,
}

impl Default for Push {
    fn default() -> Self {
        Self {
            issuer: "WHATSAPP".to_owned(),
            lifetime_max: Duration::from_secs(60 * 60),
            path: "/push".to_owned(),
            whatsapp_jwks_url: "https://whatsapp.com/.well-known/jwks".to_owned(),
            audience_without_trailing_slash: true,
        }
    }
}

impl Push {
    /// The `aud` claim a push to the integrator at `base_url` carries.
    #[must_use]
    pub fn audience<'a>(&self, base_url: &'a str) -> &'a str {
        if self.audience_without_trailing_slash {
            return base_url.strip_suffix('/').unwrap_or(base_url);
        }
        base_url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audience_follows_the_switch() {
        let mut push = Push::default();
        assert_eq!(push.audience("https://integrator.com"), "https://integrator.com");
        assert_eq!(push.audience("https://foobar.com/whatsapp/"), "https://foobar.com/whatsapp");
        push.audience_without_trailing_slash = false;
        assert_eq!(push.audience("https://foobar.com/whatsapp/"), "https://foobar.com/whatsapp/");
    }
}
