//! What of a phone outlives the program.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::phone::device::{Device, DeviceState};
use crate::phone::{Phone, Receipt, Received, SharedDevice};

/// A phone's devices and history.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PhoneState {
    devices: BTreeMap<u16, DeviceState>,
    hollow: BTreeSet<u16>,
    received: VecDeque<Received>,
    receipts: VecDeque<Receipt>,
    typing: VecDeque<Value>,
    notices: VecDeque<String>,
    reached_by: BTreeSet<String>,
    blocked: BTreeSet<String>,
    bundles: u64,
}

impl Phone {
    pub(crate) fn save(&self) -> PhoneState {
        PhoneState {
            devices: self.devices.iter().map(|(id, device)| (*id, device.lock().save())).collect(),
            hollow: self.hollow.clone(),
            received: self.received.clone(),
            receipts: self.receipts.clone(),
            typing: self.typing.clone(),
            notices: self.notices.clone(),
            reached_by: self.reached_by.clone(),
            blocked: self.blocked.clone(),
            bundles: self.bundles,
        }
    }

    /// Goes on from what was kept; nothing if a device of it cannot be used.
    pub(crate) fn load(&mut self, state: PhoneState) -> Option<()> {
        let devices = state
            .devices
            .into_iter()
            .map(|(id, device)| Some((id, SharedDevice::new(Device::load(device)?))));
        self.devices = devices.collect::<Option<_>>()?;
        self.hollow = state.hollow;
        self.received = state.received;
        self.receipts = state.receipts;
        self.typing = state.typing;
        self.notices = state.notices;
        self.reached_by = state.reached_by;
        self.blocked = state.blocked;
        self.bundles = state.bundles;
        Some(())
    }
}
