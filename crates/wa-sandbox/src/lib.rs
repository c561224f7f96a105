#![doc = include_str!("../README.md")]
//!
//! # In detail
//! A local WhatsApp, so that a third party can be built and tested without the real one (overview §1 to §3).
//!
//! ```text
//!   enlist, media (HTTP)     chat (TCP, Noise)     control (HTTP, /v1)     a demonstration integrator (HTTP)
//!            |                       |                     |                              |
//!   listen.rs, the only sockets -----+---------------------+------------------------------+
//!            v
//!   World: accounts, prekey directory, mailboxes, routing, virtual phones, records of what clients do wrong (no I/O)
//! ```
//!
//! Everything below `listen` is a value: bytes and requests in, bytes and answers out, time as an argument. The
//! sandbox shares the codec, keys, handshake and ratchet with the client (they are pinned by outside vectors) and
//! nothing above them: it judges and writes raw nodes by its own [rule book](rules::book), and checks tokens with another
//! JOSE library than the integrator signs with.
//!
//! Where WhatsApp's behaviour is not public the sandbox does what the profile assumes; refusal reasons of its own
//! begin with `sandbox_`. `docs/SANDBOX.md` says how to use it from any language.

mod account;
mod api;
mod body;
mod certificates;
mod claims;
mod clock;
mod connection;
mod console;
mod conversation;
mod demo;
mod enlist;
mod exchanges;
mod faults;
mod guard;
mod iqs;
mod keeping;
mod listen;
mod login;
mod mailbox;
mod media;
mod newest;
mod news;
mod outgoing;
mod phone;
pub mod program;
mod push;
mod record;
mod reset;
pub mod rules;
mod sabotage;
mod sending;
mod service;
mod session;
mod shared;
mod signing_key;
mod stanzas;
mod state;
mod time;
mod tls;
mod transcript;
mod users;
mod world;

pub use crate::api::{Problem, control_routes};
pub use crate::certificates::CertificateFault;
pub use crate::clock::Clock;
pub use crate::enlist::Enlisted;
pub use crate::listen::{Addresses, Binding, Sandbox, ask};
pub use crate::push::PushDue;
pub use crate::record::{Record, Who};
pub use crate::sabotage::{Lapse, Meddle, Sabotage};
pub use crate::sending::Output;
pub use crate::state::StateError;
pub use crate::world::{ConnectionId, Integrator, World, WorldConfig};
