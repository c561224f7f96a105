//! What happens because time passes (overview §1.1, §3.2.1, §5).

use std::collections::VecDeque;

use wa_binary::Node;

use crate::account::KEPT;
use crate::connection::Breach;
use crate::record::Who;
use crate::rules::book::HANDSHAKE_TIME;
use crate::session::PeerLogin;
use crate::world::{ConnectionId, World};

/// Seconds for which a handshake and a login may take.
const HANDSHAKE_PATIENCE: u64 = 20;

impl World {
    /// It is `now` (Unix seconds): fetches keys that are old, forgets mail and accounts of which nobody has heard for 30
    /// days, ends handshakes that do not, and sends what is late.
    pub fn tick(&mut self, now: u64) {
        self.now = now;
        self.send_delayed();
        self.fetch_old_keys();
        self.forget_old();
        self.end_slow_handshakes();
        self.hand_out_unasked();
    }

    fn send_delayed(&mut self) {
        let now = self.now;
        if let Some((id, node)) = self.overtaken.take() {
            self.transmit(id, &node);
        }
        while let Some((id, node)) = take_due(&mut self.delayed, now) {
            self.transmit(id, &node);
        }
        while let Some((number, node)) = take_due(&mut self.replies, now) {
            self.deliver_reply(number, node);
        }
        self.bring_phones_back();
    }

    fn fetch_old_keys(&mut self) {
        let most = self.profile.token.peer_refresh_max.as_secs();
        let is_old = |fetched: Option<u64>| fetched.is_some_and(|at| self.now.saturating_sub(at) >= most);
        let old = self.integrators.iter().filter(|(_, known)| is_old(known.fetched)).map(|(id, _)| *id);
        let old: Vec<u16> = old.collect();
        for id in old {
            // Asked for once, until an answer or its absence comes back.
            if let Some(known) = self.integrators.get_mut(&id) {
                known.fetched = Some(self.now);
            }
            self.wanted_keys.insert(id);
        }
    }

    fn forget_old(&mut self) {
        let now = self.now;
        self.accounts.values_mut().for_each(|account| account.expire_mail(now));
        for account in self.accounts.values_mut().filter(|account| account.connection.is_some()) {
            account.last_seen = account.last_seen.max(now);
        }
        self.accounts.retain(|_, account| now.saturating_sub(account.last_seen) <= KEPT);
    }

    fn end_slow_handshakes(&mut self) {
        let is_slow = |since: u64| self.now.saturating_sub(since) >= HANDSHAKE_PATIENCE;
        let slow = self.connections.iter().filter_map(|(id, peer)| {
            let is_waiting = matches!(peer.login, PeerLogin::Handshake | PeerLogin::Pending(_));
            (is_waiting && is_slow(peer.since)).then(|| {
                let is_open = peer.connection().is_open();
                (*id, if is_open { "no login is decided" } else { "the handshake is not complete" })
            })
        });
        for (id, far) in slow.collect::<Vec<(ConnectionId, &str)>>() {
            let Breach { clause, what } = Breach::new(&HANDSHAKE_TIME, far);
            let who = Who { connection: Some(id.0), ..Who::default() };
            self.journal.breach(self.now, who, clause, what);
            self.close(id);
            self.connections.remove(&id);
        }
    }
}

/// The first of what is due, whatever is behind it.
fn take_due<T>(late: &mut VecDeque<(u64, T, Node)>, now: u64) -> Option<(T, Node)> {
    let position = late.iter().position(|(due, ..)| *due <= now)?;
    late.remove(position).map(|(_, whose, node)| (whose, node))
}
