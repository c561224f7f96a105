//! Mailboxes, acks, batches and low prekeys (overview §3.2.1; observed).

use serde_json::json;
use wa_binary::Node;

use crate::kit::{Bench, Line, PHONE};

fn write(bench: &mut Bench, login: &str, text: &str) {
    bench.post(&format!("phones/{PHONE}/send"), json!({ "to": login, "text": text }));
}

fn mailbox(bench: &mut Bench, login: &str) -> u64 {
    bench.get(&format!("accounts/{login}"))["mailbox"].as_u64().unwrap()
}

fn ack(bench: &mut Bench, line: &mut Line, stanza: &Node, to: &str) -> Vec<Node> {
    let (class, id) = (stanza.tag(), stanza.attr_str("id").unwrap());
    bench.ask(line, &format!("<ack class='{class}' id='{id}' to='{to}'/>"))
}

#[test]
fn what_comes_to_an_empty_mailbox_goes_out_at_once() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    write(&mut bench, &user.login(), "hello");
    let nodes = bench.read(&mut line);
    assert_eq!(nodes[0].tag(), "message", "no batch was asked for: {nodes:?}");
    assert_eq!(user.decrypt(&nodes[0]).unwrap().conversation.as_deref(), Some("hello"));
    assert_eq!(nodes[0].attr_str("offline"), None);
}

#[test]
fn an_ack_with_another_address_leaves_the_stanza_in_the_mailbox() {
    let mut bench = Bench::new();
    let mut user = bench.stocked("alice");
    let mut line = bench.connect(&mut user);
    write(&mut bench, &user.login(), "hello");
    let message = bench.read(&mut line).remove(0);
    for to in ["14155551002@s.whatsapp.net", "14155551001:3@s.whatsapp.net", "s.whatsapp.net"] {
        assert_eq!(ack(&mut bench, &mut line, &message, to), []);
        let record = bench.world.records().next_back().unwrap();
        assert_eq!(record.rule, "ack-to");
        assert!(record.marked.as_ref().unwrap().contains("⟦to="), "{record:?}");
        assert_eq!(mailbox(&mut bench, &user.login()), 1, "{to}");
    }
    bench.taken_rules();
    ack(&mut bench, &mut line, &message, "14155551001@s.whatsapp.net");
    // Twice is no fault.
    ack(&mut bench, &mut line, &message, "14155551001@s.whatsapp.net");
    assert_eq!((mailbox(&mut bench, &user.login()), bench.records()), (0, vec![]));
}

#[test]
fn batches_are_asked_for_and_the_end_says_how_many_there_were() {
    let mut bench = Bench::new();
    let mut user = bench.stocked("alice");
    for number in 0..5 {
        write(&mut bench, &user.login(), &number.to_string());
    }
    let mut line = bench.connect(&mut user);
    let pull = r#"<ib><offline_batch count="2"/></ib>"#;
    let first = bench.ask(&mut line, pull);
    assert_eq!(first.iter().map(Node::tag).collect::<Vec<_>>(), ["message"; 2], "{first:?}");
    assert_eq!(bench.ask(&mut line, pull).len(), 2);
    let last = bench.ask(&mut line, pull);
    assert_eq!(last.iter().map(Node::tag).collect::<Vec<_>>(), ["message", "ib"]);
    assert_eq!(last[1].child("offline").unwrap().attr_str("count"), Some("5"));
    write(&mut bench, &user.login(), "live");
    assert_eq!(bench.read(&mut line).len(), 1);
}

#[test]
fn a_client_that_says_active_gets_everything() {
    let mut bench = Bench::new();
    let mut user = bench.stocked("alice");
    for number in 0..3 {
        write(&mut bench, &user.login(), &number.to_string());
    }
    let mut line = bench.connect(&mut user);
    let nodes =
        bench.ask(&mut line, r#"<iq id="1" type="set" xmlns="passive" to="s.whatsapp.net"><active/></iq>"#);
    assert_eq!(
        nodes.iter().map(Node::tag).collect::<Vec<_>>(),
        ["iq", "message", "message", "message", "ib"]
    );
}

#[test]
fn a_client_that_fetches_nothing_gets_it_after_a_while_and_one_that_works_is_left_alone() {
    let mut bench = Bench::new();
    let mut user = bench.stocked("alice");
    for number in 0..3 {
        write(&mut bench, &user.login(), &number.to_string());
    }
    let mut line = bench.connect(&mut user);
    bench.advance(9);
    assert_eq!(bench.read(&mut line), []);
    let batch = bench.ask(&mut line, r#"<ib><offline_batch count="1"/></ib>"#);
    bench.advance(60);
    assert_eq!(bench.read(&mut line), [], "it owes an ack");
    ack(&mut bench, &mut line, &batch[0], &format!("{PHONE}@s.whatsapp.net"));
    bench.advance(9);
    assert_eq!(bench.read(&mut line), []);
    bench.advance(1);
    let rest = bench.read(&mut line);
    assert_eq!(rest.iter().map(Node::tag).collect::<Vec<_>>(), ["message", "message", "ib"]);
    assert_eq!(rest[2].child("offline").unwrap().attr_str("count"), Some("3"));
}

#[test]
fn the_preview_counts_by_kind() {
    let mut bench = Bench::new();
    let mut user = bench.enlisted("alice");
    let login = user.login();
    write(&mut bench, &login, "one");
    bench.post(&format!("phones/{PHONE}/mark"), json!({ "to": login, "ids": ["A"], "kind": "read" }));
    bench.post(&format!("phones/{PHONE}/reinstall"), json!({}));
    let payload = user.payload(bench.now());
    let mut line = bench.login(&mut user, &payload);
    let preview = bench.read(&mut line)[1].child("offline_preview").unwrap().to_string();
    // Without a one-time prekey the server says so, too.
    let expected = r#"<offline_preview count="4" message="1" receipt="1" notification="2" appdata="0"/>"#;
    assert_eq!(preview, expected);
}

#[test]
fn notifications_say_when() {
    let mut bench = Bench::new();
    let (_, mut line) = bench.connected("alice");
    bench.post(&format!("phones/{PHONE}/reinstall"), json!({}));
    bench.post(&format!("phones/{PHONE}/devices"), json!({ "id": 3 }));
    let now = bench.now().to_string();
    let nodes = bench.read(&mut line);
    assert_eq!(nodes.len(), 2);
    assert!(nodes.iter().all(|node| node.attr_str("t") == Some(&now)), "{nodes:?}");
}

#[test]
fn low_prekeys_are_announced_until_the_client_has_acked_it() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    bench.upload(&mut user, &mut line, 12);
    let mut told = Vec::new();
    for _ in 0..4 {
        bench.post(&format!("phones/{PHONE}/reinstall"), json!({}));
        write(&mut bench, &user.login(), "in a new session");
        let nodes = bench.read(&mut line);
        let counts = nodes.iter().filter_map(|node| node.child("count")?.attr_str("value"));
        told.push(counts.map(str::to_owned).collect::<Vec<_>>());
        if let Some(notification) = nodes.iter().find(|node| node.child("count").is_some()) {
            assert_eq!(notification.attr_str("type"), Some("encrypt"));
            assert_eq!(
                notification.attr("from").map(|it| it.to_text().into_owned()).as_deref(),
                Some("s.whatsapp.net")
            );
        }
    }
    assert_eq!(told, [vec![], vec!["10".to_owned()], vec![], vec![]], "it is told once");
}
