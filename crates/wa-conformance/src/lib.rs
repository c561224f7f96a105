#![doc = include_str!("../README.md")]
//!
//! # In detail
//! A check talks to an [`Environment`]: an integrator, a local WhatsApp with phones, and whatever client it needs. The
//! program `wa-conformance` starts both servers as separate processes; `cargo test` runs the same list with both in
//! its own process. A check is a function that gives `Ok` or says what went wrong.

mod chaos;
mod checks;
#[cfg(fuzzing)]
pub mod fuzzing;
mod playground;
mod prove;
mod report;
mod rules;
mod suite;
mod target;

pub use crate::chaos::drain::drain;
pub use crate::chaos::endurance::{serve, survive, watch};
pub use crate::chaos::fixture::{open as open_fixture, write as write_fixture};
pub use crate::chaos::pair::{Chain, Faults, Pair, Schedule, StorageKind, Tally};
pub use crate::chaos::turns::{take_turns, turn};
pub use crate::checks::catalogue::{Catalogue, Form, Label, Party, Requirement};
pub use crate::checks::{Check, Drives, all};
pub use crate::playground::{Playground, World};
pub use crate::prove::{
    Assumption, ClientFault, Door, Fault, Proof, Reach, Rewrite, Saboteur, ServerFault, Shard, Side, Speaker,
    Stanzas, StoreFault, Struck, UNBREAKABLE, WireFault, prove, saboteurs,
};
pub use crate::report::evidence::{Deviation, Evidence, Exchange, Stanza};
pub use crate::report::excuses::Excuses;
pub use crate::report::failure::Failure;
pub use crate::report::{About, Judged, Report, Totals, Verdict};
pub use crate::rules::{Document, Rules};
pub use crate::suite::Suite;
pub use crate::target::chat::ChatTarget;
pub use crate::target::device::{Hello, PROTOCOL, ShimProgram, Verb, serve_shim};
pub use crate::target::environment::{Environment, INTEGRATOR, PHONE};
pub use crate::target::server::{Facility, ForeignServer};
pub use crate::target::setting::{ClientSetting, ServerSetting, Setting};
pub use crate::target::watch::{News, Task, Watch, attend};
