//! RO 1.0.3 and the public clients: the text grammar of JIDs.
//!
//! ```text
//! jid       = [ user "@" ] server
//! user      = name [ ":" device ]                      at s.whatsapp.net, lid, hosted, hosted.lid, msgr
//!           = integrator "-" number [ ":0" ]           at interop
//!           = anything without "@"                     elsewhere
//! ```

use std::fmt;
use std::str::FromStr;

use nom::bytes::complete::{tag, take_while_m_n, take_while1};
use nom::character::complete::char;
use nom::combinator::{all_consuming, map_res, opt, rest, verify};
use nom::sequence::{preceded, separated_pair, terminated};
use nom::{IResult, Parser};

use super::{Jid, Repr, Server};
use crate::error::JidError;
use crate::text::Str;

impl FromStr for Jid {
    type Err = JidError;

    fn from_str(text: &str) -> Result<Self, JidError> {
        let (user, server) = match address(text) {
            Ok((_, (user, server))) => (Some(Str::from(user)), server),
            Err(_) => (None, text),
        };
        if server.contains('@') {
            return Err(if text.starts_with('@') { JidError::User } else { JidError::Server });
        }
        let server = Server::from(Str::from(server));
        match user {
            Some(user) => Self::pair(user, server),
            None => Self::of_server(server),
        }
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Pair { user: None, server } => f.write_str(server.as_str()),
            Repr::Pair { user: Some(user), server } => write_parts(f, [user, "@", server.as_str()]),
            Repr::Device { user, domain, device } => {
                write_parts(f, [user, ":"])?;
                fmt::Display::fmt(device, f)?;
                write_parts(f, ["@", domain.server()])
            }
            Repr::Messenger { user, device: 0 } => write_parts(f, [user, "@msgr"]),
            Repr::Messenger { user, device } => write!(f, "{user}:{device}@msgr"),
            Repr::Interop { user, integrator } => write!(f, "{integrator}-{user}@interop"),
        }
    }
}

/// Parts one after the other; most of what is written of an address needs no formatting.
fn write_parts<const N: usize>(f: &mut fmt::Formatter<'_>, parts: [&str; N]) -> fmt::Result {
    parts.into_iter().try_for_each(|part| f.write_str(part))
}

/// Splits the device off the user of a server that has devices.
pub(super) fn device_user(user: Str) -> Result<(Str, u16), JidError> {
    if !user.as_bytes().iter().any(|byte| matches!(byte, b':' | b'@')) {
        return plain_user(user).map(|user| (user, 0));
    }
    match all_consuming(named_device).parse(user.as_str()) {
        Ok((_, (name, device))) => Ok((name.into(), device)),
        Err(_) if user.contains('@') || user.starts_with(':') => Err(JidError::User),
        Err(_) => Err(JidError::Device),
    }
}

/// Checks a user that stands beside its device.
pub(super) fn plain_user(user: Str) -> Result<Str, JidError> {
    match user.as_bytes() {
        [] => Err(JidError::User),
        bytes if bytes.iter().any(|byte| matches!(byte, b':' | b'@')) => Err(JidError::User),
        _ => Ok(user),
    }
}

/// Reads `integrator-number[:0]`, the user part of an interop address.
pub(super) fn interop_user(user: &str) -> Result<(u16, u64), JidError> {
    let numbers = separated_pair(number::<u16>(3), char('-'), number::<u64>(15));
    match all_consuming(terminated(numbers, opt(tag(":0")))).parse(user) {
        Ok((_, parts)) => Ok(parts),
        Err(_) => Err(JidError::Interop),
    }
}

/// Reads the number of an interop user.
pub(super) fn interop_number(user: &str) -> Result<u64, JidError> {
    match all_consuming(number::<u64>(15)).parse(user) {
        Ok((_, number)) => Ok(number),
        Err(_) => Err(JidError::Interop),
    }
}

fn address(input: &str) -> IResult<&str, (&str, &str)> {
    separated_pair(take_while1(|c| c != '@'), char('@'), rest).parse(input)
}

fn named_device(input: &str) -> IResult<&str, (&str, u16)> {
    let name = take_while1(|c| !matches!(c, ':' | '@'));
    (name, preceded(char(':'), device)).parse(input)
}

fn device(input: &str) -> IResult<&str, u16> {
    let digits = take_while_m_n(1, 5, |c: char| c.is_ascii_digit());
    map_res(verify(digits, |d: &str| d == "0" || !d.starts_with('0')), str::parse).parse(input)
}

/// A number of at most `digits` digits without leading zeros.
fn number<'a, N: FromStr>(
    digits: usize,
) -> impl Parser<&'a str, Output = N, Error = nom::error::Error<&'a str>> {
    let digits = take_while_m_n(1, digits, |c: char| c.is_ascii_digit());
    map_res(verify(digits, |d: &str| !d.starts_with('0')), str::parse)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_forms() {
        for text in [
            "s.whatsapp.net",
            "14155551001@s.whatsapp.net",
            "14155551001:99@s.whatsapp.net",
            "100000012345678@lid",
            "100000012345678:3@lid",
            "14155551001:99@hosted",
            "100000012345678:1@hosted.lid",
            "100012345:512@msgr",
            "100012345@msgr",
            "12-3456789@interop",
            "120363012345678901@g.us",
            "14155551001-1500000000@g.us",
            "status@broadcast",
            "interop",
            "x:300@g.us",
        ] {
            assert_eq!(text.parse::<Jid>().map(|jid| jid.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn refused_text() {
        for (text, error) in [
            ("", JidError::Server),
            ("a@", JidError::Server),
            ("a@b@c", JidError::Server),
            ("@s.whatsapp.net", JidError::User),
            ("1415:256@s.whatsapp.net", JidError::Device),
            ("1415:07@s.whatsapp.net", JidError::Device),
            ("1415:@s.whatsapp.net", JidError::Device),
            ("1415:1:2@s.whatsapp.net", JidError::Device),
            (":1@s.whatsapp.net", JidError::User),
            ("1:65536@msgr", JidError::Device),
            ("1-10853634039893:1@interop", JidError::Interop),
            ("1-10853634039893:00@interop", JidError::Interop),
            ("10853634039893@interop", JidError::Interop),
            ("0-5@interop", JidError::Interop),
            ("01-5@interop", JidError::Interop),
            ("1000-5@interop", JidError::Interop),
            ("1-05@interop", JidError::Interop),
            ("1-1234567890123456@interop", JidError::Interop),
            ("1-5 @interop", JidError::Interop),
        ] {
            assert_eq!(text.parse::<Jid>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_is_written_back(text in "[ -~]{0,12}(@(s\\.whatsapp\\.net|lid|hosted|msgr|interop|g\\.us))?") {
            if let Ok(jid) = text.parse::<Jid>() {
                prop_assert_eq!(jid.to_string().parse::<Jid>(), Ok(jid));
            }
        }

        #[test]
        fn every_interop_address_is_written_back(integrator in 1u16..=999, user in 1u64..=999_999_999_999_999) {
            let jid = Jid::interop(integrator, user).unwrap();
            prop_assert_eq!(jid.to_string().parse::<Jid>(), Ok(jid));
        }
    }
}
