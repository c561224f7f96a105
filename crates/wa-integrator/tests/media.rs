//! Hosted media without a socket: who may upload, what is kept, who gets it, and what is never on the disk.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail the test")]

mod fixture {
    #[cfg(feature = "s3")]
    pub(crate) mod bucket;
    #[cfg(all(unix, feature = "postgres"))]
    pub(crate) mod postgres;
    pub(crate) mod server;
}

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fixture::server::{NOW, SECRET, bearer, integrator};
use http::{Method, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use sha2::{Digest as _, Sha256};
use tower::Service as _;
use wa_integrator::{
    Blobs, Clock, Integrator, MediaHost, MediaQuota, MediaRules, MediaStore, Removal, SharedSecret,
    SqliteMedia, UserIdentifier,
};
use wa_profile::{MediaFetchAuth, Profile};

const BASE: &str = "https://integrator.example";
const BLOB: &[u8] = b"what nobody here can read";

/// Where the files and their index are.
#[derive(Clone, Copy)]
enum Place<'a> {
    Files,
    #[cfg(feature = "s3")]
    Bucket,
    #[cfg(all(unix, feature = "postgres", feature = "s3"))]
    BucketAndPostgres(&'a fixture::postgres::Postgres),
    #[expect(dead_code, reason = "for what borrows nothing")]
    Nowhere(std::marker::PhantomData<&'a ()>),
}

/// What is asked of every place.
macro_rules! suite {
    ($($test:ident),* $(,)?) => {
        mod files {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::Place::Files).await;
            })*
        }
        #[cfg(feature = "s3")]
        mod bucket {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::Place::Bucket).await;
            })*
        }
        #[cfg(all(unix, feature = "postgres", feature = "s3"))]
        mod bucket_and_postgres {
            /// One database server for all of them.
            #[tokio::test]
            async fn what_is_hosted() {
                let server = super::fixture::postgres::Postgres::start();
                $(
                    eprintln!(stringify!($test));
                    super::$test(super::Place::BucketAndPostgres(&server)).await;
                )*
            }
        }
    };
}

suite!(
    what_is_uploaded_is_served_as_nothing_but_bytes,
    ranges_are_served_and_the_rest_is_whole,
    hostile_paths_are_not_found_and_touch_no_file,
    absent_expired_deleted_and_unfinished_are_all_the_same,
    only_the_owner_deletes,
    an_upload_that_is_not_as_declared_leaves_nothing,
    a_user_has_a_quota_for_the_day_that_broken_uploads_give_back,
    uploads_beyond_the_room_wait,
    a_fetch_without_a_token_is_refused_where_one_is_required,
);

struct World {
    server: Integrator,
    host: MediaHost,
    hand: Arc<AtomicU64>,
    directory: tempfile::TempDir,
    /// Where the files are found.
    media: PathBuf,
    #[cfg(feature = "s3")]
    bucket: Option<fixture::bucket::Bucket>,
}

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

impl World {
    async fn new(place: Place<'_>, change: impl FnOnce(MediaRules) -> MediaRules) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (server, hand) = integrator(BASE);
        let shown = Arc::clone(&hand);
        let clock = Clock::from_fn(move || shown.load(Ordering::Relaxed));
        let media = directory.path().join("media");
        let index = || -> Arc<dyn MediaStore> {
            Arc::new(SqliteMedia::open(&directory.path().join("media.sqlite")).unwrap())
        };
        let rules = change(MediaRules::new(&Profile::default().media));
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

    async fn ask(&self, request: Request<Body>) -> Response<Bytes> {
        let Ok(response) = self.server.clone().call(request).await;
        let (head, body) = response.into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }

    /// Uploads and gives the path of what is hosted.
    async fn hosted(&self, blob: &[u8]) -> String {
        let response = self.ask(upload("alice", blob)).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        format!("/{}", response.headers()[header::LOCATION].to_str().unwrap())
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        self.ask(request(Method::GET, path, headers, whole(b""))).await
    }

    fn files(&self) -> Vec<PathBuf> {
        files(&self.media)
    }

    fn pass(&self, seconds: u64) {
        self.hand.fetch_add(seconds, Ordering::Relaxed);
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn whole(bytes: &[u8]) -> Body {
    Full::new(Bytes::copy_from_slice(bytes)).map_err(|never| match never {}).boxed_unsync()
}

fn digest(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)))
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(path).header("host", "integrator.example");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body).unwrap()
}

fn upload(user: &str, blob: &[u8]) -> Request<Body> {
    declared(user, &blob.len().to_string(), &digest(blob), whole(blob))
}

fn declared(user: &str, length: &str, digest: &str, body: Body) -> Request<Body> {
    let headers = [("authorization", &*bearer(user)), ("content-length", length), ("content-digest", digest)];
    request(Method::POST, "/media", &headers, body)
}

async fn what_is_uploaded_is_served_as_nothing_but_bytes(place: Place<'_>) {
    let world = World::new(place, |rules| rules).await;
    let response = world.ask(upload("alice", BLOB)).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    let reference = body["storage_reference"].as_str().unwrap();
    assert_eq!((reference.len(), body["expires_at"].as_u64()), (43, Some(NOW + 30 * 24 * 3600)));
    assert_eq!(response.headers()[header::LOCATION], reference);
    for path in [format!("/{reference}"), format!("/{reference}/")] {
        let got = world.get(&path, &[]).await;
        assert_eq!((got.status(), &got.body()[..]), (StatusCode::OK, BLOB));
        assert_eq!(got.headers()[header::CONTENT_TYPE], "application/octet-stream");
        assert_eq!(got.headers()[header::CONTENT_LENGTH], "25");
        assert_eq!(got.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(got.headers()[header::CONTENT_DISPOSITION], "attachment");
        assert_eq!(got.headers()[header::ACCEPT_RANGES], "bytes");
        assert_eq!(got.headers()[header::ETAG], format!("\"{}\"", hex::encode(Sha256::digest(BLOB))));
        let head = world.ask(request(Method::HEAD, &path, &[("range", "bytes=0-1")], whole(b""))).await;
        assert_eq!((head.status(), head.headers(), head.body().len()), (StatusCode::OK, got.headers(), 0));
    }
    let names: Vec<String> = world.files().iter().map(|it| it.display().to_string()).collect();
    assert!(names.len() == 1 && !names[0].contains(reference), "the reference is nowhere on the disk");
    assert_eq!(fs::read(&world.files()[0]).unwrap(), BLOB);
}

async fn ranges_are_served_and_the_rest_is_whole(place: Place<'_>) {
    let world = World::new(place, |rules| rules).await;
    let path = world.hosted(BLOB).await;
    let tag = format!("\"{}\"", hex::encode(Sha256::digest(BLOB)));
    let etag = tag.as_str();
    for (headers, status, range, body) in [
        (&[("range", "bytes=0-3")][..], 206, Some("bytes 0-3/25"), &BLOB[..4]),
        (&[("range", "bytes=20-")], 206, Some("bytes 20-24/25"), &BLOB[20..]),
        (&[("range", "bytes=-4")], 206, Some("bytes 21-24/25"), &BLOB[21..]),
        (&[("range", "bytes=20-999")], 206, Some("bytes 20-24/25"), &BLOB[20..]),
        (&[("range", "bytes=25-")], 416, Some("bytes */25"), b""),
        (&[("range", "bytes=0-1,3-4")], 200, None, BLOB),
        (&[("range", "bytes=9-1")], 200, None, BLOB),
        (&[("range", "bytes=0-3"), ("if-range", etag)], 206, Some("bytes 0-3/25"), &BLOB[..4]),
        (&[("range", "bytes=0-3"), ("if-range", "\"other\"")], 200, None, BLOB),
        (&[("if-none-match", etag)], 304, None, b""),
        (&[("if-none-match", "*"), ("range", "bytes=0-3")], 304, None, b""),
        (&[("if-none-match", "\"other\"")], 200, None, BLOB),
    ] {
        let got = world.get(&path, headers).await;
        let shown = got.headers().get(header::CONTENT_RANGE).map(|range| range.to_str().unwrap());
        assert_eq!((got.status().as_u16(), shown, &got.body()[..]), (status, range, body), "{headers:?}");
        assert_eq!(got.headers()[header::ETAG], etag);
    }
}

async fn hostile_paths_are_not_found_and_touch_no_file(place: Place<'_>) {
    let world = World::new(place, |rules| rules).await;
    world.hosted(BLOB).await;
    fs::write(world.directory.path().join("secret"), "secret").unwrap();
    let absent = "A".repeat(43);
    let expected = world.get(&format!("/{absent}"), &[]).await;
    let long = "A".repeat(4096);
    let stored = world.files()[0].file_name().unwrap().to_str().unwrap().to_owned();
    for path in [
        "/..",
        "/../secret",
        "/../../etc/passwd",
        "/%2e%2e/secret",
        "/%2e%2e%2fsecret",
        "/..%2fsecret",
        "/%252e%252e%252fsecret",
        "/..%5csecret",
        "/%00",
        "/secret%00",
        "/%c0%ae%c0%ae/secret",
        "/~root",
        "/CON",
        "/aux.",
        "/media/../secret",
        "/media/",
        "/media/x",
        "/.",
        "/",
        "//",
        "/media.sqlite",
        "/secret.",
        "/secret%20",
        &format!("/{long}"),
        &format!("/{absent}/.."),
        &format!("/{absent}//"),
        &format!("/{}/{stored}", &stored[..2]),
        &format!("/{stored}"),
        &format!("/{absent}?x"),
    ] {
        let got = world.get(path, &[]).await;
        assert_eq!(
            (got.status(), got.headers(), got.body()),
            (expected.status(), expected.headers(), expected.body()),
            "{path}"
        );
    }
    assert_eq!(expected.status(), StatusCode::NOT_FOUND);
    assert!(expected.headers().is_empty() && expected.body().is_empty());
}

async fn absent_expired_deleted_and_unfinished_are_all_the_same(place: Place<'_>) {
    let world = World::new(place, |rules| rules.with_kept(Duration::from_secs(60))).await;
    let path = world.hosted(BLOB).await;
    let other = world.hosted(BLOB).await;
    let deleted =
        world.ask(request(Method::DELETE, &other, &[("authorization", &bearer("alice"))], whole(b""))).await;
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    let absent = world.get(&format!("/{}", "A".repeat(43)), &[]).await;
    let same = |got: &Response<Bytes>| (got.status(), got.headers().clone(), got.body().clone());
    assert_eq!(same(&world.get(&other, &[]).await), same(&absent));
    world.pass(59);
    assert_eq!(world.get(&path, &[]).await.status(), StatusCode::OK);
    world.pass(1);
    assert_eq!(same(&world.get(&path, &[]).await), same(&absent), "expired, and not yet swept");
    let swept = world.host.sweep().await.unwrap();
    assert_eq!((swept.expired, swept.broken, world.files().len()), (1, 0, 0));
}

async fn only_the_owner_deletes(place: Place<'_>) {
    let world = World::new(place, |rules| rules).await;
    let path = world.hosted(BLOB).await;
    let delete = |headers: Vec<(&'static str, String)>| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        request(Method::DELETE, &path, &headers, whole(b""))
    };
    assert_eq!(world.ask(delete(vec![])).await.status(), StatusCode::UNAUTHORIZED);
    let bobs = delete(vec![("authorization", bearer("bob"))]);
    assert_eq!(world.ask(bobs).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(world.get(&path, &[]).await.status(), StatusCode::OK);
    let alices = delete(vec![("authorization", bearer("alice"))]);
    assert_eq!(world.ask(alices).await.status(), StatusCode::NO_CONTENT);
    assert!(world.files().is_empty());
}

async fn an_upload_that_is_not_as_declared_leaves_nothing(place: Place<'_>) {
    let world =
        World::new(place, |rules| rules.with_blob_bytes_max(1000).with_pause_max(Duration::from_millis(20)))
            .await;
    let broken = || {
        let frames = [Ok(Frame::data(Bytes::from_static(b"what"))), Err(std::io::Error::other("gone"))];
        StreamBody::new(Frames(frames.into_iter().collect(), false)).boxed_unsync()
    };
    let stalled = || {
        StreamBody::new(Frames([Ok(Frame::data(Bytes::from_static(b"what")))].into_iter().collect(), true))
            .boxed_unsync()
    };
    let (good, long) = (digest(BLOB), vec![0; 1001]);
    for (name, request, status) in [
        (
            "no digest",
            request(
                Method::POST,
                "/media",
                &[("authorization", &bearer("a")), ("content-length", "25")],
                whole(BLOB),
            ),
            400,
        ),
        (
            "no length",
            request(
                Method::POST,
                "/media",
                &[("authorization", &bearer("a")), ("content-digest", &good)],
                whole(BLOB),
            ),
            411,
        ),
        ("a length that is none", declared("a", "+25", "x", whole(BLOB)), 400),
        ("empty", declared("a", "0", &digest(b""), whole(b"")), 400),
        ("too long", upload("a", &long), 413),
        ("longer than declared", declared("a", "24", &good, whole(BLOB)), 400),
        ("shorter than declared", declared("a", "26", &good, whole(BLOB)), 400),
        ("broken off", declared("a", "25", &good, broken()), 400),
        ("stalled", declared("a", "25", &good, stalled()), 408),
        ("another digest", declared("a", "25", &digest(b"other"), whole(BLOB)), 422),
        (
            "nobody's",
            request(
                Method::POST,
                "/media",
                &[("content-length", "25"), ("content-digest", &good)],
                whole(BLOB),
            ),
            401,
        ),
        (
            "another method",
            request(Method::PUT, "/media", &[("authorization", &bearer("a"))], whole(BLOB)),
            405,
        ),
    ] {
        assert_eq!(world.ask(request).await.status().as_u16(), status, "{name}");
        assert!(world.files().is_empty(), "{name}");
    }
    let findings = world.host.check(true, Removal::Nothing).await.unwrap();
    assert_eq!((findings.sound, findings.uploading, findings.is_sound()), (0, 0, true));
}

/// Frames, then the end or nothing.
struct Frames(std::collections::VecDeque<Result<Frame<Bytes>, std::io::Error>>, bool);

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

async fn a_user_has_a_quota_for_the_day_that_broken_uploads_give_back(place: Place<'_>) {
    let world = World::new(place, |rules| rules.with_quota(MediaQuota { bytes: 60, files: 4 })).await;
    world.hosted(BLOB).await;
    let broken = declared("alice", "25", &digest(b"x"), whole(&BLOB[..5]));
    assert_eq!(world.ask(broken).await.status(), StatusCode::BAD_REQUEST);
    // 25 and 5 bytes are used, and two of the files.
    world.hosted(BLOB).await;
    let refused = world.ask(upload("alice", BLOB)).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let day = 24 * 3600;
    assert_eq!(refused.headers()[header::RETRY_AFTER], (day - NOW % day).to_string());
    assert_eq!(world.ask(upload("bob", BLOB)).await.status(), StatusCode::CREATED);
    world.hosted(b"small").await;
    assert_eq!(
        world.ask(upload("alice", b"x")).await.status(),
        StatusCode::TOO_MANY_REQUESTS,
        "the fifth file"
    );
    world.pass(day - NOW % day);
    let user = UserIdentifier::new("alice", 40).unwrap();
    let credential = SharedSecret::new(SECRET, 40).credential(&user, NOW + day - NOW % day + 60);
    let mut tomorrow = upload("alice", BLOB);
    let authorization = format!("Bearer {credential}").parse().unwrap();
    tomorrow.headers_mut().insert(header::AUTHORIZATION, authorization);
    assert_eq!(world.ask(tomorrow).await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn what_a_crash_leaves_is_swept() {
    let world = World::new(Place::Files, |rules| rules).await;
    let kept = world.hosted(BLOB).await;
    // An upload whose process ends: its body never does.
    let endless =
        StreamBody::new(Frames([Ok(Frame::data(Bytes::from(vec![1; 2 << 20])))].into_iter().collect(), true))
            .boxed_unsync();
    let mut server = world.server.clone();
    let uploading = tokio::spawn(server.call(declared("alice", "9000000", &digest(b"x"), endless)));
    while world.files().len() < 2 {
        tokio::task::yield_now().await;
    }
    uploading.abort();
    assert_eq!(world.host.sweep().await.unwrap().broken, 0, "it may still be under way");
    assert_eq!(world.host.check(false, Removal::Nothing).await.unwrap().uploading, 1);
    let swept = world.host.sweep_at_start().await.unwrap();
    assert_eq!((swept.broken, swept.expired), (1, 0));
    assert_eq!(world.files().len(), 1);
    assert_eq!(world.get(&kept, &[]).await.status(), StatusCode::OK);
    assert!(world.host.check(true, Removal::Nothing).await.unwrap().is_sound());
}

#[tokio::test]
async fn a_check_finds_what_is_missing_corrupt_and_nobodys() {
    let world = World::new(Place::Files, |rules| rules).await;
    for blob in [BLOB, b"another", b"a third", b"a fourth"] {
        world.hosted(blob).await;
    }
    let holding =
        |text: &[u8]| world.files().into_iter().find(|file| fs::read(file).unwrap() == text).unwrap();
    fs::remove_file(holding(b"another")).unwrap();
    fs::write(holding(b"a third"), "a thirD").unwrap();
    fs::write(holding(b"a fourth"), "a fourth and more").unwrap();
    orphans(&world, 3);
    let findings = world.host.check(true, Removal::Nothing).await.unwrap();
    assert_eq!((findings.sound, findings.missing.len(), findings.corrupt.len()), (1, 2, 1));
    assert_eq!((findings.orphans, findings.orphan_bytes, findings.removed), (3, 18, 0));
    assert!(!findings.is_sound());
    let findings = world.host.check(false, Removal::Exactly(3)).await.unwrap();
    assert_eq!((findings.sound, findings.orphans, findings.removed), (2, 3, 3));
    assert_eq!(world.host.check(false, Removal::Nothing).await.unwrap().orphans, 0);
}

/// The row, the file, and what a day's quota remembers; nobody else's (A17).
#[tokio::test]
async fn a_user_is_forgotten_with_everything() {
    let world =
        World::new(Place::Files, |rules| rules.with_quota(MediaQuota { bytes: 1000, files: 1 })).await;
    let alices = world.hosted(BLOB).await;
    let bobs = world.ask(upload("bob", b"another")).await;
    let bobs = format!("/{}", bobs.headers()[header::LOCATION].to_str().unwrap());
    assert_eq!(world.ask(upload("alice", BLOB)).await.status(), StatusCode::TOO_MANY_REQUESTS);
    let forget = |user| request(Method::DELETE, "/user", &[("authorization", &bearer(user))], whole(b""));
    assert_eq!(world.ask(forget("alice")).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(world.get(&alices, &[]).await.status(), StatusCode::NOT_FOUND);
    assert_eq!((world.get(&bobs, &[]).await.status(), world.files().len()), (StatusCode::OK, 1));
    assert_eq!(
        world.ask(upload("alice", BLOB)).await.status(),
        StatusCode::CREATED,
        "no quota is remembered"
    );
    let nobody = request(Method::DELETE, "/user", &[], whole(b""));
    assert_eq!(world.ask(nobody).await.status(), StatusCode::UNAUTHORIZED);
}

/// Files that no row knows, and that have lain there for two days.
fn orphans(world: &World, number: u8) -> Vec<PathBuf> {
    let directory = world.directory.path().join("media").join("00");
    fs::create_dir_all(&directory).unwrap();
    let names = [hex::encode([0; 32]), format!("{}#1", hex::encode([1; 32])), "stranger".to_owned()];
    let further = (2..number).map(|number| hex::encode([number; 32]));
    let paths: Vec<_> = names.into_iter().chain(further).take(number.into()).collect();
    let paths: Vec<_> = paths.into_iter().map(|name| directory.join(name)).collect();
    for path in &paths {
        fs::write(path, "orphan").unwrap();
        grow_old(path);
    }
    paths
}

fn grow_old(path: &Path) {
    let then = std::time::UNIX_EPOCH + Duration::from_secs(NOW - 2 * 24 * 3600);
    fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
}

/// The index of another moment must not be the end of all files (A9).
#[tokio::test]
async fn a_check_never_empties_the_place() {
    let world = World::new(Place::Files, |rules| rules).await;
    world.hosted(BLOB).await;
    for path in orphans(&world, 5) {
        assert!(path.exists());
    }
    let findings = world.host.check(false, Removal::Plausible).await.unwrap();
    assert_eq!(
        (findings.orphans, findings.old_orphans, findings.removed),
        (5, 5, 0),
        "five of six are too many"
    );
    let findings = world.host.check(false, Removal::Exactly(4)).await.unwrap();
    assert_eq!(findings.removed, 0, "somebody counted others");
    let findings = world.host.check(false, Removal::Exactly(5)).await.unwrap();
    assert_eq!((findings.removed, world.files().len()), (5, 1));

    // Few, and yet one that came a moment ago stays: an upload may be under way.
    for number in 0..20_u8 {
        world.hosted(&[number; 9]).await;
    }
    let orphans = orphans(&world, 2);
    fs::write(&orphans[0], "new").unwrap();
    let findings = world.host.check(false, Removal::Plausible).await.unwrap();
    assert_eq!((findings.orphans, findings.old_orphans, findings.removed), (2, 1, 1));
    assert!(orphans[0].exists() && !orphans[1].exists());

    // An index that is empty is the wrong one.
    let other = World::new(Place::Files, |rules| rules).await;
    let lost = orphans_of(&other);
    let findings = other.host.check(false, Removal::Plausible).await.unwrap();
    assert_eq!((findings.orphans, findings.removed), (1, 0));
    assert!(lost.exists());
}

fn orphans_of(world: &World) -> PathBuf {
    orphans(world, 1).remove(0)
}

/// One file that cannot be removed is not the end of sweeping (A6).
#[tokio::test]
async fn a_file_that_cannot_be_removed_hinders_nothing() {
    let world = World::new(Place::Files, |rules| rules.with_kept(Duration::from_secs(60))).await;
    for number in 0..5_u8 {
        world.hosted(&[number; 9]).await;
    }
    // Where a file should be there is a directory, which nobody removes as a file.
    let stubborn = world.files().remove(0);
    fs::remove_file(&stubborn).unwrap();
    fs::create_dir(&stubborn).unwrap();
    fs::write(stubborn.join("x"), "x").unwrap();
    world.pass(61);
    let swept = world.host.sweep().await.unwrap();
    assert_eq!((swept.expired, swept.failed), (4, 1));
    assert_eq!(world.files(), [stubborn.join("x")]);
    fs::remove_dir_all(&stubborn).unwrap();
    let swept = world.host.sweep().await.unwrap();
    assert_eq!((swept.expired, swept.failed), (1, 0), "and it is tried again");
}

#[tokio::test]
async fn a_disk_that_fails_is_not_a_file_that_is_gone() {
    let world = World::new(Place::Files, |rules| rules).await;
    let path = world.hosted(BLOB).await;
    assert!(world.host.is_ready());
    let (media, away) = (world.directory.path().join("media"), world.directory.path().join("away"));
    fs::rename(&media, &away).unwrap();
    fs::write(&media, "no directory").unwrap();
    let got = world.get(&path, &[]).await;
    assert_eq!(
        (got.status(), &got.headers()[header::RETRY_AFTER]),
        (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
    );
    assert!(!world.host.is_ready() && world.server.is_ready(), "no replica leaves for what all share");
    assert_eq!(world.ask(upload("alice", BLOB)).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    fs::remove_file(&media).unwrap();
    fs::rename(&away, &media).unwrap();
    assert_eq!(world.get(&path, &[]).await.body(), BLOB);
    assert!(world.host.is_ready());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_the_store_is_not_followed() {
    let world = World::new(Place::Files, |rules| rules).await;
    let path = world.hosted(b"secret").await;
    let file = world.files().remove(0);
    let secret = world.directory.path().join("secret");
    fs::rename(&file, &secret).unwrap();
    std::os::unix::fs::symlink(&secret, &file).unwrap();
    assert_eq!(world.get(&path, &[]).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    fs::remove_file(&file).unwrap();
    let directory = file.parent().unwrap();
    let elsewhere = world.directory.path().join("elsewhere");
    fs::rename(directory, &elsewhere).unwrap();
    fs::rename(&secret, elsewhere.join(file.file_name().unwrap())).unwrap();
    std::os::unix::fs::symlink(&elsewhere, directory).unwrap();
    assert_eq!(world.get(&path, &[]).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

async fn uploads_beyond_the_room_wait(place: Place<'_>) {
    let world = World::new(place, |rules| rules.with_uploads_at_a_time(0)).await;
    let refused = world.ask(upload("alice", BLOB)).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
}

async fn a_fetch_without_a_token_is_refused_where_one_is_required(place: Place<'_>) {
    let world = World::new(place, |rules| rules.with_fetch_auth(MediaFetchAuth::Required)).await;
    let path = world.hosted(BLOB).await;
    // Nothing is there to verify one with.
    assert_eq!(world.get(&path, &[]).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let (plain, _) = integrator(BASE);
    let Ok(response) = plain.clone().call(request(Method::GET, &path, &[], whole(b""))).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND, "without hosting there is nothing");
    assert_eq!((plain.media_url(), world.server.media_url()), (None, Some(format!("{BASE}/media"))));
}

/// In parts that no store refuses as too small, however small the pieces come; and a broken one leaves no part.
#[cfg(feature = "s3")]
#[tokio::test]
async fn a_large_file_goes_to_a_bucket_in_parts() {
    let world = World::new(Place::Bucket, |rules| rules).await;
    let blob: Vec<u8> = (0..11_u32 << 20).map(|number| number.to_le_bytes()[number as usize % 3]).collect();
    let pieces = |bytes: &[u8], endless| {
        let frames = bytes.chunks(1400).map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))));
        StreamBody::new(Frames(frames.collect(), endless)).boxed_unsync()
    };
    let length = blob.len().to_string();
    let sent = declared("alice", &length, &digest(&blob), pieces(&blob, false));
    let response = world.ask(sent).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let path = format!("/{}", response.headers()[header::LOCATION].to_str().unwrap());
    assert!(world.get(&path, &[]).await.body() == &blob, "the same");
    let part = world.get(&path, &[("range", "bytes=5242870-5242890")]).await;
    assert_eq!(
        (part.status(), &part.body()[..]),
        (StatusCode::PARTIAL_CONTENT, &blob[5_242_870..=5_242_890])
    );

    let broken = declared("alice", &length, &digest(b"x"), pieces(&blob, false));
    assert_eq!(world.ask(broken).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let left = fs::read_dir(world.directory.path().join("s3")).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let parts: Vec<_> = names.filter(|name| name.contains("part")).collect();
    assert!(parts.is_empty() && world.files().len() == 1, "{parts:?}");
}

#[cfg(feature = "s3")]
#[tokio::test]
async fn a_bucket_that_is_away_is_said_to_be_and_comes_back_by_itself() {
    let mut world = World::new(Place::Bucket, |rules| rules).await;
    let path = world.hosted(BLOB).await;
    let running = tokio::spawn(world.host.clone().run());
    let mut bucket = world.bucket.take().unwrap();
    bucket.stop().await;
    for request in [upload("alice", BLOB), request(Method::GET, &path, &[], whole(b""))] {
        let refused = world.ask(request).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    }
    assert!(!world.host.is_ready());
    bucket.restart().await;
    // Nobody asks for anything meanwhile.
    for _ in 0..400 {
        if world.host.is_ready() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(world.host.is_ready());
    assert_eq!(world.get(&path, &[]).await.body(), BLOB);
    world.hosted(b"another").await;
    let findings = world.host.check(true, Removal::Nothing).await.unwrap();
    assert_eq!((findings.sound, findings.orphans, findings.missing.len()), (2, 0, 0));
    running.abort();
}

/// Several servers: what another one is being sent is not taken for what a crash left.
#[cfg(all(unix, feature = "postgres"))]
#[tokio::test]
async fn a_server_that_starts_leaves_the_others_uploads_alone() {
    let server = fixture::postgres::Postgres::start();
    let directory = tempfile::tempdir().unwrap();
    let store = server.store().await;
    let host = || {
        let rules = MediaRules::new(&Profile::default().media);
        let blobs = Blobs::local(directory.path()).unwrap();
        MediaHost::new(blobs, Arc::new(store.clone()), rules, Clock::from_fn(|| NOW))
    };
    let (mut uploads, _) = integrator(BASE);
    uploads = uploads.with_media(host());
    let frames = [Ok(Frame::data(Bytes::from(vec![1; 2 << 20])))].into_iter().collect();
    let endless = StreamBody::new(Frames(frames, true)).boxed_unsync();
    let uploading = tokio::spawn(uploads.call(declared("alice", "9000000", &digest(b"x"), endless)));
    while files(directory.path()).is_empty() {
        tokio::task::yield_now().await;
    }
    let starting = host();
    assert_eq!(starting.sweep_at_start().await.unwrap().broken, 0);
    assert_eq!(starting.check(false, Removal::Nothing).await.unwrap().uploading, 1);
    uploading.abort();
}
