//! HTTP as the platform brings it.

use std::io::ErrorKind;
use std::sync::Arc;

use bytes::Bytes;
use wa_interop::http::http::{Request, Response};
use wa_interop::http::{HttpClient, HttpError};

/// Sends one request and waits for the whole answer. It follows no redirects, and bounds the answer's body; any status is
/// an answer. The platform implements it.
#[uniffi::export(with_foreign)]
#[async_trait::async_trait]
pub trait Http: Send + Sync {
    /// Sends a request and returns its whole answer.
    async fn send(&self, question: HttpQuestion) -> Result<HttpAnswer, HttpFailed>;
}

/// A request. It may hold what nobody else should read: a token, a credential.
#[derive(Clone, uniffi::Record)]
pub struct HttpQuestion {
    /// `GET`, `POST`.
    pub method: String,
    /// With scheme and host.
    pub url: String,
    /// In their order.
    pub headers: Vec<HttpHeader>,
    /// May be empty.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for HttpQuestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpQuestion")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// An answer with its whole body.
#[derive(Clone, Debug, uniffi::Record)]
pub struct HttpAnswer {
    /// Such as 200.
    pub status: u16,
    /// In their order.
    pub headers: Vec<HttpHeader>,
    /// All of it.
    pub body: Vec<u8>,
}

/// One header of a request or an answer.
#[derive(Clone, Debug, uniffi::Record)]
pub struct HttpHeader {
    /// The header's name, in any case.
    pub name: String,
    /// The header's value.
    pub value: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum HttpFailed {
    /// There was no connection: the request has not arrived.
    #[error("no connection")]
    Unreachable,
    /// It took too long.
    #[error("no answer in time")]
    TimedOut,
    /// The connection ended before the answer was whole.
    #[error("broke off")]
    Interrupted,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for HttpFailed {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Interrupted
    }
}

/// The platform's HTTP, as the enlistment needs it.
pub(crate) struct Brought(pub(crate) Arc<dyn Http>);

impl HttpClient for Brought {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let header =
            |(name, value): (&wa_interop::http::http::HeaderName, &wa_interop::http::http::HeaderValue)| {
                let value = value.to_str().ok()?.to_owned();
                Some(HttpHeader { name: name.to_string(), value })
            };
        let question = HttpQuestion {
            method: head.method.to_string(),
            url: head.uri.to_string(),
            headers: head.headers.iter().filter_map(header).collect(),
            body: body.to_vec(),
        };
        let answer = self.0.send(question).await.map_err(|failed| match failed {
            HttpFailed::Unreachable => HttpError::Connect { kind: ErrorKind::NotConnected },
            HttpFailed::TimedOut => HttpError::Timeout,
            HttpFailed::Interrupted => HttpError::Interrupted,
        })?;
        let mut response = Response::builder().status(answer.status);
        for HttpHeader { name, value } in answer.headers {
            response = response.header(name, value);
        }
        response.body(answer.body.into()).map_err(|_| HttpError::Malformed)
    }
}
