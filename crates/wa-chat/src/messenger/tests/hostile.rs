//! A hostile server at the policy of who may read a message: each of these once got past it.

use super::phones::*;
use super::*;
use crate::{IdentityPolicy, NoSession};

fn participants(message: &Node) -> Vec<String> {
    let of = |to: &Node| to.attr("jid").and_then(|jid| jid.to_jid()).map(|jid| jid.to_string());
    message.child("participants").map(|it| it.children().iter().filter_map(of).collect()).unwrap_or_default()
}

/// A device that there cannot be comes and goes; what is held stays held.
fn gets_nothing_by_an_impossible_device(bench: &mut Bench, server: &mut Server, evil: &mut Phone) {
    for listed in [vec![0, 300], vec![0]] {
        server.listed = Some(listed);
        bench.stanza(changed_at_server("devices"));
        bench.write(server.lists as u64 + 10);
        bench.exchange(server, &mut [&mut *evil]);
    }
    let read = (1..server.messages.len()).filter(|m| evil.reads(&server.enc(*m, 0).unwrap())).count();
    assert_eq!((server.messages.len(), read), (1, 0), "nobody accepted the key");
}

#[test]
fn hold_is_obeyed_whatever_devices_are_listed() {
    let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
    let mut bench = acquainted(Bench::holding(), &mut phone, &mut server);
    let mut evil = Phone::new(0, 300);
    bench.stanza(changed_at_server("encrypt").with_child(Node::new("identity")));
    bench.write(1);
    bench.exchange(&mut server, &mut [&mut evil]);
    assert_eq!(server.messages.len(), 1, "held");
    gets_nothing_by_an_impossible_device(&mut bench, &mut server, &mut evil);
}

#[test]
fn hold_is_obeyed_whatever_a_retry_receipt_brings() {
    let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
    let mut bench = acquainted(Bench::holding(), &mut phone, &mut server);
    let mut evil = Phone::new(0, 300);
    bench.stanza(evil.asks_again("m0", 2));
    bench.exchange(&mut server, &mut [&mut evil]);
    assert_eq!(server.messages.len(), 1, "held");
    gets_nothing_by_an_impossible_device(&mut bench, &mut server, &mut evil);
}

#[test]
fn nobody_is_encrypted_to_twice() {
    let (mut phone, mut companion) = (Phone::new(0, 100), Phone::new(3, 200));
    let mut server = Server::listing(&[0, 3, 300]);
    let mut bench = Bench::connected();
    bench.write(0);
    bench.exchange(&mut server, &mut [&mut phone, &mut companion]);
    assert_eq!(participants(&server.messages[0]).len(), 2);
}

#[test]
fn our_own_words_are_not_shown_as_somebody_elses() {
    let mut server = Server::listing(&[0]);
    let mut bench = Bench::connected();
    // The server gives our own bundle as the user's.
    let mut own = Phone::new(0, 9);
    let keys = AccountKeys::generate(&mut StdRng::seed_from_u64(1));
    own.local = keys.identity.clone();
    own.prekey = keys.signed_prekey.clone();
    bench.write(0);
    let told = bench.exchange(&mut server, &mut [&mut own]);
    let refused = NoSession::Bundle(wa_signal::EstablishError::Untrusted);
    let is_told = |event: &Event| matches!(event, Event::NoSession { why, .. } if *why == refused);
    assert!(told.iter().any(is_told), "{told:?}");
    assert_eq!(server.messages.len(), 0, "what would come back as theirs");
}

#[test]
fn a_message_from_the_server_itself_is_from_nobody() {
    let (mut bench, mut server, mut phone) = (Bench::connected(), Server::listing(&[0]), Phone::new(0, 100));
    phone.begins();
    bench.stanza(from(&phone.writes(), &Jid::whatsapp(), None));
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert_eq!(undecryptable(&told), [Undecryptable::NotOneToOne]);
}

#[test]
fn a_companion_is_checked_before_the_list_is_known() {
    let (mut phone, mut companion) = (Phone::begun(100), Phone::new(3, 200));
    let (mut bench, mut server) = (Bench::connected(), Server::listing(&[0, 3]));
    bench.stanza(phone.writes());
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert_eq!(added(&told), [(vec![0], vec![], true)], "the account's key is known");
    companion.begins();
    let proof = Node::new("device-identity").with_bytes(b"not signed".to_vec());
    bench.stanza(companion.writes().with_child(proof));
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert_eq!(undecryptable(&told), [Undecryptable::Unvouched]);
}

#[test]
fn joined_addresses_are_held_whichever_device_joins_them() {
    for device in [0u16, 5] {
        let (mut phone, mut server) = (Phone::begun(100), Server::listing(&[0]));
        let mut bench = Bench::holding();
        bench.exchange(&mut server, &mut [&mut phone]);
        bench.stanza(phone.writes());
        let told = bench.exchange(&mut server, &mut [&mut phone]);
        assert_eq!(added(&told), [(vec![0], vec![], true)]);
        let mut ghost = Phone::new(device, 200);
        ghost.begins();
        let message = if device == 0 { phone.writes() } else { ghost.writes() };
        bench.stanza(from(
            &message,
            &lid().with_device(device).unwrap(),
            Some(("sender_pn", Jid::phone(USER).unwrap())),
        ));
        let told = bench.exchange(&mut server, &mut [&mut phone]);
        assert!(told.iter().any(|e| matches!(e, Event::SameUser { .. })), "{told:?}");
        let id = MessageId("secret".into());
        bench.command(1, Command::Send { to: lid(), id, content: Content::text("text") });
        bench.exchange(&mut server, &mut [&mut phone]);
        assert_eq!(
            server.messages.len(),
            0,
            "by device {device}: a text for one address waits for the keys of the other"
        );
    }
}

#[test]
fn what_has_changed_is_not_used_whichever_device_is_named() {
    let (mut phone, mut server) = (Phone::begun(100), Server::listing(&[0]));
    let mut bench = Bench::connected();
    bench.stanza(phone.writes());
    bench.exchange(&mut server, &mut [&mut phone]);
    let changed =
        Node::new("notification").with_attr("type", "encrypt").with_attr("id", "n").with_attr("t", "1");
    let changed = changed.with_attr("from", Jid::phone(USER).unwrap().with_device(3).unwrap());
    bench.stanza(changed.with_child(Node::new("identity")));
    bench.exchange(&mut server, &mut []);
    bench.write(1);
    bench.exchange(&mut server, &mut []);
    assert_eq!(server.messages.len(), 0);
}

#[test]
fn who_is_known_from_a_session_alone_is_used() {
    let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
    let mut bench = acquainted(Bench::connected(), &mut phone, &mut server);
    let mut other = Phone::begun(200);
    bench.stanza(from(&other.writes(), &lid(), None));
    bench.exchange(&mut server, &mut [&mut other]);
    // As the first programs left it: the identity stands in the session alone.
    let [session, identity] = Key::of_device(&lid());
    assert!(bench.rows(Table::Peer).contains(&session));
    for key in [identity, Key::devices(&lid())] {
        let write = Write { key, value: None, expires: None };
        bench.store.apply(&Transaction { writes: vec![write], ..Transaction::default() });
    }
    let mut bench = bench.reopened(IdentityPolicy::Notify);
    bench.exchange(&mut server, &mut []);
    bench.stanza(from(&phone.writes(), &lid(), Some(("sender_pn", Jid::phone(USER).unwrap()))));
    let told = bench.exchange(&mut server, &mut [&mut phone]);
    assert!(!told.iter().any(|e| matches!(e, Event::SameUser { .. })), "both were used before");
}

#[test]
fn hold_is_obeyed_where_addresses_have_no_devices() {
    let user: Jid = "1-77@interop".parse().unwrap();
    let mut bench = Bench::holding();
    let mut listed: Vec<u16> = vec![0];
    let (phone, evil) = (Phone::new(0, 100), Phone::new(0, 300));
    let mut sent = Vec::new();
    let run = |bench: &mut Bench, listed: &[u16], who: &Phone, sent: &mut Vec<String>| {
        loop {
            let mut moved = false;
            while let Some(t) = bench.messenger.poll_transaction() {
                bench.commit(&t);
                moved = true;
            }
            while let Some(node) = bench.poll_node() {
                moved = true;
                if node.tag() == "message" {
                    sent.push(node.attr_str("id").unwrap().to_owned());
                    continue;
                }
                if node.tag() != "iq" {
                    continue;
                }
                let answer = Node::new("iq")
                    .with_attr("id", node.attr_str("id").unwrap().to_owned())
                    .with_attr("type", "result");
                if node.attr_str("xmlns") == Some("usync") {
                    let list = Node::new("device-list")
                        .with_children(listed.iter().map(|id| Node::new("device").with_attr("id", *id)));
                    let u = Node::new("user")
                        .with_attr("jid", "1-77@interop".parse::<Jid>().unwrap())
                        .with_child(Node::new("devices").with_child(list));
                    bench.stanza(
                        answer.with_child(Node::new("usync").with_child(Node::new("list").with_child(u))),
                    );
                } else if node.child("key").is_some() {
                    let mut copy = Phone::new(0, 0);
                    copy.local = who.local.clone();
                    copy.prekey = who.prekey.clone();
                    let bundle = wa_stanza::FetchedBundle {
                        registration: copy.local.registration_id,
                        identity: *copy.identity().as_bytes(),
                        one_time: None,
                        signed: copy.signed(),
                        post_quantum: false,
                    };
                    let user: Node =
                        wa_stanza::FetchedUser { jid: "1-77@interop".parse().unwrap(), bundle: Ok(bundle) }
                            .into();
                    bench.stanza(answer.with_child(Node::new("list").with_children([user])));
                }
            }
            if !moved {
                return std::iter::from_fn(|| bench.messenger.poll_event()).collect::<Vec<Event>>();
            }
        }
    };
    let send = |bench: &mut Bench, n: u64| {
        bench.command(
            n,
            Command::Send {
                to: user.clone(),
                id: MessageId(format!("m{n}")),
                content: Content::text("text"),
            },
        )
    };
    let note = |kind: &str| {
        Node::new("notification")
            .with_attr("type", kind.to_owned())
            .with_attr("id", "n")
            .with_attr("from", user.clone())
            .with_attr("t", "1")
    };
    send(&mut bench, 0);
    run(&mut bench, &listed, &phone, &mut sent);
    bench.stanza(note("encrypt").with_child(Node::new("identity")));
    send(&mut bench, 1);
    run(&mut bench, &listed, &evil, &mut sent);
    for next in [vec![0, 5], vec![0]] {
        listed = next;
        bench.stanza(note("devices"));
        send(&mut bench, 10 + listed.len() as u64);
        run(&mut bench, &listed, &evil, &mut sent);
    }
    assert_eq!(sent, ["m0"]);
}

#[test]
fn the_first_contact_is_one() {
    let (mut phone, mut companion, mut evil) = (Phone::new(0, 100), Phone::new(7, 200), Phone::new(7, 300));
    let mut server = Server::listing(&[0, 7]);
    let mut bench = Bench::holding();
    bench.exchange(&mut server, &mut []);
    companion.begins();
    bench.stanza(companion.writes());
    bench.write(0);
    let told = bench.exchange(&mut server, &mut []);
    assert_eq!(added(&told), [(vec![7], vec![], true)]);
    server.listed = Some(vec![0]);
    bench.stanza(changed_at_server("devices"));
    bench.write(1);
    let told = bench.exchange(&mut server, &mut []);
    assert_eq!(added(&told), [(vec![], vec![7], false)]);
    evil.begins();
    bench.stanza(evil.writes());
    let told = bench.exchange(&mut server, &mut []);
    assert_eq!(changed(&told), [(7, Some(evil.identity()))]);
    server.listed = Some(vec![0, 7]);
    bench.stanza(changed_at_server("devices"));
    bench.write(2);
    bench.exchange(&mut server, &mut [&mut phone]);
    bench.accept(&phone, phone.identity());
    bench.exchange(&mut server, &mut [&mut phone]);
    let read =
        (0..server.messages.len()).filter(|m| server.enc(*m, 7).is_some_and(|enc| evil.reads(&enc))).count();
    assert_eq!(read, 0, "a changed identity that nobody accepted");
}
