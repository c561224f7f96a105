//! A service for tests of connections.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tower::Service;

use crate::stack::RequestBody;

/// Answers at once, late, never, at length, or not at all.
#[derive(Clone)]
pub(super) struct Example;

impl Service<Request<RequestBody>> for Example {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        assert_ne!(request.uri().path(), "/panic-at-once");
        Box::pin(async move {
            let body = match request.uri().path() {
                "/never" => std::future::pending().await,
                "/slow" => {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    Bytes::from_static(b"slow")
                }
                "/large" => Bytes::from(vec![b'x'; 4 << 20]),
                "/panic" => panic!("the example panics"),
                "/slow-read" => {
                    tokio::time::sleep(Duration::from_secs(20)).await;
                    match request.into_body().collect().await {
                        Ok(_) => Bytes::from_static(b"read"),
                        Err(_) => return Ok(empty_bad()),
                    }
                }
                "/read-and-hang" => {
                    let _ = request.into_body().collect().await;
                    std::future::pending().await
                }
                "/read" => match request.into_body().collect().await {
                    Ok(body) => body.to_bytes(),
                    Err(_) => return Ok(empty_bad()),
                },
                _ => Bytes::from_static(b"hello"),
            };
            Ok(Response::new(Full::new(body)))
        })
    }
}

fn empty_bad() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}
