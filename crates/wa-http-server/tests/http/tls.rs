//! TLS: versions, protocols, and certificates that change while serving.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wa_http_server::{ConnectionLimits, Tls, TlsError, TlsFiles};

use crate::running::{PATIENCE, Running, to_end};

struct Certificate {
    pem: String,
    key: String,
    der: CertificateDer<'static>,
}

fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    Certificate { pem: made.cert.pem(), key: made.signing_key.serialize_pem(), der: made.cert.der().clone() }
}

fn files(directory: &Path) -> TlsFiles {
    TlsFiles { certificate: directory.join("certificate.pem"), key: directory.join("key.pem") }
}

fn write(directory: &Path, certificate: &str, key: &str) {
    let TlsFiles { certificate: certificate_path, key: key_path } = files(directory);
    std::fs::write(certificate_path, certificate).unwrap();
    std::fs::write(key_path, key).unwrap();
}

async fn serving(directory: &Path, limits: ConnectionLimits) -> (Running, Tls) {
    let tls = Tls::open(files(directory)).unwrap();
    let with = tls.clone();
    (Running::echo(limits, |server| server.with_tls(with)).await.0, tls)
}

/// Connects as a client that trusts this certificate alone.
async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    versions: &[&'static rustls::SupportedProtocolVersion],
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

const BOTH: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

#[tokio::test]
async fn versions_and_protocols_are_agreed_on() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = certificate();
    write(directory.path(), &certificate.pem, &certificate.key);
    let (server, _) = serving(directory.path(), ConnectionLimits::default()).await;
    for (versions, alpn, version, agreed) in [
        (BOTH, &["h2", "http/1.1"][..], rustls::ProtocolVersion::TLSv1_3, Some("h2")),
        (BOTH, &["http/1.1"], rustls::ProtocolVersion::TLSv1_3, Some("http/1.1")),
        (&[&rustls::version::TLS12][..], &["h2"], rustls::ProtocolVersion::TLSv1_2, Some("h2")),
        (BOTH, &[], rustls::ProtocolVersion::TLSv1_3, None),
    ] {
        let mut stream = connect(server.address, &certificate.der, versions, alpn).await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.protocol_version(), Some(version));
        assert_eq!(session.alpn_protocol(), agreed.map(str::as_bytes));
        let suite = format!("{:?}", session.negotiated_cipher_suite().unwrap().suite());
        assert!(suite.contains("GCM") || suite.contains("POLY1305"), "{suite}");
        if agreed != Some("h2") {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
            let mut read = String::new();
            let _ = stream.read_to_string(&mut read).await;
            assert!(read.starts_with("HTTP/1.1 200 "), "{read}");
        }
    }
    // Another protocol than was agreed on, and none that we know.
    let mut other = connect(server.address, &certificate.der, BOTH, &["h2"]).await.unwrap();
    other.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut read = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, other.read_to_end(&mut read)).await.unwrap();
    assert_eq!(read, b"");
    assert!(connect(server.address, &certificate.der, BOTH, &["http/0.9"]).await.is_err());
}

#[tokio::test]
async fn handshakes_that_are_none_or_stop_end() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = certificate();
    write(directory.path(), &certificate.pem, &certificate.key);
    let mut limits = ConnectionLimits::default();
    limits.handshake = Duration::from_millis(60);
    let (server, _) = serving(directory.path(), limits).await;
    for sent in [&b""[..], b"\x16\x03\x01", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(sent).await.unwrap();
        let read = tokio::time::timeout(PATIENCE, to_end(&mut stream)).await.unwrap();
        assert!(!read.starts_with(b"HTTP"), "plain text is not answered");
    }
}

#[tokio::test]
async fn another_pair_is_used_from_the_next_handshake_on_and_a_bad_one_never() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (certificate(), certificate());
    write(directory.path(), &first.pem, &first.key);
    let (server, tls) = serving(directory.path(), ConnectionLimits::default()).await;
    let uses = async |certificate: &Certificate| {
        connect(server.address, &certificate.der, BOTH, &["h2"]).await.is_ok()
    };
    assert!(uses(&first).await && !uses(&second).await);
    assert_eq!(tls.reload(), Ok(false), "nothing has changed");

    let path = |name: &str| directory.path().join(name);
    for (certificate, key, error) in [
        (&second.pem[..], &first.key[..], TlsError::OtherKey),
        (&first.pem, &second.key, TlsError::OtherKey),
        ("", &second.key, TlsError::NotPem { path: path("certificate.pem") }),
        (
            &second.pem[..second.pem.len() / 2],
            &second.key,
            TlsError::NotPem { path: path("certificate.pem") },
        ),
        (&second.pem, "", TlsError::NotPem { path: path("key.pem") }),
        (&second.pem, &second.pem, TlsError::NotPem { path: path("key.pem") }),
    ] {
        write(directory.path(), certificate, key);
        assert_eq!(tls.reload(), Err(error));
        assert!(uses(&first).await && !uses(&second).await);
    }
    std::fs::remove_file(path("key.pem")).unwrap();
    let gone = format!("{} cannot be read: no such file or directory", path("key.pem").display());
    assert_eq!(tls.reload().unwrap_err().to_string(), gone);

    write(directory.path(), &second.pem, &second.key);
    let kept = connect(server.address, &first.der, BOTH, &[]).await;
    assert_eq!(tls.reload(), Ok(true));
    assert!(!uses(&first).await && uses(&second).await);
    // Who is connected stays so.
    let mut kept = kept.unwrap();
    kept.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut read = String::new();
    let _ = kept.read_to_string(&mut read).await;
    assert!(read.starts_with("HTTP/1.1 200 "), "{read}");
}

#[tokio::test]
async fn files_that_change_are_seen_without_being_told() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (certificate(), certificate());
    write(directory.path(), &first.pem, &first.key);
    let (server, tls) = serving(directory.path(), ConnectionLimits::default()).await;
    assert!(tls.expires_at() > 1_700_000_000);
    let looking = tokio::spawn(tls.run(Duration::from_millis(20)));
    write(directory.path(), &second.pem, &second.key);
    let seen = async {
        while connect(server.address, &second.der, BOTH, &["h2"]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap();
    looking.abort();
}
