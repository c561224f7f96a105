//! Overview §2.1.2: the servers of JIDs.

use crate::dictionary::Token;
use crate::error::JidError;
use crate::text::Str;

/// The servers whose users have numbered devices (the domain byte of tag 247; source: public clients).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Domain {
    /// `s.whatsapp.net`: phone numbers. Byte 0.
    WhatsApp,
    /// `lid`: opaque user numbers. Byte 1.
    Lid,
    /// `hosted`. Byte 128.
    Hosted,
    /// `hosted.lid`. Byte 129.
    HostedLid,
}

impl Domain {
    /// The domain byte on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::WhatsApp => 0,
            Self::Lid => 1,
            Self::Hosted => 128,
            Self::HostedLid => 129,
        }
    }

    /// The server in text.
    #[must_use]
    pub const fn server(self) -> &'static str {
        match self {
            Self::WhatsApp => "s.whatsapp.net",
            Self::Lid => "lid",
            Self::Hosted => "hosted",
            Self::HostedLid => "hosted.lid",
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::WhatsApp),
            1 => Some(Self::Lid),
            128 => Some(Self::Hosted),
            129 => Some(Self::HostedLid),
            _ => None,
        }
    }

    pub(super) fn of(server: &Server) -> Option<Self> {
        match server {
            Server::Token(WHATSAPP) => Some(Self::WhatsApp),
            Server::Token(LID) => Some(Self::Lid),
            Server::Token(_) => None,
            Server::Other(text) => {
                [Self::Hosted, Self::HostedLid].into_iter().find(|domain| domain.server() == &**text)
            }
        }
    }
}

/// A server's name: a token wherever the dictionary has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Server {
    Token(Token),
    Other(Box<str>),
}

impl Server {
    pub(super) fn allocated(&self) -> usize {
        match self {
            Self::Token(_) => 0,
            Self::Other(server) => server.len(),
        }
    }

    pub(super) fn of(domain: Domain) -> Self {
        match domain {
            Domain::WhatsApp => Self::Token(WHATSAPP),
            Domain::Lid => Self::Token(LID),
            Domain::Hosted | Domain::HostedLid => Self::Other(domain.server().into()),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Token(token) => token.as_str(),
            Self::Other(text) => text,
        }
    }

    pub(super) fn checked(self) -> Result<Self, JidError> {
        match &self {
            Self::Token(_) => Ok(self),
            Self::Other(text) if text.is_empty() || text.contains('@') => Err(JidError::Server),
            Self::Other(_) => Ok(self),
        }
    }
}

impl From<Str> for Server {
    fn from(text: Str) -> Self {
        text.token().map_or_else(|| Self::Other(text.as_str().into()), Self::Token)
    }
}

/// The token of `s.whatsapp.net`.
pub(crate) const WHATSAPP: Token = known_token(3);
pub(super) const LID: Token = known_token(118);

#[expect(clippy::panic, reason = "evaluated at compile time, where a panic is a build error")]
const fn known_token(byte: u8) -> Token {
    match Token::single(byte) {
        Some(token) => token,
        None => panic!("a one-byte token"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_servers_they_name() {
        for domain in [Domain::WhatsApp, Domain::Lid, Domain::Hosted, Domain::HostedLid] {
            assert_eq!(Server::of(domain), Server::from(Str::from(domain.server())));
            assert_eq!(Domain::of(&Server::of(domain)), Some(domain));
            assert_eq!(Domain::from_byte(domain.byte()), Some(domain));
        }
        assert_eq!(Domain::from_byte(2), None);
        assert_eq!(Domain::of(&Server::from(Str::from("g.us"))), None);
    }
}
