#![doc = include_str!("../README.md")]

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
pub use crate::frame::{FrameDecoder, Intro, MAX_FRAME, MAX_ROUTING_INFO, frame, frame_header};
pub use crate::handshake::{MAX_PAYLOAD, Setup};
pub use crate::server::{ClientIdentity, ExpectClientFinish, Hello, Resume, SendServerHello, is_resumption};
pub use crate::transport::{MAX_MESSAGES, Opener, Sealer, TAG, Transport};
/// In public signatures, in the version that they mean.
pub use rand_core;
