#![doc = include_str!("../README.md")]

mod chat;
mod encryption;
mod enlistment;
mod error;
#[cfg(feature = "file")]
mod file;
mod media;
mod profile;
mod push;
mod token;
mod version;

pub use crate::chat::{
    Chat, Deletion, Failures, LoginRules, NoiseDialect, Ping, Reachability, Receipts, VersionAtLogin,
};
pub use crate::encryption::{
    Encryption, OneTimePrekeys, RecipientDevices, SafetyNumber, SignedPrekeyRules, UserAddress,
};
pub use crate::enlistment::{Enlistment, EnlistmentSpelling, IntegratorOfLogin};
pub use crate::error::VersionError;
#[cfg(feature = "file")]
pub use crate::file::{ProfileFileError, ProfileTextError};
pub use crate::media::{MediaFetchAuth, MediaRules, SidecarCoverage};
pub use crate::profile::{InteropSuffixRules, Profile};
pub use crate::push::Push;
pub use crate::token::TokenRules;
pub use crate::version::ProtocolVersion;
