//! The HTTP client trait: a request in, a response out (overview part 1, "Supported HTTP Protocols").

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

use crate::HttpError;

/// Sends one HTTP request and waits for the whole response.
///
/// An implementation follows no redirects (a 3xx is an answer like any other), retries nothing that may have
/// reached the peer, and bounds the response's body.
pub trait HttpClient: Send + Sync {
    /// Sends `request`, whose URI is absolute, and returns the response with its whole body.
    ///
    /// # Errors
    /// [`HttpError`]; any HTTP status is a response, not an error.
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Bytes>, HttpError>> + Send;
}

impl<C: HttpClient> HttpClient for &C {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Bytes>, HttpError>> + Send {
        C::send(self, request)
    }
}

impl<C: HttpClient> HttpClient for Arc<C> {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Bytes>, HttpError>> + Send {
        C::send(self, request)
    }
}
