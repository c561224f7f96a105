//! A user's encrypted file on its way to the third party's own server (RO 1.0.3: the server hosts what its users send).

use std::fs::File;
use std::path::Path;

use tokio::sync::watch;
use wa_http::{BodyStream, StreamingClient};
use wa_media::{FileFacts, TransferError, Upload};

use crate::reconnect::NoToken;
use crate::transfer::{MediaTransfer, MediaTransferError, PAUSE, io, is_temporary};

/// What an answer means that does not recognise the user.
const UNAUTHORIZED: TransferError = TransferError::Refused { status: 401 };

/// Where the credentials for uploads come from: asked before each request, since one may live for minutes only, and an
/// upload may be repeated after hours.
pub trait CredentialSource: Send + Sync {
    /// What the server recognises its user by, at this moment.
    fn credential(&self) -> impl Future<Output = Result<String, NoToken>> + Send;
}

impl<F, R> CredentialSource for F
where
    F: Fn() -> R + Send + Sync,
    R: Future<Output = Result<String, NoToken>> + Send,
{
    fn credential(&self) -> impl Future<Output = Result<String, NoToken>> + Send {
        self()
    }
}

/// Where a user's files are uploaded.
#[derive(Clone)]
pub struct MediaServer<T> {
    pub(crate) base_url: String,
    pub(crate) integrator: String,
    pub(crate) credentials: T,
}

impl<T: CredentialSource> MediaServer<T> {
    /// The integrator's base URL, its identifier at WhatsApp, and what its users are recognised by.
    pub fn new(base_url: impl Into<String>, integrator: impl Into<String>, credentials: T) -> Self {
        Self { base_url: base_url.into(), integrator: integrator.into(), credentials }
    }
}

impl<T> std::fmt::Debug for MediaServer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaServer").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl<C: StreamingClient> MediaTransfer<C> {
    /// Uploads the file, again where that may help; gives its storage reference.
    pub(crate) async fn upload(
        &self,
        blob: &Path,
        facts: &FileFacts,
        server: &MediaServer<impl CredentialSource>,
        mut progress: impl FnMut(u64),
    ) -> Result<String, MediaTransferError> {
        let (mut failures, mut is_stale) = (0, false);
        loop {
            match self.upload_once(blob, facts, server, &mut progress).await {
                // It ran out on its way. One that is fresh and refused as well is no good.
                Err(MediaTransferError::Transfer(UNAUTHORIZED)) if !is_stale => is_stale = true,
                Err(error) if is_temporary(&error) && failures + 1 < self.attempts => failures += 1,
                answered => return answered,
            }
            tokio::time::sleep(PAUSE * failures).await;
        }
    }

    async fn upload_once(
        &self,
        blob: &Path,
        facts: &FileFacts,
        server: &MediaServer<impl CredentialSource>,
        progress: &mut impl FnMut(u64),
    ) -> Result<String, MediaTransferError> {
        let credential = server.credentials.credential().await.map_err(MediaTransferError::Credential)?;
        let upload = Upload::new(&server.base_url, &credential, facts)?;
        let (count, mut counts) = watch::channel(0);
        let counted = Counted { file: File::open(blob).map_err(io)?, read: count };
        let body = BodyStream::reader(counted, facts.blob_length());
        let sending = self.http.stream(upload.request().map(|()| body));
        tokio::pin!(sending);
        let answer = loop {
            tokio::select! {
                answer = &mut sending => break answer?,
                Ok(()) = counts.changed() => progress(*counts.borrow_and_update()),
            }
        };
        // What was read since the last look.
        progress(*counts.borrow());
        Ok(Upload::storage_reference(&answer.into_parts().0)?)
    }
}

/// A file that counts what is read of it.
struct Counted {
    file: File,
    read: watch::Sender<u64>,
}

impl std::io::Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.send_modify(|count| *count = count.saturating_add(read as u64));
        Ok(read)
    }
}
