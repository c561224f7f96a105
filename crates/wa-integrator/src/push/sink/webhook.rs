//! Wake-ups as HTTP requests to the service's own backend.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use serde::Deserialize;
use sha2::Sha256;
use wa_http::{HttpClient, HttpError};
use zeroize::Zeroizing;

use super::{Call, delivery_id};
use crate::push::{Delivery, PushSink, SinkError, WakeUp};
use crate::value::answers::insert;
use crate::value::{ClientTrust, Clock};

/// Posts each wake-up to one URL and takes any 2xx for an answer.
///
/// The body is `{"to": user identifier, "count": pushes folded into it, "received_at": Unix seconds}`. It may come more than
/// once; the header `webhook-id` is the same each time, and another one once the user was pushed again.
///
/// It is signed twice, so that a backend may change from one form to the other. [`WebhookFormat::Standard`] is that of
/// Standard Webhooks 1.0, for which there are libraries: `webhook-timestamp` is the time of sending in Unix seconds, and
/// `webhook-signature` holds `v1,` and the HMAC-SHA256 in base64, with the 32 bytes of the shared secret as the key, over
/// `<webhook-id>.<webhook-timestamp>.<body>`; while secrets are exchanged, one for each, with a space between.
///
/// [`WebhookFormat::Wah1`] is older: `wa-integrator-timestamp` is the same time, `wa-integrator-signature` the HMAC-SHA256
/// in lower-case hexadecimal over `wah1.<timestamp>.<body>`. In Python:
///
/// ```python
/// expected = hmac.new(secret, f"wah1.{timestamp}.".encode() + body, "sha256").hexdigest()
/// assert hmac.compare_digest(expected, signature) and abs(time.time() - int(timestamp)) < 300
/// ```
pub struct Webhook {
    client: Box<Client>,
    url: Uri,
    secret: Zeroizing<[u8; 32]>,
    also: Option<Zeroizing<[u8; 32]>>,
    format: WebhookFormat,
    clock: Clock,
}

/// How calls of a [`Webhook`] are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "kebab-case")]
pub enum WebhookFormat {
    /// In both forms: for one release, until every backend reads the second.
    #[default]
    Both,
    /// As `wah1` only.
    Wah1,
    /// As Standard Webhooks only.
    Standard,
}

type Client = dyn Fn(Request<Bytes>) -> Calling + Send + Sync;
type Calling = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send>>;

const TIMESTAMP: &str = "wa-integrator-timestamp";
const SIGNATURE: &str = "wa-integrator-signature";
const STANDARD_ID: &str = "webhook-id";
const STANDARD_TIMESTAMP: &str = "webhook-timestamp";
const STANDARD_SIGNATURE: &str = "webhook-signature";

impl Webhook {
    /// The webhook at `url`: `https`, or `http` on a loopback host or one that `trust` names. Signed in both forms.
    ///
    /// # Errors
    /// [`SinkError::Url`] for another one.
    pub fn new(
        client: impl HttpClient + Clone + 'static,
        url: Uri,
        secret: [u8; 32],
        clock: Clock,
        trust: &ClientTrust,
    ) -> Result<Self, SinkError> {
        let plain =
            url.scheme() == Some(&Scheme::HTTP) && url.host().is_some_and(|host| trust.is_plain(host));
        if url.host().is_none() || !(plain || url.scheme() == Some(&Scheme::HTTPS)) {
            return Err(SinkError::Url);
        }
        let client = move |request| -> Calling {
            let client = client.clone();
            Box::pin(async move { client.send(request).await })
        };
        let (secret, format) = (Zeroizing::new(secret), WebhookFormat::default());
        Ok(Self { client: Box::new(client), url, secret, also: None, format, clock })
    }

    /// This webhook, signed in this form.
    #[must_use]
    pub const fn with_format(mut self, format: WebhookFormat) -> Self {
        self.format = format;
        self
    }

    /// This webhook, signed with another secret too where the form can say two.
    #[must_use]
    pub fn with_other_secret(mut self, also: [u8; 32]) -> Self {
        self.also = Some(Zeroizing::new(also));
        self
    }

    fn request(&self, wake_up: &WakeUp) -> Request<Bytes> {
        let (timestamp, body) = (self.clock.now(), Call::from(wake_up).to_json());
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let id = delivery_id(wake_up);
        insert(headers, header::HeaderName::from_static(STANDARD_ID), &id);
        if self.format != WebhookFormat::Wah1 {
            self.sign_standard(headers, &id, timestamp, &body);
        }
        if self.format != WebhookFormat::Standard {
            headers.insert(TIMESTAMP, HeaderValue::from(timestamp));
            let signed = mac(&self.secret, &format!("wah1.{timestamp}.{body}"));
            insert(headers, header::HeaderName::from_static(SIGNATURE), &hex::encode(signed));
        }
        *request.body_mut() = Bytes::from(body);
        request
    }

    /// Standard Webhooks 1.0.
    fn sign_standard(&self, headers: &mut HeaderMap, id: &str, timestamp: u64, body: &str) {
        let signed = format!("{id}.{timestamp}.{body}");
        let secrets = std::iter::once(&self.secret).chain(&self.also);
        let signatures: Vec<String> =
            secrets.map(|secret| format!("v1,{}", STANDARD.encode(mac(secret, &signed)))).collect();
        headers.insert(STANDARD_TIMESTAMP, HeaderValue::from(timestamp));
        insert(headers, header::HeaderName::from_static(STANDARD_SIGNATURE), &signatures.join(" "));
    }
}

fn mac(secret: &[u8; 32], signed: &str) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
    mac.update(signed.as_bytes());
    mac.finalize().into_bytes().into()
}

impl PushSink for Webhook {
    fn name(&self) -> &str {
        "webhook"
    }

    fn deliver<'a>(&'a self, wake_up: &'a WakeUp) -> Delivery<'a> {
        Delivery::new(async {
            let answer = (self.client)(self.request(wake_up)).await;
            let status = answer.map_err(|error| {
                tracing::debug!(%error, "the webhook was not reached");
                SinkError::Unreachable
            })?;
            let status = status.status();
            if status.is_success() { Ok(()) } else { Err(SinkError::Status { status: status.as_u16() }) }
        })
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("url", &self.url)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http::StatusCode;

    use super::*;
    use crate::value::UserIdentifier;

    /// Answers with this status, and keeps what it was asked.
    #[derive(Clone)]
    struct Backend(Result<StatusCode, HttpError>, Arc<Mutex<Vec<Request<Bytes>>>>);

    impl HttpClient for Backend {
        async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
            self.1.lock().unwrap().push(request);
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = self.0?;
            Ok(response)
        }
    }

    fn webhook(answer: Result<StatusCode, HttpError>) -> (Webhook, Backend) {
        let url = Uri::from_static("https://backend.example/wake");
        let clock = Clock::from_fn(|| 1_700_000_000);
        let backend = Backend(answer, Arc::default());
        let webhook = Webhook::new(backend.clone(), url, [7; 32], clock, &ClientTrust::public());
        (webhook.unwrap(), backend)
    }

    fn wake_up() -> WakeUp {
        WakeUp {
            id: 17,
            sink: "webhook".to_owned(),
            user: UserIdentifier::new("zoë \"🦊\"", 40).unwrap(),
            count: 2,
            received_at: 1_699_999_999,
            attempts: 0,
            expires_at: u64::MAX,
        }
    }

    const BODY: &str = r#"{"to":"zoë \"🦊\"","count":2,"received_at":1699999999}"#;

    #[tokio::test]
    async fn the_request_is_signed() {
        let (webhook, backend) = webhook(Ok(StatusCode::NO_CONTENT));
        assert_eq!(webhook.deliver(&wake_up()).await, Ok(()));
        let asked = backend.1.lock().unwrap().pop().unwrap();
        assert_eq!((asked.method(), asked.uri().path()), (&Method::POST, "/wake"));
        assert_eq!(asked.body(), BODY.as_bytes());
        assert_eq!(asked.headers()[TIMESTAMP], "1700000000");
        // Computed with Python's `hmac` as documented.
        assert_eq!(
            asked.headers()[SIGNATURE],
            "aa7b5118f6fe039171228e79b89e2de6552153af37efb2a02e29bdd4ab302608"
        );
        // SHA-256 of `17\nzoë "🦊"\n2\n1699999999`, computed with Python's `hashlib`.
        assert_eq!(
            asked.headers()[STANDARD_ID],
            "8bbbd0c494a49376552a2bf0a42f97abff5b19c80d471a32fd538ecaa9ab3de2"
        );
        assert_eq!(asked.headers()[STANDARD_TIMESTAMP], "1700000000");
    }

    #[tokio::test]
    async fn each_form_has_its_headers_and_every_secret_where_it_can() {
        let names = [TIMESTAMP, SIGNATURE, STANDARD_TIMESTAMP, STANDARD_SIGNATURE];
        for (format, expected) in [
            (WebhookFormat::Both, [true, true, true, true]),
            (WebhookFormat::Wah1, [true, true, false, false]),
            (WebhookFormat::Standard, [false, false, true, true]),
        ] {
            let (webhook, _) = webhook(Ok(StatusCode::OK));
            let request = webhook.with_format(format).request(&wake_up());
            assert_eq!(names.map(|name| request.headers().contains_key(name)), expected, "{format:?}");
            assert!(request.headers().contains_key(STANDARD_ID), "a repeated call is known by it");
        }
        let (webhook, _) = webhook(Ok(StatusCode::OK));
        let request = webhook.with_other_secret([8; 32]).request(&wake_up());
        let signatures = request.headers()[STANDARD_SIGNATURE].to_str().unwrap();
        let signed = format!("{}.1700000000.{BODY}", request.headers()[STANDARD_ID].to_str().unwrap());
        let expected =
            [[7; 32], [8; 32]].map(|secret| format!("v1,{}", STANDARD.encode(mac(&secret, &signed))));
        assert_eq!(signatures, expected.join(" "));
    }

    #[test]
    fn the_same_wake_up_has_one_name_and_the_next_another() {
        let first = delivery_id(&wake_up());
        assert_eq!(first, delivery_id(&WakeUp { attempts: 7, ..wake_up() }));
        for other in [WakeUp { id: 18, ..wake_up() }, WakeUp { count: 3, ..wake_up() }] {
            assert_ne!(first, delivery_id(&other));
        }
        assert!(!first.contains("zo"));
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
            assert_eq!(webhook(answer).0.deliver(&wake_up()).await, outcome);
        }
    }

    #[test]
    fn the_url_is_private_to_the_backend() {
        let inside = ClientTrust::public().with_plain(&[".svc".parse().unwrap()]);
        let with = |url: &'static str| {
            let backend = Backend(Ok(StatusCode::OK), Arc::default());
            Webhook::new(backend, Uri::from_static(url), [7; 32], Clock::system(), &inside).map(drop)
        };
        for url in [
            "https://backend.example/",
            "http://127.0.0.1:1/x",
            "http://[::1]/",
            "http://localhost/",
            "http://backend.prod.svc:8080/",
        ] {
            assert_eq!(with(url), Ok(()), "{url}");
        }
        for url in ["http://backend.example/", "ftp://localhost/", "/wake"] {
            assert_eq!(with(url), Err(SinkError::Url), "{url}");
        }
        let shown = format!("{:?}", webhook(Ok(StatusCode::OK)).0);
        assert_eq!(shown, "Webhook { url: https://backend.example/wake, format: Both, .. }");
    }
}
