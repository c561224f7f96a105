//! Phones with rules of their own, and a server that lists, invents and asks.

use wa_keys::PublicKey;
use wa_signal::{PreKeyMessage, Prekeys, SignalMessage, SignedPrekey};
use wa_stanza::{FetchedUser, OneTimePrekey, PrekeyId};

use super::*;
use crate::{IdentityPolicy, NoSession};

/// More than any exchange of these tests needs.
const MOST_TRANSACTIONS: u32 = 10_000;

pub(super) const USER: &str = "14155551001";

/// One device of a user, which keeps its session as it likes.
pub(super) struct Phone {
    pub(super) device: u16,
    pub(super) local: LocalIdentity,
    pub(super) prekey: PrivateKey,
    pub(super) session: SessionRecord,
    pub(super) sent: u64,
    pub(super) rng: StdRng,
}

impl Phone {
    pub(super) fn new(device: u16, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let local =
            LocalIdentity { key: PrivateKey::generate(&mut rng), registration_id: u32::from(device) + 9 };
        let prekey = PrivateKey::generate(&mut rng);
        Self { device, local, prekey, session: SessionRecord::default(), sent: seed, rng }
    }

    /// A first device that has begun a session with the account of [`Bench::connected`] and was not answered.
    pub(super) fn begun(seed: u64) -> Self {
        let mut phone = Self::new(0, seed);
        phone.begins();
        phone
    }

    pub(super) fn address(&self) -> Jid {
        Jid::phone(USER).unwrap().with_device(self.device).unwrap()
    }

    pub(super) fn identity(&self) -> PublicKey {
        self.local.key.public_key()
    }

    pub(super) fn signed(&mut self) -> wa_stanza::SignedPrekeyNode {
        let signed = SignedPrekey::sign(1, &self.prekey, &self.local.key, &mut self.rng);
        wa_stanza::SignedPrekeyNode {
            id: PrekeyId::new(1).unwrap(),
            value: *signed.key.as_bytes(),
            signature: *signed.signature.as_bytes(),
        }
    }

    pub(super) fn bundle(&mut self) -> Node {
        let bundle = wa_stanza::FetchedBundle {
            registration: self.local.registration_id,
            identity: *self.identity().as_bytes(),
            one_time: None,
            signed: self.signed(),
            post_quantum: false,
        };
        FetchedUser { jid: self.address(), bundle: Ok(bundle) }.into()
    }

    /// A session of its own making with the account of [`Bench::connected`].
    pub(super) fn begins(&mut self) {
        let bundle = AccountKeys::generate(&mut StdRng::seed_from_u64(1)).public().bundle();
        self.session.establish(&self.local.key, &bundle, &Trust::Any, NOW.unix, &mut self.rng).unwrap();
    }

    /// The next text, as its stanza.
    pub(super) fn writes(&mut self) -> Node {
        self.sent += 1;
        let sealed = self.session.encrypt(&self.local, b"\x0A\x02hi\x01", NOW.unix, &mut self.rng).unwrap();
        let kind = if sealed.kind == wa_signal::Kind::PreKey { "pkmsg" } else { "msg" };
        let enc = Node::new("enc").with_attr("v", "2").with_attr("type", kind).with_bytes(sealed.bytes);
        let message = Node::new("message").with_attr("type", "text").with_attr("t", "1700000000");
        let message = message.with_attr("id", format!("text-{}", self.sent));
        message.with_attr("from", self.address()).with_child(enc)
    }

    /// Whether it can read an `<enc>`.
    pub(super) fn reads(&mut self, enc: &Node) -> bool {
        let bytes = enc.content().as_bytes().unwrap().to_vec().into();
        if enc.attr_str("type") == Some("msg") {
            let message = SignalMessage::decode(bytes).unwrap();
            return self.session.decrypt(&message, &Trust::Any).is_ok();
        }
        let message = PreKeyMessage::decode(bytes).unwrap();
        let prekeys = Prekeys { signed: &self.prekey, one_time: None };
        self.session.decrypt_prekey(&self.local.key, prekeys, &message, &Trust::Any).is_ok()
    }

    /// Asks for a message again, with keys for a new session.
    pub(super) fn asks_again(&mut self, id: &str, count: u32) -> Node {
        let retry = Node::new("retry").with_attr("v", "1").with_attr("count", count).with_attr("id", id);
        let registration =
            Node::new("registration").with_bytes(self.local.registration_id.to_be_bytes().to_vec());
        let prekey = PrivateKey::generate(&mut self.rng).public_key();
        let key = OneTimePrekey { id: PrekeyId::new(7).unwrap(), value: *prekey.as_bytes() };
        let keys = Node::new("keys").with_children([
            Node::new("type").with_bytes(vec![5]),
            Node::new("identity").with_bytes(self.identity().as_bytes().to_vec()),
            key.into(),
            self.signed().into(),
        ]);
        let receipt = Node::new("receipt").with_attr("type", "retry").with_attr("id", id);
        let receipt = receipt.with_attr("from", self.address()).with_attr("t", "1");
        receipt.with_children([retry.with_attr("t", "1"), registration, keys])
    }

    pub(super) fn receipt(&self, id: &str) -> Node {
        let receipt = Node::new("receipt").with_attr("id", id).with_attr("t", "1");
        receipt.with_attr("from", self.address())
    }
}

/// What a server says of the user.
#[derive(Default)]
pub(super) struct Server {
    /// The devices that it lists; none is a refusal.
    pub(super) listed: Option<Vec<u16>>,
    /// Messages that came, in their order.
    pub(super) messages: Vec<Node>,
    /// How often it was asked for devices and bundles.
    pub(super) lists: usize,
    pub(super) fetches: usize,
}

impl Server {
    pub(super) fn listing(devices: &[u16]) -> Self {
        Self { listed: Some(devices.to_vec()), ..Self::default() }
    }

    /// The answer to an iq of the client.
    pub(super) fn answers(&mut self, iq: &Node, phones: &mut [&mut Phone]) -> Option<Node> {
        let answer = Node::new("iq").with_attr("id", iq.attr_str("id")?).with_attr("type", "result");
        if iq.attr_str("xmlns") == Some("usync") {
            self.lists += 1;
            let Some(listed) = &self.listed else {
                let error = Node::new("error").with_attr("code", "503");
                return Some(answer.with_attr("type", "error").with_child(error));
            };
            let device = |id: &u16| Node::new("device").with_attr("id", *id);
            let list = Node::new("device-list").with_children(listed.iter().map(device));
            let user = Node::new("user").with_attr("jid", Jid::phone(USER).unwrap());
            let user = user.with_child(Node::new("devices").with_child(list));
            return Some(
                answer.with_child(Node::new("usync").with_child(Node::new("list").with_child(user))),
            );
        }
        let wanted = iq.child("key")?;
        self.fetches += 1;
        let jids: Vec<String> = wanted
            .children()
            .iter()
            .filter_map(|user| Some(user.attr("jid")?.to_jid()?.to_string()))
            .collect();
        let found = phones.iter_mut().filter(|phone| jids.contains(&phone.address().to_string()));
        let bundles: Vec<Node> = found.map(|phone| phone.bundle()).collect();
        Some(answer.with_child(Node::new("list").with_children(bundles)))
    }

    /// The ciphertext for a device in the so many-th message.
    pub(super) fn enc(&self, message: usize, device: u16) -> Option<Node> {
        let message = self.messages.get(message)?;
        match message.child("participants") {
            Some(participants) => {
                let at = |to: &&Node| {
                    to.attr("jid").and_then(|jid| jid.to_jid()).map(|jid| jid.device()) == Some(device)
                };
                participants.children().iter().find(at)?.child("enc").cloned()
            }
            None if message.attr("to")?.to_jid()?.device() == device => message.child("enc").cloned(),
            None => None,
        }
    }
}

impl Bench {
    pub(super) fn holding() -> Self {
        Self::connected().reopened(IdentityPolicy::Hold)
    }

    /// Another messenger over the same rows, with a connection of which nothing was said yet.
    pub(super) fn reopened(self, policy: IdentityPolicy) -> Self {
        let messenger = Messenger::open(Profile::reference_offer_1_0_3()).with_identity_policy(policy);
        let mut bench = Self { messenger, ..self };
        bench.settle();
        bench.messenger.handle_link_up(NOW, &mut bench.rng);
        bench
    }

    /// Runs client and server until nothing moves, and gives what the application hears. Between an announcement and the
    /// first ciphertext that it is about there is a commit.
    pub(super) fn exchange(&mut self, server: &mut Server, phones: &mut [&mut Phone]) -> Vec<Event> {
        let mut transactions = 0;
        loop {
            let mut moved = false;
            while let Some(transaction) = self.messenger.poll_transaction() {
                transactions += 1;
                assert!(transactions < MOST_TRANSACTIONS, "it never comes to rest");
                let tells = transaction.writes.iter().any(tells_of_somebody_new);
                let encrypts =
                    |write: &Write| write.key.table() == Some(Table::Outbox) && write.value.is_some();
                let encrypts = transaction.writes.iter().any(encrypts);
                assert!(!(tells && encrypts), "told and encrypted in one commit");
                self.commit(&transaction);
                moved = true;
            }
            while let Some(node) = self.poll_node() {
                moved = true;
                match node.tag() {
                    "message" => server.messages.push(node),
                    "iq" => {
                        if let Some(answer) = server.answers(&node, phones) {
                            self.stanza(answer);
                        }
                    }
                    _ => {}
                }
            }
            if !moved {
                return std::iter::from_fn(|| self.messenger.poll_event()).collect();
            }
        }
    }

    pub(super) fn write(&mut self, ticket: u64) {
        let (to, id) = (Jid::phone(USER).unwrap(), MessageId(format!("m{ticket}")));
        self.command(ticket, Command::Send { to, id, content: Content::text("text") });
    }

    pub(super) fn accept(&mut self, phone: &Phone, key: PublicKey) {
        self.command(900, Command::AcceptIdentity { address: phone.address(), key });
    }
}

fn tells_of_somebody_new(write: &Write) -> bool {
    let Some(value) = write.value.as_ref().filter(|_| write.key.table() == Some(Table::Inbox)) else {
        return false;
    };
    let Ok(Row::Inbox(entry)) = Row::decode(&write.key, value) else { panic!("an entry of the inbox") };
    match entry.event(0) {
        Event::DevicesChanged { added, .. } => !added.is_empty(),
        Event::IdentityChanged { identity, .. } => identity.is_some(),
        Event::SameUser { .. } => true,
        _ => false,
    }
}

pub(super) fn added(events: &[Event]) -> Vec<(Vec<u16>, Vec<u16>, bool)> {
    let of = |event: &Event| match event {
        Event::DevicesChanged { added, removed, is_first, .. } => {
            Some((added.iter().map(|(device, _)| *device).collect(), removed.clone(), *is_first))
        }
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

pub(super) fn changed(events: &[Event]) -> Vec<(u16, Option<PublicKey>)> {
    let of = |event: &Event| match event {
        Event::IdentityChanged { device, identity, .. } => Some((*device, *identity)),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

pub(super) fn undecryptable(events: &[Event]) -> Vec<Undecryptable> {
    let of = |event: &Event| match event {
        Event::Undecryptable { why, .. } => Some(*why),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// The server says that something of the user's has changed.
pub(super) fn changed_at_server(kind: &str) -> Node {
    let changed = Node::new("notification").with_attr("type", kind).with_attr("id", "n");
    changed.with_attr("from", Jid::phone(USER).unwrap()).with_attr("t", "1")
}

/// A message under another name.
pub(super) fn renamed(message: &Node, id: &str) -> Node {
    let (from, enc) = (message.attr("from").unwrap().clone(), message.child("enc").unwrap().clone());
    let renamed = Node::new("message").with_attr("type", "text").with_attr("t", "1700000000");
    renamed.with_attr("id", id).with_attr("from", from).with_child(enc)
}

pub(super) fn held(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::NoSession { why: NoSession::Held, .. }))
}

/// A client that has written to a phone and was answered.
pub(super) fn acquainted(mut bench: Bench, phone: &mut Phone, server: &mut Server) -> Bench {
    bench.write(0);
    let told = bench.exchange(server, &mut [phone]);
    assert_eq!(added(&told), [(vec![0], vec![], true)]);
    assert!(phone.reads(&server.enc(0, 0).unwrap()));
    bench.stanza(phone.writes());
    bench.exchange(server, &mut [phone]);
    bench
}

/// A stanza as from another address, with more attributes.
pub(super) fn from(node: &Node, from: &Jid, more: Option<(&'static str, Jid)>) -> Node {
    let mut changed = Node::new(node.tag()).with_attr("from", from);
    for (name, value) in node.attrs().iter().filter(|(name, _)| *name != *"from") {
        changed = changed.with_attr(name.clone(), value.clone());
    }
    let changed = more.into_iter().fold(changed, |node, (name, value)| node.with_attr(name, value));
    if node.children().is_empty() { changed } else { changed.with_children(node.children().iter().cloned()) }
}

/// A retry receipt that brings no keys.
pub(super) fn without_keys(receipt: &Node) -> Node {
    let mut changed = Node::new("receipt");
    for (name, value) in receipt.attrs() {
        changed = changed.with_attr(name.clone(), value.clone());
    }
    changed.with_children(receipt.children().iter().filter(|it| it.tag() != "keys").cloned())
}

/// The internal address of the user.
pub(super) fn lid() -> Jid {
    Jid::new("99887766554433", "lid").unwrap()
}
