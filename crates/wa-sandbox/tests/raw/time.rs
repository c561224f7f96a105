//! What time does (overview §1.1, §3.2.1, §5).

use serde_json::json;

use crate::kit::{Bench, NOW, PHONE};
use crate::user::jwks;

const DAY: i64 = 86_400;

#[test]
fn keys_are_fetched_every_so_often_and_withdrawn_ones_refused() {
    let mut bench = Bench::new();
    let mut user = bench.enlisted("alice");
    bench.advance(DAY - 1);
    assert_eq!(bench.world.poll_fetch(), None);
    bench.advance(1);
    assert_eq!(bench.world.poll_fetch().map(|it| it.id), Some(1));
    assert_eq!(bench.world.poll_fetch(), None, "asked once");
    // Until the answer comes the old ones serve.
    bench.connect(&mut user);
    let now = bench.now();
    bench.world.handle_keys(1, Ok(&jwks("another")), now);
    let payload = user.payload(now);
    let mut line = bench.login(&mut user, &payload);
    assert_eq!(bench.world.poll_fetch().map(|it| it.id), Some(1), "the kid may be newer");
    bench.world.handle_keys(1, Ok(&jwks("another")), now);
    assert_eq!(bench.read(&mut line)[0].attr_str("reason"), Some("401"));
    assert_eq!(bench.taken_rules(), ["token-key"]);
}

#[test]
fn an_account_that_does_not_connect_for_30_days_is_gone() {
    let mut bench = Bench::new();
    let mut user = bench.enlisted("alice");
    bench.advance(30 * DAY);
    let line = bench.connect(&mut user);
    bench.advance(45 * DAY);
    assert_eq!(bench.get("accounts")["accounts"].as_array().map(Vec::len), Some(1), "it is connected");
    bench.world.disconnect(line.id);
    bench.advance(30 * DAY);
    assert_eq!(bench.get("accounts")["accounts"].as_array().map(Vec::len), Some(1));
    bench.advance(1);
    assert_eq!(bench.get("accounts")["accounts"], json!([]));
    let payload = user.payload(bench.now());
    let mut line = bench.login(&mut user, &payload);
    assert_eq!(bench.read(&mut line)[0].attr_str("reason"), Some("415"));
    assert_eq!(bench.taken_rules(), ["login-unenlisted"]);
    let refused =
        bench.control("POST", &format!("phones/{PHONE}/send"), json!({ "to": user.login(), "text": "x" }));
    assert_eq!(refused.unwrap_err().kind, "unknown-account");
}

#[test]
fn mail_waits_for_30_days() {
    let mut bench = Bench::new();
    let mut user = bench.enlisted("alice");
    bench.post(&format!("phones/{PHONE}/send"), json!({ "to": user.login(), "text": "old" }));
    bench.advance(20 * DAY);
    let line = bench.connect(&mut user);
    bench.world.disconnect(line.id);
    bench.post(&format!("phones/{PHONE}/send"), json!({ "to": user.login(), "text": "young" }));
    bench.advance(10 * DAY + 1);
    let mut line = bench.connect(&mut user);
    let nodes = bench.ask(&mut line, r#"<ib><offline_batch count="9"/></ib>"#);
    let messages: Vec<_> = nodes.iter().filter(|node| node.is("message")).collect();
    assert_eq!(messages.len(), 1);
    // The first message of the session is gone with the keys that it told; the second tells them again.
    assert_eq!(user.decrypt(messages[0]).unwrap().conversation.as_deref(), Some("young"));
}

#[test]
fn a_half_done_handshake_ends_after_20_seconds() {
    let mut bench = Bench::new();
    let (silent, begun) = (bench.world.connect(NOW), bench.world.connect(NOW));
    bench.send_raw(begun, b"WA\x06\x03");
    let (_, mut line) = bench.connected("alice");
    bench.advance(19);
    assert_eq!((bench.raw_outputs(silent).1, bench.raw_outputs(begun).1), (false, false));
    bench.advance(1);
    assert_eq!((bench.raw_outputs(silent).1, bench.raw_outputs(begun).1), (true, true));
    assert_eq!(bench.taken_rules(), ["handshake-time"; 2]);
    assert_eq!(bench.read(&mut line), [], "the session stays");
}
