//! Third parties that speak TLS: their keys are fetched, their users woken, their files had; and what is said of their
//! certificates.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use wa_profile::Profile;
use wa_sandbox::{Addresses, Binding, Clock, Integrator, Sandbox, WorldConfig, ask};

use crate::client::{eventually, form_with, get, post};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// The TLS of a server with a certificate of the authority, with something changed.
fn tls(
    authority: &Authority,
    change: impl Fn(&mut CertificateParams),
    versions: &[&'static SupportedProtocolVersion],
) -> TlsAcceptor {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let chain = vec![certificate.der().clone()];
    let mut config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// A third party's server: its base URL.
async fn serve(tls: Option<TlsAcceptor>, key: Arc<RsaKeyPair>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, key) = (tls.clone(), Arc::clone(&key));
            tokio::spawn(async move {
                let service = service_fn(|request| std::future::ready(answer(&request, &key)));
                let server = auto::Builder::new(TokioExecutor::new());
                match tls {
                    Some(tls) => {
                        let Ok(stream) = tls.accept(stream).await else { return };
                        drop(server.serve_connection(TokioIo::new(stream), service).await);
                    }
                    None => drop(server.serve_connection(TokioIo::new(stream), service).await),
                }
            });
        }
    });
    base
}

#[expect(clippy::unnecessary_wraps, reason = "a service's answer may fail")]
fn answer(
    request: &Request<Incoming>,
    key: &RsaKeyPair,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let body = match request.uri().path() {
        "/.well-known/oauth/openid/jwks" => jwks(key),
        "/abc" => format!("a file over {:?}", request.version()),
        _ => String::new(),
    };
    Ok(Response::new(Full::from(body)))
}

fn jwks(key: &RsaKeyPair) -> String {
    let public = PublicKeyComponents::<Vec<u8>>::from(key.public_key());
    let [n, e] = [&public.n, &public.e].map(|number| URL_SAFE_NO_PAD.encode(number));
    json!({ "keys": [{ "kid": "1", "kty": "RSA", "alg": "RS256", "use": "sig", "n": n, "e": e }] })
        .to_string()
}

fn token(key: &RsaKeyPair, base: &str) -> String {
    let now = Clock::default().now();
    let claims =
        json!({ "iss": base, "sub": "alice", "aud": "https://whatsapp.com", "iat": now, "exp": now + 600 });
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(json!({ "kid": "1", "alg": "RS256" })), part(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn key() -> Arc<RsaKeyPair> {
    Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
}

/// A sandbox that trusts these authorities, with a third party of the number 2.
async fn sandbox(authorities: Option<String>, base_url: String) -> Addresses {
    let config = WorldConfig {
        profile: Profile::default(),
        integrators: vec![Integrator { id: 2, base_url }],
        phones: vec!["14155551001".to_owned()],
        strict: false,
    };
    let binding = Binding { authorities, ..Binding::default() };
    let sandbox = Sandbox::bind_at(config, Clock::default(), binding).await.unwrap();
    let addresses = sandbox.addresses().clone();
    tokio::spawn(sandbox.run(std::future::pending()));
    addresses
}

#[tokio::test]
async fn keys_wake_ups_and_files_go_over_tls() {
    let (authority, key) = (authority("trusted"), key());
    let base = serve(Some(tls(&authority, |_| (), &[&TLS13])), Arc::clone(&key)).await;
    let addresses = sandbox(Some(authority.pem()), base.clone()).await;
    let control = &addresses.control;
    let (form, ..) = form_with(token(&key, &base));
    let (_, answer) = ask("POST", &addresses.enlist, None, Some(form)).await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["status"], "ok", "{answer}: {}", get(&format!("{control}exchanges")).await);
    for (http, count) in [(1, 1), (2, 2)] {
        post(&format!("{control}push-http/{http}"), json!({})).await;
        let text = json!({ "to": answer["login"], "text": "wake up" });
        post(&format!("{control}phones/14155551001/send"), text).await;
        let pushes = format!("{control}pushes");
        eventually(async || get(&pushes).await["pushes"].as_array().unwrap().len() == count).await;
        let pushed = get(&pushes).await["pushes"][count - 1].clone();
        assert_eq!((&pushed["status"], &pushed["http"]), (&json!(200), &json!(http)), "{pushed}");
    }
    let path = format!("{}/interop/whatsapp/download/2/abc/", addresses.media);
    assert_eq!(ask("GET", &path, None, None).await.unwrap(), (200, "a file over HTTP/1.1".to_owned()));
}

/// Why the keys cannot be had, as the control interface says it.
async fn failure(addresses: &Addresses) -> String {
    let control = &addresses.control;
    post(&format!("{control}integrators/2/fetch-keys"), json!({})).await;
    let integrators = format!("{control}integrators");
    eventually(async || !get(&integrators).await["integrators"][0]["fetched"].is_null()).await;
    let failure = get(&integrators).await["integrators"][0]["failure"].clone();
    let exchanges = get(&format!("{control}exchanges")).await;
    assert_eq!(exchanges["exchanges"][0]["failure"], failure, "it stands with the exchange, too");
    failure.as_str().unwrap_or_else(|| panic!("the keys were fetched")).to_owned()
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said_in_words() {
    let (trusted, key) = (authority("trusted"), key());
    let (other, impostor) = (authority("other"), authority("trusted"));
    let newest = &[&TLS13][..];
    let old = |it: &mut CertificateParams| it.not_after = date_time_ymd(2020, 1, 1);
    let new = |it: &mut CertificateParams| it.not_before = date_time_ymd(4000, 1, 1);
    let named = |it: &mut CertificateParams| {
        it.subject_alt_names = vec![rcgen::SanType::DnsName("other.example".try_into().unwrap())];
    };
    for (tls, said) in [
        (Some(tls(&other, |_| (), newest)), "of no authority that the sandbox trusts"),
        (Some(tls(&impostor, |_| (), newest)), "not signed by the authority that it names"),
        (Some(tls(&trusted, old, newest)), "its certificate has expired"),
        (Some(tls(&trusted, new, newest)), "its certificate is not valid yet"),
        (Some(tls(&trusted, named, newest)), "for another name than the base URL's"),
        (None, "it does not speak TLS"),
    ] {
        let base = serve(tls, Arc::clone(&key)).await;
        let failure = failure(&sandbox(Some(trusted.pem()), base).await).await;
        assert!(failure.contains(said), "{failure}, not {said}");
    }
    let base = serve(Some(tls(&trusted, |_| (), newest)), Arc::clone(&key)).await;
    let failure = failure(&sandbox(None, base).await).await;
    assert!(failure.contains("name the authority with --authorities FILE"), "{failure}");
    let away = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let failure = self::failure(&sandbox(None, format!("https://{away}")).await).await;
    assert_eq!(failure, "nobody listens there");
}

#[tokio::test]
async fn wake_ups_want_tls_1_3() {
    let (authority, key) = (authority("trusted"), key());
    let base = serve(Some(tls(&authority, |_| (), &[&TLS12])), Arc::clone(&key)).await;
    let addresses = sandbox(Some(authority.pem()), base.clone()).await;
    let control = &addresses.control;
    let (form, ..) = form_with(token(&key, &base));
    let (_, answer) = ask("POST", &addresses.enlist, None, Some(form)).await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let text = json!({ "to": answer["login"], "text": "wake up" });
    post(&format!("{control}phones/14155551001/send"), text).await;
    let pushes = format!("{control}pushes");
    eventually(async || get(&pushes).await["pushes"].as_array().unwrap().len() == 1).await;
    let failure = get(&pushes).await["pushes"][0]["failure"].clone();
    assert!(failure.as_str().unwrap().contains("does not speak TLS 1.3"), "{failure}");
}

#[tokio::test]
async fn what_holds_no_certificate_is_refused_at_the_start() {
    let config =
        WorldConfig { profile: Profile::default(), integrators: vec![], phones: vec![], strict: false };
    for (pem, said) in [
        ("", "the authorities hold no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
    ] {
        let binding = Binding { authorities: Some(pem.to_owned()), ..Binding::default() };
        let error = Sandbox::bind_at(config.clone(), Clock::default(), binding).await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}
