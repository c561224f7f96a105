//! An enlistment API that takes everything and remembers what it was asked.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, header};
use serde_json::json;
use tokio::net::TcpListener;

use crate::report::failure::Failure;
use crate::target::serving::{Serving, both_versions};

/// The login that everybody gets: the example's of the overview.
const LOGIN: &str = "1-10853634039893@interop";

const MAX_BODY: usize = 64 * 1024;

/// A listening API; it ends with this value.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _serving: Serving,
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
        let url = format!("http://{}{}", listener.local_addr()?, Asked::PATH);
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let shared = Arc::clone(&asked);
        let serving =
            Serving::http(listener, both_versions, move |request| answer(Arc::clone(&shared), request));
        Ok(Self { url, asked, _serving: serving })
    }

    /// The only request that there was.
    pub(crate) fn only(&self) -> Result<Asked, Failure> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match asked.as_slice() {
            [only] => Ok(only.clone()),
            other => Err(Failure(format!("there were {} requests, not one", other.len()))),
        }
    }
}

impl Asked {
    /// The path that it must have (overview §1.2.1).
    pub(crate) const PATH: &'static str = "/3p/interop_reg";
}

async fn answer(asked: Arc<Mutex<Vec<Asked>>>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let body = Limited::new(body, MAX_BODY).collect().await.map(|it| it.to_bytes()).unwrap_or_default();
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked {
        method: head.method,
        path: head.uri.path().to_owned(),
        content_type: content_type.unwrap_or_default().to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    Response::new(Full::from(json!({ "login": LOGIN, "status": "ok" }).to_string()))
}
