//! Why a message could not be decrypted.

use wa_signal::{DecryptError, MessageError};

/// Why a message could not be decrypted. Its session is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Undecryptable {
    /// Its bytes are no message of the protocol. The peer's fault, or the server's.
    #[error("no message of the protocol")]
    Malformed = 1,
    /// There is no session with its sender: one of the two has lost it.
    #[error("no session with its sender")]
    NoSession = 2,
    /// It uses a signed prekey that is gone: it was under way for longer than that is kept.
    #[error("its signed prekey is gone")]
    NoSignedPrekey = 3,
    /// It uses a one-time prekey that is gone.
    #[error("its one-time prekey is gone")]
    NoOneTimePrekey = 4,
    /// Too many messages are missing before it.
    #[error("too far ahead")]
    TooFarAhead = 5,
    /// It was changed on its way, or is of a session that is gone.
    #[error("it does not authenticate")]
    Invalid = 6,
    /// Its key was used already, for a message of another name: its sender encrypts with keys out of an old copy, or it came
    /// so late that its key was dropped.
    #[error("its key was used already")]
    Duplicate = 7,
    /// The store has lost its key. The store's fault.
    #[error("the store has lost its key")]
    KeysLost = 8,
    /// It carries no `<enc>`, or more than one, or one of a kind that is not spoken here.
    #[error("no <enc> of a known kind")]
    NoEnc = 9,
    /// Its padding is impossible. The peer's fault: it decrypted.
    #[error("impossible padding")]
    Padding = 10,
    /// It is to a group, or from somebody who is no single user: such messages are not part of this profile.
    #[error("not from one user to another")]
    NotOneToOne = 11,
    /// A companion device claims an identity that its account has not signed. It is not that user's.
    #[error("the device's identity is not signed by its account")]
    Unvouched = 12,
}

impl Undecryptable {
    /// What a stored number says.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        ALL.into_iter().find(|&why| why as u32 == number)
    }

    /// The number that public clients give a failure when they ask for the message again (observed); none where sending it
    /// again does not help.
    pub(crate) fn reason(self) -> Option<u16> {
        Some(match self {
            Self::NoSession => 1,
            Self::NoSignedPrekey | Self::NoOneTimePrekey => 3,
            Self::Malformed => 4,
            Self::TooFarAhead => 6,
            Self::Invalid => 7,
            Self::KeysLost => 0,
            Self::Duplicate | Self::NoEnc | Self::Padding | Self::NotOneToOne | Self::Unvouched => {
                return None;
            }
        })
    }
}

const ALL: [Undecryptable; 12] = [
    Undecryptable::Malformed,
    Undecryptable::NoSession,
    Undecryptable::NoSignedPrekey,
    Undecryptable::NoOneTimePrekey,
    Undecryptable::TooFarAhead,
    Undecryptable::Invalid,
    Undecryptable::Duplicate,
    Undecryptable::KeysLost,
    Undecryptable::NoEnc,
    Undecryptable::Padding,
    Undecryptable::NotOneToOne,
    Undecryptable::Unvouched,
];

impl From<MessageError> for Undecryptable {
    fn from(_: MessageError) -> Self {
        Self::Malformed
    }
}

impl From<DecryptError> for Undecryptable {
    fn from(error: DecryptError) -> Self {
        match error {
            DecryptError::NoSession => Self::NoSession,
            DecryptError::Duplicate { .. } => Self::Duplicate,
            DecryptError::TooFarAhead { .. } | DecryptError::TooManySteps => Self::TooFarAhead,
            DecryptError::NoOneTimePrekey(_) => Self::NoOneTimePrekey,
            DecryptError::KeysLost(_) | DecryptError::KeysNotLoaded(_) => Self::KeysLost,
            _ => Self::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_number_of_its_own() {
        for (number, why) in (1..).zip(ALL) {
            assert_eq!((why as u32, Undecryptable::from_number(number)), (number, Some(why)));
        }
        assert_eq!(Undecryptable::from_number(0), None);
        assert_eq!(Undecryptable::from_number(13), None);
    }
}
