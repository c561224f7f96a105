//! The service's own backend, as far as wake-ups are concerned: a webhook that keeps whom it is to wake.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;

use crate::report::failure::Failure;
use crate::target::serving::{Serving, both_versions};

/// A webhook on a loopback port; it ends with its last clone.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    _serving: Serving,
}

/// One request of the integrator.
#[derive(Debug)]
struct Call {
    timestamp: String,
    signature: String,
    body: Bytes,
}

impl Backend {
    /// Listens on a port of its own.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/wake", listener.local_addr()?);
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let shared = Arc::clone(&calls);
        let serving =
            Serving::http(listener, both_versions, move |request| keep(Arc::clone(&shared), request));
        Ok(Self { url, calls, _serving: serving })
    }

    /// How often it was to wake this user, counting only calls that the shared secret signed.
    pub(crate) fn woken(&self, user: &str, secret: &[u8]) -> usize {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = |call: &&Call| {
            let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
            body.get("to").and_then(Value::as_str) == Some(user) && call.is_genuine(secret)
        };
        calls.iter().filter(theirs).count()
    }
}

impl Call {
    /// As `wa-integrator` documents it.
    fn is_genuine(&self, secret: &[u8]) -> bool {
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
        let mac = mac.chain_update(format!("wah1.{}.", self.timestamp)).chain_update(&self.body);
        hex::decode(&self.signature).is_ok_and(|signature| mac.verify_slice(&signature).is_ok())
    }
}

async fn keep(calls: Arc<Mutex<Vec<Call>>>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let header =
        |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if let Ok(body) = Limited::new(body, 4096).collect().await {
        calls.lock().unwrap_or_else(PoisonError::into_inner).push(Call {
            timestamp: header("wa-integrator-timestamp"),
            signature: header("wa-integrator-signature"),
            body: body.to_bytes(),
        });
    }
    Response::default()
}
