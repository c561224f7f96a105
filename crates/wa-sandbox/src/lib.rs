//! A local WhatsApp, so that a third party can be built and tested without the real one (seed §1 to §3).
//!
//! ```text
//!            enlist (HTTP)          chat (TCP, Noise)             control (HTTP, tests only)
//!                 |                        |                              |
//!   listen.rs ----+------------------------+------------------------------+----  the only sockets
//!                 v                        v                              v
//!              World: accounts, prekey directory, mailboxes, routing, virtual phones (no I/O)
//! ```
//!
//! Everything below `listen` is a value: bytes and requests in, bytes and answers out, time as an argument. The
//! sandbox shares the codec, keys, handshake and ratchet with the client (they are pinned by outside vectors) and
//! nothing above them: it judges and writes raw nodes by its own [rule table](rules), and checks tokens with another
//! JOSE library than the integrator signs with.
//!
//! Where WhatsApp's behaviour is not public the sandbox does what the profile assumes; refusal reasons of its own
//! begin with `sandbox_`.

mod account;
mod claims;
mod clock;
mod connection;
mod control;
mod enlist;
mod iqs;
mod listen;
mod login;
mod media;
mod phone;
mod push;
pub mod rules;
mod service;
mod signing_key;
mod stanzas;
mod world;

pub use crate::clock::Clock;
pub use crate::connection::CertificateFault;
pub use crate::enlist::Enlisted;
pub use crate::listen::{Addresses, Sandbox};
pub use crate::push::PushDue;
pub use crate::world::{ConnectionId, Integrator, Output, World, WorldConfig};
