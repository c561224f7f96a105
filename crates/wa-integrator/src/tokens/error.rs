//! Why a token is not issued, and why a request names no user.

use thiserror::Error;
use wa_jwt::TokenRefusal;

use crate::keys::KeyError;
use crate::value::UserIdentifierError;

/// Why a token cannot be issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The lifetime is zero, not whole seconds, or longer than the profile allows; the configuration's fault.
    #[error("must live between 1 and {max_seconds} seconds")]
    Lifetime {
        /// The longest lifetime, in seconds.
        max_seconds: u64,
    },
    /// The clock shows no time a token can be issued at.
    #[error("cannot be issued at this time")]
    Clock,
    /// The token would be longer than WhatsApp takes.
    #[error("would be longer than {max} bytes")]
    TooLong {
        /// How many bytes it may have.
        max: usize,
    },
    /// The signing key failed.
    #[error("cannot be signed, the key {0}")]
    Key(#[from] KeyError),
}

/// Why a request names no user; the peer's fault, except for [`AuthenticationError::Unavailable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AuthenticationError {
    /// There is no credential.
    #[error("there is no credential")]
    Missing,
    /// The credential has another form, or there are several.
    #[error("the credential is malformed")]
    Malformed,
    /// The credential was not made with a shared secret, or was changed.
    #[error("the credential is not genuine")]
    NotGenuine,
    /// The credential's time is over.
    #[error("the credential has expired")]
    Expired,
    /// The credential is valid for longer than is accepted.
    #[error("the credential lives too long")]
    TooLongLived,
    /// The credential names no possible user identifier.
    #[error("{0}")]
    UserIdentifier(#[from] UserIdentifierError),
    /// The identity provider's token is refused.
    #[error("{0}")]
    Token(#[from] TokenRefusal),
    /// The request did not come from the proxy that is trusted to name users.
    #[error("the request did not come through the trusted proxy")]
    NotTrusted,
    /// Whether the credential is good cannot be said now; the world's fault.
    #[error("authentication is unavailable")]
    Unavailable,
}

impl AuthenticationError {
    /// The check's name, as the label of a metric.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::NotGenuine => "not_genuine",
            Self::Expired => "expired",
            Self::TooLongLived => "too_long_lived",
            Self::UserIdentifier(_) => "user_identifier",
            Self::Token(refusal) => refusal.name(),
            Self::NotTrusted => "not_trusted",
            Self::Unavailable => "unavailable",
        }
    }
}
