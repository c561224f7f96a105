//! What the application wants: content to ciphertext to outbox; what has no session waits as a row (overview §3.1).

use wa_binary::Jid;
use wa_keys::PublicKey;
use wa_profile::Receipts;
use wa_stanza::{Chatstate, Receipt, ReceiptKind};

use crate::key::Key;
use crate::messenger::conversation::{Conversation, REMEMBER, address, put_outbox};
use crate::messenger::state::draft::Draft;
use crate::messenger::state::requests::Request;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::row::{Counters, OutboxEntry, OutboxKind, Row};
use crate::{Answer, Ask, Command, Content, EncodedStanza, Event, Mark, MessageId, NoSession, Ticket};

/// Messages of one read or played receipt (our choice); a mark of more is several receipts.
const MAX_MARKED: usize = 256;

impl Step<'_> {
    pub(super) fn command(&mut self, ticket: Ticket, command: &Command) -> Result<Draft, Stop> {
        let mut draft = match command {
            Command::Send { to, id, content } => self.send(to, id, content)?,
            Command::Confirm(event) => {
                let mut draft = Draft::default();
                draft.delete(Key::inbox(event.0));
                draft
            }
            Command::ConfirmThrough(event) => {
                let mut draft = Draft::default();
                let until = self.unconfirmed.partition_point(|number| *number <= event.0);
                self.unconfirmed.range(..until).for_each(|number| draft.delete(Key::inbox(*number)));
                draft
            }
            Command::Enlisted(login) => {
                let mut account = self.view.account()?.clone();
                account.login = Some(login.clone());
                Draft::of(Key::account(), Row::Account(Box::new(account)))
            }
            Command::Mark { from, ids, mark } => self.mark(from, ids, *mark)?,
            Command::Typing { to, typing } => {
                let mut draft = Draft::default();
                let to = self.peer(&to.clone().without_device(), [])?;
                draft.transmit(Chatstate::new(self.named(&to)?, *typing));
                draft
            }
            Command::AcceptIdentity { address, key } => self.accept_identity(address, key)?,
            Command::Ask(Ask::Identities(user)) => self.tell_identities(ticket, user)?,
            Command::Ask(ask) => {
                let mut draft = Draft::default();
                draft.request(Request::Ask(ticket, ask.clone()));
                draft
            }
        };
        draft.effects.accepted.push(ticket);
        Ok(draft)
    }

    fn send(&mut self, to: &Jid, id: &MessageId, content: &Content) -> Result<Draft, Stop> {
        let to = to.clone().without_device();
        let own = [Key::account(), Key::counters(), Key::sent(&to, &id.0)];
        self.view.need_with_waiting(&to, own.into_iter().chain(Key::of_device(&to)))?;
        let user = self.peer(&to, [])?;
        let (sent, primary) = (Key::sent(&user, &id.0), address(&user, 0));
        let is_behind = self.view.need_with_waiting(&user, [sent.clone()])?;
        if self.view.has(&sent)? {
            return Ok(Draft::default());
        }
        let mut conversation = Conversation::load(self, &primary, Draft::default())?;
        let has_sent = conversation.look_after_recipients(self)?;
        if is_behind && !has_sent {
            // A session may be there again that was not when they were accepted: a clock went back.
            conversation.send_waiting(self)?;
        }
        let message = conversation.accept(self, &id.0, content);
        if conversation.is_ready(self) {
            conversation.send(self, &message, &content.envelope())?;
            conversation.refresh_devices(self);
        } else {
            conversation.wait(self, message)?;
            if conversation.is_held() {
                conversation.draft.tell(Event::NoSession { peer: user, why: NoSession::Held });
            }
            conversation.ask(self);
        }
        Ok(conversation.finish())
    }

    /// What was held because of it goes out.
    fn accept_identity(&mut self, address: &Jid, key: &PublicKey) -> Result<Draft, Stop> {
        let address = self.peer(address, [])?;
        let mut conversation = Conversation::load(self, &address, Draft::default())?;
        conversation.accept_identity(&address, key);
        self.go_on(conversation)
    }

    fn tell_identities(&self, ticket: Ticket, user: &Jid) -> Result<Draft, Stop> {
        let user = self.peer(&user.clone().without_device(), [])?;
        let conversation = Conversation::load(self, &address(&user, 0), Draft::default())?;
        let mut draft = Draft::default();
        let answer = Ok(Answer::Identities(conversation.identities()));
        draft.tell(Event::Answered { ticket, answer });
        Ok(draft)
    }

    /// One receipt for as many as fit; it stands in the outbox until the server has acked it. A message whose own receipt
    /// stands there already is left out.
    fn mark(&self, from: &Jid, ids: &[MessageId], mark: Mark) -> Result<Draft, Stop> {
        let mut draft = Draft::default();
        let from = from.clone().without_device();
        let user = self.peer(&from, ids.iter().map(|id| marked(&from, id, mark)))?;
        let marked = |id: &MessageId| marked(&user, id, mark);
        self.view.need(ids.iter().map(marked).chain([Key::counters()]))?;
        let mut new = Vec::with_capacity(ids.len());
        for id in ids {
            if !self.view.has(&marked(id))? {
                new.push(id);
            }
        }
        if self.profile.chat.receipts != Receipts::DeliveryAndRead || new.is_empty() {
            return Ok(draft);
        }
        let mut counters = self.view.counters()?;
        for ids in new.chunks(MAX_MARKED) {
            self.put_mark(&mut draft, &mut counters, &user, ids, mark)?;
        }
        draft.put_counters(counters);
        Ok(draft)
    }

    fn put_mark(
        &self,
        draft: &mut Draft,
        counters: &mut Counters,
        user: &Jid,
        ids: &[&MessageId],
        mark: Mark,
    ) -> Result<(), Stop> {
        let Some((first, more)) = ids.split_first() else { return Ok(()) };
        let (kind, outbox) = match mark {
            Mark::Read => (ReceiptKind::Read, OutboxKind::Receipt),
            Mark::Played => (ReceiptKind::Played, OutboxKind::Played),
        };
        let receipt = Receipt::new(self.named(user)?, &*first.0, kind)
            .with_more_ids(more.iter().map(|id| id.0.as_str().into()))
            .with_t(self.now.unix);
        if let Ok(receipt) = EncodedStanza::new(receipt.into(), self.profile) {
            let (peer, id, kind) = (user.clone(), first.0.clone(), outbox);
            let entry = OutboxEntry { stanza: receipt, peer, id, kind, since: None };
            let number = put_outbox(draft, counters, entry);
            let until = self.now.unix + REMEMBER;
            draft.put_until(marked(user, first, mark), Row::Number(number), until);
            draft.expire(&Key::outbox(number), until);
        }
        Ok(())
    }
}

/// The row that keeps a receipt from being sent twice.
fn marked(user: &Jid, id: &MessageId, mark: Mark) -> Key {
    match mark {
        Mark::Read => Key::marked(user, &id.0),
        Mark::Played => Key::played(user, &id.0),
    }
}
