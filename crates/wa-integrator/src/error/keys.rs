//! What is wrong with keys, ours and others'.

use thiserror::Error;

/// Why a keyring refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// No Next has been published for long enough to sign.
    #[error("no key has been published for long enough to sign{}", When(*ripe_at))]
    NotRipe {
        /// From when on one may, in Unix seconds; none when no Next is published.
        ripe_at: Option<u64>,
    },
    /// There is no such key.
    #[error("there is no such key")]
    Unknown,
    /// The key is not published any more.
    #[error("the key is not published any more")]
    Ended,
    /// The ring has, or had, this key.
    #[error("the key is known already")]
    Known,
    /// More keys would be published than clients read.
    #[error("too many keys are published")]
    Full,
    /// The clock shows a time before a change that was made; the world's fault.
    #[error("the clock is {seconds} seconds behind the last change of the keys")]
    ClockBack {
        /// By how much.
        seconds: u64,
    },
    /// The state that this server knows is too old to act on.
    #[error("the keys have not been read for too long")]
    Stale,
}

/// Why a member of a key set is passed over; the publisher's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyUnusable {
    /// It is no object, or one of its members has another type.
    #[error("a member has another type")]
    Member,
    /// It is no RSA key.
    #[error("it is no rsa key")]
    Kind,
    /// It is not for RS256 signatures.
    #[error("it is not for rs256 signatures")]
    Purpose,
    /// It has a private half.
    #[error("it has a private half")]
    Private,
    /// Its name is missing, empty or too long.
    #[error("its name is missing, empty or too long")]
    Name,
    /// A number is missing or not written as RFC 7518 asks.
    #[error("a number is missing or not minimal base64url")]
    Number,
    /// The modulus is even, or outside 2,048 to 8,192 bits.
    #[error("its modulus is even, too small or too large")]
    Modulus,
    /// The exponent is even, below 3 or above 32 bits.
    #[error("its exponent is even, too small or too large")]
    Exponent,
}

/// Why a document is no key set that can be used; the publisher's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// It is longer than 64 KiB.
    #[error("the key set is too large")]
    TooLarge,
    /// It is no JSON object with a list of keys.
    #[error("the key set is malformed")]
    Malformed,
    /// It has more than 64 keys.
    #[error("the key set has too many keys")]
    TooMany,
    /// None of its keys can be used.
    #[error("no key of the set can be used")]
    NoneUsable,
}

/// Why a fetched key set was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There was no whole answer.
    #[error(transparent)]
    Http(#[from] wa_http::HttpError),
    /// The answer's status is neither 200 nor 304, or 304 without anything to keep; redirects are not followed.
    #[error("the key set's server answered {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// The answer says that it is no JSON, or that it is encoded.
    #[error("the key set's server answered with another kind of content")]
    ContentType,
    /// The answer is no key set that can be used.
    #[error(transparent)]
    KeySet(#[from] KeySetError),
}

/// How a time is told, if it is known.
struct When(Option<u64>);

impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(at) => write!(f, "; the next may from unix time {at} on"),
            None => Ok(()),
        }
    }
}
