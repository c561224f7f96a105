//! Requests, beyond their form.

use crate::kit::Bench;
use crate::user::prekey;

/// An iq with this inside.
fn iq(kind: &str, xmlns: &str, inside: &str) -> String {
    format!("<iq id='1' type='{kind}' xmlns='{xmlns}' to='s.whatsapp.net'>{inside}</iq>")
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
