//! The messenger alone, over rows in memory.

mod again;
mod dates;
mod hostile;
mod mailbox;
mod names;
mod phones;
mod recipients;

use std::time::Duration;

use phones::Phone;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_binary::Node;
use wa_keys::PrivateKey;
use wa_signal::{LocalIdentity, SessionRecord, Trust};

use super::*;
use crate::key::Table;
use crate::store::Write;
use crate::{AccountKeys, Client, Content, EventId, MemoryStore, MessageId, Undecryptable};

mod bounds;

/// A messenger and what stands around it.
struct Bench {
    messenger: Messenger,
    store: MemoryStore,
    rng: StdRng,
    now: Now,
}

const NOW: Now = Now { unix: 1_700_000_000, tick: Duration::ZERO };

impl Bench {
    /// An account that is loaded and has a connection.
    fn connected() -> Self {
        let (store, mut rng) = (MemoryStore::default(), StdRng::seed_from_u64(1));
        store.apply(&Client::create(&AccountKeys::generate(&mut rng)));
        let messenger = Messenger::open(Profile::reference_offer_1_0_3());
        let mut bench = Self { messenger, store, rng, now: NOW };
        bench.settle();
        bench.messenger.handle_link_up(NOW, &mut bench.rng);
        bench.settle();
        bench
    }

    /// Runs transactions until there is none, and takes out what there is for the channel.
    fn settle(&mut self) {
        self.commit_all();
        while self.messenger.poll_stanza().is_some() {}
    }

    /// Runs transactions until there is none.
    fn commit_all(&mut self) {
        while let Some(transaction) = self.messenger.poll_transaction() {
            self.commit(&transaction);
        }
    }

    /// The next stanza that is to leave.
    fn poll_node(&mut self) -> Option<Node> {
        let stanza = self.messenger.poll_stanza()?;
        Some(wa_binary::decode(stanza.as_bytes(), &wa_binary::Limits::new()).unwrap())
    }

    fn commit(&mut self, transaction: &Transaction) {
        let rows = self.store.apply(transaction);
        self.messenger.handle_committed(self.now, rows, &mut self.rng).unwrap();
    }

    /// A new connection at this date.
    fn login_at(&mut self, unix: u64) {
        self.now.unix = unix;
        self.messenger.handle_link_down();
        self.messenger.handle_link_up(self.now, &mut self.rng);
        self.settle();
    }

    fn command(&mut self, ticket: u64, command: Command) {
        self.messenger.handle_command(self.now, Ticket(ticket), command, &mut self.rng);
    }

    fn stanza(&mut self, node: Node) {
        let bytes = node.allocated();
        self.messenger.handle_stanza(self.now, node.try_into().unwrap(), bytes, &mut self.rng);
    }
}

/// The ack of a delivery receipt: a step that writes nothing.
fn receipt_ack(id: usize) -> Node {
    let ack = Node::new("ack").with_attr("class", "receipt").with_attr("id", format!("id-{id}"));
    ack.with_attr("from", Jid::phone("14155551001").unwrap())
}

#[test]
fn many_steps_that_write_nothing_hold_up_nothing() {
    for acks in [1, 63, 64, 65, 200] {
        let mut bench = Bench::connected();
        // All of it waits behind one transaction that is under way.
        bench.command(0, Command::Confirm(EventId(1)));
        let under_way = bench.messenger.poll_transaction().unwrap();
        (0..acks).for_each(|id| bench.stanza(receipt_ack(id)));
        bench.command(1, Command::Confirm(EventId(2)));
        bench.commit(&under_way);
        bench.settle();
        let accepted: Vec<Ticket> = std::iter::from_fn(|| bench.messenger.poll_accepted()).collect();
        assert_eq!(accepted, [Ticket(0), Ticket(1)], "{acks} acks");
        assert_eq!(bench.messenger.queued(), 0, "{acks} acks");
    }
}

#[test]
fn steps_that_write_nothing_are_released_after_those_that_write() {
    let mut bench = Bench::connected();
    let peer = Jid::phone("14155551001").unwrap();
    let text = Command::Send { to: peer.clone(), id: MessageId("1".into()), content: Content::text("text") };
    bench.command(0, text);
    bench.command(1, Command::Typing { to: peer, typing: crate::Typing::Composing });
    assert_eq!(bench.messenger.poll_stanza(), None, "the text is not durable");
    let transaction = bench.messenger.poll_transaction().unwrap();
    assert_eq!(bench.messenger.poll_stanza(), None);
    bench.commit(&transaction);
    bench.settle();
    assert_eq!(bench.messenger.queued(), 0);
}

#[test]
fn an_erased_account_takes_nothing_more() {
    let mut bench = Bench::connected();
    let write = Write { key: Key::inbox(0), value: None, expires: None };
    bench.store.apply(&Transaction { writes: vec![write], ..Transaction::default() });
    bench.messenger.erase();
    bench.command(0, Command::Confirm(EventId(1)));
    assert_eq!(bench.messenger.queued(), 0);
    assert!(bench.messenger.poll_transaction().is_none());
}

#[test]
fn a_retry_receipt_leaves_before_the_ack() {
    let mut bench = Bench::connected();
    let enc = Node::new("enc").with_attr("v", "2").with_attr("type", "msg").with_bytes(vec![0x33; 60]);
    let message = Node::new("message").with_attr("id", "1").with_attr("type", "text").with_attr("t", "1");
    bench.stanza(message.with_attr("from", Jid::phone("14155551001").unwrap()).with_child(enc));
    bench.commit_all();
    let sent = std::iter::from_fn(|| bench.poll_node());
    assert_eq!(sent.map(|node| node.tag().to_owned()).collect::<Vec<_>>(), ["receipt", "ack"]);
}

/// Texts for many users wait, and a connection comes.
fn many_waiting(users: usize) -> (usize, usize) {
    let mut bench = Bench::connected();
    bench.messenger.handle_link_down();
    for user in 0..users {
        let to = Jid::phone(&format!("1415{user:07}")).unwrap();
        let id = MessageId("1".into());
        bench.command(0, Command::Send { to, id, content: Content::text("text") });
        bench.settle();
    }
    bench.messenger.handle_link_up(NOW, &mut bench.rng);
    let (mut transactions, mut reads) = (0, 0);
    while let Some(transaction) = bench.messenger.poll_transaction() {
        transactions += 1;
        reads += transaction.reads.len();
        bench.commit(&transaction);
        while bench.messenger.poll_stanza().is_some() {}
    }
    assert_eq!(bench.messenger.queued(), 0);
    (transactions, reads)
}

#[test]
fn the_work_of_a_login_grows_with_the_users_that_wait_and_not_with_their_square() {
    let (_, few) = many_waiting(400);
    let (_, many) = many_waiting(1600);
    assert!(many < 6 * few, "400 users: {few} reads, 1600 users: {many}");
}

impl Bench {
    /// Another messenger over the same rows, as after a restart.
    fn restarted(self) -> Self {
        let messenger = Messenger::open(Profile::reference_offer_1_0_3());
        let mut bench = Self { messenger, ..self };
        bench.settle();
        bench.messenger.handle_link_up(NOW, &mut bench.rng);
        bench.settle();
        bench
    }

    fn rows(&self, table: Table) -> Vec<Key> {
        self.store.apply(&crate::rows_of(table)).0.into_iter().map(|(key, _)| key).collect()
    }

    /// Takes in a message; says what the application hears of it.
    fn receive(&mut self, message: Node) -> Vec<Event> {
        self.stanza(message);
        self.settle();
        std::iter::from_fn(|| self.messenger.poll_event()).collect()
    }
}

/// One text and nothing else, but for the first contact.
fn is_text(events: &[Event]) -> bool {
    let told = |event: &&Event| !matches!(event, Event::DevicesChanged { is_first: true, .. });
    let told: Vec<&Event> = events.iter().filter(told).collect();
    matches!(told.as_slice(), [Event::Message { content: Content::Text(_), .. }])
}

#[test]
fn a_message_that_was_overtaken_finds_its_key_in_a_row_of_its_own() {
    let (mut bench, mut peer) = (Bench::connected(), Phone::begun(2));
    let late = peer.writes();
    assert!(is_text(&bench.receive(peer.writes())));
    assert_eq!(bench.rows(Table::KeyBlock).len(), 1);
    let mut bench = bench.restarted();
    assert_eq!(std::iter::from_fn(|| bench.messenger.poll_event()).count(), 2, "unconfirmed");
    assert!(is_text(&bench.receive(late.clone())), "after a restart");
    assert_eq!(bench.rows(Table::KeyBlock), [], "the row goes with its last key");
    assert!(bench.receive(late).is_empty(), "once");
}

#[test]
fn keys_of_overtaken_messages_stay_for_35_days() {
    let (mut bench, mut peer) = (Bench::connected(), Phone::begun(2));
    peer.writes();
    bench.stanza(peer.writes());
    let mut until = Vec::new();
    while let Some(transaction) = bench.messenger.poll_transaction() {
        let blocks = transaction.writes.iter().filter(|write| write.key.table() == Some(Table::KeyBlock));
        until.extend(blocks.filter_map(|write| write.expires));
        bench.commit(&transaction);
    }
    assert_eq!(until, [NOW.unix + 3_024_000]);
}

#[test]
fn keys_that_the_store_lost_lose_their_messages_and_no_others() {
    let (mut bench, mut peer) = (Bench::connected(), Phone::begun(2));
    let late = peer.writes();
    assert!(is_text(&bench.receive(peer.writes())));
    for key in bench.rows(Table::KeyBlock) {
        let write = Write { key, value: None, expires: None };
        bench.store.apply(&Transaction { writes: vec![write], ..Transaction::default() });
    }
    let mut bench = bench.restarted();
    assert_eq!(std::iter::from_fn(|| bench.messenger.poll_event()).count(), 2, "unconfirmed");
    let told = bench.receive(late);
    let why = |event: &Event| match event {
        Event::Undecryptable { why, .. } => Some(*why),
        _ => None,
    };
    let lost = told.first().and_then(why);
    assert_eq!(lost, Some(Undecryptable::KeysLost), "{told:?}");
    assert!(is_text(&bench.receive(peer.writes())), "the next");
}

/// `<ib>` with routing information of so many bytes.
fn route(length: usize) -> Node {
    let info = Node::new("routing_info").with_bytes(vec![7; length]);
    Node::new("ib").with_child(Node::new("edge_routing").with_child(info))
}

#[test]
fn the_way_to_the_server_is_kept_until_it_leads_nowhere() {
    let mut bench = Bench::connected();
    let server =
        wa_noise::KnownServer { key: PrivateKey::generate(&mut bench.rng).public_key(), not_after: 9 };
    bench.messenger.handle_server(NOW, server, &mut bench.rng);
    for (length, kept) in [(5, 5), (wa_noise::MAX_ROUTING_INFO + 1, 5), (6, 6)] {
        bench.stanza(route(length));
        bench.settle();
        bench = bench.restarted();
        let known = bench.messenger.known().unwrap();
        assert_eq!(known.server, server);
        assert_eq!(known.routing_info.as_ref().map(bytes::Bytes::len), Some(kept), "{length}");
    }
    bench.messenger.forget_known();
    bench.messenger.handle_server(NOW, server, &mut bench.rng);
    assert_eq!(bench.messenger.known().unwrap().routing_info, None, "the next one starts from nothing");
}

#[test]
fn how_far_a_message_may_be_ahead_is_the_profiles() {
    for (forward_jump, is_read) in [(19, false), (20, true)] {
        let mut bench = Bench::connected();
        let mut profile = Profile::reference_offer_1_0_3();
        profile.encryption.forward_jump = forward_jump;
        bench.messenger = Messenger::open(profile);
        bench.settle();
        let mut peer = Phone::begun(2);
        let texts: Vec<Node> = (0..22).map(|_| peer.writes()).collect();
        assert!(is_text(&bench.receive(texts[0].clone())));
        let told = bench.receive(texts[21].clone());
        assert_eq!(is_text(&told), is_read, "{forward_jump}: {told:?}");
    }
}

#[test]
fn a_new_identity_is_kept_and_told_once() {
    let (mut bench, mut told) = (Bench::connected(), Vec::new());
    for mut peer in [Phone::begun(100), Phone::begun(200)] {
        told.extend(bench.receive(peer.writes()));
        assert_eq!(bench.store.count(Table::Identity), 1);
    }
    let changes = told.iter().filter(|event| matches!(event, Event::IdentityChanged { .. })).count();
    let contacts = told.iter().filter(|event| matches!(event, Event::DevicesChanged { .. })).count();
    assert_eq!((told.len(), changes, contacts), (4, 1, 1), "{told:?}");
}

#[test]
fn what_the_server_never_acks_holds_up_nothing_behind_it() {
    let mut bench = Bench::connected();
    let peer = Jid::phone("14155551001").unwrap();
    for number in 0..1200 {
        let ids = vec![MessageId(format!("read-{number}"))];
        bench.command(number, Command::Mark { from: peer.clone(), ids, mark: crate::Mark::Read });
        bench.settle();
    }
    bench.command(
        1200,
        Command::Mark { from: peer, ids: vec![MessageId("last".into())], mark: crate::Mark::Read },
    );
    bench.commit_all();
    assert!(bench.messenger.poll_stanza().is_some(), "the last receipt leaves");
}

fn notification(id: &str) -> Node {
    let node = Node::new("notification").with_attr("id", id).with_attr("type", "w:x").with_attr("t", "1");
    node.with_attr("from", Jid::whatsapp())
}

/// How many stanzas of this name leave until nothing is left to do.
fn leaving(bench: &mut Bench, tag: &str) -> usize {
    let mut leaving = 0;
    loop {
        while let Some(node) = bench.poll_node() {
            leaving += usize::from(node.is(tag));
        }
        let Some(transaction) = bench.messenger.poll_transaction() else { return leaving };
        bench.commit(&transaction);
    }
}

#[test]
fn what_came_over_one_connection_is_not_acked_on_the_next() {
    // In a batch that is open, in one that is under way, or in the queue behind 64 steps of one.
    for (under_way, before) in [(false, 0), (true, 0), (true, 70)] {
        let mut bench = Bench::connected();
        // Its rows are loaded from here on.
        bench.stanza(notification("0"));
        bench.settle();
        bench.command(0, Command::Confirm(EventId(1)));
        let transaction = under_way.then(|| bench.messenger.poll_transaction().unwrap());
        (0..before).for_each(|id| bench.command(id, Command::Confirm(EventId(id))));
        bench.stanza(notification("1"));
        bench.messenger.handle_link_down();
        bench.messenger.handle_link_up(NOW, &mut bench.rng);
        if let Some(transaction) = transaction {
            bench.commit(&transaction);
        }
        assert_eq!(leaving(&mut bench, "ack"), 0);
        bench.stanza(notification("1"));
        assert_eq!(leaving(&mut bench, "ack"), 1);
    }
}

#[test]
fn an_ack_whose_transaction_outlives_its_connection_does_not_leave() {
    for (is_cut, is_up, expected) in [(false, true, 1), (true, false, 0), (true, true, 0)] {
        let mut bench = Bench::connected();
        bench.stanza(notification("0"));
        bench.settle();
        bench.stanza(notification("1"));
        let transaction = bench.messenger.poll_transaction().unwrap();
        assert!(transaction.writes.iter().any(|write| write.key.table() == Some(Table::Inbox)));
        if is_cut {
            bench.messenger.handle_link_down();
        }
        if is_cut && is_up {
            bench.messenger.handle_link_up(NOW, &mut bench.rng);
        }
        bench.commit(&transaction);
        assert_eq!(leaving(&mut bench, "ack"), expected, "{is_cut}, {is_up}");
    }
}

#[test]
fn what_was_not_answered_is_asked_for_again() {
    let mut bench = Bench::connected();
    bench.write(0);
    assert_eq!(leaving(&mut bench, "iq"), 1);
    bench.write(1);
    assert_eq!(leaving(&mut bench, "iq"), 0, "it was asked for");
    bench.now.tick += Duration::from_secs(600);
    bench.messenger.handle_timeout(bench.now, &mut bench.rng);
    bench.settle();
    bench.write(2);
    assert_eq!(leaving(&mut bench, "iq"), 1);
}
