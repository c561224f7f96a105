//! Why a chat channel ended, and whether another attempt makes sense (seed §2; observed codes).

use wa_binary::UnpackError;
use wa_noise::{FrameError, HandshakeError, TransportError};
use wa_profile::Failures;
use wa_stanza::{Conflict, Failure, StreamCondition, StreamError};

/// Why a channel ended. There is one for every end, and none without.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The handshake failed; with [`HandshakeError::Certificate`] the server is not who it must be.
    #[error("handshake failed: {0}")]
    Handshake(#[from] HandshakeError),
    /// The server refused the login.
    #[error("login refused: {0}")]
    Refused(Refusal),
    /// Another connection of the same account took over.
    #[error("replaced by another connection of this account")]
    Replaced,
    /// The server ended the stream, with this code if it gave one.
    #[error("stream ended by the server (code {0:?})")]
    StreamError(Option<u16>),
    /// The server's bytes are no frames. The stream cannot be trusted any more.
    #[error("broken frame: {0}")]
    Frame(#[from] FrameError),
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The token, or the static key that came with it: try once with a fresh token.
    #[error("token or key not accepted")]
    Token,
    /// The account is gone, for instance after 30 days without a connection: enlist again (seed §5).
    #[error("not enlisted any more")]
    NotEnlisted,
    /// The stated protocol version is too old (seed §6.3).
    #[error("protocol version too old")]
    VersionTooOld,
    /// Another reason, by its code.
    #[error("reason {0}")]
    Other(u16),
}

impl DisconnectReason {
    /// Whether connecting again cannot help until somebody changes something.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Refused(Refusal::Other(code)) => wa_stanza::FailureReason::from(*code).is_final(),
            Self::Refused(_) | Self::Replaced | Self::Closed => true,
            Self::Handshake(error) => matches!(error, HandshakeError::Certificate(_)),
            _ => false,
        }
    }

    pub(crate) fn refused(failure: &Failure, known: &Failures) -> Self {
        let code = failure.reason.code();
        Self::Refused(match code {
            _ if code == known.token_refused => Refusal::Token,
            _ if code == known.unenlisted => Refusal::NotEnlisted,
            _ if code == known.version_too_old => Refusal::VersionTooOld,
            _ => Refusal::Other(code),
        })
    }

    pub(crate) fn stream_error(error: &StreamError) -> Self {
        match error.condition {
            Some(StreamCondition::Conflict(Conflict::Replaced)) => Self::Replaced,
            _ => Self::StreamError(error.code),
        }
    }
}
