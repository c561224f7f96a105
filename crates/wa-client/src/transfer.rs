//! Media in both directions: a file encrypted and brought to our server, a file fetched and opened (seed §4.1; RO
//! 1.0.3).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::SysRng;
use rand_core::{Rng as _, UnwrapErr};
use thiserror::Error;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio::sync::watch;
use wa_chat::{MediaFile, MediaKey as ContentKey, MediaKind};
use wa_http::{BodyStream, HttpError, StreamingClient};
use wa_media::{
    DirectPath, DirectPathError, Download, Encryptor, FileError, FileFacts, MediaClass, MediaKey, MediaKeys,
    TransferError, Upload,
};
use wa_profile::Profile;

/// Sends and fetches files over an HTTP client.
///
/// Progress is a count of bytes in a [`watch`] channel: of the encrypted file while it travels.
#[derive(Debug)]
pub struct MediaTransfer<C> {
    http: C,
    media: wa_profile::Media,
    attempts: u32,
    limit: u64,
}

/// The longest file that is fetched unless told otherwise: what WhatsApp allows a document.
const LIMIT: u64 = 2 << 30;

/// Where a user's files are uploaded.
#[derive(Clone)]
pub struct MediaServer {
    /// The integrator's base URL.
    pub base_url: String,
    /// What the integrator's server recognises its user by.
    pub credential: String,
    /// The integrator's identifier at WhatsApp.
    pub integrator: String,
}

/// A file that lies on our server, as a message says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentFile {
    /// Where it lies and how to open it.
    pub file: MediaFile,
    /// For a video or a recording: what lets a player verify it piece by piece.
    pub sidecar: Option<Bytes>,
}

/// Why a file was not sent or fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MediaTransferError {
    /// The direct path is none.
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
        /// See [`MediaTransfer::with_limit`].
        limit: u64,
    },
    /// The network.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The file itself: a check that failed, or the disk.
    #[error(transparent)]
    File(#[from] FileError),
}

impl<C: StreamingClient> MediaTransfer<C> {
    /// Transfers with this client, as the profile says; a transfer that breaks off is taken up again four times.
    #[must_use]
    pub fn new(http: C, profile: &Profile) -> Self {
        Self { http, media: profile.media.clone(), attempts: 5, limit: LIMIT }
    }

    /// This, with another number of attempts for each byte.
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

    /// Fetches a WhatsApp user's file to `target`. What has come is kept beside it until the file is whole, also
    /// over a restart; nothing that fails a check is kept.
    ///
    /// # Errors
    /// [`MediaTransferError`]; `target` is then as it was before.
    pub async fn fetch(
        &self,
        kind: MediaKind,
        file: &MediaFile,
        target: &Path,
        progress: &watch::Sender<u64>,
    ) -> Result<(), MediaTransferError> {
        let facts = FileFacts { sha256: file.sha256, enc_sha256: file.enc_sha256, length: file.length };
        if file.length > self.limit {
            return Err(MediaTransferError::TooLong { length: file.length, limit: self.limit });
        }
        let path = DirectPath::from_whatsapp(&file.direct_path, &self.media)?;
        let uri = path.at(&self.media.whatsapp_origin)?;
        let blob = beside(target, &facts);
        let there = std::fs::metadata(&blob).map_or(0, |metadata| metadata.len());
        let mut download = Download::new(uri, facts.blob_length()).with_bytes(there);
        if let Err(error) = self.download(&mut download, &blob, progress).await {
            if !matches!(error, MediaTransferError::Http(_)) {
                let _ = std::fs::remove_file(&blob);
            }
            return Err(error);
        }
        let keys = MediaKeys::derive(&MediaKey::from_bytes(*file.key.as_bytes()), class(kind));
        let target = target.to_owned();
        blocking(move || wa_media::open_file(&keys, &facts, &blob, &target, |_| {})).await
    }

    /// Encrypts the file at `source` beside it, uploads it, and says what a message must say of it. Of the encrypted
    /// file nothing stays here.
    ///
    /// # Errors
    /// [`MediaTransferError`].
    pub async fn send(
        &self,
        kind: MediaKind,
        source: &Path,
        mime: &str,
        server: &MediaServer,
        progress: &watch::Sender<u64>,
    ) -> Result<SentFile, MediaTransferError> {
        let key = MediaKey::generate(&mut UnwrapErr(SysRng));
        let keys = MediaKeys::derive(&key, class(kind));
        let mut encryptor = Encryptor::new(&keys);
        if matches!(class(kind), MediaClass::Video | MediaClass::Audio) {
            encryptor = encryptor.with_sidecar(&keys, self.media.sidecar_coverage);
        }
        // A name of its own: the same file may be on its way twice, and a file of the user's may have any name.
        let suffix = format!(".{:016x}.sending", UnwrapErr(SysRng).next_u64());
        let (plain, blob) = (source.to_owned(), suffixed(source, &suffix));
        let (cleared, made) = (Cleared(blob.clone()), blob.clone());
        let encrypted = blocking(move || {
            wa_media::encrypt_stream(encryptor, File::open(plain)?, File::create_new(made)?, |_| {})
        })
        .await?;
        let reference = self.upload(&blob, &encrypted.facts, server, progress).await?;
        drop(cleared);
        let path = DirectPath::hosted(&server.integrator, &reference, &self.media)?;
        let FileFacts { sha256, enc_sha256, length } = encrypted.facts;
        let file = MediaFile {
            direct_path: path.as_str().to_owned(),
            key: ContentKey::from_bytes(*key.as_bytes()),
            sha256,
            enc_sha256,
            length,
            mime: mime.to_owned(),
        };
        let sidecar = encrypted.sidecar.map(|sidecar| Bytes::copy_from_slice(sidecar.as_bytes()));
        Ok(SentFile { file, sidecar })
    }

    async fn download(
        &self,
        download: &mut Download,
        blob: &Path,
        progress: &watch::Sender<u64>,
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
        progress: &watch::Sender<u64>,
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
                    progress.send_replace(download.bytes());
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

    async fn upload(
        &self,
        blob: &Path,
        facts: &FileFacts,
        server: &MediaServer,
        progress: &watch::Sender<u64>,
    ) -> Result<String, MediaTransferError> {
        let upload = Upload::new(&server.base_url, &server.credential, facts)?;
        let mut failures = 0;
        loop {
            let counted =
                Counted { file: File::open(blob).map_err(io)?, count: 0, progress: progress.clone() };
            let body = BodyStream::reader(counted, facts.blob_length());
            let sent = self.http.stream(upload.request().map(|()| body)).await;
            let answered = sent
                .map_err(MediaTransferError::from)
                .and_then(|answer| Ok(Upload::storage_reference(&answer.into_parts().0)?));
            match answered {
                Err(error) if is_temporary(&error) && failures + 1 < self.attempts => failures += 1,
                answered => return answered,
            }
            tokio::time::sleep(PAUSE * failures).await;
        }
    }
}

impl std::fmt::Debug for MediaServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaServer").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// The pause before a second attempt; longer before further ones.
const PAUSE: Duration = Duration::from_millis(200);

/// What a kind's keys are derived for.
#[must_use]
pub const fn class(kind: MediaKind) -> MediaClass {
    match kind {
        MediaKind::Image | MediaKind::Sticker => MediaClass::Image,
        MediaKind::Video | MediaKind::Gif => MediaClass::Video,
        MediaKind::Audio | MediaKind::Voice => MediaClass::Audio,
        _ => MediaClass::Document,
    }
}

/// A file that counts what is read of it.
struct Counted {
    file: File,
    count: u64,
    progress: watch::Sender<u64>,
}

impl std::io::Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.count = self.count.saturating_add(read as u64);
        self.progress.send_replace(self.count);
        Ok(read)
    }
}

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

fn io(error: std::io::Error) -> MediaTransferError {
    FileError::from(error).into()
}

fn is_temporary(error: &MediaTransferError) -> bool {
    match error {
        MediaTransferError::Transfer(error) => error.is_temporary(),
        MediaTransferError::Http(error) => error.fault() == wa_http::Fault::World,
        MediaTransferError::Path(_) | MediaTransferError::File(_) | MediaTransferError::TooLong { .. } => {
            false
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
