//! Answering `GET {base}/{storage_reference}`: whole or a range, and nothing about what is not there (RO 1.0.3).

use std::ops::Range;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::BodyExt as _;

use super::downloads::Busy;
use super::host::{Hosting, client};
use crate::media::{ByteRange, StorageReference};
use crate::value::StoreError;
use crate::value::answers::{IntegratorBody, empty, insert, is_known, retry_later, unavailable};

/// How long somebody who asked for too much that is not there is told to wait, in seconds.
const TOO_OFTEN_SECONDS: u64 = 60;

/// The answer to a fetch.
pub(super) async fn answer(
    hosting: &Hosting,
    reference: &StorageReference,
    request: &Parts,
) -> Response<IntegratorBody> {
    match found(hosting, reference, request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "hosted media cannot be served");
            unavailable().map(IntegratorBody::Left)
        }
    }
}

async fn found(
    hosting: &Hosting,
    reference: &StorageReference,
    request: &Parts,
) -> Result<Response<IntegratorBody>, StoreError> {
    let address = client(request);
    let asking = hosting.index.hosted(reference.id(), hosting.clock.now());
    let hosted = match hosting.downloads.lookup(address, asking).await {
        Ok(hosted) => hosted?,
        Err(busy) => return Ok(later(&busy)),
    };
    let Some(hosted) = hosted else {
        hosting.downloads.missed(address);
        return Ok(empty(StatusCode::NOT_FOUND).map(IntegratorBody::Left));
    };
    let etag = format!("\"{}\"", hex::encode(hosted.digest));
    if is_known(&request.headers, &etag) {
        return Ok(described(StatusCode::NOT_MODIFIED, &etag));
    }
    let asked = match request.method {
        Method::HEAD => ByteRange::Whole,
        _ => ByteRange::of(&request.headers, hosted.length, &etag),
    };
    let (status, start, end) = match asked {
        ByteRange::Whole => (StatusCode::OK, 0, hosted.length),
        ByteRange::Part(start, end) => (StatusCode::PARTIAL_CONTENT, start, end),
        ByteRange::Nothing => {
            let mut response = described(StatusCode::RANGE_NOT_SATISFIABLE, &etag);
            insert(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{}", hosted.length));
            return Ok(response);
        }
    };
    let Some(download) = hosting.downloads.begin(address) else {
        return Ok(unavailable().map(IntegratorBody::Left));
    };
    // For HEAD as well: what it promises must be there.
    let body = hosting.blobs.open(reference.id(), start, end).await?;
    let mut response = described(status, &etag);
    describe_part(response.headers_mut(), start..end, (status == StatusCode::PARTIAL_CONTENT, hosted.length));
    if request.method != Method::HEAD {
        *response.body_mut() = IntegratorBody::Right(body.counted(download).boxed_unsync());
    }
    Ok(response)
}

/// What is answered while others ask, or where one asks too often.
fn later(busy: &Busy) -> Response<IntegratorBody> {
    let answer = match busy {
        Busy::Full => unavailable(),
        Busy::TooOften => retry_later(StatusCode::TOO_MANY_REQUESTS, TOO_OFTEN_SECONDS),
    };
    answer.map(IntegratorBody::Left)
}

/// The headers of a file's bytes, which may be a part of so many.
fn describe_part(headers: &mut HeaderMap, Range { start, end }: Range<u64>, (is_part, length): (bool, u64)) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
    if is_part {
        insert(headers, header::CONTENT_RANGE, &format!("bytes {start}-{}/{length}", end - 1));
    }
}

/// What every answer about a hosted file says: bytes, no page; the same for as long as it is there.
fn described(status: StatusCode, etag: &str) -> Response<IntegratorBody> {
    let mut response = empty(status).map(IntegratorBody::Left);
    let headers = response.headers_mut();
    insert(headers, header::ETAG, etag);
    for (name, value) in [
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, "private, no-transform"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
