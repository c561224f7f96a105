//! The world behind the sockets: connections, accounts, phones, and what travels between them (overview §1 to §3).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rand_core::CryptoRng;
use wa_binary::Node;
use wa_profile::Profile;

use crate::account::Account;
use crate::claims::KeySet;
use crate::connection::{Breach, Connection, Incoming, Server};
use crate::faults::{Faults, is_due};
use crate::media::MediaFiles;
use crate::news::{News, NewsDesk};
use crate::phone::{Arrival, Manners, Phone};
use crate::push::Wanted;
use crate::record::{Journal, Record, Who};
use crate::reset::Initial;
use crate::sabotage::Sabotage;
use crate::sending::Due;
use crate::session::PeerLogin;
use crate::transcript::{Entry, Transcript};

/// Pongs and reports that are kept.
const MAX_REMEMBERED: usize = 1000;

/// What a world begins with.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// The assumptions under which the sandbox acts.
    pub profile: Profile,
    /// The third parties that were onboarded.
    pub integrators: Vec<Integrator>,
    /// The phone numbers of WhatsApp users, digits only.
    pub phones: Vec<String>,
    /// Whether a connection ends at its first deviation, with the rule's name.
    pub strict: bool,
}

/// A third party as WhatsApp knows it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Integrator {
    /// Its id, 1 to 999.
    pub id: u16,
    /// Its base URL, without a slash at the end: issuer of its tokens and place of its JWKS.
    pub base_url: String,
}

/// Names one chat connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(crate) u64);

/// WhatsApp, as far as a third party sees it. A value: no socket, no clock.
pub struct World {
    pub(crate) profile: Profile,
    pub(crate) strict: bool,
    pub(crate) rng: Box<dyn CryptoRng + Send>,
    pub(crate) integrators: BTreeMap<u16, KnownIntegrator>,
    /// By the digits of the login.
    pub(crate) accounts: BTreeMap<u64, Account>,
    /// By phone number.
    pub(crate) phones: BTreeMap<String, Phone>,
    pub(crate) media: MediaFiles,
    pub(crate) faults: Faults,
    pub(crate) sabotage: Sabotage,
    pub(crate) journal: Journal,
    pub(crate) transcript: Transcript,
    pub(crate) news: NewsDesk,
    /// Ids of the server's pings that clients have answered.
    pub(crate) pongs: VecDeque<String>,
    /// Reports, as XML.
    pub(crate) reports: VecDeque<String>,
    /// The time of what is being handled, in Unix seconds.
    pub(crate) now: u64,
    pub(crate) server: Server,
    pub(crate) connections: BTreeMap<ConnectionId, Peer>,
    pub(crate) outputs: VecDeque<(ConnectionId, Due)>,
    /// Stanzas that are late: when they are due.
    pub(crate) delayed: VecDeque<(u64, ConnectionId, Node)>,
    /// A stanza that lets the next one pass.
    pub(crate) overtaken: Option<(ConnectionId, Node)>,
    /// Messages that phones have not opened yet.
    pub(crate) arrivals: VecDeque<Arrival>,
    /// What phones do later: when, which phone, for which account.
    pub(crate) replies: VecDeque<(u64, u64, Node)>,
    pub(crate) wanted_keys: BTreeSet<u16>,
    pub(crate) wanted_pushes: Wanted,
    pub(crate) initial: Initial,
    next_connection: u64,
    pub(crate) next_stanza: u64,
}

#[derive(Debug)]
pub(crate) struct KnownIntegrator {
    pub(crate) base_url: String,
    pub(crate) keys: KeySet,
    /// When its keys were fetched last.
    pub(crate) fetched: Option<u64>,
    /// Why they could not be fetched the last time.
    pub(crate) failure: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Peer {
    /// Frames are opened and read without the world.
    connection: Arc<Mutex<Connection>>,
    pub(crate) is_closed: bool,
    pub(crate) login: PeerLogin,
    /// When it connected.
    pub(crate) since: u64,
}

impl Peer {
    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Integrator {
    /// The same without a slash at the end of its base URL, or what is wrong with it.
    pub(crate) fn checked(mut self) -> Result<Self, &'static str> {
        if !(1..=999).contains(&self.id) {
            return Err("the id must be 1 to 999");
        }
        if !["http://", "https://"].iter().any(|scheme| self.base_url.starts_with(scheme)) {
            return Err("the base URL must begin with http:// or https://");
        }
        self.base_url.truncate(self.base_url.trim_end_matches('/').len());
        Ok(self)
    }
}

impl From<Integrator> for KnownIntegrator {
    fn from(integrator: Integrator) -> Self {
        Self { base_url: integrator.base_url, keys: KeySet::default(), fetched: None, failure: None }
    }
}

impl World {
    /// A world in which nobody has enlisted yet.
    pub fn new(config: WorldConfig, mut rng: Box<dyn CryptoRng + Send>) -> Self {
        let numbers = config.phones.iter().map(|number| (number.clone(), Manners::default()));
        let initial = Initial { phones: numbers.collect(), integrators: config.integrators.clone() };
        let phones = config.phones.into_iter().map(|number| {
            let phone = Phone::new(&number, &mut rng);
            (number, phone)
        });
        Self {
            phones: phones.collect(),
            server: Server::new(&config.profile, &mut rng),
            integrators: config.integrators.into_iter().map(|it| (it.id, it.into())).collect(),
            profile: config.profile,
            strict: config.strict,
            accounts: BTreeMap::new(),
            media: MediaFiles::default(),
            faults: Faults::default(),
            sabotage: Sabotage::default(),
            journal: Journal::default(),
            transcript: Transcript::default(),
            news: NewsDesk::default(),
            pongs: VecDeque::new(),
            reports: VecDeque::new(),
            now: 0,
            connections: BTreeMap::new(),
            outputs: VecDeque::new(),
            delayed: VecDeque::new(),
            overtaken: None,
            arrivals: VecDeque::new(),
            replies: VecDeque::new(),
            wanted_keys: BTreeSet::new(),
            wanted_pushes: Wanted::default(),
            initial,
            next_connection: 0,
            next_stanza: 0,
            rng,
        }
    }

    /// The root key that clients must trust.
    pub fn noise_root(&self) -> [u8; 32] {
        *self.server.authority.root.public_key().as_bytes()
    }

    /// The records of refusals and notes, oldest first.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.journal.records()
    }

    /// The server gets another static key: clients that know the old one must fall back.
    pub(crate) fn change_noise_key(&mut self) {
        self.server.setup.static_key = wa_keys::PrivateKey::generate(&mut self.rng);
    }

    /// A client has connected.
    pub fn connect(&mut self, now: u64) -> ConnectionId {
        self.connect_shared(now).0
    }

    /// The same, and the connection itself, which can read without the world.
    pub(crate) fn connect_shared(&mut self, now: u64) -> (ConnectionId, Arc<Mutex<Connection>>) {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let key = self.server.setup.static_key.public_key();
        let chain = self.server.authority.chain(&key, self.faults.certificate, now, &mut self.rng);
        let connection = Arc::new(Mutex::new(Connection::new(chain)));
        let peer = Peer {
            connection: Arc::clone(&connection),
            is_closed: false,
            login: PeerLogin::Handshake,
            since: now,
        };
        self.connections.insert(id, peer);
        self.news.tell(|| News::Changed);
        if is_due(&mut self.faults.go_away) {
            self.outputs.push_back((id, Due::Bytes(Bytes::from_static(b"GOA"))));
            self.close(id);
        }
        (id, connection)
    }

    /// A client's connection is gone.
    pub fn disconnect(&mut self, id: ConnectionId) {
        let Some(peer) = self.connections.remove(&id) else { return };
        self.news.tell(|| News::Changed);
        let PeerLogin::Done(number) = peer.login else { return };
        if let Some(account) = self.accounts.get_mut(&number).filter(|it| it.connection == Some(id)) {
            account.last_seen = account.last_seen.max(self.now);
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
            self.transmit(connection, &Node::stream_end());
            self.close(connection);
        }
    }

    /// A client's bytes have arrived at `now` (Unix seconds).
    pub fn handle_bytes(&mut self, id: ConnectionId, now: u64, bytes: &[u8]) {
        let Some(peer) = self.connections.get(&id) else { return };
        let incoming = peer.connection().handle_bytes(&self.server, bytes, &mut self.rng);
        for incoming in incoming {
            self.handle_incoming(id, now, [incoming]);
            self.open_arrivals();
        }
    }

    /// What a client's bytes amounted to; nothing once its connection is closed. What has arrived for phones at last is
    /// left to be opened.
    pub(crate) fn handle_incoming(
        &mut self,
        id: ConnectionId,
        now: u64,
        incoming: impl IntoIterator<Item = Incoming>,
    ) {
        self.now = now;
        for incoming in incoming {
            if self.connections.get(&id).is_none_or(|peer| peer.is_closed) {
                return;
            }
            if !incoming.may_overtake() {
                self.open_arrivals();
            }
            match incoming {
                Incoming::Reply(bytes) => self.outputs.push_back((id, Due::Bytes(bytes))),
                Incoming::Login(client, handshake) => self.handle_login(id, &client, handshake),
                Incoming::Stanza(node, bytes) => match self.sabotage.instead(true, &node) {
                    None => self.handle_node(id, &node, bytes, now),
                    Some(others) => {
                        for other in others {
                            self.handle_node(id, &other, bytes.clone(), now);
                        }
                    }
                },
                Incoming::Malformed(breach) => {
                    self.breach(id, breach);
                    self.end_stream(id, Node::new("xml-not-well-formed"));
                }
                Incoming::Broken(breach) => {
                    self.breach(id, breach);
                    self.close(id);
                }
            }
        }
    }

    /// Records what is wrong with a connection's bytes.
    fn breach(&mut self, id: ConnectionId, breach: Breach) {
        let who = self.who(id);
        self.journal.breach(self.now, who, breach.clause, breach.what);
    }

    /// An integrator whose JWKS is to be fetched: its id and base URL. Answer with [`handle_keys`](Self::handle_keys).
    #[must_use]
    pub fn poll_fetch(&mut self) -> Option<Integrator> {
        let id = self.wanted_keys.pop_first()?;
        let base_url = self.integrators.get(&id)?.base_url.clone();
        Some(Integrator { id, base_url })
    }

    /// Who is at the other end.
    pub(crate) fn who(&self, id: ConnectionId) -> Who {
        let number = self.connections.get(&id).and_then(|peer| peer.login.account());
        let account = number.and_then(|number| self.accounts.get(&number));
        Who {
            connection: Some(id.0),
            login: account.map(|account| account.login.to_string()),
            user: account.map(|account| account.identifier.clone()),
            integrator: account.map(|account| account.integrator),
        }
    }

    /// A stanza of an earlier run is in the transcript, too; its connection's number is not given again.
    pub(crate) fn go_on_from(&mut self, entry: Entry) {
        self.next_connection = self.next_connection.max(entry.connection + 1);
        self.transcript.go_on_from(entry);
    }

    /// A name for a stanza that the server sends.
    pub(crate) fn stanza_id(&mut self) -> String {
        self.next_stanza += 1;
        format!("{:016X}", self.next_stanza)
    }
}

/// Keeps the newest.
pub(crate) fn remember<T>(items: &mut VecDeque<T>, item: T) {
    if items.len() == MAX_REMEMBERED {
        items.pop_front();
    }
    items.push_back(item);
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
