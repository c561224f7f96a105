//! Wake-ups as HTTP requests to the service's own backend.

use std::fmt;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderValue, Method, Request, Uri, header, uri::Scheme};
use sha2::Sha256;
use wa_http::HttpClient;
use zeroize::Zeroizing;

use super::Call;
use crate::{Clock, Delivery, PushSink, SinkError, WakeUp, base_url};

/// Posts each wake-up to one URL and takes any 2xx for an answer.
///
/// The body is `{"to": user identifier, "count": pushes folded into it, "received_at": Unix seconds}`. The header
/// `wa-integrator-timestamp` holds the time of sending in Unix seconds, `wa-integrator-signature` the HMAC-SHA256
/// in lower-case hexadecimal, with the secret shared with the backend, over `wah1.<timestamp>.<body>`. In Python:
///
/// ```python
/// expected = hmac.new(secret, f"wah1.{timestamp}.".encode() + body, "sha256").hexdigest()
/// assert hmac.compare_digest(expected, signature) and abs(time.time() - int(timestamp)) < 300
/// ```
pub struct Webhook<C> {
    client: C,
    url: Uri,
    secret: Zeroizing<[u8; 32]>,
    clock: Clock,
}

impl<C: HttpClient> Webhook<C> {
    /// The webhook at `url`: `https`, or `http` on a loopback host.
    ///
    /// # Errors
    /// [`SinkError::Url`] for another one.
    pub fn new(client: C, url: Uri, secret: [u8; 32], clock: Clock) -> Result<Self, SinkError> {
        let loopback = url.host().is_some_and(base_url::is_loopback);
        let plain = url.scheme() == Some(&Scheme::HTTP) && loopback;
        if url.host().is_none() || !(plain || url.scheme() == Some(&Scheme::HTTPS)) {
            return Err(SinkError::Url);
        }
        Ok(Self { client, url, secret: Zeroizing::new(secret), clock })
    }

    fn request(&self, wake_up: &WakeUp) -> Request<Bytes> {
        let timestamp = self.clock.now();
        let body = Call::of(wake_up).to_json();
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(TIMESTAMP, HeaderValue::from(timestamp));
        if let Ok(signature) = HeaderValue::from_str(&self.signature(timestamp, &body)) {
            headers.insert(SIGNATURE, signature);
        }
        *request.body_mut() = Bytes::from(body);
        request
    }

    fn signature(&self, timestamp: u64, body: &str) -> String {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_slice()).expect("any length");
        mac.update(format!("wah1.{timestamp}.").as_bytes());
        mac.update(body.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

impl<C: HttpClient + 'static> PushSink for Webhook<C> {
    fn name(&self) -> &str {
        "webhook"
    }

    fn deliver<'a>(&'a self, wake_up: &'a WakeUp) -> Delivery<'a> {
        Delivery::new(async {
            let answer = self.client.send(self.request(wake_up)).await;
            let status = answer.map_err(|_| SinkError::Unreachable)?.status();
            if status.is_success() { Ok(()) } else { Err(SinkError::Status { status: status.as_u16() }) }
        })
    }
}

impl<C> fmt::Debug for Webhook<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("url", &self.url).finish_non_exhaustive()
    }
}

const TIMESTAMP: &str = "wa-integrator-timestamp";
const SIGNATURE: &str = "wa-integrator-signature";

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::{Response, StatusCode};
    use wa_http::HttpError;

    use super::*;
    use crate::UserIdentifier;

    /// Answers with this status, and keeps what it was asked.
    struct Backend(Result<StatusCode, HttpError>, Mutex<Vec<Request<Bytes>>>);

    impl HttpClient for Backend {
        async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
            self.1.lock().unwrap().push(request);
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = self.0?;
            Ok(response)
        }
    }

    fn webhook(answer: Result<StatusCode, HttpError>) -> Webhook<Backend> {
        let url = Uri::from_static("https://backend.example/wake");
        let clock = Clock::from_fn(|| 1_700_000_000);
        Webhook::new(Backend(answer, Mutex::default()), url, [7; 32], clock).unwrap()
    }

    fn wake_up() -> WakeUp {
        WakeUp {
            sink: "webhook".to_owned(),
            user: UserIdentifier::new("zoë \"🦊\"", 40).unwrap(),
            count: 2,
            received_at: 1_699_999_999,
            attempts: 0,
            expires_at: u64::MAX,
        }
    }

    #[tokio::test]
    async fn the_request_is_signed() {
        let webhook = webhook(Ok(StatusCode::NO_CONTENT));
        assert_eq!(webhook.deliver(&wake_up()).await, Ok(()));
        let asked = webhook.client.1.lock().unwrap().pop().unwrap();
        assert_eq!((asked.method(), asked.uri().path()), (&Method::POST, "/wake"));
        let body = r#"{"to":"zoë \"🦊\"","count":2,"received_at":1699999999}"#;
        assert_eq!(asked.body(), body.as_bytes());
        assert_eq!(asked.headers()[TIMESTAMP], "1700000000");
        // Computed with Python's `hmac` as documented.
        assert_eq!(
            asked.headers()[SIGNATURE],
            "aa7b5118f6fe039171228e79b89e2de6552153af37efb2a02e29bdd4ab302608"
        );
    }

    #[tokio::test]
    async fn only_2xx_is_an_answer() {
        for (answer, outcome) in [
            (Ok(StatusCode::OK), Ok(())),
            (Ok(StatusCode::FOUND), Err(SinkError::Status { status: 302 })),
            (Ok(StatusCode::NOT_FOUND), Err(SinkError::Status { status: 404 })),
            (Ok(StatusCode::SERVICE_UNAVAILABLE), Err(SinkError::Status { status: 503 })),
            (Err(HttpError::Timeout), Err(SinkError::Unreachable)),
        ] {
            assert_eq!(webhook(answer).deliver(&wake_up()).await, outcome);
        }
    }

    #[test]
    fn the_url_is_private_to_the_backend() {
        let with = |url: &'static str| {
            let backend = Backend(Ok(StatusCode::OK), Mutex::default());
            Webhook::new(backend, Uri::from_static(url), [7; 32], Clock::system()).map(drop)
        };
        for url in ["https://backend.example/", "http://127.0.0.1:1/x", "http://[::1]/", "http://localhost/"]
        {
            assert_eq!(with(url), Ok(()), "{url}");
        }
        for url in ["http://backend.example/", "ftp://localhost/", "/wake"] {
            assert_eq!(with(url), Err(SinkError::Url), "{url}");
        }
        let shown = format!("{:?}", webhook(Ok(StatusCode::OK)));
        assert_eq!(shown, "Webhook { url: https://backend.example/wake, .. }");
    }
}
