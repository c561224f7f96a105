//! Keys and tokens over both versions on one port.

use crate::server::bearer;
use http::{Method, StatusCode, Version, header};
use wa_http::{HttpClient as _, PlainHttp};
use wa_http_server::{ConnectionLimits, ServeError, Server};

use crate::running::{JWKS, Running, client, request};
use crate::verdict::verified;

#[tokio::test]
async fn keys_and_tokens_over_http1_and_http2_on_one_port() {
    let server = Running::integrator(ConnectionLimits::default()).await;
    for (plain_http, version) in
        [(PlainHttp::Http1, Version::HTTP_11), (PlainHttp::Http2PriorKnowledge, Version::HTTP_2)]
    {
        let client = client(plain_http);
        let jwks = client.send(request(&server, Method::GET, JWKS)).await.unwrap();
        assert_eq!((jwks.status(), jwks.version()), (StatusCode::OK, version));
        let mut ask = request(&server, Method::POST, "/token");
        ask.headers_mut().insert(header::AUTHORIZATION, bearer("alice").parse().unwrap());
        *ask.body_mut() = bytes::Bytes::from_static(b"{\"sub\":\"mallory\"}");
        let granted = client.send(ask).await.unwrap();
        assert_eq!(granted.headers()[header::CONTENT_TYPE], "application/json");
        let (_, claims) = verified(granted.body(), jwks.body(), &server.url());
        assert_eq!(claims.sub, "alice");

        let head = client.send(request(&server, Method::HEAD, JWKS)).await.unwrap();
        assert_eq!(head.headers()[header::CONTENT_LENGTH], jwks.body().len().to_string());
        assert!(head.body().is_empty());
        let refused = client.send(request(&server, Method::POST, "/token")).await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_taken_address_is_refused() {
    let server = Running::integrator(ConnectionLimits::default()).await;
    let address = server.address;
    let refused = Server::bind(address, ConnectionLimits::default()).await.unwrap_err();
    let sentence = refused.to_string();
    let ServeError::Bind { reason, .. } = &refused else { panic!("{sentence}") };
    assert_eq!(reason.kind(), std::io::ErrorKind::AddrInUse, "{sentence}");
    assert!(sentence.contains(&address.to_string()) && sentence.contains("in use"), "{sentence}");
}
