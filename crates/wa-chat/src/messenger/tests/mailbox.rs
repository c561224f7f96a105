//! The end of the mailbox, and what the application confirms.

use super::phones::{Phone, Server, USER, acquainted};
use super::*;
use crate::Status;

/// Says how much waits, or that nothing does any more.
fn ib(item: &'static str, attrs: &[(&'static str, u32)]) -> Node {
    let item = attrs.iter().fold(Node::new(item), |item, (name, value)| item.with_attr(*name, *value));
    Node::new("ib").with_attr("from", Jid::whatsapp()).with_child(item)
}

fn waiting(message: &Node, name: &str) -> Node {
    let node = message
        .attrs()
        .iter()
        .fold(Node::new("message"), |node, (name, value)| node.with_attr(name.clone(), value.clone()));
    let node = node.with_attr("offline", 1_u32).with_attr("notify", name);
    node.with_children(message.children().iter().cloned())
}

fn events(bench: &mut Bench) -> Vec<Event> {
    std::iter::from_fn(|| bench.messenger.poll_event()).collect()
}

#[test]
fn the_end_of_the_mailbox_is_told_behind_what_was_in_it_however_slow_the_application() {
    const MANY: u32 = 700;
    let mut bench = Bench::connected();
    let mut phone = Phone::begun(2);
    bench.stanza(ib("offline_preview", &[("count", MANY + 3), ("message", MANY)]));
    for _ in 0..MANY {
        bench.stanza(waiting(&phone.writes(), "Alice"));
        // Nobody takes the events: most of them stay rows.
        if bench.messenger.queued() > 200 {
            bench.settle();
        }
    }
    bench.stanza(ib("offline", &[("count", MANY)]));
    bench.stanza(phone.writes());
    bench.settle();
    let mut told = events(&mut bench);
    let (stanzas, messages) = (MANY + 3, MANY);
    assert_eq!(told.remove(0), Event::MailboxWaits { stanzas, messages });
    let mut taken = 0;
    loop {
        for event in told {
            match event {
                Event::Message { push_name, waited, .. } => {
                    taken += 1;
                    let expected = (taken <= MANY).then(|| "Alice".to_owned());
                    assert_eq!((push_name, waited), (expected, taken <= MANY));
                }
                Event::MailboxEmpty { stanzas } => {
                    assert!(taken >= MANY, "{taken} of them were told");
                    assert_eq!(stanzas, messages);
                    return;
                }
                _ => {}
            }
        }
        bench.settle();
        told = events(&mut bench);
        assert!(!told.is_empty(), "the end is never told");
    }
}

#[test]
fn the_mailbox_is_drained_once_all_is_confirmed() {
    let mut bench = Bench::connected();
    let mut phone = Phone::begun(2);
    bench.settle();
    assert!(!bench.messenger.is_drained(), "nothing was said of it");
    (0..3).for_each(|_| bench.stanza(waiting(&phone.writes(), "Alice")));
    bench.stanza(ib("offline", &[("count", 3)]));
    bench.settle();
    let ids: Vec<EventId> = events(&mut bench).iter().filter_map(Event::id).collect();
    assert!(ids.len() >= 3 && !bench.messenger.is_drained(), "nothing is confirmed");
    let (last, most) = ids.split_last().unwrap();
    bench.command(1, Command::ConfirmThrough(*most.last().unwrap()));
    bench.settle();
    assert!(!bench.messenger.is_drained(), "one is not");
    assert_eq!(bench.rows(Table::Inbox), [Key::inbox(last.0)]);
    bench.command(2, Command::ConfirmThrough(*last));
    assert!(!bench.messenger.is_drained(), "it is not durable");
    bench.settle();
    assert!(bench.messenger.is_drained());
    assert_eq!(bench.rows(Table::Inbox), []);
    bench.messenger.handle_link_down();
    assert!(!bench.messenger.is_drained(), "of the next connection nothing is known");
}

#[test]
fn what_was_not_taken_is_not_confirmed_with_what_was() {
    let mut bench = Bench::connected();
    let mut phone = Phone::begun(2);
    (0..3).for_each(|_| bench.stanza(phone.writes()));
    bench.settle();
    let before = bench.rows(Table::Inbox);
    let taken: Vec<Key> =
        (0..2).filter_map(|_| Some(Key::inbox(bench.messenger.poll_event()?.id()?.0))).collect();
    bench.command(1, Command::ConfirmThrough(EventId(u64::MAX)));
    bench.settle();
    assert_eq!((taken.as_slice(), bench.rows(Table::Inbox).as_slice()), before.split_at(2));
}

#[test]
fn that_the_server_has_a_message_is_told_once_and_durably() {
    let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    events(&mut bench);
    let ack =
        Node::new("ack").with_attr("class", "message").with_attr("id", "m0").with_attr("t", "1700000009");
    let ack = ack.with_attr("from", Jid::phone(USER).unwrap());
    bench.stanza(ack.clone());
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    let [Event::Receipt { event, by, ids, status: Status::Sent, timestamp }] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!(
        (by.to_string(), &*ids[0].0, *timestamp),
        (format!("{USER}@s.whatsapp.net"), "m0", Some(1_700_000_009))
    );
    assert!(bench.rows(Table::Inbox).contains(&Key::inbox(event.0)));
    // The application does not know of a copy for one device.
    bench.stanza(phone.asks_again("m0", 1));
    bench.exchange(&mut server, &mut [&mut phone]);
    bench.stanza(ack);
    assert_eq!(bench.exchange(&mut server, &mut [&mut phone]), []);
    assert_eq!(bench.rows(Table::Outbox), []);
}

#[test]
fn what_one_stanza_says_many_times_is_dealt_with_once() {
    let many = |item: fn(u32) -> Node| Node::new("ib").with_children((0..1000).map(item));
    let route = |number: u32| {
        let info = Node::new("routing_info").with_bytes(number.to_be_bytes());
        Node::new("edge_routing").with_child(info)
    };
    let mut bench = Bench::connected();
    let server =
        wa_noise::KnownServer { key: PrivateKey::generate(&mut bench.rng).public_key(), not_after: 9 };
    bench.messenger.handle_server(NOW, server, &mut bench.rng);
    bench.settle();
    // Its rows are not loaded: the end of the mailbox waits behind it.
    bench.stanza(Phone::begun(2).writes());
    bench.stanza(many(|count| Node::new("offline").with_attr("count", count)));
    bench.stanza(many(route));
    assert_eq!(bench.messenger.queued(), 2, "the message and the end of the mailbox");
    bench.settle();
    let told = events(&mut bench);
    assert_eq!(told.last(), Some(&Event::MailboxEmpty { stanzas: 999 }), "{told:?}");
    let known = bench.messenger.known().unwrap().routing_info.clone().unwrap();
    assert_eq!(known[..], 999_u32.to_be_bytes());
}
