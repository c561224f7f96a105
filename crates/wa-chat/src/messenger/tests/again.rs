//! What a hostile server, or an unlucky connection, gives or asks for again: nothing is encrypted or shown twice, and no
//! question forgets what another one brought.

use super::phones::*;
use super::*;
use crate::{Answer, Ask, DeviceIdentity, IdentityPolicy};

#[test]
fn what_was_delivered_while_it_waited_is_not_encrypted() {
    for policy in [IdentityPolicy::Hold, IdentityPolicy::Notify] {
        let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
        let mut bench = acquainted(Bench::connected().reopened(policy), &mut phone, &mut server);
        let mut new = Phone::new(0, 300);
        if policy == IdentityPolicy::Hold {
            bench.stanza(new.asks_again("m0", 2));
            bench.exchange(&mut server, &mut []);
        } else {
            bench.stanza(changed_at_server("encrypt").with_child(Node::new("identity")));
            bench.stanza(phone.asks_again("m0", 1));
            bench.exchange(&mut server, &mut []);
        }
        assert_eq!(server.messages.len(), 1);
        bench.stanza(phone.receipt("m0"));
        bench.exchange(&mut server, &mut []);
        assert_eq!(bench.rows(Table::Content).len(), 0, "delivered, forgotten");
        if policy == IdentityPolicy::Hold {
            bench.accept(&new, new.identity());
        } else {
            bench.write(5);
        }
        bench.exchange(&mut server, &mut [&mut new]);
        bench.messenger.handle_link_down();
        bench.messenger.handle_link_up(bench.now, &mut bench.rng);
        bench.exchange(&mut server, &mut [&mut new]);
        let last: Vec<usize> =
            (1..server.messages.len()).filter(|m| server.messages[*m].attr_str("id") == Some("m0")).collect();
        let read = last.iter().filter(|m| new.reads(&server.enc(**m, 0).unwrap())).count();
        assert_eq!(read, 0, "{policy:?}: what had arrived was encrypted to another identity");
    }
}

#[test]
fn a_first_message_is_shown_once_whichever_device_it_is_said_to_be_of() {
    let (mut bench, mut server) = (Bench::connected(), Server::listing(&[0]));
    let mut phone = Phone::begun(100);
    let first = phone.writes();
    bench.stanza(first.clone());
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    let one = told.iter().filter(|e| matches!(e, Event::Message { .. })).count();
    let nine = Phone::new(9, 1);
    let enc = first.child("enc").unwrap().clone();
    let other = Node::new("message")
        .with_attr("type", "text")
        .with_attr("t", "1700000000")
        .with_attr("id", "another")
        .with_attr("from", nine.address())
        .with_child(enc);
    bench.stanza(other);
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    let two = told.iter().filter(|e| matches!(e, Event::Message { .. })).count();
    assert_eq!((one, two), (1, 0));
}

#[test]
fn two_companions_wait_for_one_message() {
    let (mut phone, mut a, mut b) = (Phone::new(0, 100), Phone::new(3, 200), Phone::new(7, 300));
    let mut server = Server::listing(&[0, 3, 7]);
    let mut bench = Bench::connected();
    bench.write(0);
    bench.exchange(&mut server, &mut [&mut phone, &mut a, &mut b]);
    assert_eq!(server.messages.len(), 1);
    // Neither could read it; before the bundles come the connection breaks.
    for asker in [&mut a, &mut b] {
        let receipt = without_keys(&asker.asks_again("m0", 2));
        bench.stanza(receipt);
        bench.settle();
    }
    assert_eq!(bench.rows(Table::Waiting).len(), 2);
    bench.messenger.handle_link_down();
    bench.messenger.handle_link_up(bench.now, &mut bench.rng);
    bench.exchange(&mut server, &mut [&mut phone, &mut a, &mut b]);
    assert_eq!(bench.rows(Table::Waiting).len(), 0);
    for asker in [&mut a, &mut b] {
        let before = server.messages.len();
        let receipt = without_keys(&asker.asks_again("m0", 1));
        bench.stanza(receipt);
        bench.exchange(&mut server, &mut []);
        assert_eq!(server.messages.len() - before, 1, "device {} may ask four times more", asker.device);
    }
}

#[test]
fn the_list_is_asked_for_once_an_hour_also_of_a_server_that_refuses() {
    let (mut phone, mut ghost) = (Phone::new(0, 100), Phone::new(99, 200));
    let mut server = Server::listing(&[0]);
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    ghost.begins();
    bench.now.unix += 60 * 60;
    server.listed = None;
    for _ in 0..20 {
        bench.stanza(ghost.writes());
        bench.exchange(&mut server, &mut [&mut phone]);
    }
    assert_eq!(server.lists, 2);
}

#[test]
fn what_was_delivered_after_a_restoration_is_not_encrypted() {
    let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    bench.write(1);
    bench.exchange(&mut server, &mut [&mut phone]);
    let mut restoration = crate::Restoration::new(NOW.unix);
    let mut next = Some(restoration.first());
    while let Some(transaction) = next {
        next = restoration.next(&bench.store.apply(&transaction)).unwrap();
    }
    let mut bench = bench.reopened(IdentityPolicy::Notify);
    bench.exchange(&mut server, &mut []);
    let before = server.messages.len();
    for id in ["m0", "m1"] {
        bench.stanza(phone.receipt(id));
        bench.exchange(&mut server, &mut []);
    }
    assert_eq!(bench.rows(Table::Content).len(), 0, "all has arrived");
    let mut evil = Phone::new(0, 300);
    bench.write(2);
    bench.exchange(&mut server, &mut [&mut evil]);
    let ids: Vec<_> =
        server.messages[before..].iter().map(|m| m.attr_str("id").unwrap().to_owned()).collect();
    assert_eq!(ids, ["m2"]);
}

#[test]
fn a_message_is_shown_once_whatever_addresses_are_joined_meanwhile() {
    let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    let mut companion = Phone::new(5, 200);
    companion.begins();
    let first = from(&companion.writes(), &lid().with_device(5).unwrap(), None);
    bench.stanza(first.clone());
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert_eq!(told.iter().filter(|e| matches!(e, Event::Message { .. })).count(), 1);
    bench.stanza(from(&phone.writes(), &lid(), Some(("sender_pn", Jid::phone(USER).unwrap()))));
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert!(told.iter().any(|e| matches!(e, Event::SameUser { .. })), "{told:?}");
    // The very same stanza, as after a connection that broke before the ack.
    bench.stanza(first);
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert_eq!(
        told.iter().filter(|e| matches!(e, Event::Message { .. })).count(),
        0,
        "shown twice under one id"
    );
}

#[test]
fn two_questions_under_way_forget_no_identity() {
    let (mut phone, mut companion, mut evil) = (Phone::new(0, 100), Phone::new(7, 200), Phone::new(7, 300));
    let mut server = Server::listing(&[0, 7]);
    let mut bench = Bench::connected();
    bench.write(0);
    bench.exchange(&mut server, &mut [&mut phone, &mut companion]);
    bench.stanza(changed_at_server("encrypt").with_child(Node::new("identity")));
    bench.exchange(&mut server, &mut []);
    // A question in an open batch, while a transaction is under way; the connection changes.
    bench.command(0, Command::Confirm(EventId(1)));
    bench.settle();
    bench.write(1);
    while bench.messenger.queued() > 0 {
        let t = bench.messenger.poll_transaction().unwrap();
        bench.commit(&t);
    }
    bench.messenger.handle_link_down();
    bench.messenger.handle_link_up(bench.now, &mut bench.rng);
    let pump = |bench: &mut Bench| {
        let mut questions = Vec::new();
        loop {
            let mut moved = false;
            while let Some(t) = bench.messenger.poll_transaction() {
                bench.commit(&t);
                moved = true;
            }
            while let Some(node) = bench.poll_node() {
                moved = true;
                if node.tag() == "iq"
                    && (node.attr_str("xmlns") == Some("usync") || node.child("key").is_some())
                {
                    questions.push(node);
                }
            }
            if !moved {
                return questions;
            }
        }
    };
    let questions = pump(&mut bench);
    while bench.messenger.poll_event().is_some() {}
    let lists: Vec<Node> =
        questions.iter().filter(|q| q.attr_str("xmlns") == Some("usync")).cloned().collect();
    let answer = server.answers(&lists[0], &mut []).unwrap();
    bench.stanza(answer);
    let bundles = pump(&mut bench);
    server.listed = Some(vec![0]);
    let answer = server.answers(&lists[1], &mut []).unwrap();
    bench.stanza(answer);
    pump(&mut bench);
    while bench.messenger.poll_event().is_some() {}
    for q in &bundles {
        let answer = server.answers(q, &mut [&mut phone, &mut evil]).unwrap();
        bench.stanza(answer);
        pump(&mut bench);
    }
    while bench.messenger.poll_event().is_some() {}
    // The companion's own session: it writes in it.
    bench.stanza(companion.writes_in(&server));
    pump(&mut bench);
    let told: Vec<Event> = std::iter::from_fn(|| bench.messenger.poll_event()).collect();
    assert_eq!(undecryptable(&told), []);
}

impl Phone {
    fn writes_in(&mut self, server: &Server) -> Node {
        assert!(self.reads(&server.enc(0, self.device).unwrap()));
        self.writes()
    }
}

#[test]
fn what_a_long_receipt_names_last_has_arrived_too() {
    let mut phone = Phone::new(0, 100);
    let mut server = Server::listing(&[0]);
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    let items = (0..99)
        .map(|n| Node::new("item").with_attr("id", format!("other{n}")))
        .chain([Node::new("item").with_attr("id", "m0")]);
    bench.stanza(phone.receipt("first").with_child(Node::new("list").with_children(items)));
    bench.exchange(&mut server, &mut []);
    let mut evil = Phone::new(0, 300);
    bench.stanza(evil.asks_again("m0", 2));
    bench.exchange(&mut server, &mut [&mut evil]);
    assert_eq!(server.messages.len(), 1, "it has arrived");
}

#[test]
fn a_new_identity_that_has_come_is_the_one_that_was_announced() {
    let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    let mut renewed = Phone::new(0, 300);
    for (is_renewed, is_accepted) in [(false, false), (true, true)] {
        if is_renewed {
            renewed.begins();
            bench.stanza(renewed.writes());
        } else {
            bench.stanza(changed_at_server("encrypt").with_child(Node::new("identity")));
        }
        bench.exchange(&mut server, &mut []);
        bench.command(7, Command::Ask(Ask::Identities(phone.address())));
        let told = bench.exchange(&mut server, &mut []);
        let key = if is_renewed { renewed.identity() } else { phone.identity() };
        let answer = Ok(Answer::Identities(vec![DeviceIdentity { device: 0, key, is_accepted }]));
        assert!(told.contains(&Event::Answered { ticket: Ticket(7), answer }), "{told:?}");
    }
}
