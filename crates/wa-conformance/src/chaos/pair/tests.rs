//! The client's timer, on the virtual clock.

use std::time::Duration;

use wa_interop::chat::{DisconnectReason, Table};

use super::*;

/// A pair whose login stands and whose wires are empty.
fn connected() -> Pair {
    let mut pair = quiet();
    pair.connect();
    pair.exchange();
    assert_eq!(pair.client.poll_event(), Some(Event::Connected));
    // Nothing waits there.
    let (waits, empty) = (pair.client.poll_event(), pair.client.poll_event());
    assert!(matches!(waits, Some(Event::MailboxWaits { stanzas: 0, messages: 0, .. })), "{waits:?}");
    assert!(matches!(empty, Some(Event::MailboxEmpty { stanzas: 0, .. })), "{empty:?}");
    pair
}

/// A pair that nothing happens to.
fn quiet() -> Pair {
    Pair::new(Schedule { seed: 0, faults: Faults::Crashes, storage: StorageKind::Memory }).unwrap()
}

impl Pair {
    /// Carries bytes to and fro until there are none.
    fn exchange(&mut self) {
        loop {
            self.settle().unwrap();
            while let Some(bytes) = self.client.poll_transmit() {
                self.link.as_mut().unwrap().to_server.push_back(bytes);
            }
            let link = self.link.as_ref().unwrap();
            if link.to_server.is_empty() && link.to_client.is_empty() {
                return;
            }
            self.deliver_to_server();
            self.deliver_to_client();
        }
    }
}

#[test]
fn a_quiet_line_is_pinged_and_an_answer_keeps_it_open() {
    let mut pair = connected();
    for _ in 0..3 {
        let due = pair.client.poll_timeout().unwrap() - pair.now.tick;
        assert!((20..=30).contains(&due.as_secs()), "{due:?}");
        pair.wait(Duration::from_secs(19));
        assert_eq!(pair.client.poll_transmit(), None, "too early");
        pair.wait(Duration::from_secs(12));
        let ping = pair.client.poll_transmit().expect("a ping");
        pair.link.as_mut().unwrap().to_server.push_back(ping);
        pair.exchange();
        assert_eq!(pair.client.poll_event(), None);
    }
}

#[test]
fn an_unanswered_ping_ends_the_connection_after_ten_seconds() {
    let mut pair = connected();
    pair.wait(Duration::from_secs(31));
    assert!(pair.client.poll_transmit().is_some());
    pair.wait(Duration::from_secs(9));
    assert_eq!(pair.client.poll_event(), None);
    pair.wait(Duration::from_secs(1));
    assert_eq!(pair.client.poll_event(), Some(Event::Disconnected(DisconnectReason::TimedOut)));
    assert_eq!(pair.client.poll_timeout(), None);
}

#[test]
fn a_connection_that_stands_for_a_week_rotates_its_signed_prekey() {
    let mut pair = connected();
    let prekeys = |pair: &Pair| pair.store.count(Table::SignedPrekey).unwrap();
    let since = pair.now.unix;
    for (day, expected) in [(0, 1), (6, 1), (7, 2), (8, 2), (14, 3)] {
        pair.now.unix = since + day * 24 * 60 * 60;
        pair.wait(Duration::from_secs(31));
        pair.exchange();
        assert_eq!(prekeys(&pair), expected, "day {day}");
    }
}

#[test]
fn what_the_server_does_not_answer_ends_after_a_minute() {
    use wa_interop::chat::{Ask, NoAnswer, NoSession};
    let mut pair = connected();
    let peer = Jid::phone(PHONE).unwrap();
    pair.phone_does("manners", &json!({ "withheld": true })).unwrap();
    pair.write_text();
    let ticket = pair.command(Command::Ask(Ask::Block(peer.clone())));
    pair.exchange();
    // The line is not quiet meanwhile: what comes in delays no timer but the ping's.
    for _ in 0..11 {
        pair.wait(Duration::from_secs(5));
        pair.phone_does("typing", &json!({ "to": pair.login.to_string(), "state": "composing" })).unwrap();
        pair.take_outputs();
        pair.exchange();
        assert!(matches!(pair.client.poll_event(), Some(Event::Typing { .. })));
    }
    assert_eq!(pair.client.poll_event(), None);
    assert_eq!(pair.client.poll_timeout().map(|due| due - pair.now.tick), Some(Duration::from_secs(5)));
    pair.wait(Duration::from_secs(5));
    pair.exchange();
    let (answered, unanswered) = (pair.client.poll_event(), pair.client.poll_event());
    let late = |event: &Event| match event {
        Event::Answered { ticket, answer, .. } => Some((*ticket, answer.clone())),
        _ => None,
    };
    assert_eq!(answered.as_ref().and_then(late), Some((ticket, Err(NoAnswer::Late))));
    let why = |event: &Event| match event {
        Event::NoSession { peer, why, .. } => Some((peer.clone(), *why)),
        _ => None,
    };
    assert_eq!(unanswered.as_ref().and_then(why), Some((peer, NoSession::Unanswered)));
    // The next message asks again, and both arrive.
    pair.phone_does("manners", &json!({ "withheld": false })).unwrap();
    pair.write_text();
    pair.exchange();
    assert_eq!(pair.texts_at_phone(), ["text 0", "text 1"]);
}

#[test]
fn a_login_without_an_answer_ends_after_twenty_seconds() {
    let mut pair = quiet();
    pair.connect();
    pair.wait(Duration::from_secs(19));
    assert_eq!(pair.client.poll_event(), None);
    pair.wait(Duration::from_secs(1));
    assert_eq!(pair.client.poll_event(), Some(Event::Disconnected(DisconnectReason::TimedOut)));
}

#[test]
fn nothing_leaves_before_its_commit() {
    let mut pair = connected();
    pair.write_text();
    // The rows that the text needs, then the text itself: handed out, run, and not told of.
    while pair.client.poll_accepted().is_none() {
        assert_eq!(pair.client.poll_transmit(), None);
        pair.take_transaction().unwrap();
        assert_eq!(pair.client.poll_transmit(), None, "left while its commit was under way");
        pair.run_transaction().unwrap();
        assert_eq!(pair.client.poll_transmit(), None, "left before the commit was told of");
        if let Some((transaction, _)) = pair.transaction.take() {
            let rows = pair.store.apply(&transaction).unwrap();
            pair.client.handle_committed(pair.now, rows, &mut pair.rng).unwrap();
        }
    }
    assert!(pair.client.poll_transmit().is_some(), "the bundle's request");
}

/// Every row of a store.
fn rows(store: &Storage) -> wa_interop::chat::Rows {
    let all = wa_interop::chat::Read::Page {
        from: wa_interop::chat::Key::from_bytes(&[0]),
        to: wa_interop::chat::Key::from_bytes(&[255]),
        limit: u16::MAX,
        bytes: usize::MAX,
    };
    store.apply(&Transaction { reads: vec![all], ..Transaction::default() }).unwrap()
}

#[test]
fn a_backup_that_was_put_back_uses_no_key_twice() {
    use wa_interop::chat::{MemoryStore, Restoration, Write};
    let mut pair = connected();
    for _ in 0..3 {
        pair.write_text();
        pair.phone_writes().unwrap();
        pair.rest().unwrap();
    }
    let backup = rows(&pair.store);
    for _ in 0..3 {
        pair.write_text();
        pair.phone_writes().unwrap();
        pair.rest().unwrap();
    }
    let before = pair.at_phone("received").len();
    // The old rows, in a new store; the phone has gone on in the meantime.
    pair.drop_link();
    let restored = MemoryStore::default();
    let writes = backup.0.into_iter().map(|(key, value)| Write { key, value: Some(value), expires: None });
    restored.apply(&Transaction { writes: writes.collect(), ..Transaction::default() });
    let mut restoration = Restoration::new(pair.now.unix);
    let mut next = Some(restoration.first());
    while let Some(transaction) = next {
        next = restoration.next(&restored.apply(&transaction)).unwrap();
    }
    pair.store = Storage::Memory(restored);
    pair.client = Client::open(pair.profile.clone(), pair.root);
    pair.settle().unwrap();
    // The phone answers in a ratchet that this copy never saw: such messages are asked for again.
    pair.mishap = Mishap::Spoils;
    pair.ledger.shown.clear();
    pair.ledger.order.clear();
    pair.ledger.confirmed.clear();
    for _ in 0..3 {
        pair.write_text();
        pair.phone_writes().unwrap();
        pair.rest().unwrap();
    }
    let received = pair.at_phone("received");
    assert!(received[before..].len() >= 3);
    assert!(
        received.iter().all(|message| message["text"].is_string()),
        "a key was used twice: {received:#?}"
    );
    let texts: Vec<&String> = pair.ledger.shown.values().filter(|text| text.starts_with("phone ")).collect();
    assert!(texts.len() >= 3, "{texts:?}");
}
