//! Why an enlistment has no answer, and whose fault that is.

use http::StatusCode;
use thiserror::Error;
use wa_http::HttpError;

/// An enlistment without an answer. A refusal is an answer, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EnlistError {
    /// The signed prekey's identifier does not fit three bytes; the caller's fault.
    #[error("signed prekey id {id} does not fit 3 bytes")]
    PrekeyId {
        /// The identifier that does not fit.
        id: u32,
    },
    /// The integrator's number is not one of 1 to 999; the caller's fault.
    #[error("integrator id {id} is outside 1 to 999")]
    IntegratorId {
        /// The number that does not fit.
        id: u16,
    },
    /// The user identifier is empty or has too many characters; the caller's fault.
    #[error("the user identifier does not have 1 to {max} characters")]
    UserIdentifierLength {
        /// How many it may have.
        max: usize,
    },
    /// The token is empty or too long; the caller's fault.
    #[error("the token has {bytes} bytes, which is outside 1 to {max}")]
    TokenLength {
        /// How many bytes it has.
        bytes: usize,
        /// How many it may have.
        max: usize,
    },
    /// The token has a character that no JWT has; the caller's fault.
    #[error("byte {offset} of the token cannot be in a jwt")]
    TokenCharacter {
        /// Which byte, from 0.
        offset: usize,
    },
    /// The profile sends integrator and user identifier, and the request has none; the caller's fault.
    #[error("this profile needs an integrator id and a user identifier")]
    IdentityMissing,
    /// The profile's URL is not a URL; the caller's fault.
    #[error("the profile's enlistment url is not a url")]
    Url,
    /// There was no whole HTTP response; mostly the world's fault, see [`HttpError::fault`].
    #[error("no response: {0}")]
    Http(#[from] HttpError),
    /// The server failed (HTTP 5xx) and said nothing else; the peer's fault.
    #[error("the server failed with http status {status}")]
    ServerFailed {
        /// The HTTP status.
        status: StatusCode,
    },
    /// The answer is not one; the peer's fault.
    #[error("http status {status}, and {error}")]
    Answer {
        /// The HTTP status, which never decides anything when the body is an answer.
        status: StatusCode,
        /// What is wrong with the body.
        error: AnswerError,
    },
}

/// What is wrong with the body of an answer; the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// It is longer than any answer.
    #[error("the answer is longer than {limit} bytes")]
    TooLarge {
        /// How many bytes it may have.
        limit: usize,
    },
    /// It is not JSON.
    #[error("the answer is not json at byte {offset}")]
    NotJson {
        /// How many bytes were read when that showed.
        offset: usize,
    },
    /// It is JSON, but not an object whose known members are strings and there once.
    #[error("the answer has another shape at byte {offset}")]
    Shape {
        /// How many bytes were read when that showed.
        offset: usize,
    },
    /// A member that must be there is not.
    #[error("the answer has no {member}")]
    Missing {
        /// The member's name.
        member: &'static str,
    },
    /// The status is neither `ok` nor `fail`.
    #[error("the answer's status is neither ok nor fail")]
    Status,
    /// The login is not an interop JID.
    #[error("the answer's login is not an interop jid")]
    Login,
    /// The reason is empty, too long, or not of letters, digits, `_`, `-` and `.`.
    #[error("the answer's reason is not a reason")]
    Reason,
}

impl EnlistError {
    /// Whether the same request may be sent again: it never arrived, or the server failed without deciding.
    ///
    /// A timeout is not retryable here: the request may have been carried out.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Http(error) => error.is_connect(),
            Self::ServerFailed { .. } => true,
            _ => false,
        }
    }
}
