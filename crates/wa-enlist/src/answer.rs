//! The enlistment's answer (overview §1.2.2 "Example Response").

use std::fmt;

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use wa_binary::Jid;

use crate::{AnswerError, EnlistError};

/// What WhatsApp decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnlistAnswer {
    /// The user is enlisted; the client connects to the chat service under this interop JID.
    Login(Jid),
    /// The user is not, and the same request will not change that.
    Refused(Reason),
}

/// Why a user was not enlisted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// `bad_integrator`, the one published reason (overview §1.2.2).
    BadIntegrator,
    /// Another code, as it came: 1 to 64 letters, digits, `_`, `-` and `.`.
    Other(String),
}

impl EnlistAnswer {
    /// Reads an HTTP response. The body alone decides: refusals, too, come with HTTP 200.
    ///
    /// The body is a JSON object of at most 16 KiB; members that are not known are passed over.
    ///
    /// # Errors
    /// [`EnlistError::ServerFailed`] for HTTP 5xx without an answer, [`EnlistError::Answer`] otherwise.
    pub fn from_http(response: &Response<Bytes>) -> Result<Self, EnlistError> {
        let status = response.status();
        read(response.body()).map_err(|error| {
            if status.is_server_error() {
                EnlistError::ServerFailed { status }
            } else {
                EnlistError::Answer { status, error }
            }
        })
    }
}

impl Reason {
    /// The reason with this code.
    fn from_code(code: String) -> Result<Self, AnswerError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if code == BAD_INTEGRATOR {
            return Ok(Self::BadIntegrator);
        }
        if code.is_empty() || code.len() > REASON_BYTES_MAX || !code.bytes().all(plain) {
            return Err(AnswerError::Reason);
        }
        Ok(Self::Other(code))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadIntegrator => f.write_str(BAD_INTEGRATOR),
            Self::Other(code) => f.write_str(code),
        }
    }
}

/// The JSON object's known members.
#[derive(Deserialize)]
struct Members {
    status: Option<String>,
    login: Option<String>,
    reason: Option<String>,
}

const BODY_BYTES_MAX: usize = 16 * 1024;
const REASON_BYTES_MAX: usize = 64;
const BAD_INTEGRATOR: &str = "bad_integrator";

fn read(body: &[u8]) -> Result<EnlistAnswer, AnswerError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(AnswerError::TooLarge { limit: BODY_BYTES_MAX });
    }
    // serde would take an array for a struct.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(AnswerError::Shape { offset: 0 });
    }
    let members: Members = serde_json::from_slice(body).map_err(|error| {
        let offset = offset(body, error.line(), error.column());
        if error.is_data() { AnswerError::Shape { offset } } else { AnswerError::NotJson { offset } }
    })?;
    match members.status.as_deref() {
        Some("ok") => {
            let login = members.login.ok_or(AnswerError::Missing { member: "login" })?;
            let login: Jid = login.parse().map_err(|_| AnswerError::Login)?;
            login.as_interop().ok_or(AnswerError::Login)?;
            Ok(EnlistAnswer::Login(login))
        }
        Some("fail") => {
            let reason = members.reason.ok_or(AnswerError::Missing { member: "reason" })?;
            Reason::from_code(reason).map(EnlistAnswer::Refused)
        }
        Some(_) => Err(AnswerError::Status),
        None => Err(AnswerError::Missing { member: "status" }),
    }
}

/// How many bytes lie before this place, which serde counts in lines and columns.
fn offset(body: &[u8], line: usize, column: usize) -> usize {
    let before: usize =
        body.split_inclusive(|&byte| byte == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    body.len().min(before + column)
}
