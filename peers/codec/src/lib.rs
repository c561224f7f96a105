//! The token codec beside wacore-binary's: what both are given, and how both are read.

pub mod agreement;
pub mod generated;
pub mod inputs;
pub mod reading;
