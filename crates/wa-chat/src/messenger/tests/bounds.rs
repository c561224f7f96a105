//! What a messenger holds at most, what it refuses, and rows that it cannot read.

use super::*;
use crate::MAX_CONTENT;
use crate::messenger::state::cursor::PAGE_BYTES;
use crate::row::{InboxEntry, InboxItem, OutboxEntry, OutboxKind};

fn typing(from: &str, typing: &str) -> Node {
    Node::new("chatstate").with_attr("from", Jid::phone(from).unwrap()).with_child(Node::new(typing))
}

#[test]
fn of_what_a_peer_is_doing_the_newest_is_told_and_too_much_is_counted() {
    let mut bench = Bench::connected();
    for _ in 0..1000 {
        bench.stanza(typing("1415", "composing"));
        bench.stanza(typing("1415", "paused"));
    }
    (0..1000).for_each(|user| bench.stanza(typing(&format!("1416{user:04}"), "composing")));
    let events: Vec<Event> = std::iter::from_fn(|| bench.messenger.poll_event()).collect();
    let from = Jid::phone("1415").unwrap();
    assert_eq!(events.first(), Some(&Event::Typing { from, typing: crate::Typing::Paused }));
    assert_eq!(events.last(), Some(&Event::Dropped { events: 1001 - 64 }));
    assert_eq!(events.len(), 65);
    // There is room again.
    bench.stanza(typing("1415", "composing"));
    assert!(matches!(bench.messenger.poll_event(), Some(Event::Typing { .. })));
    assert_eq!(bench.messenger.poll_event(), None);
}

#[test]
fn long_stanzas_are_bounded_by_their_bytes_and_go_on_when_they_are_taken() {
    const ALL: usize = 40;
    let long =
        |id: usize| notification(&id.to_string()).with_child(Node::new("x").with_bytes(vec![0; 1 << 20]));
    let (mut bench, mut sent, mut shown) = (Bench::connected(), 0, 0);
    while shown < ALL {
        while bench.messenger.wants_input() && sent < ALL {
            // As the frame that it was read from is counted with it.
            let node = long(sent);
            let stanza = node.clone().try_into().unwrap();
            bench.messenger.handle_stanza(NOW, stanza, (1 << 20) + node.allocated(), &mut bench.rng);
            sent += 1;
            assert!(sent - shown <= 4, "{sent} taken, {shown} shown");
        }
        bench.settle();
        assert_eq!(bench.messenger.queued(), 0);
        while let Some(event) = bench.messenger.poll_event() {
            assert!(matches!(event, Event::Notification { .. }), "{event:?}");
            shown += 1;
            bench.settle();
        }
    }
}

fn text(to: &Jid, id: &str, length: usize) -> Command {
    let content = Content::Unknown(vec![0x0A; length].into());
    Command::Send { to: to.clone(), id: MessageId(id.into()), content }
}

#[test]
fn what_can_never_leave_is_refused_and_nothing_of_it_is_stored() {
    let mut bench = Bench::connected();
    let peer = Jid::phone("14155551001").unwrap();
    let rows = |bench: &Bench| bench.store.apply(&crate::rows_of(Table::Waiting)).0.len();
    let (longest, long) = ("x".repeat(128), "x".repeat(129));
    let mark = |id: &str| Command::Mark {
        from: peer.clone(),
        ids: vec![MessageId("1".into()), MessageId(id.into())],
        mark: crate::Mark::Read,
    };
    for (command, refused) in [
        (text(&peer, &longest, MAX_CONTENT), None),
        (text(&peer, "2", MAX_CONTENT + 1), Some(CommandError::TooLong { length: MAX_CONTENT + 1 })),
        (text(&peer, &long, 1), Some(CommandError::LongName)),
        (mark(&longest), None),
        (mark(&long), Some(CommandError::LongName)),
    ] {
        bench.command(1, command);
        bench.settle();
        assert_eq!(bench.messenger.poll_refused(), refused.map(|error| (Ticket(1), error)));
        assert_eq!(bench.messenger.poll_accepted(), refused.is_none().then_some(Ticket(1)));
    }
    assert_eq!(rows(&bench), 1);
}

#[test]
fn a_command_of_which_something_could_not_be_read_again_is_refused() {
    let mut bench = Bench::connected();
    let peer = Jid::phone("14155551001").unwrap();
    bench.messenger.refuse(Some(Input::Command(Ticket(7), text(&peer, "1", 1))));
    assert_eq!(bench.messenger.poll_refused(), Some((Ticket(7), CommandError::Unreadable)));
    bench.settle();
    assert_eq!((bench.messenger.poll_accepted(), bench.messenger.queued()), (None, 0));
}

#[test]
fn a_stanza_of_which_something_could_not_be_read_again_is_refused() {
    let from = Jid::phone("14155551001").unwrap();
    let enc = Node::new("enc").with_attr("v", "2").with_attr("type", "msg").with_bytes(vec![0x33; 60]);
    let message = Node::new("message").with_attr("type", "text").with_child(enc);
    let notification = Node::new("notification").with_attr("type", "w:x");
    for node in [message, Node::new("receipt"), notification] {
        let (mut bench, tag) = (Bench::connected(), node.tag().to_owned());
        let node = node.with_attr("id", "1").with_attr("from", from.clone()).with_attr("t", "1");
        bench.messenger.refuse(Some(match Stanza::try_from(node).unwrap() {
            Stanza::Message(message) => Input::Message(message.into()),
            Stanza::Receipt(receipt) => Input::Receipt(receipt.into()),
            Stanza::Notification(notification) => Input::Notification(notification.into()),
            other => panic!("{other:?}"),
        }));
        bench.command(1, Command::Confirm(EventId(9)));
        bench.commit_all();
        let ack = bench.poll_node().unwrap();
        let attrs = ["class", "id", "error"].map(|name| ack.attr_str(name));
        assert_eq!((ack.tag(), attrs), ("ack", [Some(&*tag), Some("1"), Some("488")]));
        let told = bench.messenger.poll_event();
        assert!(matches!(&told, Some(Event::Refused { stanza, .. }) if **stanza == *tag), "{tag}: {told:?}");
    }
}

#[test]
fn what_is_committed_behind_many_that_wait_leaves_after_them() {
    for marks in [MAX_READY, MAX_READY + 1, MAX_READY + 2] {
        let mut bench = Bench::connected();
        for mark in 0..marks {
            let (from, ids) = (Jid::phone("14155551001").unwrap(), vec![MessageId(mark.to_string())]);
            bench.command(0, Command::Mark { from, ids, mark: crate::Mark::Read });
            bench.commit_all();
        }
        assert_eq!(bench.messenger.transmits.len(), MAX_READY);
        let mut sent = 0;
        while bench.messenger.poll_stanza().is_some() {
            sent += 1;
            bench.commit_all();
        }
        assert_eq!(sent, marks);
    }
}

#[test]
fn what_is_committed_behind_many_events_is_told_after_them() {
    for all in [MAX_READY, MAX_READY + 1, MAX_READY + 2] {
        let mut bench = Bench::connected();
        for id in 0..all {
            bench.stanza(notification(&id.to_string()));
            bench.settle();
        }
        let mut told = 0;
        while bench.messenger.poll_event().is_some() {
            told += 1;
            bench.settle();
        }
        assert_eq!(told, all);
    }
}

#[test]
fn rows_that_are_loaded_are_counted_until_they_are_forgotten() {
    let (mut bench, mut peer) = (Bench::connected(), Phone::begun(2));
    assert!(is_text(&bench.receive(peer.writes())));
    let (rows, bytes) = (bench.messenger.view.len(), bench.messenger.view.bytes());
    assert!(
        rows > 0 && bytes >= rows * size_of::<Row>() && bench.messenger.held() >= bytes,
        "{rows}: {bytes}"
    );
    bench.messenger.handle_link_down();
    bench.settle();
    assert_eq!((bench.messenger.view.len(), bench.messenger.view.bytes()), (0, 0));
}

#[test]
fn a_report_that_no_frame_can_carry_is_answered_at_once() {
    for (length, is_sent) in [(1 << 20, true), (wa_noise::MAX_FRAME, false)] {
        let mut bench = Bench::connected();
        let message = crate::ReportedMessage { id: "1".into(), t: 1, content: vec![0; length].into() };
        let jid = Jid::phone("14155551001").unwrap();
        let report = crate::Report { flow: "MessageMenu".into(), jid, messages: vec![message] };
        bench.command(1, Command::Ask(crate::Ask::Report(report)));
        bench.commit_all();
        assert_eq!(std::iter::from_fn(|| bench.messenger.poll_stanza()).count(), usize::from(is_sent));
        let answer = Err(crate::NoAnswer::Refused(413));
        let told = (!is_sent).then_some(Event::Answered { ticket: Ticket(1), answer });
        assert_eq!(bench.messenger.poll_event(), told, "{length}");
        bench.now.tick += Duration::from_secs(600);
        bench.messenger.handle_timeout(bench.now, &mut bench.rng);
        bench.settle();
        let late = Event::Answered { ticket: Ticket(1), answer: Err(crate::NoAnswer::Late) };
        let told = std::iter::from_fn(|| bench.messenger.poll_event()).filter(|event| *event == late);
        assert_eq!(told.count(), usize::from(is_sent), "{length}");
    }
}

/// Where the logs end: the inbox here, the others there.
fn logs_end_at(next_inbox: u64, others: u64) -> Write {
    let counters = Counters {
        next_inbox,
        next_outbox: others,
        next_content: others,
        prekeys: PrekeyIds { next: 200, next_upload: 200 },
        swept: None,
        has_names: false,
    };
    Write { key: Key::counters(), value: Some(Row::Counters(counters).encode()), expires: None }
}

/// A store with a row that some program wrote.
fn with_row(key: &Key, value: Vec<u8>) -> Bench {
    let bench = Bench::connected();
    let (store, rng) = (bench.store, bench.rng);
    // The logs are read to their ends.
    let counters = logs_end_at(9, 9);
    let write = Write { key: key.clone(), value: Some(Value::new(value)), expires: None };
    store.apply(&Transaction { writes: vec![counters, write], ..Transaction::default() });
    let mut bench =
        Bench { messenger: Messenger::open(Profile::reference_offer_1_0_3()), store, now: NOW, rng };
    bench.settle();
    bench.messenger.handle_link_up(NOW, &mut bench.rng);
    bench
}

fn has_row(bench: &Bench, key: &Key) -> bool {
    let reads = vec![Read::One(key.clone())];
    !bench.store.apply(&Transaction { reads, ..Transaction::default() }).0.is_empty()
}

#[test]
fn a_stanza_that_is_longer_than_a_frame_is_taken_back_and_told() {
    let peer = Jid::phone("14155551001").unwrap();
    for (length, leaves) in [(wa_noise::MAX_FRAME - 17, true), (wa_noise::MAX_FRAME - 16, false)] {
        let stanza = EncodedStanza::stored(vec![0; length].into());
        let entry = OutboxEntry {
            stanza,
            peer: peer.clone(),
            id: "1".into(),
            kind: OutboxKind::Message,
            since: None,
        };
        let mut bench = with_row(&Key::outbox(3), Row::Outbox(entry).encode().as_bytes().to_vec());
        let mut left = false;
        while let Some(transaction) = bench.messenger.poll_transaction() {
            bench.commit(&transaction);
            while let Some(stanza) = bench.messenger.poll_stanza() {
                left |= stanza.as_bytes().len() == length;
            }
        }
        let told = bench.messenger.poll_event();
        let event = EventId(9);
        let rejected = Event::Rejected { event, to: peer.clone(), id: MessageId("1".into()), code: 413 };
        assert_eq!((left, told), (leaves, (!leaves).then_some(rejected)));
        assert_eq!(has_row(&bench, &Key::outbox(3)), leaves);
        assert_eq!(has_row(&bench, &Key::inbox(9)), !leaves, "it is told durably");
    }
}

#[test]
fn rows_that_cannot_be_read_are_told_of_and_the_account_goes_on() {
    let peer = Jid::phone("14155551001").unwrap();
    for key in [Key::inbox(3), Key::outbox(3), Key::waiting(&peer, 3), Key::peer(&peer)] {
        let mut bench = with_row(&key, vec![0xFF; 9]);
        bench.settle();
        // A session is read when it is needed.
        bench.command(1, text(&peer, "1", 1));
        bench.settle();
        assert_eq!(bench.messenger.queued(), 0);
        assert_eq!(bench.messenger.poll_accepted(), Some(Ticket(1)));
        let table = key.table().unwrap();
        let Some(Event::Unreadable { event, table: told }) = bench.messenger.poll_event() else {
            panic!("{table:?} is not told of");
        };
        assert_eq!(told, table);
        assert!(has_row(&bench, &Key::inbox(event.0)), "it is told durably");
        bench.command(2, Command::Confirm(event));
        bench.settle();
        assert!(!has_row(&bench, &Key::inbox(event.0)));
        let is_there = has_row(&bench, &key);
        assert!(!is_there || table == Table::Peer, "{table:?}");
        assert_eq!(bench.messenger.poll_event(), None, "{table:?}");
    }
}

#[test]
fn a_notification_that_cannot_be_read_bricks_nothing() {
    let what = InboxItem::Notification { node: vec![0xFF; 9].into() };
    let entry = InboxEntry { peer: Jid::whatsapp(), ids: Vec::new(), what };
    let mut bench = with_row(&Key::inbox(3), Row::Inbox(entry).encode().as_bytes().to_vec());
    bench.settle();
    let event = EventId(3);
    assert_eq!(bench.messenger.poll_event(), Some(Event::Unreadable { event, table: Table::Inbox }));
}

#[test]
fn a_mark_of_many_messages_is_several_receipts() {
    let mut bench = Bench::connected();
    let from = Jid::phone("14155551001").unwrap();
    let ids = (0..40_000).map(|id| MessageId(id.to_string())).collect();
    bench.command(1, Command::Mark { from, ids, mark: crate::Mark::Read });
    let mut marked = Vec::new();
    while let Some(transaction) = bench.messenger.poll_transaction() {
        bench.commit(&transaction);
        while let Some(node) = bench.poll_node() {
            let receipt = wa_stanza::Receipt::try_from(&node).unwrap();
            marked.push(receipt.ids().count());
        }
    }
    assert_eq!(bench.messenger.poll_accepted(), Some(Ticket(1)));
    assert_eq!((marked.len(), marked.iter().sum::<usize>()), (157, 40_000));
    assert_eq!(marked.iter().max(), Some(&256));
}

/// Stores rows of the inbox, each with so many bytes.
fn with_inbox(count: u64, length: usize) -> Bench {
    let content: bytes::Bytes = vec![0x0A; length].into();
    let row = |number: u64| {
        let (timestamp, device, is_accepted) = (number, 0, true);
        let what = InboxItem::Message {
            content: content.clone(),
            timestamp,
            device,
            is_accepted,
            push_name: None,
            waited: false,
        };
        let (peer, ids) = (Jid::phone("14155551001").unwrap(), vec![number.to_string()]);
        Write {
            key: Key::inbox(number),
            value: Some(Row::Inbox(InboxEntry { peer, ids, what }).encode()),
            expires: None,
        }
    };
    let mut bench = Bench::connected();
    let counters = logs_end_at(count, 0);
    let writes = (0..count).map(row).chain([counters]).collect();
    bench.store.apply(&Transaction { writes, ..Transaction::default() });
    bench.messenger = Messenger::open(Profile::reference_offer_1_0_3());
    bench
}

#[test]
fn pages_of_the_inbox_are_bounded_by_their_bytes() {
    for (count, length) in [(40, 1 << 20), (300, 100), (70, 20_000), (1, 8 << 20)] {
        let (mut bench, mut shown) = (with_inbox(count, length), 0);
        while shown < count {
            while let Some(transaction) = bench.messenger.poll_transaction() {
                let rows = bench.store.apply(&transaction);
                let read: usize = rows.0.iter().map(|(_, value)| value.as_bytes().len()).sum();
                assert!(read < PAGE_BYTES + length + 10_000, "{read} bytes at once, of rows of {length}");
                bench.messenger.handle_committed(bench.now, rows, &mut bench.rng).unwrap();
            }
            let Some(event) = bench.messenger.poll_event() else { panic!("{shown} of {count}") };
            assert_eq!(event.id(), Some(EventId(shown)));
            shown += 1;
        }
        assert_eq!(bench.messenger.poll_event(), None);
    }
}

#[test]
fn a_stanza_that_cannot_be_read_is_told_durably_before_it_is_refused() {
    for (id, is_long) in [("3EB0", false), (&*"x".repeat(1 << 20), true)] {
        let mut bench = Bench::connected();
        let node =
            Node::new("message").with_attr("id", id).with_attr("from", Jid::phone("14155551001").unwrap());
        let refusal = Ack::refusing(&node, 488).map(Box::new);
        bench.messenger.handle_malformed(bench.now, BadStanza::TooLong(7), refusal, &mut bench.rng);
        assert!(bench.messenger.poll_stanza().is_none() && bench.messenger.poll_event().is_none());
        let transaction = bench.messenger.poll_transaction().unwrap();
        assert!(bench.messenger.poll_stanza().is_none(), "it is not durable yet");
        bench.commit(&transaction);
        assert!(bench.messenger.poll_stanza().is_some(), "now it need not come again");
        let Some(Event::Refused { event, from, stanza, id: told, why }) = bench.messenger.poll_event() else {
            panic!("nothing is told");
        };
        assert_eq!((&*from.to_string(), &*stanza), ("14155551001@s.whatsapp.net", "message"));
        assert!(id.starts_with(&told.0) && (told.0.len() < id.len()) == is_long);
        assert_eq!(why, "a stanza of 7 bytes");
        let row = Key::inbox(event.0);
        assert!(has_row(&bench, &row));
        bench.command(1, Command::Confirm(event));
        bench.settle();
        assert!(!has_row(&bench, &row));
    }
}
