//! What left on this connection and has not been acked: an ack finds its row of the outbox here, and needs no other.

use std::collections::BTreeMap;

use wa_binary::Jid;

use crate::row::{OutboxEntry, OutboxKind};

/// Rows of the outbox that were handed to the channel of this connection, by number.
#[derive(Debug, Default)]
pub(crate) struct Unacked {
    rows: BTreeMap<u64, Row>,
    numbers: BTreeMap<String, Vec<u64>>,
}

#[derive(Debug)]
struct Row {
    peer: Jid,
    id: String,
    kind: OutboxKind,
}

impl Unacked {
    /// A row was handed to the channel.
    pub(crate) fn insert(&mut self, number: u64, entry: &OutboxEntry) {
        let (peer, id, kind) = (entry.peer.clone(), entry.id.clone(), entry.kind);
        self.numbers.entry(id.clone()).or_default().push(number);
        self.rows.insert(number, Row { peer, id, kind });
    }

    /// A row is gone.
    pub(crate) fn remove(&mut self, number: u64) {
        let Some(row) = self.rows.remove(&number) else { return };
        if let Some(numbers) = self.numbers.get_mut(&row.id) {
            numbers.retain(|&it| it != number);
            if numbers.is_empty() {
                self.numbers.remove(&row.id);
            }
        }
        // Empty maps keep a node with room for eleven.
        if self.rows.is_empty() {
            self.clear();
        }
    }

    /// The connection is gone.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The message that an ack from this address is about. Where one went to all devices and again to one, the address
    /// tells which; an ack that names no device is about the one that left first.
    pub(crate) fn message(&self, from: &Jid, id: &str) -> Option<u64> {
        let device = from.device();
        let messages = self.of(from, id).filter(|(_, kind)| !kind.is_mark());
        let is_exact = |kind| device > 0 && kind == OutboxKind::Resent(device);
        messages.min_by_key(|&(number, kind)| (!is_exact(kind), number)).map(|(number, _)| number)
    }

    /// Whether a row is a message to all devices, and none that is sent to one of them again.
    pub(crate) fn is_first(&self, number: u64) -> bool {
        self.rows.get(&number).is_some_and(|row| row.kind == OutboxKind::Message)
    }

    /// The read or played receipt that an ack is about, and which it is. Earlier programs did not write down which.
    pub(crate) fn receipt(&self, from: &Jid, id: &str, is_played: bool) -> Option<(u64, OutboxKind)> {
        let wanted = if is_played { OutboxKind::Played } else { OutboxKind::Receipt };
        let marks = self.of(from, id).filter(|(_, kind)| kind.is_mark());
        marks
            .min_by_key(|&(number, kind)| (kind != wanted, number))
            .filter(|&(_, kind)| is_played || kind == wanted)
    }

    fn of(&self, from: &Jid, id: &str) -> impl Iterator<Item = (u64, OutboxKind)> {
        let user = from.clone().without_device();
        let numbers = self.numbers.get(id).map_or(&[][..], Vec::as_slice);
        let rows = numbers.iter().filter_map(|number| Some((*number, self.rows.get(number)?)));
        rows.filter(move |(_, row)| row.peer == user).map(|(number, row)| (number, row.kind))
    }
}

#[cfg(test)]
mod tests {
    use wa_profile::Profile;
    use wa_stanza::{Chatstate, Typing};

    use super::*;
    use crate::EncodedStanza;

    fn jid(text: &str) -> Jid {
        text.parse().unwrap()
    }

    fn unacked(rows: &[(u64, &str, &str, OutboxKind)]) -> Unacked {
        let mut unacked = Unacked::default();
        for (number, peer, id, kind) in rows {
            let stanza = Chatstate::new(jid(peer), Typing::Composing).into();
            let stanza = EncodedStanza::new(stanza, &Profile::overview()).unwrap();
            let entry =
                OutboxEntry { stanza, peer: jid(peer), id: (*id).to_owned(), kind: *kind, since: None };
            unacked.insert(*number, &entry);
        }
        unacked
    }

    #[test]
    fn an_ack_finds_the_row_of_its_peer_its_id_and_its_device() {
        let (a, b) = ("1415@s.whatsapp.net", "1416@s.whatsapp.net");
        let mut unacked = unacked(&[
            (1, a, "x", OutboxKind::Message),
            (2, b, "x", OutboxKind::Message),
            (3, a, "x", OutboxKind::Resent(7)),
            (4, a, "x", OutboxKind::Receipt),
        ]);
        assert_eq!(unacked.message(&jid(a), "x"), Some(1));
        assert_eq!(unacked.message(&jid(b), "x"), Some(2));
        assert_eq!(unacked.message(&jid("1415:7@s.whatsapp.net"), "x"), Some(3));
        assert_eq!(unacked.message(&jid("1415:8@s.whatsapp.net"), "x"), Some(1));
        assert_eq!(unacked.receipt(&jid(a), "x", false), Some((4, OutboxKind::Receipt)));
        assert_eq!(unacked.message(&jid(a), "y"), None);
        unacked.remove(1);
        assert_eq!(unacked.message(&jid(a), "x"), Some(3), "the only one that is left");
        for number in 2..=4 {
            unacked.remove(number);
        }
        assert_eq!((unacked.rows.len(), unacked.numbers.len()), (0, 0));
    }
}
