//! Mailboxes: what waits for an account, and how it comes to the client (overview §3.2.1; the batches are observed).
//!
//! A client fetches what waits in batches (`<offline_batch count>`) and is told of the end with `<offline count>`, the
//! number of all that was handed to this connection. After a batch that is not the last nothing is said: the client asks
//! again. One that says `<active/>` gets everything. One that does neither, and has acked all that it was given, gets the
//! rest after [`PATIENCE`] seconds. From the end on, what comes goes out at once.

use wa_binary::{Jid, Node};

use crate::account::Mail;
use crate::sabotage::Lapse;
use crate::session::from_server;
use crate::world::{ConnectionId, World};

/// Seconds after which a client that does not fetch its mailbox gets it all the same.
pub(crate) const PATIENCE: u64 = 10;

/// At how many one-time prekeys left the client is told.
pub(crate) const LOW_PREKEYS: usize = 10;

impl World {
    /// Puts a stanza into an account's mailbox, and on its way if the client is there.
    pub(crate) fn deliver(&mut self, number: u64, node: Node) {
        let Some(account) = self.accounts.get_mut(&number) else { return };
        let from = node.attr("from").filter(|_| !account.blocked.is_empty());
        let from = from.and_then(wa_binary::AttrValue::to_jid).map(Jid::without_device);
        if from.is_some_and(|from| account.blocked.contains(&from.to_string())) {
            return;
        }
        let (login, sent_on) = (account.login.clone(), account.connection.filter(|_| account.live));
        account.mailbox.push_back(Mail { since: self.now, node: node.clone(), sent_on });
        let is_away = account.connection.is_none() || self.sabotage.neglects(Lapse::WakesEverybody);
        if is_away && node.is("message") {
            self.wanted_pushes.wake(account.integrator, &account.identifier);
        }
        self.note_delivery(&login, &node);
        if let Some(id) = sent_on {
            self.send(id, &node);
        }
    }

    /// Hands out up to so many of what waits; when nothing is left, says so and goes live.
    pub(crate) fn hand_out(&mut self, id: ConnectionId, number: u64, most: usize) {
        let now = self.now;
        let Some(account) = self.accounts.get_mut(&number) else { return };
        account.last_fetch = now;
        let batch = account.waiting(id).take(most).map(|mail| {
            mail.sent_on = Some(id);
            mail.node.clone().with_attr("offline", "1")
        });
        let batch: Vec<Node> = batch.collect();
        account.handed += u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let (handed, is_last) = (account.handed, account.waiting(id).next().is_none());
        account.live |= is_last;
        batch.iter().for_each(|mail| self.send(id, mail));
        if is_last {
            let end = Node::new("offline").with_attr("count", handed);
            self.send(id, &from_server("ib").with_child(end));
        }
    }

    /// Clients that were handed nothing for a while, and owe no ack, get what waits.
    pub(crate) fn hand_out_unasked(&mut self) {
        let patient = self.accounts.iter().filter_map(|(number, account)| {
            let id = account.connection.filter(|_| !account.live)?;
            let is_patient = self.now.saturating_sub(account.last_fetch) >= PATIENCE;
            let owes = account.mailbox.iter().any(|mail| mail.sent_on == Some(id));
            (is_patient && !owes).then_some((*number, id))
        });
        for (number, id) in patient.collect::<Vec<_>>() {
            self.hand_out(id, number, usize::MAX);
        }
    }

    /// Tells a client that its one-time prekeys run low, unless it has been told and has not acked it yet.
    pub(crate) fn announce_low_prekeys(&mut self, number: u64) {
        let Some(account) = self.accounts.get(&number) else { return };
        let left = account.prekeys.len();
        let is_told = account.mailbox.iter().any(|mail| mail.node.child("count").is_some());
        if left > LOW_PREKEYS || is_told {
            return;
        }
        let count = Node::new("count").with_attr("value", u64::try_from(left).unwrap_or(u64::MAX));
        let notification = self.notification(&Jid::whatsapp(), "encrypt").with_child(count);
        self.deliver(number, notification);
    }

    /// The beginning of a notification.
    pub(crate) fn notification(&mut self, from: &Jid, kind: &'static str) -> Node {
        let notification = Node::new("notification").with_attr("from", from);
        let notification = notification.with_attr("id", self.stanza_id()).with_attr("type", kind);
        notification.with_attr("t", self.now)
    }
}
