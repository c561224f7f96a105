//! One user's sessions and the counters, taken out of their rows to be changed together, and the draft they end in.

use std::collections::{BTreeMap, BTreeSet};

use wa_binary::Jid;
use wa_keys::PublicKey;
use wa_profile::RecipientDevices;
use wa_signal::{Ciphertext, Kind, SessionRecord, SkipLimits};
use wa_stanza::{Enc, EncKind};

use crate::content::{Envelope, pad};
use crate::key::Key;
use crate::messenger::fan_out::write_message;
use crate::messenger::state::draft::Draft;
use crate::messenger::state::requests::Request;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::row::{
    Counters, Devices, InboxEntry, InboxItem, NOT_NUMBERED, OutboxEntry, OutboxKind, Resent, Row, Sent,
    Waiting,
};
use crate::store::Value;
use crate::{Content, EncodedStanza};

/// Seconds for which a message's id is remembered, and its content kept.
pub(crate) const REMEMBER: u64 = 30 * 24 * 60 * 60;

/// Seconds for which keys of overtaken messages are kept: as long as a mailbox keeps the messages, and five days more.
pub(crate) const KEEP_KEYS: u64 = 35 * 24 * 60 * 60;

/// Contents that are kept for retry receipts; the oldest goes first.
const MAX_CONTENTS: u64 = 10_000;

/// Seconds after which a list of devices is asked for again, while messages go to the old one.
const DEVICES_AGE: u64 = 24 * 60 * 60;

/// What a step with one user changes.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) user: Jid,
    /// To which devices messages go; none while the server has not been asked.
    devices: Option<Devices>,
    loaded: BTreeMap<Jid, Device>,
    /// Devices whose sessions are to be written.
    changed: BTreeSet<Jid>,
    pub(crate) counters: Counters,
    pub(crate) draft: Draft,
    /// Until when keys of overtaken messages are kept.
    keys_until: u64,
}

/// One device of the user's.
#[derive(Debug, Default)]
struct Device {
    session: SessionRecord,
    /// Its newest identity, and whether that has a row.
    identity: Option<PublicKey>,
    is_kept: bool,
}

impl Device {
    fn load(step: &Step<'_>, address: &Jid) -> Result<Self, Stop> {
        let view = step.view;
        let limits = SkipLimits::default().with_forward_jump(step.profile.encryption.forward_jump);
        let session = view.session(address)?.with_limits(limits);
        // The first programs kept identities in sessions alone.
        let kept = view.identity(address)?;
        let identity = kept.or_else(|| session.identity());
        Ok(Self { session, identity, is_kept: kept.is_some() })
    }
}

impl Conversation {
    /// With the rows as they are; the sessions are those of all devices that messages go to, and of `address`.
    pub(crate) fn load(step: &Step<'_>, address: &Jid, draft: Draft) -> Result<Self, Stop> {
        let view = step.view;
        let user = address.clone().without_device();
        let devices = match step.profile.encryption.recipient_devices {
            RecipientDevices::PrimaryAndListed => {
                let own = [Key::account(), Key::counters(), Key::devices(&user)];
                view.need(own.into_iter().chain(keys_of(address)))?;
                view.devices(&user)?
            }
            _ => Some(Devices { devices: vec![0], since: step.now.unix }),
        };
        let mut addresses = addresses(&user, devices.as_ref());
        if !addresses.contains(address) {
            addresses.push(address.clone());
        }
        let own = [Key::account(), Key::counters()];
        view.need(own.into_iter().chain(addresses.iter().flat_map(keys_of)))?;
        let device = |address: Jid| Ok((address.clone(), Device::load(step, &address)?));
        Ok(Self {
            loaded: addresses.into_iter().map(device).collect::<Result<_, Stop>>()?,
            counters: view.counters()?,
            changed: BTreeSet::new(),
            user,
            devices,
            draft,
            keys_until: step.now.unix + KEEP_KEYS,
        })
    }

    /// The session of a device that was loaded.
    pub(crate) fn session(&mut self, address: &Jid) -> &mut SessionRecord {
        self.changed.insert(address.clone());
        &mut self.loaded.entry(address.clone()).or_default().session
    }

    /// Whether a message can be encrypted to everyone that it goes to.
    pub(crate) fn is_ready(&self, step: &Step<'_>) -> bool {
        self.devices.is_some() && self.unready(step).is_empty()
    }

    /// Whether a message can be encrypted to this device.
    pub(crate) fn is_ready_for(&self, step: &Step<'_>, address: &Jid) -> bool {
        self.loaded.get(address).is_some_and(|device| device.session.can_encrypt(step.now.unix))
    }

    /// The devices without a session that can encrypt.
    fn unready(&self, step: &Step<'_>) -> Vec<Jid> {
        let mut unready = addresses(&self.user, self.devices.as_ref());
        unready.retain(|address| !self.is_ready_for(step, address));
        unready
    }

    /// Ends the sessions with all devices that were loaded.
    pub(crate) fn archive_all(&mut self) {
        for (address, device) in &mut self.loaded {
            device.session.archive_current();
            self.changed.insert(address.clone());
        }
    }

    /// Asks the server for what is missing, unless that is under way.
    pub(crate) fn ask(&mut self, step: &Step<'_>) {
        if step.fetching.contains(&self.user) {
            return;
        }
        let request = match &self.devices {
            None => Request::Devices(self.user.clone()),
            Some(_) => Request::Bundles { user: self.user.clone(), devices: self.unready(step) },
        };
        self.draft.request(request);
    }

    /// Asks for the devices again if the list is old.
    pub(crate) fn refresh_devices(&mut self, step: &Step<'_>) {
        let since = self.devices.as_ref().map(|devices| devices.since);
        let is_old = since.is_some_and(|since| step.now.is_due(since, DEVICES_AGE));
        if is_old && !step.fetching.contains(&self.user) {
            self.draft.request(Request::Devices(self.user.clone()));
        }
    }

    /// Messages go to these devices from now on; their sessions must be loaded.
    pub(crate) fn set_devices(&mut self, step: &Step<'_>, devices: Devices) -> Result<(), Stop> {
        for address in addresses(&self.user, Some(&devices)) {
            let device = Device::load(step, &address)?;
            self.loaded.entry(address).or_insert(device);
        }
        self.draft.put(Key::devices(&self.user), Row::Devices(devices.clone()));
        self.devices = Some(devices);
        Ok(())
    }

    /// Messages go to this device too.
    pub(crate) fn learn_device(&mut self, device: u16) {
        if let Some(known) = &mut self.devices
            && !known.devices.contains(&device)
        {
            known.devices.push(device);
            self.draft.put(Key::devices(&self.user), Row::Devices(known.clone()));
        }
    }

    /// Messages go to this device no more: it has no keys.
    pub(crate) fn forget_device(&mut self, device: u16) {
        if let Some(known) = &mut self.devices {
            known.devices.retain(|&it| it != device);
            self.draft.put(Key::devices(&self.user), Row::Devices(known.clone()));
        }
    }

    /// Keeps a new message's content for retry receipts, and gives what is to be sent.
    pub(crate) fn accept(&mut self, step: &Step<'_>, id: &str, content: &Content) -> Waiting {
        let content = content.encode(&self.user, step.now.unix);
        let kept = self.counters.next_content;
        self.counters.next_content += 1;
        let until = step.now.unix + REMEMBER;
        self.draft.put_until(Key::content(kept), Row::Content(content.clone()), until);
        if let Some(oldest) = kept.checked_sub(MAX_CONTENTS) {
            self.draft.delete(Key::content(oldest));
        }
        Waiting { id: id.to_owned(), content, device: None, resent: 0, kept }
    }

    /// Encrypts one message into the outbox. The ciphertexts stand there until the server has acked them.
    pub(crate) fn send(
        &mut self,
        step: &mut Step<'_>,
        message: &Waiting,
        envelope: &Envelope,
    ) -> Result<(), Stop> {
        let addresses = match message.device {
            Some(device) => vec![address(&self.user, device)],
            None => addresses(&self.user, self.devices.as_ref()),
        };
        let mut encs = Vec::with_capacity(addresses.len());
        for address in addresses {
            let Some(mut enc) = self.encrypt(step, &address, message)? else { continue };
            enc.media_type = envelope.media_type();
            enc.hide_failure = envelope.hide_failure;
            encs.push((address, enc));
        }
        let stanza = write_message(&self.user, message, envelope, encs);
        // What this crate writes is within the format; were it not, it would be dropped here.
        if let Ok(stanza) = EncodedStanza::new(stanza.into(), step.profile) {
            let kind = message.device.map_or(OutboxKind::Message, OutboxKind::Resent);
            let entry = OutboxEntry { stanza, peer: self.user.clone(), id: message.id.clone(), kind };
            let number = put_outbox(&mut self.draft, &mut self.counters, entry);
            self.remember_sent(step, message, number)?;
        }
        Ok(())
    }

    fn encrypt(
        &mut self,
        step: &mut Step<'_>,
        address: &Jid,
        message: &Waiting,
    ) -> Result<Option<Enc>, Stop> {
        let padded = pad(&message.content, &step.profile.encryption.padding, &mut step.rng);
        let local = &step.view.account()?.identity;
        // That the session can encrypt was asked before.
        let now = step.now.unix;
        let encrypted = self.session(address).encrypt(local, &padded, now, &mut step.rng);
        let Ok(Ciphertext { kind, bytes }) = encrypted else { return Ok(None) };
        let kind = if kind == Kind::PreKey { EncKind::PkMsg } else { EncKind::Msg };
        let mut enc = Enc::new(kind, bytes);
        enc.count = (message.resent > 0).then_some(message.resent);
        Ok(Some(enc))
    }

    /// Encrypts everything that waited for a session, in its order, as far as there is one now.
    pub(crate) fn send_waiting(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        let view = step.view;
        let waiting = view.waiting(&self.user)?;
        view.need(waiting.iter().map(|(_, message)| Key::sent(&self.user, &message.id)))?;
        for (key, message) in waiting {
            let is_ready = match message.device {
                None => self.is_ready(step),
                Some(device) => self.is_ready_for(step, &address(&self.user, device)),
            };
            if is_ready {
                let envelope = Content::decode(message.content.clone()).envelope();
                self.send(step, message, &envelope)?;
                self.draft.delete(key.clone());
            }
        }
        Ok(())
    }

    /// Keeps a message until there is a session.
    pub(crate) fn wait(&mut self, step: &Step<'_>, message: Waiting) -> Result<(), Stop> {
        self.remember_sent(step, &message, NOT_NUMBERED)?;
        self.draft.put(Key::waiting(&self.user, self.counters.next_outbox), Row::Waiting(message));
        self.counters.next_outbox += 1;
        Ok(())
    }

    /// Marks a message of the peer's as decrypted.
    pub(crate) fn remember_seen(&mut self, step: &Step<'_>, id: &str) {
        self.draft.put_until(Key::seen(&self.user, id), Row::Seen, step.now.unix + REMEMBER);
    }

    /// Appends to the inbox something about this user.
    pub(crate) fn put_inbox(&mut self, ids: Vec<String>, what: InboxItem) {
        let entry = InboxEntry { peer: self.user.clone(), ids, what };
        put_inbox(&mut self.draft, &mut self.counters, entry);
    }

    /// Keeps the identity that a device has proved, and tells of one that is not the newest known.
    pub(crate) fn notice_identity(&mut self, address: &Jid, identity: PublicKey) {
        let device = self.loaded.entry(address.clone()).or_default();
        let known = device.identity.replace(identity);
        if known != Some(identity) || !std::mem::replace(&mut device.is_kept, true) {
            self.draft.put(Key::identity(address), Row::Identity(identity));
        }
        if known.is_some_and(|known| known != identity) {
            self.put_inbox(Vec::new(), InboxItem::Identity { key: Some(identity) });
        }
    }

    /// The draft with the changed rows in it.
    pub(crate) fn finish(mut self) -> Draft {
        for address in &self.changed {
            if let Some(mut device) = self.loaded.remove(address) {
                let key = Key::peer(address);
                for (id, block) in device.session.take_block_changes() {
                    let block = block.map(|block| Row::KeyBlock(Value::new(block.to_vec())));
                    self.draft.set_until(Key::key_block(&key, id), block, self.keys_until);
                }
                self.draft.put(key, Row::Peer(Box::new(device.session)));
            }
        }
        self.draft.put(Key::counters(), Row::Counters(self.counters));
        self.draft
    }

    /// Remembers where a message stands now, for all its devices or for the one that it is sent to again.
    fn remember_sent(&mut self, step: &Step<'_>, message: &Waiting, number: u64) -> Result<(), Stop> {
        let key = Key::sent(&self.user, &message.id);
        let new = || Sent { number, content: message.kept, devices: BTreeMap::new() };
        let mut sent = step.view.sent(&key)?.unwrap_or_else(new);
        match message.device {
            Some(device) => {
                sent.devices.insert(device, Resent { times: message.resent, number });
            }
            None => sent.number = number,
        }
        self.draft.put_until(key, Row::Sent(sent), step.now.unix + REMEMBER);
        Ok(())
    }
}

/// The rows of one device.
pub(crate) fn keys_of(address: &Jid) -> [Key; 2] {
    [Key::peer(address), Key::identity(address)]
}

/// The address of a user's device.
pub(crate) fn address(user: &Jid, device: u16) -> Jid {
    // Users of servers whose addresses have no devices keep the one they have.
    user.clone().with_device(device).unwrap_or_else(|_| user.clone())
}

fn addresses(user: &Jid, devices: Option<&Devices>) -> Vec<Jid> {
    let devices = devices.map_or(&[][..], |it| &it.devices);
    let mut addresses: Vec<Jid> = devices.iter().map(|&device| address(user, device)).collect();
    // A user without devices has one address.
    addresses.dedup();
    addresses
}

/// Appends to the outbox; the counters are the caller's to put.
pub(crate) fn put_outbox(draft: &mut Draft, counters: &mut Counters, entry: OutboxEntry) -> u64 {
    let number = counters.next_outbox;
    counters.next_outbox += 1;
    draft.put(Key::outbox(number), Row::Outbox(entry.clone()));
    draft.effects.outbox.push((number, entry));
    number
}

/// Appends to the inbox; the counters are the caller's to put.
pub(crate) fn put_inbox(draft: &mut Draft, counters: &mut Counters, entry: InboxEntry) {
    let number = counters.next_inbox;
    counters.next_inbox += 1;
    draft.put(Key::inbox(number), Row::Inbox(entry.clone()));
    draft.effects.inbox.push((number, entry));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addressed(user: &str, devices: Vec<u16>) -> Vec<String> {
        let devices = Devices { devices, since: 0 };
        let user: Jid = user.parse().unwrap();
        addresses(&user, Some(&devices)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_device_has_one_address() {
        let user = "1415@s.whatsapp.net";
        assert_eq!(addressed(user, vec![0, 3]), [user, "1415:3@s.whatsapp.net"]);
        // This server has no addresses of devices: nobody is written to twice.
        let user = "2-77@interop";
        assert_eq!(addressed(user, vec![0, 3]), [user]);
    }
}
