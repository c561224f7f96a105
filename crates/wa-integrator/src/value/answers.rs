//! Answers and bodies: an answer has no body for WhatsApp, and a problem for our own clients (RFC 9457).

use std::convert::Infallible;

use bytes::Bytes;
use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{Either, Full};
use thiserror::Error;

/// The body of every answer of the server: whole, or streamed from where files are hosted.
pub type IntegratorBody = Either<Full<Bytes>, UnsyncBoxBody<Bytes, BodyError>>;

/// A hosted file could not be read to its end: the answer breaks off, and its peer knows that it is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the hosted file cannot be read")]
pub struct BodyError;

/// A request's body, of whatever kind the service got it.
pub(crate) type RequestBody = UnsyncBoxBody<Bytes, BodyBroken>;

/// The body ended with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the body broke off")]
pub(crate) struct BodyBroken;

/// The pause that a refusal asks for which may be over in a moment.
pub(crate) const RETRY_SECONDS: u64 = 1;
pub(crate) const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// A body of a kind that cannot fail, boxed.
impl From<Infallible> for BodyBroken {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A refusal that says when to come back.
pub(crate) fn retry_later(status: StatusCode, seconds: u64) -> Response<Full<Bytes>> {
    let mut response = empty(status);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// 503, for what may work again in a moment.
pub(crate) fn unavailable() -> Response<Full<Bytes>> {
    retry_later(StatusCode::SERVICE_UNAVAILABLE, RETRY_SECONDS)
}

/// The answer to another method.
pub(crate) fn not_allowed(allow: &'static str) -> Response<Full<Bytes>> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// 200 with a JSON document.
pub(crate) fn json(document: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(document.to_string())));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

/// A refusal that asks for a credential (RFC 6750 §3).
pub(crate) fn challenged(status: StatusCode, challenge: &'static str) -> Response<Full<Bytes>> {
    let mut response = empty(status);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

/// A refusal that says to people, and to programs that look, what it is. Other answers, and refusals that say more
/// already, stay as they are.
pub(crate) fn explained(mut response: Response<IntegratorBody>, method: &Method) -> Response<IntegratorBody> {
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    if !refused || response.headers().contains_key(header::CONTENT_TYPE) || *method == Method::HEAD {
        return response;
    }
    let title = status.canonical_reason().unwrap_or_default();
    let problem = serde_json::json!({"type": "about:blank", "title": title, "status": status.as_u16()});
    *response.body_mut() = IntegratorBody::Left(Full::new(Bytes::from(problem.to_string())));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
    response
}

/// Whether a request says that its body is longer than this.
pub(crate) fn is_longer(request: &Parts, bytes_max: u64) -> bool {
    let length = request.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > bytes_max)
}

/// Whether the client has the document with this entity tag already: it names the tag, or any (`*`), by weak comparison
/// (RFC 9110 §13.1.2).
pub(crate) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let tags = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let mut tags = tags.flat_map(|tags| tags.split(',')).map(|tag| tag.trim_matches([' ', '\t']));
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Sets a header to a text that we made.
pub(crate) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_tag_is_known() {
        for (tags, known) in [
            (&["\"tag\""][..], true),
            (&["W/\"tag\""], true),
            (&["\"a\", \"tag\""], true),
            (&["\"a\"", "\"tag\""], true),
            (&["\"x\",W/\"tag\" ,"], true),
            (&["*"], true),
            (&["\"a\""], false),
            (&["\"TAG\""], false),
            (&["tag"], false),
            (&[""], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for tag in tags {
                headers.append(header::IF_NONE_MATCH, tag.parse().unwrap());
            }
            assert_eq!(is_known(&headers, "\"tag\""), known, "{tags:?}");
        }
    }
}
