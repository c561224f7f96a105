//! `wa media`: a file encrypted, opened, or fetched from a media host, with what a message says of it (seed §4.1).

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use thiserror::Error;
use wa_interop::{
    MediaTransfer, MediaTransferError,
    chat::{FileFacts, MediaFile, MediaKey, MediaKind},
    http::{HttpLimits, HyperClient, PlainHttp},
    media::{Encryptor, FileError, MediaKeys, encrypt_stream, open_file},
    profile::Profile,
};

use crate::arguments::open_profile;

/// What to do with a file.
#[derive(Debug, Subcommand)]
pub(crate) enum MediaCommand {
    /// Encrypt a file under a fresh key, and print what a message says of it as JSON
    Encrypt {
        /// What kind of media it is
        #[arg(long, value_enum)]
        kind: Kind,
        /// The file
        file: PathBuf,
        /// Where the encrypted file goes
        output: PathBuf,
    },
    /// Verify and decrypt an encrypted file
    Decrypt {
        #[command(flatten)]
        facts: Facts,
        /// The encrypted file; it stays
        file: PathBuf,
        /// Where the file goes
        output: PathBuf,
    },
    /// Fetch, verify and decrypt a WhatsApp user's file; a broken download goes on when it is run again
    Fetch {
        #[command(flatten)]
        facts: Facts,
        /// The media host, if it is not the profile's
        #[arg(long, value_name = "URL")]
        origin: Option<String>,
        /// The rules that apply: a document, overview or 1.0.3, or a TOML file as `wa profile show` prints one
        #[arg(long, value_name = "NAME|FILE", default_value = "1.0.3", value_parser = open_profile)]
        profile: Box<Profile>,
        /// The direct path of the message
        direct_path: String,
        /// Where the file goes
        output: PathBuf,
    },
}

/// What a message says of a file, all in hexadecimal digits.
#[derive(Debug, Args)]
pub(crate) struct Facts {
    /// A JSON object as `encrypt` prints it, in a file: keys stay out of the list of processes
    #[arg(long, value_name = "FILE")]
    facts: PathBuf,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Image,
    Video,
    Gif,
    Audio,
    Voice,
    Document,
    Sticker,
}

/// Why a file was not encrypted, opened or fetched.
#[derive(Debug, Error)]
pub(crate) enum MediaFailure {
    #[error("{path}: {kind}")]
    Io { path: String, kind: std::io::ErrorKind },
    #[error("{path} does not say kind, key, sha256, enc_sha256 and length")]
    Facts { path: String },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Transfer(#[from] MediaTransferError),
    #[error("the system gives no runtime")]
    System,
}

impl MediaFailure {
    /// Whether an input was not what it should be.
    pub(crate) const fn is_malformed(&self) -> bool {
        matches!(
            self,
            Self::Facts { .. }
                | Self::File(FileError::Media(_))
                | Self::Transfer(MediaTransferError::File(FileError::Media(_)) | MediaTransferError::Path(_))
        )
    }
}

/// Does one command; gives what goes to standard output.
pub(crate) fn run(command: &MediaCommand) -> Result<Option<String>, MediaFailure> {
    match command {
        MediaCommand::Encrypt { kind, file, output } => encrypt(*kind, file, output).map(Some),
        MediaCommand::Decrypt { facts, file, output } => decrypt(facts, file, output).map(|()| None),
        MediaCommand::Fetch { facts, origin, profile, direct_path, output } => {
            let mut profile = Profile::clone(profile);
            let mut http = HyperClient::new(HttpLimits::default());
            if let Some(origin) = origin {
                profile.media.whatsapp_origin.clone_from(origin);
            }
            if profile.media.whatsapp_origin.starts_with("http://127.0.0.1:") {
                http = http.with_plain_http(PlainHttp::Http1);
            }
            let transfer = MediaTransfer::new(http, &profile);
            fetch(facts, &transfer, direct_path, output).map(|()| None)
        }
    }
}

fn encrypt(kind: Kind, file: &Path, output: &Path) -> Result<String, MediaFailure> {
    let key = MediaKey::generate(&mut rand_core::UnwrapErr(rand::rngs::SysRng));
    let keys = MediaKeys::derive(&key, MediaKind::from(kind).class());
    let source = File::open(file).map_err(|error| io(file, &error))?;
    let bar = bar(source.metadata().map_or(0, |metadata| metadata.len()));
    let target = File::create(output).map_err(|error| io(output, &error))?;
    let encrypted = encrypt_stream(Encryptor::new(&keys), source, target, |bytes| bar.set_position(bytes))?;
    bar.finish();
    let name = kind.to_possible_value().map(|name| name.get_name().to_owned());
    let said = json!({
        "kind": name,
        "key": hex::encode(key.as_bytes()),
        "sha256": hex::encode(encrypted.facts.sha256),
        "enc_sha256": hex::encode(encrypted.facts.enc_sha256),
        "length": encrypted.facts.length,
    });
    Ok(said.to_string())
}

fn decrypt(facts: &Facts, file: &Path, output: &Path) -> Result<(), MediaFailure> {
    let (kind, said) = facts.read()?;
    let (keys, facts) = (MediaKeys::derive(&said.key, kind.class()), said.facts());
    // Opening takes the encrypted file away, and this one is the user's.
    let mut copy = output.as_os_str().to_owned();
    copy.push(".encrypted");
    let copy = PathBuf::from(copy);
    fs::copy(file, &copy).map_err(|error| io(file, &error))?;
    let bar = bar(facts.blob_length());
    let opened = open_file(&keys, &facts, &copy, output, |bytes| bar.set_position(bytes));
    let _ = fs::remove_file(&copy);
    bar.finish();
    Ok(opened?)
}

fn fetch(
    facts: &Facts,
    transfer: &MediaTransfer<HyperClient>,
    path: &str,
    output: &Path,
) -> Result<(), MediaFailure> {
    let (kind, mut said) = facts.read()?;
    path.clone_into(&mut said.direct_path);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|_| MediaFailure::System)?;
    runtime.block_on(async {
        let bar = bar(said.length);
        let fetched = transfer.fetch(kind, &said, output, |bytes| bar.set_position(bytes)).await;
        bar.finish();
        Ok(fetched?)
    })
}

impl Facts {
    fn read(&self) -> Result<(MediaKind, MediaFile), MediaFailure> {
        let text = fs::read_to_string(&self.facts).map_err(|error| io(&self.facts, &error))?;
        let said: Value = serde_json::from_str(&text).unwrap_or_default();
        let bytes = |name: &str| hex::decode(said.get(name)?.as_str()?).ok()?.try_into().ok();
        let read = || {
            let kind = Kind::from_str(said.get("kind")?.as_str()?, true).ok()?;
            let length = said.get("length")?.as_u64()?;
            let facts = FileFacts { sha256: bytes("sha256")?, enc_sha256: bytes("enc_sha256")?, length };
            Some((kind.into(), MediaFile::new("", MediaKey::from_bytes(bytes("key")?), facts, "")))
        };
        read().ok_or_else(|| MediaFailure::Facts { path: self.facts.display().to_string() })
    }
}

impl From<Kind> for MediaKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Image => Self::Image,
            Kind::Video => Self::Video,
            Kind::Gif => Self::Gif,
            Kind::Audio => Self::Audio,
            Kind::Voice => Self::Voice,
            Kind::Document => Self::Document,
            Kind::Sticker => Self::Sticker,
        }
    }
}

/// On standard error, and only where that is a terminal.
fn bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    match ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn io(path: &Path, error: &std::io::Error) -> MediaFailure {
    MediaFailure::Io { path: path.display().to_string(), kind: error.kind() }
}
