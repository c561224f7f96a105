//! The exchange: over loopback with the real client, and against clients that fail.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use wa_binary::Jid;
use wa_enlist::{EnlistAnswer, EnlistError, EnlistRequest, EnlistedPrekey, Reason, enlist};
use wa_http::{HttpClient, HttpError, HttpLimits, HyperClient, PlainHttp};
use wa_keys::{PublicKey, Signature};
use wa_profile::Profile;

#[tokio::test]
async fn a_user_is_enlisted_over_the_loopback() {
    let mut profile = Profile::overview();
    profile.enlistment.url = serve().await;
    let client = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
    let enlisted = enlist(&client, &request().with_identity(7, "alice").unwrap(), &profile).await;
    assert_eq!(enlisted, Ok(EnlistAnswer::Login(Jid::interop(7, 42).unwrap())));
    let refused = enlist(&client, &request().with_identity(8, "alice").unwrap(), &profile).await;
    assert_eq!(refused, Ok(EnlistAnswer::Refused(Reason::BadIntegrator)));
}

#[tokio::test]
async fn only_what_never_arrived_is_retryable() {
    for (error, retryable) in [
        (HttpError::Connect { kind: io::ErrorKind::ConnectionRefused }, true),
        (HttpError::ConnectTimeout, true),
        (HttpError::Timeout, false),
        (HttpError::Interrupted, false),
        (HttpError::Certificate, false),
        (HttpError::Malformed, false),
        (HttpError::BodyTooLarge { limit: 1 }, false),
    ] {
        let client = Failing { error, asked: AtomicUsize::new(0) };
        let failed = enlist(&client, &request(), &Profile::default()).await.unwrap_err();
        assert_eq!((failed, failed.is_retryable()), (EnlistError::Http(error), retryable));
        assert_eq!(client.asked.into_inner(), 1, "asked once");
    }
}

#[tokio::test]
async fn what_is_no_request_is_not_sent() {
    let client = Failing { error: HttpError::Timeout, asked: AtomicUsize::new(0) };
    let refused = enlist(&client, &request(), &Profile::overview()).await;
    assert_eq!(refused, Err(EnlistError::IdentityMissing));
    assert_eq!(client.asked.into_inner(), 0);
}

/// A client without a network.
struct Failing {
    error: HttpError,
    asked: AtomicUsize,
}

impl HttpClient for Failing {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Err(self.error)
    }
}

/// The URL of a server that enlists integrator 7's users, for two requests.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/3p/interop_reg", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
    url
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.uri(), "/3p/interop_reg");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let ours = form_urlencoded::parse(&body).any(|pair| pair == ("integrator_id".into(), "7".into()));
    let answer = if ours {
        r#"{"login":"7-42@interop","status":"ok"}"#
    } else {
        r#"{"reason":"bad_integrator","status":"fail"}"#
    };
    Ok(Response::new(Full::new(Bytes::from(answer))))
}

fn request() -> EnlistRequest {
    let key = |byte| PublicKey::from_bytes([byte; 32]);
    let prekey = EnlistedPrekey::new(3, key(3), Signature::from_bytes([4; 64])).unwrap();
    EnlistRequest::new(key(1), 5, key(2), prekey, "e30.e30.c2ln").unwrap()
}
