//! Media hosting: what our users send lies here until WhatsApp's proxy fetches it (overview §4.1; RO 1.0.3).
//!
//! ```text
//! POST {base}/media             the user's client uploads an encrypted file, and learns its storage reference
//! GET  {base}/{reference}       WhatsApp's proxy fetches it: the message said so to the other user
//! ```
//!
//! The server sees ciphertext only, and who has the reference may fetch it. The reference itself is nowhere stored:
//! rows and files are named by its SHA-256.

mod blobs;
mod downloads;
mod fetch;
mod host;
mod range;
mod reference;
mod store;
mod sweep;
mod upload;

pub use blobs::Blobs;
#[cfg(feature = "s3")]
pub use blobs::S3Bucket;
pub use host::{MediaHost, MediaRules};
pub use range::ByteRange;
pub use reference::StorageReference;
pub use store::{Beginning, Begun, DAY, Doomed, Entry, Hosted, MediaQuota, MediaStore};
pub use sweep::{Findings, Removal, Swept};
