//! Files in both directions: fetched from WhatsApp's media host, and from us by WhatsApp's proxy (overview §4.1; RO
//! 1.0.3).

use std::path::Path;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, RANGE};
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wa_interop::chat::{Content, Media, MediaFile, MediaKind};
use wa_interop::http::{HttpLimits, HyperClient, PlainHttp};
use wa_interop::media::{DirectPathError, FileError, MediaError, TransferError};
use wa_interop::{MediaServer, MediaTransfer, MediaTransferError, NoToken, Outgoing};

use crate::checks::Drives::{Client, Own, Server};
use crate::checks::content::{acquainted, at_phone};
use crate::checks::{Check, check};
use crate::prove::Side;
use crate::report::failure::{Failure, ensure, expect};
use crate::target::device::Verb::Fetch;
use crate::target::device::{Command, Happening};
use crate::target::environment::{Environment, INTEGRATOR};
use crate::target::exchange::{Http, get, send};
use crate::target::server::Facility::Upload;
use crate::target::user::User;

pub(super) const CHECKS: &[Check] = &[
    check!("media-receive", 4, Own, "a picture, voice note, video, document and sticker come", receive),
    check!("media-send", 4, Own, "a picture, voice note, video, document and sticker go", sends),
    check!("media-refused", 4, Own, "a flipped byte is refused by the name of its check", refused),
    check!("media-length", 4, Own, "truncated, oversized and empty files", length),
    check!("media-resume", 4, Own, "a broken download goes on where it broke", resume),
    check!("media-expired", 4, Own, "expired media has an error of its own", expired),
    check!("media-path", 4, Own, "a direct path that leads elsewhere is not followed", path),
    check!("media-fetched", 4, Client(&[Fetch]), "a picture of a phone is fetched and opened", picture),
    check!(
        "media-hosted",
        4,
        Server(&[Upload]),
        "a hosted file comes whole, with its length and a type",
        hosted
    ),
    check!(
        "media-range",
        4,
        Server(&[Upload]),
        "a part of a hosted file is that part, or the whole file is given",
        range
    ),
    check!("media-apart", 4, Server(&[Upload]), "each reference gives its own file", apart),
    check!("media-unknown", 4, Server(&[]), "what is not hosted is not found, whatever its path", unknown),
];

/// Kinds, what the sandbox calls their class, and their MIME types.
const KINDS: [(MediaKind, &str, &str, &str); 5] = [
    (MediaKind::Image, "image", "image", "image/jpeg"),
    (MediaKind::Voice, "voice", "audio", "audio/ogg; codecs=opus"),
    (MediaKind::Video, "video", "video", "video/mp4"),
    (MediaKind::Document, "document", "document", "application/pdf"),
    (MediaKind::Sticker, "sticker", "image", "image/webp"),
];

const LENGTH: usize = 300_000;

fn transfer(environment: &Environment) -> Result<MediaTransfer<HyperClient>, Failure> {
    let http = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
    Ok(MediaTransfer::new(http, &environment.profile_of(Side::Client)?))
}

fn plain(length: usize) -> Vec<u8> {
    (0..length).map(|index| ((7 * index + index / 256) % 256).to_le_bytes()).map(|[byte, ..]| byte).collect()
}

/// A phone uploads a file and writes to the user of it; what the user reads.
async fn sent(
    environment: &Environment,
    user: &mut User,
    (kind, class, mime): (&str, &str, &str),
    upload: Value,
) -> Result<(MediaKind, MediaFile), Failure> {
    let file = environment.control("media", with(upload, &[("class", class)])).await?;
    let file = with(file, &[("kind", kind), ("mime", mime)]);
    environment.phone_sends(&user.login, json!({ "media": file })).await?;
    let Content::Media(media) = user.message().await?.1 else { return Err(Failure::new("no media")) };
    Ok((media.kind, media.file))
}

/// An object with more members.
fn with(mut object: Value, members: &[(&str, &str)]) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.extend(members.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    }
    object
}

/// Fetches a file; what it is, or why it is not there.
async fn fetched(
    environment: &Environment,
    directory: &Path,
    kind: MediaKind,
    file: &MediaFile,
) -> Result<Result<Vec<u8>, MediaTransferError>, Failure> {
    let target = directory.join("file");
    let mut counted = 0;
    let done = transfer(environment)?.fetch(kind, file, &target, |bytes| counted = bytes).await;
    let left = std::fs::read_dir(directory)?.count();
    ensure("something is left beside the file", left == usize::from(done.is_ok()))?;
    Ok(match done {
        Ok(()) => {
            let plain = std::fs::read(&target)?;
            ensure("the progress ended elsewhere", counted > plain.len() as u64)?;
            std::fs::remove_file(&target)?;
            Ok(plain)
        }
        Err(error) => Err(error),
    })
}

async fn receive(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "media-receive").await?;
    let directory = tempfile::tempdir()?;
    for (kind, name, class, mime) in KINDS {
        let words = (name, class, mime);
        let (read, file) = sent(environment, &mut user, words, json!({ "length": LENGTH })).await?;
        expect("kind", read, kind)?;
        expect("type", file.mime.as_str(), mime)?;
        let got = fetched(environment, directory.path(), kind, &file).await?;
        ensure(name, got.as_ref() == Ok(&plain(LENGTH)))?;
    }
    Ok(())
}

async fn sends(environment: &Environment) -> Result<(), Failure> {
    let user = acquainted(environment, "media-send").await?;
    let credentials = || async { environment.credential("media-send").map_err(|_| NoToken::Never) };
    let server = MediaServer::new(environment.base(), INTEGRATOR.to_string(), credentials);
    let directory = tempfile::tempdir()?;
    let source = directory.path().join("source");
    std::fs::write(&source, plain(LENGTH))?;
    for (number, (kind, name, class, mime)) in KINDS.into_iter().enumerate() {
        let (file, mut counted) = (Outgoing::path(kind, mime, &source), 0);
        let transfer = transfer(environment)?.with_directory(directory.path());
        let sent = transfer.send(file, &server, |bytes| counted = bytes).await?;
        ensure("the encrypted file is left", std::fs::read_dir(&directory)?.count() == 1)?;
        ensure("the progress ended elsewhere", counted > LENGTH as u64)?;
        let media = Media { sidecar: sent.sidecar, ..Media::new(kind, sent.file) };
        let content = Content::Media(Box::new(media));
        let id = format!("media-send-{number}");
        let (content, _) = at_phone(environment, &user, &id, content).await?;
        let mut shown = content.get("media").cloned().unwrap_or_default();
        expect("kind", shown.get("kind"), Some(&json!(name)))?;
        expect("type", shown.get("mime"), Some(&json!(mime)))?;
        let opening = shown.as_object_mut().ok_or_else(|| Failure::new("no media"))?;
        opening.remove("kind");
        opening.remove("mime");
        opening.remove("about");
        opening.insert("class".to_owned(), json!(class));
        let opened = environment.control("media/open", shown).await?;
        let expected = hex::encode(Sha256::digest(plain(LENGTH)));
        expect("what the phone opened", opened, json!({ "opened": expected, "length": LENGTH }))?;
    }
    Ok(())
}

async fn refused(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "media-refused").await?;
    let directory = tempfile::tempdir()?;
    for (flip, error) in [
        ("blob", MediaError::EncryptedHash),
        ("blob_with_hash", MediaError::Mac),
        ("mac", MediaError::Mac),
        ("key", MediaError::Mac),
        ("enc_sha256", MediaError::EncryptedHash),
        ("sha256", MediaError::Hash),
    ] {
        let upload = json!({ "length": LENGTH, "flip": flip });
        let words = ("image", "image", "image/jpeg");
        let (kind, file) = sent(environment, &mut user, words, upload).await?;
        let got = fetched(environment, directory.path(), kind, &file).await?;
        expect(flip, got.map(|file| file.len()), Err(MediaTransferError::File(FileError::Media(error))))?;
    }
    Ok(())
}

async fn length(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "media-length").await?;
    let directory = tempfile::tempdir()?;
    let words = ("document", "document", "text/plain");
    let (kind, file) = sent(environment, &mut user, words, json!({ "length": 0 })).await?;
    expect("empty", fetched(environment, directory.path(), kind, &file).await?, Ok(Vec::new()))?;
    for longer in [-1_i64, 1] {
        let upload = json!({ "length": 100, "longer": longer });
        let (kind, file) = sent(environment, &mut user, words, upload).await?;
        let got = fetched(environment, directory.path(), kind, &file).await?;
        let found = 122_u64.saturating_add_signed(longer);
        let length = MediaTransferError::Transfer(TransferError::Length { expected: 122, found });
        expect("another length", got.map(|file| file.len()), Err(length))?;
    }
    Ok(())
}

async fn resume(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "media-resume").await?;
    let directory = tempfile::tempdir()?;
    let before = asked(environment).await?.len();
    let words = ("video", "video", "video/mp4");
    let upload = json!({ "length": LENGTH, "breaks": [100_000, 50_000, 0] });
    let (kind, file) = sent(environment, &mut user, words, upload).await?;
    let got = fetched(environment, directory.path(), kind, &file).await?;
    ensure("the file differs", got == Ok(plain(LENGTH)))?;
    let ranges = asked(environment).await?;
    let expected = ["bytes=100000-", "bytes=150000-", "bytes=150000-"].map(|range| json!(range));
    expect("ranges", ranges.get(before..).unwrap_or_default(), &expected)
}

async fn asked(environment: &Environment) -> Result<Vec<Value>, Failure> {
    let asked = environment.observe("media").await?;
    Ok(asked.get("ranges").and_then(Value::as_array).cloned().unwrap_or_default())
}

async fn expired(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "media-expired").await?;
    let directory = tempfile::tempdir()?;
    let words = ("image", "image", "image/jpeg");
    let upload = json!({ "length": 100, "expired": true });
    let (kind, mut file) = sent(environment, &mut user, words, upload).await?;
    let gone = || Err(MediaTransferError::Transfer(TransferError::Expired));
    expect("410", fetched(environment, directory.path(), kind, &file).await?, gone())?;
    file.direct_path = format!("{}62.0000-24/never.enc", environment.profile().media.whatsapp_path_prefix);
    expect("404", fetched(environment, directory.path(), kind, &file).await?, gone())?;
    let absent = format!("{}/{}", environment.base(), "A".repeat(43));
    expect("ours", get(Http::One, &absent).await?.status().as_u16(), 404)
}

async fn picture(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.online("media-fetched").await?;
    let file = environment.control("media", json!({ "class": "image", "length": 5000 })).await?;
    let sent = file.get("sha256").and_then(Value::as_str).map(str::to_owned);
    let file = with(file, &[("kind", "image"), ("mime", "image/jpeg")]);
    environment.phone_sends(&user.login, json!({ "media": file })).await?;
    let id = user.until(|event| match event {
        Happening::Media { id, .. } => Some(id.clone()),
        _ => None,
    });
    let id = id.await?;
    let fetched = user.tell(Command::Fetch { id }).await?.sha256;
    expect("the SHA-256 of the picture", fetched, sent)
}

async fn hosted(environment: &Environment) -> Result<(), Failure> {
    let file = plain(100_000);
    let reference = environment.server.upload("media-hosted", &file).await?;
    let (base, host) = (environment.base(), &environment.sandbox.media);
    let path = environment.profile().media.interop_direct_path;
    let path =
        path.replace("{integrator}", &INTEGRATOR.to_string()).replace("{storage_reference}", &reference);
    let proxied = format!("{host}{path}");
    for url in [format!("{base}/{reference}"), proxied] {
        for http in environment.versions().iter().copied() {
            let answer = get(http, &url).await?;
            expect("status", answer.status().as_u16(), 200)?;
            let field = |name| answer.headers().get(name).and_then(|it: &HeaderValue| it.to_str().ok());
            expect("content length", field(CONTENT_LENGTH), Some(file.len().to_string().as_str()))?;
            ensure("there is no content type", field(CONTENT_TYPE).is_some())?;
            ensure("the file differs", answer.body() == &file)?;
        }
    }
    Ok(())
}

/// A server may leave ranges unread (RFC 9110 §14.2); one that answers with a part answers with that part.
async fn range(environment: &Environment) -> Result<(), Failure> {
    let file = plain(1000);
    let url = format!("{}/{}", environment.base(), environment.server.upload("media-range", &file).await?);
    for (asked, said, part) in [
        ("bytes=10-19", "bytes 10-19/1000", 10..20),
        ("bytes=990-", "bytes 990-999/1000", 990..1000),
        ("bytes=-1", "bytes 999-999/1000", 999..1000),
        ("bytes=0-5000", "bytes 0-999/1000", 0..1000),
    ] {
        let answer = part_of(&url, asked).await?;
        let stated = answer.headers().get(CONTENT_RANGE).and_then(|it| it.to_str().ok());
        let body = match answer.status() {
            StatusCode::PARTIAL_CONTENT => {
                expect(&format!("content range for {asked}"), stated, Some(said))?;
                file.get(part).unwrap_or_default()
            }
            status => {
                expect(&format!("status for {asked}"), status, StatusCode::OK)?;
                &file
            }
        };
        ensure(&format!("{asked} gives other bytes"), answer.body() == body)?;
    }
    let beyond = part_of(&url, "bytes=1000-").await?.status();
    let is_right = [StatusCode::RANGE_NOT_SATISFIABLE, StatusCode::OK].contains(&beyond);
    ensure(&format!("a range behind the end was answered with {beyond}"), is_right)
}

async fn part_of(url: &str, range: &str) -> Result<Response<Bytes>, Failure> {
    send(Http::One, Request::get(url).header(RANGE, range).body(Full::default())?).await
}

async fn apart(environment: &Environment) -> Result<(), Failure> {
    let (one, two) = (plain(700), plain(900));
    let mut references = Vec::new();
    for (user, file) in [("apart-one", &one), ("apart-two", &two)] {
        references.push((environment.server.upload(user, file).await?, file));
    }
    for (reference, file) in references {
        let answer = get(Http::One, &format!("{}/{reference}", environment.base())).await?;
        ensure("another's file came", answer.body() == file)?;
    }
    Ok(())
}

async fn unknown(environment: &Environment) -> Result<(), Failure> {
    let base = environment.base();
    for path in ["A".repeat(43), "..%2f..%2fetc%2fpasswd".to_owned(), "%00".to_owned(), "a/b/c".to_owned()] {
        let status = get(Http::One, &format!("{base}/{path}")).await?.status();
        ensure(&format!("{path} was answered with {status}, not 4xx"), status.is_client_error())?;
    }
    Ok(())
}

async fn path(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "media-path").await?;
    let directory = tempfile::tempdir()?;
    let words = ("image", "image", "image/jpeg");
    let (kind, mut file) = sent(environment, &mut user, words, json!({ "length": 100 })).await?;
    let prefix = environment.profile().media.whatsapp_path_prefix;
    for (path, error) in [
        (format!("@evil.example{prefix}"), DirectPathError::Prefix),
        (format!("{prefix}/../../control/pushes"), DirectPathError::Segment),
        (format!("{prefix}\\.."), DirectPathError::Character { offset: prefix.len() }),
    ] {
        path.clone_into(&mut file.direct_path);
        let got = fetched(environment, directory.path(), kind, &file).await?;
        expect(&path, got.map(|file| file.len()), Err(MediaTransferError::Path(error)))?;
    }
    Ok(())
}
