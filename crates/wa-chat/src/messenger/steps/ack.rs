//! Acks: the server has a stanza of ours, or refuses it for good (seed §3.1).

use wa_binary::{Jid, Str};
use wa_stanza::Ack;

use crate::key::Key;
use crate::messenger::conversation::put_inbox;
use crate::messenger::state::draft::Draft;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::row::{InboxEntry, InboxItem};

impl Step<'_> {
    /// What was acked leaves the outbox.
    pub(super) fn receive_ack(&self, ack: &Ack) -> Result<Draft, Stop> {
        let Some(user) = ack.from.clone().map(Jid::without_device) else { return Ok(Draft::default()) };
        match &*ack.class {
            "message" => self.receive_message_ack(ack, &user),
            "receipt" => self.receive_mark_ack(ack, &user),
            _ => Ok(Draft::default()),
        }
    }

    fn receive_message_ack(&self, ack: &Ack, user: &Jid) -> Result<Draft, Stop> {
        let sent = Key::sent(user, &ack.id);
        self.view.need([Key::counters(), sent.clone()])?;
        let mut draft = Draft::default();
        let Some(sent) = self.view.sent(&sent)? else { return Ok(draft) };
        draft.delete(Key::outbox(sent.number));
        if let Some(code) = ack.error {
            let ids = vec![ack.id.to_string()];
            let entry = InboxEntry { peer: user.clone(), ids, what: InboxItem::Rejected { code } };
            let mut counters = self.view.counters()?;
            put_inbox(&mut draft, &mut counters, entry);
            draft.put_counters(counters);
        }
        Ok(draft)
    }

    /// A read receipt has arrived. Delivery receipts for the same messages have acks too; those have no type (observed).
    fn receive_mark_ack(&self, ack: &Ack, user: &Jid) -> Result<Draft, Stop> {
        let mut draft = Draft::default();
        let is_mark = |kind: &Str| *kind == *"read" || *kind == *"played";
        if !ack.kind.as_ref().is_some_and(is_mark) {
            return Ok(draft);
        }
        let marked = Key::marked(user, &ack.id);
        self.view.need([marked.clone()])?;
        if let Some(number) = self.view.number(&marked)? {
            draft.delete(Key::outbox(number));
            draft.delete(marked);
        }
        Ok(draft)
    }
}
