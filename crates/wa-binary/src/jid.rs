//! Overview §2.1.2 and RO 1.0.3: JIDs, the addresses of the chat protocol.
//!
//! One address has one value, whichever way it came: `1-5@interop`, `1-5:0@interop` and the binary interop
//! form are equal, and so are a user with device 0 and the user without a device.

mod server;
mod text;

use std::borrow::Cow;

pub use self::server::Domain;
use self::server::LID;
pub(crate) use self::server::{Server, WHATSAPP};
use crate::error::JidError;
use crate::text::Str;

/// An address: a server, mostly with a user, sometimes with a device.
///
/// Text: `14155551001@s.whatsapp.net`, `14155551001:2@s.whatsapp.net` (device 2), `s.whatsapp.net` (the
/// server itself), `1-10853634039893@interop` (integrator 1). `Display` and `FromStr` are inverse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Jid(pub(crate) Repr);

/// The four forms; each value is in the only one its address has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Repr {
    /// Tag 250: everything without a device.
    Pair { user: Option<Str>, server: Server },
    /// Tag 247: a device other than 0 of a user in one of the four domains.
    Device { user: Str, domain: Domain, device: u8 },
    /// Tag 246: a Messenger user and device.
    Messenger { user: Str, device: u16 },
    /// Tag 245: an integrator's user, 1 to 15 digits; the only device is 0.
    Interop { user: u64, integrator: u16 },
}

impl Jid {
    /// The address of a user at a server, in its one form.
    ///
    /// The user may end in `:device` where the server has devices; at `interop` it is `integrator-user`.
    ///
    /// # Errors
    /// The [`JidError`] naming the part that is not allowed.
    pub fn new(user: &str, server: &str) -> Result<Self, JidError> {
        Self::pair(user.into(), Server::from(Str::from(server)))
    }

    /// The address of a server itself, such as `s.whatsapp.net`.
    ///
    /// # Errors
    /// [`JidError::Server`] if it is empty or contains `@`.
    pub fn server_only(server: &str) -> Result<Self, JidError> {
        Self::of_server(Server::from(Str::from(server)))
    }

    /// Bytes that a user or a server that is too long to be held in place has allocated.
    pub(crate) fn allocated(&self) -> usize {
        match &self.0 {
            Repr::Pair { user, server } => user.as_ref().map_or(0, Str::allocated) + server.allocated(),
            Repr::Device { user, .. } | Repr::Messenger { user, .. } => user.allocated(),
            Repr::Interop { .. } => 0,
        }
    }

    /// The address of WhatsApp's server, `s.whatsapp.net`.
    #[must_use]
    pub const fn whatsapp() -> Self {
        Self(Repr::Pair { user: None, server: Server::Token(WHATSAPP) })
    }

    /// The address of a WhatsApp user by phone number: digits with country code, without `+`.
    ///
    /// # Errors
    /// [`JidError::User`] if it is not 1 to 20 digits.
    pub fn phone(digits: &str) -> Result<Self, JidError> {
        if digits.is_empty() || digits.len() > 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(JidError::User);
        }
        Ok(Self(Repr::Pair { user: Some(digits.into()), server: Server::Token(WHATSAPP) }))
    }

    /// The address of a WhatsApp user by phone number as people write it: `+`, country code and number (E.164), with
    /// spaces, dots, hyphens, slashes or brackets between the digits; a zero in brackets, as in +49 (0)170, is left out.
    ///
    /// # Errors
    /// [`JidError::E164`] without the `+`, with anything else in it, or of other than 7 to 15 digits: what a number without
    /// its country means, only the caller can know.
    pub fn e164(number: &str) -> Result<Self, JidError> {
        let number = number.trim().strip_prefix('+').ok_or(JidError::E164)?;
        // A zero in brackets is dialled within the country only.
        let number = number.replacen("(0)", "", 1);
        let digits: String = number.chars().filter(|c| !" .-()/\u{a0}".contains(*c)).collect();
        if !(7..=15).contains(&digits.len()) || digits.starts_with('0') {
            return Err(JidError::E164);
        }
        Self::phone(&digits).map_err(|_| JidError::E164)
    }

    /// The phone number of a WhatsApp user in E.164: `+` and the digits; none of any other address.
    #[must_use]
    pub fn to_e164(&self) -> Option<String> {
        let digits = self.user().filter(|user| user.bytes().all(|byte| byte.is_ascii_digit()))?;
        (self.server() == "s.whatsapp.net").then(|| format!("+{digits}"))
    }

    /// The address of a third party's user: `integrator` 1 to 999, `user` 1 to 999,999,999,999,999.
    ///
    /// # Errors
    /// [`JidError::Interop`] outside these ranges.
    pub const fn interop(integrator: u16, user: u64) -> Result<Self, JidError> {
        if integrator == 0 || integrator > MAX_INTEGRATOR || user == 0 || user > MAX_INTEROP_USER {
            return Err(JidError::Interop);
        }
        Ok(Self(Repr::Interop { user, integrator }))
    }

    /// The same user's address with another device; device 0 is the address without a device.
    ///
    /// # Errors
    /// [`JidError::Device`] if the server has no such device.
    pub fn with_device(self, device: u16) -> Result<Self, JidError> {
        let server = self.0.server();
        match self.0 {
            Repr::Messenger { user, .. } => Ok(Self(Repr::Messenger { user, device })),
            Repr::Pair { user: Some(user), .. } | Repr::Device { user, .. } => {
                match (Domain::of(&server), u8::try_from(device)) {
                    (Some(domain), Ok(device)) => Ok(Self::device_of(user, domain, device)),
                    (None, Ok(0)) => Ok(Self(Repr::Pair { user: Some(user), server })),
                    _ => Err(JidError::Device),
                }
            }
            repr if device == 0 => Ok(Self(repr)),
            _ => Err(JidError::Device),
        }
    }

    /// The same address without its device.
    #[must_use]
    pub fn without_device(self) -> Self {
        match self.0 {
            Repr::Device { user, domain, .. } => Self::device_of(user, domain, 0),
            Repr::Messenger { user, .. } => Self(Repr::Messenger { user, device: 0 }),
            repr => Self(repr),
        }
    }

    /// The user: for an interop address the digits after `integrator-`. None for a server's own address.
    #[must_use]
    pub fn user(&self) -> Option<Cow<'_, str>> {
        match &self.0 {
            Repr::Pair { user, .. } => user.as_deref().map(Cow::Borrowed),
            Repr::Device { user, .. } | Repr::Messenger { user, .. } => Some(Cow::Borrowed(user)),
            Repr::Interop { user, .. } => Some(Cow::Owned(user.to_string())),
        }
    }

    /// The bytes of the user; cheaper than [`Jid::user`] for comparing.
    #[must_use]
    pub fn user_bytes(&self) -> Option<Cow<'_, [u8]>> {
        match &self.0 {
            Repr::Pair { user, .. } => user.as_ref().map(|user| Cow::Borrowed(user.as_bytes())),
            Repr::Device { user, .. } | Repr::Messenger { user, .. } => Some(Cow::Borrowed(user.as_bytes())),
            Repr::Interop { user, .. } => Some(Cow::Owned(user.to_string().into_bytes())),
        }
    }

    /// The server, such as `s.whatsapp.net` or `interop`.
    #[must_use]
    pub fn server(&self) -> &str {
        match &self.0 {
            Repr::Pair { server, .. } => server.as_str(),
            Repr::Device { domain, .. } => domain.server(),
            Repr::Messenger { .. } => MSGR,
            Repr::Interop { .. } => INTEROP,
        }
    }

    /// The device; 0 where none is named.
    #[must_use]
    pub fn device(&self) -> u16 {
        match &self.0 {
            Repr::Pair { .. } | Repr::Interop { .. } => 0,
            Repr::Device { device, .. } => u16::from(*device),
            Repr::Messenger { device, .. } => *device,
        }
    }

    /// The integrator, 1 to 999, and the user's number, of an interop address.
    #[must_use]
    pub fn as_interop(&self) -> Option<(u16, u64)> {
        match self.0 {
            Repr::Interop { user, integrator } => Some((integrator, user)),
            _ => None,
        }
    }

    /// The domain, if the address is a user's in one of the four.
    #[must_use]
    pub fn domain(&self) -> Option<Domain> {
        match &self.0 {
            Repr::Pair { user: Some(_), server } => Domain::of(server),
            Repr::Device { domain, .. } => Some(*domain),
            _ => None,
        }
    }

    /// The value of tag 250's server, when there is no user.
    pub(crate) fn of_server(server: Server) -> Result<Self, JidError> {
        server.checked().map(|server| Self(Repr::Pair { user: None, server }))
    }

    /// Whether [`Jid::pair`] would keep these parts as they are: a quick yes, or perhaps.
    #[inline]
    pub(crate) fn is_plain_pair(user: &Str, server: &Server) -> bool {
        matches!(server, Server::Token(WHATSAPP | LID)) && user.is_nibbles()
    }

    /// The value of tag 250's parts.
    pub(crate) fn pair(user: Str, server: Server) -> Result<Self, JidError> {
        if let Some(domain) = Domain::of(&server) {
            let (user, device) = text::device_user(user)?;
            let device = u8::try_from(device).map_err(|_| JidError::Device)?;
            return Ok(Self::device_of(user, domain, device));
        }
        match server.as_str() {
            INTEROP => {
                let (integrator, user) = text::interop_user(&user)?;
                Self::interop(integrator, user)
            }
            MSGR => {
                let (user, device) = text::device_user(user)?;
                Ok(Self(Repr::Messenger { user, device }))
            }
            _ if user.is_empty() || user.as_bytes().contains(&b'@') => Err(JidError::User),
            _ => server.checked().map(|server| Self(Repr::Pair { user: Some(user), server })),
        }
    }

    /// The value of tag 247's parts.
    pub(crate) fn in_domain(user: Str, domain: u8, device: u8) -> Result<Self, JidError> {
        let domain = Domain::from_byte(domain).ok_or(JidError::Domain(domain))?;
        Ok(Self::device_of(text::plain_user(user)?, domain, device))
    }

    /// The value of tag 246's parts.
    pub(crate) fn messenger(user: Str, device: u16, server: &Server) -> Result<Self, JidError> {
        if server.as_str() != MSGR {
            return Err(JidError::Server);
        }
        Ok(Self(Repr::Messenger { user: text::plain_user(user)?, device }))
    }

    /// The value of tag 245's parts.
    pub(crate) fn interop_parts(user: &Str, device: u16, integrator: u16) -> Result<Self, JidError> {
        if device != 0 {
            return Err(JidError::Device);
        }
        Self::interop(integrator, text::interop_number(user)?)
    }

    fn device_of(user: Str, domain: Domain, device: u8) -> Self {
        Self(match device {
            0 => Repr::Pair { user: Some(user), server: Server::of(domain) },
            _ => Repr::Device { user, domain, device },
        })
    }
}

impl From<&Jid> for Jid {
    fn from(jid: &Jid) -> Self {
        jid.clone()
    }
}

impl Repr {
    fn server(&self) -> Server {
        match self {
            Self::Pair { server, .. } => server.clone(),
            Self::Device { domain, .. } => Server::of(*domain),
            Self::Messenger { .. } => Server::from(Str::from(MSGR)),
            Self::Interop { .. } => Server::from(Str::from(INTEROP)),
        }
    }
}

/// The server of interop addresses; not in the dictionary.
pub(crate) const INTEROP: &str = "interop";
/// The server of Messenger addresses.
pub(crate) const MSGR: &str = "msgr";
/// Largest integrator number (WhatsApp's own clients: `[1-9][0-9]{0,2}`).
const MAX_INTEGRATOR: u16 = 999;
/// Largest interop user number (WhatsApp's own clients: `[1-9][0-9]{0,14}`).
const MAX_INTEROP_USER: u64 = 999_999_999_999_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatsapp_is_its_server() {
        assert_eq!(Jid::whatsapp(), Jid::server_only("s.whatsapp.net").unwrap());
    }

    #[test]
    fn phone_numbers_as_people_write_them() {
        let jid = Jid::phone("14155551001").unwrap();
        assert_eq!(Jid::e164("+49 (0)170 1234567"), Jid::phone("491701234567"));
        for number in ["+14155551001", " +1 415 555-1001", "+1 (415) 555.1001", "+1/415\u{a0}5551001"] {
            assert_eq!(Jid::e164(number), Ok(jid.clone()), "{number}");
        }
        let bad = [
            "",
            "+",
            "14155551001",
            "0014155551001",
            "+014155551001",
            "+1415",
            "+1415555100112345",
            "+1415555100x",
        ];
        for number in bad.into_iter().chain(["+٤١٥٥٥٥١٠٠١", "+1+4155551001"]) {
            assert_eq!(Jid::e164(number), Err(JidError::E164), "{number}");
        }
        assert_eq!(jid.to_e164().as_deref(), Some("+14155551001"));
        assert_eq!(jid.with_device(3).unwrap().to_e164().as_deref(), Some("+14155551001"));
        for other in [Jid::whatsapp(), Jid::interop(1, 2).unwrap(), Jid::new("14155551001", "lid").unwrap()] {
            assert_eq!(other.to_e164(), None, "{other}");
        }
    }

    #[test]
    fn interop_has_one_value_and_loses_nothing() {
        let jid = Jid::interop(1, 10_853_634_039_893).unwrap();
        assert_eq!(Jid::new("1-10853634039893", "interop"), Ok(jid.clone()));
        assert_eq!("1-10853634039893@interop".parse(), Ok(jid.clone()));
        assert_eq!("1-10853634039893:0@interop".parse(), Ok(jid.clone()));
        assert_eq!(jid.to_string(), "1-10853634039893@interop");
        assert_eq!(jid.as_interop(), Some((1, 10_853_634_039_893)));
        assert_eq!(jid.user().as_deref(), Some("10853634039893"));
        assert_eq!(jid.user_bytes().as_deref(), Some(&b"10853634039893"[..]));
        assert_eq!((jid.server(), jid.device(), jid.domain()), ("interop", 0, None));
        assert_ne!(jid, Jid::interop(2, 10_853_634_039_893).unwrap());
    }

    #[test]
    fn interop_ranges() {
        assert_eq!(Jid::interop(0, 1), Err(JidError::Interop));
        assert_eq!(Jid::interop(1000, 1), Err(JidError::Interop));
        assert_eq!(Jid::interop(1, 0), Err(JidError::Interop));
        assert_eq!(Jid::interop(1, 1_000_000_000_000_000), Err(JidError::Interop));
        assert_eq!(
            Jid::interop(999, 999_999_999_999_999).unwrap().to_string(),
            "999-999999999999999@interop"
        );
    }

    #[test]
    fn device_zero_is_the_user() {
        let user = Jid::phone("14155551001").unwrap();
        let second = user.clone().with_device(2).unwrap();
        assert_eq!(second.to_string(), "14155551001:2@s.whatsapp.net");
        assert_eq!(second.clone().without_device(), user);
        assert_eq!(second.with_device(0), Ok(user.clone()));
        assert_eq!("14155551001:0@s.whatsapp.net".parse(), Ok(user.clone()));
        assert_eq!(user.with_device(256), Err(JidError::Device));
        assert_eq!(Jid::interop(1, 5).unwrap().with_device(1), Err(JidError::Device));
        assert_eq!(Jid::new("1-2", "g.us").unwrap().with_device(1), Err(JidError::Device));
        assert_eq!(Jid::new("5", "msgr").unwrap().with_device(300).unwrap().to_string(), "5:300@msgr");
    }

    #[test]
    fn phones_are_digits() {
        for digits in ["", "+1415", "1415:2", "123456789012345678901"] {
            assert_eq!(Jid::phone(digits), Err(JidError::User), "{digits}");
        }
    }
}
