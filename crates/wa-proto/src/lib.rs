#![doc = include_str!("../README.md")]
//!
//! # In detail
//! The files under `gen` are written by `cargo xtask codegen` and checked to be fresh in CI.

mod redacted;

/// The decrypted body of a message (overview §3.1).
#[allow(missing_docs, clippy::pedantic, reason = "generated; documented in /proto")]
pub mod content {
    include!("gen/wa.content.rs");
}

/// The Noise handshake, the certificate chain and the client payload (overview §2).
#[allow(missing_docs, clippy::pedantic, reason = "generated; documented in /proto")]
pub mod handshake {
    include!("gen/wa.handshake.rs");
}

/// What our stores keep. `Debug` shows no field.
#[allow(missing_docs, clippy::pedantic, reason = "generated; documented in /proto")]
pub mod record {
    include!("gen/wa.record.rs");
}

/// Signal protocol v3 on the wire (overview §3).
#[allow(missing_docs, clippy::pedantic, reason = "generated; documented in /proto")]
pub mod signal {
    include!("gen/wa.signal.rs");
}

/// In public signatures, in the version that they mean.
pub use bytes;
pub use prost::{DecodeError, Message};
