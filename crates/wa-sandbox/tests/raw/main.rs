//! The sandbox met by a client that writes raw nodes: what is accepted, what is refused, and what is said of it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail where they are called"
)]

mod arrival;
mod control;
mod doors;
mod kit;
mod mail;
mod phones;
mod requests;
mod rules;
mod stanzas;
mod state;
mod time;
mod user;
