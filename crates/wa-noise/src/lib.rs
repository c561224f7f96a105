//! WhatsApp's Noise handshake, certificate chain, framing and transport, both sides, without I/O (overview §2).
//!
//! ```text
//! client                                            server
//! [edge preamble] prologue, then frames of 3-byte length + body
//! ExpectServerHello::start   -- client hello  -->   Hello::read
//! read_server_hello          <-- server hello --    SendServerHello::send
//! SendFinish::finish         -- client finish -->   ExpectClientFinish::read_client_finish
//! Transport  <------- sealed frames ------->  Transport
//! ```
//!
//! The states are types and a transition consumes its state, so a transport cannot exist before the handshake is
//! complete, and on a client not before the server's certificates were verified. A client that knows the server's
//! static key resumes in one round trip with [`ExpectResumption`].
//!
//! The handshake runs on snow with our own crypto beneath it; the one place where WhatsApp deviates from Noise is
//! the [`Dialect`]. Time and randomness are arguments.

mod certificate;
mod client;
mod dialect;
mod error;
mod frame;
mod handshake;
mod resolver;
mod server;
mod transport;

pub use crate::certificate::{CertificateAuthority, KnownServer, TrustRoot, Validity, WHATSAPP_ROOT};
pub use crate::client::{ExpectResumption, ExpectServerHello, Resumption, SendFinish};
pub use crate::dialect::Dialect;
pub use crate::error::{CertificateError, FrameError, HandshakeError, Link, TransportError};
pub use crate::frame::{FrameDecoder, Intro, MAX_FRAME, MAX_ROUTING_INFO, frame};
pub use crate::handshake::{MAX_PAYLOAD, Setup};
pub use crate::server::{ClientIdentity, ExpectClientFinish, Hello, Resume, SendServerHello, is_resumption};
pub use crate::transport::{MAX_MESSAGES, Opener, Sealer, TAG, Transport};
/// In public signatures, in the version that they mean.
pub use rand_core;
