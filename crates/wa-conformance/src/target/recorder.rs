//! An enlistment API that takes everything and remembers what it was asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::json;
use tokio::net::TcpListener;

use crate::report::failure::Failure;

/// The path of the documents (overview §1.2.1).
const PATH: &str = "/3p/interop_reg";

/// The login that everybody gets: the example's of the overview.
const LOGIN: &str = "1-10853634039893@interop";

const MAX_BODY: usize = 64 * 1024;

/// A listening API; it ends with the runtime.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Recorder {
    /// Listens on a port of its own.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let recorder =
            Self { url: format!("http://{}{PATH}", listener.local_addr()?), asked: Arc::default() };
        let serving = recorder.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let recorder = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| {
                        let recorder = recorder.clone();
                        async move { recorder.answer(request).await }
                    });
                    // Whatever ends a connection, the client sees it.
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(recorder)
    }

    /// The only request that there was.
    pub(crate) fn only(&self) -> Result<Asked, Failure> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match asked.as_slice() {
            [only] => Ok(only.clone()),
            other => Err(Failure(format!("there were {} requests, not one", other.len()))),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let body = Limited::new(body, MAX_BODY).collect().await.map(|it| it.to_bytes()).unwrap_or_default();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked {
            method: head.method,
            path: head.uri.path().to_owned(),
            content_type: content_type.unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(&body).into_owned(),
        });
        Ok(Response::new(Full::from(json!({ "login": LOGIN, "status": "ok" }).to_string())))
    }
}

impl Asked {
    /// The path that it must have.
    pub(crate) const PATH: &'static str = PATH;
}
