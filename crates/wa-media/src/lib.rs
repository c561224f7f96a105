#![doc = include_str!("../README.md")]

mod class;
mod content_range;
mod decryptor;
mod direct_path;
mod download;
mod encryptor;
mod error;
mod facts;
mod file;
mod key;
#[cfg(feature = "metadata")]
mod metadata;
mod sidecar;
mod upload;
mod verifier;

pub use class::MediaClass;
pub use content_range::ContentRange;
pub use decryptor::{Decryptor, decrypt};
pub use direct_path::DirectPath;
pub use download::{Arrival, Download};
pub use encryptor::{Encrypted, Encryptor, encrypt};
pub use error::{DirectPathError, FileError, MediaError, TransferError};
pub use facts::FileFacts;
pub use file::{encrypt_stream, open_file, verify_stream};
/// In public signatures, in the version that they mean.
pub use http;
pub use key::{MediaKey, MediaKeys};
#[cfg(feature = "metadata")]
pub use metadata::{Metadata, THUMBNAIL_EDGE};
pub use sidecar::Sidecar;
pub use upload::Upload;
pub use verifier::{FileVerifier, Verified};
