//! From a handshake to a session: judging logins, taking accounts over, and the first words of the server.

use wa_binary::{Jid, Node};
use wa_noise::ClientIdentity;
use wa_profile::VersionAtLogin;

use crate::claims::KeySet;
use crate::connection::{Handshake, OnWire};
use crate::login::{PendingLogin, Refusal};
use crate::rules::book::{BEFORE_LOGIN, LOGIN_VERSION};
use crate::sabotage::Lapse;
use crate::world::{ConnectionId, World};

/// What an integrator answers in the place of a JWKS.
const NO_KEY_SET: &str = "its answer is no JSON object with the member keys";

/// How far a connection is.
#[derive(Debug)]
pub(crate) enum PeerLogin {
    Handshake,
    /// The token's key is being fetched.
    Pending(PendingLogin),
    /// Accepted in a first message that may be a replay: the account is not touched yet.
    Resumed(u64),
    Done(u64),
}

impl PeerLogin {
    /// The account, once it is known whose the connection is.
    pub(crate) fn account(&self) -> Option<u64> {
        match self {
            Self::Resumed(number) | Self::Done(number) => Some(*number),
            Self::Handshake | Self::Pending(_) => None,
        }
    }
}

impl World {
    /// A handshake is complete; its payload is still to be judged.
    pub(crate) fn handle_login(&mut self, id: ConnectionId, client: &ClientIdentity, handshake: Handshake) {
        match PendingLogin::read(client, handshake, &self.profile) {
            Ok(login) => self.try_login(id, login),
            Err(refusal) => self.refuse(id, refusal),
        }
    }

    /// The body of an integrator's JWKS, or why it could not be fetched; logins that waited for it go on.
    pub fn handle_keys(&mut self, integrator: u16, jwks: Result<&[u8], &str>, now: u64) {
        self.now = now;
        if let Some(known) = self.integrators.get_mut(&integrator) {
            // Not asked again at once where nobody answers.
            known.fetched = Some(now);
            let keys = jwks.and_then(|jwks| KeySet::parse(jwks).ok_or(NO_KEY_SET));
            known.failure = keys.as_ref().err().map(|why| (*why).to_owned());
            if let Ok(keys) = keys {
                known.keys = keys;
            }
        }
        let waiting = self.connections.iter_mut().filter_map(|(id, peer)| match &mut peer.login {
            PeerLogin::Pending(login) if login.awaits(integrator) => {
                Some((*id, std::mem::replace(&mut peer.login, PeerLogin::Handshake)))
            }
            _ => None,
        });
        for (id, login) in waiting.collect::<Vec<_>>() {
            if let PeerLogin::Pending(login) = login {
                self.try_login(id, login);
            }
        }
    }

    fn try_login(&mut self, id: ConnectionId, login: PendingLogin) {
        match login.judge(self) {
            Ok(number) => self.welcome(id, number, &login),
            Err(Refusal::FetchKeys(integrator)) => {
                self.wanted_keys.insert(integrator);
                self.set_login(id, PeerLogin::Pending(login.awaiting(integrator)));
            }
            Err(refusal) => self.refuse(id, refusal),
        }
    }

    fn welcome(&mut self, id: ConnectionId, number: u64, login: &PendingLogin) {
        if let Some(peer) = self.connections.get_mut(&id) {
            peer.connection().admit();
            peer.login = PeerLogin::Resumed(number);
        }
        let success = Node::new("success").with_attr("t", self.now).with_attr("location", "loopback");
        self.transmit(id, &success);
        let is_due = self.profile.chat.login.version != VersionAtLogin::Omitted;
        if login.version.is_none() && is_due {
            let who = self.who(id);
            self.journal.breach(self.now, who, &LOGIN_VERSION, "says no version");
        }
        match login.handshake {
            Handshake::Resumed if self.sabotage.neglects(Lapse::TrustsReplays) => {
                self.take_over(id, number, Handshake::Resumed);
                self.preview(id, number);
                self.hand_out(id, number, usize::MAX);
            }
            Handshake::Resumed => self.call_resumed(id, number),
            handshake => self.take_over(id, number, handshake),
        }
    }

    /// A resumed login came in a first message, which anybody may repeat: the account, its mailbox and an older
    /// connection are left alone until something comes that only the client can have sealed. It is told what waits, so
    /// that it may fetch it, and pinged, so that one that only listens answers.
    fn call_resumed(&mut self, id: ConnectionId, number: u64) {
        self.preview(id, number);
        let ping = self.server_ping();
        self.transmit(id, &ping);
    }

    fn set_login(&mut self, id: ConnectionId, login: PeerLogin) {
        if let Some(peer) = self.connections.get_mut(&id) {
            peer.login = login;
        }
    }

    /// The account is this connection's from now on; another one is told and ended.
    pub(crate) fn take_over(&mut self, id: ConnectionId, number: u64, handshake: Handshake) {
        let Some(account) = self.accounts.get_mut(&number) else { return };
        let replaced = account.connection.replace(id).filter(|replaced| *replaced != id);
        account.handshake = Some(handshake);
        account.last_seen = self.now;
        account.last_fetch = self.now;
        account.handed = 0;
        account.expire_mail(self.now);
        // Where nothing waits, what comes from now on goes out at once.
        account.live = account.mailbox.is_empty();
        self.set_login(id, PeerLogin::Done(number));
        if let Some(replaced) = replaced {
            self.end_stream(replaced, Node::new("conflict").with_attr("type", "replaced"));
        }
        if handshake != Handshake::Resumed {
            self.preview(id, number);
        }
    }

    /// Says what waits in the mailbox, by kind.
    fn preview(&mut self, id: ConnectionId, number: u64) {
        let Some(account) = self.accounts.get(&number) else { return };
        let count = |tag: &str| {
            let of_kind = account.mailbox.iter().filter(|mail| tag.is_empty() || mail.node.is(tag));
            u64::try_from(of_kind.count()).unwrap_or(u64::MAX)
        };
        let preview = Node::new("offline_preview").with_attr("count", count(""));
        let preview = preview.with_attr("message", count("message")).with_attr("receipt", count("receipt"));
        let preview = preview.with_attr("notification", count("notification")).with_attr("appdata", 0_u64);
        self.transmit(id, &from_server("ib").with_child(preview));
    }

    fn refuse(&mut self, id: ConnectionId, refusal: Refusal) {
        let reason = match refusal {
            Refusal::Breach(breach) => {
                let who = crate::record::Who { connection: Some(id.0), ..breach.who };
                self.journal.breach(self.now, who, breach.clause, breach.what);
                breach.reason
            }
            Refusal::Ordered(reason) => reason,
            Refusal::FetchKeys(_) => return,
        };
        self.transmit(
            id,
            &Node::new("failure").with_attr("reason", reason).with_attr("location", "loopback"),
        );
        self.close(id);
    }

    pub(crate) fn handle_node(&mut self, id: ConnectionId, node: &Node, bytes: OnWire, now: u64) {
        let login = self.connections.get(&id).map(|peer| &peer.login);
        let is_resumed = matches!(login, Some(PeerLogin::Resumed(_)));
        let account = login.and_then(PeerLogin::account);
        self.journal.stanza = Some(self.write_down((id, account), bytes, true));
        match account {
            Some(number) => {
                if is_resumed {
                    // A transport message: its sender has the keys, so the first message was no replay.
                    self.take_over(id, number, Handshake::Resumed);
                }
                self.handle_stanza(id, number, node, now);
            }
            // Nothing may come before the login is decided.
            None => {
                let who = self.who(id);
                self.journal.breach(now, who, &BEFORE_LOGIN, format!("{node}"));
                self.close(id);
            }
        }
        self.journal.stanza = None;
    }

    /// A ping of the server's.
    pub(crate) fn server_ping(&mut self) -> Node {
        let id = self.stanza_id();
        let ping = from_server("iq").with_attr("id", id).with_attr("type", "get");
        ping.with_attr("xmlns", &self.profile.chat.ping.server_xmlns)
    }
}

/// A stanza of the server's own.
pub(crate) fn from_server(tag: &'static str) -> Node {
    Node::new(tag).with_attr("from", Jid::whatsapp())
}
