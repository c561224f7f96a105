//! `wa media`: a file encrypted, opened, or fetched from a media host, with what a message says of it (overview §4.1).

use std::fs;
use std::fs::File;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use thiserror::Error;
use wa_interop::chat::{FileFacts, MediaFile, MediaKey, MediaKind};
use wa_interop::http::{HttpLimits, HyperClient, PlainHttp};
use wa_interop::media::{Encryptor, FileError, MediaKeys, encrypt_stream, open_file};
use wa_interop::profile::Profile;
use wa_interop::{
    CredentialSource, MediaServer, MediaTransfer, MediaTransferError, NoToken, Outgoing, SentFile,
};

use crate::arguments::open_profile;
use crate::shell::printed;

/// What to do with a file.
#[derive(Debug, Subcommand)]
pub(crate) enum MediaCommand {
    /// Encrypt a file under a fresh key, and print what a message says of it as JSON
    Encrypt {
        /// What kind of media it is
        #[arg(long, value_enum)]
        kind: Kind,
        /// The file to encrypt
        file: PathBuf,
        #[command(flatten)]
        output: Target,
    },
    /// Verify and decrypt an encrypted file
    Decrypt {
        #[command(flatten)]
        facts: Facts,
        /// The encrypted file; it stays
        file: PathBuf,
        #[command(flatten)]
        output: Target,
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
        #[command(flatten)]
        output: Target,
    },
    /// Encrypt a file and bring it to your service's server; print what a message says of it as JSON
    Upload {
        /// What kind of media it is
        #[arg(long, value_enum)]
        kind: Kind,
        /// Base URL of your service's own server
        #[arg(long, value_name = "URL")]
        url: String,
        /// A shell command that prints what that server recognises the user by, run before each request
        #[arg(long, value_name = "COMMAND")]
        credential_command: String,
        /// Your integrator id, 1 to 999
        #[arg(long, default_value_t = 1)]
        integrator: u16,
        /// The rules that apply: a document, overview or 1.0.3, or a TOML file as `wa profile show` prints one
        #[arg(long, value_name = "NAME|FILE", default_value = "1.0.3", value_parser = open_profile)]
        profile: Box<Profile>,
        /// The file to upload
        file: PathBuf,
    },
}

/// Where what comes out goes.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Target {
    /// Where it goes
    #[arg(value_name = "OUTPUT")]
    output: Option<PathBuf>,
    /// The same, by name
    #[arg(short, long, value_name = "OUTPUT")]
    out: Option<PathBuf>,
}

impl Target {
    fn path(&self) -> &Path {
        // clap has seen to it that there is one.
        self.output.as_ref().or(self.out.as_ref()).map_or_else(|| Path::new(""), PathBuf::as_path)
    }
}

/// What a message says of a file, all in hexadecimal digits.
#[derive(Debug, Args)]
pub(crate) struct Facts {
    /// A JSON object as `encrypt` prints it, in a file: keys stay out of the list of processes
    #[arg(long, value_name = "FILE")]
    facts: PathBuf,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
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
        MediaCommand::Encrypt { kind, file, output } => encrypt(*kind, file, output.path()).map(Some),
        MediaCommand::Decrypt { facts, file, output } => decrypt(facts, file, output.path()).map(|()| None),
        MediaCommand::Upload { kind, url, credential_command, integrator, profile, file } => {
            let credentials = || async { printed(credential_command).await.ok_or(NoToken::Never) };
            let server = MediaServer::new(url, integrator.to_string(), credentials);
            let plain = url.starts_with("http://127.0.0.1:");
            upload(*kind, &transfer(profile, plain), &server, file).map(Some)
        }
        MediaCommand::Fetch { facts, origin, profile, direct_path, output } => {
            let mut profile = Profile::clone(profile);
            if let Some(origin) = origin {
                profile.media.whatsapp_origin.clone_from(origin);
            }
            let plain = profile.media.whatsapp_origin.starts_with("http://127.0.0.1:");
            fetch(facts, &transfer(&profile, plain), direct_path, output.path()).map(|()| None)
        }
    }
}

/// Transfers over TLS; in plain to this machine alone.
fn transfer(profile: &Profile, plain: bool) -> MediaTransfer<HyperClient> {
    let http = HyperClient::new(HttpLimits::default());
    let http = if plain { http.with_plain_http(PlainHttp::Http1) } else { http };
    MediaTransfer::new(http, profile)
}

fn upload(
    kind: Kind,
    transfer: &MediaTransfer<HyperClient>,
    server: &MediaServer<impl CredentialSource>,
    file: &Path,
) -> Result<String, MediaFailure> {
    let length = fs::metadata(file).map_err(|error| io(file, &error))?.len();
    runtime()?.block_on(async {
        let bar = bar(length);
        let outgoing = Outgoing::path(kind.into(), "application/octet-stream", file);
        let sent = transfer.send(outgoing, server, |bytes| bar.set_position(bytes)).await;
        bar.finish();
        let SentFile { file, .. } = sent?;
        let mut said = said(kind, &file.key, &file.facts());
        if let Some(said) = said.as_object_mut() {
            said.insert("direct_path".to_owned(), json!(file.direct_path));
        }
        Ok(said.to_string())
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, MediaFailure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|_| MediaFailure::System)
}

fn encrypt(kind: Kind, file: &Path, output: &Path) -> Result<String, MediaFailure> {
    let key = MediaKey::generate(&mut rand_core::UnwrapErr(rand::rngs::SysRng));
    let keys = MediaKeys::derive(&key, MediaKind::from(kind).class());
    let source = File::open(file).map_err(|error| io(file, &error))?;
    let bar = bar(source.metadata().map_or(0, |metadata| metadata.len()));
    let target = File::create(output).map_err(|error| io(output, &error))?;
    let encrypted = encrypt_stream(Encryptor::new(&keys), source, target, |bytes| bar.set_position(bytes))?;
    bar.finish();
    Ok(said(kind, &key, &encrypted.facts).to_string())
}

/// What a message says of a file.
fn said(kind: Kind, key: &MediaKey, facts: &FileFacts) -> Value {
    json!({
        "kind": kind.to_possible_value().map(|name| name.get_name().to_owned()),
        "key": hex::encode(key.as_bytes()),
        "sha256": hex::encode(facts.sha256),
        "enc_sha256": hex::encode(facts.enc_sha256),
        "length": facts.length,
    })
}

fn decrypt(facts: &Facts, file: &Path, output: &Path) -> Result<(), MediaFailure> {
    let (kind, said) = facts.read()?;
    let (keys, facts) = (MediaKeys::derive(&said.key, kind.class()), said.facts());
    // Opening takes the encrypted file away, and this one is the user's.
    let mut copy = output.as_os_str().to_owned();
    // A name that is nobody's, not even the user's for the encrypted file.
    copy.push(format!(
        ".{:016x}.encrypted",
        rand_core::Rng::next_u64(&mut rand_core::UnwrapErr(rand::rngs::SysRng))
    ));
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
    runtime()?.block_on(async {
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
