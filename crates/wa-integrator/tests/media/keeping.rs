//! What stays on the disk, and what is swept from it: crashes, checks, disks that fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tower::Service as _;
use wa_http_server::ClientAddress;
use wa_integrator::{MediaQuota, Removal};

use crate::fixture::server::{NOW, bearer};
use crate::world::*;

#[tokio::test]
async fn what_a_crash_leaves_is_swept() {
    let world = World::new(Place::Files, |_| ()).await;
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
    assert_eq!(world.host.sweep_at_start().await.unwrap().broken, 0, "it is of the process that sweeps");
    let swept = world.restarted().sweep_at_start().await.unwrap();
    assert_eq!((swept.broken, swept.expired), (1, 0));
    assert_eq!(world.files().len(), 1);
    assert_eq!(world.get(&kept, &[]).await.status(), StatusCode::OK);
    assert!(world.host.check(true, Removal::Nothing).await.unwrap().is_sound());
}

#[tokio::test]
async fn a_check_finds_what_is_missing_corrupt_and_nobodys() {
    let world = World::new(Place::Files, |_| ()).await;
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
    let world = World::new(Place::Files, |rules| rules.quota = MediaQuota { bytes: 1000, files: 1 }).await;
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
    let world = World::new(Place::Files, |_| ()).await;
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
    let other = World::new(Place::Files, |_| ()).await;
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
    let world = World::new(Place::Files, |rules| rules.kept = Duration::from_secs(60)).await;
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

fn asked_from(path: &str, address: &str) -> Request<Body> {
    let mut request = request(Method::GET, path, &[], whole(b""));
    request.extensions_mut().insert(ClientAddress(address.parse().unwrap()));
    request
}

/// An address that guesses may not ask the index for long, and no other address suffers for it (A16).
#[tokio::test]
async fn an_address_that_asks_for_what_is_not_there_waits() {
    let world = World::new(Place::Files, |_| ()).await;
    let path = world.hosted(BLOB).await;
    let nothing = format!("/{}", "A".repeat(43));
    for _ in 0..300 {
        assert_eq!(world.ask(asked_from(&nothing, "192.0.2.1")).await.status(), StatusCode::NOT_FOUND);
    }
    let answer = world.ask(asked_from(&nothing, "192.0.2.1")).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()[header::RETRY_AFTER], "60");
    assert_eq!(world.ask(asked_from(&path, "192.0.2.2")).await.body(), BLOB);
}

/// An address has so many downloads under way, and the next one when one of them is over (A4, A16).
#[tokio::test]
async fn an_address_has_few_downloads_at_a_time() {
    let world = World::new(Place::Files, |rules| rules.downloads_per_address = 1).await;
    let path = world.hosted(BLOB).await;
    let Ok(first) = world.server.clone().call(asked_from(&path, "192.0.2.1")).await;
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(world.ask(asked_from(&path, "192.0.2.1")).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.ask(asked_from(&path, "192.0.2.2")).await.body(), BLOB);
    drop(first);
    assert_eq!(world.ask(asked_from(&path, "192.0.2.1")).await.body(), BLOB);
    // Who has one address of an IPv6 network has all of them.
    let Ok(first) = world.server.clone().call(asked_from(&path, "2001:db8::1")).await;
    let second = world.ask(asked_from(&path, "2001:db8::2")).await;
    assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(world.ask(asked_from(&path, "2001:db8:0:1::1")).await.body(), BLOB);
}

#[tokio::test]
async fn a_file_that_is_gone_says_nothing_of_the_others() {
    let world = World::new(Place::Files, |_| ()).await;
    let path = world.hosted(BLOB).await;
    fs::remove_file(world.files().remove(0)).unwrap();
    assert_eq!(world.get(&path, &[]).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(world.host.is_ready());
}

#[tokio::test]
async fn a_disk_that_fails_is_not_a_file_that_is_gone() {
    let world = World::new(Place::Files, |_| ()).await;
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
    let world = World::new(Place::Files, |_| ()).await;
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

/// Several servers: what another one is being sent is not taken for what a crash left.
#[cfg(all(unix, feature = "postgres"))]
#[tokio::test]
async fn a_server_that_starts_leaves_the_others_uploads_alone() {
    use std::sync::Arc;

    use wa_integrator::{Blobs, Clock, MediaHost, MediaRules};
    use wa_profile::Profile;

    use crate::fixture::server::integrator;

    let server = crate::fixture::postgres::Postgres::start();
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
