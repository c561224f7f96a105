//! One connection from its first byte to its end (RFC 9112 §9, RFC 9113 §9.1).

#[cfg(fuzzing)]
pub mod fuzzing;
mod preface;
mod watch;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use rand::RngExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::{BoxError, Service};

use crate::client::ForwardedFor;
use crate::drain::{Draining, Phase};
use crate::limits::{
    CONNECTION_WINDOW_BYTES, ConnectionLimits, GOODBYE, HEAD_BYTES_MAX, HEAD_FIELDS_MAX, PING_INTERVAL,
    PING_TIMEOUT, QUIET, RESETS_MAX, SEND_BUFFER_BYTES, STREAM_WINDOW_BYTES, STREAMS_MAX,
};
use crate::observe::Observer;
use crate::stack::{RequestBody, Stack};
use crate::wire::Wire;

use preface::Prefaced;
use watch::Overdue;
pub(crate) use watch::{Protocol, UnderWay, Watch};

/// What every connection of a server is served with.
#[derive(Clone, Debug)]
pub(crate) struct Serving<S> {
    pub(crate) service: S,
    pub(crate) limits: ConnectionLimits,
    pub(crate) forwarded_for: ForwardedFor,
    pub(crate) draining: Draining,
    pub(crate) observer: Observer,
}

/// What a TLS handshake agreed on, or that there was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agreed {
    /// Either version: the preface tells.
    Nothing,
    Http1,
    Http2,
}

impl<S, B> Serving<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Serves one connection to its end, its age, or the server's stop; how it ended, as the label of a metric.
    pub(crate) async fn connection<I>(mut self, stream: I, peer: SocketAddr, agreed: Agreed) -> &'static str
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let prefaced = tokio::select! {
            prefaced = Prefaced::read(stream, self.limits.first_bytes) => prefaced,
            () = self.draining.quiet(Phase::Ending, QUIET) => return "drained",
        };
        let (stream, protocol) = match prefaced {
            Ok(prefaced) if prefaced.is_http2() => (prefaced, Protocol::Http2),
            Ok(prefaced) => (prefaced, Protocol::Http1),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return "silent",
            Err(_) => return "closed",
        };
        if matches!((agreed, protocol), (Agreed::Http1, Protocol::Http2) | (Agreed::Http2, Protocol::Http1)) {
            return "other_protocol";
        }
        let watch = Watch::new(protocol, self.limits, self.observer.clone());
        let stack = Stack::new(self.service.clone(), peer, self.forwarded_for.clone(), watch.clone());
        let service = TowerToHyperService::new(stack);
        match protocol {
            Protocol::Http1 => {
                let io = TokioIo::new(Wire::http1(stream, watch.clone()));
                self.drive(http1_builder().serve_connection(io, service), &watch, protocol).await
            }
            Protocol::Http2 => {
                let io = TokioIo::new(Wire::http2(stream, watch.clone()));
                self.drive(http2_builder().serve_connection(io, service), &watch, protocol).await
            }
        }
    }

    /// Lets it go on until it ends, is overdue, is old, or is asked to.
    async fn drive<C>(&mut self, connection: C, watch: &Watch, protocol: Protocol) -> &'static str
    where
        C: GracefulConnection<Error = hyper::Error>,
    {
        let mut connection = pin!(connection);
        let mut overdue = pin!(watch.overdue());
        // Who connects to a server that leaves already is asked only when it ends.
        let asked = if self.draining.has_reached(Phase::Leaving) { Phase::Ending } else { Phase::Leaving };
        let (reason, time) = tokio::select! {
            biased;
            ended = connection.as_mut() => return ended_as(&ended),
            overdue = overdue.as_mut() => match overdue {
                Overdue::Idle => {
                    connection.as_mut().graceful_shutdown();
                    let _ = tokio::time::timeout(GOODBYE, connection).await;
                    return overdue.name();
                }
                // What still moves on it goes on; nothing new comes.
                Overdue::Stalled if protocol == Protocol::Http2 => (overdue.name(), self.limits.linger),
                other => return other.name(),
            },
            () = tokio::time::sleep(jittered(self.limits.age)) => ("age", self.limits.linger),
            () = self.draining.reached(asked) => ("drained", FOREVER),
        };
        // Whatever is answered from now on is the last; what is on its way is waited for.
        watch.close();
        overdue.set(watch.overdue());
        let mut silent = pin!(silent(watch, self.draining.clone(), protocol));
        let mut over = self.draining.clone();
        let mut over = pin!(over.reached(Phase::Over));
        let mut deadline = pin!(tokio::time::sleep(time));
        let mut said = false;
        loop {
            tokio::select! {
                biased;
                _ = connection.as_mut() => return reason,
                _ = overdue.as_mut() => return reason,
                () = silent.as_mut(), if !said => {
                    said = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = deadline.as_mut() => return reason,
                () = over.as_mut() => return reason,
            }
        }
    }
}

/// Ready when the connection may be told to end without losing a request that is on its way. HTTP/2 says which it has
/// taken; HTTP/1.1 cannot, so its client is told with an answer, and when the server ends, nothing must be on its way.
async fn silent(watch: &Watch, mut draining: Draining, protocol: Protocol) {
    if protocol == Protocol::Http1 {
        draining.reached(Phase::Ending).await;
        watch.quiet(QUIET).await;
    }
}

fn ended_as(ended: &Result<(), hyper::Error>) -> &'static str {
    match ended {
        Ok(()) => "closed",
        Err(error) => {
            tracing::debug!(%error, "connection ended with an error");
            "error"
        }
    }
}

/// A sleep has an end.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Connections that began together do not end together.
fn jittered(age: Duration) -> Duration {
    age.mul_f64(rand::rng().random_range(0.9..=1.1))
}

/// Every limit that hyper knows, named: its defaults are not a promise. A head's time and idleness are the watch's
/// business: hyper's own limit counts both as one.
fn http1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(HEAD_FIELDS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .half_close(false);
    builder
}

fn http2_builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .max_frame_size(16 * 1024)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(RESETS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

#[cfg(test)]
mod tests;
