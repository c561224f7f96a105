//! One file of authorities for everything that the program connects to, and plain text where the settings say (A8).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use wa_http::HttpClient as _;

use crate::fixture::bucket::Bucket;
use crate::fixture::callers::{client, credential, metrics, publish, push, token, url};
use crate::fixture::nats::Nats;
use crate::fixture::program::{Program, command};

/// A certificate for `localhost` that nobody in public vouches for.
struct Private {
    certificate: PathBuf,
    key: PathBuf,
    acceptor: TlsAcceptor,
}

impl Private {
    fn new(directory: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (certificate, key) = (directory.join("authority.pem"), directory.join("key.pem"));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let chain = vec![CertificateDer::from_pem_file(&certificate).unwrap()];
        let private = PrivateKeyDer::from_pem_file(&key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(chain, private).unwrap();
        Self { certificate, key, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    /// Takes TLS at a port of `localhost` and passes what is in it on to `address`; gives the port.
    async fn before(&self, address: String) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, acceptor) = (listener.local_addr().unwrap().port(), self.acceptor.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, address) = (acceptor.clone(), address.clone());
                tokio::spawn(async move {
                    let Ok(mut outside) = acceptor.accept(stream).await else { return };
                    let mut inside = TcpStream::connect(address).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
        port
    }
}

fn private_file(directory: &Path, name: &str, content: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// WhatsApp's keys, the webhook, NATS and the bucket, all of them encrypted, all of them vouched for by one file; without
/// the file none of them is believed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_file_of_authorities_is_for_every_connection() {
    let directory = tempfile::tempdir().unwrap();
    let private = Private::new(directory.path());
    let (webhook, taken) = backend().await;
    let webhook = private.before(webhook).await;
    let whatsapp = publish().await;
    let keys = private.before(whatsapp.split('/').nth(2).unwrap().to_owned()).await;
    let bucket = Bucket::start(directory.path().join("s3")).await;
    let objects = private.before(bucket.endpoint().trim_start_matches("http://").to_owned()).await;
    let nats = Nats::start_with(&[
        "--tls",
        "--tlscert",
        private.certificate.to_str().unwrap(),
        "--tlskey",
        private.key.to_str().unwrap(),
    ]);
    let secret = private_file(directory.path(), "s3-secret", "secret");
    for trusted in [true, false] {
        let data = directory.path().join(format!("data-{trusted}"));
        let mut settings = command(&data);
        settings.env("WA_INTEGRATOR_LOG", "off").args(["--listen", "127.0.0.1:0", "--admin-listen", "0"]);
        for (name, value) in [
            ("WEBHOOK", format!("https://localhost:{webhook}/wake")),
            ("WHATSAPP_JWKS_URL", format!("https://localhost:{keys}/keys")),
            ("NATS", nats.url.replace("nats://127.0.0.1", "tls://localhost")),
            ("NATS_STREAM", format!("WAKE-{trusted}")),
            ("NATS_SUBJECT", format!("wake.{trusted}")),
            ("S3_BUCKET", "media".to_owned()),
            ("S3_ENDPOINT", format!("https://localhost:{objects}")),
            ("S3_ACCESS_KEY_ID", "id".to_owned()),
            ("S3_SECRET_ACCESS_KEY_FILE", secret.display().to_string()),
            // The keys' host is on this machine.
            ("PLAIN_HTTP", "localhost".to_owned()),
        ] {
            settings.env(format!("WA_INTEGRATOR_{name}"), value);
        }
        if trusted {
            settings.env("WA_INTEGRATOR_AUTHORITIES_FILE", &private.certificate);
        }
        let program = Program::of(&mut settings);
        let before = taken.load(Ordering::Relaxed);
        let good = token(&url(&program, "address"));
        let pushed = client().send(push(&url(&program, "push"), &good, "alice")).await.unwrap();
        let uploaded = upload(&program, &data).await;
        if trusted {
            assert_eq!((pushed.status(), uploaded), (StatusCode::OK, StatusCode::CREATED));
            for sink in ["webhook", "nats"] {
                let delivered = format!("{{sink=\"{sink}\",outcome=\"delivered\"}} 1");
                until(async || metrics(&program).await.contains(&delivered)).await;
            }
            assert!(taken.load(Ordering::Relaxed) > before);
        } else {
            let away = StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!((pushed.status(), uploaded), (away, away));
            assert_eq!(taken.load(Ordering::Relaxed), before);
        }
        program.stop();
    }
}

async fn upload(program: &Program, data: &Path) -> StatusCode {
    let credential = credential(data);
    let request = Request::post(url(program, "media"))
        .header(header::AUTHORIZATION, format!("Bearer {credential}"))
        .header("content-digest", format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(b"x"))));
    client().send(request.body(Bytes::from_static(b"x")).unwrap()).await.unwrap().status()
}

/// The service's backend, which counts what it takes.
async fn backend() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, taken) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // A small request comes whole.
            if stream.read(&mut [0; 4096]).await.is_ok_and(|bytes| bytes > 0) {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    });
    (address, taken)
}

async fn until(mut it: impl AsyncFnMut() -> bool) {
    for _ in 0..1200 {
        if it().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("not within thirty seconds");
}
