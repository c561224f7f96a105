//! Answers: without a body to WhatsApp, and with a problem to our own clients (RFC 9457).

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body_util::Full;

use crate::AnswerBody;

/// A refusal that says when to come back.
pub(crate) fn retry_later(status: StatusCode, seconds: u64) -> Response<Full<Bytes>> {
    let mut response = empty(status);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
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

/// A refusal that says to people, and to programs that look, what it is. Other answers, and refusals that say more
/// already, stay as they are.
pub(crate) fn explained(mut response: Response<AnswerBody>, method: &Method) -> Response<AnswerBody> {
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    if !refused || response.headers().contains_key(header::CONTENT_TYPE) || *method == Method::HEAD {
        return response;
    }
    let title = status.canonical_reason().unwrap_or_default();
    let problem = serde_json::json!({"type": "about:blank", "title": title, "status": status.as_u16()});
    *response.body_mut() = AnswerBody::from(Full::new(Bytes::from(problem.to_string())));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
    response
}

/// Whether a request says that its body is longer than this.
pub(crate) fn is_longer(request: &Parts, bytes_max: u64) -> bool {
    let length = request.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > bytes_max)
}

const PROBLEM: &str = "application/problem+json";
