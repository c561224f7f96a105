//! Requests: the accepted form beside the refused one, and that no rule is without a test.

use serde_json::json;
use wa_sandbox::rules::book::clauses;

use crate::kit::{Bench, PHONE, prekey};

/// An iq with this inside.
fn iq(kind: &str, xmlns: &str, inside: &str) -> String {
    format!("<iq id='1' type='{kind}' xmlns='{xmlns}' to='s.whatsapp.net'>{inside}</iq>")
}

#[test]
fn each_request_has_an_accepted_and_a_refused_form() {
    let user = format!("jid='{PHONE}@s.whatsapp.net'");
    let account = "urn:xmpp:whatsapp:account";
    let spam = |inside: &str| format!("<spam_list spam_flow='MessageMenu' {user}>{inside}</spam_list>");
    let raw =
        format!("<message id='1' t='1' from='{PHONE}@s.whatsapp.net'><raw v='3' wa:bytes='00'/></message>");
    for (rule, good, bad, what) in [
        ("ping", iq("get", "w:p", ""), iq("set", "w:p", ""), "iq has a bad type"),
        (
            "pong",
            iq("result", "w:p", ""),
            iq("result", "w:p", "<pong/>"),
            "iq has other content than it must",
        ),
        (
            "prekey-count",
            iq("get", "encrypt", "<count/>"),
            iq("get", "encrypt", "<count value='1'/>"),
            "count has an unknown value",
        ),
        (
            "prekey-fetch",
            iq("get", "encrypt", &format!("<key><user {user} reason='identity'/></key>")),
            iq("get", "encrypt", &format!("<key><user {user} reason='curiosity'/></key>")),
            "user has a bad reason",
        ),
        (
            "prekey-digest",
            iq("get", "encrypt", "<digest/>"),
            iq("get", "encrypt", "<digest>x</digest>"),
            "digest has other content than it must",
        ),
        (
            "blocklist",
            iq("get", "blocklist", ""),
            iq("get", "blocklist", "<list/>"),
            "iq has other content than it must",
        ),
        (
            "block",
            iq("set", "blocklist", &format!("<item action='block' {user}/>")),
            iq("set", "blocklist", &format!("<item action='forget' {user}/>")),
            "item has a bad action",
        ),
        (
            "report",
            iq("set", "spam", &spam(&raw)),
            iq("set", "spam", "<spam_list/>"),
            "spam_list lacks spam_flow",
        ),
        (
            "reachability",
            iq("set", "w:interop", &format!("<reachability><user {user}/></reachability>")),
            iq("set", "w:interop", &format!("<hello><user {user}/></hello>")),
            "iq holds no reachability",
        ),
        (
            "iq-foreign",
            iq("get", "abt", "<props/>"),
            "<iq id='1' type='ask' xmlns='abt' to='s.whatsapp.net'/>".to_owned(),
            "iq has a bad type",
        ),
        ("deletion", iq("set", account, "<remove/>"), iq("set", account, "<delete/>"), "iq holds no remove"),
    ] {
        let mut bench = Bench::new();
        let (_, mut line) = bench.connected("alice");
        bench.ask(&mut line, &bad);
        let records = bench.records();
        assert_eq!(records, [(rule, what.to_owned())], "{bad}");
        bench.taken_rules();
        let answers = bench.ask_xml(&mut line, &good);
        assert!(answers.iter().all(|answer| !answer.contains("code=")), "{good}: {answers:?}");
        let deviations = bench.get("deviations?class=deviation");
        assert_eq!(deviations["deviations"], json!([]), "{good}");
    }
}

#[test]
fn keys_are_rotated_with_a_signature_of_the_identity() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    let stranger = bench.user("bob");
    let rotate = |signed: &wa_signal::SignedPrekey| {
        let signature = wa_binary::Node::new("signature").with_bytes(signed.signature.as_bytes().to_vec());
        let skey = prekey("skey", signed.id, signed.key.as_bytes()).with_child(signature);
        let iq = wa_binary::Node::new("iq").with_attr("id", "r").with_attr("type", "set");
        let iq = iq.with_attr("xmlns", "encrypt").with_attr("to", wa_binary::Jid::whatsapp());
        iq.with_child(wa_binary::Node::new("rotate").with_child(skey))
    };
    bench.send(&mut line, &rotate(&stranger.signed));
    assert_eq!(bench.read(&mut line)[0].attr_str("type"), Some("error"));
    let record = bench.world.records().next().unwrap();
    assert_eq!((record.rule, record.what.as_str()), ("prekey-signature", "signature does not verify"));
    assert!(record.marked.as_ref().unwrap().contains("⟦<signature"), "{record:?}");
    bench.taken_rules();
    let next = wa_keys::PrivateKey::generate(&mut bench.rng);
    user.signed = wa_signal::SignedPrekey::sign(8, &next, &user.local.key, &mut bench.rng);
    bench.send(&mut line, &rotate(&user.signed));
    assert_eq!(bench.read(&mut line)[0].attr_str("type"), Some("result"));
    assert_eq!(bench.get(&format!("accounts/{}", user.login()))["signed_prekey"], 8);
    let empty = iq("set", "encrypt", "<rotate/>");
    bench.ask(&mut line, &empty);
    assert_eq!(bench.taken_rules(), ["prekey-rotate"]);
}

#[test]
fn an_account_has_so_many_prekeys_and_no_more() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    let list =
        |first: u32, count: u32| (first..first + count).map(|id| prekey("key", id, &[9; 32])).collect();
    for batch in 0..10 {
        let upload = user.upload(list(1 + batch * 1000, 1000));
        bench.send(&mut line, &upload);
        assert_eq!(bench.read(&mut line)[0].attr_str("type"), Some("result"), "{batch}");
    }
    let upload = user.upload(list(10_001, 1));
    bench.send(&mut line, &upload);
    assert_eq!(bench.read(&mut line)[0].attr_str("type"), Some("error"));
    assert_eq!(bench.taken_rules(), ["prekey-too-many"]);
    let upload = user.upload(list(1, 1001));
    bench.send(&mut line, &upload);
    assert_eq!(bench.taken_rules(), ["prekey-upload"]);
    user.one_time.clear();
}

/// The tests' own words.
const TESTS: [&str; 7] = [
    include_str!("arrival.rs"),
    include_str!("doors.rs"),
    include_str!("mail.rs"),
    include_str!("phones.rs"),
    include_str!("requests.rs"),
    include_str!("stanzas.rs"),
    include_str!("time.rs"),
];

#[test]
fn no_rule_is_without_a_test() {
    let is_named = |id: &str| {
        let (whole, said) = (format!("\"{id}\""), format!("\"{id}: "));
        TESTS.iter().any(|text| text.contains(&whole) || text.contains(&said))
    };
    let untested: Vec<_> = clauses().map(|clause| clause.id).filter(|id| !is_named(id)).collect();
    assert_eq!(untested, [""; 0]);
}
