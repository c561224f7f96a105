//! A range lies within its file, in requests and in answers (wa-integrator, wa-media).
#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use wa_integrator::ByteRange;
use wa_media::ContentRange;

fuzz_target!(|input: (&[u8], u64)| {
    let (bytes, size) = input;
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(range) = ContentRange::parse(text)
    {
        assert!(range.first <= range.last && range.size.is_none_or(|size| range.last < size));
    }
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(http::header::RANGE, value);
    if let ByteRange::Part(start, end) = ByteRange::of(&headers, size, "\"tag\"") {
        assert!(start < end && end <= size);
    }
});
