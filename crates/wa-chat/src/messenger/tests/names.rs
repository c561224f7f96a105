//! Users with two addresses.

use wa_profile::UserAddress;

use super::phones::{Phone, Server, USER, acquainted, added, changed, held, undecryptable};
use super::*;
use crate::IdentityPolicy;

const INTERNAL: &str = "99887766554433";

fn phone_number() -> Jid {
    Jid::phone(USER).unwrap()
}

fn internal() -> Jid {
    Jid::new(INTERNAL, "lid").unwrap()
}

/// A stanza with another sender, and what the server says of it besides.
fn from(node: &Node, from: &Jid, more: Option<(&'static str, Jid)>) -> Node {
    let mut changed = Node::new(node.tag()).with_attr("from", from);
    for (name, value) in node.attrs().iter().filter(|(name, _)| *name != *"from") {
        changed = changed.with_attr(name.clone(), value.clone());
    }
    let changed = more.into_iter().fold(changed, |node, (name, value)| node.with_attr(name, value));
    if node.children().is_empty() { changed } else { changed.with_children(node.children().iter().cloned()) }
}

fn as_internal(node: &Node) -> Node {
    from(node, &internal(), Some(("sender_pn", phone_number())))
}

fn said(events: &[Event]) -> Vec<Jid> {
    let of = |event: &Event| match event {
        Event::Message { from, .. } => Some(from.clone()),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn same(events: &[Event]) -> Vec<(Jid, Jid)> {
    let of = |event: &Event| match event {
        Event::SameUser { peer, other, .. } => Some((peer.clone(), other.clone())),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn to(message: &Node) -> Jid {
    message.attr("to").unwrap().to_jid().unwrap()
}

fn write_to(bench: &mut Bench, ticket: u64, to: Jid) {
    let id = MessageId(format!("m{ticket}"));
    bench.command(ticket, Command::Send { to, id, content: Content::text("text") });
}

fn naming(mut bench: Bench, user_address: UserAddress) -> Bench {
    let mut profile = Profile::reference_offer_1_0_3();
    profile.encryption.user_address = user_address;
    bench.messenger.profile = Arc::new(profile);
    bench
}

#[test]
fn an_answer_under_the_other_address_is_of_the_same_peer() {
    for (user_address, wire) in
        [(UserAddress::PhoneNumber, phone_number()), (UserAddress::Internal, internal())]
    {
        let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
        let mut bench = acquainted(naming(Bench::connected(), user_address), &mut phone, &mut server);
        bench.stanza(as_internal(&phone.writes()));
        let told = bench.exchange(&mut server, &mut [&mut phone]);
        assert_eq!(said(&told), [phone_number()]);
        assert_eq!(same(&told), [(phone_number(), internal())]);
        assert_eq!((added(&told), changed(&told)), (vec![], vec![]));
        // From now on the server need not say it again.
        bench.stanza(from(&phone.writes(), &internal(), None));
        let told = bench.exchange(&mut server, &mut [&mut phone]);
        assert_eq!((said(&told), same(&told)), (vec![phone_number()], vec![]));
        for (ticket, recipient) in [(1, internal()), (2, phone_number())] {
            write_to(&mut bench, ticket, recipient);
            bench.exchange(&mut server, &mut [&mut phone]);
            let message = server.messages.last().unwrap();
            assert_eq!(to(message), wire, "{user_address:?}");
            assert!(phone.reads(message.child("enc").unwrap()));
        }
        assert_eq!(bench.rows(Table::Peer).len(), 1, "one set of sessions");
        // Whichever address its answers name, they are about these messages.
        let ack = Node::new("ack").with_attr("class", "message").with_attr("t", "1");
        for (id, address) in [("m1", internal()), ("m2", phone_number())] {
            bench.stanza(from(&ack.clone().with_attr("id", id), &address, None));
        }
        bench.stanza(from(&phone.asks_again("m1", 1), &internal(), None));
        bench.exchange(&mut server, &mut [&mut phone]);
        assert_eq!(server.messages.len(), 4, "it is sent again");
        bench.stanza(from(&phone.receipt("m1"), &internal(), None));
        bench.stanza(from(&phone.receipt("m2"), &phone_number(), None));
        bench.exchange(&mut server, &mut [&mut phone]);
        let contents = bench.rows(Table::Content).len();
        assert_eq!(contents, 1, "that of the very first message alone is kept");
    }
}

#[test]
fn who_has_one_address_gets_nothing_under_another_in_silence() {
    for policy in [IdentityPolicy::Notify, IdentityPolicy::Hold] {
        let (mut phone, mut server) = (Phone::begun(100), Server::listing(&[0]));
        let mut bench = Bench::connected().reopened(policy);
        bench.exchange(&mut server, &mut [&mut phone]);
        bench.stanza(from(&phone.writes(), &internal(), None));
        let told = bench.exchange(&mut server, &mut [&mut phone]);
        assert_eq!(said(&told), [internal()]);
        write_to(&mut bench, 1, internal());
        bench.exchange(&mut server, &mut [&mut phone]);
        // A text for the other address comes before the server's word is durable.
        bench.stanza(as_internal(&phone.writes()));
        while bench.messenger.queued() > 0 {
            let transaction = bench.messenger.poll_transaction().unwrap();
            bench.commit(&transaction);
        }
        write_to(&mut bench, 2, phone_number());
        let told = bench.exchange(&mut server, &mut [&mut phone]);
        assert_eq!(same(&told), [(internal(), phone_number())]);
        assert_eq!(held(&told), policy == IdentityPolicy::Hold, "{policy:?}: {told:?}");
        let before = server.messages.len();
        assert_eq!(before, if policy == IdentityPolicy::Hold { 1 } else { 2 }, "{policy:?}");
        let command = Command::AcceptIdentity { address: phone_number(), key: phone.identity() };
        bench.command(3, command);
        bench.exchange(&mut server, &mut [&mut phone]);
        assert_eq!(server.messages.len(), 2, "{policy:?}");
    }
}

#[test]
fn two_addresses_that_were_used_before_stay_two_peers() {
    let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    let mut other = Phone::begun(200);
    bench.stanza(from(&other.writes(), &internal(), None));
    bench.exchange(&mut server, &mut [&mut other]);
    bench.stanza(as_internal(&other.writes()));
    let told = bench.exchange(&mut server, &mut [&mut other]);
    assert_eq!((said(&told), same(&told)), (vec![internal()], vec![]));
    assert_eq!(bench.rows(Table::Names), []);
}

#[test]
fn a_message_that_does_not_decrypt_joins_no_addresses() {
    let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    let enc = Node::new("enc").with_attr("v", "2").with_attr("type", "msg").with_bytes(vec![0x33; 60]);
    let forged = Node::new("message").with_attr("id", "1").with_attr("type", "text").with_child(enc);
    bench.stanza(as_internal(&forged));
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert_eq!((undecryptable(&told).len(), same(&told)), (1, vec![]));
    assert_eq!(bench.rows(Table::Names), []);
    // Nor does another one take the place of one that is known.
    bench.stanza(as_internal(&phone.writes()));
    bench.exchange(&mut server, &mut [&mut phone]);
    let third = Jid::new("123", "lid").unwrap();
    bench.stanza(from(&phone.writes(), &third, Some(("sender_pn", phone_number()))));
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert_eq!((same(&told), undecryptable(&told).len()), (vec![], 1));
}

#[test]
fn what_comes_under_two_addresses_stays_in_order_however_cold_the_rows() {
    let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    bench.stanza(as_internal(&phone.writes()));
    bench.exchange(&mut server, &mut [&mut phone]);
    let mut bench = bench.reopened(IdentityPolicy::Notify);
    // The rows of one address are loaded, and those of the other are not.
    bench.stanza(phone.writes());
    bench.exchange(&mut server, &mut [&mut phone]);
    let texts: Vec<Node> = (0..6).map(|_| phone.writes()).collect();
    for (n, text) in texts.iter().enumerate() {
        bench.stanza(from(text, &if n % 2 == 0 { internal() } else { phone_number() }, None));
    }
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    let of = |event: &Event| match event {
        Event::Message { id, .. } => Some(id.0.clone()),
        _ => None,
    };
    let ids: Vec<String> = told.iter().filter_map(of).collect();
    let sent: Vec<String> = texts.iter().map(|text| text.attr_str("id").unwrap().to_owned()).collect();
    assert!(ids.ends_with(&sent), "{ids:?}");
}
