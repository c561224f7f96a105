//! Enlisted users: keys for others, mail that waits, who is connected (overview §1.2, §3, §3.2.1).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use wa_binary::{Jid, Node};
use wa_keys::PublicKey;
use wa_signal::{Bundle, SignedPrekey};

use crate::connection::Handshake;
use crate::world::ConnectionId;

/// Prekeys that one account may keep on the server.
pub(crate) const MAX_PREKEYS: usize = 10_000;

/// Seconds for which mail waits, and after which an account that does not connect is un-enlisted (overview §3.2.1, §5).
pub(crate) const KEPT: u64 = 30 * 24 * 60 * 60;

/// A third party's user on WhatsApp.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) login: Jid,
    pub(crate) integrator: u16,
    pub(crate) identifier: String,
    /// The client's static key in the Noise handshake.
    pub(crate) authkey: PublicKey,
    pub(crate) registration_id: u32,
    pub(crate) identity: PublicKey,
    pub(crate) signed_prekey: SignedPrekey,
    pub(crate) prekeys: BTreeMap<u32, PublicKey>,
    pub(crate) mailbox: VecDeque<Mail>,
    /// Messages that the client has sent, however often each.
    pub(crate) messages: u64,
    pub(crate) connection: Option<ConnectionId>,
    /// How the connection's handshake went.
    pub(crate) handshake: Option<Handshake>,
    /// When it was last connected, or enlisted.
    pub(crate) last_seen: u64,
    /// Users whose messages are not delivered.
    pub(crate) blocked: BTreeSet<String>,
    /// Whether the connection has pulled everything that waited, so that new mail goes out at once.
    pub(crate) live: bool,
    /// How much of what waited was handed to the connection.
    pub(crate) handed: u64,
    /// When the connection fetched, or acked something, last.
    pub(crate) last_fetch: u64,
}

/// A stanza that the client has not acked yet.
#[derive(Debug)]
pub(crate) struct Mail {
    /// When it came, in Unix seconds.
    pub(crate) since: u64,
    pub(crate) node: Node,
    /// The connection on which it was sent last.
    pub(crate) sent_on: Option<ConnectionId>,
}

impl Account {
    /// The keys for one new session; a one-time prekey is given to nobody else.
    pub(crate) fn take_bundle(&mut self) -> Bundle {
        Bundle {
            registration_id: self.registration_id,
            identity: self.identity,
            signed_prekey: self.signed_prekey.clone(),
            one_time_prekey: self.prekeys.pop_first(),
        }
    }

    /// Forgets mail that nobody fetched in time.
    pub(crate) fn expire_mail(&mut self, now: u64) {
        self.mailbox.retain(|mail| now.saturating_sub(mail.since) <= KEPT);
    }

    /// Where an acked stanza lies in the mailbox.
    pub(crate) fn position(&self, class: &str, id: &str) -> Option<usize> {
        self.mailbox.iter().position(|mail| mail.node.is(class) && mail.node.attr_str("id") == Some(id))
    }

    /// Mail that this connection has not been given yet.
    pub(crate) fn waiting(&mut self, connection: ConnectionId) -> impl Iterator<Item = &mut Mail> {
        self.mailbox.iter_mut().filter(move |mail| mail.sent_on != Some(connection))
    }
}
