#![doc = include_str!("../README.md")]
//!
//! # In detail
//! The third party's server: its keys, its users' identity tokens, WhatsApp's wake-ups (overview §1.3, §3.2.2).
//!
//! WhatsApp verifies who a third party's user is by a token that the third party's server signed, against
//! keys that the server publishes. This crate is that server as a library; the crate `wa-integrator-server` is the
//! program. It serves, below the integrator's base URL:
//!
//! | request | answer |
//! |---|---|
//! | `GET`, `HEAD /.well-known/oauth/openid/jwks` | the public keys ([`KeySet`]) |
//! | `POST /token` | a new token for the user whom an [`Authenticator`] recognised |
//! | `POST /push` | 200 once WhatsApp's wake-up is stored ([`Push`]); the [`Outbox`] brings it to its [`PushSink`]s |
//! | `POST /media`, `GET`, `HEAD`, `DELETE /{storage_reference}` | hosted media ([`MediaHost`]) |
//! | `DELETE /user` | everything that is kept for the user who asks goes |
//!
//! [`Integrator`] is a `tower::Service` and needs no socket; `wa_http_server::Server` listens.
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
//! [`Keyring`] says which key signs and which are published, [`KeyKeeper`] keeps it in a [`KeyStore`] and does what is
//! due, [`Keys`] is what requests see of it. Without a store, [`Keys::fixed`] is one key that is never rotated.

use thiserror::Error;

mod keys;
mod media;
mod operate;
mod push;
mod service;
mod store;
mod tokens;
mod value;

pub use keys::{
    KeyEntry, KeyError, KeyKeeper, KeyRules, KeySet, KeyState, KeyStore, KeyTable, Keyring, KeyringError,
    Keys, KeysError, MasterKey, NEXT_KEYS, PUBLISHED_MAX, PublicKey, SigningKey, StoredKey, rs256,
};
#[cfg(feature = "s3")]
pub use media::S3Bucket;
pub use media::{
    Beginning, Begun, Blobs, ByteRange, DAY, Doomed, Entry, Findings, Hosted, MediaHost, MediaQuota,
    MediaRules, MediaStore, Removal, StorageReference, Swept,
};
pub use operate::{Admin, Dependencies, Measure, Readiness, ServerMetrics, StoreWatch, describe_metrics};
#[cfg(feature = "nats")]
pub use push::NatsSink;
pub use push::{
    ChannelSink, Counts, DeadLetter, Delivery, DeliveryRules, NewWakeUp, Outbox, OutboxStore, Outcome, Push,
    PushRequest, PushRequestError, PushRules, PushSink, Put, Selection, SinkError, Strangers, WakeUp,
    Webhook, WebhookFormat,
};
pub use service::{Answer, Integrator};
pub use store::{AnyStore, MemoryStore, Opening, SqliteMedia, SqliteStore, Store};
#[cfg(feature = "postgres")]
pub use store::{Imported, PostgresAddress, PostgresStore};
pub use tokens::{
    AuthenticationError, Authenticator, Oidc, Principal, SharedSecret, Token, TokenError, TokenIssuer,
    TrustedProxy, UserStore,
};
pub use value::answers::{BodyError, IntegratorBody};
pub use value::{
    BaseUrl, BaseUrlError, ClientTrust, Clock, ClockError, PlainHost, PrivateFileError, StoreError,
    UserIdentifier, UserIdentifierError, date, private_file,
};

/// Why something of this crate could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IntegratorError {
    /// The base URL cannot be one; the configuration's fault.
    #[error("the base url {0}")]
    BaseUrl(#[from] BaseUrlError),
    /// The signing key cannot be used.
    #[error("the signing key {0}")]
    Key(#[from] KeyError),
    /// The keys cannot be read or kept.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A file that holds a secret cannot be used; the configuration's or the file system's fault.
    #[error(transparent)]
    PrivateFile(#[from] PrivateFileError),
    /// A token cannot be issued.
    #[error("the token {0}")]
    Token(#[from] TokenError),
    /// The keyring refuses.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sink cannot be used; the configuration's fault.
    #[error(transparent)]
    Sink(#[from] SinkError),
}
