//! The control interface: every mistake has an answer that says what it is (RFC 9457).

use serde_json::{Value, json};
use wa_binary::Node;

use crate::kit::{Bench, PHONE};

#[test]
fn every_mistake_has_its_problem() {
    let mut bench = Bench::new();
    let user = bench.enlisted("alice");
    let login = user.login();
    let send = format!("phones/{PHONE}/send");
    for (method, path, body, status, kind, detail) in [
        ("GET", "nothing", json!({}), 404, "no-such-path", "there is no /v1/nothing"),
        ("PUT", "phones", json!({}), 405, "method-not-allowed", "has no PUT, but GET, POST"),
        ("GET", "phones/1", json!({}), 404, "unknown-phone", "there is no phone 1"),
        ("GET", "accounts/1-2@interop", json!({}), 404, "unknown-account", "1-2@interop is not enlisted"),
        ("GET", "accounts/alice", json!({}), 400, "bad-login", "\"alice\" is no login"),
        ("POST", "phones", json!({ "number": "+1" }), 400, "bad-number", "1 to 20 digits"),
        ("POST", "phones", json!({ "number": PHONE }), 409, "phone-exists", "already"),
        ("POST", &*send, json!({ "to": login, "txt": "x" }), 400, "bad-body", "unknown variant `txt`"),
        ("POST", &*send, json!({ "to": "1-2@interop", "text": "x" }), 404, "unknown-account", "not enlisted"),
        ("POST", &*send, json!({ "to": login, "raw": "zz" }), 400, "cannot-write", "hex"),
        (
            "POST",
            &*send,
            json!({ "to": login, "message": { "text": "x" } }),
            400,
            "bad-body",
            "message.text: Message has conversation,",
        ),
        ("POST", "clock", json!({}), 400, "bad-body", "either offset or advance"),
        ("POST", "clock", json!({ "offset": "x" }), 400, "bad-body", "where a whole number is expected"),
        ("POST", "faults", json!({ "dropp": 1 }), 400, "bad-body", "unknown field `dropp`"),
        ("POST", "faults", json!({ "certificate": "x" }), 400, "bad-body", "certificate: unknown variant"),
        (
            "POST",
            "integrators",
            json!({ "id": 0, "base_url": "http://a" }),
            400,
            "bad-integrator",
            "1 to 999",
        ),
        ("POST", "integrators", json!({ "id": 2, "base_url": "ftp://a" }), 400, "bad-integrator", "http://"),
        ("DELETE", "integrators/9", json!({}), 404, "unknown-integrator", "no integrator 9"),
        ("POST", &*format!("accounts/{login}/ping"), json!({}), 409, "not-connected", "not connected"),
        ("POST", &*format!("accounts/{login}/notify"), json!({ "xml": "<a" }), 400, "bad-body", "xml: "),
        ("GET", "deviations?class=x", json!({}), 400, "bad-query", "class is \"x\""),
        ("GET", "deviations?after=x", json!({}), 400, "bad-query", "after is no number"),
    ] {
        let problem = bench.control(method, path, body).unwrap_err();
        assert_eq!((problem.status, problem.kind), (status, kind), "{method} {path}: {}", problem.detail);
        assert!(problem.detail.contains(detail), "{}", problem.detail);
        assert_eq!(problem.to_json()["type"], format!("urn:wa-sandbox:{kind}"));
    }
}

#[test]
fn integrators_and_phones_come_and_go() {
    let mut bench = Bench::new();
    bench.post("integrators", json!({ "id": 12, "base_url": "http://127.0.0.1:1/" }));
    let shown = bench.get("integrators");
    assert_eq!(shown["integrators"][1]["base_url"], "http://127.0.0.1:1");
    bench.post("integrators/12/fetch-keys", json!({}));
    assert_eq!(bench.world.poll_fetch().map(|it| it.id), Some(12));
    bench.control("DELETE", "integrators/12", Value::Null).unwrap();
    bench.post("phones", json!({ "number": "4917", "manners": { "answers": false } }));
    assert_eq!(bench.get("phones/4917")["manners"]["answers"], false);
    bench.control("DELETE", "phones/4917", Value::Null).unwrap();
    let (_, mut line) = bench.connected("alice");
    let answers = bench.ask(&mut line, r#"<message to="4917@s.whatsapp.net" id="1" type="text"><enc v="2" type="msg" wa:bytes="33"/></message>"#);
    assert_eq!(answers[0].attr_str("error"), Some("404"));
}

#[test]
fn stanzas_are_lost_doubled_swapped_spoilt_and_late_on_order() {
    let ping = |id: &str| format!(r#"<iq id="{id}" type="get" xmlns="w:p" to="s.whatsapp.net"/>"#);
    let ids = |nodes: &[Node]| -> Vec<String> {
        nodes.iter().map(|node| node.attr_str("id").unwrap_or(node.tag()).to_owned()).collect()
    };
    let mut bench = Bench::new();
    let (_, mut line) = bench.connected("alice");
    bench.post("faults", json!({ "drop": 1 }));
    assert_eq!(ids(&bench.ask(&mut line, &ping("1"))), [""; 0]);
    bench.post("faults", json!({ "duplicate": 1 }));
    assert_eq!(ids(&bench.ask(&mut line, &ping("2"))), ["2", "2"]);
    bench.post("faults", json!({ "reorder": 1 }));
    assert_eq!(ids(&bench.ask(&mut line, &ping("3"))), [""; 0]);
    assert_eq!(ids(&bench.ask(&mut line, &ping("4"))), ["4", "3"]);
    bench.post("faults", json!({ "delay": 30 }));
    assert_eq!(ids(&bench.ask(&mut line, &ping("5"))), [""; 0]);
    bench.advance(29);
    assert_eq!(bench.read(&mut line), []);
    bench.advance(1);
    assert_eq!(ids(&bench.read(&mut line)), ["5"]);
    bench.post("faults", json!({ "delay": 0, "corrupt": 1 }));
    assert_eq!(ids(&bench.ask(&mut line, &ping("6"))), ["garbled"]);
    assert_eq!(bench.get("faults")["corrupt"], 0);
    // One that lets the next pass is not kept.
    let (_, mut line) = bench.connected("bob");
    bench.post("faults", json!({ "reorder": 1 }));
    bench.ask(&mut line, &ping("7"));
    bench.advance(1);
    assert_eq!(ids(&bench.read(&mut line)), ["7"]);
}

#[test]
fn records_are_asked_for_by_class_and_number() {
    let mut bench = Bench::new();
    let (_, mut line) = bench.connected("alice");
    bench.ask(&mut line, r#"<presence type="available"/>"#);
    bench.ask(&mut line, r#"<iq id="1" type="get" xmlns="urn:nobody" to="s.whatsapp.net"/>"#);
    let rules = |value: Value| -> Vec<String> {
        let records = value["deviations"].as_array().unwrap().clone();
        records.iter().map(|it| it["rule"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(rules(bench.get("deviations")), ["presence", "iq-unknown"]);
    assert_eq!(rules(bench.get("deviations?class=note")), ["presence"]);
    assert_eq!(rules(bench.get("deviations?class=deviation")), ["iq-unknown"]);
    assert_eq!(rules(bench.get("deviations?after=1")), ["iq-unknown"]);
    let record = bench.get("deviations?after=1")["deviations"][0].clone();
    for member in ["number", "at", "who", "what", "stanza", "marked", "says", "source", "mend", "answer"] {
        assert!(!record[member].is_null(), "{member}: {record}");
    }
}

#[test]
fn a_reset_forgets_what_has_been_and_keeps_what_is_pinned() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    let root = bench.world.noise_root();
    bench.post("phones", json!({ "number": "4917" }));
    bench.post("faults", json!({ "drop": 5 }));
    bench.ask(&mut line, r#"<presence type="available"/>"#);
    bench.post("reset", json!({}));
    assert_eq!(bench.read(&mut line), [Node::new("closed")]);
    assert_eq!(bench.get("accounts")["accounts"], json!([]));
    let phones = bench.get("phones")["phones"].clone();
    assert_eq!(phones.as_array().map(Vec::len), Some(1));
    assert_eq!((bench.get("faults")["drop"].clone(), bench.records()), (json!(0), vec![]));
    assert_eq!(bench.world.noise_root(), root);
    let now = bench.now();
    bench.world.handle_keys(1, Ok(&crate::user::jwks("key")), now);
    let wa_sandbox::Enlisted::Login(login) = bench.enlist(&user.form(now)) else { panic!("refused") };
    user.login = Some(login);
    bench.connect(&mut user);
}

#[test]
fn the_rule_book_is_served() {
    let mut bench = Bench::new();
    let rules = bench.get("rules");
    let rules = rules["rules"].as_array().unwrap();
    assert_eq!(rules.len(), wa_sandbox::rules::book::clauses().count());
}
