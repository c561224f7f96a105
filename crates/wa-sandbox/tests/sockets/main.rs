//! The sandbox over real sockets on loopback: the description of the control interface, events, the proxy, faults.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail where they are called"
)]

mod authorities;
mod client;
mod conversations;
mod description;
mod served;
mod state;
