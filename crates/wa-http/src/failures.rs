//! What hyper and what lies below it report, in this crate's words.

use std::error::Error;
use std::io;

use crate::HttpError;
use crate::addresses::NotPublic;
use crate::connecting::ConnectTimedOut;
use crate::error::Unresolved;

impl HttpError {
    /// What hyper's pooled client reports.
    pub(crate) fn from_client(error: &hyper_util::client::legacy::Error) -> Self {
        if error.is_connect() { from_connecting(error) } else { from_exchange(error) }
    }

    /// What reading a body reports.
    pub(crate) fn from_body(error: &hyper::Error) -> Self {
        from_exchange(error)
    }
}

fn from_connecting(error: &(dyn Error + 'static)) -> HttpError {
    if find::<ConnectTimedOut>(error).is_some() {
        return HttpError::ConnectTimeout;
    }
    if find::<NotPublic>(error).is_some() {
        return HttpError::Address;
    }
    if let Some(reason) = find::<Unresolved>(error) {
        return HttpError::Resolve { reason: *reason };
    }
    match find::<rustls::Error>(error) {
        Some(rustls::Error::InvalidCertificate(_)) => return HttpError::Certificate,
        Some(_) => return HttpError::Tls,
        None => {}
    }
    let kind = find::<io::Error>(error).map_or(io::ErrorKind::Other, io::Error::kind);
    HttpError::Connect { kind }
}

fn from_exchange(error: &(dyn Error + 'static)) -> HttpError {
    let unparsed = find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse);
    // How hyper reports a malformed chunk.
    let undecoded = find::<io::Error>(error).is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
    });
    if unparsed || undecoded { HttpError::Malformed } else { HttpError::Interrupted }
}

/// The first error of this kind in the chain of causes, looking inside `io::Error` as well.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    const CAUSES_MAX: usize = 16;
    let mut cause = Some(error);
    for _ in 0..CAUSES_MAX {
        let current = cause?;
        if let Some(found) = current.downcast_ref() {
            return Some(found);
        }
        let inside = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match inside {
            Some(inside) => Some(inside),
            None => current.source(),
        };
    }
    None
}
