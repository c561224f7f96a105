//! What is wrong with tokens, keys and key sets of others, and whose fault it is.

use thiserror::Error;

/// Which check a token failed; the peer's fault. A bounded set, for logs and counters only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum TokenRefusal {
    /// It, or one of its parts, is too long.
    #[error("the token is too long")]
    TooLong,
    /// It does not have three parts.
    #[error("the token does not have three parts")]
    Form,
    /// A part is not strict base64url without padding.
    #[error("a part of the token is not strict base64url")]
    Base64,
    /// Its header is no JSON object with each name once.
    #[error("the token's header is malformed")]
    Header,
    /// Its algorithm is not RS256.
    #[error("the token's algorithm is not RS256")]
    Algorithm,
    /// Its header has a member that would have to be understood.
    #[error("the token's header has a critical member")]
    Critical,
    /// It names no key by a text of 1 to 128 bytes.
    #[error("the token names no key")]
    KeyName,
    /// Its type is not accepted.
    #[error("the token's type is not accepted")]
    Type,
    /// The issuer has no such key.
    #[error("the token names an unknown key")]
    UnknownKey,
    /// Its signature is not that key's.
    #[error("the token's signature is wrong")]
    Signature,
    /// Its payload is no JSON object with each name once.
    #[error("the token's claims are malformed")]
    Claims,
    /// Its issuer is another, or missing.
    #[error("the token has another issuer, or none")]
    Issuer,
    /// Its audience is another, or missing.
    #[error("the token is for somebody else")]
    Audience,
    /// A date is missing or no date.
    #[error("a date of the token is missing or malformed")]
    Date,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It lives too long, or ends before it begins.
    #[error("the token lives too long")]
    Lifetime,
}

/// Why a [`RemoteVerifier`](crate::RemoteVerifier) refuses a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RemoteRefusal {
    /// The token fails a check; the peer's fault.
    #[error(transparent)]
    Token(#[from] TokenRefusal),
    /// There are no keys to verify with now, or too many wait for them; the world's fault.
    #[error("there are no keys to verify with")]
    Unavailable,
}

impl TokenRefusal {
    /// The check's name, as the label of a metric.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Form => "form",
            Self::Base64 => "base64",
            Self::Header => "header",
            Self::Algorithm => "algorithm",
            Self::Critical => "critical",
            Self::KeyName => "key_name",
            Self::Type => "type",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Date => "date",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Lifetime => "lifetime",
        }
    }
}

/// Why a member of a key set is passed over; the publisher's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There was no whole answer.
    #[error(transparent)]
    Http(#[from] wa_http::HttpError),
    /// The answer's status is neither 200 nor 304, or 304 without anything to keep; redirects are not followed.
    #[error("the key set's server answered {status}")]
    Status {
        /// The status of the answer.
        status: u16,
    },
    /// The answer says that it is no JSON, or that it is encoded.
    #[error("the key set's server did not answer with plain json")]
    ContentType,
    /// The answer is no key set that can be used.
    #[error(transparent)]
    KeySet(#[from] KeySetError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_its_own_name_as_a_label() {
        use TokenRefusal::*;
        let all = [
            TooLong,
            Form,
            Base64,
            Header,
            Algorithm,
            Critical,
            KeyName,
            Type,
            UnknownKey,
            Signature,
            Claims,
            Issuer,
            Audience,
            Date,
            Expired,
            NotYetValid,
            Lifetime,
        ];
        for refusal in all {
            let words = format!("{refusal:?}").chars().fold(String::new(), |mut words, letter| {
                if letter.is_uppercase() && !words.is_empty() {
                    words.push('_');
                }
                words.push(letter.to_ascii_lowercase());
                words
            });
            assert_eq!(refusal.name(), words);
        }
    }
}
