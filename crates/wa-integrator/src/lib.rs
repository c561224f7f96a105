//! The third party's server: its signing key, its published keys and its users' identity tokens (seed §1.3).
//!
//! WhatsApp verifies who a third party's user is by a token that the third party's server signed, against
//! keys that the server publishes. This crate is that server, as a library and as the program
//! `wa-integrator`. It serves, below the integrator's base URL:
//!
//! | request | answer |
//! |---|---|
//! | `GET`, `HEAD /.well-known/oauth/openid/jwks` | the public keys ([`KeySet`]) |
//! | `POST /token` | a new token for the user whom an [`Authenticator`] recognised |
//!
//! [`Integrator`] is a `tower::Service` and needs no socket; [`Server`] listens.
//!
//! ```
//! use http::Request;
//! use tower::Service as _;
//! use wa_integrator::{BaseUrl, Clock, Integrator, SharedSecret, SigningKey, TokenIssuer};
//! use wa_profile::Profile;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), wa_integrator::IntegratorError> {
//! let rules = Profile::default().token;
//! let base_url: BaseUrl = "https://integrator.example".parse()?;
//! let issuer = TokenIssuer::new(SigningKey::generate()?, base_url, &rules, rules.lifetime_max)?;
//! let authenticator = SharedSecret::new([7; 32], rules.user_identifier_chars_max);
//! let mut integrator = Integrator::new(issuer, authenticator, Clock::system());
//!
//! let mut request = Request::new(());
//! *request.uri_mut() = http::Uri::from_static("/.well-known/oauth/openid/jwks");
//! request.headers_mut().insert("host", http::HeaderValue::from_static("integrator.example"));
//! let Ok(response) = integrator.call(request).await;
//! assert_eq!(response.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! # How a user asks for a token
//!
//! The service's own backend knows its logged-in users; this server does not. The two share a secret of 32
//! bytes, and the backend gives its user a credential that is good for one identifier and a short time. The
//! user's client sends it as `Authorization: Bearer <credential>` to `POST /token`. See [`SharedSecret`] for
//! the format and an example; another [`Authenticator`] replaces it whole.

mod authenticator;
mod base_url;
mod clock;
mod error;
mod host;
mod jose;
mod jwks;
mod key_file;
mod preface;
mod private_file;
mod serve;
mod service;
mod shared_secret;
mod token;
mod user_identifier;

pub use authenticator::{Authenticator, Principal};
pub use base_url::BaseUrl;
pub use clock::Clock;
pub use error::{
    AuthenticationError, BaseUrlError, IntegratorError, KeyError, PrivateFileError, ServeError, TokenError,
    UserIdentifierError,
};
pub use jose::SigningKey;
pub use jwks::{KeySet, PublicKey};
pub use key_file::DataDirectory;
pub use serve::{ConnectionLimits, Server};
pub use service::Integrator;
pub use shared_secret::SharedSecret;
pub use token::{Token, TokenIssuer};
pub use user_identifier::UserIdentifier;
