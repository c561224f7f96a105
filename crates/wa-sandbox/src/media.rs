//! WhatsApp's media host, and the proxy through which a phone fetches what a third party hosts (seed §4.1; RO 1.0.3).
//!
//! | request | what it does |
//! |---|---|
//! | `GET /v/t…` | a phone's encrypted file, whole or from a byte on |
//! | `POST /control/media` | `{"class", "length", …}`: a phone uploads a file; gives path, key, hashes and length |
//! | `POST /control/media/open` | `{"direct_path", "class", "key", …}`: a phone fetches and opens a third party's file |
//!
//! A phone's file is a pattern: byte *i* is *7 i + ⌊i / 256⌋*. It may be spoilt on purpose, break off, or expire.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame};
use hyper::{HeaderMap, Response, StatusCode, header};
use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wa_media::{FileFacts, MediaClass, MediaKey, MediaKeys, decrypt, encrypt};

/// What lies at the media host.
#[derive(Debug, Default)]
pub(crate) struct MediaFiles {
    files: BTreeMap<String, HostedFile>,
}

#[derive(Debug)]
struct HostedFile {
    blob: Bytes,
    /// The next answers break off after so many bytes each.
    breaks: Vec<usize>,
    expired: bool,
    /// Ranges that were asked for.
    asked: Vec<String>,
}

/// A file that a phone uploads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Uploaded {
    class: Class,
    length: usize,
    /// What is spoilt of it.
    #[serde(default)]
    flip: Option<Flip>,
    /// What the host sends beyond the file, or less of it.
    #[serde(default)]
    longer: i64,
    #[serde(default)]
    breaks: Vec<usize>,
    #[serde(default)]
    expired: bool,
}

/// A file that a phone is to open.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Opening {
    direct_path: String,
    class: Class,
    key: String,
    sha256: String,
    enc_sha256: String,
    length: u64,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Class {
    Image,
    Video,
    Audio,
    Document,
}

/// One byte of a file or of what is said of it; where the MAC is to fail, the hash before it is made to fit.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Flip {
    Blob,
    BlobWithHash,
    Mac,
    Key,
    Sha256,
    EncSha256,
}

impl MediaFiles {
    /// A phone uploads a file; what a message would say of it.
    pub(crate) fn upload(&mut self, body: &[u8], prefix: &str, rng: &mut impl CryptoRng) -> Option<Value> {
        let uploaded: Uploaded = serde_json::from_slice(body).ok()?;
        let plain: Vec<u8> = (0..uploaded.length).map(pattern).collect();
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        let keys = MediaKeys::derive(&MediaKey::from_bytes(key), uploaded.class.into());
        let (mut blob, encrypted) = encrypt(&keys, &plain);
        let mut facts = encrypted.facts;
        let last = blob.len().checked_sub(1)?;
        let spoil = |bytes: &mut [u8], at: usize| bytes.get_mut(at).map(|byte| *byte ^= 1);
        match uploaded.flip {
            Some(Flip::Blob | Flip::BlobWithHash) => spoil(&mut blob, 0)?,
            Some(Flip::Mac) => spoil(&mut blob, last)?,
            Some(Flip::Key) => spoil(&mut key, 0)?,
            Some(Flip::Sha256) => spoil(&mut facts.sha256, 0)?,
            Some(Flip::EncSha256) => spoil(&mut facts.enc_sha256, 0)?,
            None => {}
        }
        if matches!(uploaded.flip, Some(Flip::BlobWithHash | Flip::Mac)) {
            facts.enc_sha256 = Sha256::digest(&blob).into();
        }
        let length = i64::try_from(blob.len()).ok()?.checked_add(uploaded.longer)?;
        blob.resize(usize::try_from(length).ok()?, 0);
        let mut name = [0; 12];
        rng.fill_bytes(&mut name);
        let path = format!("{prefix}62.0000-24/{}.enc", hex::encode(name));
        let file = HostedFile {
            blob: blob.into(),
            breaks: uploaded.breaks,
            expired: uploaded.expired,
            asked: Vec::new(),
        };
        self.files.insert(path.clone(), file);
        Some(json!({
            "direct_path": format!("{path}?ccb=11-4&_nc_sid=000000"),
            "key": hex::encode(key),
            "sha256": hex::encode(facts.sha256),
            "enc_sha256": hex::encode(facts.enc_sha256),
            "length": facts.length,
        }))
    }

    /// Answers `GET` of a phone's file.
    pub(crate) fn serve(&mut self, path: &str, headers: &HeaderMap) -> Response<SandboxBody> {
        let Some(file) = self.files.get_mut(path) else { return status(StatusCode::NOT_FOUND) };
        if file.expired {
            return status(StatusCode::GONE);
        }
        let size = file.blob.len();
        let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
        file.asked.extend(range.map(str::to_owned));
        let etag = format!("\"{size}\"");
        let same = headers.get(header::IF_RANGE).is_none_or(|known| known.as_bytes() == etag.as_bytes());
        let start = range.filter(|_| same).and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        let start: usize = start.and_then(|start| start.parse().ok()).unwrap_or(0);
        if start > 0 && start >= size {
            return status(StatusCode::RANGE_NOT_SATISFIABLE);
        }
        let bytes = file.blob.slice(start..);
        let breaks = if file.breaks.is_empty() { None } else { Some(file.breaks.remove(0)) };
        let mut response = Response::builder()
            .header(header::CONTENT_LENGTH, bytes.len())
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::ACCEPT_RANGES, "bytes")
            .header(header::ETAG, etag);
        if start > 0 {
            let range = format!("bytes {start}-{}/{size}", size - 1);
            response = response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, range);
        }
        let body = match breaks {
            Some(after) => SandboxBody::breaking(bytes.slice(..after.min(bytes.len()))),
            None => SandboxBody::from(Full::new(bytes)),
        };
        response.body(body).unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// Ranges that were asked of all files.
    pub(crate) fn asked(&self) -> Value {
        json!({ "ranges": self.files.values().flat_map(|file| &file.asked).collect::<Vec<_>>() })
    }
}

impl Opening {
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// The integrator and the storage reference in a path of the profile's form (RO 1.0.3).
    pub(crate) fn hosted(&self, form: &str) -> Option<(u16, &str)> {
        let (before, rest) = form.split_once("{integrator}")?;
        let (between, behind) = rest.split_once("{storage_reference}")?;
        let path = self.direct_path.strip_prefix(before)?.strip_suffix(behind)?;
        let (integrator, reference) = path.split_once(between)?;
        let is_one = !reference.is_empty() && !reference.contains(['/', '?', '#', '%', '.']);
        is_one.then_some((integrator.parse().ok()?, reference))
    }

    /// What the phone makes of the encrypted file.
    pub(crate) fn open(&self, blob: &[u8]) -> Option<Value> {
        let key = MediaKey::from_bytes(array(&self.key)?);
        let keys = MediaKeys::derive(&key, self.class.into());
        let (sha256, enc_sha256) = (array(&self.sha256)?, array(&self.enc_sha256)?);
        let facts = FileFacts { sha256, enc_sha256, length: self.length };
        Some(match decrypt(&keys, &facts, blob) {
            Ok(plain) => json!({ "opened": hex::encode(Sha256::digest(&plain)), "length": plain.len() }),
            Err(error) => json!({ "refused": error.to_string() }),
        })
    }
}

impl From<Class> for MediaClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Image => Self::Image,
            Class::Video => Self::Video,
            Class::Audio => Self::Audio,
            Class::Document => Self::Document,
        }
    }
}

/// A body that may break off.
#[derive(Debug)]
pub(crate) struct SandboxBody {
    body: Full<Bytes>,
    breaks: Breaks,
}

#[derive(Clone, Copy, Debug)]
enum Breaks {
    Never,
    AtTheEnd,
    Now,
}

/// It broke off.
#[derive(Debug, thiserror::Error)]
#[error("broken off on purpose")]
pub(crate) struct BrokenOff;

impl SandboxBody {
    fn breaking(bytes: Bytes) -> Self {
        Self { body: Full::new(bytes), breaks: Breaks::AtTheEnd }
    }
}

impl From<Full<Bytes>> for SandboxBody {
    fn from(body: Full<Bytes>) -> Self {
        Self { body, breaks: Breaks::Never }
    }
}

impl Body for SandboxBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(frame)) => Poll::Ready(Some(frame.map_err(|never: Infallible| match never {}))),
            Poll::Ready(None) => match self.breaks {
                Breaks::Never => Poll::Ready(None),
                Breaks::AtTheEnd => {
                    // What was written before is to arrive: waiting is when it is sent.
                    self.breaks = Breaks::Now;
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                Breaks::Now => Poll::Ready(Some(Err(BrokenOff))),
            },
            Poll::Pending => Poll::Pending,
        }
    }
}

fn pattern(index: usize) -> u8 {
    u8::try_from((7 * index + index / 256) % 256).unwrap_or(0)
}

fn array(text: &str) -> Option<[u8; 32]> {
    hex::decode(text).ok()?.try_into().ok()
}

fn status(status: StatusCode) -> Response<SandboxBody> {
    let mut response = Response::new(SandboxBody::from(Full::default()));
    *response.status_mut() = status;
    response
}
