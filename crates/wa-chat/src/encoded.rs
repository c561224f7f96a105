//! A stanza as bytes, made once: what the outbox keeps is what the channel flags, seals and frames.

use bytes::Bytes;
use wa_binary::{EncodeError, EncodeOptions, InteropSuffix, Node};
use wa_noise::MAX_FRAME;
use wa_profile::Profile;
use wa_stanza::Stanza;

/// Bytes that sealing adds: the tag of AES-GCM.
pub(crate) const TAG: usize = 16;

/// A stanza in the binary token codec (overview §2.1.2), without the flag byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedStanza(Bytes);

impl EncodedStanza {
    /// Encodes a stanza as the profile wants it.
    ///
    /// # Errors
    /// It is outside the format: the caller's fault.
    pub fn new(stanza: Stanza, profile: &Profile) -> Result<Self, EncodeError> {
        let suffix =
            if profile.interop_suffix.client_writes { InteropSuffix::Write } else { InteropSuffix::Omit };
        let options = EncodeOptions::new().with_interop_suffix(suffix);
        // Many wait for a slow line: without room to spare.
        Ok(Self(wa_binary::encode(&Node::from(stanza), &options)?.into_boxed_slice().into()))
    }

    /// A stanza that was encoded before, as a row keeps it.
    pub(crate) fn stored(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Whether a frame can carry it, with the flag byte before it and the tag of AES-GCM behind.
    pub(crate) fn fits_frame(&self) -> bool {
        1 + self.0.len() + TAG <= MAX_FRAME
    }

    /// The encoded node.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}
