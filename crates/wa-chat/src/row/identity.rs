//! A row of a peer's device: its newest identity key, and what may be done with it.

use wa_keys::PublicKey;
use wa_proto::record;

use super::VERSION;

/// What is known of a device's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The newest key.
    pub(crate) key: PublicKey,
    /// The application was told that messages go to this device. The first programs did not say.
    pub(crate) is_announced: Option<bool>,
    /// The application has not accepted the key.
    pub(crate) is_held: bool,
    /// The server says that there is another key, which is not known yet.
    pub(crate) is_outdated: bool,
    /// The device offered keys once that quantum computers do not break.
    pub(crate) post_quantum: bool,
}

impl Identity {
    /// A key that nothing is known about.
    pub(crate) fn new(key: PublicKey) -> Self {
        Self { key, is_announced: Some(false), is_held: false, is_outdated: false, post_quantum: false }
    }

    /// What the row of a device says. The first programs told only of changes: that messages go to a user is known from
    /// them, that they go to other devices than the first is still to be told.
    pub(crate) fn read_for(self, device: u16) -> Self {
        Self { is_announced: self.is_announced.or(Some(device == 0)), ..self }
    }

    /// The key of a session, where the first programs kept it alone.
    pub(crate) fn of_session(key: PublicKey, device: u16) -> Self {
        Self { is_announced: None, ..Self::new(key) }.read_for(device)
    }

    /// Whether messages go to the device, and the application was told.
    pub(crate) fn is_announced(&self) -> bool {
        self.is_announced == Some(true)
    }

    /// Whether something may be encrypted for it.
    pub(crate) fn is_usable(&self) -> bool {
        self.is_announced() && !self.is_held && !self.is_outdated
    }

    pub(super) fn form(&self) -> record::Identity {
        record::Identity {
            version: VERSION,
            key: self.key.as_bytes().to_vec(),
            is_announced: self.is_announced,
            is_held: self.is_held.then_some(true),
            is_outdated: self.is_outdated.then_some(true),
            post_quantum: self.post_quantum.then_some(true),
        }
    }

    pub(super) fn of(form: &record::Identity) -> Option<Self> {
        Some(Self {
            key: PublicKey::from_slice(&form.key).ok()?,
            is_announced: form.is_announced,
            is_held: form.is_held.unwrap_or_default(),
            is_outdated: form.is_outdated.unwrap_or_default(),
            post_quantum: form.post_quantum.unwrap_or_default(),
        })
    }
}
