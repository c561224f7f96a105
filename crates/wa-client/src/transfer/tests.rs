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
        key: ContentKey::from_bytes([7; 32]),
        sha256: [1; 32],
        enc_sha256: [2; 32],
        length,
        mime: "text/plain".to_owned(),
    }
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
    let fetched = transfer.fetch(MediaKind::Document, &file(1000), &target, &watch::Sender::new(0)).await;
    assert_eq!(fetched, Err(MediaTransferError::Http(HttpError::Interrupted)));
    assert_eq!(transfer.http.0.load(Ordering::Relaxed), 5);
    assert!(!target.exists());
}

#[tokio::test]
async fn a_file_beyond_the_limit_is_not_asked_for() {
    let transfer = transfer().with_limit(999);
    let fetched =
        transfer.fetch(MediaKind::Document, &file(1000), Path::new("none"), &watch::Sender::new(0)).await;
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
    let server = MediaServer {
        base_url: "https://integrator.example".to_owned(),
        credential: "credential".to_owned(),
        integrator: "1".to_owned(),
    };
    let (transfer, progress) = (transfer(), watch::Sender::new(0));
    let send = || transfer.send(MediaKind::Document, &source, "image/jpeg", &server, &progress);
    let (first, second) = tokio::join!(send(), send());
    assert!(first.is_err() && second.is_err(), "the host answers nothing of use");
    assert_eq!(std::fs::read(&theirs).unwrap(), b"another file of the user's");
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        2,
        "nothing of the encrypted files stays"
    );
}
