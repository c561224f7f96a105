//! Sending: content to ciphertext to outbox; what has no session waits as rows (seed §3.1).

use rand_core::CryptoRng;
use wa_binary::Jid;
use wa_signal::Trust;
use wa_stanza::{Ack, Chatstate, DeviceLists, Iq, PrekeyBundles, Receipt, ReceiptKind};

use crate::event::NoSession;
use crate::key::Key;
use crate::messenger::conversation::{Conversation, REMEMBER, address, put_inbox, put_outbox};
use crate::messenger::input::Context;
use crate::messenger::requests::Request;
use crate::messenger::retry::signal_bundle;
use crate::messenger::view::{Draft, Stop, View};
use crate::row::{Devices, InboxEntry, InboxItem, Row};
use crate::{Command, Content, Event, Mark, MessageId, Ticket};

impl Context<'_> {
    pub(crate) fn command(
        &self,
        view: &View,
        ticket: Ticket,
        command: &Command,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        let mut draft = match command {
            Command::Send { to, id, content } => self.send(view, to, id, content, rng)?,
            Command::Confirm(event) => {
                let mut draft = Draft::default();
                draft.delete(Key::inbox(event.0));
                draft
            }
            Command::Enlisted(login) => {
                let mut account = view.account()?.clone();
                account.login = Some(login.clone());
                let mut draft = Draft::default();
                draft.put(Key::account(), Row::Account(Box::new(account)));
                draft
            }
            Command::Mark { from, ids, mark } => self.mark(view, from, ids, *mark)?,
            Command::Typing { to, typing } => {
                let state = Chatstate::new(to.clone().without_device(), *typing);
                Draft { transmits: vec![state.into()], ..Draft::default() }
            }
            Command::Ask(ask) => {
                Draft { requests: vec![Request::Ask(ticket, ask.clone())], ..Draft::default() }
            }
        };
        draft.accepted = Some(ticket);
        Ok(draft)
    }

    fn send(
        &self,
        view: &View,
        to: &Jid,
        id: &MessageId,
        content: &Content,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        let user = to.clone().without_device();
        let sent = Key::sent(&user, &id.0);
        let primary = address(&user, 0);
        view.need([Key::account(), Key::counters(), Key::peer(&primary), sent.clone()])?;
        if view.has(&sent)? {
            return Ok(Draft::default());
        }
        let mut conversation = Conversation::load(self, view, &primary, Draft::default())?;
        let message = conversation.accept(self, &id.0, content);
        if conversation.is_ready(self) {
            conversation.send(self, view, &message, rng)?;
            conversation.refresh_devices(self);
        } else {
            conversation.wait(self, message);
            conversation.ask(self);
        }
        Ok(conversation.finish())
    }

    /// One receipt for all; it stands in the outbox until the server has acked it. A message whose own receipt stands
    /// there already is left out.
    fn mark(&self, view: &View, from: &Jid, ids: &[MessageId], mark: Mark) -> Result<Draft, Stop> {
        let mut draft = Draft::default();
        let user = from.clone().without_device();
        let marked = |id: &MessageId| Key::marked(&user, &id.0);
        view.need(ids.iter().map(marked).chain([Key::counters()]))?;
        let mut new = Vec::with_capacity(ids.len());
        for id in ids {
            if !view.has(&marked(id))? {
                new.push(id);
            }
        }
        let wants_it = self.profile.chat.receipts == wa_profile::Receipts::DeliveryAndRead;
        let Some((first, more)) = new.split_first().filter(|_| wants_it) else { return Ok(draft) };
        let kind = match mark {
            Mark::Read => ReceiptKind::Read,
            Mark::Played => ReceiptKind::Played,
        };
        let receipt = Receipt::new(user.clone(), &*first.0, kind)
            .with_more_ids(more.iter().map(|id| id.0.as_str().into()))
            .with_t(self.now.unix);
        let mut counters = view.counters()?;
        if let Some(number) = put_outbox(&mut draft, &mut counters, receipt.into()) {
            let until = self.now.unix + REMEMBER;
            draft.put_until(marked(first), Row::Number(number), until);
            draft.expire(&Key::outbox(number), until);
        }
        draft.put_counters(counters);
        Ok(draft)
    }

    /// Messages for a user wait: asks for what is missing, or sends them.
    pub(crate) fn wake(&self, view: &View, user: &Jid, rng: &mut impl CryptoRng) -> Result<Draft, Stop> {
        let mut conversation = Conversation::load(self, view, &address(user, 0), Draft::default())?;
        conversation.send_waiting(self, view, rng)?;
        let is_unready = |device| !conversation.is_ready_for(self, &address(user, device));
        let waiting = view.waiting(user)?;
        // A device that asked for a message again, and is not on the list, is fetched too.
        let asking = waiting.iter().filter_map(|(_, message)| message.device);
        let asking: Vec<u16> = asking.filter(|&device| is_unready(device)).collect();
        asking.into_iter().for_each(|device| conversation.learn_device(device));
        if !waiting.is_empty() && !conversation.is_ready(self) {
            conversation.ask(self);
        }
        Ok(conversation.finish())
    }

    /// The server tells which devices a user has; without an answer there is the primary one.
    pub(crate) fn receive_devices(
        &self,
        view: &View,
        user: &Jid,
        iq: &Iq,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        let lists = DeviceLists::try_from(iq).map(|lists| lists.users).unwrap_or_default();
        let listed = lists.into_iter().find(|list| list.jid == *user).map(|list| list.devices);
        let mut devices = listed.filter(|devices| !devices.is_empty()).unwrap_or_else(|| vec![0]);
        devices.sort_unstable();
        devices.dedup();
        let addresses: Vec<Jid> = devices.iter().map(|&device| address(user, device)).collect();
        view.need(addresses.iter().map(Key::peer))?;
        let draft = Draft { fetched: Some(user.clone()), ..Draft::default() };
        let mut conversation = Conversation::load(self, view, &address(user, 0), draft)?;
        conversation.set_devices(view, Devices { devices, since: self.now.unix })?;
        self.go_on(view, conversation, rng)
    }

    /// Bundles of a user's devices have come: sessions begin and what waited goes out.
    pub(crate) fn receive_bundles(
        &self,
        view: &View,
        user: &Jid,
        devices: &[Jid],
        iq: &Iq,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        view.need(devices.iter().map(Key::peer))?;
        let draft = Draft { fetched: Some(user.clone()), ..Draft::default() };
        let mut conversation = Conversation::load(self, view, &address(user, 0), draft)?;
        for device in devices {
            if conversation.is_ready_for(self, device) {
                continue;
            }
            let begun = read_bundle(iq, device)
                .and_then(|bundle| self.begin(view, &mut conversation, device, &bundle, rng));
            match begun {
                Ok(()) => {}
                // A device without keys gets nothing; a user without keys gets nothing at all.
                Err(NoSession::Refused(_)) if device.device() != 0 => {
                    conversation.forget_device(device.device());
                }
                Err(why) => {
                    let event = Event::NoSession { peer: user.clone(), why };
                    conversation.draft.events.push(event);
                    return Ok(conversation.finish());
                }
            }
        }
        self.go_on(view, conversation, rng)
    }

    fn begin(
        &self,
        view: &View,
        conversation: &mut Conversation,
        device: &Jid,
        bundle: &wa_signal::Bundle,
        rng: &mut impl CryptoRng,
    ) -> Result<(), NoSession> {
        let Ok(account) = view.account() else { return Err(NoSession::Unreadable) };
        let session = conversation.session(device);
        let known = session.identity();
        session.establish(&account.identity.key, bundle, &Trust::Any, self.now.unix, rng)?;
        if known.is_some_and(|known| known != bundle.identity) {
            let what = InboxItem::Identity { key: Some(bundle.identity) };
            let peer = conversation.user.clone();
            conversation.put_inbox(InboxEntry { peer, ids: Vec::new(), what });
        }
        Ok(())
    }

    /// Sends what waited, or asks for what is still missing.
    fn go_on(
        &self,
        view: &View,
        mut conversation: Conversation,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        conversation.send_waiting(self, view, rng)?;
        if !conversation.is_ready(self) && !view.waiting(&conversation.user)?.is_empty() {
            let user = conversation.user.clone();
            conversation.draft.wake.push(user);
        }
        Ok(conversation.finish())
    }

    /// The server has a stanza of ours, or refuses it for good: it leaves the outbox.
    pub(crate) fn receive_ack(&self, view: &View, ack: &Ack) -> Result<Draft, Stop> {
        let Some(user) = ack.from.clone().map(Jid::without_device) else { return Ok(Draft::default()) };
        match &*ack.class {
            "message" => self.receive_message_ack(view, ack, &user),
            "receipt" => receive_mark_ack(view, ack, &user),
            _ => Ok(Draft::default()),
        }
    }

    fn receive_message_ack(&self, view: &View, ack: &Ack, user: &Jid) -> Result<Draft, Stop> {
        let sent = Key::sent(user, &ack.id);
        view.need([Key::counters(), sent.clone()])?;
        let mut draft = Draft::default();
        let Some(sent) = view.sent(&sent)? else { return Ok(draft) };
        draft.delete(Key::outbox(sent.number));
        if let Some(code) = ack.error {
            let ids = vec![ack.id.to_string()];
            let entry = InboxEntry { peer: user.clone(), ids, what: InboxItem::Rejected { code } };
            let mut counters = view.counters()?;
            put_inbox(&mut draft, &mut counters, entry);
            draft.put_counters(counters);
        }
        Ok(draft)
    }
}

/// A read receipt has arrived. Delivery receipts for the same messages have acks too; those have no type (observed).
fn receive_mark_ack(view: &View, ack: &Ack, user: &Jid) -> Result<Draft, Stop> {
    let mut draft = Draft::default();
    let is_mark = |kind: &wa_binary::Str| *kind == *"read" || *kind == *"played";
    if !ack.kind.as_ref().is_some_and(is_mark) {
        return Ok(draft);
    }
    let marked = Key::marked(user, &ack.id);
    view.need([marked.clone()])?;
    if let Some(number) = view.number(&marked)? {
        draft.delete(Key::outbox(number));
        draft.delete(marked);
    }
    Ok(draft)
}

fn read_bundle(iq: &Iq, device: &Jid) -> Result<wa_signal::Bundle, NoSession> {
    if let wa_stanza::IqKind::Error(error) = &iq.kind {
        return Err(NoSession::Refused(error.code));
    }
    let users = PrekeyBundles::try_from(iq).map_err(|_| NoSession::Unreadable)?.users;
    let user = users.into_iter().find(|user| user.jid == *device).ok_or(NoSession::Unreadable)?;
    let bundle = user.bundle.map_err(|error| NoSession::Refused(error.code))?;
    Ok(signal_bundle(&bundle))
}
