//! The program, as people and machines use it: one binary, because each would link every engine.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail the test")]

#[cfg(unix)]
mod clients;
#[cfg(unix)]
mod commands;
mod deploy;
#[cfg(unix)]
mod doctor;
#[cfg(unix)]
mod durability;
#[cfg(all(unix, feature = "postgres"))]
mod fixtures;
#[cfg(unix)]
mod media_program;
#[cfg(unix)]
mod metrics;
#[cfg(all(unix, feature = "postgres"))]
mod migrate;
#[cfg(all(unix, feature = "nats"))]
mod nats;
#[cfg(all(unix, feature = "postgres"))]
mod openapi;
#[cfg(unix)]
mod operating;
#[cfg(all(unix, feature = "postgres", feature = "s3"))]
mod outage;
#[cfg(unix)]
mod program;
#[cfg(all(unix, feature = "postgres"))]
mod replicas;
#[cfg(unix)]
mod settings;
#[cfg(all(unix, feature = "otel"))]
mod telemetry;
#[cfg(all(unix, feature = "nats", feature = "s3"))]
mod trust;

/// What the tests start, and what they stand in for.
#[cfg(unix)]
#[allow(dead_code, reason = "without an engine its tests are left out")]
mod fixture {
    #[cfg(feature = "s3")]
    #[path = "../../../../wa-integrator/tests/fixture/bucket.rs"]
    pub(crate) mod bucket;
    pub(crate) mod callers;
    #[cfg(feature = "postgres")]
    pub(crate) mod document;
    #[cfg(feature = "nats")]
    #[path = "../../../../wa-integrator/tests/fixture/nats.rs"]
    pub(crate) mod nats;
    #[cfg(feature = "postgres")]
    #[path = "../../../../wa-integrator/tests/fixture/postgres.rs"]
    pub(crate) mod postgres;
    pub(crate) mod program;
    #[path = "../../../../wa-integrator/tests/fixture/server.rs"]
    pub(crate) mod server;
    #[path = "../../../../wa-integrator/tests/fixture/verdict.rs"]
    pub(crate) mod verdict;
    #[path = "../../../../wa-integrator/tests/fixture/whatsapp.rs"]
    pub(crate) mod whatsapp;
}
