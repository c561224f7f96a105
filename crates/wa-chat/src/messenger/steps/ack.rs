//! Acks: the server has a stanza of ours, or refuses it for good (overview §3.1).

use wa_binary::Jid;
use wa_stanza::Ack;

use crate::Status;
use crate::key::Key;
use crate::messenger::conversation::put_inbox;
use crate::messenger::state::draft::Draft;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::row::{InboxEntry, InboxItem, OutboxKind};

impl Step<'_> {
    /// What was acked leaves the outbox.
    pub(super) fn receive_ack(&self, ack: &Ack) -> Result<Draft, Stop> {
        match (&*ack.class, &ack.from) {
            ("message", Some(from)) => self.receive_message_ack(ack, &self.peer(from, [])?),
            ("receipt", Some(from)) if is_mark(ack) => Ok(self.receive_mark_ack(ack, &self.peer(from, [])?)),
            _ => Ok(Draft::default()),
        }
    }

    fn receive_message_ack(&self, ack: &Ack, from: &Jid) -> Result<Draft, Stop> {
        let mut draft = Draft::default();
        let Some(number) = self.unacked.message(from, &ack.id) else { return Ok(draft) };
        if ack.error.is_some_and(is_passing) {
            // The next connection sends it again.
            return Ok(draft);
        }
        draft.delete(Key::outbox(number));
        let what = match ack.error {
            Some(code) => InboxItem::Rejected { code },
            // That the server has it is told of the first copy.
            None if self.unacked.is_first(number) => {
                InboxItem::Receipt { status: Status::Sent, timestamp: ack.t }
            }
            None => return Ok(draft),
        };
        let mut counters = self.view.counters()?;
        let (peer, ids) = (from.clone().without_device(), vec![ack.id.to_string()]);
        put_inbox(&mut draft, &mut counters, InboxEntry { peer, ids, what });
        draft.put_counters(counters);
        Ok(draft)
    }

    /// A read or played receipt has arrived.
    fn receive_mark_ack(&self, ack: &Ack, from: &Jid) -> Draft {
        let mut draft = Draft::default();
        let is_played = ack.kind.as_ref().is_some_and(|kind| *kind == *"played");
        if let Some((number, kind)) = self.unacked.receipt(from, &ack.id, is_played) {
            let user = from.clone().without_device();
            draft.delete(Key::outbox(number));
            draft.delete(match kind {
                OutboxKind::Played => Key::played(&user, &ack.id),
                _ => Key::marked(&user, &ack.id),
            });
        }
        draft
    }
}

/// Whether it acks a read or played receipt. Delivery receipts for the same messages have acks too; those have no type
/// (observed).
fn is_mark(ack: &Ack) -> bool {
    ack.kind.as_ref().is_some_and(|kind| *kind == *"read" || *kind == *"played")
}

/// Whether the server refuses a message for reasons of its own, which pass.
fn is_passing(code: u16) -> bool {
    matches!(code, 500..600)
}
