//! Which path is what (seed §1.3, §3.2.2).

use bytes::Bytes;
use http::{Response, StatusCode, request::Parts};
use http_body_util::Full;

use super::{MEDIA_PATH, Shared, TOKEN_PATH, empty};
use crate::{Authenticator, StorageReference, host};

/// Where a request goes.
pub(super) enum Route {
    /// Nowhere: this is the answer, and the name of what was asked for.
    Answered(&'static str, Response<Full<Bytes>>),
    Token,
    Push,
    Upload,
    Hosted(StorageReference),
}

impl Route {
    /// The label of metrics.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Answered(name, _) => name,
            Self::Token => "token",
            Self::Push => "push",
            Self::Upload => "media_upload",
            Self::Hosted(_) => "media",
        }
    }
}

impl<A: Authenticator> Shared<A> {
    pub(super) fn route(&self, request: &Parts) -> Route {
        if !host::is_single(request) {
            return Route::Answered("none", empty(StatusCode::BAD_REQUEST));
        }
        match request.uri.path().strip_prefix(self.issuer.base_url().path()) {
            Some(path) if path == self.issuer.jwks_path() => {
                Route::Answered("jwks", self.serve_keys(request))
            }
            Some(TOKEN_PATH) => Route::Token,
            Some(path) if self.push.as_ref().is_some_and(|push| push.path() == path) => Route::Push,
            Some(MEDIA_PATH) if self.media.is_some() => Route::Upload,
            Some(path) if self.media.is_some() => match hosted(path) {
                Some(reference) => Route::Hosted(reference),
                None => Route::Answered("none", empty(StatusCode::NOT_FOUND)),
            },
            _ => Route::Answered("none", empty(StatusCode::NOT_FOUND)),
        }
    }
}

/// What a path below the base URL names, with or without a slash at its end.
fn hosted(path: &str) -> Option<StorageReference> {
    let name = path.strip_prefix('/')?;
    StorageReference::parse(name.strip_suffix('/').unwrap_or(name))
}
