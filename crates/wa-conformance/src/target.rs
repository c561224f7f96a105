//! What checks talk to: anybody's server, anybody's client, a local WhatsApp, and the bare wires between them.

pub(crate) mod backend;
pub(crate) mod chat;
pub(crate) mod device;
pub(crate) mod environment;
pub(crate) mod exchange;
pub(crate) mod form;
pub(crate) mod handset;
pub(crate) mod in_process;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod recorder;
pub(crate) mod server;
pub(crate) mod serving;
pub(crate) mod setting;
pub(crate) mod tokens;
pub(crate) mod user;
pub(crate) mod watch;
pub(crate) mod wire;
