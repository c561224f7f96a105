//! Seed §2.1.2: reading JIDs (layouts: public clients). Their parts are plain strings, so JIDs do not nest.

use std::mem;

use super::SuffixRule;
use super::reader::{Failed, Reader};
use crate::content::Value;
use crate::dictionary::Token;
use crate::error::{DecodeErrorKind, JidError};
use crate::jid::{Domain, INTEROP, Jid, Repr, Server, WHATSAPP};
use crate::tags;
use crate::text::Str;

impl Reader<'_> {
    /// A JID after its tag. The commonest two are put together where they belong.
    pub(super) fn jid(&mut self, tag: u8, at: usize, out: &mut Value) -> Result<(), Failed> {
        let jid = match tag {
            tags::JID_PAIR => {
                *out = BLANK_PAIR;
                let Value::Jid(Jid(Repr::Pair { user, server })) = out else { return Ok(()) };
                self.optional_part(user)?;
                self.server(server)?;
                if Jid::is_plain_pair(user.as_ref(), server) {
                    return Ok(());
                }
                Jid::pair(user.take(), mem::replace(server, Server::Token(WHATSAPP)))
            }
            tags::JID_AD => {
                let [domain, device] = self.array()?;
                *out = BLANK_DEVICE;
                let Value::Jid(Jid(Repr::Device { user, domain: known, device: number })) = out else {
                    return Ok(());
                };
                self.part(user)?;
                match Domain::from_byte(domain) {
                    Some(domain) if device != 0 && user.is_nibbles() => {
                        (*known, *number) = (domain, device);
                        return Ok(());
                    }
                    _ => Jid::in_domain(mem::take(user), domain, device),
                }
            }
            _ => self.rarer_jid(tag, at)?,
        };
        *out = Value::Jid(jid.map_err(|error| self.error(error.into(), at))?);
        Ok(())
    }

    fn rarer_jid(&mut self, tag: u8, at: usize) -> Result<Result<Jid, JidError>, Failed> {
        let mut user = Str::BLANK;
        match tag {
            tags::JID_FB => {
                self.part(&mut user)?;
                let device = u16::from_be_bytes(self.array()?);
                let mut server = Server::Token(WHATSAPP);
                self.server(&mut server)?;
                Ok(Jid::messenger(user, device, &server))
            }
            tags::JID_INTEROP => {
                self.part(&mut user)?;
                let device = u16::from_be_bytes(self.array()?);
                let integrator = u16::from_be_bytes(self.array()?);
                self.interop_suffix(at)?;
                Ok(Jid::interop_parts(&user, device, integrator))
            }
            _ => Err(self.error(DecodeErrorKind::AndroidInterop, at)),
        }
    }

    /// A JID's user, into a place where one is; none if the byte stands there that says so.
    #[inline]
    fn optional_part(&mut self, out: &mut Option<Str>) -> Result<(), Failed> {
        let at = self.at;
        match (self.byte()?, out) {
            (tags::LIST_EMPTY, out) => *out = None,
            (tag, Some(out)) => self.atom(tag, at, out)?,
            (tag, out) => self.atom(tag, at, out.insert(Str::BLANK))?,
        }
        Ok(())
    }

    /// A JID's server.
    #[inline]
    fn server(&mut self, out: &mut Server) -> Result<(), Failed> {
        let at = self.at;
        let tag = self.byte()?;
        if let Some(token) = Token::single(tag) {
            *out = Server::Token(token);
            return Ok(());
        }
        let mut server = Str::BLANK;
        self.atom(tag, at, &mut server)?;
        *out = Server::from(server);
        Ok(())
    }

    fn interop_suffix(&mut self, at: usize) -> Result<(), Failed> {
        match self.suffix {
            SuffixRule::Absent => Ok(()),
            SuffixRule::Present => {
                let mut suffix = Str::BLANK;
                self.part(&mut suffix)?;
                if suffix == *INTEROP { Ok(()) } else { Err(self.error(JidError::Server.into(), at)) }
            }
            SuffixRule::Detect => {
                let follows = self.data.get(self.at..).is_some_and(|rest| rest.starts_with(INTEROP_RAW));
                self.at += if follows { INTEROP_RAW.len() } else { 0 };
                Ok(())
            }
        }
    }
}

/// Whether a JID follows this tag.
pub(super) fn is_jid(tag: u8) -> bool {
    matches!(tag, tags::JID_INTEROP_TYPED..=tags::JID_AD | tags::JID_PAIR)
}

/// What a JID of a user and server is before it is read into place.
pub(super) const BLANK_PAIR: Value =
    Value::Jid(Jid(Repr::Pair { user: Some(Str::BLANK), server: Server::Token(WHATSAPP) }));
/// Likewise for a JID of a device.
const BLANK_DEVICE: Value =
    Value::Jid(Jid(Repr::Device { user: Str::BLANK, domain: Domain::WhatsApp, device: 0 }));
/// `interop` as a raw string.
pub(super) const INTEROP_RAW: &[u8] = b"\xfc\x07interop";
