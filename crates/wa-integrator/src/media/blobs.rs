//! Where encrypted files lie: an object store, by default the file system (RO 1.0.3: the third party hosts them).

#[cfg(feature = "s3")]
mod bucket;

use std::{
    fs,
    future::poll_fn,
    path::{Path as FilePath, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream as _;
use object_store::{
    Error as ObjectError, GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt as _,
    PutPayload, local::LocalFileSystem, path::Path,
};

use crate::{PrivateFileError, StoreError, media::BlobBody, private_file};

#[cfg(feature = "s3")]
pub use bucket::S3Bucket;

/// A place for blobs, each named by 32 bytes; cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs(Arc<Place>);

#[derive(Debug)]
struct Place {
    objects: Arc<dyn ObjectStore>,
    /// The directory, where it is one.
    root: Option<PathBuf>,
    /// How many bytes are written at a time.
    part_bytes: usize,
    available: AtomicBool,
}

/// A blob that is being written; unless completed, it is to be [abandoned](Blobs::abandon).
pub(crate) struct NewBlob {
    id: [u8; 32],
    /// None as long as it may be written at once.
    upload: Option<Box<dyn MultipartUpload>>,
    part: Vec<Bytes>,
    part_bytes: usize,
}

/// A blob as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its name; `None` for what has no name of ours.
    pub(crate) id: Option<[u8; 32]>,
    pub(crate) length: u64,
    /// Whether it is a blob, or what an upload left that did not end.
    pub(crate) whole: bool,
    path: PathBuf,
}

impl Blobs {
    /// Blobs as files in this directory, made (mode 0700) where there is none; every one is synced before it
    /// counts.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn local(directory: &FilePath) -> Result<Self, StoreError> {
        let refused = |error: &std::io::Error| StoreError::File(private_file::refused(directory, error));
        crate::DataDirectory::make(directory).map_err(|error: PrivateFileError| StoreError::File(error))?;
        let root = fs::canonicalize(directory).map_err(|error| refused(&error))?;
        let objects = LocalFileSystem::new_with_prefix(&root).map_err(|_| StoreError::Unavailable)?;
        let objects: Arc<dyn ObjectStore> = Arc::new(objects.with_fsync(true));
        Ok(Self::of(objects, Some(root), FILE_PART))
    }

    /// Blobs in this object store. What broken uploads leave there is its own business.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self::of(objects, None, OBJECT_PART)
    }

    fn of(objects: Arc<dyn ObjectStore>, root: Option<PathBuf>, part_bytes: usize) -> Self {
        Self(Arc::new(Place { objects, root, part_bytes, available: AtomicBool::new(true) }))
    }

    /// Whether the last attempt to use them went well.
    pub(crate) fn is_available(&self) -> bool {
        self.0.available.load(Ordering::Relaxed)
    }

    /// Tries them again for as long as they could not be used, for ever: nobody else may ask a server that says it is
    /// not ready.
    pub(crate) async fn keep_probed(&self, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            if !self.is_available() && self.answer().await.is_ok() {
                tracing::info!("blobs can be used again");
            }
        }
    }

    /// Asks for a blob that is not there.
    pub(crate) async fn answer(&self) -> Result<(), StoreError> {
        match self.0.objects.head(&path([0; 32])).await {
            Ok(_) | Err(ObjectError::NotFound { .. }) => self.noted(Ok::<_, ObjectError>(())),
            Err(error) => self.noted(Err(error)),
        }
    }

    /// Begins a blob: a file at once, an object with its first part.
    pub(crate) async fn create(&self, id: [u8; 32]) -> Result<NewBlob, StoreError> {
        let mut blob = NewBlob { id, upload: None, part: Vec::new(), part_bytes: 0 };
        if self.0.root.is_some() {
            self.begin(&mut blob).await?;
        }
        Ok(blob)
    }

    /// Takes more of the blob; at most a part waits in memory.
    pub(crate) async fn append(&self, blob: &mut NewBlob, bytes: Bytes) -> Result<(), StoreError> {
        blob.part_bytes += bytes.len();
        blob.part.push(bytes);
        if blob.part.len() >= PIECES {
            blob.part = vec![Bytes::from(blob.part.concat())];
        }
        if blob.part_bytes >= self.0.part_bytes { self.flush(blob).await } else { Ok(()) }
    }

    /// The blob is whole: it is synced and in its place when this returns.
    pub(crate) async fn complete(&self, blob: &mut NewBlob) -> Result<(), StoreError> {
        if blob.upload.is_none() {
            let whole = PutPayload::from_iter(blob.part.drain(..));
            return self.noted(self.0.objects.put(&path(blob.id), whole).await).map(drop);
        }
        self.flush(blob).await?;
        match &mut blob.upload {
            Some(upload) => self.noted(upload.complete().await).map(drop),
            None => Ok(()),
        }
    }

    /// The blob will not be whole: nothing of it stays that can be taken away now.
    pub(crate) async fn abandon(&self, mut blob: NewBlob) {
        if let Some(upload) = &mut blob.upload {
            let _ = upload.abort().await;
        }
    }

    async fn begin(&self, blob: &mut NewBlob) -> Result<(), StoreError> {
        blob.upload = Some(self.noted(self.0.objects.put_multipart(&path(blob.id)).await)?);
        Ok(())
    }

    async fn flush(&self, blob: &mut NewBlob) -> Result<(), StoreError> {
        if blob.upload.is_none() {
            self.begin(blob).await?;
        }
        blob.part_bytes = 0;
        let part = PutPayload::from_iter(blob.part.drain(..));
        match &mut blob.upload {
            Some(upload) => self.noted(upload.put_part(part).await),
            None => Ok(()),
        }
    }

    /// The bytes of a blob from `start` up to but without `end`.
    pub(crate) async fn open(&self, id: [u8; 32], start: u64, end: u64) -> Result<BlobBody, StoreError> {
        self.noted(self.check_no_link(id))?;
        let options = GetOptions { range: Some(GetRange::Bounded(start..end)), ..GetOptions::default() };
        let found = self.noted(self.0.objects.get_opts(&path(id), options).await)?;
        if found.range != (start..end) {
            return Err(StoreError::Corrupt);
        }
        Ok(BlobBody::new(found.payload, start, end - start))
    }

    /// Removes a blob, and is content if there is none.
    pub(crate) async fn remove(&self, id: [u8; 32]) -> Result<(), StoreError> {
        match self.0.objects.delete(&path(id)).await {
            Ok(()) | Err(ObjectError::NotFound { .. }) => {}
            Err(error) => return self.noted(Err(error)),
        }
        self.begun(id).iter().try_for_each(|left| self.noted(fs::remove_file(left)))
    }

    /// Removes what was found.
    pub(crate) async fn remove_found(&self, found: &Found) -> Result<(), StoreError> {
        match (&self.0.root, found.id) {
            (Some(_), _) => self.noted(fs::remove_file(&found.path)),
            (None, Some(id)) => self.remove(id).await,
            (None, None) => Ok(()),
        }
    }

    /// Everything that lies there.
    pub(crate) async fn list(&self) -> Result<Vec<Found>, StoreError> {
        if let Some(root) = self.0.root.clone() {
            let found = tokio::task::spawn_blocking(move || files(&root)).await;
            return self.noted(found.unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into())));
        }
        let mut objects = self.0.objects.list(None);
        let mut found = Vec::new();
        while let Some(object) = poll_fn(|context| Pin::new(&mut objects).poll_next(context)).await {
            let object = self.noted(object)?;
            let id = object.location.filename().and_then(id);
            let path = PathBuf::from(object.location.as_ref());
            found.push(Found { id, length: object.size, whole: true, path });
        }
        Ok(found)
    }

    /// A directory or a file that leads elsewhere is none of ours.
    fn check_no_link(&self, id: [u8; 32]) -> std::io::Result<()> {
        let Some(root) = &self.0.root else { return Ok(()) };
        let file = root.join(path(id).as_ref());
        let directory = file.parent().map(fs::symlink_metadata).transpose()?;
        let is_plain = directory.is_some_and(|it| it.is_dir()) && fs::symlink_metadata(&file)?.is_file();
        if is_plain { Ok(()) } else { Err(std::io::ErrorKind::InvalidInput.into()) }
    }

    /// What uploads of this blob left that did not end.
    fn begun(&self, id: [u8; 32]) -> Vec<PathBuf> {
        let Some(root) = &self.0.root else { return Vec::new() };
        let file = root.join(path(id).as_ref());
        let (Some(directory), Some(name)) = (file.parent(), file.file_name().and_then(|it| it.to_str()))
        else {
            return Vec::new();
        };
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let left = entries.filter(|entry| {
            let begun = entry.file_name();
            begun.to_str().and_then(|begun| begun.strip_prefix(name)).is_some_and(|end| end.starts_with('#'))
        });
        left.map(|entry| entry.path()).collect()
    }

    /// Remembers how it went, and tells the log what the answer does not.
    fn noted<T, E: std::fmt::Display + Cause>(&self, done: Result<T, E>) -> Result<T, StoreError> {
        self.0.available.store(done.is_ok(), Ordering::Relaxed);
        done.map_err(|error| {
            tracing::error!(%error, "blobs cannot be used");
            error.cause()
        })
    }
}

/// What an error says of whether to come back.
trait Cause {
    fn cause(&self) -> StoreError;
}

impl Cause for std::io::Error {
    fn cause(&self) -> StoreError {
        if self.kind() == std::io::ErrorKind::StorageFull {
            StoreError::Full
        } else {
            StoreError::Unavailable
        }
    }
}

impl Cause for ObjectError {
    fn cause(&self) -> StoreError {
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            if let Some(error) = error.downcast_ref::<std::io::Error>() {
                return error.cause();
            }
            source = error.source();
        }
        StoreError::Unavailable
    }
}

/// How many bytes are written at a time: to a file, and to a store that takes no smaller parts.
const FILE_PART: usize = 1024 * 1024;
const OBJECT_PART: usize = 5 * 1024 * 1024;
/// In how many pieces they wait.
const PIECES: usize = 1024;

/// Two levels, so that no directory grows too large.
fn path(id: [u8; 32]) -> Path {
    let name = hex::encode(id);
    Path::from_iter([name.get(..2).unwrap_or_default(), &name])
}

fn id(name: &str) -> Option<[u8; 32]> {
    hex::decode(name).ok()?.try_into().ok()
}

/// The files in the directory and in those below it; links are seen and not followed.
fn files(root: &FilePath) -> std::io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut directories = vec![(root.to_owned(), 0)];
    while let Some((directory, depth)) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() && depth < 4 {
                directories.push((entry.path(), depth + 1));
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let (base, whole) = name.split_once('#').map_or((&*name, true), |(base, _)| (base, false));
            let whole = whole && metadata.is_file();
            found.push(Found { id: id(base), length: metadata.len(), whole, path: entry.path() });
        }
    }
    Ok(found)
}
