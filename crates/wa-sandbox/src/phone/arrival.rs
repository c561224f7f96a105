//! A message that has arrived at a phone's device: it is opened without the world, which may be busy with others then.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rand_core::CryptoRng;
use wa_binary::{AttrValue, Jid, Node, Str};

use crate::phone::{Device, Opened};

/// A device, as its phone and the messages that it is to open have it.
#[derive(Clone, Debug)]
pub(crate) struct SharedDevice(Arc<Mutex<Device>>);

/// A message for one device of a phone, judged by the rules.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) from: Jid,
    pub(crate) id: Str,
    pub(crate) device: u16,
    /// What the stanza says beside its content, in the order of [`NAMES`].
    pub(crate) attributes: Attributes,
    pub(crate) enc: Enc,
}

pub(crate) type Attributes = [Option<Str>; NAMES.len()];

/// Names under which the attributes are shown: three of the message, then two of its `<enc>`.
pub(crate) const NAMES: [&str; 5] = ["type", "edit", "mediatype", "count", "enc"];

/// What is encrypted.
#[derive(Debug)]
pub(crate) struct Enc {
    pub(crate) is_prekey: bool,
    pub(crate) bytes: Bytes,
}

/// A delivery, and the device that opens it.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The sender's account.
    pub(crate) account: u64,
    /// The phone, or one device of it.
    pub(crate) to: Jid,
    pub(crate) delivery: Delivery,
    device: SharedDevice,
}

impl SharedDevice {
    pub(crate) fn new(device: Device) -> Self {
        Self(Arc::new(Mutex::new(device)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Device> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Delivery {
    pub(crate) fn new(from: Jid, id: Str, device: u16, (message, enc): (&Node, &Node)) -> Self {
        let attributes = [
            text(message, "type"),
            text(message, "edit"),
            text(enc, "mediatype"),
            text(enc, "count"),
            text(enc, "type"),
        ];
        Self { from, id, device, attributes, enc: enc.into() }
    }
}

fn text(node: &Node, name: &str) -> Option<Str> {
    match node.attr(name)? {
        AttrValue::Text(text) => Some(text.clone()),
        AttrValue::Jid(_) => None,
    }
}

impl From<&Node> for Enc {
    fn from(enc: &Node) -> Self {
        let bytes = Bytes::copy_from_slice(enc.bytes().unwrap_or_default());
        Self { is_prekey: enc.attr_str("type") != Some("msg"), bytes }
    }
}

impl Arrival {
    pub(crate) fn new(account: u64, to: Jid, delivery: Delivery, device: SharedDevice) -> Self {
        Self { account, to, delivery, device }
    }

    /// Whether this is the device that opens it.
    pub(crate) fn is_for(&self, device: &SharedDevice) -> bool {
        Arc::ptr_eq(&self.device.0, &device.0)
    }

    /// Decrypts it, or says what to do instead.
    pub(crate) fn open(&self, rng: &mut impl CryptoRng) -> Opened {
        let Delivery { from, id, enc, .. } = &self.delivery;
        self.device.lock().open(from, id, enc, rng)
    }
}
