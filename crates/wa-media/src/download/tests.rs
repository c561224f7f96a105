//! Answers of a media host, and where a download goes on after them.

use http::Response;

use super::*;

fn download() -> Download {
    Download::new(Uri::from_static("https://mmg.whatsapp.net/v/tx?y"), 1000)
}

fn head(status: u16, headers: &[(&str, &str)]) -> Parts {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

fn header_of(download: &Download, name: &str) -> Option<String> {
    download.request().headers().get(name).map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let mut download = download();
    assert_eq!(download.request().uri(), "https://mmg.whatsapp.net/v/tx?y");
    assert_eq!(header_of(&download, "range"), None);
    let whole = head(200, &[("content-length", "1000"), ("etag", "\"a\"")]);
    assert_eq!(download.handle_head(&whole), Ok(Arrival { offset: 0 }));
    download.handle_bytes(400).unwrap();
    assert!(!download.is_complete());

    assert_eq!(header_of(&download, "range").unwrap(), "bytes=400-");
    assert_eq!(header_of(&download, "if-range").unwrap(), "\"a\"");
    let part = head(206, &[("content-range", "bytes 400-999/1000"), ("content-length", "600")]);
    assert_eq!(download.handle_head(&part), Ok(Arrival { offset: 400 }));
    download.handle_bytes(600).unwrap();
    assert!(download.is_complete());
    let refused = TransferError::Length { expected: 1000, found: 1001 };
    assert_eq!(download.handle_bytes(1), Err(refused));
}

#[test]
fn another_version_of_the_file_begins_anew() {
    let mut download = download().with_bytes(400);
    assert_eq!(header_of(&download, "range").unwrap(), "bytes=400-");
    assert_eq!(header_of(&download, "if-range"), None, "nothing is known of it but its bytes");
    assert_eq!(download.handle_head(&head(200, &[("etag", "W/\"b\"")])), Ok(Arrival { offset: 0 }));
    download.handle_bytes(1).unwrap();
    assert_eq!((download.bytes(), header_of(&download, "if-range")), (1, None), "a weak tag is none");
}

#[test]
fn a_range_that_cannot_be_had_begins_anew() {
    let mut download = download().with_bytes(1000);
    let refused = TransferError::Unavailable { status: 416 };
    assert_eq!(download.handle_head(&head(416, &[])), Err(refused));
    assert!(refused.is_temporary());
    assert_eq!(header_of(&download, "range"), None);
    assert_eq!(download.handle_head(&head(416, &[])), Err(TransferError::Refused { status: 416 }));
}

#[test]
fn more_than_the_file_is_no_part_of_it() {
    assert_eq!(download().with_bytes(1001).bytes(), 0);
}

#[test]
fn every_status_has_its_error() {
    for (status, error) in [
        (404, TransferError::Expired),
        (410, TransferError::Expired),
        (408, TransferError::Unavailable { status: 408 }),
        (429, TransferError::Unavailable { status: 429 }),
        (503, TransferError::Unavailable { status: 503 }),
        (301, TransferError::Refused { status: 301 }),
        (403, TransferError::Refused { status: 403 }),
        (204, TransferError::Refused { status: 204 }),
    ] {
        assert_eq!(download().handle_head(&head(status, &[])), Err(error));
    }
}

#[test]
fn another_length_or_range_is_refused_before_its_bytes() {
    let length = |found| Err(TransferError::Length { expected: 1000, found });
    assert_eq!(download().handle_head(&head(200, &[("content-length", "1001")])), length(1001));
    assert_eq!(download().handle_head(&head(200, &[("content-length", "26")])), length(26));
    for (range, error) in [
        ("bytes 400-999/1001", length(1001)),
        ("bytes 400-998/999", length(999)),
        ("bytes 400-1000/*", length(1001)),
        ("bytes 399-999/1000", Err(TransferError::Range)),
        ("bytes 0-999/1000", Err(TransferError::Range)),
        ("bytes 400-1000/1000", Err(TransferError::Range)),
        ("bytes */1000", Err(TransferError::Range)),
    ] {
        let mut download = download().with_bytes(400);
        assert_eq!(download.handle_head(&head(206, &[("content-range", range)])), error, "{range}");
    }
    let mut unasked = download();
    let part = head(206, &[("content-range", "bytes 0-999/1000")]);
    assert_eq!(unasked.handle_head(&part), Err(TransferError::Range));
    assert_eq!(download().with_bytes(4).handle_head(&head(206, &[])), Err(TransferError::Range));
}

#[test]
fn a_part_may_be_shorter_than_asked_for() {
    let mut download = download().with_bytes(400);
    let part = head(206, &[("content-range", "bytes 400-499/1000"), ("content-length", "100")]);
    assert_eq!(download.handle_head(&part), Ok(Arrival { offset: 400 }));
    download.handle_bytes(100).unwrap();
    assert_eq!(header_of(&download, "range").unwrap(), "bytes=500-");
}
