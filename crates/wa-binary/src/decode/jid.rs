//! Overview §2.1.2: reading JIDs (layouts: public clients). Their parts are plain strings, so JIDs do not nest.

use std::mem;

use super::SuffixRule;
use super::reader::{Failed, Reader};
use crate::content::AttrValue;
use crate::dictionary::Token;
use crate::error::{DecodeErrorKind, JidError};
use crate::jid::{Domain, INTEROP, Jid, Repr, Server, WHATSAPP};
use crate::tags;
use crate::text::{Str, put};

impl<'a> Reader<'a> {
    /// A JID, which begins with its tag at `at` and goes on at `rest`. The commonest two are put together where
    /// they belong.
    #[inline(never)]
    #[expect(clippy::too_many_lines, reason = "one arm a form")]
    pub(super) fn jid(
        &mut self,
        tag: u8,
        rest: &'a [u8],
        at: &'a [u8],
        out: &mut AttrValue,
    ) -> Result<&'a [u8], Failed> {
        let (jid, rest) = match (tag, rest) {
            (tags::JID_PAIR, [tags::LIST_EMPTY, rest @ ..]) => {
                let (server, rest) = self.server(rest)?;
                if matches!(server, Server::Token(_)) {
                    put(out, AttrValue::Jid(Jid(Repr::Pair { user: None, server })));
                    return Ok(rest);
                }
                (Jid::of_server(server), rest)
            }
            (tags::JID_PAIR, rest) => {
                put(out, BLANK_PAIR);
                let AttrValue::Jid(Jid(Repr::Pair { user: Some(user), server })) = out else {
                    return Ok(rest);
                };
                let rest = self.atom(rest, user)?;
                let (known, rest) = self.server(rest)?;
                if Jid::is_plain_pair(user, &known) {
                    put(server, known);
                    return Ok(rest);
                }
                (Jid::pair(mem::take(user), known), rest)
            }
            (tags::JID_AD, [domain, device, rest @ ..]) => {
                put(out, BLANK_DEVICE);
                let AttrValue::Jid(Jid(Repr::Device { user, domain: known, device: number })) = out else {
                    return Ok(rest);
                };
                let rest = self.atom(rest, user)?;
                match Domain::from_byte(*domain) {
                    Some(domain) if *device != 0 && user.is_nibbles() => {
                        (*known, *number) = (domain, *device);
                        return Ok(rest);
                    }
                    _ => (Jid::in_domain(mem::take(user), *domain, *device), rest),
                }
            }
            (tags::JID_AD, _) => return Err(self.end()),
            _ => self.rarer_jid(tag, rest, at)?,
        };
        *out = AttrValue::Jid(jid.map_err(|error| self.error(error.into(), at))?);
        Ok(rest)
    }

    fn rarer_jid(
        &mut self,
        tag: u8,
        rest: &'a [u8],
        at: &'a [u8],
    ) -> Result<(Result<Jid, JidError>, &'a [u8]), Failed> {
        let mut user = Str::BLANK;
        match tag {
            tags::JID_FB => {
                let rest = self.atom(rest, &mut user)?;
                let [high, low, rest @ ..] = rest else { return Err(self.end()) };
                let (server, rest) = self.server(rest)?;
                Ok((Jid::messenger(user, u16::from_be_bytes([*high, *low]), &server), rest))
            }
            tags::JID_INTEROP => {
                let rest = self.atom(rest, &mut user)?;
                let [a, b, c, d, rest @ ..] = rest else { return Err(self.end()) };
                let (device, integrator) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
                let rest = self.interop_suffix(rest, at)?;
                Ok((Jid::interop_parts(&user, device, integrator), rest))
            }
            _ => Err(self.error(DecodeErrorKind::AndroidInterop, at)),
        }
    }

    /// A JID's server.
    #[inline]
    fn server(&mut self, at: &'a [u8]) -> Result<(Server, &'a [u8]), Failed> {
        if let [byte, rest @ ..] = at
            && let Some(token) = Token::single(*byte)
        {
            return Ok((Server::Token(token), rest));
        }
        let mut server = Str::BLANK;
        let rest = self.atom(at, &mut server)?;
        Ok((Server::from(server), rest))
    }

    fn interop_suffix(&mut self, rest: &'a [u8], at: &'a [u8]) -> Result<&'a [u8], Failed> {
        match self.suffix {
            SuffixRule::Absent => Ok(rest),
            SuffixRule::Present => {
                let mut suffix = Str::BLANK;
                let rest = self.atom(rest, &mut suffix)?;
                if suffix == *INTEROP { Ok(rest) } else { Err(self.error(JidError::Server.into(), at)) }
            }
            SuffixRule::Detect => Ok(rest.strip_prefix(INTEROP_RAW).unwrap_or(rest)),
        }
    }
}

/// Whether a JID follows this tag.
pub(super) fn is_jid(tag: u8) -> bool {
    matches!(tag, tags::JID_INTEROP_TYPED..=tags::JID_AD | tags::JID_PAIR)
}

/// What a JID of a user and server is before it is read into place.
const BLANK_PAIR: AttrValue =
    AttrValue::Jid(Jid(Repr::Pair { user: Some(Str::BLANK), server: Server::Token(WHATSAPP) }));
/// Likewise for a JID of a device.
const BLANK_DEVICE: AttrValue =
    AttrValue::Jid(Jid(Repr::Device { user: Str::BLANK, domain: Domain::WhatsApp, device: 0 }));
/// `interop` as a raw string.
pub(super) const INTEROP_RAW: &[u8] = b"\xfc\x07interop";
