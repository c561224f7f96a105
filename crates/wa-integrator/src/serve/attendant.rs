//! What stands between a connection and the service: limits of a request's head, the time an answer may take, a
//! handler that panics, the request's identifier.

use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header, request::Parts};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::Service;
use tracing::{Instrument as _, field};

use super::{
    ConnectionLimits,
    limits::{HEAD_BYTES_MAX, HEAD_FIELDS_MAX, TARGET_BYTES_MAX},
    watch::{UnderWay, Watch},
};
use crate::{
    AnswerBody, BodyError, PeerAddress, RequestId,
    client_address::{ClientAddress, ForwardedFor},
    service::{empty, retry_later},
};

/// The service as one connection sees it.
#[derive(Debug, Clone)]
pub(super) struct Attendant<S> {
    service: S,
    peer: SocketAddr,
    forwarded_for: ForwardedFor,
    limits: ConnectionLimits,
    watch: Watch,
}

/// An answer's body, under way until it is dropped.
#[derive(Debug)]
pub(super) struct SentBody {
    body: AnswerBody,
    _under_way: UnderWay,
}

/// A service that answers requests of the wire.
pub(crate) trait Answers:
    Service<
        Request<Incoming>,
        Response = Response<AnswerBody>,
        Error = Infallible,
        Future: Future<Output = Result<Response<AnswerBody>, Infallible>> + Send,
    > + Clone
    + Send
    + 'static
{
}

impl<S> Answers for S
where
    S: Service<Request<Incoming>, Response = Response<AnswerBody>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
}

impl<S: Answers> Attendant<S> {
    pub(super) const fn new(
        service: S,
        peer: SocketAddr,
        forwarded_for: ForwardedFor,
        limits: ConnectionLimits,
        watch: Watch,
    ) -> Self {
        Self { service, peer, forwarded_for, limits, watch }
    }

    /// Answers with whatever the service says in its time, or for it.
    async fn answer(mut self, request: Request<Incoming>) -> Response<AnswerBody> {
        let (asked_at, watch, handler) = (Instant::now(), self.watch.clone(), self.limits.handler);
        let caught = match catch_unwind(AssertUnwindSafe(|| self.service.call(request))) {
            Ok(answering) => {
                let mut answering = pin!(answering);
                let caught = poll_fn(|context| {
                    match catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(context))) {
                        Ok(polled) => polled.map(Some),
                        Err(_) => Poll::Ready(None),
                    }
                });
                tokio::select! {
                    biased;
                    answered = caught => answered,
                    () = too_late(&watch, asked_at, handler) => {
                        tracing::error!("no answer in time");
                        metrics::counter!("wa_integrator_handler_timeouts_total").increment(1);
                        return retry_later(StatusCode::SERVICE_UNAVAILABLE, 1).map(AnswerBody::from);
                    }
                }
            }
            Err(_) => None,
        };
        match caught {
            Some(Ok(response)) => response,
            None => {
                tracing::error!("a handler panicked");
                metrics::counter!("wa_integrator_handler_panics_total").increment(1);
                empty(StatusCode::INTERNAL_SERVER_ERROR).map(AnswerBody::from)
            }
        }
    }
}

impl<S: Answers> Service<Request<Incoming>> for Attendant<S> {
    type Response = Response<SentBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<SentBody>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let under_way = self.watch.begin();
        let this = self.clone();
        let (mut head, body) = request.into_parts();
        let id = RequestId::of(&head);
        let client = this.forwarded_for.client(this.peer, &head.headers);
        head.extensions.insert(PeerAddress(this.peer));
        head.extensions.insert(ClientAddress(client));
        head.extensions.insert(id.clone());
        // Route and status are told by whoever answers.
        let (route, status) = (field::Empty, field::Empty);
        let span = tracing::info_span!("request", id = id.as_str(), client = %client, route, status);
        Box::pin(async move {
            let is_http_1 = head.version < Version::HTTP_2;
            let watch = this.watch.clone();
            let mut response = match refusal(&head) {
                Some(status) => empty(status).map(AnswerBody::from),
                None => this.answer(Request::from_parts(head, body)).instrument(span).await,
            };
            let headers = response.headers_mut();
            headers.insert(REQUEST_ID, id.value());
            if is_http_1 && watch.is_closing() {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| SentBody { body, _under_way: under_way }))
        })
    }
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

const REQUEST_ID: http::HeaderName = http::HeaderName::from_static("x-request-id");

/// Ready when the answer is late; while the peer sends, it is not.
async fn too_late(watch: &Watch, asked_at: Instant, handler: Duration) {
    let mut since = asked_at;
    loop {
        tokio::time::sleep_until(since + handler).await;
        let received_at = watch.received_at();
        if received_at <= since {
            return;
        }
        since = received_at;
    }
}

/// Why a request with this head is not even looked at.
fn refusal(head: &Parts) -> Option<StatusCode> {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES_MAX {
        return Some(StatusCode::URI_TOO_LONG);
    }
    let fields = &head.headers;
    // As HTTP/2 counts it (RFC 9113 §6.5.2).
    let bytes: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    (fields.len() > HEAD_FIELDS_MAX || bytes > HEAD_BYTES_MAX)
        .then_some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    fn head(target: usize, fields: usize, value: usize) -> Option<StatusCode> {
        let mut request = Request::get(format!("/{}", "a".repeat(target - 1)));
        for _ in 0..fields {
            request = request.header("x", "y".repeat(value));
        }
        refusal(&request.body(Full::<Bytes>::default()).unwrap().into_parts().0)
    }

    #[test]
    fn long_targets_and_heads_are_refused() {
        assert_eq!(head(4096, 100, 1), None);
        assert_eq!(head(4097, 0, 1), Some(StatusCode::URI_TOO_LONG));
        assert_eq!(head(1, 101, 1), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        assert_eq!(head(1, 1, HEAD_BYTES_MAX - 33), None);
        assert_eq!(head(1, 1, HEAD_BYTES_MAX - 32), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    }
}
