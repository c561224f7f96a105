#![doc = include_str!("../README.md")]

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
