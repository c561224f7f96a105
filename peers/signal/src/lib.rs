//! The Signal session beside the official library, which is asked, and beside wacore-libsignal, which is timed.

pub mod conversation;
pub mod oracle;
pub mod ours;
pub mod pairs;
pub mod party;
pub mod reference;
pub mod schedule;
