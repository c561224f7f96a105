//! Taking away what is no longer hosted, and finding what should not be there (RO 1.0.3 leaves retention to the
//! third party).
//!
//! A row says what is to be removed before anything is, and goes last: whenever the process ends between, the next
//! sweep finds the row and goes on.

use std::collections::HashMap;

use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};

use super::{Hosting, index::Entry};
use crate::StoreError;

/// What a sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Swept {
    /// Files that had expired or were deleted.
    pub expired: u64,
    /// Uploads that had not ended.
    pub broken: u64,
}

/// What a check of the index and the blobs found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Findings {
    /// Files that are hosted, as they should be.
    pub sound: u64,
    /// Uploads under way, or left by a crash for the sweep.
    pub uploading: u64,
    /// Names of hosted files whose blob is not there, or has another length.
    pub missing: Vec<String>,
    /// Names of hosted files whose blob has another digest; only found when asked for.
    pub corrupt: Vec<String>,
    /// How many files nobody knows, and whether they were removed.
    pub orphans: u64,
    /// Their bytes.
    pub orphan_bytes: u64,
    /// How many of them were removed.
    pub removed: u64,
}

impl Findings {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.missing.is_empty() && self.corrupt.is_empty() && self.orphans == self.removed
    }
}

impl Hosting {
    /// Removes the blob of a row that is doomed, then the row.
    pub(super) async fn remove(&self, id: [u8; 32]) -> Result<(), StoreError> {
        self.blobs.remove(id).await?;
        self.index.forget(id).await
    }

    pub(super) async fn sweep(&self, now: u64, begun_before: u64) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        loop {
            let doomed = self.index.doomed(now, begun_before, BATCH).await?;
            if doomed.is_empty() {
                break;
            }
            for (id, uploading) in doomed {
                self.remove(id).await?;
                let count = if uploading { &mut swept.broken } else { &mut swept.expired };
                *count = count.saturating_add(1);
            }
        }
        self.index.forget_usage(now).await?;
        Ok(swept)
    }

    pub(super) async fn check(&self, verify: bool, remove: bool) -> Result<Findings, StoreError> {
        // Blobs first: whatever is uploaded meanwhile has its row before its blob.
        let found = self.blobs.list().await?;
        let mut entries: HashMap<[u8; 32], Entry> =
            self.index.entries().await?.into_iter().map(|entry| (entry.id, entry)).collect();
        let mut findings = Findings::default();
        for blob in &found {
            let known = blob.id.and_then(|id| entries.get(&id));
            match known {
                Some(entry) if !blob.whole && entry.is_uploading => {}
                Some(entry) if blob.whole && !entry.is_uploading => {
                    let entry = entry.clone();
                    entries.remove(&entry.id);
                    self.compare(&entry, blob.length, verify, &mut findings).await;
                }
                Some(_) if blob.whole => {}
                _ => {
                    findings.orphans += 1;
                    findings.orphan_bytes = findings.orphan_bytes.saturating_add(blob.length);
                    if remove {
                        self.blobs.remove_found(blob).await?;
                        findings.removed += 1;
                    }
                }
            }
        }
        for entry in entries.values() {
            if entry.is_uploading {
                findings.uploading += 1;
            } else {
                findings.missing.push(hex::encode(entry.id));
            }
        }
        Ok(findings)
    }

    async fn compare(&self, entry: &Entry, length: u64, verify: bool, findings: &mut Findings) {
        if length != entry.length {
            findings.missing.push(hex::encode(entry.id));
        } else if verify && self.digest(entry).await != Some(entry.digest) {
            findings.corrupt.push(hex::encode(entry.id));
        } else {
            findings.sound += 1;
        }
    }

    async fn digest(&self, entry: &Entry) -> Option<[u8; 32]> {
        let mut body = self.blobs.open(entry.id, 0, entry.length).await.ok()?;
        let mut digest = Sha256::new();
        while let Some(frame) = body.frame().await {
            digest.update(frame.ok()?.into_data().ok()?);
        }
        Some(digest.finalize().into())
    }
}

/// How many rows are taken at a time.
const BATCH: u32 = 500;
