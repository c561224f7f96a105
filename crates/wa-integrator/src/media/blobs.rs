//! Where encrypted files lie: an object store, by default the file system (RO 1.0.3: the third party hosts them).

mod body;
#[cfg(feature = "s3")]
mod bucket;

use std::fmt;
use std::fs;
use std::future::poll_fn;
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures_core::Stream as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    Error as ObjectError, GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload,
};

use crate::value::{StoreError, private_file};

pub(super) use body::BlobBody;
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
pub(super) struct NewBlob {
    id: [u8; 32],
    /// None as long as it may be written at once.
    upload: Option<Box<dyn MultipartUpload>>,
    part: Vec<Bytes>,
    part_bytes: usize,
}

/// A blob as it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its name; `None` for what has no name of ours.
    pub(super) id: Option<[u8; 32]>,
    pub(super) length: u64,
    /// Whether it is a blob, or what an upload left that did not end.
    pub(super) whole: bool,
    /// When it was written last, in Unix seconds.
    pub(super) modified_at: u64,
    pub(super) path: PathBuf,
}

impl Blobs {
    /// Blobs as files in this directory, made (mode 0700) where there is none; every one is synced before it
    /// counts.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn local(directory: &FilePath) -> Result<Self, StoreError> {
        private_file::make_directory(directory)?;
        Self::existing(directory)
    }

    /// Blobs as files in this directory, which is there already.
    ///
    /// # Errors
    /// [`StoreError::Absent`], [`StoreError::File`].
    pub fn existing(directory: &FilePath) -> Result<Self, StoreError> {
        let root = fs::canonicalize(directory).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::Absent { place: directory.display().to_string() },
            _ => StoreError::File(private_file::refused(directory, &error)),
        })?;
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
    pub(super) fn is_available(&self) -> bool {
        self.0.available.load(Ordering::Relaxed)
    }

    /// Probes them while they could not be used.
    pub(super) async fn keep_probed(&self, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            if !self.is_available() && self.answer().await.is_ok() {
                tracing::info!("blobs can be used again");
            }
        }
    }

    /// Asks for a blob that is not there.
    pub(super) async fn answer(&self) -> Result<(), StoreError> {
        match self.0.objects.head(&path([0; 32])).await {
            Err(error) if !error.is_absent() => self.noted(Err(error)),
            _ => self.noted(Ok::<_, ObjectError>(())),
        }
    }

    /// Begins a blob: a file at once, an object with its first part.
    pub(super) async fn create(&self, id: [u8; 32]) -> Result<NewBlob, StoreError> {
        let mut blob = NewBlob { id, upload: None, part: Vec::new(), part_bytes: 0 };
        if self.0.root.is_some() {
            self.begin(&mut blob).await?;
        }
        Ok(blob)
    }

    /// Takes more of the blob; at most a part waits in memory.
    pub(super) async fn append(&self, blob: &mut NewBlob, bytes: Bytes) -> Result<(), StoreError> {
        blob.part_bytes += bytes.len();
        blob.part.push(bytes);
        if blob.part.len() >= PIECES {
            blob.part = vec![Bytes::from(blob.part.concat())];
        }
        if blob.part_bytes >= self.0.part_bytes { self.flush(blob).await } else { Ok(()) }
    }

    /// The blob is whole: it is synced and in its place when this returns.
    pub(super) async fn complete(&self, blob: &mut NewBlob) -> Result<(), StoreError> {
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
    pub(super) async fn abandon(&self, mut blob: NewBlob) {
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
    pub(super) async fn open(&self, id: [u8; 32], start: u64, end: u64) -> Result<BlobBody, StoreError> {
        if let Some(root) = self.0.root.clone() {
            self.noted(off_the_async_threads(move || check_no_link(&root, id)).await)?;
        }
        let options = GetOptions { range: Some(GetRange::Bounded(start..end)), ..GetOptions::default() };
        let found = self.noted(self.0.objects.get_opts(&path(id), options).await)?;
        if found.range != (start..end) {
            return Err(StoreError::Corrupt);
        }
        Ok(BlobBody::new(found.payload, start, end - start))
    }

    /// Removes a blob, and is content if there is none.
    pub(super) async fn remove(&self, id: [u8; 32]) -> Result<(), StoreError> {
        match self.0.objects.delete(&path(id)).await {
            // One file that cannot be removed says nothing of the others.
            Err(error) if !error.is_absent() => return Err(told(&error)),
            _ => {}
        }
        let Some(root) = self.0.root.clone() else { return Ok(()) };
        let removed = off_the_async_threads(move || begun(&root, id).iter().try_for_each(fs::remove_file));
        removed.await.map_err(|error| told(&error))
    }

    /// Removes what was found.
    pub(super) async fn remove_found(&self, found: &Found) -> Result<(), StoreError> {
        match (&self.0.root, found.id) {
            (Some(_), _) => {
                let path = found.path.clone();
                match off_the_async_threads(move || fs::remove_file(path)).await {
                    Err(error) if !error.is_absent() => Err(told(&error)),
                    _ => Ok(()),
                }
            }
            (None, Some(id)) => self.remove(id).await,
            (None, None) => Ok(()),
        }
    }

    /// Everything that lies there.
    pub(super) async fn list(&self) -> Result<Vec<Found>, StoreError> {
        if let Some(root) = self.0.root.clone() {
            return self.noted(off_the_async_threads(move || files(&root)).await);
        }
        let mut objects = self.0.objects.list(None);
        let mut found = Vec::new();
        while let Some(object) = poll_fn(|context| Pin::new(&mut objects).poll_next(context)).await {
            let object = self.noted(object)?;
            let id = object.location.filename().and_then(id);
            let path = PathBuf::from(object.location.as_ref());
            let modified_at = u64::try_from(object.last_modified.timestamp()).unwrap_or(0);
            found.push(Found { id, length: object.size, whole: true, modified_at, path });
        }
        Ok(found)
    }

    /// Remembers how it went, and tells the log what the answer does not. That one file is not there says nothing of the
    /// others.
    fn noted<T, E: fmt::Display + Cause>(&self, done: Result<T, E>) -> Result<T, StoreError> {
        if !done.as_ref().is_err_and(Cause::is_absent) {
            self.0.available.store(done.is_ok(), Ordering::Relaxed);
        }
        done.map_err(|error| told(&error))
    }
}

/// Tells the log what the answer does not.
fn told<E: fmt::Display + Cause>(error: &E) -> StoreError {
    tracing::error!(%error, "blobs cannot be used");
    error.cause()
}

/// Work on files, which may lie on a disk that is slow.
async fn off_the_async_threads<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

/// A directory or a file that leads elsewhere is refused.
fn check_no_link(root: &FilePath, id: [u8; 32]) -> io::Result<()> {
    let file = root.join(path(id).as_ref());
    let directory = file.parent().map(fs::symlink_metadata).transpose()?;
    let is_plain = directory.is_some_and(|it| it.is_dir()) && fs::symlink_metadata(&file)?.is_file();
    if is_plain { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// What uploads of this blob left that did not end: beside it, with `#` and a number behind its name.
fn begun(root: &FilePath, id: [u8; 32]) -> Vec<PathBuf> {
    let file = root.join(path(id).as_ref());
    let (Some(directory), Some(name)) = (file.parent(), file.file_name().and_then(|it| it.to_str())) else {
        return Vec::new();
    };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let left = entries.filter(|entry| {
        let begun = entry.file_name();
        begun.to_str().and_then(|begun| begun.strip_prefix(name)).is_some_and(|end| end.starts_with('#'))
    });
    left.map(|entry| entry.path()).collect()
}

/// What an error of the place says.
trait Cause {
    fn cause(&self) -> StoreError;

    /// Whether there is no such file.
    fn is_absent(&self) -> bool;
}

impl Cause for io::Error {
    fn cause(&self) -> StoreError {
        if self.kind() == io::ErrorKind::StorageFull { StoreError::Full } else { StoreError::Unavailable }
    }

    fn is_absent(&self) -> bool {
        self.kind() == io::ErrorKind::NotFound
    }
}

impl Cause for ObjectError {
    fn cause(&self) -> StoreError {
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            if let Some(error) = error.downcast_ref::<io::Error>() {
                return error.cause();
            }
            source = error.source();
        }
        StoreError::Unavailable
    }

    fn is_absent(&self) -> bool {
        matches!(self, Self::NotFound { .. })
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
fn files(root: &FilePath) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut directories = vec![(root.to_owned(), 0)];
    while let Some((directory, depth)) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let metadata = match entry.metadata() {
                // An upload has ended, or a file was removed, meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_dir() && depth < 4 {
                directories.push((entry.path(), depth + 1));
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let (base, whole) = name.split_once('#').map_or((&*name, true), |(base, _)| (base, false));
            let whole = whole && metadata.is_file();
            let modified_at = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            let modified_at = modified_at.map_or(0, |since| since.as_secs());
            found.push(Found {
                id: id(base),
                length: metadata.len(),
                whole,
                modified_at,
                path: entry.path(),
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// Uploads end and files expire while somebody compares them with the index.
    #[test]
    fn a_file_that_goes_while_files_are_listed_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let (root, over) = (directory.path(), AtomicBool::new(false));
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let names: Vec<_> = (0..32).map(|number| root.join(number.to_string())).collect();
                    names.iter().for_each(|name| fs::write(name, "").unwrap());
                    names.iter().for_each(|name| fs::remove_file(name).unwrap());
                }
            });
            let failed = (0..2000).filter_map(|_| files(root).err()).next();
            over.store(true, Ordering::Relaxed);
            assert!(failed.is_none(), "{failed:?}");
        });
    }

    #[tokio::test]
    async fn what_was_found_and_is_gone_by_now_counts_as_removed() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::local(directory.path()).unwrap();
        let path = directory.path().join("gone");
        let found = Found { id: None, length: 0, whole: true, modified_at: 0, path };
        assert_eq!(blobs.remove_found(&found).await, Ok(()));
    }
}
