//! Somebody else's tokens: WhatsApp's on a push, an identity provider's (overview §3.2.2; RFC 7519, RFC 8725).

use std::time::Duration;

use serde_json::{Map, Value};

use crate::compact::CompactToken;
use crate::error::TokenRefusal;
use crate::key_set::ForeignKeySet;

/// What a token of one issuer must say.
///
/// Checks, in this order: lengths and form, the header, the key's name, the signature, the claims. Only RS256;
/// dates in whole seconds, a fraction is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenVerifier {
    issuer: String,
    audience: String,
    lifetime_max: Duration,
    skew: Duration,
    types: &'static [&'static str],
}

/// The claims of a token that was verified.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VerifiedClaims(Map<String, Value>);

impl TokenVerifier {
    /// Takes tokens of this issuer for this audience, both compared byte by byte, that live at most
    /// `lifetime_max`; clocks may differ by a minute.
    #[must_use]
    pub fn new(issuer: &str, audience: &str, lifetime_max: Duration) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            lifetime_max,
            skew: Duration::from_secs(60),
            types: &["jwt"],
        }
    }

    /// This verifier with another tolerance for clocks, at most five minutes.
    #[must_use]
    pub fn with_skew(mut self, skew: Duration) -> Self {
        self.skew = skew.min(SKEW_MAX);
        self
    }

    /// This verifier, taking also the type of OAuth 2.0 access tokens (RFC 9068).
    #[must_use]
    pub const fn with_access_tokens(mut self) -> Self {
        self.types = &["jwt", "at+jwt", "application/at+jwt"];
        self
    }

    /// The claims of a token that one of these keys signed, at `now` in Unix seconds.
    ///
    /// # Errors
    /// [`TokenRefusal`], which is for logs: the sender of the token must not learn it.
    pub fn verify(
        &self,
        token: &str,
        keys: &ForeignKeySet,
        now: u64,
    ) -> Result<VerifiedClaims, TokenRefusal> {
        self.verify_compact(&self.parse(token)?, keys, now)
    }

    /// Everything that needs no key.
    pub(crate) fn parse<'t>(&self, token: &'t str) -> Result<CompactToken<'t>, TokenRefusal> {
        let token = CompactToken::parse(token)?;
        match &token.typ {
            Some(typ) if !self.types.contains(&typ.as_str()) => Err(TokenRefusal::Type),
            _ => Ok(token),
        }
    }

    /// Everything that needs one.
    pub(crate) fn verify_compact(
        &self,
        token: &CompactToken<'_>,
        keys: &ForeignKeySet,
        now: u64,
    ) -> Result<VerifiedClaims, TokenRefusal> {
        let key = keys.key(&token.kid).ok_or(TokenRefusal::UnknownKey)?;
        if !key.verifies(token.signed.as_bytes(), &token.signature) {
            return Err(TokenRefusal::Signature);
        }
        let claims = token.claims()?;
        if claims.get("iss").and_then(Value::as_str) != Some(self.issuer.as_str()) {
            return Err(TokenRefusal::Issuer);
        }
        if !self.is_for_us(claims.get("aud")) {
            return Err(TokenRefusal::Audience);
        }
        let claims = VerifiedClaims(claims);
        self.check_dates(&claims, now)?;
        Ok(claims)
    }

    /// `aud` is a text or a list of texts (RFC 7519 §4.1.3); one of them names us.
    fn is_for_us(&self, audience: Option<&Value>) -> bool {
        match audience {
            Some(Value::String(audience)) => *audience == self.audience,
            Some(Value::Array(audiences)) => {
                audiences.iter().all(Value::is_string) && audiences.iter().any(|one| *one == *self.audience)
            }
            _ => false,
        }
    }

    /// The part of the verdict that changes with time.
    pub(crate) fn check_dates(
        &self,
        VerifiedClaims(claims): &VerifiedClaims,
        now: u64,
    ) -> Result<(), TokenRefusal> {
        let expires_at = date(claims, "exp")?.ok_or(TokenRefusal::Date)?;
        let issued_at = date(claims, "iat")?.ok_or(TokenRefusal::Date)?;
        let skew = self.skew.as_secs();
        if now >= expires_at.saturating_add(skew) {
            return Err(TokenRefusal::Expired);
        }
        let latest = now.saturating_add(skew);
        if issued_at > latest || date(claims, "nbf")?.is_some_and(|not_before| not_before > latest) {
            return Err(TokenRefusal::NotYetValid);
        }
        match expires_at.checked_sub(issued_at) {
            Some(lifetime) if lifetime <= self.lifetime_max.as_secs() => Ok(()),
            _ => Err(TokenRefusal::Lifetime),
        }
    }
}

impl VerifiedClaims {
    /// The text of a claim, if it is one.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}

const SKEW_MAX: Duration = Duration::from_secs(300);
/// The largest number of seconds that every JSON reader reads exactly.
const DATE_MAX: u64 = 1 << 53;

/// A `NumericDate` (RFC 7519 §2): a number that is no less than zero and no more than 2^53.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "checked range"
)]
fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, TokenRefusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = match (value.as_u64(), value.as_f64()) {
        (Some(seconds), _) => seconds,
        (None, Some(seconds)) if (0.0..=DATE_MAX as f64).contains(&seconds) => seconds as u64,
        _ => return Err(TokenRefusal::Date),
    };
    if seconds > DATE_MAX { Err(TokenRefusal::Date) } else { Ok(Some(seconds)) }
}

#[cfg(test)]
mod differential;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod wycheproof;
