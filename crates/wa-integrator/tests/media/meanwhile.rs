//! What is hosted while the index and the files are compared.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::StatusCode;
use tower::Service as _;
use wa_integrator::{
    Beginning, Begun, Blobs, Clock, Doomed, Entry, Hosted, MediaHost, MediaQuota, MediaRules, MediaStore,
    Removal, SqliteMedia, StoreError,
};
use wa_profile::Profile;

use crate::fixture::server::NOW;
use crate::world::*;

/// An index before whose first rows are read something happens.
struct Interrupted {
    index: SqliteMedia,
    first: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

#[async_trait]
impl MediaStore for Interrupted {
    fn is_shared(&self) -> bool {
        self.index.is_shared()
    }

    async fn begin(&self, upload: Beginning, quota: MediaQuota) -> Result<Begun, StoreError> {
        self.index.begin(upload, quota).await
    }

    async fn complete(&self, id: [u8; 32]) -> Result<(), StoreError> {
        self.index.complete(id).await
    }

    async fn give_up(&self, id: [u8; 32], unused: u64) -> Result<(), StoreError> {
        self.index.give_up(id, unused).await
    }

    async fn hosted(&self, id: [u8; 32], now: u64) -> Result<Option<Hosted>, StoreError> {
        self.index.hosted(id, now).await
    }

    async fn doom(&self, id: [u8; 32], user: String, now: u64) -> Result<bool, StoreError> {
        self.index.doom(id, user, now).await
    }

    async fn doom_user(&self, user: String) -> Result<u64, StoreError> {
        self.index.doom_user(user).await
    }

    async fn doomed(
        &self,
        now: u64,
        begun_before: u64,
        after: Option<[u8; 32]>,
        limit: u32,
    ) -> Result<Vec<Doomed>, StoreError> {
        self.index.doomed(now, begun_before, after, limit).await
    }

    async fn forget(&self, id: [u8; 32]) -> Result<(), StoreError> {
        self.index.forget(id).await
    }

    async fn forget_usage(&self, now: u64) -> Result<(), StoreError> {
        self.index.forget_usage(now).await
    }

    async fn entries(&self, after: Option<[u8; 32]>, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let first = self.first.lock().unwrap().take();
        if let Some(first) = first {
            first.await;
        }
        self.index.entries(after, limit).await
    }
}

#[tokio::test]
async fn a_file_that_is_uploaded_during_a_check_is_not_missing() {
    let world = World::new(Place::Files, |_| ()).await;
    world.hosted(BLOB).await;
    let mut server = world.server.clone();
    let uploading = async move {
        let Ok(response) = server.call(upload("alice", b"another")).await;
        assert_eq!(response.status(), StatusCode::CREATED);
    };
    let directory = world.directory.path();
    let index = SqliteMedia::open(&directory.join("media.sqlite")).unwrap();
    let index = Interrupted { index, first: Mutex::new(Some(Box::pin(uploading))) };
    let blobs = Blobs::local(&directory.join("media")).unwrap();
    let rules = MediaRules::new(&Profile::default().media);
    let host = MediaHost::new(blobs, Arc::new(index), rules, Clock::from_fn(|| NOW));
    let findings = host.check(true, Removal::Nothing).await.unwrap();
    assert_eq!((findings.sound, findings.missing.len(), findings.orphans), (2, 0, 0));
}
