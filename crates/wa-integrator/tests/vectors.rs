//! Credentials and webhooks as another language makes and checks them: `vectors/make.py`, with Python's own library.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;
use wa_http::{HttpClient, HttpError};
use wa_integrator::{ClientTrust, Clock, PushSink as _, SharedSecret, UserIdentifier, WakeUp, Webhook};

fn vectors() -> (Value, [u8; 32], u64) {
    let read: Value = serde_json::from_str(include_str!("vectors/vectors.json")).unwrap();
    let secret = hex::decode(read["secret"].as_str().unwrap()).unwrap().try_into().unwrap();
    let now = read["now"].as_u64().unwrap();
    (read, secret, now)
}

#[test]
fn credentials_of_other_languages_are_taken() {
    let (read, secret, now) = vectors();
    let shared = SharedSecret::new(secret, 40);
    for vector in read["credentials"].as_array().unwrap() {
        let user = vector["user"].as_str().unwrap();
        for form in ["wau1", "jwt"] {
            let principal = shared.verify(vector[form].as_str().unwrap(), now).unwrap();
            assert_eq!(principal.user_identifier().as_str(), user, "{form}");
        }
        let ours =
            shared.credential(&UserIdentifier::new(user, 40).unwrap(), vector["expiry"].as_u64().unwrap());
        assert_eq!(ours, vector["wau1"]);
    }
}

/// What the backend is sent.
#[derive(Clone, Default)]
struct Backend(Arc<Mutex<Option<Request<Bytes>>>>);

impl HttpClient for Backend {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        *self.0.lock().unwrap() = Some(request);
        Ok(Response::new(Bytes::new()))
    }
}

#[tokio::test]
async fn webhooks_are_what_other_languages_check() {
    let (read, secret, now) = vectors();
    for vector in read["webhooks"].as_array().unwrap() {
        let backend = Backend::default();
        let url = http::Uri::from_static("http://127.0.0.1:9/");
        let clock = Clock::from_fn(move || now);
        let webhook = Webhook::new(backend.clone(), url, secret, clock, &ClientTrust::public()).unwrap();
        let wake_up = WakeUp {
            id: vector["number"].as_i64().unwrap(),
            sink: "webhook".to_owned(),
            user: UserIdentifier::new(vector["user"].as_str().unwrap(), 40).unwrap(),
            count: vector["count"].as_u64().unwrap(),
            received_at: now,
            attempts: 0,
            expires_at: now + 1000,
        };
        webhook.deliver(&wake_up).await.unwrap();
        let request = backend.0.lock().unwrap().take().unwrap();
        assert_eq!(request.body(), vector["body"].as_str().unwrap().as_bytes());
        for name in [
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
            "wa-integrator-timestamp",
            "wa-integrator-signature",
        ] {
            assert_eq!(request.headers()[name], vector[name].as_str().unwrap(), "{name}");
        }
    }
}
