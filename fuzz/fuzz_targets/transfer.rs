//! Heads of answers to downloads and uploads: nothing is taken but the file that was asked for, from where it stopped, and
//! a reference that can stand in a path (wa-media).
#![no_main]

use http::header::{self, HeaderName};
use http::response::Parts;
use http::{HeaderValue, Response, StatusCode};
use libfuzzer_sys::fuzz_target;
use wa_media::{Download, Upload};

fuzz_target!(|input: (u16, u64, u64, &[u8])| {
    let (status, length, have, lines) = input;
    let Some(head) = head(status, lines) else { return };
    let mut download =
        Download::new("https://mmg.whatsapp.net/v/t".parse().expect("a uri"), length).with_bytes(have);
    let before = download.bytes();
    assert!(before <= length);
    match download.handle_head(&head) {
        Ok(arrival) => {
            assert_eq!(arrival.offset, download.bytes());
            match head.status {
                StatusCode::OK => assert_eq!(arrival.offset, 0),
                StatusCode::PARTIAL_CONTENT => assert!(arrival.offset == before && before > 0),
                other => unreachable!("{other} is no answer"),
            }
            arrives(&mut download, length);
        }
        // Refused: it goes on from where it was, or from the start.
        Err(_) => assert!([0, before].contains(&download.bytes())),
    }
    asks_for_the_rest(&download);
    if let Ok(reference) = Upload::storage_reference(&head) {
        assert_eq!(head.status, StatusCode::CREATED);
        assert!((1..=256).contains(&reference.len()));
        assert!(reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    }
});

/// No more than the file has.
fn arrives(download: &mut Download, length: u64) {
    let have = download.bytes();
    if length < u64::MAX {
        download.handle_bytes(usize::MAX).expect_err("more than any file");
        assert_eq!(download.bytes(), have, "a refusal changes nothing");
    }
    download.handle_bytes((length - have).min(1 << 20) as usize).expect("the rest");
    assert!(download.bytes() <= length && download.is_complete() == (download.bytes() == length));
}

fn asks_for_the_rest(download: &Download) {
    let request = download.request();
    let range = request.headers().get(header::RANGE).and_then(|range| range.to_str().ok());
    let expected = (download.bytes() > 0).then(|| format!("bytes={}-", download.bytes()));
    assert_eq!(range, expected.as_deref());
    assert!(range.is_some() || !request.headers().contains_key(header::IF_RANGE));
}

/// Lines of a number for the name and the value.
fn head(status: u16, lines: &[u8]) -> Option<Parts> {
    let mut head = Response::builder().status(status % 900 + 100);
    for line in lines.split(|byte| *byte == b'\n').take(16) {
        let (name, value) = line.split_first()?;
        head = head.header(&NAMES[usize::from(*name) % NAMES.len()], HeaderValue::from_bytes(value).ok()?);
    }
    Some(head.body(()).ok()?.into_parts().0)
}

const NAMES: [HeaderName; 5] =
    [header::CONTENT_RANGE, header::CONTENT_LENGTH, header::ETAG, header::LOCATION, header::CONTENT_TYPE];
