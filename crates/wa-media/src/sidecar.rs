//! The streaming sidecar: a short MAC for each 64 KiB, so that a player verifies what it plays (observed; the
//! sources disagree on what is covered).

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use wa_profile::SidecarCoverage;

use crate::{MediaError, MediaKeys};

/// Ten bytes of HMAC-SHA256 for each window: window *n* is the bytes from *n* × 64 KiB up to 16 bytes into the
/// next one, of what [`SidecarCoverage`] says.
#[derive(Clone, PartialEq, Eq)]
pub struct Sidecar(Vec<u8>);

impl Sidecar {
    /// The sidecar that a message carries.
    ///
    /// # Errors
    /// [`MediaError::SidecarLength`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MediaError> {
        let length = bytes.len();
        if !length.is_multiple_of(TAG) || length > LENGTH_MAX {
            return Err(MediaError::SidecarLength { length });
        }
        Ok(Self(bytes.to_vec()))
    }

    /// As it stands in a message.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many windows it has.
    #[must_use]
    pub const fn windows(&self) -> usize {
        self.0.len() / TAG
    }

    /// Whether these bytes are window `index`.
    ///
    /// # Errors
    /// [`MediaError::SidecarWindow`] if they differ or there is no such window.
    pub fn check(&self, keys: &MediaKeys, index: usize, window: &[u8]) -> Result<(), MediaError> {
        let differs = MediaError::SidecarWindow { index };
        let tag = self.0.chunks_exact(TAG).nth(index).ok_or(differs)?;
        let mut mac = keys.hmac();
        mac.update(window);
        mac.verify_truncated_left(tag).map_err(|_| differs)
    }
}

impl fmt::Debug for Sidecar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sidecar").field("windows", &self.windows()).finish()
    }
}

/// Makes a sidecar from an encrypted file as it comes: at most two windows are open at a time.
pub(crate) struct Windows {
    fresh: Hmac<Sha256>,
    current: Hmac<Sha256>,
    /// The window before, until it has its 16 bytes of this one.
    previous: Option<Hmac<Sha256>>,
    /// Bytes of the current window.
    filled: usize,
    tags: Vec<u8>,
}

impl Windows {
    pub(crate) fn new(keys: &MediaKeys, coverage: SidecarCoverage) -> Self {
        let fresh = keys.hmac();
        let mut windows = Self { current: fresh.clone(), fresh, previous: None, filled: 0, tags: Vec::new() };
        if coverage == SidecarCoverage::WithIv {
            windows.update(&keys.iv);
        }
        windows
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.filled == WINDOW {
                self.previous = Some(std::mem::replace(&mut self.current, self.fresh.clone()));
                self.filled = 0;
            }
            let end = if self.filled < OVERLAP { OVERLAP } else { WINDOW };
            let (now, later) = bytes.split_at(bytes.len().min(end - self.filled));
            self.current.update(now);
            self.filled += now.len();
            if end == OVERLAP
                && let Some(previous) = &mut self.previous
            {
                previous.update(now);
            }
            if self.filled == OVERLAP
                && let Some(previous) = self.previous.take()
            {
                self.close(previous);
            }
            bytes = later;
        }
    }

    pub(crate) fn finish(mut self) -> Sidecar {
        if let Some(previous) = self.previous.take() {
            self.close(previous);
        }
        if self.filled > 0 {
            let current = self.current.clone();
            self.close(current);
        }
        Sidecar(self.tags)
    }

    fn close(&mut self, window: Hmac<Sha256>) {
        let tag = window.finalize().into_bytes();
        self.tags.extend_from_slice(tag.get(..TAG).unwrap_or_default());
    }
}

const WINDOW: usize = 64 * 1024;
const OVERLAP: usize = 16;
const TAG: usize = 10;
/// A sidecar of this length belongs to a file of more than 6 GiB.
const LENGTH_MAX: usize = 1_000_000;

#[cfg(test)]
mod tests;
