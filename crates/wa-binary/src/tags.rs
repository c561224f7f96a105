//! Overview §2.1.2: the bytes that start what is not a token (numbers: the public clients).

/// The empty list; also an absent user.
pub(crate) const LIST_EMPTY: u8 = 0;
/// The interop JID of newer Android clients, with a type byte; no reader is public.
pub(crate) const JID_INTEROP_TYPED: u8 = 244;
/// User, device (2 bytes), integrator (2 bytes), perhaps the server's name.
pub(crate) const JID_INTEROP: u8 = 245;
/// User, device (2 bytes), server.
pub(crate) const JID_FB: u8 = 246;
/// Domain (1 byte), device (1 byte), user.
pub(crate) const JID_AD: u8 = 247;
/// A list, its length in 1 byte.
pub(crate) const LIST_8: u8 = 248;
/// A list, its length in 2 bytes.
pub(crate) const LIST_16: u8 = 249;
/// User or 0, server.
pub(crate) const JID_PAIR: u8 = 250;
/// A string packed in hexadecimal.
pub(crate) const HEX_8: u8 = 251;
/// Bytes, their length in 1 byte.
pub(crate) const BINARY_8: u8 = 252;
/// Bytes, their length in the low 20 bits of 3 bytes.
pub(crate) const BINARY_20: u8 = 253;
/// Bytes, their length in 4 bytes.
pub(crate) const BINARY_32: u8 = 254;
/// A string packed in nibbles.
pub(crate) const NIBBLE_8: u8 = 255;
