//! Clients that load a sandbox, and the sandbox as a process whose memory and time are read.

pub mod client;
pub mod process;

/// Whatever goes wrong ends a benchmark.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
