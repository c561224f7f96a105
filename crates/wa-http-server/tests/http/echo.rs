//! A service that reads what it is sent and says what it saw.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::Notify;
use tower::Service;
use wa_http_server::{ClientAddress, PeerAddress, RequestBody, RequestId};

/// Answers 200 with what it saw of a request, once its body is whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Echo {
    /// How many requests came.
    pub(crate) seen: Arc<AtomicUsize>,
    /// `/held` is answered when this rings.
    pub(crate) bell: Arc<Notify>,
}

impl Service<Request<RequestBody>> for Echo {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        self.seen.fetch_add(1, Ordering::SeqCst);
        let bell = Arc::clone(&self.bell);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            match head.uri.path() {
                "/held" => bell.notified().await,
                "/slow" => tokio::time::sleep(Duration::from_millis(50)).await,
                "/panic" => panic!("the example panics"),
                "/large" => return Ok(answer(StatusCode::OK, vec![b'x'; 8 << 20])),
                _ => {}
            }
            let Ok(body) = body.collect().await else { return Ok(answer(StatusCode::BAD_REQUEST, vec![])) };
            let Some(PeerAddress(peer)) = head.extensions.get() else { panic!("no peer") };
            let Some(ClientAddress(client)) = head.extensions.get() else { panic!("no client") };
            let Some(id) = head.extensions.get::<RequestId>() else { panic!("no identifier") };
            let saw = serde_json::json!({
                "peer": peer.to_string(), "client": client.to_string(), "id": id.as_str(),
                "body": body.to_bytes().len(), "path": head.uri.path(),
            });
            Ok(answer(StatusCode::OK, saw.to_string().into_bytes()))
        })
    }
}

fn answer(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}
