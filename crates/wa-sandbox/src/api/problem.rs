//! What is wrong with a request of the control interface (RFC 9457).

use serde_json::{Value, json};

/// Problem details (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// Names the kind of problem; `urn:wa-sandbox:` stands before it in the JSON.
    pub kind: &'static str,
    /// What is wrong this time.
    pub detail: String,
    /// The methods that there are, where another one was used.
    pub allow: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: u16, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), allow: None }
    }

    pub(crate) fn bad_request(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(400, kind, detail)
    }

    pub(crate) fn bad_body(detail: impl Into<String>) -> Self {
        Self::bad_request("bad-body", detail)
    }

    pub(crate) fn not_found(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(404, kind, detail)
    }

    pub(crate) fn conflict(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(409, kind, detail)
    }

    pub(crate) fn no_route(method: &str, path: &str, methods: &[&str]) -> Self {
        if methods.is_empty() {
            let detail = format!("there is no /v1/{path}; GET /v1/openapi.yaml says what there is");
            return Self::not_found("no-such-path", detail);
        }
        let allow = methods.join(", ");
        let detail = format!("/v1/{path} has no {method}, but {allow}");
        Self { allow: Some(allow), ..Self::new(405, "method-not-allowed", detail) }
    }

    /// `application/problem+json`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let title = match self.status {
            400 => "the request is malformed",
            401 => "a token is required",
            403 => "the request is not allowed from there",
            404 => "there is no such thing",
            405 => "the method is not allowed",
            409 => "it is not possible now",
            413 => "the body is too long",
            _ => "something is wrong",
        };
        let kind = format!("urn:wa-sandbox:{}", self.kind);
        json!({ "type": kind, "title": title, "status": self.status, "detail": self.detail })
    }
}
