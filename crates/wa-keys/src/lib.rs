//! X25519 keys and XEdDSA signatures: what Signal, the Noise handshake and enlistment share (overview §1.2.2, §3).
//!
//! One private key agrees ([`PrivateKey::agree`]) and signs ([`PrivateKey::sign`]); one public key verifies
//! ([`PublicKey::verify`]). On the wire a public key is either 32 raw bytes (stanzas, enlistment, handshake) or
//! 33 bytes with [`KEY_TYPE`] in front (inside Signal messages and under signatures).
//!
//! Secrets are boxed, wiped on drop and redacted in `Debug`; agreement with a point of small order is an error;
//! verification accepts only what an honest signer can make. Randomness is an argument.
//!
//! ```
//! # use rand::rngs::SysRng;
//! # use rand_core::UnwrapErr;
//! use wa_keys::PrivateKey;
//!
//! let mut rng = UnwrapErr(SysRng);
//! let (ours, theirs) = (PrivateKey::generate(&mut rng), PrivateKey::generate(&mut rng));
//! let signature = ours.sign(b"a signed prekey", &mut rng);
//! assert!(ours.public_key().verify(b"a signed prekey", &signature).is_ok());
//! assert!(ours.agree(&theirs.public_key()).is_ok());
//! ```

mod error;
mod private_key;
mod public_key;
mod signature;
mod verifier;

pub use crate::error::{BadKey, BadSignature, ZeroSecret};
pub use crate::private_key::{PrivateKey, SharedSecret};
pub use crate::public_key::{KEY_TYPE, PublicKey};
pub use crate::signature::Signature;
pub use crate::verifier::Verifier;
/// In public signatures, in the version that they mean.
pub use rand_core;
