//! A server with one key, as its program puts it together.

use std::num::NonZeroU32;

use wa_integrator::{Clock, Integrator, Keys, SharedSecret, SigningKey, TokenIssuer, UserIdentifier};
use wa_profile::Profile;

/// Where it publishes its keys.
pub const KEYS_PATH: &str = "/.well-known/oauth/openid/jwks";

/// The user who asks for tokens.
pub const USER: &str = "alice421";

const SECRET: [u8; 32] = [7; 32];

/// A server at this base URL that signs with this key, for as many tokens as anybody likes.
///
/// # Panics
/// If the base URL is none.
pub fn issuing(base_url: &str, key: SigningKey) -> Integrator {
    let rules = Profile::default().token;
    let base_url = base_url.parse().expect("a base url");
    let issuer = TokenIssuer::new(base_url, &rules, rules.lifetime_max).expect("the profile's own lifetime");
    let authenticator = SharedSecret::new(SECRET, rules.user_identifier_chars_max);
    let server = Integrator::new(issuer, Keys::fixed(key), authenticator, Clock::system());
    server.with_tokens_a_minute(NonZeroU32::MAX)
}

/// A user's credential, good for two minutes.
///
/// # Panics
/// Never: the name is a possible one.
pub fn credential() -> String {
    let user = UserIdentifier::new(USER, 40).expect("a user identifier");
    format!("Bearer {}", SharedSecret::new(SECRET, 40).credential(&user, Clock::system().now() + 120))
}
