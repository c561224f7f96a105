//! The routes without a socket: what each request is answered, byte by byte where it matters.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod fixture {
    pub(crate) mod server;
    pub(crate) mod verdict;
}

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use fixture::server::{NOW, SECRET, bearer, integrator};
use fixture::verdict::verified;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use tower::Service as _;
use wa_integrator::{
    AuthenticationError, Authenticator, Clock, Integrator, Keys, Principal, SharedSecret, SigningKey,
    TokenIssuer, UserIdentifier,
};
use wa_profile::Profile;

const BASE: &str = "https://integrator.example";
const JWKS: &str = "/.well-known/oauth/openid/jwks";

#[tokio::test]
async fn a_token_verifies_against_the_published_keys() {
    for base in [BASE, "https://integrator.example/whatsapp"] {
        let path = base.strip_prefix(BASE).unwrap();
        let (mut server, _) = integrator(base);
        let jwks = answer(&mut server, get(&format!("{path}{JWKS}"))).await;
        for user in ["alice", "16505551234", "zoë 🦊", &"🦊".repeat(40)] {
            let response = answer(&mut server, ask(&format!("{path}/token"), &[&bearer(user)])).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
            let (granted, claims) = verified(response.body(), jwks.body(), base);
            assert_eq!((claims.iss.as_str(), claims.sub.as_str()), (base, user));
            assert_eq!((claims.aud.as_str(), claims.iat), ("https://whatsapp.com", NOW));
            assert_eq!((claims.exp, granted.expires_at), (NOW + 3600, NOW + 3600));
            assert!(granted.token.len() <= 4096);
        }
    }
}

#[tokio::test]
async fn the_key_set_is_public_cached_and_tagged() {
    let (mut server, _) = integrator(BASE);
    let response = answer(&mut server, get(JWKS)).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "public, max-age=300, stale-if-error=86100");
    let document: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    let keys = document["keys"].as_array().unwrap();
    let members: BTreeSet<&str> = keys[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, BTreeSet::from(["alg", "e", "kid", "kty", "n", "use"]));
    assert_eq!((keys.len(), keys[0]["e"].as_str()), (1, Some("AQAB")));
    assert_eq!(keys[0]["n"].as_str().unwrap().len(), 342, "256 bytes");
    assert_eq!(document.as_object().unwrap().len(), 1);
    assert_eq!(server.jwks_url(), format!("{BASE}{JWKS}"));
    assert_eq!(server.token_url(), format!("{BASE}/token"));
}

#[tokio::test]
async fn a_known_key_set_is_not_sent_again() {
    let (mut server, _) = integrator(BASE);
    let first = answer(&mut server, get(JWKS)).await;
    let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
    for method in [Method::GET, Method::HEAD] {
        let mut again = get(JWKS);
        *again.method_mut() = method;
        again.headers_mut().insert(header::IF_NONE_MATCH, tag.parse().unwrap());
        let response = answer(&mut server, again).await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(response.headers()[header::ETAG], tag);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "public, max-age=300, stale-if-error=86100");
        assert!(response.body().is_empty() && !response.headers().contains_key(header::CONTENT_TYPE));
    }
    let mut other = get(JWKS);
    other.headers_mut().insert(header::IF_NONE_MATCH, "\"other\"".parse().unwrap());
    assert_eq!(answer(&mut server, other).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let (mut server, _) = integrator(BASE);
    let got = answer(&mut server, get(JWKS)).await;
    let mut head = get(JWKS);
    *head.method_mut() = Method::HEAD;
    let response = answer(&mut server, head).await;
    assert_eq!((response.status(), response.headers()), (got.status(), got.headers()));
    assert!(response.body().is_empty());
    assert_eq!(response.headers()[header::CONTENT_LENGTH], got.body().len().to_string());
}

#[tokio::test]
async fn other_methods_and_paths_are_refused() {
    let (mut server, _) = integrator(BASE);
    for (method, path, status, allow) in [
        (Method::POST, JWKS, StatusCode::METHOD_NOT_ALLOWED, Some("GET, HEAD")),
        (Method::OPTIONS, JWKS, StatusCode::METHOD_NOT_ALLOWED, Some("GET, HEAD")),
        (Method::GET, "/token", StatusCode::METHOD_NOT_ALLOWED, Some("POST")),
        (Method::HEAD, "/token", StatusCode::METHOD_NOT_ALLOWED, Some("POST")),
        (Method::PUT, "/token", StatusCode::METHOD_NOT_ALLOWED, Some("POST")),
        (Method::GET, "/", StatusCode::NOT_FOUND, None),
        (Method::GET, "/.well-known/oauth/openid/jwks/", StatusCode::NOT_FOUND, None),
        (Method::GET, "/x/../.well-known/oauth/openid/jwks", StatusCode::NOT_FOUND, None),
        (Method::POST, "/token/", StatusCode::NOT_FOUND, None),
        (Method::POST, "//token", StatusCode::NOT_FOUND, None),
        (Method::POST, "/Token", StatusCode::NOT_FOUND, None),
        (Method::POST, "/%74oken", StatusCode::NOT_FOUND, None),
    ] {
        let mut request = ask(path, &[&bearer("alice")]);
        *request.method_mut() = method.clone();
        let response = answer(&mut server, request).await;
        assert_eq!(response.status(), status, "{method} {path}");
        let allowed = response.headers().get(header::ALLOW).map(|value| value.to_str().unwrap());
        assert_eq!(allowed, allow, "{method} {path}");
        assert_eq!(response.body().is_empty(), path != "/token" || method == Method::HEAD, "{method} {path}");
    }
}

#[tokio::test]
async fn nobody_gets_a_token_without_a_good_credential() {
    let (mut server, _) = integrator(BASE);
    let good = bearer("alice");
    let forged = UserIdentifier::new("alice", 40).unwrap();
    let forged = format!("Bearer {}", SharedSecret::new([8; 32], 40).credential(&forged, NOW + 60));
    let changed = good.replace("wau1.YWxpY2U", "wau1.bWFsbG9yeQ");
    assert_ne!(changed, good);
    let refused = "Bearer realm=\"wa-integrator\", error=\"invalid_token\"";
    for (credentials, challenge) in [
        (vec![], "Bearer realm=\"wa-integrator\""),
        (vec![""], refused),
        (vec!["Bearer"], refused),
        (vec!["Bearer x"], refused),
        (vec!["Basic YWxpY2U6"], refused),
        (vec![forged.as_str()], refused),
        (vec![changed.as_str()], refused),
        (vec![good.as_str(), good.as_str()], refused),
    ] {
        let response = answer(&mut server, ask("/token", &credentials)).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{credentials:?}");
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], challenge, "{credentials:?}");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        let same = serde_json::json!({"type": "about:blank", "title": "Unauthorized", "status": 401});
        assert_eq!(problem, same, "the same for all");
    }
}

#[tokio::test]
async fn a_credential_ends_with_its_time() {
    let (mut server, hand) = integrator(BASE);
    let good = bearer("alice");
    for (now, status) in [
        (NOW - 241, StatusCode::UNAUTHORIZED),
        (NOW - 240, StatusCode::OK),
        (NOW + 59, StatusCode::OK),
        (NOW + 60, StatusCode::UNAUTHORIZED),
    ] {
        hand.store(now, Ordering::Relaxed);
        assert_eq!(answer(&mut server, ask("/token", &[&good])).await.status(), status, "{now}");
    }
}

#[tokio::test]
async fn an_identifier_that_is_too_long_gets_no_token() {
    let (mut server, _) = integrator(BASE);
    let long = UserIdentifier::new(&"x".repeat(41), 41).unwrap();
    let credential = SharedSecret::new(SECRET, 41).credential(&long, NOW + 60);
    let response = answer(&mut server, ask("/token", &[&format!("Bearer {credential}")])).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn nothing_but_the_credential_names_the_user() {
    let (mut server, _) = integrator(BASE);
    let jwks = answer(&mut server, get(JWKS)).await;
    let mut request = ask("/token?sub=mallory&user_identifier=mallory", &[&bearer("alice")]);
    request.headers_mut().insert("x-user", "mallory".parse().unwrap());
    let response = answer(&mut server, request).await;
    assert_eq!(verified(response.body(), jwks.body(), BASE).1.sub, "alice");
}

#[tokio::test]
async fn a_request_names_one_host() {
    let (mut server, _) = integrator(BASE);
    for hosts in [vec![], vec!["a.example", "a.example"], vec![""]] {
        let mut request = get(JWKS);
        request.headers_mut().remove(header::HOST);
        for host in &hosts {
            request.headers_mut().append(header::HOST, host.parse().unwrap());
        }
        assert_eq!(answer(&mut server, request).await.status(), StatusCode::BAD_REQUEST, "{hosts:?}");
    }
}

#[tokio::test]
async fn a_user_gets_so_many_tokens_a_minute() {
    let (server, hand) = integrator(BASE);
    let mut server = server.with_tokens_a_minute(NonZeroU32::new(2).unwrap());
    let mut status = async |user: &str| {
        let response = answer(&mut server, ask("/token", &[&bearer(user)])).await;
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let retry = response.headers().get(header::RETRY_AFTER).map(|it| it.to_str().unwrap().to_owned());
        (response.status().as_u16(), retry)
    };
    assert_eq!(status("alice").await, (200, None));
    assert_eq!(status("alice").await, (200, None));
    assert_eq!(status("alice").await, (429, Some("30".to_owned())));
    assert_eq!(status("bob").await, (200, None));
    // A clock that is set gives nobody more, and takes nobody's for an hour (A15).
    hand.fetch_add(30, Ordering::Relaxed);
    assert_eq!(status("alice").await.0, 429);
}

#[tokio::test]
async fn a_clock_that_went_back_issues_nothing() {
    let (mut server, hand) = integrator(BASE);
    assert!(server.is_ready());
    assert_eq!(answer(&mut server, ask("/token", &[&bearer("alice")])).await.status(), StatusCode::OK);
    hand.fetch_sub(61, Ordering::Relaxed);
    assert!(!server.is_ready());
    let response = answer(&mut server, ask("/token", &[&bearer("alice")])).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    hand.fetch_add(1, Ordering::Relaxed);
    assert_eq!(answer(&mut server, ask("/token", &[&bearer("alice")])).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_clock_without_time_issues_nothing() {
    let (mut server, hand) = integrator(BASE);
    let user = UserIdentifier::new("alice", 40).unwrap();
    let credential = format!("Bearer {}", SharedSecret::new(SECRET, 40).credential(&user, 1));
    hand.store(0, Ordering::Relaxed);
    let response = answer(&mut server, ask("/token", &[&credential])).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
}

#[tokio::test]
async fn another_authenticator_replaces_the_built_in_one() {
    struct Session;
    #[async_trait::async_trait]
    impl Authenticator for Session {
        async fn authenticate(
            &self,
            request: &http::request::Parts,
            _: u64,
        ) -> Result<Principal, AuthenticationError> {
            match request.headers.get(header::COOKIE).map(|cookie| cookie.as_bytes()) {
                Some(b"session=alice") => Ok(Principal::new(UserIdentifier::new("alice", 40)?)),
                Some(_) => Err(AuthenticationError::Unavailable),
                None => Err(AuthenticationError::Missing),
            }
        }
    }
    let rules = Profile::default().token;
    let keys = Keys::fixed(SigningKey::generate().unwrap());
    let issuer = TokenIssuer::new(BASE.parse().unwrap(), &rules, rules.lifetime_max).unwrap();
    let mut server = Integrator::new(issuer, keys, Session, Clock::from_fn(|| NOW));
    let with = |cookie: Option<&'static str>| {
        let mut request = ask("/token", &[&bearer("mallory")]);
        if let Some(cookie) = cookie {
            request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        }
        request
    };
    assert_eq!(answer(&mut server, with(None)).await.status(), StatusCode::UNAUTHORIZED);
    let unavailable = answer(&mut server, with(Some("session=other"))).await;
    assert_eq!(unavailable.status(), StatusCode::SERVICE_UNAVAILABLE);
    let granted = answer(&mut server, with(Some("session=alice"))).await;
    let jwks = answer(&mut server, get(JWKS)).await;
    assert_eq!(verified(granted.body(), jwks.body(), BASE).1.sub, "alice");
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    let mut request = Request::builder().uri(path).body(Empty::new()).unwrap();
    request.headers_mut().insert(header::HOST, "integrator.example".parse().unwrap());
    request
}

fn ask(path: &str, credentials: &[&str]) -> Request<Empty<Bytes>> {
    let mut request = get(path);
    *request.method_mut() = Method::POST;
    let headers: &mut HeaderMap = request.headers_mut();
    for credential in credentials {
        headers.append(header::AUTHORIZATION, credential.parse().unwrap());
    }
    request
}

async fn answer(server: &mut Integrator, request: Request<Empty<Bytes>>) -> Response<Bytes> {
    let Ok(response) = server.call(request).await;
    let (head, body) = response.into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}
