//! Taking away what is no longer hosted, and finding what should not be there (RO 1.0.3 leaves retention to the
//! third party).
//!
//! A row says what is to be removed before anything is, and goes last: whenever the process ends between, the next
//! sweep finds the row and goes on. A blob that cannot be removed hinders nothing: it is counted, and tried again by the
//! next sweep.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use super::blobs::Found;
use super::host::Hosting;
use crate::media::{Doomed, Entry};
use crate::value::StoreError;

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Files that had expired or were deleted.
    pub expired: u64,
    /// Uploads that had not ended.
    pub broken: u64,
    /// Files that could not be removed now.
    pub failed: u64,
}

/// What a check of the index and the blobs found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// How many files no row knows.
    pub orphans: u64,
    /// The bytes of those blobs.
    pub orphan_bytes: u64,
    /// How many of the orphans have lain there for a day, and may be removed.
    pub old_orphans: u64,
    /// How many of them were removed.
    pub removed: u64,
}

/// Which files a check removes that no row knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Nothing is removed.
    Nothing,
    /// Those that have lain there for a day, unless they are more than a tenth of all files, or the index is empty: then it
    /// is the index that is wrong.
    Plausible,
    /// Those that have lain there for a day, if they are exactly so many.
    Exactly(u64),
}

/// How many rows are taken at a time.
const BATCH: u32 = 500;
/// How many blobs are removed at a time.
const REMOVALS_AT_A_TIME: usize = 16;
/// How long a file must have lain there, in seconds: an upload may be under way.
const ORPHAN_AGE: u64 = 24 * 60 * 60;
/// One in so many files may be an orphan for that to be plausible.
const ORPHANS_ONE_IN: u64 = 10;

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

    pub(super) async fn sweep(self: Arc<Self>, now: u64, begun_before: u64) -> Result<Swept, StoreError> {
        let (mut swept, mut after) = (Swept::default(), None);
        loop {
            let doomed = self.index.doomed(now, begun_before, after, BATCH).await?;
            let Some(last) = doomed.last() else { break };
            after = Some(last.id);
            Arc::clone(&self).remove_all(doomed, &mut swept).await;
        }
        metrics::gauge!("wa_integrator_media_unremovable").set(swept.failed as f64);
        self.index.forget_usage(now).await?;
        Ok(swept)
    }

    /// Removes these, some at a time; what cannot be removed stays as it is.
    async fn remove_all(self: Arc<Self>, doomed: Vec<Doomed>, swept: &mut Swept) {
        let mut removing = JoinSet::new();
        let mut doomed = doomed.into_iter();
        loop {
            while removing.len() < REMOVALS_AT_A_TIME
                && let Some(Doomed { id, is_upload }) = doomed.next()
            {
                let this = Arc::clone(&self);
                removing.spawn(async move { (is_upload, this.remove(id).await) });
            }
            let count = match removing.join_next().await {
                None => return,
                Some(Ok((true, Ok(())))) => &mut swept.broken,
                Some(Ok((false, Ok(())))) => &mut swept.expired,
                Some(_) => &mut swept.failed,
            };
            *count = count.saturating_add(1);
        }
    }

    pub(super) async fn check(&self, verify: bool, removal: Removal) -> Result<Findings, StoreError> {
        // Blobs first: whatever is uploaded meanwhile has its row before its blob.
        let found = self.blobs.list().await?;
        let mut entries = self.all_entries().await?;
        let rows = entries.len();
        let (mut findings, mut orphans) = (Findings::default(), Vec::new());
        for blob in &found {
            match blob.id.and_then(|id| entries.get(&id)).copied() {
                Some(entry) if !blob.whole && entry.is_uploading => {}
                Some(entry) if blob.whole && !entry.is_uploading => {
                    entries.remove(&entry.id);
                    self.compare(&entry, blob.length, verify, &mut findings).await;
                }
                Some(_) if blob.whole => {}
                _ => orphans.push(blob),
            }
        }
        let (uploading, absent): (Vec<_>, Vec<_>) = entries.into_values().partition(|it| it.is_uploading);
        findings.uploading = u64::try_from(uploading.len()).unwrap_or(u64::MAX);
        if !absent.is_empty() {
            self.look_again(&absent, verify, &mut orphans, &mut findings).await?;
        }
        self.judge_orphans(&orphans, found.len(), rows, removal, &mut findings).await?;
        Ok(findings)
    }

    /// Looks once more for blobs that were not there: their uploads may have ended after the blobs were listed.
    async fn look_again(
        &self,
        absent: &[Entry],
        verify: bool,
        orphans: &mut Vec<&Found>,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let found = self.blobs.list().await?;
        let paths: HashSet<&Path> = found.iter().map(|blob| blob.path.as_path()).collect();
        // The blob of an upload that has ended has another path than before.
        orphans.retain(|orphan| paths.contains(orphan.path.as_path()));
        let whole = found.iter().filter(|blob| blob.whole);
        let lengths: HashMap<[u8; 32], u64> =
            whole.filter_map(|blob| Some((blob.id?, blob.length))).collect();
        for entry in absent {
            match lengths.get(&entry.id) {
                Some(length) => self.compare(entry, *length, verify, findings).await,
                None => findings.missing.push(hex::encode(entry.id)),
            }
        }
        Ok(())
    }

    /// Counts the files that no row knows, and removes those that may be.
    async fn judge_orphans(
        &self,
        orphans: &[&Found],
        files: usize,
        rows: usize,
        removal: Removal,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let old_before = self.clock.now().saturating_sub(ORPHAN_AGE);
        let old: Vec<_> = orphans.iter().filter(|orphan| orphan.modified_at < old_before).collect();
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        findings.orphans = count(orphans.len());
        findings.old_orphans = count(old.len());
        findings.orphan_bytes = orphans.iter().map(|orphan| orphan.length).sum();
        let may = match removal {
            Removal::Nothing => false,
            Removal::Plausible => rows > 0 && findings.orphans.saturating_mul(ORPHANS_ONE_IN) <= count(files),
            Removal::Exactly(number) => number == findings.old_orphans,
        };
        if may {
            for orphan in old {
                self.blobs.remove_found(orphan).await?;
                findings.removed += 1;
            }
        }
        Ok(())
    }

    async fn all_entries(&self) -> Result<HashMap<[u8; 32], Entry>, StoreError> {
        let (mut entries, mut after) = (HashMap::new(), None);
        loop {
            let some = self.index.entries(after, 10 * BATCH).await?;
            let Some(last) = some.last() else { return Ok(entries) };
            after = Some(last.id);
            entries.extend(some.into_iter().map(|entry| (entry.id, entry)));
        }
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
