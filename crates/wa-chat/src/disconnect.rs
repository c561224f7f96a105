//! Why a chat channel ended, and whether another attempt makes sense (overview §2; observed codes).

use wa_binary::UnpackError;
use wa_noise::{FrameError, HandshakeError, TransportError};
use wa_profile::Failures;
use wa_stanza::{Conflict, Failure, FailureReason, StreamCondition, StreamError};

/// Why a channel ended; every end has exactly one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The handshake failed; with [`HandshakeError::Certificate`] the server is not who it must be
    /// ([`is_impostor`](Self::is_impostor)).
    #[error("handshake failed: {0}")]
    Handshake(#[from] HandshakeError),
    /// The server refused the login.
    #[error("login refused: {0}")]
    Refused(Refusal),
    /// Another connection of the same account took over.
    #[error("replaced by another connection of this account")]
    Replaced,
    /// The account's device was removed: it is logged out for good. Enlist again.
    #[error("logged out by the server")]
    LoggedOut,
    /// The server takes no connections at this address now, and says so before the handshake: connect again, to another of
    /// its addresses if there is one.
    #[error("server asks to connect elsewhere")]
    GoAway,
    /// The server ended the stream, with this code if it gave one.
    #[error("stream ended by the server{}", coded(*.0))]
    StreamError(Option<u16>),
    /// The server's bytes are no frames. The stream cannot be trusted any more.
    #[error("broken frame: {0}")]
    Frame(FrameError),
    /// A frame did not authenticate, or the channel has carried as many as it may.
    #[error("transport failed: {0}")]
    Transport(#[from] TransportError),
    /// A frame's flag byte or compression is wrong.
    #[error("broken frame body: {0}")]
    Unpack(#[from] UnpackError),
    /// Too many authentic frames were no stanzas.
    #[error("too many malformed stanzas")]
    Malformed,
    /// The server did not answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The connection ended.
    #[error("connection lost")]
    Lost,
    /// The caller closed it.
    #[error("closed by the caller")]
    Closed,
}

/// Why the server refused a login.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The token, or the static key that came with it: try once with a fresh token.
    #[error("token or key not accepted")]
    Token,
    /// The account is gone, for instance after 30 days without a connection: enlist again (overview §5).
    #[error("not enlisted any more")]
    NotEnlisted,
    /// The stated protocol version is too old (overview §6.3).
    #[error("protocol version too old")]
    VersionTooOld {
        /// Until when it is refused, in Unix seconds, if the server says so.
        until: Option<u64>,
    },
    /// The account is banned: for a time, or for good.
    #[error("account banned{}{}", lasting(*.seconds), coded(*.code))]
    Banned {
        /// The server's finer reason.
        code: Option<u32>,
        /// For how long from now; none if it does not say, or for good.
        seconds: Option<u64>,
    },
    /// The account is locked.
    #[error("account locked{}", .violation.as_ref().map(|word| format!(" for {word:?}")).unwrap_or_default())]
    Locked {
        /// What was violated, in the server's word.
        violation: Option<String>,
    },
    /// Another reason, by its code.
    #[error("reason {0}")]
    Other(u16),
}

/// A code behind an error's words, if there is one.
fn coded(code: Option<impl std::fmt::Display>) -> String {
    code.map(|code| format!(" (code {code})")).unwrap_or_default()
}

fn lasting(seconds: Option<u64>) -> String {
    seconds.map(|seconds| format!(" for {seconds} seconds")).unwrap_or_default()
}

impl DisconnectReason {
    /// Whether connecting again cannot help until somebody changes something.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Refused(Refusal::Other(code)) => FailureReason::from(*code).is_final(),
            Self::Refused(_) | Self::Replaced | Self::LoggedOut | Self::Closed => true,
            _ => false,
        }
    }

    /// Whether the server is not who it must be, or its certificates or our clock are out of date. An attacker in between
    /// can bring this about once, so another attempt makes sense; if it stays so, a person must look.
    pub fn is_impostor(&self) -> bool {
        matches!(self, Self::Handshake(HandshakeError::Certificate(_)))
    }

    pub(crate) fn refused(failure: &Failure, known: &Failures) -> Self {
        let code = failure.reason.code();
        Self::Refused(match failure.reason {
            _ if code == known.token_refused => Refusal::Token,
            _ if code == known.unenlisted => Refusal::NotEnlisted,
            _ if code == known.version_too_old => Refusal::VersionTooOld { until: failure.t },
            FailureReason::TemporaryBan | FailureReason::Banned => {
                Refusal::Banned { code: failure.code, seconds: failure.expire }
            }
            FailureReason::Locked => {
                Refusal::Locked { violation: failure.violation_reason.as_ref().map(ToString::to_string) }
            }
            _ => Refusal::Other(code),
        })
    }

    pub(crate) fn stream_error(error: &StreamError) -> Self {
        match error.condition {
            Some(StreamCondition::Conflict(Conflict::Replaced)) => Self::Replaced,
            Some(StreamCondition::Conflict(Conflict::DeviceRemoved)) => Self::LoggedOut,
            _ => Self::StreamError(error.code),
        }
    }
}

impl From<FrameError> for DisconnectReason {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::GoAway => Self::GoAway,
            error => Self::Frame(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_said_in_words() {
        let banned = |code, seconds| DisconnectReason::Refused(Refusal::Banned { code, seconds });
        let locked = |violation| DisconnectReason::Refused(Refusal::Locked { violation });
        for (reason, words) in [
            (DisconnectReason::StreamError(None), "stream ended by the server"),
            (DisconnectReason::StreamError(Some(503)), "stream ended by the server (code 503)"),
            (banned(None, None), "login refused: account banned"),
            (banned(Some(101), Some(3600)), "login refused: account banned for 3600 seconds (code 101)"),
            (locked(None), "login refused: account locked"),
            (locked(Some("spam\u{7}".to_owned())), "login refused: account locked for \"spam\\u{7}\""),
        ] {
            assert_eq!(reason.to_string(), words);
        }
    }
}
