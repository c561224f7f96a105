//! Media hosting: what our users send lies here until WhatsApp's proxy fetches it (seed §4.1; RO 1.0.3).
//!
//! ```text
//! POST {base}/media             the user's client uploads an encrypted file, and learns its storage reference
//! GET  {base}/{reference}       WhatsApp's proxy fetches it: the message said so to the other user
//! ```
//!
//! The server sees ciphertext only, and who has the reference may fetch it. The reference itself is nowhere stored:
//! rows and files are named by its SHA-256.

mod blob_body;
mod blobs;
mod fetch;
mod index;
mod range;
mod reference;
mod sweep;
mod upload;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Response, StatusCode, request::Parts};
use http_body_util::Full;
use tokio::sync::Semaphore;
use wa_profile::MediaFetchAuth;

use crate::{
    AnswerBody, Clock, Principal,
    media::upload::Reception,
    push::RequestBody,
    service::{empty, not_allowed, retry_later},
};

pub(crate) use blob_body::BlobBody;
pub use blobs::Blobs;
#[cfg(feature = "s3")]
pub use blobs::S3Bucket;
pub use index::{MediaIndex, MediaQuota};
pub use range::ByteRange;
pub use reference::StorageReference;
pub use sweep::{Findings, Swept};

/// Takes encrypted files from our users and gives them to whoever has their reference.
///
/// | request | answer |
/// |---|---|
/// | `POST /media` of a recognised user, `Content-Length` and `Content-Digest: sha-256=:…:`, stored and synced | 201, `Location`, `{"storage_reference": text, "expires_at": Unix seconds}` |
/// | the same without a length; empty or without a digest; too long | 411, 400, 413 |
/// | another length, another digest than declared; nothing for 15 s | 400, 422, 408, and nothing is kept |
/// | more than the user may upload a day | 429 with `Retry-After` |
/// | `GET`, `HEAD` of a reference | 200, or 206 for one range, 304, 416 |
/// | `DELETE` of a reference by the user who uploaded it | 204 |
/// | a reference that never was, has expired, or is being uploaded | 404, all the same |
/// | no room, no disk, no blob where one should be | 503 with `Retry-After` |
#[derive(Clone)]
pub struct MediaHost(Arc<Hosting>);

pub(crate) struct Hosting {
    pub(crate) blobs: Blobs,
    pub(crate) index: MediaIndex,
    pub(crate) rules: MediaRules,
    pub(crate) clock: Clock,
    /// Uploads that may still begin.
    pub(crate) room: Arc<Semaphore>,
}

/// What [`MediaHost`] takes and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaRules {
    /// The longest file, in bytes as encrypted.
    pub blob_bytes_max: u64,
    /// What one user may upload a day.
    pub quota: MediaQuota,
    /// How long a file is kept. Assumed: WhatsApp keeps messages for 30 days.
    pub kept: Duration,
    /// How long an upload may pause.
    pub pause_max: Duration,
    /// How many uploads are taken at a time; each holds a mebibyte of memory, or five with an object store.
    pub uploads_at_a_time: usize,
    /// What a fetch must show.
    pub fetch_auth: MediaFetchAuth,
}

impl MediaHost {
    /// Hosts in `blobs` what `index` knows of.
    #[must_use]
    pub fn new(blobs: Blobs, index: MediaIndex, rules: MediaRules, clock: Clock) -> Self {
        let room = Arc::new(Semaphore::new(rules.uploads_at_a_time));
        Self(Arc::new(Hosting { blobs, index, rules, clock, room }))
    }

    /// Whether a fetch must show a token of WhatsApp's.
    pub(crate) fn needs_token(&self) -> bool {
        self.0.rules.fetch_auth == MediaFetchAuth::Required
    }

    /// Whether blobs could be read and written when that was tried last.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.blobs.is_available()
    }

    /// Answers an upload of this user's. It goes on by itself when the answer is no longer waited for, which ends
    /// with the broken body: whatever was begun is taken away again.
    pub(crate) async fn upload(
        &self,
        principal: Principal,
        request: &Parts,
        body: RequestBody,
    ) -> Response<AnswerBody> {
        if request.method != Method::POST {
            return not_allowed("POST").map(AnswerBody::from);
        }
        let reception = match Reception::new(&self.0, principal, request) {
            Ok(reception) => reception,
            Err(refusal) => return refusal.response().map(AnswerBody::from),
        };
        let receiving = tokio::spawn(reception.receive(body));
        let answer = match receiving.await {
            Ok(Ok(response)) => response,
            Ok(Err(refusal)) => refusal.response(),
            Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
        };
        answer.map(AnswerBody::from)
    }

    /// Answers a request for what this reference names, which only its owner may delete.
    pub(crate) async fn hosted(
        &self,
        reference: &StorageReference,
        request: &Parts,
        owner: Option<Principal>,
    ) -> Response<AnswerBody> {
        match (&request.method, owner) {
            (&Method::GET | &Method::HEAD, _) => fetch::answer(&self.0, reference, request).await,
            (&Method::DELETE, Some(owner)) => self.delete(reference, &owner).await.map(AnswerBody::from),
            _ => not_allowed("GET, HEAD, DELETE").map(AnswerBody::from),
        }
    }

    async fn delete(&self, reference: &StorageReference, owner: &Principal) -> Response<Full<Bytes>> {
        let id = reference.id();
        let user = owner.user_identifier().as_str().to_owned();
        match self.0.index.doom(id, user, self.0.clock.now()).await {
            Ok(true) => {
                // What cannot be removed now is removed by the sweep.
                let _ = self.0.remove(id).await;
                empty(StatusCode::NO_CONTENT)
            }
            Ok(false) => empty(StatusCode::NOT_FOUND),
            Err(error) => {
                tracing::error!(%error, "media not deleted");
                retry_later(StatusCode::SERVICE_UNAVAILABLE, RETRY_SECONDS)
            }
        }
    }

    /// Removes what has expired or was given up, every ten minutes, and looks whether blobs that could not be used can
    /// be again, until dropped.
    pub async fn run(self) {
        tokio::join!(self.keep_swept(), self.0.blobs.keep_probed(PROBE_INTERVAL));
    }

    async fn keep_swept(&self) {
        loop {
            tokio::time::sleep(SWEEP_INTERVAL).await;
            match self.sweep().await {
                Ok(swept) if swept != Swept::default() => tracing::info!(?swept, "media swept"),
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "media not swept"),
            }
        }
    }

    /// Removes what has expired, was deleted, or is an upload that has taken longer than a day.
    ///
    /// # Errors
    /// [`StoreError`](crate::StoreError) of the index.
    pub async fn sweep(&self) -> Result<Swept, crate::StoreError> {
        let now = self.0.clock.now();
        self.0.sweep(now, now.saturating_sub(UPLOAD_SECONDS_MAX)).await
    }

    /// The same, and every upload that has begun, unless other servers use the index: for a process that starts, and so
    /// has none.
    ///
    /// # Errors
    /// [`StoreError`](crate::StoreError) of the index.
    pub async fn sweep_at_start(&self) -> Result<Swept, crate::StoreError> {
        if self.0.index.is_shared() {
            return self.sweep().await;
        }
        self.0.sweep(self.0.clock.now(), u64::MAX >> 1).await
    }

    /// Asks the index and the blobs for something that is not there.
    ///
    /// # Errors
    /// [`StoreError`](crate::StoreError) of whichever does not answer.
    pub async fn answers(&self) -> Result<(), crate::StoreError> {
        self.0.index.hosted([0; 32], self.0.clock.now()).await?;
        self.0.blobs.answer().await
    }

    /// Compares the index with what is there: missing blobs, blobs nobody knows, and with `verify` every digest.
    /// With `remove`, blobs nobody knows are removed.
    ///
    /// # Errors
    /// [`StoreError`](crate::StoreError) of the index or of the blobs.
    pub async fn check(&self, verify: bool, remove: bool) -> Result<Findings, crate::StoreError> {
        self.0.check(verify, remove).await
    }
}

impl MediaRules {
    /// What the profile says: files of at most 2 GiB, kept for 30 days, 4 GiB and 1000 files a day for a user, 64
    /// uploads at a time.
    #[must_use]
    pub const fn new(media: &wa_profile::Media) -> Self {
        Self {
            // WhatsApp's own limit (observed), its padding and MAC.
            blob_bytes_max: (2 << 30) + 26,
            quota: MediaQuota { bytes: 4 << 30, files: 1000 },
            kept: Duration::from_secs(30 * 24 * 60 * 60),
            pause_max: Duration::from_secs(15),
            uploads_at_a_time: 64,
            fetch_auth: media.fetch_auth,
        }
    }

    /// These rules with another longest file, in bytes as encrypted.
    #[must_use]
    pub const fn with_blob_bytes_max(mut self, bytes: u64) -> Self {
        self.blob_bytes_max = bytes;
        self
    }

    /// These rules with another quota.
    #[must_use]
    pub const fn with_quota(mut self, quota: MediaQuota) -> Self {
        self.quota = quota;
        self
    }

    /// These rules with another time that files are kept.
    #[must_use]
    pub const fn with_kept(mut self, kept: Duration) -> Self {
        self.kept = kept;
        self
    }

    /// These rules with another longest pause of an upload.
    #[must_use]
    pub const fn with_pause_max(mut self, pause_max: Duration) -> Self {
        self.pause_max = pause_max;
        self
    }

    /// These rules with another number of uploads at a time.
    #[must_use]
    pub const fn with_uploads_at_a_time(mut self, uploads: usize) -> Self {
        self.uploads_at_a_time = uploads;
        self
    }

    /// These rules with another demand on a fetch.
    #[must_use]
    pub const fn with_fetch_auth(mut self, fetch_auth: MediaFetchAuth) -> Self {
        self.fetch_auth = fetch_auth;
        self
    }
}

impl fmt::Debug for MediaHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaHost").field("rules", &self.0.rules).finish_non_exhaustive()
    }
}

pub(crate) const RETRY_SECONDS: u64 = 1;
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);
const UPLOAD_SECONDS_MAX: u64 = 24 * 60 * 60;
