//! One user's sessions and the counters, taken out of their rows to be changed together, and the draft they end in.

use std::collections::{BTreeMap, BTreeSet};

use wa_binary::Jid;
use wa_profile::RecipientDevices;
use wa_signal::{Ciphertext, Kind, SessionRecord};
use wa_stanza::{Enc, EncKind};

use crate::content::{Envelope, pad};
use crate::key::Key;
use crate::messenger::fan_out::write_message;
use crate::messenger::recipients::Device;
use crate::messenger::state::draft::Draft;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::row::{
    Counters, Devices, Dispatch, InboxEntry, InboxItem, NOT_NUMBERED, OutboxEntry, OutboxKind, Row, Sent,
    Waiting,
};
use crate::store::Value;
use crate::{Content, EncodedStanza};

/// Seconds for which a message's id is remembered.
pub(crate) const REMEMBER: u64 = 30 * 24 * 60 * 60;

/// Seconds for which a content is kept for a device that has not had it: as long as one may sleep and still ask for it again.
const KEEP_CONTENT: u64 = 14 * 24 * 60 * 60;

/// Whether a message that was accepted then has waited for too long, by the date that our clock and the server's vouch for.
pub(crate) fn has_expired(since: Option<u64>, swept: Option<u64>) -> bool {
    is_older(since, swept, REMEMBER)
}

/// Whether the content of a message that was accepted then is kept no more, though its row may still be there.
pub(crate) fn is_forgotten(since: Option<u64>, swept: Option<u64>) -> bool {
    is_older(since, swept, KEEP_CONTENT)
}

fn is_older(since: Option<u64>, swept: Option<u64>, age: u64) -> bool {
    since.zip(swept).is_some_and(|(since, swept)| swept.saturating_sub(since) > age)
}

/// Seconds for which keys of overtaken messages are kept: as long as a mailbox keeps the messages, and five days more.
pub(crate) const KEEP_KEYS: u64 = 35 * 24 * 60 * 60;

/// Contents that are kept for retry receipts; the oldest goes first.
const MAX_CONTENTS: u64 = 10_000;

/// What a step with one user changes.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) user: Jid,
    /// The address of theirs that stanzas name.
    pub(super) named: Jid,
    /// To which devices messages go; none while the server has not been asked.
    pub(super) devices: Option<Devices>,
    pub(super) loaded: BTreeMap<Jid, Device>,
    /// Devices whose sessions are to be written.
    pub(super) changed: BTreeSet<Jid>,
    pub(crate) counters: Counters,
    pub(crate) draft: Draft,
    /// Until when keys of overtaken messages are kept.
    keys_until: u64,
}

impl Conversation {
    /// With the rows as they are; the sessions are those of all devices that messages go to, and of `address`.
    pub(crate) fn load(step: &Step<'_>, address: &Jid, draft: Draft) -> Result<Self, Stop> {
        let view = step.view;
        let user = address.clone().without_device();
        let keys = Key::of_device(address);
        let own = [Key::account(), Key::counters()].into_iter().chain(keys.iter().cloned());
        let devices = match step.profile.encryption.recipient_devices {
            RecipientDevices::PrimaryAndListed => {
                let list = Key::devices(&user);
                view.need(own.chain([list.clone()]))?;
                view.devices(&list)?.map(|list| existing(&user, list))
            }
            _ => {
                view.need(own)?;
                Some(Devices::new(vec![0], step.now.unix))
            }
        };
        // The first device is looked at whether the server has listed it or not.
        let others = addresses(&user, devices.as_ref()).into_iter().chain([self::address(&user, 0)]);
        let others: BTreeSet<Jid> = others.filter(|other| other != address).collect();
        let others: Vec<_> = others.into_iter().map(|it| (Key::of_device(&it), it)).collect();
        view.need(others.iter().flat_map(|(keys, _)| keys.iter().cloned()))?;
        let device = |(keys, address): (_, Jid)| Ok((address.clone(), Device::load(step, &address, keys)?));
        Ok(Self {
            loaded: others
                .into_iter()
                .chain([(keys, address.clone())])
                .map(device)
                .collect::<Result<_, Stop>>()?,
            counters: view.counters()?,
            changed: BTreeSet::new(),
            named: step.named(&user)?,
            user,
            devices,
            draft,
            keys_until: step.now.unix + KEEP_KEYS,
        })
    }

    /// The session of a device that was loaded.
    pub(crate) fn session(&mut self, address: &Jid) -> &mut SessionRecord {
        self.changed.insert(address.clone());
        &mut self.device(address).session
    }

    /// Keeps a new message's content for retry receipts, and gives what is to be sent.
    pub(crate) fn accept(&mut self, step: &Step<'_>, id: &str, content: &Content) -> Waiting {
        let content = content.encode(&self.user, step.now.unix);
        let kept = self.counters.next_content;
        self.counters.next_content += 1;
        let until = step.now.unix + KEEP_CONTENT;
        self.draft.put_until(Key::content(kept), Row::Content(content.clone()), until);
        if let Some(oldest) = kept.checked_sub(MAX_CONTENTS) {
            self.draft.delete(Key::content(oldest));
        }
        let since = Some(step.now.unix);
        Waiting { id: id.to_owned(), content, device: None, resent: 0, kept, since }
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
        let (mut encs, mut devices) = (Vec::with_capacity(addresses.len()), Vec::new());
        for address in addresses {
            let Some(mut enc) = self.encrypt(step, &address, message)? else { continue };
            devices.push(address.device());
            enc.media_type = envelope.media_type();
            enc.hide_failure = envelope.hide_failure;
            encs.push((self::address(&self.named, address.device()), enc));
        }
        let stanza = write_message(&self.named, message, envelope, encs);
        // What this crate writes is within the format; were it not, it would be dropped here.
        if let Ok(stanza) = EncodedStanza::new(stanza.into(), step.profile) {
            let kind = message.device.map_or(OutboxKind::Message, OutboxKind::Resent);
            let (peer, id) = (self.user.clone(), message.id.clone());
            let entry = OutboxEntry { stanza, peer, id, kind, since: message.since };
            let number = put_outbox(&mut self.draft, &mut self.counters, entry);
            self.remember_sent(step, message, number, &devices)?;
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
            let sent = view.sent(&Key::sent(&self.user, &message.id))?;
            if sent.is_some_and(|sent| sent.has_arrived(message.device)) {
                // It was under way while it waited to be sent again.
                self.draft.delete(key.clone());
            } else if has_expired(message.since, self.counters.swept) {
                self.draft.delete(key.clone());
                self.put_inbox(vec![message.id.clone()], InboxItem::Expired);
            } else if is_ready {
                let envelope = Content::decode(message.content.clone()).envelope();
                self.send(step, message, &envelope)?;
                self.draft.delete(key.clone());
            }
        }
        Ok(())
    }

    /// Keeps a message until there is a session.
    pub(crate) fn wait(&mut self, step: &Step<'_>, message: Waiting) -> Result<(), Stop> {
        self.remember_sent(step, &message, NOT_NUMBERED, &[])?;
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

    /// The draft with the changed rows in it.
    pub(crate) fn finish(mut self) -> Draft {
        for address in &self.changed {
            if let Some(mut device) = self.loaded.remove(address) {
                let [key, _] = device.keys;
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

    /// Remembers where a message stands now, and the devices that it was encrypted to.
    fn remember_sent(
        &mut self,
        step: &Step<'_>,
        message: &Waiting,
        number: u64,
        devices: &[u16],
    ) -> Result<(), Stop> {
        let key = Key::sent(&self.user, &message.id);
        let (content, since) = (message.kept, message.since);
        let new = || Sent { number, content, devices: BTreeMap::new(), since };
        // One step may send a message to several devices again.
        let mut sent = match self.draft.sent(&key) {
            Some(sent) => sent.clone(),
            None => step.view.sent(&key)?.unwrap_or_else(new),
        };
        if message.device.is_none() {
            sent.number = number;
        }
        for device in message.device.iter().chain(devices) {
            let dispatch = Dispatch { times: message.resent, number, is_delivered: false };
            sent.devices.insert(*device, dispatch);
        }
        self.draft.put_until(key, Row::Sent(sent), step.now.unix + REMEMBER);
        Ok(())
    }
}

/// The address of a user's device.
pub(crate) fn address(user: &Jid, device: u16) -> Jid {
    // Users of servers whose addresses have no devices keep the one they have.
    user.clone().with_device(device).unwrap_or_else(|_| user.clone())
}

/// The list without devices whose numbers no address of the user's has: `address` would take them for the first one.
pub(super) fn existing(user: &Jid, mut list: Devices) -> Devices {
    list.devices.retain(|&device| user.clone().with_device(device).is_ok());
    list
}

pub(super) fn addresses(user: &Jid, devices: Option<&Devices>) -> Vec<Jid> {
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
        let devices = Devices::new(devices, 0);
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
