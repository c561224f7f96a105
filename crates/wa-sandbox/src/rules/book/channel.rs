//! Clauses about the channel: handshake, login, frames.

use crate::rules::{Clause, Place};

const L: Place = Place::Login;
const H: Place = Place::Handshake;
const F: Place = Place::Frame;

const CLOSED: &str = "the connection is closed";

/// Every clause of this file.
pub(super) const CHANNEL: &[&Clause] = &[
    &PAYLOAD,
    &PRODUCT,
    &INTEROP_DATA,
    &UNENLISTED,
    &STATIC_KEY,
    &LOGIN_VERSION,
    &LOGIN_VERSION_OLD,
    &BEFORE_LOGIN,
    &PROLOGUE,
    &HELLO,
    &FINISH,
    &HANDSHAKE_LENGTH,
    &HANDSHAKE_TIME,
    &FRAME_LENGTH,
    &FRAME_SEAL,
    &FLAGS,
    &ZLIB,
    &INFLATED,
    &NODE,
];

/// The payload of a login is a protobuf.
pub const PAYLOAD: Clause = Clause::new(
    "login-payload",
    L,
    "the payload of the last handshake message is the protobuf ClientPayload",
    "observed",
)
.mend("encode ClientPayload and put it into ClientFinish.payload (or into the hello, where you resume)")
.answer("failure 401");

/// The product of a login is the third parties'.
pub const PRODUCT: Clause = Clause::new("login-product", L, "product (field 20) is 2, INTEROP", "assumed")
    .mend("set ClientPayload.product to 2")
    .answer("failure 401");

/// Account and token.
pub const INTEROP_DATA: Clause = Clause::new(
    "login-interop-data",
    L,
    "interopData (field 38) holds accountID (1), the digits of the login after the hyphen, and token (2), the JWT",
    "overview §1.1: the token; the fields are observed, their use assumed",
)
.mend("set ClientPayload.interopData with both")
.answer("failure 401");

/// A login is of an enlisted user.
pub const UNENLISTED: Clause = Clause::new(
    "login-unenlisted",
    L,
    "the account is enlisted, and was connected or enlisted within the last 30 days",
    "overview §5; the failure's number is assumed",
)
.mend("enlist again; the login will be another one")
.answer("failure 415");

/// The static key.
pub const STATIC_KEY: Clause = Clause::new(
    "login-static-key",
    L,
    "the handshake's static key is the authkey that was enlisted",
    "overview §1.2.2",
)
.mend("keep the Noise key pair of the enlistment and use it in every handshake")
.answer("failure 401");

/// A login says which version it speaks.
pub const LOGIN_VERSION: Clause = Clause::new(
    "login-version",
    L,
    "a client says its protocol version when it connects",
    "overview §6.3; its place, userAgent.appVersion, is assumed",
)
.mend("set ClientPayload.userAgent.appVersion to {primary 1, secondary 0, tertiary 3}")
.note();

/// Not too old.
pub const LOGIN_VERSION_OLD: Clause =
    Clause::new("login-version-old", L, "the version is 1.0.0 or later", "overview §6.3; RO 1.0.3")
        .mend("state a version that was published: 1.0.0 to 1.0.3")
        .answer("failure 405");

/// Nothing is sent before the login has succeeded.
pub const BEFORE_LOGIN: Clause = Clause::new(
    "login-early-stanza",
    L,
    "no stanza comes before <success>",
    "observed: until the login ends there are only success and failure",
)
.mend("wait for <success> before you send anything")
.answer(CLOSED);

/// A connection begins with the prologue.
pub const PROLOGUE: Clause = Clause::new(
    "handshake-prologue",
    H,
    "a connection begins with 57 41 06 03, once; before it, at most ED 00 01 and routing information",
    "observed",
)
.mend("send the four bytes W A 6 3 before the first frame; they are also the Noise prologue")
.answer(CLOSED);

/// The first message.
pub const HELLO: Clause = Clause::new(
    "handshake-hello",
    H,
    "the first frame is a HandshakeMessage with clientHello (2): ephemeral (1) of 32 bytes, which is no weak key",
    "observed",
)
.mend("send the protobuf in a frame with 3 bytes of length; a resumption adds static (48 bytes) and payload")
.answer(CLOSED);

/// The last message.
pub const FINISH: Clause = Clause::new(
    "handshake-finish",
    H,
    "the third frame is a HandshakeMessage with clientFinish (4), sealed as Noise says",
    "overview §2; the dialect is observed",
)
.mend("do not hash the empty payload of the first message: WhatsApp leaves out h = SHA-256(h || \"\") there; see the document")
.answer(CLOSED);

/// Lengths before the login.
pub const HANDSHAKE_LENGTH: Clause = Clause::new(
    "handshake-length",
    H,
    "a frame before the login has at most 65,535 bytes",
    "limit of the sandbox",
)
.mend("a frame's length is 3 bytes, big-endian, without the length itself")
.answer(CLOSED);

/// Time for the handshake.
pub const HANDSHAKE_TIME: Clause =
    Clause::new("handshake-time", H, "handshake and login end within 20 s", "observed")
        .mend("go on with the handshake, or close the connection")
        .answer(CLOSED);

/// A frame has the length that it announces.
pub const FRAME_LENGTH: Clause =
    Clause::new("frame-length", F, "a frame has at most 16,777,215 bytes and at least 17", "observed")
        .mend("a frame's length is 3 bytes, big-endian, without the length itself")
        .answer(CLOSED);

/// A frame opens under the transport's key.
pub const FRAME_SEAL: Clause = Clause::new(
    "frame-seal",
    F,
    "a frame is sealed with the next counter: AES-256-GCM, nonce of 8 zero bytes and 4 of the counter, no associated data",
    "overview §2; observed",
)
.mend("count each direction from 0 after the handshake, never twice; use the first half of the split to send")
.answer(CLOSED);

/// The flag byte has no unknown flags.
pub const FLAGS: Clause = Clause::new(
    "frame-flags",
    F,
    "the first byte of an opened frame is 0, or 2 where zlib follows",
    "observed",
)
.mend("put a zero byte in front of the node")
.answer("stream error xml-not-well-formed, closed");

/// A compressed body is zlib.
pub const ZLIB: Clause = Clause::new(
    "frame-zlib",
    F,
    "what follows the flag 2 is one zlib stream, whole",
    "overview §2.1.2; observed",
)
.mend("use zlib's own format (RFC 1950), not raw deflate and not gzip")
.answer("stream error xml-not-well-formed, closed");

/// An inflated body stays below its limit.
pub const INFLATED: Clause =
    Clause::new("frame-inflated", F, "a node has at most 16 MiB when it is inflated", "limit of the sandbox")
        .mend("send less at once")
        .answer("stream error xml-not-well-formed, closed");

/// A body is one node.
pub const NODE: Clause = Clause::new(
    "frame-node",
    F,
    "a frame holds one node in the binary form, and nothing behind it",
    "overview §2.1.2; the dictionary is observed",
)
.mend("see the offset; wa decode says what the bytes are as far as they can be read")
.answer("stream error xml-not-well-formed, closed");
