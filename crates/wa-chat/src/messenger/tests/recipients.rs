//! Who may read a message.

use super::phones::{
    Phone, Server, USER, acquainted, added, changed, changed_at_server, held, renamed, undecryptable,
};
use super::*;
use crate::{Answer, Ask, DeviceIdentity, IdentityPolicy};

#[test]
fn a_device_that_nobody_listed_is_read_and_gets_nothing() {
    let (mut phone, mut ghost) = (Phone::new(0, 100), Phone::new(99, 200));
    let (mut bench, mut server) = (Bench::connected(), Server::listing(&[0]));
    ghost.begins();
    bench.stanza(ghost.writes());
    let told = bench.exchange(&mut server, &mut [&mut phone, &mut ghost]);
    assert!(matches!(told.as_slice(), [Event::Message { device: 99, is_accepted: false, .. }]), "{told:?}");
    for (message, ticket) in (0..3).enumerate() {
        bench.write(ticket);
        let told = bench.exchange(&mut server, &mut [&mut phone, &mut ghost]);
        assert_eq!(added(&told).len(), usize::from(message == 0), "{told:?}");
        assert!(server.enc(message, 0).is_some() && server.enc(message, 99).is_none());
    }
    // It asks for what it never got.
    bench.stanza(ghost.asks_again("m0", 2));
    bench.exchange(&mut server, &mut [&mut phone, &mut ghost]);
    assert_eq!(server.messages.len(), 3);
    // Once the server lists it, it is told of first.
    server.listed = Some(vec![0, 99]);
    bench.stanza(changed_at_server("devices"));
    bench.exchange(&mut server, &mut [&mut phone, &mut ghost]);
    bench.write(3);
    let told = bench.exchange(&mut server, &mut [&mut phone, &mut ghost]);
    assert_eq!(added(&told), [(vec![99], vec![], false)]);
    assert!(ghost.reads(&server.enc(3, 99).unwrap()));
}

#[test]
fn an_unlisted_device_makes_the_list_due_once_an_hour() {
    let (mut phone, mut ghost) = (Phone::new(0, 100), Phone::new(99, 200));
    let mut server = Server::listing(&[0]);
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    ghost.begins();
    for _ in 0..20 {
        bench.stanza(ghost.writes());
        bench.exchange(&mut server, &mut [&mut phone]);
    }
    assert_eq!(server.lists, 1, "the list is new");
    bench.now.unix += 60 * 60;
    for _ in 0..20 {
        bench.stanza(ghost.writes());
        bench.exchange(&mut server, &mut [&mut phone]);
    }
    assert_eq!(server.lists, 2, "and an hour later it was asked for once");
}

#[test]
fn a_companion_that_its_account_has_not_signed_is_not_believed() {
    let (mut phone, mut companion) = (Phone::new(0, 100), Phone::new(3, 200));
    let mut server = Server::listing(&[0, 3]);
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    companion.begins();
    let proof = Node::new("device-identity").with_bytes(b"not signed".to_vec());
    let message = companion.writes();
    bench.stanza(message.clone().with_child(proof));
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert_eq!(undecryptable(&told), [Undecryptable::Unvouched]);
    // Without a proof there is the server's word.
    bench.stanza(message);
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert!(told.iter().any(|event| matches!(event, Event::Message { device: 3, .. })), "{told:?}");
}

#[test]
fn devices_that_come_and_go_are_told_of() {
    let (mut phone, mut companion) = (Phone::new(0, 100), Phone::new(3, 200));
    let mut server = Server::listing(&[0, 3]);
    let mut bench = Bench::connected();
    bench.write(0);
    let told = bench.exchange(&mut server, &mut [&mut phone, &mut companion]);
    assert_eq!(added(&told), [(vec![0, 3], vec![], true)], "one event for the first contact");
    assert!(server.enc(0, 3).is_some());
    for (listed, expected) in [(vec![0], (vec![], vec![3], false)), (vec![0, 3], (vec![3], vec![], false))] {
        server.listed = Some(listed);
        bench.stanza(changed_at_server("devices"));
        bench.write(server.messages.len() as u64);
        let told = bench.exchange(&mut server, &mut [&mut phone, &mut companion]);
        assert_eq!(added(&told), [expected]);
        if server.messages.len() == 2 {
            // It gets nothing that it had a right to before.
            bench.stanza(companion.asks_again("m0", 2));
            bench.exchange(&mut server, &mut [&mut phone, &mut companion]);
            assert_eq!((server.messages.len(), bench.rows(Table::Waiting).len()), (2, 0));
        }
    }
    assert_eq!((server.enc(1, 3).is_some(), server.enc(2, 3).is_some()), (false, true));
}

#[test]
fn a_first_contact_stays_behind_though_all_that_it_left_is_lost() {
    for is_listed_again in [false, true] {
        let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
        let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
        if is_listed_again {
            bench.stanza(changed_at_server("devices"));
            bench.write(1);
            bench.exchange(&mut server, &mut [&mut phone]);
        }
        assert_eq!(server.lists, 1 + usize::from(is_listed_again));
        for key in [Table::Identity, Table::Peer].into_iter().flat_map(|table| bench.rows(table)) {
            let write = Write { key, value: None, expires: None };
            bench.store.apply(&Transaction { writes: vec![write], ..Transaction::default() });
        }
        let mut bench = bench.reopened(IdentityPolicy::Notify);
        bench.write(2);
        let told = bench.exchange(&mut server, &mut [&mut phone]);
        assert_eq!(added(&told).last(), Some(&(vec![0], vec![], false)), "{is_listed_again}");
    }
}

#[test]
fn what_was_delivered_is_encrypted_for_nobody_again() {
    let mut phone = Phone::new(0, 100);
    let mut server = Server::listing(&[0]);
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    assert_eq!(bench.rows(Table::Content).len(), 1);
    bench.stanza(phone.receipt("m0"));
    bench.exchange(&mut server, &mut [&mut phone]);
    assert_eq!(bench.rows(Table::Content), [], "nor kept");
    let mut thief = Phone::new(0, 300);
    for (count, asker) in [(1, &mut phone), (2, &mut thief)] {
        let told = {
            bench.stanza(asker.asks_again("m0", count));
            bench.exchange(&mut server, &mut [])
        };
        assert_eq!(changed(&told), [], "nor is anybody believed to be new");
    }
    assert_eq!(server.messages.len(), 1);
}

#[test]
fn what_is_too_old_is_not_sent_again_though_its_row_is_still_there() {
    for (days, leaves) in [(13, true), (15, false)] {
        let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
        let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
        let kept = bench.store.apply(&crate::rows_of(Table::Content)).0;
        for day in [0, 5, 10, days].map(|day| NOW.unix + day * 24 * 60 * 60) {
            bench.messenger.handle_link_down();
            bench.messenger.tell_server_time(day);
            bench.login_at(day);
        }
        // A store may take its time.
        let put = |(key, value)| Write { key, value: Some(value), expires: None };
        let writes = kept.into_iter().map(put).collect();
        bench.store.apply(&Transaction { writes, ..Transaction::default() });
        bench.stanza(phone.asks_again("m0", 2));
        bench.exchange(&mut server, &mut [&mut phone]);
        assert_eq!(server.messages.len() == 2, leaves, "{days}");
    }
}

#[test]
fn a_new_identity_is_told_before_it_gets_what_was_not_delivered() {
    let mut phone = Phone::new(0, 100);
    let mut server = Server::listing(&[0]);
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    let mut new = Phone::new(0, 300);
    bench.stanza(new.asks_again("m0", 2));
    let told = bench.exchange(&mut server, &mut [&mut new]);
    assert_eq!(changed(&told), [(0, Some(new.identity()))]);
    assert_eq!(server.messages.len(), 2);
}

#[test]
fn held_messages_wait_for_the_very_key() {
    let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
    let mut bench = acquainted(Bench::holding(), &mut phone, &mut server);
    let (mut new, newer) = (Phone::new(0, 300), Phone::new(0, 400));
    bench.stanza(new.asks_again("m0", 2));
    let told = bench.exchange(&mut server, &mut [&mut new]);
    assert_eq!(changed(&told), [(0, Some(new.identity()))]);
    bench.write(1);
    let told = bench.exchange(&mut server, &mut [&mut new]);
    assert!(held(&told), "{told:?}");
    assert_eq!(server.messages.len(), 1, "nothing leaves");
    bench.accept(&new, newer.identity());
    bench.exchange(&mut server, &mut [&mut new]);
    assert_eq!(server.messages.len(), 1, "another key");
    let mut bench = bench.reopened(IdentityPolicy::Hold);
    bench.accept(&new, new.identity());
    bench.exchange(&mut server, &mut [&mut new]);
    assert_eq!(server.messages.len(), 3, "the one that was asked for, and the one that waited");
    assert!(
        (1..3).all(|message| new.session.current_identity().is_some() || server.enc(message, 0).is_some())
    );
}

#[test]
fn a_new_device_of_a_known_user_is_held_and_the_first_contact_is_not() {
    let (mut phone, mut companion) = (Phone::new(0, 100), Phone::new(3, 200));
    let mut server = Server::listing(&[0]);
    let mut bench = acquainted(Bench::holding(), &mut phone, &mut server);
    server.listed = Some(vec![0, 3]);
    bench.stanza(changed_at_server("devices"));
    bench.write(1);
    let told = bench.exchange(&mut server, &mut [&mut phone, &mut companion]);
    assert_eq!(added(&told), [(vec![3], vec![], false)]);
    assert_eq!(server.messages.len(), 1);
    bench.accept(&companion, companion.identity());
    bench.exchange(&mut server, &mut [&mut phone, &mut companion]);
    assert!(server.enc(1, 0).is_some() && companion.reads(&server.enc(1, 3).unwrap()));
}

#[test]
fn an_old_identity_does_not_take_the_conversation_back() {
    let (mut old, mut new) = (Phone::new(0, 100), Phone::new(0, 300));
    let mut server = Server::listing(&[0]);
    let mut bench = acquainted(Bench::connected(), &mut old, &mut server);
    let late = old.writes();
    bench.stanza(changed_at_server("encrypt").with_child(Node::new("identity")));
    let told = bench.exchange(&mut server, &mut [&mut new]);
    assert_eq!(changed(&told), [(0, None)]);
    bench.write(1);
    let told = bench.exchange(&mut server, &mut [&mut new]);
    assert_eq!(changed(&told), [(0, Some(new.identity()))]);
    assert!(new.reads(&server.enc(1, 0).unwrap()));
    // What was under way still comes, and is shown for what it is.
    bench.stanza(late);
    let told = bench.exchange(&mut server, &mut [&mut new]);
    assert!(matches!(told.as_slice(), [Event::Message { is_accepted: false, .. }]), "{told:?}");
    let fetches = server.fetches;
    bench.write(2);
    bench.exchange(&mut server, &mut [&mut new]);
    assert_eq!(server.fetches, fetches, "the session with the new one stands");
    assert!(new.reads(&server.enc(2, 0).unwrap()) && !old.reads(&server.enc(2, 0).unwrap()));
}

#[test]
fn a_known_session_needs_no_signed_prekey() {
    let (mut bench, mut server, mut phone) = (Bench::connected(), Server::listing(&[0]), Phone::new(0, 100));
    phone.begins();
    bench.stanza(phone.writes());
    bench.exchange(&mut server, &mut [&mut phone]);
    for key in bench.rows(Table::SignedPrekey) {
        let write = Write { key, value: None, expires: None };
        bench.store.apply(&Transaction { writes: vec![write], ..Transaction::default() });
    }
    let mut bench = bench.reopened(IdentityPolicy::Notify);
    bench.exchange(&mut server, &mut [&mut phone]);
    bench.stanza(phone.writes());
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert!(matches!(told.as_slice(), [Event::Message { is_accepted: true, .. }]), "{told:?}");
}

#[test]
fn a_server_that_does_not_list_takes_no_companion_away() {
    let (mut phone, mut companion) = (Phone::new(0, 100), Phone::new(3, 200));
    let mut server = Server::listing(&[0, 3]);
    let mut bench = Bench::connected();
    bench.write(0);
    bench.exchange(&mut server, &mut [&mut phone, &mut companion]);
    bench.stanza(changed_at_server("devices"));
    server.listed = None;
    bench.write(1);
    let told = bench.exchange(&mut server, &mut [&mut phone, &mut companion]);
    assert_eq!(added(&told), []);
    assert!(server.enc(1, 3).is_some(), "the old list holds");
}

#[test]
fn a_list_without_the_first_device_and_keys_for_nobody_send_nothing_empty() {
    let mut server = Server::listing(&[7]);
    let mut bench = Bench::connected();
    bench.write(0);
    let told = bench.exchange(&mut server, &mut []);
    assert!(told.iter().any(|event| matches!(event, Event::NoSession { .. })), "{told:?}");
    assert_eq!(server.messages.len(), 0);
    assert_eq!(bench.rows(Table::Waiting).len(), 1, "it waits");
    // The first device is written to though it was not listed; a companion without keys is left out.
    let mut phone = Phone::new(0, 100);
    let mut bench = bench.reopened(IdentityPolicy::Notify);
    bench.exchange(&mut server, &mut [&mut phone]);
    bench.write(1);
    bench.exchange(&mut server, &mut [&mut phone]);
    assert!(server.messages.len() == 2 && phone.reads(&server.enc(0, 0).unwrap()));
}

#[test]
fn a_key_that_was_used_already_is_told_and_one_message_that_comes_twice_is_not() {
    let (mut bench, mut server, mut phone) = (Bench::connected(), Server::listing(&[0]), Phone::new(0, 100));
    phone.begins();
    let first = phone.writes();
    bench.stanza(first.clone());
    bench.stanza(first.clone());
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert_eq!(undecryptable(&told), []);
    bench.stanza(renamed(&first, "another"));
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert_eq!(undecryptable(&told), [Undecryptable::Duplicate]);
    // It is durable.
    let mut bench = bench.reopened(IdentityPolicy::Notify);
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert_eq!(undecryptable(&told), [Undecryptable::Duplicate]);
}

#[test]
fn what_is_not_from_one_user_to_another_is_refused_by_name() {
    let (mut bench, mut server, mut phone) = (Bench::connected(), Server::listing(&[0]), Phone::new(0, 100));
    phone.begins();
    let group: Jid = "123-456@g.us".parse().unwrap();
    let text = phone.writes();
    for message in [
        text.clone().with_attr("from", group).with_attr("participant", phone.address()),
        text.clone().with_attr("participant", phone.address()),
    ] {
        bench.stanza(message);
        let told = bench.exchange(&mut server, &mut [&mut phone]);
        assert_eq!(undecryptable(&told), [Undecryptable::NotOneToOne]);
    }
    bench.stanza(text);
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert!(told.iter().any(|event| matches!(event, Event::Message { .. })), "{told:?}");
}

#[test]
fn a_server_in_trouble_refuses_nothing_for_good() {
    let mut phone = Phone::new(0, 100);
    let mut server = Server::listing(&[0]);
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    for (code, rows) in [("503", 1), ("479", 0)] {
        let ack = Node::new("ack").with_attr("class", "message").with_attr("id", "m0");
        bench.stanza(ack.with_attr("from", Jid::phone(USER).unwrap()).with_attr("error", code));
        bench.exchange(&mut server, &mut [&mut phone]);
        assert_eq!(bench.rows(Table::Outbox).len(), rows, "{code}");
    }
}

#[test]
fn what_waits_is_not_overtaken_by_what_is_sent_again() {
    let mut phone = Phone::new(0, 100);
    let mut server = Server::listing(&[0]);
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    // The identity is in doubt, and the server has no keys: a message waits.
    bench.stanza(changed_at_server("encrypt").with_child(Node::new("identity")));
    bench.write(1);
    bench.exchange(&mut server, &mut []);
    assert_eq!(server.messages.len(), 1);
    bench.stanza(phone.asks_again("m0", 2));
    bench.exchange(&mut server, &mut []);
    let ids: Vec<_> = server.messages.iter().filter_map(|message| message.attr_str("id")).collect();
    assert_eq!(ids, ["m0", "m1", "m0"]);
}

#[test]
fn the_application_may_look_at_identities() {
    let (mut phone, mut companion) = (Phone::new(0, 100), Phone::new(3, 200));
    let mut server = Server::listing(&[0, 3]);
    let mut bench = Bench::connected();
    bench.write(0);
    bench.exchange(&mut server, &mut [&mut phone, &mut companion]);
    let mut bench = bench.reopened(IdentityPolicy::Notify);
    bench.command(7, Command::Ask(Ask::Identities(Jid::phone(USER).unwrap())));
    bench.settle();
    let known =
        |phone: &Phone| DeviceIdentity { device: phone.device, key: phone.identity(), is_accepted: true };
    let answer = Ok(Answer::Identities(vec![known(&phone), known(&companion)]));
    let told = std::iter::from_fn(|| bench.messenger.poll_event());
    let answers: Vec<Event> = told.filter(|event| matches!(event, Event::Answered { .. })).collect();
    assert_eq!(answers, [Event::Answered { ticket: Ticket(7), answer }]);
}

#[test]
fn what_could_not_be_sent_in_a_month_is_given_up_and_told() {
    const DAY: u64 = 24 * 60 * 60;
    let mut phone = Phone::new(0, 100);
    let mut server = Server::listing(&[0]);
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    // One that was sent and never acked, and one to somebody who never has keys.
    let (to, id) = (Jid::phone("14155551002").unwrap(), MessageId("waits".into()));
    bench.command(50, Command::Send { to, id, content: Content::text("text") });
    bench.exchange(&mut server, &mut [&mut phone]);
    let mut login = |bench: &mut Bench, ours: u64, servers: u64| {
        bench.messenger.handle_link_down();
        bench.now.unix = NOW.unix + ours * DAY;
        bench.messenger.tell_server_time(NOW.unix + servers * DAY);
        bench.messenger.handle_link_up(bench.now, &mut bench.rng);
        let expired = |event: Event| match event {
            Event::Expired { id, .. } => Some(id.0),
            _ => None,
        };
        let told = bench.exchange(&mut server, &mut [&mut phone]);
        let mut told: Vec<String> = told.into_iter().filter_map(expired).collect();
        told.sort();
        told
    };
    for day in [0, 7, 14, 21, 28] {
        assert_eq!(login(&mut bench, day, day), [""; 0], "day {day}");
        assert_eq!(login(&mut bench, 1000, day), [""; 0], "a clock that is ahead ends nothing");
    }
    login(&mut bench, 35, 35);
    let mut bench = bench.reopened(IdentityPolicy::Notify);
    let mut told: Vec<String> = (36..39).flat_map(|day| login(&mut bench, day, day)).collect();
    told.sort();
    assert_eq!(told, ["m0", "waits"]);
    assert_eq!((bench.rows(Table::Outbox).len(), bench.rows(Table::Waiting).len()), (0, 0));
}

#[test]
fn a_played_receipt_is_not_lost_behind_a_read_one() {
    let mut phone = Phone::new(0, 100);
    let mut server = Server::listing(&[0]);
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    let outbox = bench.rows(Table::Outbox).len();
    let mark = |bench: &mut Bench, mark| {
        let (from, ids) = (Jid::phone(USER).unwrap(), vec![MessageId("x".into())]);
        bench.command(60, Command::Mark { from, ids, mark });
        bench.settle();
        bench.rows(Table::Outbox).len() - outbox
    };
    assert_eq!(mark(&mut bench, crate::Mark::Read), 1);
    assert_eq!(mark(&mut bench, crate::Mark::Read), 1);
    assert_eq!(mark(&mut bench, crate::Mark::Played), 2);
    for (kind, left) in [("played", 1), ("read", 0)] {
        let ack = Node::new("ack").with_attr("class", "receipt").with_attr("id", "x").with_attr("type", kind);
        bench.stanza(ack.with_attr("from", Jid::phone(USER).unwrap()));
        bench.settle();
        assert_eq!(bench.rows(Table::Outbox).len() - outbox, left, "{kind}");
        assert_eq!(bench.rows(Table::Marked).len(), left, "{kind}");
    }
}
