//! Media: encryption, verification, direct paths and transfers as values (overview §4.1; RO 1.0.3; cipher observed).
//!
//! A message carries a [`MediaKey`], two hashes, a length and a direct path; the file itself lies, encrypted, on a
//! media host. Nothing here has a runtime, a clock or a socket: files are `Read` and `Write`, transfers are
//! `http` values.
//!
//! ```text
//! send:    file → Encryptor → encrypted file + FileFacts → Upload → DirectPath in the message
//! receive: DirectPath → Download → encrypted file → FileVerifier → Verified → Decryptor → file
//! ```
//!
//! Only a [`Verified`] file can be decrypted, and only a decryption that [`finish`](Decryptor::finish)es has given
//! the file that was meant.
//!
//! ```
//! use wa_media::{MediaClass, MediaError, MediaKey, MediaKeys, decrypt, encrypt};
//!
//! let key = MediaKey::from_bytes([7; 32]);
//! let keys = MediaKeys::derive(&key, MediaClass::Image);
//! let (mut blob, encrypted) = encrypt(&keys, b"a picture");
//! assert_eq!(decrypt(&keys, &encrypted.facts, &blob)?, b"a picture");
//!
//! blob[3] ^= 1;
//! assert_eq!(decrypt(&keys, &encrypted.facts, &blob), Err(MediaError::EncryptedHash));
//! # Ok::<(), MediaError>(())
//! ```

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
