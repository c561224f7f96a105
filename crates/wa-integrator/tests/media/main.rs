//! Hosted media without a socket: who may upload, what is kept, who gets it, and what is never on the disk.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail the test")]

#[path = "../fixture"]
mod fixture {
    #[cfg(feature = "s3")]
    pub(crate) mod bucket;
    #[cfg(all(unix, feature = "postgres"))]
    pub(crate) mod postgres;
    pub(crate) mod server;
}
mod keeping;
mod meanwhile;
#[cfg(feature = "s3")]
mod s3;
mod world;

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use fixture::server::{NOW, SECRET, bearer, integrator};
use http::{Method, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use sha2::{Digest as _, Sha256};
use tower::Service as _;
use wa_integrator::{MediaQuota, Removal, SharedSecret, UserIdentifier};
use wa_profile::MediaFetchAuth;
use world::*;

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

async fn what_is_uploaded_is_served_as_nothing_but_bytes(place: Place<'_>) {
    let world = World::new(place, |_| ()).await;
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
    let world = World::new(place, |_| ()).await;
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
    let world = World::new(place, |_| ()).await;
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
    let world = World::new(place, |rules| rules.kept = Duration::from_secs(60)).await;
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
    let world = World::new(place, |_| ()).await;
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
    let world = World::new(place, |rules| {
        (rules.blob_bytes_max, rules.pause_max) = (1000, Duration::from_millis(20))
    })
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

async fn a_user_has_a_quota_for_the_day_that_broken_uploads_give_back(place: Place<'_>) {
    let world = World::new(place, |rules| rules.quota = MediaQuota { bytes: 60, files: 4 }).await;
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

async fn uploads_beyond_the_room_wait(place: Place<'_>) {
    let world = World::new(place, |rules| rules.uploads_at_a_time = 0).await;
    let refused = world.ask(upload("alice", BLOB)).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
}

async fn a_fetch_without_a_token_is_refused_where_one_is_required(place: Place<'_>) {
    let world = World::new(place, |rules| rules.fetch_auth = MediaFetchAuth::Required).await;
    let path = world.hosted(BLOB).await;
    // Nothing is there to verify one with.
    assert_eq!(world.get(&path, &[]).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let (plain, _) = integrator(BASE);
    let Ok(response) = plain.clone().call(request(Method::GET, &path, &[], whole(b""))).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND, "without hosting there is nothing");
    assert_eq!((plain.media_url(), world.server.media_url()), (None, Some(format!("{BASE}/media"))));
}
