#![doc = include_str!("../README.md")]
//!
//! # In detail
//! [`Server`] accepts, lets in so many connections in all and for each address, reads who is behind a proxy, does TLS with
//! a certificate that may be exchanged while serving, and hands requests to any service whose bodies are bytes. What
//! hyper and h2 limit by themselves they limit; the rest is here: a least rate for request bodies, an answer's time, large
//! answers that nobody takes, idle and old connections, frames that ask for nothing, and an end in two stages ([`Drain`]).
//!
//! A request carries these extensions: [`PeerAddress`], [`ClientAddress`], [`RequestId`] and [`RouteName`].

mod client;
mod connection;
mod drain;
mod limits;
mod observe;
mod server;
mod stack;
mod system_error;
mod tls;
mod wire;

pub use client::{ClientAddress, ForwardedFor, PeerAddress, ProxyProtocol};
#[cfg(fuzzing)]
pub use connection::fuzzing;
pub use drain::Drain;
pub use limits::ConnectionLimits;
pub use observe::{Event, Observe};
pub use server::{ServeError, Server};
pub use stack::{RequestBody, RequestBodyError, RequestId, RouteName, has_one_host};
pub use system_error::SystemError;
pub use tls::{Tls, TlsError, TlsFiles};
