//! A server that hosts media, its hand at the clock, and what is asked of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use sha2::{Digest as _, Sha256};
use tower::Service as _;
use wa_integrator::{Blobs, Clock, Integrator, MediaHost, MediaRules, MediaStore, SqliteMedia};
use wa_profile::Profile;

#[cfg(feature = "s3")]
use crate::fixture;
use crate::fixture::server::{NOW, bearer, integrator};

pub(crate) const BASE: &str = "https://integrator.example";
pub(crate) const BLOB: &[u8] = b"what nobody here can read";

/// Where the files and their index are.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    Files,
    #[cfg(feature = "s3")]
    Bucket,
    #[cfg(all(unix, feature = "postgres", feature = "s3"))]
    BucketAndPostgres(&'a fixture::postgres::Postgres),
    #[expect(dead_code, reason = "for what borrows nothing")]
    Nowhere(std::marker::PhantomData<&'a ()>),
}

pub(crate) struct World {
    pub(crate) server: Integrator,
    pub(crate) host: MediaHost,
    hand: Arc<AtomicU64>,
    pub(crate) directory: tempfile::TempDir,
    /// Where the files are found.
    media: PathBuf,
    #[cfg(feature = "s3")]
    pub(crate) bucket: Option<fixture::bucket::Bucket>,
}

pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

impl World {
    pub(crate) async fn new(place: Place<'_>, change: impl FnOnce(&mut MediaRules)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (server, hand) = integrator(BASE);
        let shown = Arc::clone(&hand);
        let clock = Clock::from_fn(move || shown.load(Ordering::Relaxed));
        let media = directory.path().join("media");
        let index = || -> Arc<dyn MediaStore> {
            Arc::new(SqliteMedia::open(&directory.path().join("media.sqlite")).unwrap())
        };
        let mut rules = MediaRules::new(&Profile::default().media);
        change(&mut rules);
        #[cfg(feature = "s3")]
        if !matches!(place, Place::Files) {
            let bucket = fixture::bucket::Bucket::start(directory.path().join("s3")).await;
            let index = match place {
                #[cfg(all(unix, feature = "postgres"))]
                Place::BucketAndPostgres(server) => Arc::new(server.store().await),
                _ => index(),
            };
            let host = MediaHost::new(Blobs::in_bucket(&bucket.bucket()).unwrap(), index, rules, clock);
            let (media, server) = (bucket.directory.clone(), server.with_media(host.clone()));
            return Self { server, host, hand, directory, media, bucket: Some(bucket) };
        }
        #[cfg(not(feature = "s3"))]
        let Place::Files = place else { unreachable!("there is no other place") };
        let host = MediaHost::new(Blobs::local(&media).unwrap(), index(), rules, clock);
        let server = server.with_media(host.clone());
        Self {
            server,
            host,
            hand,
            directory,
            media,
            #[cfg(feature = "s3")]
            bucket: None,
        }
    }

    /// What another process would host from the same files.
    pub(crate) fn restarted(&self) -> MediaHost {
        let index = SqliteMedia::open(&self.directory.path().join("media.sqlite")).unwrap();
        let rules = MediaRules::new(&Profile::default().media);
        MediaHost::new(Blobs::local(&self.media).unwrap(), Arc::new(index), rules, Clock::from_fn(|| NOW))
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Response<Bytes> {
        let Ok(response) = self.server.clone().call(request).await;
        let (head, body) = response.into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }

    /// Uploads and gives the path of what is hosted.
    pub(crate) async fn hosted(&self, blob: &[u8]) -> String {
        let response = self.ask(upload("alice", blob)).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        format!("/{}", response.headers()[header::LOCATION].to_str().unwrap())
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        self.ask(request(Method::GET, path, headers, whole(b""))).await
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        files(&self.media)
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.hand.fetch_add(seconds, Ordering::Relaxed);
    }
}

pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

pub(crate) fn whole(bytes: &[u8]) -> Body {
    Full::new(Bytes::copy_from_slice(bytes)).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)))
}

pub(crate) fn request(method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(path).header("host", "integrator.example");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body).unwrap()
}

pub(crate) fn upload(user: &str, blob: &[u8]) -> Request<Body> {
    declared(user, &blob.len().to_string(), &digest(blob), whole(blob))
}

pub(crate) fn declared(user: &str, length: &str, digest: &str, body: Body) -> Request<Body> {
    let headers = [("authorization", &*bearer(user)), ("content-length", length), ("content-digest", digest)];
    request(Method::POST, "/media", &headers, body)
}

/// Frames, then the end or nothing.
pub(crate) struct Frames(
    pub(crate) std::collections::VecDeque<Result<Frame<Bytes>, std::io::Error>>,
    pub(crate) bool,
);

impl futures_core::Stream for Frames {
    type Item = Result<Frame<Bytes>, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        match self.0.pop_front() {
            None if self.1 => std::task::Poll::Pending,
            item => std::task::Poll::Ready(item),
        }
    }
}
