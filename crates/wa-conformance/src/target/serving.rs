//! Servers of the suite's own on loopback ports: each ends, with its connections, when nobody has it any more.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

/// A task that serves; it ends with the last of these.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    _task: Arc<Task>,
}

#[derive(Debug)]
struct Task(AbortHandle);

/// Speaks HTTP/1.1 and HTTP/2.
pub(crate) fn both_versions() -> auto::Builder<TokioExecutor> {
    auto::Builder::new(TokioExecutor::new())
}

impl Serving {
    /// Runs until it is done, or nobody has this any more.
    pub(crate) fn new(serve: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { _task: Arc::new(Task(tokio::spawn(serve).abort_handle())) }
    }

    /// Answers requests; `speak` says for each connection which versions it speaks.
    pub(crate) fn http<F>(
        listener: TcpListener,
        speak: impl Fn() -> auto::Builder<TokioExecutor> + Send + Sync + 'static,
        answer: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        Self::new(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let (builder, answer) = (speak(), answer.clone());
                connections.spawn(async move {
                    let service = service_fn(|request| {
                        let answer = answer(request);
                        async move { Ok::<_, Infallible>(answer.await) }
                    });
                    // Whatever ends a connection is seen at its other end.
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        })
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
