//! The server over loopback sockets: what it refuses, how long it waits, how it ends.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail the test"
)]

#[path = "../../../wa-integrator/tests/fixture/server.rs"]
mod server;
#[path = "../../../wa-integrator/tests/fixture/verdict.rs"]
mod verdict;

mod both_versions;
mod client_address;
mod echo;
mod errors;
mod floods;
mod frames;
mod limits;
mod running;
mod shutdown;
mod smuggling;
mod tls;
