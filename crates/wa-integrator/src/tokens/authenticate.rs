//! Who asks for a token: the only source of the user identifier in it (overview §1.3).

mod backend_token;
mod bearer;
mod oidc;
mod shared_secret;
mod trusted_proxy;

use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;

use crate::tokens::AuthenticationError;
use crate::value::UserIdentifier;

pub(crate) use bearer::bearer;
pub use oidc::Oidc;
pub use shared_secret::SharedSecret;
pub use trusted_proxy::TrustedProxy;

/// Recognises the user behind a request.
///
/// The identifier that goes into a token comes from here and from nowhere else in the request.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// The user who sent this request, at `now` in Unix seconds.
    ///
    /// # Errors
    /// [`AuthenticationError::Unavailable`] when it cannot be said now; any other refuses the request, and the
    /// peer does not learn which.
    async fn authenticate(&self, request: &Parts, now: u64) -> Result<Principal, AuthenticationError>;
}

#[async_trait]
impl<A: Authenticator + ?Sized> Authenticator for Arc<A> {
    async fn authenticate(&self, request: &Parts, now: u64) -> Result<Principal, AuthenticationError> {
        A::authenticate(self, request, now).await
    }
}

/// A user whom an [`Authenticator`] recognised.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    user_identifier: UserIdentifier,
}

impl Principal {
    /// The user with this identifier; only an [`Authenticator`] should say so.
    #[must_use]
    pub const fn new(user_identifier: UserIdentifier) -> Self {
        Self { user_identifier }
    }

    /// The user's identifier.
    #[must_use]
    pub const fn user_identifier(&self) -> &UserIdentifier {
        &self.user_identifier
    }
}
