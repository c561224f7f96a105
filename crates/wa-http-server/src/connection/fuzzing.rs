//! One connection as the fuzzer sees it; only in builds with `--cfg fuzzing` (docs/FUZZING.md).

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower::Service;

use super::{Agreed, Serving};
use crate::client::{ForwardedFor, ProxyProtocol};
use crate::drain::Drain;
use crate::limits::ConnectionLimits;
use crate::observe::Observer;
use crate::stack::RequestBody;

/// The result of a connection that was served to its end.
#[derive(Debug)]
pub struct Served {
    /// The heads of the requests that reached the service, in their order.
    pub requests: Vec<Parts>,
    /// The bodies of those whose body came whole.
    pub bodies: Vec<Bytes>,
    /// What was answered.
    pub answered: Vec<u8>,
    /// How it ended, as the label of a metric.
    pub ended: &'static str,
}

/// Serves one connection that brings these bytes, `step` at a time, and then ends.
#[must_use]
pub async fn serve(bytes: Bytes, step: usize) -> Served {
    let (seen, written) = (Seen::default(), Arc::<Mutex<Vec<u8>>>::default());
    let drain = Drain::new();
    let serving = Serving {
        service: seen.clone(),
        limits: ConnectionLimits::default(),
        forwarded_for: ForwardedFor::default(),
        draining: drain.draining(),
        observer: Observer::default(),
    };
    let wire = Pieces { rest: bytes, step, written: Arc::clone(&written) };
    let ended = serving.connection(wire, SocketAddr::from(([192, 0, 2, 1], 5)), Agreed::Nothing).await;
    let (requests, bodies) = (taken(&seen.requests), taken(&seen.bodies));
    let answered = taken(&written);
    Served { requests, bodies, answered, ended }
}

fn taken<T>(all: &Mutex<Vec<T>>) -> Vec<T> {
    all.lock().map(|mut all| std::mem::take(&mut *all)).unwrap_or_default()
}

/// The client that a proxy names in its header at the beginning of these bytes, and how many bytes follow the header.
///
/// # Errors
/// The header is malformed, or not whole.
pub async fn proxied(bytes: &[u8], proxy: SocketAddr) -> io::Result<(SocketAddr, usize)> {
    let (mut stream, network) = (bytes, proxy.ip().into());
    let client = ProxyProtocol::new(&[network]).read(&mut stream, proxy).await?;
    Ok((client, stream.len()))
}

#[derive(Clone, Debug, Default)]
struct Seen {
    requests: Arc<Mutex<Vec<Parts>>>,
    bodies: Arc<Mutex<Vec<Bytes>>>,
}

impl Service<Request<RequestBody>> for Seen {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let (head, body) = request.into_parts();
        let seen = self.clone();
        Box::pin(async move {
            seen.requests.lock().map(|mut all| all.push(head)).unwrap_or_default();
            if let Ok(body) = body.collect().await {
                seen.bodies.lock().map(|mut all| all.push(body.to_bytes())).unwrap_or_default();
            }
            Ok(Response::new(Full::new(Bytes::from_static(b"taken"))))
        })
    }
}

/// A peer that sends pieces, takes everything, and is gone.
struct Pieces {
    rest: Bytes,
    step: usize,
    written: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.step.min(self.rest.len()).min(buffer.remaining());
        buffer.put_slice(&self.rest.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.lock().map(|mut all| all.extend_from_slice(bytes)).unwrap_or_default();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
