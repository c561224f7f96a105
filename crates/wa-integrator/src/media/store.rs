//! Which files are hosted, whose they are and until when: the contract of their index (RO 1.0.3 leaves this to the third
//! party).

use async_trait::async_trait;

use crate::value::StoreError;

/// The index of hosted files. Every change is synced when it returns. Times are Unix seconds; files are named by 32 bytes.
#[async_trait]
pub trait MediaStore: Send + Sync + 'static {
    /// Whether other servers may use it at this time.
    fn is_shared(&self) -> bool;

    /// Notes an upload, and what it will use of its user's quota.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn begin(&self, upload: Beginning, quota: MediaQuota) -> Result<Begun, StoreError>;

    /// The upload has ended well: from now on the file is hosted.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the sweep took it for one that was left: it has gone on for more than a day.
    async fn complete(&self, id: [u8; 32]) -> Result<(), StoreError>;

    /// The upload has ended otherwise, its blob is gone, and so many bytes of it never came.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn give_up(&self, id: [u8; 32], unused: u64) -> Result<(), StoreError>;

    /// The file with this name, unless it has expired by `now`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn hosted(&self, id: [u8; 32], now: u64) -> Result<Option<Hosted>, StoreError>;

    /// The user's file is to be removed; from now on it is hosted no longer. Whether there was one.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn doom(&self, id: [u8; 32], user: String, now: u64) -> Result<bool, StoreError>;

    /// All files of a user are to be removed, and what they used is forgotten; how many files.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn doom_user(&self, user: String) -> Result<u64, StoreError>;

    /// Dooms what has expired by `now` and uploads begun before then; gives some of what is doomed, in the order of their
    /// names and from behind `after` on.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn doomed(
        &self,
        now: u64,
        begun_before: u64,
        after: Option<[u8; 32]>,
        limit: u32,
    ) -> Result<Vec<Doomed>, StoreError>;

    /// Removes a row whose blob is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn forget(&self, id: [u8; 32]) -> Result<(), StoreError>;

    /// Forgets what was used before yesterday.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn forget_usage(&self, now: u64) -> Result<(), StoreError>;

    /// Some of the rows, in the order of their names and from behind `after` on.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn entries(&self, after: Option<[u8; 32]>, limit: u32) -> Result<Vec<Entry>, StoreError>;
}

/// What one user may upload on one day (UTC). What a broken upload did not bring does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaQuota {
    /// Bytes, as encrypted.
    pub bytes: u64,
    /// The number of files.
    pub files: u64,
}

/// An upload that is to begin.
#[derive(Clone)]
pub struct Beginning {
    /// The id of the upload.
    pub id: [u8; 32],
    /// Whose it is.
    pub user: String,
    /// Its length in bytes.
    pub length: u64,
    /// The SHA-256 of the file.
    pub digest: [u8; 32],
    /// When it begins.
    pub now: u64,
    /// Until when it is hosted.
    pub expires_at: u64,
}

/// Whether an upload may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It has begun.
    Yes,
    /// Not before then.
    QuotaUsed {
        /// The Unix second from which there is room again.
        until: u64,
    },
}

/// What is known of a hosted file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hosted {
    /// Its length in bytes.
    pub length: u64,
    /// The SHA-256 of the file.
    pub digest: [u8; 32],
}

/// A file that is to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// The file's id.
    pub id: [u8; 32],
    /// Whether it is an upload that did not end.
    pub is_upload: bool,
}

/// A row of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The file's name.
    pub id: [u8; 32],
    /// Its length in bytes.
    pub length: u64,
    /// The SHA-256 of the file.
    pub digest: [u8; 32],
    /// Whether it is not hosted: an upload under way, or to be removed.
    pub is_uploading: bool,
}

/// Quotas are for a day of so many seconds, by UTC.
pub const DAY: u64 = 24 * 60 * 60;
