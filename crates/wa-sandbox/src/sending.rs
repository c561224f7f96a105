//! What the world sends: stanzas with what goes wrong on the way, in order, to be sealed where the socket is.

use bytes::{Bytes, BytesMut};
use wa_binary::Node;

use crate::connection::{OnWire, Packed, encode_options};
use crate::faults::Mishap;
use crate::news::News;
use crate::transcript::Entry;
use crate::world::{ConnectionId, World};

/// What the world wants done with a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes.
    Bytes(Bytes),
    /// The connection is closed.
    Close,
}

/// The same before it is sealed, which needs the connection and nothing of the world.
#[derive(Debug)]
pub(crate) enum Due {
    Bytes(Bytes),
    Stanza(Packed),
    Close,
}

impl World {
    /// What to seal and send, or close, next.
    pub(crate) fn poll_due(&mut self) -> Option<(ConnectionId, Due)> {
        self.outputs.pop_front()
    }

    /// What to send or close next.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<(ConnectionId, Output)> {
        loop {
            let (id, due) = self.poll_due()?;
            let stanza = match due {
                Due::Bytes(bytes) => return Some((id, Output::Bytes(bytes))),
                Due::Close => return Some((id, Output::Close)),
                Due::Stanza(stanza) => stanza,
            };
            let mut frame = BytesMut::new();
            if let Some(peer) = self.connections.get(&id) {
                peer.connection().seal(&stanza, &mut frame);
            }
            if !frame.is_empty() {
                return Some((id, Output::Bytes(frame.freeze())));
            }
        }
    }

    /// Sends a stanza on a connection, with what goes wrong on the way.
    pub(crate) fn send(&mut self, id: ConnectionId, node: &Node) {
        match self.faults.next_mishap() {
            Some(Mishap::Drop) => return,
            Some(Mishap::Duplicate) => self.transmit(id, node),
            Some(Mishap::Delay(seconds)) => {
                let due = self.now.saturating_add(seconds);
                return self.delayed.push_back((due, id, node.clone()));
            }
            Some(Mishap::Reorder) if self.overtaken.is_none() => {
                self.overtaken = Some((id, node.clone()));
                return;
            }
            Some(Mishap::Corrupt) => return self.transmit_with(id, node, true),
            Some(Mishap::Reorder) | None => {}
        }
        self.transmit(id, node);
        if let Some((id, node)) = self.overtaken.take() {
            self.transmit(id, &node);
        }
    }

    /// Sends a stanza on a connection.
    pub(crate) fn transmit(&mut self, id: ConnectionId, node: &Node) {
        self.transmit_with(id, node, false);
    }

    fn transmit_with(&mut self, id: ConnectionId, node: &Node, is_corrupt: bool) {
        match self.sabotage.instead(false, node) {
            None => self.put(id, node, is_corrupt),
            Some(others) => others.iter().for_each(|other| self.put(id, other, is_corrupt)),
        }
    }

    fn put(&mut self, id: ConnectionId, node: &Node, is_corrupt: bool) {
        let Some(peer) = self.connections.get(&id).filter(|peer| !peer.is_closed) else { return };
        let account = peer.login.account();
        let packed = Packed::new(node, &encode_options(&self.profile), is_corrupt);
        let Some((stanza, bytes)) = packed else { return };
        self.outputs.push_back((id, Due::Stanza(stanza)));
        self.write_down((id, account), bytes, false);
    }

    /// Writes a stanza of a connection, and its account, into the transcript, under the number that comes back.
    pub(crate) fn write_down(
        &mut self,
        (id, account): (ConnectionId, Option<u64>),
        bytes: OnWire,
        from_client: bool,
    ) -> u64 {
        let login = account.and_then(|number| Some(self.accounts.get(&number)?.login.clone()));
        let OnWire { node, size } = bytes;
        let entry = Entry { number: 0, at: self.now, connection: id.0, login, from_client, size, node };
        let number = self.transcript.push(entry);
        if let Some(entry) = self.transcript.newest() {
            self.news.tell(|| News::Stanza(Box::new(entry.clone())));
        }
        number
    }

    /// Ends a stream with an error. What came before it is read and answered before.
    pub(crate) fn end_stream(&mut self, id: ConnectionId, condition: Node) {
        self.open_arrivals();
        let mut error = Node::new("stream:error").with_child(condition);
        if self.strict
            && let Some(record) =
                self.journal.records().next_back().filter(|it| it.who.connection == Some(id.0))
        {
            let rule =
                Node::new("deviation").with_attr("rule", record.rule).with_attr("source", record.source);
            error = error.with_child(rule.with_text(&*record.what));
        }
        self.transmit(id, &error);
        self.close(id);
    }

    pub(crate) fn close(&mut self, id: ConnectionId) {
        if let Some(peer) = self.connections.get_mut(&id) {
            peer.connection().close();
            peer.is_closed = true;
        }
        self.outputs.push_back((id, Due::Close));
    }
}
