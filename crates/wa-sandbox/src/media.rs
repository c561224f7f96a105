//! WhatsApp's media host, and what a phone makes of a file that a third party hosts (overview §4.1; RO 1.0.3).
//!
//! A phone's file is a picture, a voice note, or a pattern: byte *i* is *7 i + ⌊i / 256⌋*. It may be spoilt on purpose,
//! break off, or expire.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use hyper::{HeaderMap, Response, StatusCode, header};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wa_media::{FileFacts, MediaClass, MediaKey, MediaKeys, decrypt, encrypt};

use crate::api::Problem;
use crate::body::SandboxBody;
use crate::media::range::{Asked, asked};

pub(crate) mod generated;
mod range;

/// Longest file that a phone uploads, in bytes.
const MAX_FILE: usize = 64 << 20;

/// Bytes that the media host keeps, and files: the oldest make room.
const MAX_BYTES: usize = 512 << 20;
const MAX_FILES: usize = 10_000;

/// Ranges that are remembered of one file, and the longest of them in bytes.
const MAX_ASKED: usize = 1000;
const MAX_RANGE: usize = 64;

/// What lies at the media host.
#[derive(Debug, Default)]
pub(crate) struct MediaFiles {
    files: BTreeMap<String, HostedFile>,
    /// Their paths, oldest first.
    in_order: VecDeque<String>,
    bytes: usize,
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

/// What is kept of a file beside its bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptFile {
    pub(crate) path: String,
    breaks: Vec<usize>,
    expired: bool,
    asked: Vec<String>,
}

/// A file that a phone uploads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Uploaded {
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

/// What a message says of a file; bytes are hexadecimal.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Described {
    pub(crate) direct_path: String,
    pub(crate) key: String,
    pub(crate) sha256: String,
    pub(crate) enc_sha256: String,
    pub(crate) length: u64,
}

/// A file that is encrypted, before somebody hosts it.
pub(crate) struct Sealed {
    pub(crate) blob: Bytes,
    key: [u8; 32],
    facts: FileFacts,
}

/// A file that a phone is to open.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Opening {
    pub(crate) direct_path: String,
    class: Class,
    key: String,
    sha256: String,
    enc_sha256: String,
    length: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Class {
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
    /// A phone uploads a pattern; what a message would say of it.
    pub(crate) fn upload(
        &mut self,
        uploaded: &Uploaded,
        prefix: &str,
        rng: &mut impl CryptoRng,
    ) -> Option<Described> {
        let plain: Vec<u8> = (0..uploaded.length.min(MAX_FILE)).map(pattern).collect();
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
        blob.resize(usize::try_from(length).ok().filter(|length| *length <= MAX_FILE + 64)?, 0);
        let file = HostedFile {
            blob: blob.into(),
            breaks: uploaded.breaks.clone(),
            expired: uploaded.expired,
            asked: Vec::new(),
        };
        Some(self.host(file, &key, facts, prefix, rng))
    }

    /// A phone uploads a file as it is.
    pub(crate) fn keep(
        &mut self,
        plain: &[u8],
        class: Class,
        prefix: &str,
        rng: &mut impl CryptoRng,
    ) -> Described {
        let Sealed { blob, key, facts } = Sealed::new(plain, class, rng);
        let file = HostedFile { blob, breaks: Vec::new(), expired: false, asked: Vec::new() };
        self.host(file, &key, facts, prefix, rng)
    }

    /// The encrypted file of a phone's at a path, unless it has expired.
    pub(crate) fn blob(&self, path: &str) -> Option<Bytes> {
        self.files.get(path).filter(|file| !file.expired).map(|file| file.blob.clone())
    }

    /// What is kept of each file, the oldest first.
    pub(crate) fn kept(&self) -> impl Iterator<Item = KeptFile> {
        let in_order = self.in_order.iter().filter_map(|path| self.files.get_key_value(path));
        in_order.map(|(path, file)| KeptFile {
            path: path.clone(),
            breaks: file.breaks.clone(),
            expired: file.expired,
            asked: file.asked.clone(),
        })
    }

    /// The bytes of a file, even if it has expired.
    pub(crate) fn kept_blob(&self, path: &str) -> Option<Bytes> {
        self.files.get(path).map(|file| file.blob.clone())
    }

    /// Hosts a file of an earlier run.
    pub(crate) fn host_kept(&mut self, kept: KeptFile, blob: Bytes) {
        let KeptFile { path, breaks, expired, asked } = kept;
        self.insert(path, HostedFile { blob, breaks, expired, asked });
    }

    fn host(
        &mut self,
        file: HostedFile,
        key: &[u8; 32],
        facts: FileFacts,
        prefix: &str,
        rng: &mut impl CryptoRng,
    ) -> Described {
        let mut name = [0; 12];
        rng.fill_bytes(&mut name);
        let path = format!("{prefix}62.0000-24/{}.enc", hex::encode(name));
        let sealed = Sealed { blob: file.blob.clone(), key: *key, facts };
        self.insert(path.clone(), file);
        sealed.described(format!("{path}?ccb=11-4&_nc_sid=000000"))
    }

    fn insert(&mut self, path: String, file: HostedFile) {
        self.bytes += file.blob.len();
        match self.files.insert(path.clone(), file) {
            Some(replaced) => self.bytes -= replaced.blob.len(),
            None => self.in_order.push_back(path),
        }
        while (self.bytes > MAX_BYTES || self.in_order.len() > MAX_FILES) && self.in_order.len() > 1 {
            let oldest = self.in_order.pop_front().and_then(|path| self.files.remove(&path));
            self.bytes -= oldest.map_or(0, |oldest| oldest.blob.len());
        }
    }

    /// Answers `GET` of a phone's file: whole, from a byte on, from one to another, or the last ones.
    pub(crate) fn serve(&mut self, path: &str, headers: &HeaderMap) -> Response<SandboxBody> {
        let Some(file) = self.files.get_mut(path) else { return status(StatusCode::NOT_FOUND) };
        if file.expired {
            return status(StatusCode::GONE);
        }
        let size = file.blob.len();
        let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
        let remembered = range.filter(|range| range.len() <= MAX_RANGE && file.asked.len() < MAX_ASKED);
        file.asked.extend(remembered.map(str::to_owned));
        let etag = format!("\"{size}\"");
        let same = headers.get(header::IF_RANGE).is_none_or(|known| known.as_bytes() == etag.as_bytes());
        let (part, is_partial) = match asked(range.filter(|_| same), size) {
            Asked::Everything => (0..size, false),
            Asked::Part(part) => (part, true),
            Asked::Nothing => return status(StatusCode::RANGE_NOT_SATISFIABLE),
        };
        let bytes = file.blob.slice(part.clone());
        let breaks = if file.breaks.is_empty() { None } else { Some(file.breaks.remove(0)) };
        let mut response = Response::builder()
            .header(header::CONTENT_LENGTH, bytes.len())
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::ACCEPT_RANGES, "bytes")
            .header(header::ETAG, etag);
        if is_partial {
            let range = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
            response = response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, range);
        }
        let body = match breaks {
            Some(after) => SandboxBody::breaking(bytes.slice(..after.min(bytes.len()))),
            None => SandboxBody::from(bytes),
        };
        response.body(body).unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// Ranges that were asked of all files.
    pub(crate) fn asked(&self) -> Value {
        json!({ "ranges": self.files.values().flat_map(|file| &file.asked).collect::<Vec<_>>() })
    }
}

impl Sealed {
    pub(crate) fn new(plain: &[u8], class: Class, rng: &mut impl CryptoRng) -> Self {
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        let (blob, encrypted) = encrypt(&MediaKeys::derive(&MediaKey::from_bytes(key), class.into()), plain);
        Self { blob: blob.into(), key, facts: encrypted.facts }
    }

    /// What a message says of it.
    pub(crate) fn described(self, direct_path: String) -> Described {
        Described {
            direct_path,
            key: hex::encode(self.key),
            sha256: hex::encode(self.facts.sha256),
            enc_sha256: hex::encode(self.facts.enc_sha256),
            length: self.facts.length,
        }
    }
}

impl Opening {
    /// The decrypted file, or why it cannot be had.
    pub(crate) fn open(&self, blob: &[u8]) -> Result<Result<Vec<u8>, wa_media::MediaError>, Problem> {
        let key = MediaKey::from_bytes(array("key", &self.key)?);
        let keys = MediaKeys::derive(&key, self.class.into());
        let (sha256, enc_sha256) = (array("sha256", &self.sha256)?, array("enc_sha256", &self.enc_sha256)?);
        let facts = FileFacts { sha256, enc_sha256, length: self.length };
        Ok(decrypt(&keys, &facts, blob))
    }

    /// What the phone makes of the encrypted file.
    pub(crate) fn opened(&self, blob: &[u8]) -> Result<Value, Problem> {
        Ok(match self.open(blob)? {
            Ok(plain) => json!({ "opened": hex::encode(Sha256::digest(&plain)), "length": plain.len() }),
            Err(error) => json!({ "refused": error.to_string() }),
        })
    }
}

/// The integrator and the storage reference in a path of the profile's form (RO 1.0.3).
pub(crate) fn hosted<'a>(path: &'a str, form: &str) -> Option<(u16, &'a str)> {
    let (before, rest) = form.split_once("{integrator}")?;
    let (between, behind) = rest.split_once("{storage_reference}")?;
    let (integrator, reference) = path.strip_prefix(before)?.strip_suffix(behind)?.split_once(between)?;
    let is_one = !reference.is_empty() && !reference.contains(['/', '?', '#', '%', '.']);
    is_one.then_some((integrator.parse().ok()?, reference))
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

fn pattern(index: usize) -> u8 {
    u8::try_from((7 * index + index / 256) % 256).unwrap_or(0)
}

fn array(name: &str, text: &str) -> Result<[u8; 32], Problem> {
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Problem::bad_body(format!("{name}: expected 32 bytes in hexadecimal")))
}

fn status(status: StatusCode) -> Response<SandboxBody> {
    let mut response = Response::new(SandboxBody::from(Bytes::new()));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(length: usize) -> HostedFile {
        HostedFile { blob: vec![0; length].into(), breaks: Vec::new(), expired: false, asked: Vec::new() }
    }

    #[test]
    fn the_newest_files_are_hosted_by_number_and_by_size() {
        let mut media = MediaFiles::default();
        for number in 0..=MAX_FILES {
            media.insert(number.to_string(), file(1));
        }
        assert_eq!((media.files.len(), media.bytes), (MAX_FILES, MAX_FILES));
        assert!(media.blob("0").is_none() && media.blob("1").is_some());
        media.insert("1".to_owned(), file(3));
        assert_eq!((media.files.len(), media.bytes), (MAX_FILES, MAX_FILES + 2), "one was replaced");
        media.insert("long".to_owned(), file(MAX_BYTES));
        assert_eq!((media.files.len(), media.bytes), (1, MAX_BYTES));
    }

    #[test]
    fn files_that_were_kept_are_as_old_as_they_were() {
        let (mut media, mut again) = (MediaFiles::default(), MediaFiles::default());
        for path in ["b", "a"] {
            media.insert(path.to_owned(), file(1));
        }
        for kept in media.kept() {
            let blob = media.kept_blob(&kept.path).unwrap();
            again.host_kept(kept, blob);
        }
        again.insert("c".to_owned(), file(MAX_BYTES - 1));
        assert!(again.blob("b").is_none() && again.blob("a").is_some(), "the oldest makes room");
    }

    #[test]
    fn ranges_that_are_remembered_are_few_and_short() {
        let mut media = MediaFiles::default();
        media.insert("a".to_owned(), file(1));
        let endless = format!("bytes=0-{}", "9".repeat(1 << 16));
        for range in [&*endless].into_iter().chain(["bytes=0-"; MAX_ASKED + 1]) {
            media.serve("a", &HeaderMap::from_iter([(header::RANGE, range.parse().unwrap())]));
        }
        let asked = media.asked();
        let asked = asked["ranges"].as_array().unwrap();
        assert_eq!((asked.len(), asked.iter().all(|range| range == "bytes=0-")), (MAX_ASKED, true));
    }
}
