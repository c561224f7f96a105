//! A row of a message that was accepted: where it stands, and what became of it at each device.

use std::collections::BTreeMap;

use wa_proto::record;

/// The version that knows every device that the message was encrypted to.
const VERSION: u32 = 3;

/// The number of a message that still waits for its session.
pub(crate) const NOT_NUMBERED: u64 = u64::MAX;

/// Where a message stands that is not in the outbox any more, if nobody knows where it was: behind every row.
const GONE: u64 = NOT_NUMBERED - 1;

/// A message that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Where it stands in the outbox, or stood until it was acked.
    pub(crate) number: u64,
    /// Where its content is kept.
    pub(crate) content: u64,
    /// The devices that it was encrypted to; none while it waits for its first session.
    pub(crate) devices: BTreeMap<u16, Dispatch>,
    /// When it was accepted for sending, in Unix seconds. The first programs did not say.
    pub(crate) since: Option<u64>,
}

/// What became of a message at a device that it was encrypted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dispatch {
    /// How often it was sent again.
    pub(crate) times: u32,
    /// Where the last copy stands in the outbox, or stood until it was acked.
    pub(crate) number: u64,
    /// It has arrived there: it is not encrypted again.
    pub(crate) is_delivered: bool,
}

impl Sent {
    /// Whether it waits for a session with the device.
    pub(crate) fn waits_for(&self, device: u16) -> bool {
        let copy = self.devices.get(&device).map_or(0, |copy| copy.number);
        self.number == NOT_NUMBERED || copy == NOT_NUMBERED
    }

    /// Whether nothing of it is still to be encrypted: it has arrived at each device.
    pub(crate) fn is_delivered(&self) -> bool {
        !self.devices.is_empty() && self.devices.values().all(|copy| copy.is_delivered)
    }

    /// Whether a copy for this device, or for all, would be encrypted for nobody: it has arrived already.
    pub(crate) fn has_arrived(&self, device: Option<u16>) -> bool {
        match device {
            Some(device) => self.devices.get(&device).is_some_and(|copy| copy.is_delivered),
            None => self.is_delivered(),
        }
    }

    pub(super) fn form(&self) -> record::Sent {
        let copy = |(device, copy): (&u16, &Dispatch)| record::Resent {
            device: u32::from(*device),
            times: copy.times,
            number: copy.number,
            is_delivered: copy.is_delivered.then_some(true),
        };
        record::Sent {
            version: VERSION,
            number: self.number,
            content: self.content,
            resent: None,
            devices: self.devices.iter().map(copy).collect(),
            since: self.since,
        }
    }

    pub(super) fn read(form: record::Sent) -> Option<Self> {
        let (number, content, since) = (form.number, form.content, form.since);
        let mut sent = Self { number, content, devices: BTreeMap::new(), since };
        match (form.version, form.resent) {
            // It was counted for all devices together, and most users have one. Where it waits to be sent again, it was
            // in the outbox once: only a message that was never there waits for all devices.
            (1, Some(times)) if times > 0 => {
                sent.number = sent.number.min(GONE);
                sent.devices.insert(0, Dispatch { times, number: sent.number, is_delivered: false });
            }
            (1, Some(_)) => {}
            (2 | VERSION, None) => {
                for copy in form.devices {
                    let device = u16::try_from(copy.device).ok()?;
                    let is_delivered = copy.is_delivered.unwrap_or_default();
                    sent.devices
                        .insert(device, Dispatch { times: copy.times, number: copy.number, is_delivered });
                }
            }
            _ => return None,
        }
        // Before, only devices that asked again were known; the first one was always among those written to.
        if form.version < VERSION && sent.number != NOT_NUMBERED {
            let first = Dispatch { times: 0, number: sent.number, is_delivered: false };
            sent.devices.entry(0).or_insert(first);
        }
        Some(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_version_counted_for_all_devices_together() {
        let form = |resent| record::Sent {
            version: 1,
            number: 4,
            content: 3,
            resent: Some(resent),
            devices: Vec::new(),
            since: None,
        };
        let sent = Sent::read(form(2)).unwrap();
        let times = |device| sent.devices.get(&device).map_or(0, |it| it.times);
        assert_eq!((sent.number, sent.content, times(0), times(7)), (4, 3, 2, 0));
        assert_eq!(Sent::read(sent.form()), Some(sent));
        assert_eq!(Sent::read(form(0)).unwrap().devices.keys().collect::<Vec<_>>(), [&0]);
        // One that waited to be sent again may be asked for once more; one that was never sent may not.
        let waiting = |resent| Sent::read(record::Sent { number: NOT_NUMBERED, ..form(resent) }).unwrap();
        assert!(!waiting(1).waits_for(0) && !waiting(1).waits_for(7));
        assert!(waiting(0).waits_for(0) && waiting(0).waits_for(7));
        assert_eq!(Sent::read(record::Sent { version: 4, ..form(0) }), None);
    }
}
