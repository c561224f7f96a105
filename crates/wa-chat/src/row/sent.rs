//! A row of a message that was accepted: where it stands, and what became of it at each device.

use std::collections::BTreeMap;

use wa_proto::record;

/// The version that counts for each device by itself.
const VERSION: u32 = 2;

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
    /// The devices that asked for it again.
    pub(crate) devices: BTreeMap<u16, Resent>,
}

/// What became of a message at a device that asked for it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resent {
    /// How often it was sent again.
    pub(crate) times: u32,
    /// Where that stands in the outbox, or stood until it was acked.
    pub(crate) number: u64,
}

impl Sent {
    /// How often the message was sent again to a device.
    pub(crate) fn times(&self, device: u16) -> u32 {
        self.devices.get(&device).map_or(0, |resent| resent.times)
    }

    /// Whether it waits for a session with the device.
    pub(crate) fn waits_for(&self, device: u16) -> bool {
        let resent = self.devices.get(&device).map_or(0, |resent| resent.number);
        self.number == NOT_NUMBERED || resent == NOT_NUMBERED
    }

    pub(super) fn form(&self) -> record::Sent {
        let resent = |(device, resent): (&u16, &Resent)| record::Resent {
            device: u32::from(*device),
            times: resent.times,
            number: resent.number,
        };
        record::Sent {
            version: VERSION,
            number: self.number,
            content: self.content,
            resent: None,
            devices: self.devices.iter().map(resent).collect(),
        }
    }

    pub(super) fn read(form: record::Sent) -> Option<Self> {
        let mut sent = Self { number: form.number, content: form.content, devices: BTreeMap::new() };
        match (form.version, form.resent) {
            // It was counted for all devices together, and most users have one. Where it waits to be sent again, it was
            // in the outbox once: only a message that was never there waits for all devices.
            (1, Some(times)) if times > 0 => {
                sent.number = sent.number.min(GONE);
                sent.devices.insert(0, Resent { times, number: sent.number });
            }
            (1, Some(_)) => {}
            (VERSION, None) => {
                for resent in form.devices {
                    let device = u16::try_from(resent.device).ok()?;
                    sent.devices.insert(device, Resent { times: resent.times, number: resent.number });
                }
            }
            _ => return None,
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
        };
        let sent = Sent::read(form(2)).unwrap();
        assert_eq!((sent.number, sent.content, sent.times(0), sent.times(7)), (4, 3, 2, 0));
        assert_eq!(Sent::read(sent.form()), Some(sent));
        assert_eq!(Sent::read(form(0)).unwrap().devices.len(), 0);
        // One that waited to be sent again may be asked for once more; one that was never sent may not.
        let waiting = |resent| Sent::read(record::Sent { number: NOT_NUMBERED, ..form(resent) }).unwrap();
        assert!(!waiting(1).waits_for(0) && !waiting(1).waits_for(7));
        assert!(waiting(0).waits_for(0) && waiting(0).waits_for(7));
        assert_eq!(Sent::read(record::Sent { version: 3, ..form(0) }), None);
    }
}
