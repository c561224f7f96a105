//! Why something was not done, as an exception of each language.

use wa_interop::chat::{DisconnectReason, NoAnswer, Refusal};
use wa_interop::store::{LeaseError, OpenError};
use wa_interop::{ClientError, Ended, EnlistmentError, OpenOrEnlistError};

/// Why something was not done; `why` is for people and logs.
#[derive(Clone, Debug, thiserror::Error, uniffi::Error)]
#[non_exhaustive]
pub enum WaError {
    /// An argument is malformed: an address, a key, a profile. The caller's fault.
    #[error("{why}")]
    Argument {
        /// What is wrong with it.
        why: String,
    },
    /// The store could not be opened, or failed for good.
    #[error("{why}")]
    Store {
        /// The reason, for a log.
        why: String,
    },
    /// The store is an older copy that was put back.
    #[error("an older copy of the store was put back")]
    Restored,
    /// Another process holds the account.
    #[error("held by {holder}")]
    Held {
        /// What it calls itself.
        holder: String,
        /// How long its lease would last without being renewed.
        left_millis: u64,
    },
    /// The account cannot connect as it is: it is not enlisted, or connected already. The caller's fault.
    #[error("{why}")]
    NotReady {
        /// What is in the way.
        why: String,
    },
    /// There is no way to the server.
    #[error("{why}")]
    Unreachable {
        /// The reason, for a log.
        why: String,
    },
    /// The connection ended.
    #[error("{why}")]
    Disconnected {
        /// The reason, for a log.
        why: String,
        /// As far as an application acts on it.
        reason: Cause,
        /// Whether connecting again cannot help until somebody changes something.
        is_final: bool,
    },
    /// WhatsApp refused, or gave no answer.
    #[error("{why}")]
    Refused {
        /// What it said.
        why: String,
        /// With which code.
        code: Option<u16>,
    },
    /// What was to be sent cannot be: the same again is refused again.
    #[error("{why}")]
    Unsendable {
        /// The reason, for a log.
        why: String,
    },
    /// There is no token, and will not be.
    #[error("no token is to be had any more")]
    NoToken,
    /// The account could not be enlisted.
    #[error("{why}")]
    Enlistment {
        /// What WhatsApp said, or why it said nothing.
        why: String,
    },
    /// A file was not sent or fetched.
    #[error("{why}")]
    Media {
        /// The reason, for a log.
        why: String,
    },
    /// A `Canceller` ended the call.
    #[error("cancelled")]
    Cancelled,
    /// Another process owns the account by now.
    #[error("another process owns this account")]
    Fenced,
    /// The client has ended.
    #[error("{why}")]
    Ended {
        /// The reason, for a log.
        why: String,
    },
}

/// How a connection ended, as far as an application acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
#[non_exhaustive]
pub enum Cause {
    /// The server is not WhatsApp.
    Impostor,
    /// The token is not accepted: try once with a fresh one.
    Token,
    /// The account is gone: enlist again.
    NotEnlisted,
    /// The server has no room now.
    Busy,
    /// Another connection of the account took over.
    Replaced,
    /// The line was lost, or the server said to come again.
    Lost,
    /// The application closed it.
    Closed,
    /// Another reason; the words say which.
    Other,
}

impl From<&DisconnectReason> for Cause {
    fn from(reason: &DisconnectReason) -> Self {
        match reason {
            _ if reason.is_impostor() => Self::Impostor,
            DisconnectReason::Refused(Refusal::Token) => Self::Token,
            DisconnectReason::Refused(Refusal::NotEnlisted) | DisconnectReason::LoggedOut => {
                Self::NotEnlisted
            }
            DisconnectReason::Refused(_) if !reason.is_terminal() => Self::Busy,
            DisconnectReason::Replaced => Self::Replaced,
            DisconnectReason::Lost | DisconnectReason::GoAway | DisconnectReason::TimedOut => Self::Lost,
            DisconnectReason::Closed => Self::Closed,
            _ => Self::Other,
        }
    }
}

impl WaError {
    pub(crate) fn argument(error: impl ToString) -> Self {
        Self::Argument { why: error.to_string() }
    }
}

impl From<ClientError> for WaError {
    fn from(error: ClientError) -> Self {
        let why = error.to_string();
        match error {
            ClientError::Ended(ended) => ended.into(),
            ClientError::Store(wa_interop::chat::StoreError::Fenced) => Self::Fenced,
            ClientError::Store(_) | ClientError::State(_) => Self::Store { why },
            ClientError::Connect(_) => Self::NotReady { why },
            ClientError::Unreachable(_) => Self::Unreachable { why },
            ClientError::Disconnected(reason) => {
                Self::Disconnected { why, reason: Cause::from(&reason), is_final: reason.is_terminal() }
            }
            ClientError::Command(_) => Self::Unsendable { why },
            ClientError::Answer(NoAnswer::Refused(code)) => Self::Refused { why, code: Some(code) },
            ClientError::NoToken => Self::NoToken,
            _ => Self::Refused { why, code: None },
        }
    }
}

impl From<Ended> for WaError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Fenced => Self::Fenced,
            ended => Self::Ended { why: ended.to_string() },
        }
    }
}

impl From<OpenError> for WaError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Restored => Self::Restored,
            error => Self::Store { why: error.to_string() },
        }
    }
}

impl From<LeaseError> for WaError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Held { holder, left } => {
                Self::Held { holder, left_millis: u64::try_from(left.as_millis()).unwrap_or(u64::MAX) }
            }
            LeaseError::Open(error) => error.into(),
            error => Self::Store { why: error.to_string() },
        }
    }
}

impl From<EnlistmentError> for WaError {
    fn from(error: EnlistmentError) -> Self {
        Self::Enlistment { why: error.to_string() }
    }
}

impl From<OpenOrEnlistError<Self>> for WaError {
    fn from(error: OpenOrEnlistError<Self>) -> Self {
        match error {
            OpenOrEnlistError::Client(error) => error.into(),
            OpenOrEnlistError::Enlistment(error) => error,
        }
    }
}

/// An exception of a foreign implementation that is not one of its declared errors.
impl From<uniffi::UnexpectedUniFFICallbackError> for WaError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Argument { why: error.reason }
    }
}

#[cfg(test)]
mod tests {
    use wa_interop::chat::{CommandError, ConnectError};

    use super::*;

    #[test]
    fn an_account_that_cannot_connect_is_not_said_to_be_refused() {
        let error = WaError::from(ClientError::Connect(ConnectError::NotEnlisted));
        assert!(matches!(&error, WaError::NotReady { why } if why == "account is not enlisted"), "{error:?}");
    }

    #[test]
    fn a_command_that_is_refused_is_unsendable_whatever_is_wrong_with_it() {
        for error in [CommandError::TooLong { length: 1 }, CommandError::LongName, CommandError::Unreadable] {
            assert!(
                matches!(WaError::from(ClientError::Command(error)), WaError::Unsendable { .. }),
                "{error}"
            );
        }
    }
}
