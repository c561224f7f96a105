//! Files of a conversation: sent with what can be told of them, saved where the user wants them (overview §4.1).

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget};
use wa_interop::chat::{Content, Media, MediaKind};
use wa_interop::http::{HttpLimits, HyperClient, PlainHttp};
use wa_interop::profile::Profile;
use wa_interop::{MediaServer, MediaTransfer, MediaTransferError, NoToken, Outgoing, describe, kind_of};

use super::ChatFailure;
use crate::arguments::ChatArguments;
use crate::shell::printed;

/// Where files go to and come from.
pub(super) struct Files {
    transfer: MediaTransfer<HyperClient>,
    /// The service's own server, and the command that prints what it recognises the user by.
    service: Option<(String, String)>,
    integrator: String,
}

impl Files {
    pub(super) fn new(arguments: &ChatArguments, mut profile: Profile) -> Self {
        if let Some(origin) = &arguments.media_origin {
            profile.media.whatsapp_origin.clone_from(origin);
        }
        // Plain HTTP is for servers on this machine.
        let http = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
        Self {
            transfer: MediaTransfer::new(http, &profile),
            service: arguments.media_url.clone().zip(arguments.credential_command.clone()),
            integrator: arguments.integrator.to_string(),
        }
    }

    /// Encrypts and uploads a file; gives the content that carries it. None without a server to upload to.
    pub(super) async fn send(&self, path: &Path) -> Result<Option<Content>, ChatFailure> {
        let Some((base_url, command)) = &self.service else { return Ok(None) };
        let metadata = describe(path).await?;
        let kind = kind_of(&metadata);
        let credentials = || async { printed(command).await.ok_or(NoToken::Never) };
        let server = MediaServer::new(base_url, &self.integrator, credentials);
        let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let (file, bar) = (Outgoing::path(kind, metadata.mime, path), bar(length));
        let sent = self.transfer.send(file, &server, |bytes| bar.set_position(bytes)).await;
        bar.finish_and_clear();
        let sent = match sent {
            Err(MediaTransferError::Credential(_)) => return Err(ChatFailure::Credential),
            sent => sent?,
        };
        let mut media = sent.into_media(kind, &metadata);
        if kind == MediaKind::Document {
            media.file_name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        }
        Ok(Some(Content::Media(Box::new(media))))
    }

    /// Fetches, verifies and decrypts a file of the peer's to a path that is free.
    pub(super) async fn save(&self, media: &Media, path: &Path) -> Result<(), ChatFailure> {
        let bar = bar(media.file.length);
        let fetched =
            self.transfer.fetch(media.kind, &media.file, path, |bytes| bar.set_position(bytes)).await;
        bar.finish_and_clear();
        Ok(fetched?)
    }
}

/// Where the peer's file goes if the user names nothing: its own name, stripped of directories, or its type's; a number
/// where that is taken.
pub(super) fn free_path(media: &Media) -> PathBuf {
    let named = media.file_name.as_deref().map(|name| name.replace(['/', '\\', '\0'], "_"));
    let name = named.filter(|name| !name.is_empty() && !name.starts_with('.'));
    let extension = media.file.mime.split(['/', ';']).nth(1).unwrap_or("bin");
    let extension: String = extension.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = name.unwrap_or_else(|| format!("{}.{extension}", media.kind.as_str()));
    let path = PathBuf::from(&name);
    if !path.exists() {
        return path;
    }
    let numbered = (1_u32..).map(|number| PathBuf::from(format!("{number}-{name}")));
    numbered.take(10_000).find(|path| !path.exists()).unwrap_or(path)
}

/// How far a transfer is, where standard error is a terminal.
fn bar(length: u64) -> ProgressBar {
    let is_terminal = std::io::stderr().is_terminal();
    let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    ProgressBar::with_draw_target(Some(length), target)
}

#[cfg(test)]
mod tests {
    use wa_interop::chat::{FileFacts, MediaFile, MediaKey};

    use super::*;

    fn media(name: Option<&str>, mime: &str) -> Media {
        let facts = FileFacts { sha256: [0; 32], enc_sha256: [0; 32], length: 0 };
        let file = MediaFile::new("", MediaKey::from_bytes([0; 32]), facts, mime);
        let mut media = Media::new(MediaKind::Document, file);
        media.file_name = name.map(ToOwned::to_owned);
        media
    }

    #[test]
    fn a_file_of_the_peers_stays_in_the_directory() {
        for (name, mime, expected) in [
            (Some("minutes.pdf"), "application/pdf", "minutes.pdf"),
            (Some("../../etc/passwd"), "text/plain", "document.plain"),
            (Some("/etc/passwd"), "text/plain", "_etc_passwd"),
            (Some("a\\b\0c"), "text/plain", "a_b_c"),
            (Some(".bashrc"), "text/plain", "document.plain"),
            (Some(""), "text/plain", "document.plain"),
            (None, "audio/ogg; codecs=opus", "document.ogg"),
            (None, "../x/..", "document.x"),
            (None, "nonsense", "document.bin"),
        ] {
            assert_eq!(free_path(&media(name, mime)), PathBuf::from(expected), "{name:?}");
        }
    }
}
