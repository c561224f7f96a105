//! The example of an application that nests the server, run.

#[path = "../examples/nested_in_axum.rs"]
#[expect(dead_code, reason = "its main is not called")]
mod nested_in_axum;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use tokio::net::TcpListener;
use wa_http::{HttpClient as _, HttpLimits, HyperClient, PlainHttp};
use wa_integrator::{Clock, SharedSecret, UserIdentifier};

#[tokio::test]
async fn both_the_applications_routes_and_ours_are_served() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let application = nested_in_axum::application(address).unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, application).await });
    let client = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
    let user = UserIdentifier::new("alice", 40).unwrap();
    let credential = SharedSecret::new([7; 32], 40).credential(&user, Clock::system().now() + 60);
    for (method, path, status, part) in [
        (Method::GET, "/", StatusCode::OK, "our own page"),
        (Method::GET, "/whatsapp/.well-known/oauth/openid/jwks", StatusCode::OK, "\"keys\":["),
        (Method::POST, "/whatsapp/token", StatusCode::OK, "\"token\":\""),
        (Method::GET, "/whatsapp/token", StatusCode::METHOD_NOT_ALLOWED, "about:blank"),
        (Method::GET, "/.well-known/oauth/openid/jwks", StatusCode::NOT_FOUND, ""),
    ] {
        let request = Request::builder().method(method).uri(format!("http://{address}{path}"));
        let request = request.header(header::AUTHORIZATION, format!("Bearer {credential}"));
        let answer = client.send(request.body(Bytes::new()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert!(String::from_utf8_lossy(answer.body()).contains(part), "{path}");
    }
    serving.abort();
}
