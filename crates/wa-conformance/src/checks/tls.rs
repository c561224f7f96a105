//! The third party's server over TLS, as WhatsApp reaches it: TLS 1.3, the HTTP version by ALPN (overview §2, §3.2.2).

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, Version};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::aws_lc_rs;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};

use crate::checks::Drives::Own;
use crate::checks::{Check, check};
use crate::prove::{Fault, ServerFault};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::environment::Environment;
use crate::target::in_process::{self, Settings};

pub(super) const CHECKS: &[Check] = &[check!(
    "server-tls",
    1,
    Own,
    "keys are served over TLS 1.3, on the HTTP version that ALPN says",
    server_tls
)];

async fn server_tls(environment: &Environment) -> Result<(), Failure> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()])?;
    let data = tempfile::tempdir()?;
    let files = (data.path().join("certificate.pem"), data.path().join("key.pem"));
    std::fs::write(&files.0, cert.pem())?;
    std::fs::write(&files.1, signing_key.serialize_pem())?;
    let settings = Settings {
        data: data.path(),
        base_url: "https://localhost",
        whatsapp_jwks: &environment.sandbox.jwks,
        webhook: "http://127.0.0.1:9/",
        profile: environment.rules().profile(),
        tls: (environment.fault != Some(Fault::Server(ServerFault::NoTls))).then_some(files),
    };
    let running = in_process::start(settings).await?;
    let port = running.address.rsplit(':').next().unwrap_or_default();
    let url = format!("https://localhost:{port}{}", environment.profile().token.jwks_path);
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone())?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config =
        config.with_protocol_versions(&[&TLS13])?.with_root_certificates(roots).with_no_client_auth();
    for (version, is_second) in [(Version::HTTP_11, false), (Version::HTTP_2, true)] {
        let tls = HttpsConnectorBuilder::new().with_tls_config(config.clone()).https_only();
        let tls = if is_second { tls.enable_http2().build() } else { tls.enable_http1().build() };
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(tls);
        let answer = client.request(Request::get(&url).body(Full::default())?).await?;
        expect("version and status", (answer.version(), answer.status()), (version, StatusCode::OK))?;
        let keys: serde_json::Value =
            serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
        ensure("there are no keys", keys.get("keys").is_some())?;
    }
    Ok(())
}
