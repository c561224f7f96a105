//! The integrator's media routes and bare hyper with a file: the same bytes over the same client.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use wa_http::{BodyStream, HttpLimits, HyperClient, PlainHttp, StreamingClient as _};
use wa_http_server::{ConnectionLimits, Server};
use wa_integrator::{
    Blobs, Clock, Integrator, Keys, MediaHost, MediaQuota, MediaRules, SharedSecret, SigningKey, SqliteMedia,
    TokenIssuer, UserIdentifier,
};
use wa_profile::Profile;

/// What the integrator recognises its users by.
pub(crate) const SECRET: [u8; 32] = [7; 32];

/// Both servers and the file.
pub struct Both {
    client: HyperClient,
    ours: String,
    plain: String,
    blob: PathBuf,
    length: u64,
    digest: String,
    _directory: tempfile::TempDir,
}

impl Both {
    /// Starts both with a file of `length` bytes.
    pub async fn start(length: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let blob = directory.path().join("blob");
        let bytes = vec![0x5a; length];
        std::fs::write(&blob, &bytes).expect("a file");
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&bytes)));
        let ours = integrator(directory.path(), SECRET).await;
        let plain = copier(directory.path().to_owned()).await;
        let client = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
        let length = length as u64;
        Self { client, ours, plain, blob, length, digest, _directory: directory }
    }

    /// Uploads to the integrator; the reference.
    pub async fn upload(&self) -> String {
        let (head, _) = self.post(&format!("{}/media", self.ours)).await.into_parts();
        assert_eq!(head.status, 201);
        head.headers["location"].to_str().expect("text").to_owned()
    }

    /// Uploads to the plain copier, which syncs as well.
    pub async fn copy_in(&self) {
        assert_eq!(self.post(&format!("{}/blob", self.plain)).await.status(), 200);
    }

    /// Fetches from the integrator.
    pub async fn fetch(&self, reference: &str) -> u64 {
        self.get(&format!("{}/{reference}", self.ours)).await
    }

    /// Fetches from the plain copier.
    pub async fn copy_out(&self) -> u64 {
        self.get(&format!("{}/blob", self.plain)).await
    }

    async fn post(&self, url: &str) -> Response<BodyStream> {
        let file = std::fs::File::open(&self.blob).expect("the file");
        let request = Request::post(url)
            .header("authorization", format!("Bearer {}", credential()))
            .header("content-length", self.length)
            .header("content-digest", &self.digest)
            .body(BodyStream::reader(file, self.length))
            .expect("a request");
        self.client.stream(request).await.expect("an answer")
    }

    async fn get(&self, url: &str) -> u64 {
        let request = Request::get(url).body(BodyStream::empty()).expect("a request");
        let mut body = self.client.stream(request).await.expect("an answer").into_body();
        let mut count = 0;
        while let Some(bytes) = body.next_bytes().await {
            count += bytes.expect("bytes").len() as u64;
        }
        assert_eq!(count, self.length);
        count
    }
}

/// A user's credential for the next minutes.
pub(crate) fn credential() -> String {
    let user = UserIdentifier::new("alice", 40).expect("a user");
    SharedSecret::new(SECRET, 40).credential(&user, Clock::system().now() + 240)
}

pub(crate) async fn integrator(directory: &Path, secret: [u8; 32]) -> String {
    let server = Server::bind(loopback(), ConnectionLimits::default()).await.expect("a port");
    let base = format!("http://{}", server.address());
    let profile = Profile::default();
    let issuer = TokenIssuer::new(base.parse().expect("a url"), &profile.token, Duration::from_secs(60));
    let keys = Keys::fixed(SigningKey::generate().expect("a key"));
    let blobs = Blobs::local(&directory.join("media")).expect("blobs");
    let index = std::sync::Arc::new(SqliteMedia::open(&directory.join("media.sqlite")).expect("an index"));
    let mut rules = MediaRules::new(&profile.media);
    rules.quota = MediaQuota { bytes: u64::MAX >> 1, files: u64::MAX >> 1 };
    let media = MediaHost::new(blobs, index, rules, Clock::system());
    let authenticator = SharedSecret::new(secret, 40);
    let service = Integrator::new(issuer.expect("an issuer"), keys, authenticator, Clock::system());
    tokio::spawn(server.run(service.with_media(media), std::future::pending()));
    base
}

/// Bare hyper: `POST` writes the body to a file, syncs and renames it; `GET` reads it.
pub(crate) async fn copier(directory: PathBuf) -> String {
    let listener = TcpListener::bind(loopback()).await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let directory = directory.clone();
            let service = service_fn(move |request| copy(directory.clone(), request));
            let serving =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serving);
        }
    });
    base
}

async fn copy(directory: PathBuf, request: Request<Incoming>) -> std::io::Result<Response<BodyStream>> {
    if request.method() == http::Method::GET {
        let file = std::fs::File::open(directory.join("blob"))?;
        let length = file.metadata()?.len();
        return Ok(Response::new(BodyStream::reader(file, length)));
    }
    let (begun, copied) = (directory.join("begun"), directory.join("copied"));
    let mut file = tokio::fs::File::create(&begun).await?;
    file.set_max_buf_size(1 << 20);
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        file.write_all(&frame.into_data().unwrap_or_else(|_| Bytes::new())).await?;
    }
    file.flush().await?;
    file.sync_all().await?;
    tokio::fs::rename(begun, copied).await?;
    Ok(Response::new(BodyStream::empty()))
}

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}
