//! What stands between a connection and the service: limits of a request's head, one reading of it, the time an answer may
//! take, a handler that panics, the request's identifier, the access log.

mod answer_body;
mod request_body;
mod request_id;
mod strict;

use std::any::Any;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body::Body;
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::{BoxError, Service};
use tower_http::body::UnsyncBoxBody;
use tower_http::catch_panic::CatchPanic;
use tracing::{Instrument as _, field};

use crate::client::{ClientAddress, ForwardedFor, PeerAddress};
use crate::connection::{UnderWay, Watch};
use crate::limits::{HEAD_BYTES_MAX, HEAD_FIELDS_MAX, TARGET_BYTES_MAX};
use crate::observe::Event;

use answer_body::AnswerBody;
use request_body::Progress;
pub use request_body::{RequestBody, RequestBodyError};
pub use request_id::RequestId;
pub use strict::has_one_host;

/// The service as one connection sees it.
#[derive(Clone, Debug)]
pub(crate) struct Stack<S> {
    service: S,
    peer: SocketAddr,
    forwarded_for: ForwardedFor,
    watch: Watch,
}

/// Which of a service's routes a request went to: an extension of every request, which the service fills in for the
/// access log and for what is answered in its place.
#[derive(Clone, Debug, Default)]
pub struct RouteName(Arc<OnceLock<&'static str>>);

/// An answer's body, whatever the service's is.
type Answered = Either<UnsyncBoxBody<Bytes, BoxError>, Empty<Bytes>>;

/// Where the access log is told, one line a request; a subscriber asks for it by this name.
const ACCESS: &str = "wa_http_server::access";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How often it is looked whether a request that is waited for has come.
const PROGRESS_TICK: Duration = Duration::from_millis(250);

impl RouteName {
    /// Names the route; the first name counts. One of a few fixed texts.
    pub fn set(&self, name: &'static str) {
        let _ = self.0.set(name);
    }

    /// The name; `none` as long as it has none.
    #[must_use]
    pub fn get(&self) -> &'static str {
        self.0.get().copied().unwrap_or("none")
    }
}

impl<S> Stack<S> {
    pub(crate) const fn new(service: S, peer: SocketAddr, forwarded_for: ForwardedFor, watch: Watch) -> Self {
        Self { service, peer, forwarded_for, watch }
    }

    /// What the service, the access log and the answer are told of a request.
    fn describe(&self, head: &mut Parts) -> (RequestId, RouteName, ClientAddress) {
        let (id, route) = (RequestId::of(head), RouteName::default());
        let client = ClientAddress(self.forwarded_for.client(self.peer, &head.headers));
        for (name, value) in &mut head.headers {
            if *name == header::AUTHORIZATION || *name == header::COOKIE {
                value.set_sensitive(true);
            }
        }
        head.extensions.insert(PeerAddress(self.peer));
        head.extensions.insert(client);
        head.extensions.insert(id.clone());
        head.extensions.insert(route.clone());
        (id, route, client)
    }
}

impl<S, B> Service<Request<Incoming>> for Stack<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<AnswerBody<Answered>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let host_required = self.watch.limits().host_required;
        let under_way = self.watch.begin();
        let asked_at = Instant::now();
        let (mut head, body) = request.into_parts();
        let (id, route, ClientAddress(client)) = self.describe(&mut head);
        let next = self.service.clone();
        let service = std::mem::replace(&mut self.service, next);
        let watch = self.watch.clone();
        // The handler fills in route and status.
        let span = tracing::info_span!("request", id = id.as_str(), %client, route = field::Empty, status = field::Empty);
        let answering = async move {
            let is_http_1 = head.version < Version::HTTP_2;
            let method = head.method.clone();
            let refusal = refusal(&head, host_required);
            let mut last = is_http_1 && refusal.is_some();
            let mut response = match refusal {
                Some(status) => answered(status),
                None => answer(service, head, body, &watch, &route).await,
            };
            last |= is_http_1 && watch.is_closing();
            let headers = response.headers_mut();
            headers.insert(REQUEST_ID, id.value());
            if last {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            let status = response.status().as_u16();
            let seconds = asked_at.elapsed().as_secs_f64();
            tracing::info!(target: ACCESS, %method, route = route.get(), status, seconds, "answered");
            Ok(sent(response, under_way, &watch))
        };
        Box::pin(answering.instrument(span))
    }
}

/// Answers with whatever the service says in its time, or for it.
async fn answer<S, B>(
    service: S,
    head: Parts,
    body: Incoming,
    watch: &Watch,
    route: &RouteName,
) -> Response<Answered>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Send,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (body, progress) = RequestBody::new(body, watch.clone());
    let panicked = |_: Box<dyn Any + Send>| {
        tracing::error!("a handler panicked");
        watch.note(Event::Panicked(route.get()));
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    };
    let mut service = CatchPanic::custom(service, panicked);
    tokio::select! {
        biased;
        Ok(response) = service.call(Request::from_parts(head, body)) => response.map(Either::Left),
        () = too_late(&progress, watch.limits().handler) => {
            tracing::error!("no answer in time");
            watch.note(Event::TimedOut(route.get()));
            let mut response = answered(StatusCode::SERVICE_UNAVAILABLE);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
    }
}

/// Ready when the answer is late: so long after the last of the request was given to its handler. While the handler
/// waits for the peer it is not late; that has a limit of its own.
async fn too_late(progress: &Progress, handler: Duration) {
    let mut since = progress.since();
    loop {
        match since {
            Some(since) => tokio::time::sleep_until(since + handler).await,
            None => tokio::time::sleep(PROGRESS_TICK.min(handler)).await,
        }
        let now = progress.since();
        if since.is_some() && now == since {
            return;
        }
        since = now;
    }
}

fn sent<B>(response: Response<B>, under_way: UnderWay, watch: &Watch) -> Response<AnswerBody<B>>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    response.map(|body| AnswerBody::new(body, under_way, watch))
}

/// An answer without a body.
fn answered(status: StatusCode) -> Response<Answered> {
    let mut response = Response::new(Either::Right(Empty::new()));
    *response.status_mut() = status;
    response
}

/// Why a request with this head is not even looked at.
fn refusal(head: &Parts, host_required: bool) -> Option<StatusCode> {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES_MAX {
        return Some(StatusCode::URI_TOO_LONG);
    }
    let fields = &head.headers;
    // As HTTP/2 counts it (RFC 9113 §6.5.2).
    let bytes: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    if fields.len() > HEAD_FIELDS_MAX || bytes > HEAD_BYTES_MAX {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    (!strict::has_one_reading(head, host_required)).then_some(StatusCode::BAD_REQUEST)
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    fn head(target: usize, fields: usize, value: usize) -> Option<StatusCode> {
        let mut request = Request::get(format!("/{}", "a".repeat(target - 1))).header("host", "a");
        for _ in 0..fields {
            request = request.header("x", "y".repeat(value));
        }
        refusal(&request.body(Full::<Bytes>::default()).unwrap().into_parts().0, true)
    }

    #[test]
    fn long_targets_and_heads_are_refused() {
        let host = "host".len() + "a".len() + 32;
        assert_eq!(head(4096, 99, 1), None);
        assert_eq!(head(4097, 0, 1), Some(StatusCode::URI_TOO_LONG));
        assert_eq!(head(1, 100, 1), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        assert_eq!(head(1, 1, HEAD_BYTES_MAX - 33 - host), None);
        assert_eq!(head(1, 1, HEAD_BYTES_MAX - 32 - host), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    }
}
