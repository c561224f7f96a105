//! Hosts that answer nothing of use, and messages that promise too much.

use std::sync::atomic::{AtomicU32, Ordering};

use http::{Request, Response};

use super::*;

/// A host that promises a part of the file and sends nothing of it.
#[derive(Default)]
struct Empty(AtomicU32);

impl StreamingClient for Empty {
    async fn stream(&self, request: Request<BodyStream>) -> Result<Response<BodyStream>, HttpError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let answer = match request.method() {
            &http::Method::GET => {
                Response::builder().status(206).header("content-range", "bytes 10-1017/1018")
            }
            _ => Response::builder().status(503),
        };
        answer.body(BodyStream::empty()).map_err(|_| HttpError::Interrupted)
    }
}

fn file(length: u64) -> MediaFile {
    let profile = Profile::reference_offer_1_0_3();
    MediaFile {
        direct_path: format!("{}reference", profile.media.whatsapp_path_prefix),
        key: MediaKey::from_bytes([7; 32]),
        sha256: [1; 32],
        enc_sha256: [2; 32],
        length,
        mime: "text/plain".to_owned(),
    }
}

fn server<T: CredentialSource>(credentials: T) -> MediaServer<T> {
    MediaServer::new("https://integrator.example", "1", credentials)
}

fn transfer() -> MediaTransfer<Empty> {
    MediaTransfer::new(Empty::default(), &Profile::reference_offer_1_0_3())
}

#[tokio::test(start_paused = true)]
async fn parts_without_a_byte_end_after_a_few_attempts() {
    let directory = tempfile::tempdir().unwrap();
    let transfer = transfer();
    let target = directory.path().join("file");
    // Ten bytes have come before.
    std::fs::write(directory.path().join("file.02020202.encrypted"), [0; 10]).unwrap();
    let fetched = transfer.fetch(MediaKind::Document, &file(1000), &target, |_| {}).await;
    assert_eq!(fetched, Err(MediaTransferError::Http(HttpError::Interrupted)));
    assert_eq!(transfer.http.0.load(Ordering::Relaxed), 5);
    assert!(!target.exists());
}

/// A host that gives every request the same answer, without a body.
struct Always(u16);

impl StreamingClient for Always {
    async fn stream(&self, _: Request<BodyStream>) -> Result<Response<BodyStream>, HttpError> {
        let answer = Response::builder().status(self.0).body(BodyStream::empty());
        answer.map_err(|_| HttpError::Interrupted)
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_come_is_kept_from_a_host_that_is_busy_and_not_from_one_that_has_it_no_longer() {
    let directory = tempfile::tempdir().unwrap();
    let blob = directory.path().join("file.02020202.encrypted");
    for (status, is_kept) in [(503, true), (429, true), (404, false), (403, false)] {
        std::fs::write(&blob, [0; 10]).unwrap();
        let transfer = MediaTransfer::new(Always(status), &Profile::reference_offer_1_0_3());
        let target = directory.path().join("file");
        let fetched = transfer.fetch(MediaKind::Document, &file(1000), &target, |_| {}).await;
        assert!(matches!(fetched, Err(MediaTransferError::Transfer(_))), "{status}: {fetched:?}");
        assert_eq!(blob.exists(), is_kept, "{status}");
    }
}

#[tokio::test]
async fn a_file_beyond_the_limit_is_not_asked_for() {
    let transfer = transfer().with_limit(999);
    let fetched = transfer.fetch(MediaKind::Document, &file(1000), Path::new("none"), |_| {}).await;
    assert_eq!(fetched, Err(MediaTransferError::TooLong { length: 1000, limit: 999 }));
    assert_eq!(transfer.http.0.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn an_encrypted_file_on_its_way_takes_nobodys_place() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("photo");
    let theirs = directory.path().join("photo.sending");
    std::fs::write(&source, b"a photo").unwrap();
    std::fs::write(&theirs, b"another file of the user's").unwrap();
    let server = server(|| async { Ok("credential".to_owned()) });
    let transfer = transfer().with_directory(directory.path());
    let send = || transfer.send(Outgoing::path(MediaKind::Document, "image/jpeg", &source), &server, |_| {});
    let (first, second) = tokio::join!(send(), send());
    assert!(first.is_err() && second.is_err(), "the host answers nothing of use");
    assert_eq!(std::fs::read(&theirs).unwrap(), b"another file of the user's");
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        2,
        "nothing of the encrypted files stays"
    );
}

/// A server whose credentials live for one request.
#[derive(Default)]
struct Strict(AtomicU32);

impl StreamingClient for Strict {
    async fn stream(&self, request: Request<BodyStream>) -> Result<Response<BodyStream>, HttpError> {
        let shown = request.headers().get("authorization").unwrap().to_str().unwrap().to_owned();
        // The first two requests are answered too late for their credentials.
        let asked = self.0.fetch_add(1, Ordering::Relaxed);
        let answer = match asked {
            0 => Response::builder().status(503),
            1 => Response::builder().status(401),
            _ if shown == format!("Bearer {asked}") => {
                Response::builder().status(201).header("location", "/media/reference")
            }
            _ => Response::builder().status(401),
        };
        answer.body(BodyStream::empty()).map_err(|_| HttpError::Interrupted)
    }
}

#[tokio::test(start_paused = true)]
async fn each_request_shows_a_credential_of_its_own() {
    let asked = AtomicU32::new(0);
    let server = server(|| {
        let credential = asked.fetch_add(1, Ordering::Relaxed).to_string();
        async move { Ok(credential) }
    });
    let transfer = MediaTransfer::new(Strict::default(), &Profile::reference_offer_1_0_3());
    let file = Outgoing::bytes(MediaKind::Document, "text/plain", &b"some bytes"[..]);
    let sent = transfer.send(file, &server, |_| {}).await.unwrap();
    assert!(sent.file.direct_path.contains("reference"), "{}", sent.file.direct_path);
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn who_is_never_recognised_is_told_and_who_has_nothing_to_show_sends_nothing() {
    let send = async |credentials: fn() -> std::future::Ready<Result<String, NoToken>>| {
        let transfer = MediaTransfer::new(Strict(AtomicU32::new(9)), &Profile::reference_offer_1_0_3());
        let file = Outgoing::bytes(MediaKind::Document, "text/plain", &b"some bytes"[..]);
        let sent = transfer.send(file, &server(credentials), |_| {}).await;
        (sent, transfer.http.0.load(Ordering::Relaxed) - 9)
    };
    let refused = MediaTransferError::Transfer(wa_media::TransferError::Refused { status: 401 });
    assert_eq!(send(|| std::future::ready(Ok("old".to_owned()))).await, (Err(refused), 2));
    let never = MediaTransferError::Credential(NoToken::Never);
    assert_eq!(send(|| std::future::ready(Err(NoToken::Never))).await, (Err(never), 0));
    let later = MediaTransferError::Credential(NoToken::Later);
    assert_eq!(send(|| std::future::ready(Err(NoToken::Later))).await, (Err(later), 0));
}
