//! Conformance: one list of checks over real sockets, from enlistment to the hundredth message (overview §1 to §3).
//!
//! A check talks to an [`Environment`]: an integrator, a local WhatsApp with phones, and whatever client it needs. The
//! program `wa-conformance` starts both servers as separate processes; `cargo test` runs the same list with both in
//! its own process. A check is a function that gives `Ok` or says what went wrong.

mod backend;
mod catalogue;
mod chat;
mod checks;
mod device;
mod drain;
#[cfg(test)]
mod driven;
mod endurance;
mod environment;
mod evidence;
mod exchange;
mod excuses;
mod failure;
mod fixture;
mod form;
mod handset;
mod in_process;
mod pair;
mod patience;
mod playground;
mod prove;
mod proxy;
mod raw;
mod recorder;
mod report;
mod rules;
mod server;
mod suite;
mod tokens;
mod turns;
mod user;
mod watch;
mod wire;

pub use crate::catalogue::{Catalogue, Form, Label, Party, Requirement};
pub use crate::chat::ChatTarget;
pub use crate::checks::{Check, Drives, all};
pub use crate::device::{Hello, PROTOCOL, ShimProgram, Verb, serve_shim};
pub use crate::drain::drain;
pub use crate::endurance::{serve, survive, watch};
pub use crate::environment::{ClientSetting, Environment, INTEGRATOR, PHONE, ServerSetting, Setting};
pub use crate::evidence::{Deviation, Evidence, Exchange, Stanza};
pub use crate::excuses::Excuses;
pub use crate::failure::Failure;
pub use crate::fixture::{open as open_fixture, write as write_fixture};
pub use crate::pair::{Chain, Faults, Pair, Schedule, StorageKind, Tally};
pub use crate::playground::{Playground, World};
pub use crate::prove::{
    Assumption, ClientFault, Door, Fault, Proof, Reach, Rewrite, Saboteur, ServerFault, Side, Speaker,
    Stanzas, StoreFault, Struck, UNBREAKABLE, WireFault, prove, saboteurs,
};
pub use crate::report::{About, Judged, Report, Totals, Verdict};
pub use crate::rules::{Document, Rules};
pub use crate::server::{Facility, ForeignServer};
pub use crate::suite::Suite;
pub use crate::turns::{take_turns, turn};
pub use crate::watch::{News, Task, Watch, attend};
