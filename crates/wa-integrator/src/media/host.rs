//! The host of media: its routes, its rules, and what it does between requests (overview §4.1; RO 1.0.3).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::{OnceCell, Semaphore};
use tracing::Instrument as _;
use wa_http_server::ClientAddress;
use wa_profile::MediaFetchAuth;

use super::downloads::Downloads;
use super::fetch;
use super::upload::Reception;
use crate::media::{Blobs, Findings, MediaQuota, MediaStore, Removal, StorageReference, Swept};
use crate::tokens::Principal;
use crate::value::answers::{IntegratorBody, RequestBody, empty, not_allowed, unavailable};
use crate::value::{Clock, StoreError, UserIdentifier};

/// How often it is looked whether blobs that could not be used can be again.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);
const UPLOAD_SECONDS_MAX: u64 = 24 * 60 * 60;

/// Takes encrypted files from our users and gives them to anybody who has their reference.
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

pub(super) struct Hosting {
    pub(super) blobs: Blobs,
    pub(super) index: Arc<dyn MediaStore>,
    pub(super) rules: MediaRules,
    pub(super) clock: Clock,
    /// Uploads that may still begin.
    pub(super) room: Arc<Semaphore>,
    pub(super) downloads: Downloads,
    /// Whether the uploads that an earlier process left were given up.
    left: OnceCell<()>,
}

impl Hosting {
    /// Gives up every upload that an earlier process left, once, and before this one begins any: afterwards nothing tells
    /// them apart. Where other servers use the index, an upload that has begun may be theirs.
    pub(super) async fn give_up_left(&self) -> Result<(), StoreError> {
        if self.index.is_shared() {
            return Ok(());
        }
        let give_up = async || self.index.doomed(self.clock.now(), u64::MAX >> 1, None, 0).await.map(drop);
        self.left.get_or_try_init(give_up).await.copied()
    }
}

/// What [`MediaHost`] takes and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// How many downloads are under way at a time; each holds a file and a piece of 32 KiB.
    pub downloads_at_a_time: usize,
    /// How many of them one address may have.
    pub downloads_per_address: usize,
    /// What a fetch must show.
    pub fetch_auth: MediaFetchAuth,
}

impl MediaHost {
    /// Hosts in `blobs` what `index` knows of.
    #[must_use]
    pub fn new(blobs: Blobs, index: Arc<dyn MediaStore>, rules: MediaRules, clock: Clock) -> Self {
        let room = Arc::new(Semaphore::new(rules.uploads_at_a_time));
        let downloads = Downloads::new(rules.downloads_at_a_time, rules.downloads_per_address);
        Self(Arc::new(Hosting { blobs, index, rules, clock, room, downloads, left: OnceCell::new() }))
    }

    /// Whether a fetch must show a token of WhatsApp's.
    pub(crate) fn needs_token(&self) -> bool {
        self.0.rules.fetch_auth == MediaFetchAuth::Required
    }

    /// Whether blobs could be read and written when that was tried last.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.blobs.is_available()
    }

    /// Answers an upload of this user's. It goes on by itself when the answer is no longer waited for, which ends
    /// with the broken body: whatever was begun is taken away again.
    pub(crate) async fn upload(
        &self,
        principal: Principal,
        request: &Parts,
        body: RequestBody,
    ) -> Response<IntegratorBody> {
        if request.method != Method::POST {
            return not_allowed("POST").map(IntegratorBody::Left);
        }
        let received = match Reception::new(&self.0, principal, request) {
            Ok(reception) => tokio::spawn(reception.receive(body).in_current_span()).await,
            Err(refusal) => Ok(Err(refusal)),
        };
        let (outcome, answer) = match received {
            Ok(Ok(response)) => ("stored", response),
            Ok(Err(refusal)) => (refusal.name(), refusal.response()),
            Err(_) => ("panicked", empty(StatusCode::INTERNAL_SERVER_ERROR)),
        };
        metrics::counter!("wa_integrator_media_uploads_total", "outcome" => outcome).increment(1);
        answer.map(IntegratorBody::Left)
    }

    /// Answers a request for what this reference names, which only its owner may delete.
    pub(crate) async fn hosted(
        &self,
        reference: &StorageReference,
        request: &Parts,
        owner: Option<Principal>,
    ) -> Response<IntegratorBody> {
        match (&request.method, owner) {
            (&Method::GET | &Method::HEAD, _) => fetch::answer(&self.0, reference, request).await,
            (&Method::DELETE, Some(owner)) => self.delete(reference, &owner).await.map(IntegratorBody::Left),
            _ => not_allowed("GET, HEAD, DELETE").map(IntegratorBody::Left),
        }
    }

    async fn delete(&self, reference: &StorageReference, owner: &Principal) -> Response<Full<Bytes>> {
        let id = reference.id();
        let user = owner.user_identifier().as_str().to_owned();
        match self.0.index.doom(id, user, self.0.clock.now()).await {
            Ok(true) => {
                // What cannot be removed now is removed by the sweep.
                if let Err(error) = self.0.remove(id).await {
                    tracing::warn!(%error, "a deleted file is left to the sweep");
                }
                empty(StatusCode::NO_CONTENT)
            }
            Ok(false) => empty(StatusCode::NOT_FOUND),
            Err(error) => {
                tracing::error!(%error, "media not deleted");
                unavailable()
            }
        }
    }

    /// Removes what an earlier process left, what has expired or was given up, every ten minutes, and looks whether blobs
    /// that could not be used can be again, until dropped.
    pub async fn run(self) {
        tokio::join!(self.keep_swept(), self.0.blobs.keep_probed(PROBE_INTERVAL));
    }

    async fn keep_swept(&self) {
        let mut swept = self.sweep_at_start().await;
        loop {
            match &swept {
                Ok(swept) if *swept != Swept::default() => tracing::info!(?swept, "media swept"),
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "media not swept"),
            }
            tokio::time::sleep(SWEEP_INTERVAL).await;
            swept = self.sweep().await;
        }
    }

    /// Removes what has expired, was deleted, or is an upload that has taken longer than a day.
    ///
    /// # Errors
    /// [`StoreError`] of the index.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let now = self.0.clock.now();
        Arc::clone(&self.0).sweep(now, now.saturating_sub(UPLOAD_SECONDS_MAX)).await
    }

    /// The same, and every upload that an earlier process left, unless other servers use the index. Uploads of this process
    /// go on.
    ///
    /// # Errors
    /// [`StoreError`] of the index.
    pub async fn sweep_at_start(&self) -> Result<Swept, StoreError> {
        self.0.give_up_left().await?;
        self.sweep().await
    }

    /// Asks the index and the blobs for something that is not there.
    ///
    /// # Errors
    /// [`StoreError`] of whichever does not answer.
    pub async fn answers(&self) -> Result<(), StoreError> {
        self.0.index.hosted([0; 32], self.0.clock.now()).await?;
        self.0.blobs.answer().await
    }

    /// Takes away all files of a user, and forgets what they used; how many files.
    ///
    /// # Errors
    /// [`StoreError`] of the index. What cannot be removed now is removed by the sweep.
    pub async fn forget_user(&self, user: &UserIdentifier) -> Result<u64, StoreError> {
        let doomed = self.0.index.doom_user(user.as_str().to_owned()).await?;
        if doomed > 0 {
            self.sweep().await?;
        }
        Ok(doomed)
    }

    /// Compares the index with what is there: missing blobs, blobs that no row knows, and with `verify` every digest; and
    /// removes what `removal` says.
    ///
    /// # Errors
    /// [`StoreError`] of the index or of the blobs.
    pub async fn check(&self, verify: bool, removal: Removal) -> Result<Findings, StoreError> {
        self.0.check(verify, removal).await
    }
}

impl MediaRules {
    /// What the profile says: files of at most 2 GiB, kept for 30 days, 4 GiB and 1000 files a day for a user, 64
    /// uploads and 512 downloads at a time, 256 of them from one address.
    #[must_use]
    pub const fn new(media: &wa_profile::MediaRules) -> Self {
        Self {
            // WhatsApp's own limit (observed), its padding and MAC.
            blob_bytes_max: (2 << 30) + 26,
            quota: MediaQuota { bytes: 4 << 30, files: 1000 },
            kept: Duration::from_secs(30 * 24 * 60 * 60),
            pause_max: Duration::from_secs(15),
            uploads_at_a_time: 64,
            downloads_at_a_time: 512,
            downloads_per_address: 256,
            fetch_auth: media.fetch_auth,
        }
    }
}

impl fmt::Debug for MediaHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaHost").field("rules", &self.0.rules).finish_non_exhaustive()
    }
}

/// The address that asks, or its IPv6 network, as the server in front says.
pub(super) fn client(request: &Parts) -> Option<IpAddr> {
    request.extensions.get::<ClientAddress>().map(|client| client.network())
}
