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
//! * *seed §n*: the published overview document;
//! * *RO 1.0.3*: the later reference offer specification, known second-hand;
//! * *observed*: what WhatsApp's own clients, or independent clients of the live service, do;
//! * *assumed*: a choice of this project, with its reason. The partner documentation decides.

mod chat;
mod encryption;
mod enlistment;
mod error;
mod media;
mod profile;
mod push;
mod token;
mod version;

pub use chat::{Chat, Deletion, Failures, Login, NoiseDialect, Ping, Reachability, Receipts, VersionAtLogin};
pub use encryption::{Encryption, OneTimePrekeys, RecipientDevices, SignedPrekey, UserAddress};
pub use enlistment::{Enlistment, EnlistmentSpelling, IntegratorOfLogin};
pub use error::VersionError;
pub use media::{Media, MediaFetchAuth, SidecarCoverage};
pub use profile::{InteropSuffix, Profile};
pub use push::Push;
pub use token::TokenRules;
pub use version::ProtocolVersion;
