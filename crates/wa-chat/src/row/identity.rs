//! A row of a peer's device: its newest identity key, and what may be done with it.

use wa_keys::PublicKey;
use wa_proto::record;

use super::VERSION;

/// How far the application knows that messages go to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// It was not told, or messages go there no more.
    Overheard = 0,
    /// It was told, in the commit that wrote this. What waits for the device goes out in the commit that ends this.
    Told = 1,
    /// Messages go there.
    Recipient = 2,
}

impl Standing {
    fn from_number(number: u32) -> Option<Self> {
        [Self::Overheard, Self::Told, Self::Recipient].into_iter().find(|&it| it as u32 == number)
    }
}

/// What is known of a device's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The newest key.
    pub(crate) key: PublicKey,
    /// Whether messages go to this device. The first programs did not say.
    pub(crate) standing: Option<Standing>,
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
        let standing = Some(Standing::Overheard);
        Self { key, standing, is_held: false, is_outdated: false, post_quantum: false }
    }

    /// What the row of a device says. The first programs told only of changes: that messages go to a user is known from
    /// them, that they go to other devices than the first is still to be told.
    pub(crate) fn read_for(self, device: u16) -> Self {
        let first = if device == 0 { Standing::Recipient } else { Standing::Overheard };
        Self { standing: self.standing.or(Some(first)), ..self }
    }

    /// The key of a session, where the first programs kept it alone.
    pub(crate) fn of_session(key: PublicKey, device: u16) -> Self {
        Self { standing: None, ..Self::new(key) }.read_for(device)
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing.unwrap_or(Standing::Overheard)
    }

    /// With another standing.
    pub(crate) fn with_standing(self, standing: Standing) -> Self {
        Self { standing: Some(standing), ..self }
    }

    /// Whether something may be encrypted for it.
    pub(crate) fn is_usable(&self) -> bool {
        self.standing() == Standing::Recipient && !self.is_held && !self.is_outdated
    }

    pub(super) fn form(&self) -> record::Identity {
        record::Identity {
            version: VERSION,
            key: self.key.as_bytes().to_vec(),
            standing: self.standing.map(|standing| standing as u32),
            is_held: self.is_held.then_some(true),
            is_outdated: self.is_outdated.then_some(true),
            post_quantum: self.post_quantum.then_some(true),
        }
    }

    pub(super) fn from_form(form: &record::Identity) -> Option<Self> {
        Some(Self {
            key: PublicKey::from_slice(&form.key).ok()?,
            standing: match form.standing {
                Some(standing) => Some(Standing::from_number(standing)?),
                None => None,
            },
            is_held: form.is_held.unwrap_or_default(),
            is_outdated: form.is_outdated.unwrap_or_default(),
            post_quantum: form.post_quantum.unwrap_or_default(),
        })
    }
}
