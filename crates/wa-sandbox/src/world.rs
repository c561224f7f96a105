//! The world behind the sockets: connections, accounts, phones, and what travels between them (seed §1 to §3).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use bytes::Bytes;
use rand_core::CryptoRng;
use wa_binary::{Jid, Node};
use wa_profile::Profile;

use crate::account::{Account, Mail};
use crate::claims::KeySet;
use crate::connection::{CertificateFault, Connection, Handshake, Incoming, Server, encode_options};
use crate::login::PendingLogin;
use crate::phone::Phone;
use crate::push::Wanted;
use crate::rules::Violation;

/// Violations that are kept to be asked for.
const MAX_VIOLATIONS: usize = 1000;

/// What a world begins with.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// The assumptions under which the sandbox acts.
    pub profile: Profile,
    /// The third parties that were onboarded.
    pub integrators: Vec<Integrator>,
    /// The phone numbers of WhatsApp users, digits only.
    pub phones: Vec<String>,
}

/// A third party as WhatsApp knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integrator {
    /// Its id, 1 to 999.
    pub id: u16,
    /// Its base URL, without a slash at the end: issuer of its tokens and place of its JWKS.
    pub base_url: String,
}

/// Names one chat connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

/// What the world wants done with a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes.
    Bytes(Bytes),
    /// Close it.
    Close,
}

/// WhatsApp, as far as a third party sees it. A value: no socket, no clock.
pub struct World {
    pub(crate) profile: Profile,
    pub(crate) rng: Box<dyn CryptoRng + Send>,
    pub(crate) integrators: BTreeMap<u16, KnownIntegrator>,
    /// By the digits of the login.
    pub(crate) accounts: BTreeMap<u64, Account>,
    /// By phone number.
    pub(crate) phones: BTreeMap<String, Phone>,
    pub(crate) certificate_fault: Option<CertificateFault>,
    pub(crate) violations: VecDeque<Violation>,
    /// Ids of the server's pings that clients have answered.
    pub(crate) pongs: Vec<String>,
    /// Reports, as XML.
    pub(crate) reports: Vec<String>,
    /// The time of what is being handled, in Unix seconds.
    pub(crate) now: u64,
    server: Server,
    connections: BTreeMap<ConnectionId, Peer>,
    outputs: VecDeque<(ConnectionId, Output)>,
    wanted_keys: BTreeSet<u16>,
    pub(crate) wanted_pushes: Wanted,
    next_connection: u64,
    next_stanza: u64,
}

#[derive(Debug)]
pub(crate) struct KnownIntegrator {
    pub(crate) base_url: String,
    pub(crate) keys: KeySet,
}

#[derive(Debug)]
struct Peer {
    connection: Connection,
    login: PeerLogin,
}

#[derive(Debug)]
enum PeerLogin {
    Handshake,
    /// The token's key is being fetched.
    Pending(PendingLogin),
    /// Accepted in a first message that may be a replay: the account is not touched yet.
    Resumed(u64),
    Done(u64),
}

impl World {
    /// A world in which nobody has enlisted yet.
    pub fn new(config: WorldConfig, mut rng: Box<dyn CryptoRng + Send>) -> Self {
        let known =
            |it: Integrator| (it.id, KnownIntegrator { base_url: it.base_url, keys: KeySet::default() });
        let phones = config.phones.into_iter().map(|number| {
            let phone = Phone::new(&number, &mut rng);
            (number, phone)
        });
        Self {
            phones: phones.collect(),
            server: Server::new(&config.profile, &mut rng),
            integrators: config.integrators.into_iter().map(known).collect(),
            profile: config.profile,
            accounts: BTreeMap::new(),
            certificate_fault: None,
            violations: VecDeque::new(),
            pongs: Vec::new(),
            reports: Vec::new(),
            now: 0,
            connections: BTreeMap::new(),
            outputs: VecDeque::new(),
            wanted_keys: BTreeSet::new(),
            wanted_pushes: Wanted::default(),
            next_connection: 0,
            next_stanza: 0,
            rng,
        }
    }

    /// The root key that clients must trust.
    pub fn noise_root(&self) -> [u8; 32] {
        self.server.authority.root_bytes()
    }

    /// The server gets another static key: clients that know the old one must fall back.
    pub(crate) fn change_noise_key(&mut self) {
        self.server.setup.static_key = wa_keys::PrivateKey::generate(&mut self.rng);
    }

    /// A client has connected.
    pub fn connect(&mut self, now: u64) -> ConnectionId {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let chain = self.server.chain(self.certificate_fault, now, &mut self.rng);
        let peer = Peer { connection: Connection::new(chain), login: PeerLogin::Handshake };
        self.connections.insert(id, peer);
        id
    }

    /// A client's connection is gone.
    pub fn disconnect(&mut self, id: ConnectionId) {
        let Some(peer) = self.connections.remove(&id) else { return };
        let PeerLogin::Done(number) = peer.login else { return };
        if let Some(account) = self.accounts.get_mut(&number).filter(|it| it.connection == Some(id)) {
            account.connection = None;
            account.live = false;
        }
    }

    /// An account's connection ends without a word.
    pub(crate) fn cut(&mut self, number: u64) {
        if let Some(connection) = self.accounts.get(&number).and_then(|account| account.connection) {
            self.close(connection);
        }
    }

    /// An account is gone from WhatsApp, and its connection with it.
    pub(crate) fn unenlist(&mut self, number: u64) {
        let account = self.accounts.remove(&number);
        if let Some(connection) = account.and_then(|account| account.connection) {
            self.send(connection, &Node::stream_end());
            self.close(connection);
        }
    }

    /// A client's bytes have arrived at `now` (Unix seconds).
    pub fn handle_bytes(&mut self, id: ConnectionId, now: u64, bytes: &[u8]) {
        self.now = now;
        let Some(peer) = self.connections.get_mut(&id) else { return };
        for incoming in peer.connection.handle_bytes(&self.server, bytes, &mut self.rng) {
            match incoming {
                Incoming::Reply(bytes) => self.outputs.push_back((id, Output::Bytes(bytes))),
                Incoming::Login(client, handshake) => match PendingLogin::read(&client, handshake) {
                    Some(login) => self.try_login(id, login, now),
                    None => self.refuse(id, self.profile.chat.failures.token_refused),
                },
                Incoming::Stanza(node) => self.handle_node(id, node, now),
                Incoming::Malformed(error) => {
                    self.violation(Violation { tag: "frame".to_owned(), what: error.to_string() });
                    self.end_stream(id, Node::new("xml-not-well-formed"));
                }
                Incoming::Broken(reason) => {
                    tracing::debug!(reason, "connection broken");
                    self.outputs.push_back((id, Output::Close));
                }
            }
        }
    }

    /// What to send or close next.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<(ConnectionId, Output)> {
        self.outputs.pop_front()
    }

    /// An integrator whose JWKS is to be fetched: its id and base URL. Answer with [`handle_keys`](Self::handle_keys).
    #[must_use]
    pub fn poll_fetch(&mut self) -> Option<Integrator> {
        let id = self.wanted_keys.pop_first()?;
        let base_url = self.integrators.get(&id)?.base_url.clone();
        Some(Integrator { id, base_url })
    }

    /// The body of an integrator's JWKS, or nothing if it could not be fetched; logins that waited for it go on.
    pub fn handle_keys(&mut self, integrator: u16, jwks: Option<&[u8]>, now: u64) {
        if let Some(keys) = jwks.and_then(KeySet::parse)
            && let Some(known) = self.integrators.get_mut(&integrator)
        {
            known.keys = keys;
        }
        let waiting = self.connections.iter_mut().filter_map(|(id, peer)| match &mut peer.login {
            PeerLogin::Pending(login) if login.awaits(integrator) => {
                Some((*id, std::mem::replace(&mut peer.login, PeerLogin::Handshake)))
            }
            _ => None,
        });
        for (id, login) in waiting.collect::<Vec<_>>() {
            if let PeerLogin::Pending(login) = login {
                self.try_login(id, login, now);
            }
        }
    }

    fn try_login(&mut self, id: ConnectionId, login: PendingLogin, now: u64) {
        match login.judge(self, now) {
            Ok(number) => {
                let success = Node::new("success").with_attr("t", now).with_attr("location", "loopback");
                self.send(id, &success);
                match login.handshake {
                    Handshake::Resumed => self.set_login(id, PeerLogin::Resumed(number)),
                    handshake => self.take_over(id, number, handshake),
                }
            }
            Err(crate::login::Refusal::Reason(reason)) => self.refuse(id, reason),
            Err(crate::login::Refusal::FetchKeys(integrator)) => {
                self.wanted_keys.insert(integrator);
                self.set_login(id, PeerLogin::Pending(login.awaiting(integrator)));
            }
        }
    }

    fn set_login(&mut self, id: ConnectionId, login: PeerLogin) {
        if let Some(peer) = self.connections.get_mut(&id) {
            peer.login = login;
        }
    }

    /// The account is this connection's from now on; another one is told and ended.
    fn take_over(&mut self, id: ConnectionId, number: u64, handshake: Handshake) {
        let Some(account) = self.accounts.get_mut(&number) else { return };
        let replaced = account.connection.replace(id);
        account.handshake = Some(handshake);
        account.live = false;
        account.last_seen = self.now;
        account.expire_mail(self.now);
        let waiting = u64::try_from(account.mailbox.len()).unwrap_or(u64::MAX);
        self.set_login(id, PeerLogin::Done(number));
        if let Some(replaced) = replaced {
            self.end_stream(replaced, Node::new("conflict").with_attr("type", "replaced"));
        }
        let preview = Node::new("offline_preview").with_attr("count", waiting).with_attr("message", waiting);
        self.send(id, &Node::new("ib").with_attr("from", Jid::whatsapp()).with_child(preview));
    }

    fn refuse(&mut self, id: ConnectionId, reason: u16) {
        self.send(id, &Node::new("failure").with_attr("reason", reason).with_attr("location", "loopback"));
        self.close(id);
    }

    fn handle_node(&mut self, id: ConnectionId, node: Node, now: u64) {
        match self.connections.get(&id).map(|peer| &peer.login) {
            Some(&PeerLogin::Done(number)) => self.handle_stanza(id, number, &node, now),
            Some(&PeerLogin::Resumed(number)) => {
                // A transport message: whoever sent it has the keys, so the first message was no replay.
                self.take_over(id, number, Handshake::Resumed);
                self.handle_stanza(id, number, &node, now);
            }
            // Nothing may come before the login is decided.
            _ => self.close(id),
        }
    }

    /// Sends a stanza on a connection.
    pub(crate) fn send(&mut self, id: ConnectionId, node: &Node) {
        let options = encode_options(&self.profile);
        let connection = self.connections.get_mut(&id).map(|peer| &mut peer.connection);
        if let Some(bytes) = connection.and_then(|connection| connection.seal(node, &options)) {
            self.outputs.push_back((id, Output::Bytes(bytes)));
        }
    }

    /// Ends a stream with an error.
    pub(crate) fn end_stream(&mut self, id: ConnectionId, condition: Node) {
        self.send(id, &Node::new("stream:error").with_child(condition));
        self.close(id);
    }

    fn close(&mut self, id: ConnectionId) {
        if let Some(peer) = self.connections.get_mut(&id) {
            peer.connection.close();
        }
        self.outputs.push_back((id, Output::Close));
    }

    /// Puts a stanza into an account's mailbox, and on its way if the client is there.
    pub(crate) fn deliver(&mut self, number: u64, node: Node) {
        let Some(account) = self.accounts.get_mut(&number) else { return };
        let from = node.attr("from").and_then(wa_binary::Value::to_jid).map(Jid::without_device);
        if from.is_some_and(|from| account.blocked.contains(&from.to_string())) {
            return;
        }
        let sent_on = account.connection.filter(|_| account.live);
        account.mailbox.push_back(Mail { since: self.now, node: node.clone(), sent_on });
        if account.connection.is_none() && node.is("message") {
            self.wanted_pushes.wake(account.integrator, &account.identifier);
        }
        if let Some(id) = sent_on {
            self.send(id, &node);
        }
    }

    /// Remembers a violation of the rules.
    pub(crate) fn violation(&mut self, violation: Violation) {
        tracing::info!(tag = violation.tag, what = violation.what, "violation");
        self.violations.push_back(violation);
        if self.violations.len() > MAX_VIOLATIONS {
            self.violations.pop_front();
        }
    }

    /// A name for a stanza that the server sends.
    pub(crate) fn stanza_id(&mut self) -> String {
        self.next_stanza += 1;
        format!("{:016X}", self.next_stanza)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("accounts", &self.accounts.len())
            .field("phones", &self.phones.len())
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}
