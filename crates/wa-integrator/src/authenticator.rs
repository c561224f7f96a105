//! Who asks for a token: the only source of the user identifier in it (seed §1.3).

use std::future::Future;

use http::request::Parts;

use wa_http::HttpClient;

use crate::{AuthenticationError, Oidc, SharedSecret, TrustedProxy, UserIdentifier};

/// Recognises the user behind a request.
///
/// The identifier that goes into a token comes from here and from nowhere else in the request.
pub trait Authenticator: Send + Sync + 'static {
    /// The user who sent this request, at `now` in Unix seconds.
    ///
    /// # Errors
    /// [`AuthenticationError::Unavailable`] when it cannot be said now; any other refuses the request, and the
    /// peer does not learn which.
    fn authenticate(
        &self,
        request: &Parts,
        now: u64,
    ) -> impl Future<Output = Result<Principal, AuthenticationError>> + Send;
}

/// One of the authenticators that this crate has.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuiltIn<C> {
    /// A credential that the service's own backend made.
    SharedSecret(SharedSecret),
    /// A header that a proxy in front sets.
    TrustedProxy(TrustedProxy),
    /// A token of the service's own identity provider.
    Oidc(Oidc<C>),
}

impl<C: HttpClient + 'static> Authenticator for BuiltIn<C> {
    async fn authenticate(&self, request: &Parts, now: u64) -> Result<Principal, AuthenticationError> {
        match self {
            Self::SharedSecret(authenticator) => authenticator.authenticate(request, now).await,
            Self::TrustedProxy(authenticator) => authenticator.authenticate(request, now).await,
            Self::Oidc(authenticator) => authenticator.authenticate(request, now).await,
        }
    }
}

/// A user whom an [`Authenticator`] recognised.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
