//! Taking an upload: `POST {base}/media` (RO 1.0.3 leaves the request to the third party; digest: RFC 9530).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::OwnedSemaphorePermit;

use super::blobs::NewBlob;
use super::host::Hosting;
use crate::media::{Beginning, Begun, StorageReference};
use crate::tokens::Principal;
use crate::value::StoreError;
use crate::value::answers::{RequestBody, empty, insert, json, retry_later};

/// An upload that may begin: its head was read, and there is room.
pub(super) struct Reception {
    hosting: Arc<Hosting>,
    user: String,
    length: u64,
    digest: [u8; 32],
    _room: OwnedSemaphorePermit,
}

/// Why an upload is not taken, as an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NoLength,
    Empty,
    TooLong,
    NoDigest,
    Quota(u64),
    /// Fewer or more bytes than were declared.
    OtherLength,
    OtherDigest,
    Paused,
    Later,
}

impl Reception {
    pub(super) fn new(hosting: &Arc<Hosting>, user: Principal, request: &Parts) -> Result<Self, Refusal> {
        let length = request.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let length: u64 = length.and_then(|length| length.parse().ok()).ok_or(Refusal::NoLength)?;
        if length == 0 {
            return Err(Refusal::Empty);
        }
        if length > hosting.rules.blob_bytes_max {
            return Err(Refusal::TooLong);
        }
        let digests = request.headers.get("content-digest").and_then(|digests| digests.to_str().ok());
        let digest = digests.and_then(sha256).ok_or(Refusal::NoDigest)?;
        let room = Arc::clone(&hosting.room).try_acquire_owned().map_err(|_| Refusal::Later)?;
        let user = user.user_identifier().as_str().to_owned();
        Ok(Self { hosting: Arc::clone(hosting), user, length, digest, _room: room })
    }

    /// Takes the file: a row, the blob, the blob's end, the row's end. Whatever of it fails, nothing stays; what a
    /// crash leaves, the row tells the sweep.
    pub(super) async fn receive(self, body: RequestBody) -> Result<Response<Full<Bytes>>, Refusal> {
        let reference = StorageReference::generate(&mut rand::rng());
        let (id, now) = (reference.id(), self.hosting.clock.now());
        let expires_at = now.saturating_add(self.hosting.rules.kept.as_secs());
        let beginning = Beginning {
            id,
            user: self.user.clone(),
            length: self.length,
            digest: self.digest,
            now,
            expires_at,
        };
        self.hosting.give_up_left().await.map_err(|error| unavailable(&error))?;
        match self.hosting.index.begin(beginning, self.hosting.rules.quota).await {
            Ok(Begun::Yes) => {}
            Ok(Begun::QuotaUsed { until }) => return Err(Refusal::Quota(until.saturating_sub(now).max(1))),
            Err(error) => return Err(unavailable(&error)),
        }
        let mut received = 0;
        let in_flight = metrics::gauge!("wa_integrator_media_uploads");
        in_flight.increment(1);
        let stored = self.store(id, body, &mut received).await;
        in_flight.decrement(1);
        if let Err(refusal) = stored {
            self.give_up(id, received).await;
            return Err(refusal);
        }
        Ok(created(&reference, expires_at))
    }

    async fn store(&self, id: [u8; 32], body: RequestBody, received: &mut u64) -> Result<(), Refusal> {
        let mut blob = self.hosting.blobs.create(id).await.map_err(|error| unavailable(&error))?;
        if let Err(refusal) = self.fill(&mut blob, body, received).await {
            self.hosting.blobs.abandon(blob).await;
            return Err(refusal);
        }
        self.hosting.index.complete(id).await.map_err(|error| unavailable(&error))
    }

    async fn fill(
        &self,
        blob: &mut NewBlob,
        mut body: RequestBody,
        received: &mut u64,
    ) -> Result<(), Refusal> {
        let mut digest = Sha256::new();
        loop {
            let frame = tokio::time::timeout(self.hosting.rules.pause_max, body.frame());
            let Some(frame) = frame.await.map_err(|_| Refusal::Paused)? else { break };
            let Ok(bytes) = frame.map_err(|_| Refusal::OtherLength)?.into_data() else { continue };
            *received = received.saturating_add(bytes.len() as u64);
            if *received > self.length {
                return Err(Refusal::OtherLength);
            }
            metrics::counter!("wa_integrator_media_bytes_total", "direction" => "in")
                .increment(bytes.len() as u64);
            digest.update(&bytes);
            self.hosting.blobs.append(blob, bytes).await.map_err(|error| unavailable(&error))?;
        }
        if *received != self.length {
            return Err(Refusal::OtherLength);
        }
        let digest: [u8; 32] = digest.finalize().into();
        if !bool::from(digest.ct_eq(&self.digest)) {
            return Err(Refusal::OtherDigest);
        }
        self.hosting.blobs.complete(blob).await.map_err(|error| unavailable(&error))
    }

    async fn give_up(&self, id: [u8; 32], received: u64) {
        let unused = self.length.saturating_sub(received);
        let removed = self.hosting.blobs.remove(id).await;
        let given_up = match removed {
            Ok(()) => self.hosting.index.give_up(id, unused).await,
            Err(error) => Err(error),
        };
        if let Err(error) = given_up {
            tracing::error!(%error, "a broken upload is left to the sweep");
        }
    }
}

impl Refusal {
    /// The label of a metric.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NoLength => "no_length",
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::NoDigest => "no_digest",
            Self::Quota(_) => "quota",
            Self::OtherLength => "other_length",
            Self::OtherDigest => "other_digest",
            Self::Paused => "paused",
            Self::Later => "unavailable",
        }
    }

    pub(super) fn response(self) -> Response<Full<Bytes>> {
        tracing::debug!(refusal = ?self, "upload refused");
        match self {
            Self::NoLength => empty(StatusCode::LENGTH_REQUIRED),
            Self::Empty | Self::NoDigest | Self::OtherLength => empty(StatusCode::BAD_REQUEST),
            Self::TooLong => empty(StatusCode::PAYLOAD_TOO_LARGE),
            Self::Quota(seconds) => retry_later(StatusCode::TOO_MANY_REQUESTS, seconds),
            Self::OtherDigest => empty(StatusCode::UNPROCESSABLE_ENTITY),
            Self::Paused => empty(StatusCode::REQUEST_TIMEOUT),
            Self::Later => crate::value::answers::unavailable(),
        }
    }
}

fn unavailable(error: &StoreError) -> Refusal {
    tracing::error!(%error, "an upload was not stored");
    Refusal::Later
}

fn created(reference: &StorageReference, expires_at: u64) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "storage_reference": reference.as_str(), "expires_at": expires_at });
    let mut response = json(&body);
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    insert(headers, header::LOCATION, reference.as_str());
    response
}

/// The SHA-256 among these digests: `sha-256=:base64:`.
fn sha256(digests: &str) -> Option<[u8; 32]> {
    let mut members = digests.split(',').map(str::trim);
    let digest = members.find_map(|member| member.strip_prefix("sha-256=:")?.strip_suffix(':'))?;
    STANDARD.decode(digest).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_one_of_those_given() {
        let zeros = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
        assert_eq!(sha256(zeros), Some([0; 32]));
        assert_eq!(sha256(&format!("md5=:AA==:, {zeros}")), Some([0; 32]));
        for digests in
            ["", "sha-256", "sha-256=::", "sha-256=:AAAA:", "sha-512=:AAAA:", "sha-256=AAAA", "sha-256=:é:"]
        {
            assert_eq!(sha256(digests), None, "{digests}");
        }
    }
}
