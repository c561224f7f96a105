//! RSA keys and RS256 (RFC 7518 §3.3, §6.3) over josekit, which the two files of this module alone use.
//!
//! josekit's traps stay in here. A private `Jwk` prints itself, so none is kept and `Debug` is written by hand.
//! Building a signer costs several signatures, so it is built once. Its reader of DER takes as much memory as a
//! length announces, so a file is measured by another before. Its payload type writes fractional dates,
//! panics on huge ones and takes absent claims for valid ones; its header type fixes no order; its key set
//! refuses everything for one odd member and still finds what was removed. So tokens and key sets are read and
//! written in `tokens/issuer.rs` and in `wa-jwt` from bytes, and only the arithmetic of a
//! signature is asked for here. OpenSSL draws a new key's randomness itself: the one source that is not an
//! argument.

mod signing_key;
mod verifying_key;

pub use signing_key::SigningKey;
pub use verifying_key::rs256;
