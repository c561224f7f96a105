//! Overview §2.1.2: writing lists and strings.
//!
//! Each function writes at the front of the room it is given and returns what is left of it: a position held in
//! registers. There is room for all, see [`frame_bound`](super::bound::frame_bound).

use super::{EncodeOptions, InteropSuffix, Packing};
use crate::content::{AttrValue, NodeContent};
use crate::data::{self, Data};
use crate::dictionary::Token;
use crate::jid::{INTEROP, Jid, MSGR, Repr, Server};
use crate::node::Node;
use crate::tags;
use crate::text::{Form, Str};

/// Writes what has been checked; cannot fail.
#[derive(Clone, Copy)]
pub(super) struct Writer {
    pack_text: bool,
    pack_users: bool,
    suffix: bool,
}

impl Writer {
    pub(super) fn new(options: &EncodeOptions) -> Self {
        Self {
            pack_text: options.packing == Packing::Everything,
            pack_users: options.packing != Packing::Nothing,
            suffix: options.interop_suffix == InteropSuffix::Write,
        }
    }

    pub(super) fn node<'a>(self, node: &Node, room: &'a mut [u8]) -> &'a mut [u8] {
        let content = usize::from(!matches!(node.content, NodeContent::Empty));
        let room = list(1 + 2 * node.attrs.len() + content, room);
        let room = self.string(&node.tag, room);
        let room = if node.attrs.is_empty() { room } else { self.attributes(node, room) };
        match &node.content {
            NodeContent::Empty => room,
            NodeContent::Nodes(nodes) => {
                nodes.iter().fold(list(nodes.len(), room), |room, node| self.node(node, room))
            }
            NodeContent::Bytes(data) => data_as_is(data, room),
            NodeContent::Text(text) => self.string(text, room),
            NodeContent::Jid(jid) => self.jid(jid, false, room),
        }
    }

    #[inline(never)]
    fn attributes<'a>(self, node: &Node, mut room: &'a mut [u8]) -> &'a mut [u8] {
        let mut attrs = node.attrs.iter().peekable();
        while let Some((name, value)) = attrs.next() {
            room = self.string(name, room);
            room = match value {
                AttrValue::Text(text) => self.string(text, room),
                AttrValue::Jid(jid) => {
                    let next = match attrs.peek() {
                        Some((name, _)) => Some(name.as_bytes()),
                        None => node.content.as_bytes(),
                    };
                    self.jid(jid, next == Some(INTEROP.as_bytes()), room)
                }
            };
        }
        room
    }

    #[inline]
    fn string<'a>(self, text: &Str, room: &'a mut [u8]) -> &'a mut [u8] {
        match text.held_token() {
            Some(token) => put_token(token, room),
            None => packable(text, self.pack_text, room),
        }
    }

    fn user<'a>(self, user: &Str, room: &'a mut [u8]) -> &'a mut [u8] {
        packable(user, self.pack_users, room)
    }

    #[inline(never)]
    fn jid<'a>(self, jid: &Jid, suffix_needed: bool, room: &'a mut [u8]) -> &'a mut [u8] {
        match &jid.0 {
            Repr::Pair { user, server } => {
                let room = put_bytes([tags::JID_PAIR], room);
                let room = match user {
                    Some(user) => self.user(user, room),
                    None => put_bytes([tags::LIST_EMPTY], room),
                };
                match server {
                    Server::Token(token) => put_token(*token, room),
                    Server::Other(text) => self.string(&Str::from(&**text), room),
                }
            }
            Repr::Device { user, domain, device } => {
                self.user(user, put_bytes([tags::JID_AD, domain.byte(), *device], room))
            }
            Repr::Messenger { user, device } => {
                let room = self.user(user, put_bytes([tags::JID_FB], room));
                self.string(&Str::from(MSGR), put_bytes(device.to_be_bytes(), room))
            }
            Repr::Interop { user, integrator } => {
                let room = self.user(&Str::from(*user), put_bytes([tags::JID_INTEROP], room));
                let [high, low] = integrator.to_be_bytes();
                let room = put_bytes([0, 0, high, low], room);
                if suffix_needed || self.suffix { raw(INTEROP.as_bytes(), room) } else { room }
            }
        }
    }
}

/// Bytes at the end of the room that may be written but are not counted.
pub(super) const SLACK: usize = data::SHORT;

/// Writes so many bytes.
#[inline]
pub(crate) fn put_bytes<const N: usize>(bytes: [u8; N], room: &mut [u8]) -> &mut [u8] {
    match room.split_first_chunk_mut() {
        Some((to, room)) => {
            *to = bytes;
            room
        }
        None => &mut [],
    }
}

/// Writes a slice.
pub(super) fn put_slice<'a>(room: &'a mut [u8], bytes: &[u8]) -> &'a mut [u8] {
    match room.split_at_mut_checked(bytes.len()) {
        Some((to, room)) => {
            to.copy_from_slice(bytes);
            room
        }
        None => &mut [],
    }
}

#[inline]
fn list(len: usize, room: &mut [u8]) -> &mut [u8] {
    match (len, u8::try_from(len)) {
        (0, _) => put_bytes([tags::LIST_EMPTY], room),
        (_, Ok(len)) => put_bytes([tags::LIST_8, len], room),
        _ => {
            let [.., high, low] = len.to_be_bytes();
            put_bytes([tags::LIST_16, high, low], room)
        }
    }
}

#[inline]
fn put_token(token: Token, room: &mut [u8]) -> &mut [u8] {
    match token.wire() {
        (first, None) => put_bytes([first], room),
        (first, Some(second)) => put_bytes([first, second], room),
    }
}

fn packable<'a>(text: &Str, packing: bool, room: &'a mut [u8]) -> &'a mut [u8] {
    match text.form() {
        Form::Token(token) => put_token(token, room),
        Form::Packed(alphabet) if packing => alphabet.pack(text.as_bytes(), room),
        Form::Packed(_) | Form::Raw => raw(text.as_bytes(), room),
    }
}

#[inline]
fn data_as_is<'a>(data: &Data, room: &'a mut [u8]) -> &'a mut [u8] {
    let Some((bytes, len)) = data.in_place() else { return raw(data, room) };
    let room = put_bytes([tags::BINARY_8, len], room);
    // A copy of fixed length is faster; what comes next is written over its end.
    if let Some(to) = room.first_chunk_mut() {
        *to = *bytes;
    }
    room.get_mut(usize::from(len)..).unwrap_or_default()
}

fn raw<'a>(bytes: &[u8], room: &'a mut [u8]) -> &'a mut [u8] {
    let [.., a, b, c, d] = bytes.len().to_be_bytes();
    let room = match bytes.len() {
        0..=0xff => put_bytes([tags::BINARY_8, d], room),
        0x100..=0xf_ffff => put_bytes([tags::BINARY_20, b, c, d], room),
        _ => put_bytes([tags::BINARY_32, a, b, c, d], room),
    };
    put_slice(room, bytes)
}
