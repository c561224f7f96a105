//! After the login: resumptions, replaced connections, what the server says first.

use serde_json::{Value, json};
use wa_binary::Node;
use wa_sandbox::Enlisted;

use crate::kit::{Bench, PHONE};

fn tags(nodes: &[Node]) -> Vec<&str> {
    nodes.iter().map(Node::tag).collect()
}

#[test]
fn a_resumed_client_that_only_listens_is_not_left_waiting() {
    let mut bench = Bench::new();
    let mut user = bench.stocked("alice");
    let login = user.login();
    bench.post(&format!("phones/{PHONE}/send"), json!({ "to": login, "text": "hello" }));
    let (mut line, first) = bench.resume(&user);
    let nodes = bench.read(&mut line);
    assert_eq!(tags(&nodes), ["success", "ib", "iq"], "{nodes:?}");
    let preview = nodes[1].child("offline_preview").unwrap();
    assert_eq!((preview.attr_str("count"), preview.attr_str("message")), (Some("1"), Some("1")));
    // Nothing has been drained or displaced yet: it may be a replay.
    assert_eq!(bench.get(&format!("accounts/{login}"))["connected"], false);
    // It answers the ping, and is there.
    let pong = Node::new("iq").with_attr("id", nodes[2].attr_str("id").unwrap()).with_attr("type", "result");
    bench.send(&mut line, &pong.with_attr("to", wa_binary::Jid::whatsapp()));
    assert_eq!(bench.get(&format!("accounts/{login}"))["connected"], true);
    bench.advance(11);
    let nodes = bench.read(&mut line);
    assert_eq!(tags(&nodes), ["message", "ib"], "{nodes:?}");
    assert_eq!(user.decrypt(&nodes[0]).unwrap().conversation.as_deref(), Some("hello"));
    // The same first message again changes nothing: an attacker who repeats it cannot answer.
    let id = bench.world.connect(bench.now());
    bench.send_raw(id, &first);
    assert_eq!(bench.ask(&mut line, r#"<presence type="available"/>"#), [], "the session goes on");
    assert_eq!(bench.records().len(), 1, "only the note");
}

#[test]
fn a_second_login_replaces_the_first() {
    let mut bench = Bench::new();
    let (mut user, mut first) = bench.connected("alice");
    bench.connect(&mut user);
    let nodes: Vec<String> = bench.read(&mut first).iter().map(ToString::to_string).collect();
    assert_eq!(nodes, [r#"<stream:error><conflict type="replaced"/></stream:error>"#, "<closed/>"]);
}

#[test]
fn who_enlists_again_ends_the_old_connection() {
    let mut bench = Bench::new();
    let (user, mut line) = bench.connected("alice");
    let form = user.form(bench.now());
    let Enlisted::Login(login) = bench.enlist(&form) else { panic!("refused") };
    assert_ne!(Some(&login), user.login.as_ref());
    let nodes: Vec<String> = bench.read(&mut line).iter().map(ToString::to_string).collect();
    assert_eq!(nodes, [r#"<stream:error><conflict type="replaced"/></stream:error>"#, "<closed/>"]);
    let accounts = bench.get("accounts");
    assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(1));
}

#[test]
fn routing_information_is_given_and_shown() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    let path = format!("accounts/{}/routing-info", user.login());
    bench.post(&path, json!({ "routing_info": "0a0b" }));
    let nodes = bench.read(&mut line);
    let info = nodes[0].child("edge_routing").and_then(|it| it.child("routing_info")).and_then(Node::bytes);
    assert_eq!(info, Some(&[0x0A, 0x0B][..]));
    assert_eq!(bench.get(&format!("accounts/{}", user.login()))["routing_info"], Value::Null);
    bench.world.disconnect(line.id);
    assert!(bench.control("POST", &path, json!({ "routing_info": "0a" })).is_err());
    bench.connect(&mut user);
}

#[test]
fn a_client_is_sent_away_when_that_is_wanted() {
    let mut bench = Bench::new();
    bench.post("faults", json!({ "go_away": 1 }));
    let id = bench.world.connect(bench.now());
    assert_eq!(bench.raw_outputs(id), (b"GOA".to_vec(), true));
    bench.connected("alice");
}

#[test]
fn what_comes_for_a_client_whose_stream_is_broken_waits_and_is_not_said() {
    let mut bench = Bench::new();
    let (user, mut line) = bench.connected("alice");
    let said = |bench: &mut Bench| {
        let is_there = |number: &u64| bench.control("GET", &format!("stanzas/{number}"), Value::Null).is_ok();
        (1..).take_while(is_there).count()
    };
    let before = said(&mut bench);
    bench.send_raw(line.id, &wa_noise::frame(&[0; 40]).unwrap());
    bench.post(&format!("phones/{PHONE}/send"), json!({ "to": user.login(), "text": "hello" }));
    let nodes: Vec<String> = bench.read(&mut line).iter().map(ToString::to_string).collect();
    assert_eq!((nodes, said(&mut bench)), (vec!["<closed/>".to_owned()], before));
    assert_eq!(bench.get(&format!("accounts/{}", user.login()))["mailbox"], 2, "and a word about prekeys");
}

#[test]
fn stream_errors_and_failures_come_by_their_code() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    let path = format!("accounts/{}/stream-error", user.login());
    bench.post(&path, json!({ "code": 515 }));
    let nodes: Vec<String> = bench.read(&mut line).iter().map(ToString::to_string).collect();
    assert_eq!(nodes, [r#"<stream:error code="515"/>"#, "<closed/>"]);
    bench.world.disconnect(line.id);
    bench.post("faults", json!({ "login_failure": 503 }));
    let payload = user.payload(bench.now());
    let mut line = bench.login(&mut user, &payload);
    assert_eq!(bench.read(&mut line)[0].attr_str("reason"), Some("503"));
    assert_eq!(bench.records(), [], "that is not the client's fault");
    bench.control("DELETE", "faults", Value::Null).unwrap();
    let mut line = bench.connect(&mut user);
    let xml = r#"<conflict type="device_removed"/>"#;
    bench.post(&path, json!({ "code": 401, "xml": xml }));
    assert_eq!(
        bench.read(&mut line)[0].to_string(),
        format!(r#"<stream:error code="401">{xml}</stream:error>"#)
    );
}
