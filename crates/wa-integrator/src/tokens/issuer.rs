//! Identity tokens: RS256 JWTs that WhatsApp checks when a user enlists and connects (overview §1.2.2, §1.3).

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_core::CryptoRng;
use serde::Serialize;
use wa_profile::TokenRules;

use crate::keys::SigningKey;
use crate::tokens::{Principal, TokenError};
use crate::value::BaseUrl;

/// Issues identity tokens: one base URL, one lifetime; the key comes with each.
#[derive(Debug)]
pub struct TokenIssuer {
    base_url: BaseUrl,
    rules: TokenRules,
    lifetime_seconds: u64,
}

/// An issued identity token. It is all that it takes to be the user; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    text: String,
    expires_at: u64,
}

impl TokenIssuer {
    /// The issuer for the integrator at `base_url`, whose tokens live `lifetime`, counted in whole seconds.
    ///
    /// # Errors
    /// [`TokenError::Lifetime`] outside one second to the profile's longest.
    pub fn new(base_url: BaseUrl, rules: &TokenRules, lifetime: Duration) -> Result<Self, TokenError> {
        let max_seconds = rules.lifetime_max.as_secs();
        let lifetime_seconds = lifetime.as_secs();
        if lifetime_seconds == 0 || lifetime > rules.lifetime_max {
            return Err(TokenError::Lifetime { max_seconds });
        }
        Ok(Self { base_url, rules: rules.clone(), lifetime_seconds })
    }

    /// A new token for this user, signed with `key` at `now` in Unix seconds. Takes about a millisecond of CPU.
    ///
    /// The header is exactly `{"kid", "alg", "typ"}` in this order, the claims `iss` (the base URL), `sub` (the
    /// user identifier), `aud`, `iat`, `exp` and `jti` (128 random bits); dates are whole numbers. What the
    /// claims are is assumed, see [`TokenRules`].
    ///
    /// # Errors
    /// [`TokenError::Clock`] at time 0 or past the end of time, [`TokenError::TooLong`], [`TokenError::Key`].
    pub fn issue(
        &self,
        key: &SigningKey,
        principal: &Principal,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Token, TokenError> {
        let expires_at =
            now.checked_add(self.lifetime_seconds).filter(|_| now > 0).ok_or(TokenError::Clock)?;
        let mut jti = [0; 16];
        rng.fill_bytes(&mut jti);
        let header = Header { kid: key.public_key().kid(), alg: "RS256", typ: "JWT" };
        let claims = Claims {
            iss: self.base_url.as_str(),
            sub: principal.user_identifier().as_str(),
            aud: &self.rules.audience,
            iat: now,
            exp: expires_at,
            jti: &URL_SAFE_NO_PAD.encode(jti),
        };
        let mut text = format!("{}.{}", part(&header), part(&claims));
        let signature = key.sign(text.as_bytes())?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        if text.len() > self.rules.bytes_max {
            return Err(TokenError::TooLong { max: self.rules.bytes_max });
        }
        Ok(Token { text, expires_at })
    }

    /// The integrator's base URL, the tokens' issuer.
    #[must_use]
    pub const fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    /// The path of the published keys below the base URL.
    #[must_use]
    pub fn jwks_path(&self) -> &str {
        &self.rules.jwks_path
    }
}

impl Token {
    /// The token's text: three parts of base64url joined by dots.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// When it expires, in Unix seconds.
    #[must_use]
    pub const fn expires_at(&self) -> u64 {
        self.expires_at
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Members in the order they are written; WhatsApp's sample token begins with `kid` (overview §1.2.1).
#[derive(Serialize)]
struct Header<'a> {
    kid: &'a str,
    alg: &'a str,
    typ: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
    jti: &'a str,
}

#[expect(clippy::expect_used, reason = "structs of strings and whole numbers always serialize")]
fn part(value: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).expect("strings and numbers"))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;
    use wa_profile::Profile;

    use super::*;
    use crate::value::UserIdentifier;

    const NOW: u64 = 1_700_000_000;

    fn issuer(base_url: &str) -> TokenIssuer {
        let rules = Profile::default().token;
        TokenIssuer::new(base_url.parse().unwrap(), &rules, rules.lifetime_max).unwrap()
    }

    fn key() -> &'static SigningKey {
        static KEY: std::sync::OnceLock<SigningKey> = std::sync::OnceLock::new();
        KEY.get_or_init(|| SigningKey::generate().unwrap())
    }

    fn principal(text: &str) -> Principal {
        Principal::new(UserIdentifier::new(text, 40).unwrap())
    }

    fn decoded(part: &str) -> String {
        String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn header_and_claims_are_exactly_these() {
        let issuer = issuer("https://integrator.com/");
        let token = issuer.issue(key(), &principal("ali\"ce"), NOW, &mut StdRng::seed_from_u64(1)).unwrap();
        let parts: Vec<&str> = token.as_str().split('.').collect();
        let kid = key().public_key().kid();
        assert_eq!(decoded(parts[0]), format!(r#"{{"kid":"{kid}","alg":"RS256","typ":"JWT"}}"#));
        let claims = decoded(parts[1]);
        let (before, jti) = claims.split_once(r#","jti":""#).unwrap();
        assert_eq!(
            before,
            r#"{"iss":"https://integrator.com","sub":"ali\"ce","aud":"https://whatsapp.com","iat":1700000000,"exp":1700003600"#
        );
        assert_eq!(jti.len(), 22 + 2, "128 bits in base64url, then the closing quote and brace");
        assert_eq!((parts.len(), token.expires_at()), (3, NOW + 3600));
    }

    #[test]
    fn two_tokens_of_one_moment_differ() {
        let issuer = issuer("https://integrator.com");
        let mut rng = StdRng::seed_from_u64(1);
        let one = issuer.issue(key(), &principal("alice"), NOW, &mut rng).unwrap();
        assert_ne!(one, issuer.issue(key(), &principal("alice"), NOW, &mut rng).unwrap());
    }

    #[test]
    fn the_longest_names_fit() {
        let base_url = format!("https://integrator.com/{}", "x".repeat(1000));
        let token =
            issuer(&base_url).issue(key(), &principal(&"🦊".repeat(40)), NOW, &mut StdRng::seed_from_u64(1));
        assert!(token.unwrap().as_str().len() <= 4096);
    }

    #[test]
    fn what_cannot_be_issued() {
        let mut issuer = issuer("https://integrator.com");
        let mut rng = StdRng::seed_from_u64(1);
        assert_eq!(issuer.issue(key(), &principal("alice"), 0, &mut rng), Err(TokenError::Clock));
        assert_eq!(issuer.issue(key(), &principal("alice"), u64::MAX, &mut rng), Err(TokenError::Clock));
        issuer.rules.bytes_max = 500;
        assert_eq!(
            issuer.issue(key(), &principal("alice"), NOW, &mut rng),
            Err(TokenError::TooLong { max: 500 })
        );
    }

    #[test]
    fn lifetimes_are_bounded() {
        let rules = Profile::default().token;
        let with = |lifetime| {
            TokenIssuer::new("https://integrator.com".parse().unwrap(), &rules, lifetime).map(|_| ())
        };
        let refused = Err(TokenError::Lifetime { max_seconds: 3600 });
        assert_eq!(with(Duration::from_millis(999)), refused);
        assert_eq!(with(Duration::from_secs(1)), Ok(()));
        assert_eq!(with(Duration::from_secs(3600)), Ok(()));
        assert_eq!(with(Duration::from_millis(3_600_001)), refused);
    }

    #[test]
    fn debug_does_not_show_it() {
        let token = Token { text: "secret".to_owned(), expires_at: NOW };
        assert_eq!(format!("{token:?}"), "Token { expires_at: 1700000000, .. }");
    }
}
