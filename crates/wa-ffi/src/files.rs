//! Files, sent and fetched with our own HTTP client.

use std::path::Path;
use std::sync::Arc;

use wa_interop::chat;
use wa_interop::http::{HttpLimits, HyperClient, PlainHttp};
use wa_interop::{MediaServer, MediaTransfer, MediaTransferError, Outgoing, describe, kind_of};

use crate::client::named;
use crate::content::Media;
use crate::error::WaError;
use crate::tasks::{Canceller, Tokens, unless};

/// Hears how far a transfer is. The platform implements it.
#[uniffi::export(with_foreign)]
pub trait Progress: Send + Sync {
    /// So many bytes of the encrypted file have travelled.
    fn moved(&self, bytes: u64);
}

/// Sends and fetches files.
#[derive(Debug, uniffi::Object)]
pub struct Files {
    transfer: MediaTransfer<HyperClient>,
    plain: MediaTransfer<HyperClient>,
    origin: String,
}

#[uniffi::export(async_runtime = "tokio")]
impl Files {
    /// Under a profile's rules; `origin` is where WhatsApp users' files lie, if not at WhatsApp's media host, and
    /// `directory` where encrypted files are on their way.
    ///
    /// # Errors
    /// The profile is malformed.
    #[uniffi::constructor]
    pub fn new(profile: &str, origin: Option<String>, directory: &str) -> Result<Arc<Self>, WaError> {
        let mut profile = named(profile)?;
        if let Some(origin) = origin {
            profile.media.whatsapp_origin = origin;
        }
        let http = HyperClient::new(HttpLimits::default());
        let transfer = MediaTransfer::new(http.clone(), &profile).with_directory(directory);
        // In plain to this machine alone: a local WhatsApp.
        let plain =
            MediaTransfer::new(http.with_plain_http(PlainHttp::Http1), &profile).with_directory(directory);
        Ok(Arc::new(Self { transfer, plain, origin: profile.media.whatsapp_origin }))
    }

    /// Encrypts the file at a path and brings it to the service's server; gives what a message carries, with type, size,
    /// duration and thumbnail.
    ///
    /// # Errors
    /// The file cannot be read, or the server does not take it.
    #[uniffi::method(default(progress = None, canceller = None))]
    pub async fn upload(
        &self,
        path: String,
        server: String,
        integrator: u16,
        credentials: Arc<dyn Tokens>,
        progress: Option<Arc<dyn Progress>>,
        canceller: Option<Arc<Canceller>>,
    ) -> Result<Media, WaError> {
        let path = Path::new(&path);
        let transfer = self.transfer(&server);
        let credentials = || async { credentials.fetch().await.map_err(Into::into) };
        let server = MediaServer::new(server, integrator.to_string(), credentials);
        let sent = async {
            let metadata = describe(path).await?;
            let kind = kind_of(&metadata);
            let outgoing = Outgoing::path(kind, metadata.mime, path);
            let sent = transfer.send(outgoing, &server, telling(progress)).await?;
            Ok(sent.into_media(kind, &metadata).into())
        };
        unless(canceller, sent).await
    }

    /// Fetches, verifies and decrypts a file to a path.
    ///
    /// # Errors
    /// It is gone, was changed, or cannot be written.
    #[uniffi::method(default(progress = None, canceller = None))]
    pub async fn download(
        &self,
        media: Media,
        path: String,
        progress: Option<Arc<dyn Progress>>,
        canceller: Option<Arc<Canceller>>,
    ) -> Result<(), WaError> {
        let media = chat::Media::try_from(media)?;
        let transfer = self.transfer(&self.origin);
        let path = Path::new(&path);
        let fetched = async { Ok(transfer.fetch(media.kind, &media.file, path, telling(progress)).await?) };
        unless(canceller, fetched).await
    }

    /// Fetches, verifies and decrypts a file into memory.
    ///
    /// # Errors
    /// As `download`.
    #[uniffi::method(default(canceller = None))]
    pub async fn download_bytes(
        &self,
        media: Media,
        canceller: Option<Arc<Canceller>>,
    ) -> Result<Vec<u8>, WaError> {
        let media = chat::Media::try_from(media)?;
        let transfer = self.transfer(&self.origin);
        unless(canceller, async { Ok(transfer.fetch_bytes(media.kind, &media.file, |_| {}).await?) }).await
    }
}

impl Files {
    fn transfer(&self, url: &str) -> &MediaTransfer<HyperClient> {
        if url.starts_with("http://127.0.0.1:") { &self.plain } else { &self.transfer }
    }
}

fn telling(progress: Option<Arc<dyn Progress>>) -> impl FnMut(u64) {
    move |bytes| {
        if let Some(progress) = &progress {
            progress.moved(bytes);
        }
    }
}

impl From<MediaTransferError> for WaError {
    fn from(error: MediaTransferError) -> Self {
        Self::Media { why: error.to_string() }
    }
}
