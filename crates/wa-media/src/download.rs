//! Fetching an encrypted file, again and again until it is whole (overview §4.1.1; RFC 9110 §14).

use http::response::Parts;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};

use crate::{ContentRange, TransferError};

/// One file to fetch, over as many requests as it takes. The bytes themselves go by: the caller writes them where
/// [`Arrival`] says.
#[derive(Clone, Debug)]
pub struct Download {
    uri: Uri,
    /// What the message's length makes of it.
    expected: u64,
    /// How many bytes are there.
    have: u64,
    validator: Option<HeaderValue>,
}

/// Where an answer's bytes belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Arrival {
    /// Their place in the file; what was there from here on is not part of it.
    pub offset: u64,
}

impl Download {
    /// The file at `uri`, whose encryption has `blob_length` bytes (see
    /// [`FileFacts::blob_length`](crate::FileFacts::blob_length)).
    #[must_use]
    pub const fn new(uri: Uri, blob_length: u64) -> Self {
        Self { uri, expected: blob_length, have: 0, validator: None }
    }

    /// This download, of which the first `have` bytes are there from another time. What they are worth is known in
    /// the end, by the hash.
    #[must_use]
    pub fn with_bytes(mut self, have: u64) -> Self {
        self.have = if have > self.expected { 0 } else { have };
        self
    }

    /// The next request: the whole file, or the range that is missing, if the file is still the same.
    #[must_use]
    pub fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        // The bytes as they are: a range of a compressed file is not a range of the file.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if self.have > 0 {
            if let Ok(range) = HeaderValue::from_str(&format!("bytes={}-", self.have)) {
                headers.insert(header::RANGE, range);
            }
            if let Some(validator) = &self.validator {
                headers.insert(header::IF_RANGE, validator.clone());
            }
        }
        request
    }

    /// Takes the head of the answer, and says where its body's bytes belong.
    ///
    /// # Errors
    /// [`TransferError::Expired`], [`TransferError::Unavailable`] and [`TransferError::Refused`] for what the host
    /// answers; [`TransferError::Length`] and [`TransferError::Range`] before a byte of another file is taken.
    pub fn handle_head(&mut self, head: &Parts) -> Result<Arrival, TransferError> {
        match head.status {
            StatusCode::OK => self.whole(&head.headers),
            StatusCode::PARTIAL_CONTENT => self.part(&head.headers),
            StatusCode::RANGE_NOT_SATISFIABLE if self.have > 0 => {
                self.forget();
                Err(TransferError::Unavailable { status: head.status.as_u16() })
            }
            status => Err(refusal(status)),
        }
    }

    /// Counts bytes of the body, before they are written.
    ///
    /// # Errors
    /// [`TransferError::Length`] as soon as there are too many.
    pub fn handle_bytes(&mut self, count: usize) -> Result<(), TransferError> {
        let (expected, found) = (self.expected, self.have.saturating_add(count as u64));
        if found > expected {
            return Err(TransferError::Length { expected, found });
        }
        self.have = found;
        Ok(())
    }

    /// How many bytes are there.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.have
    }

    /// How many bytes there will be.
    #[must_use]
    pub const fn blob_length(&self) -> u64 {
        self.expected
    }

    /// Whether every byte is there.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.have == self.expected
    }

    fn whole(&mut self, headers: &HeaderMap) -> Result<Arrival, TransferError> {
        self.forget();
        self.check_length(headers, self.expected)?;
        self.validator = strong_etag(headers);
        Ok(Arrival { offset: 0 })
    }

    fn part(&mut self, headers: &HeaderMap) -> Result<Arrival, TransferError> {
        let range = headers.get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
        let range = range.and_then(ContentRange::parse).ok_or(TransferError::Range)?;
        if range.first != self.have || self.have == 0 {
            return Err(TransferError::Range);
        }
        let (expected, found) = (self.expected, range.size.unwrap_or(self.expected).max(range.last + 1));
        if found != expected {
            return Err(TransferError::Length { expected, found });
        }
        self.check_length(headers, range.last + 1 - range.first)?;
        self.validator = strong_etag(headers).or_else(|| self.validator.take());
        Ok(Arrival { offset: self.have })
    }

    fn check_length(&self, headers: &HeaderMap, expected: u64) -> Result<(), TransferError> {
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        match declared.and_then(|length| length.parse::<u64>().ok()) {
            Some(found) if found != expected => Err(TransferError::Length { expected, found }),
            _ => Ok(()),
        }
    }

    fn forget(&mut self) {
        self.have = 0;
        self.validator = None;
    }
}

/// Only a strong one says that bytes are the same (RFC 9110 §13.1.5).
fn strong_etag(headers: &HeaderMap) -> Option<HeaderValue> {
    let etag = headers.get(header::ETAG)?;
    (etag.as_bytes().starts_with(b"\"") && etag.len() <= ETAG_MAX).then(|| etag.clone())
}

const ETAG_MAX: usize = 256;

/// What any other status than success says.
pub(crate) fn refusal(status: StatusCode) -> TransferError {
    match status.as_u16() {
        404 | 410 => TransferError::Expired,
        status @ (408 | 429 | 500..=599) => TransferError::Unavailable { status },
        status => TransferError::Refused { status },
    }
}

#[cfg(test)]
mod tests;
