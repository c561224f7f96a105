//! Media in both directions: a file encrypted and brought to our server, a file fetched and opened (overview §4.1; RO
//! 1.0.3).

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::SysRng;
use rand_core::{Rng as _, UnwrapErr};
use thiserror::Error;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use wa_chat::{MediaFile, MediaKind};
use wa_http::{BodyStream, HttpError, StreamingClient};
use wa_media::{
    DirectPath, DirectPathError, Download, Encryptor, FileError, FileFacts, MediaClass, MediaKey, MediaKeys,
    TransferError,
};
use wa_profile::Profile;

use crate::reconnect::NoToken;
use crate::upload::{CredentialSource, MediaServer};

/// Sends and fetches files over an HTTP client.
///
/// Progress is told as bytes of the encrypted file while it travels; `|_| {}` ignores it.
#[derive(Debug)]
pub struct MediaTransfer<C> {
    pub(crate) http: C,
    media: wa_profile::MediaRules,
    pub(crate) attempts: u32,
    limit: u64,
    directory: PathBuf,
}

/// A file to send.
#[derive(Debug)]
pub struct Outgoing {
    kind: MediaKind,
    mime: String,
    source: Source,
}

/// What the bytes of a file come from.
enum Source {
    Path(PathBuf),
    Reader(Box<dyn Read + Send>),
}

/// The longest file that is fetched unless told otherwise: what WhatsApp allows a document.
const LIMIT: u64 = 2 << 30;

/// A file that lies on our server, as a message says it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentFile {
    /// Where it lies and how to open it.
    pub file: MediaFile,
    /// For a video or a recording: what lets a player verify it piece by piece.
    pub sidecar: Option<Bytes>,
}

/// Why a file was not sent or fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MediaTransferError {
    /// The direct path is malformed.
    #[error(transparent)]
    Path(#[from] DirectPathError),
    /// The host's answer.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The message says that the file is longer than may be fetched. The sender's, or the limit's.
    #[error("the file has {length} bytes, and at most {limit} are fetched")]
    TooLong {
        /// What the message says.
        length: u64,
        /// The most bytes that are fetched: see [`MediaTransfer::with_limit`].
        limit: u64,
    },
    /// The network, or the media host, failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The file itself: a check that failed, or the disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is nothing by which our server would recognise the user.
    #[error("no credential for the upload: {0}")]
    Credential(NoToken),
}

impl Outgoing {
    /// The file at a path.
    pub fn path(kind: MediaKind, mime: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { kind, mime: mime.into(), source: Source::Path(path.into()) }
    }

    /// A file that is in memory.
    pub fn bytes(kind: MediaKind, mime: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self::reader(kind, mime, Cursor::new(bytes.into()))
    }

    /// All that a reader gives, read once and off the async threads.
    pub fn reader(kind: MediaKind, mime: impl Into<String>, reader: impl Read + Send + 'static) -> Self {
        Self { kind, mime: mime.into(), source: Source::Reader(Box::new(reader)) }
    }
}

impl<C: StreamingClient> MediaTransfer<C> {
    /// Transfers with this client, as the profile says; a transfer that breaks off is taken up again four times.
    #[must_use]
    pub fn new(http: C, profile: &Profile) -> Self {
        let directory = std::env::temp_dir();
        Self { http, media: profile.media.clone(), attempts: 5, limit: LIMIT, directory }
    }

    /// This, with another number of attempts in a row that bring no byte.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// This, fetching no file of more bytes than `limit` (2 GiB, if this is not called), whatever a message says.
    #[must_use]
    pub fn with_limit(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }

    /// This, with encrypted files on their way in a directory of the caller's instead of the system's for such.
    #[must_use]
    pub fn with_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// Fetches a WhatsApp user's file to `target`. What has come is kept beside it until the file is whole, also
    /// over a restart; nothing that fails a check is kept, nor what the host has no longer.
    ///
    /// Cancel safety: what has come stays, and the next call goes on there.
    ///
    /// # Errors
    /// [`MediaTransferError`]; `target` is then as it was before.
    pub async fn fetch(
        &self,
        kind: MediaKind,
        file: &MediaFile,
        target: &Path,
        progress: impl FnMut(u64),
    ) -> Result<(), MediaTransferError> {
        let (facts, keys) = (file.facts(), MediaKeys::derive(&file.key, kind.class()));
        let blob = beside(target, &facts);
        self.fetch_blob(file, &blob, progress).await?;
        let target = target.to_owned();
        blocking(move || wa_media::open_file(&keys, &facts, &blob, &target, |_| {})).await
    }

    /// Fetches a WhatsApp user's file into memory: for pictures and the like; see [`with_limit`](Self::with_limit). In
    /// clear it is nowhere else.
    ///
    /// Cancel safety: what has come is lost; a piece of the encrypted file may stay in the directory.
    ///
    /// # Errors
    /// [`MediaTransferError`].
    pub async fn fetch_bytes(
        &self,
        kind: MediaKind,
        file: &MediaFile,
        progress: impl FnMut(u64),
    ) -> Result<Vec<u8>, MediaTransferError> {
        let (facts, keys) = (file.facts(), MediaKeys::derive(&file.key, kind.class()));
        let cleared = Cleared(self.fresh("fetching"));
        self.fetch_blob(file, &cleared.0, progress).await?;
        blocking(move || Ok(wa_media::decrypt(&keys, &facts, &std::fs::read(&cleared.0)?)?)).await
    }

    /// Fetches the encrypted file, or the rest of it.
    async fn fetch_blob(
        &self,
        file: &MediaFile,
        blob: &Path,
        mut progress: impl FnMut(u64),
    ) -> Result<(), MediaTransferError> {
        if file.length > self.limit {
            return Err(MediaTransferError::TooLong { length: file.length, limit: self.limit });
        }
        let path = DirectPath::from_whatsapp(&file.direct_path, &self.media)?;
        let uri = path.at(&self.media.whatsapp_origin)?;
        let there = std::fs::metadata(blob).map_or(0, |metadata| metadata.len());
        let mut download = Download::new(uri, file.facts().blob_length()).with_bytes(there);
        let done = self.download(&mut download, blob, &mut progress).await;
        if done.as_ref().is_err_and(|error| !may_go_on(error)) {
            let _ = std::fs::remove_file(blob);
        }
        done
    }

    /// Encrypts a file, uploads it, and says what a message must say of it. Of the encrypted file nothing stays here.
    ///
    /// Cancel safety: nothing stays here; on the server a file of which nobody knows may.
    ///
    /// # Errors
    /// [`MediaTransferError`].
    pub async fn send(
        &self,
        file: Outgoing,
        server: &MediaServer<impl CredentialSource>,
        progress: impl FnMut(u64),
    ) -> Result<SentFile, MediaTransferError> {
        let key = MediaKey::generate(&mut UnwrapErr(SysRng));
        let keys = MediaKeys::derive(&key, file.kind.class());
        let mut encryptor = Encryptor::new(&keys);
        if matches!(file.kind.class(), MediaClass::Video | MediaClass::Audio) {
            encryptor = encryptor.with_sidecar(&keys, self.media.sidecar_coverage);
        }
        let cleared = Cleared(self.fresh("sending"));
        let source = file.source;
        // The task that makes the file holds what removes it: nothing stays, whenever this is dropped.
        let (encrypted, cleared) = blocking(move || {
            let source: Box<dyn Read> = match source {
                Source::Path(path) => Box::new(File::open(path)?),
                Source::Reader(reader) => reader,
            };
            let made = File::create_new(&cleared.0)?;
            Ok((wa_media::encrypt_stream(encryptor, source, made, |_| {})?, cleared))
        })
        .await?;
        let reference = self.upload(&cleared.0, &encrypted.facts, server, progress).await?;
        drop(cleared);
        let path = DirectPath::hosted(&server.integrator, &reference, &self.media)?;
        let file = MediaFile::new(path.as_str(), key, encrypted.facts, file.mime);
        let sidecar = encrypted.sidecar.map(|sidecar| Bytes::copy_from_slice(sidecar.as_bytes()));
        Ok(SentFile { file, sidecar })
    }

    /// A name that no other file has: the same one may be on its way twice.
    fn fresh(&self, what: &str) -> PathBuf {
        self.directory.join(format!(
            "{:016x}{:016x}.{what}",
            UnwrapErr(SysRng).next_u64(),
            UnwrapErr(SysRng).next_u64()
        ))
    }

    async fn download(
        &self,
        download: &mut Download,
        blob: &Path,
        progress: &mut impl FnMut(u64),
    ) -> Result<(), MediaTransferError> {
        let mut failures = 0;
        while !download.is_complete() {
            let before = download.bytes();
            let error = match self.part(download, blob, progress).await {
                Err(error) => error,
                Ok(()) if download.is_complete() || download.bytes() > before => continue,
                // A part without a byte in it is no progress, whatever its head says.
                Ok(()) => HttpError::Interrupted.into(),
            };
            failures = if download.bytes() > before { 1 } else { failures + 1 };
            if failures >= self.attempts || !is_temporary(&error) {
                return Err(error);
            }
            tokio::time::sleep(PAUSE * failures).await;
        }
        Ok(())
    }

    /// One request, and as much of its answer as comes.
    async fn part(
        &self,
        download: &mut Download,
        blob: &Path,
        progress: &mut impl FnMut(u64),
    ) -> Result<(), MediaTransferError> {
        let request = download.request().map(|()| BodyStream::empty());
        let (head, mut body) = self.http.stream(request).await?.into_parts();
        let arrival = download.handle_head(&head)?;
        let mut options = tokio::fs::OpenOptions::new();
        let mut file = options.create(true).write(true).truncate(false).open(blob).await.map_err(io)?;
        file.set_len(arrival.offset).await.map_err(io)?;
        file.seek(std::io::SeekFrom::Start(arrival.offset)).await.map_err(io)?;
        let mut ended = Ok(());
        while let Some(bytes) = body.next_bytes().await {
            match bytes {
                Ok(bytes) => {
                    file.write_all(&bytes).await.map_err(io)?;
                    download.handle_bytes(bytes.len())?;
                    progress(download.bytes());
                }
                Err(error) => {
                    ended = Err(error.into());
                    break;
                }
            }
        }
        file.flush().await.map_err(io)?;
        if ended.is_ok() && !download.is_complete() && head.status == http::StatusCode::OK {
            return Err(HttpError::Interrupted.into());
        }
        ended
    }
}

/// The pause before a second attempt; longer before further ones.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

/// A file that is gone when this is.
struct Cleared(PathBuf);

impl Drop for Cleared {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Where the encrypted file waits until it is whole: named by itself, so that no other is taken for it.
fn beside(target: &Path, facts: &FileFacts) -> PathBuf {
    let [a, b, c, d, ..] = facts.enc_sha256;
    suffixed(target, &format!(".{a:02x}{b:02x}{c:02x}{d:02x}.encrypted"))
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(crate) fn io(error: std::io::Error) -> MediaTransferError {
    FileError::from(error).into()
}

/// Whether what has come may still become the file: neither the network, nor a host that is busy, nor a disk that is full
/// says anything against it.
fn may_go_on(error: &MediaTransferError) -> bool {
    is_temporary(error) || matches!(error, MediaTransferError::Http(_) | MediaTransferError::File(_))
}

pub(crate) fn is_temporary(error: &MediaTransferError) -> bool {
    match error {
        MediaTransferError::Transfer(error) => error.is_temporary(),
        MediaTransferError::Http(error) => error.fault() == wa_http::Fault::World,
        MediaTransferError::Credential(error) => *error == NoToken::Later,
        MediaTransferError::Path(_) | MediaTransferError::File(_) | MediaTransferError::TooLong { .. } => {
            false
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Self::Reader(_) => f.write_str("Reader(..)"),
        }
    }
}

#[cfg(test)]
mod tests;

/// Work on files, off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, MediaTransferError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(FileError::Io { kind: std::io::ErrorKind::Other }.into()),
    }
}
