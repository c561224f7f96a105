//! The link: bytes under way in both directions, and what becomes of them.

use std::collections::VecDeque;

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::StdRng;
use wa_sandbox::{ConnectionId, Output};

use crate::chaos::pair::{Faults, Pair};

/// One connection, with the faults of its line.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: ConnectionId,
    pub(super) to_server: VecDeque<Bytes>,
    pub(super) to_client: VecDeque<Bytes>,
    /// The server has closed it; what is under way still arrives.
    pub(super) closed: bool,
}

impl Pair {
    pub(super) fn connect(&mut self) {
        if self.link.is_some() {
            return;
        }
        if self.client.connect(self.client_now(), self.token.clone(), &mut self.rng).is_ok() {
            let id = self.world.connect(self.now.unix);
            let (to_server, to_client) = (VecDeque::new(), VecDeque::new());
            self.link = Some(Link { id, to_server, to_client, closed: false });
        }
    }

    /// The connection breaks; what was under way is gone.
    pub(super) fn cut(&mut self) {
        self.client.handle_lost(self.client_now(), &mut self.rng);
        self.drop_link();
    }

    pub(super) fn drop_link(&mut self) {
        if let Some(link) = self.link.take() {
            self.world.disconnect(link.id);
        }
    }

    pub(super) fn transmit(&mut self) {
        let Some(link) = &mut self.link else { return };
        while let Some(bytes) = self.client.poll_transmit() {
            self.trace.transmit(&bytes);
            link.to_server.push_back(bytes);
            if self.dice.random_bool(0.3) {
                break;
            }
        }
    }

    /// Some of the bytes on the wire arrive.
    pub(super) fn deliver_to_server(&mut self) {
        let is_bad = self.is_bad_line();
        let Some(link) = &mut self.link else { return };
        let Some(bytes) = arriving(&mut link.to_server, is_bad, &mut self.dice) else { return };
        self.world.handle_bytes(link.id, self.now.unix, &bytes);
        self.take_outputs();
    }

    pub(super) fn deliver_to_client(&mut self) {
        let is_bad = self.is_bad_line();
        let Some(link) = &mut self.link else { return };
        if !self.client.wants_input() {
            return;
        }
        match arriving(&mut link.to_client, is_bad, &mut self.dice) {
            Some(bytes) => self.client.handle_bytes(self.client_now(), &bytes, &mut self.rng),
            None if link.closed && link.to_client.is_empty() => return self.cut(),
            None => return,
        }
        if !self.client.is_connected() {
            self.drop_link();
        }
    }

    pub(super) fn take_outputs(&mut self) {
        while let Some((id, output)) = self.world.poll_output() {
            let Some(link) = self.link.as_mut().filter(|link| link.id == id) else { continue };
            match output {
                Output::Bytes(bytes) => link.to_client.push_back(bytes),
                Output::Close => link.closed = true,
            }
        }
    }

    fn is_bad_line(&mut self) -> bool {
        self.faults != Faults::Crashes && !self.ledger.at_rest && self.dice.random_bool(0.02)
    }
}

/// All that is under way, or a piece of it; on a bad line it is dropped, changed or doubled.
fn arriving(wire: &mut VecDeque<Bytes>, is_bad: bool, dice: &mut StdRng) -> Option<Vec<u8>> {
    let mut bytes = wire.drain(..).collect::<Vec<_>>().concat();
    if bytes.len() > 1 && dice.random_bool(0.3) {
        let rest = bytes.split_off(dice.random_range(1..bytes.len()));
        wire.push_front(rest.into());
    }
    if is_bad && !bytes.is_empty() {
        match dice.random_range(0..3u8) {
            0 => bytes.clear(),
            1 => bytes.extend_from_within(..),
            _ => {
                let place = dice.random_range(0..bytes.len());
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << dice.random_range(0..8u8);
                }
            }
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}
