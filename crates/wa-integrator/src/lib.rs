//! The third party's server: its keys, its users' identity tokens, WhatsApp's wake-ups (seed §1.3, §3.2.2).
//!
//! WhatsApp verifies who a third party's user is by a token that the third party's server signed, against
//! keys that the server publishes. This crate is that server, as a library and as the program
//! `wa-integrator`. It serves, below the integrator's base URL:
//!
//! | request | answer |
//! |---|---|
//! | `GET`, `HEAD /.well-known/oauth/openid/jwks` | the public keys ([`KeySet`]) |
//! | `POST /token` | a new token for the user whom an [`Authenticator`] recognised |
//! | `POST /push` | 200 once WhatsApp's wake-up is stored ([`Push`]); the [`Outbox`] brings it to its [`PushSink`]s |
//! | `POST /media`, `GET`, `HEAD`, `DELETE /{storage_reference}` | hosted media ([`MediaHost`]) |
//!
//! [`Integrator`] is a `tower::Service` and needs no socket; [`Server`] listens.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Empty;
//! use tower::Service as _;
//! use wa_integrator::{BaseUrl, Clock, Integrator, Keys, SharedSecret, SigningKey, TokenIssuer};
//! use wa_profile::Profile;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), wa_integrator::IntegratorError> {
//! let rules = Profile::default().token;
//! let base_url: BaseUrl = "https://integrator.example".parse()?;
//! let issuer = TokenIssuer::new(base_url, &rules, rules.lifetime_max)?;
//! let keys = Keys::fixed(SigningKey::generate()?);
//! let authenticator = SharedSecret::new([7; 32], rules.user_identifier_chars_max);
//! let mut integrator = Integrator::new(issuer, keys, authenticator, Clock::system());
//!
//! let mut request = Request::new(Empty::<Bytes>::new());
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
//! the format and an example. Or a proxy in front has authenticated the user ([`TrustedProxy`]), or the user shows a
//! token of the service's own identity provider ([`Oidc`]); another [`Authenticator`] replaces them whole.
//!
//! # Keys
//!
//! [`Keyring`] says which key signs and which are published, [`KeyKeeper`] keeps it in a [`Store`] and does what is
//! due, [`Keys`] is what requests see of it. Without a store, [`Keys::fixed`] is one key for ever.

mod admin;
mod answer;
mod authenticator;
mod base_url;
mod bearer;
mod body;
mod client_address;
mod clock;
mod compact_token;
mod data_directory;
mod drain;
mod error;
mod foreign_keys;
mod health;
mod host;
mod jose;
mod jwks;
mod key_cache;
mod keyring;
mod keys;
mod master_key;
mod media;
mod network;
mod oidc;
mod outbox;
mod preface;
mod private_file;
mod push;
mod push_request;
mod rate;
mod readiness;
mod request_id;
mod serve;
mod service;
mod shared_secret;
mod sink;
mod store;
mod strict_json;
mod tls;
mod token;
mod token_verifier;
mod trusted_proxy;
mod user_identifier;
mod users;
mod vitals;

pub use admin::Admin;
pub use authenticator::{Authenticator, BuiltIn, Principal};
pub use base_url::BaseUrl;
pub use body::AnswerBody;
pub use client_address::{ClientAddress, ForwardedFor};
pub use clock::Clock;
pub use data_directory::DataDirectory;
pub use drain::Drain;
pub use error::{
    AuthenticationError, BaseUrlError, BodyError, ClockError, FetchError, IntegratorError, KeyError,
    KeySetError, KeyUnusable, KeyringError, PrivateFileError, PushRequestError, ServeError, SinkError,
    StoreError, TlsError, TokenError, TokenRefusal, UserIdentifierError,
};
pub use foreign_keys::ForeignKeySet;
pub use health::Health;
pub use jose::SigningKey;
pub use jwks::{KeySet, PublicKey};
pub use key_cache::{KeyCache, KeyCacheRules, KeyCacheStatus};
pub use keyring::{KeyEntry, KeyRules, KeyState, Keyring, NEXT_KEYS, PUBLISHED_MAX};
pub use keys::{KeyKeeper, Keys};
pub use master_key::MasterKey;
#[cfg(feature = "s3")]
pub use media::S3Bucket;
pub use media::{
    Blobs, ByteRange, Findings, MediaHost, MediaIndex, MediaQuota, MediaRules, StorageReference, Swept,
};
pub use network::{Network, NetworkError};
pub use oidc::Oidc;
pub use outbox::{DeliveryRules, Outbox};
pub use push::{Push, PushRules, Strangers};
pub use push_request::PushRequest;
pub use readiness::Readiness;
pub use request_id::RequestId;
pub use serve::{ConnectionLimits, ProxyProtocol, Server};
pub use service::{Answer, Integrator, PeerAddress};
pub use shared_secret::SharedSecret;
#[cfg(feature = "nats")]
pub use sink::NatsSink;
pub use sink::{ChannelSink, Delivery, PushSink, Webhook};
pub use store::{
    BuiltInStore, Counts, KeyTable, MemoryStore, NewWakeUp, Outcome, Put, SqliteStore, Store, StoredKey,
    WakeUp,
};
#[cfg(feature = "postgres")]
pub use store::{Imported, PostgresAddress, PostgresStore};
pub use tls::{Tls, TlsFiles};
pub use token::{Token, TokenIssuer};
pub use token_verifier::{TokenVerifier, VerifiedClaims};
pub use trusted_proxy::TrustedProxy;
pub use user_identifier::UserIdentifier;
pub use vitals::{Vitals, describe_metrics};
