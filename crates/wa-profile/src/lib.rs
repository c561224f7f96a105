//! The profile: what is not public about WhatsApp's interoperability, or differs between document versions.
//!
//! The published documents leave gaps, and where they speak they sometimes disagree. Every such value is a
//! field of one [`Profile`], and nothing else in the workspace holds one. When WhatsApp's partner
//! documentation says otherwise, an integrator changes a field, not a crate:
//!
//! ```
//! use wa_profile::{Profile, ProtocolVersion};
//!
//! let mut profile = Profile::reference_offer_1_0_3();
//! profile.version = ProtocolVersion::new(1, 0, 4);
//! profile.chat.host = "chat.example".to_owned();
//! assert_eq!(profile.version.to_string(), "1.0.4");
//! ```
//!
//! Each field names its source:
//!
//! * *overview §n*: the published overview document;
//! * *RO 1.0.3*: the later reference offer specification, known second-hand;
//! * *observed*: what WhatsApp's own clients, or independent clients of the live service, do;
//! * *assumed*: a choice of this project, with its reason. The partner documentation decides.

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
