//! Files in a bucket: parts, and a bucket that is away.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use wa_integrator::Removal;

use crate::world::*;

/// In parts that no store refuses as too small, however small the pieces come; and a broken one leaves no part.
#[tokio::test]
async fn a_large_file_goes_to_a_bucket_in_parts() {
    let world = World::new(Place::Bucket, |_| ()).await;
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

#[tokio::test]
async fn a_bucket_that_is_away_is_said_to_be_and_comes_back_by_itself() {
    let mut world = World::new(Place::Bucket, |_| ()).await;
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
