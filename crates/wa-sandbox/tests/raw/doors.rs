//! Getting in: each mistake at enlistment, with the token, in the handshake, at the login and in frames has a record of
//! its own, beside the form that is accepted (overview §1, §2).

use bytes::Bytes;
use prost::Message as _;
use serde_json::json;
use wa_keys::PrivateKey;
use wa_profile::Profile;
use wa_proto::handshake::ClientPayload;
use wa_sandbox::Enlisted;

use crate::kit::{Bench, NOW};
use crate::user::{User, claims, header, jwks, sign, token};

type Form = Vec<(&'static str, String)>;

/// The form with one argument changed; nothing takes it out.
fn changed(user: &User, name: &'static str, value: Option<&str>) -> Form {
    let mut form = user.form(NOW);
    form.retain(|(it, _)| *it != name);
    form.extend(value.map(|value| (name, value.to_owned())));
    form
}

#[test]
fn the_overviews_ten_arguments_enlist_under_both_documents() {
    for (profile, spelling) in [
        (Profile::overview(), ["e_skey_id", "e_skey_val", "e_key_sig"]),
        (Profile::overview(), ["e_key_id", "e_key_val", "e_key_sig"]),
        (Profile::default(), ["e_skey_id", "e_skey_val", "e_key_sig"]),
        (Profile::default(), ["e_key_id", "e_key_val", "e_key_sig"]),
    ] {
        let mut bench = Bench::with(profile, false);
        let mut form = bench.user("alice").form(NOW);
        for ((name, _), spelt) in form[4..7].iter_mut().zip(spelling) {
            *name = spelt;
        }
        form.push(("user_identifier", "alice".to_owned()));
        form.push(("integrator_id", "1".to_owned()));
        assert_eq!(form.len(), 10);
        assert!(matches!(bench.enlist(&form), Enlisted::Login(_)), "{form:?}");
        assert_eq!(bench.records(), []);
    }
}

#[test]
fn each_bad_argument_has_a_rule_of_its_own() {
    let mut bench = Bench::new();
    let user = bench.user("alice");
    let good = user.form(NOW);
    let value = |name: &str| good.iter().find(|(it, _)| *it == name).unwrap().1.clone();
    let padded = format!("{}=", value("authkey"));
    let short = &value("e_ident")[..40];
    for (name, value, rule, what) in [
        ("authkey", None, "enlist-authkey", "authkey is missing"),
        ("authkey", Some(&*padded), "enlist-authkey", "authkey is padded"),
        ("authkey", Some(&*"A".repeat(43)), "enlist-authkey", "authkey is all zero"),
        ("e_keytype", Some("BA"), "enlist-keytype", "e_keytype is another byte"),
        ("e_regid", Some("AAAA"), "enlist-regid", "e_regid has 3 bytes"),
        ("e_ident", Some(short), "enlist-ident", "e_ident has 30 bytes"),
        ("e_skey_id", Some("AAAAAA"), "enlist-skey-id", "e_skey_id has 4 bytes"),
        ("e_skey_val", Some("a+b/"), "enlist-skey-val", "e_skey_val is base64, not base64url"),
        ("e_skey_sig", None, "enlist-skey-sig", "e_skey_sig is missing"),
        ("e_key_sig", Some("other"), "enlist-spellings", "e_key_sig and e_skey_sig differ"),
        ("integrator_id", Some("2"), "enlist-integrator", "integrator_id is \"2\""),
        ("integrator_id", Some("01"), "enlist-integrator", "integrator_id is \"01\""),
        (
            "user_identifier",
            Some("bob"),
            "enlist-identifier",
            "user_identifier is \"bob\", the token's sub \"alice\"",
        ),
        ("user_identifier", Some(""), "enlist-identifier", "the identifier has 0 characters"),
        ("interop_version", Some("one"), "enlist-version", ""),
        ("interop_version", Some("0.9.0"), "enlist-version-old", "the version is 0.9.0"),
        ("token", None, "token-missing", "token is missing"),
    ] {
        let answer = bench.enlist(&changed(&user, name, value));
        assert!(matches!(answer, Enlisted::Refused(_)), "{name} {value:?}: {answer:?}");
        let records = bench.records();
        let [(found, said)] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(*found, rule, "{name} {value:?}: {said}");
        assert!(said.contains(what), "{said}");
        bench.taken_rules();
    }
    assert!(matches!(bench.enlist(&good), Enlisted::Login(_)));
    let with_version = changed(&user, "interop_version", Some("1.0.3"));
    assert!(matches!(bench.enlist(&with_version), Enlisted::Login(_)));
    assert_eq!(bench.records(), []);
}

#[test]
fn the_prekeys_signature_is_checked() {
    let mut bench = Bench::new();
    let (user, other) = (bench.user("alice"), bench.user("bob"));
    let foreign = other.form(NOW).into_iter().find(|(name, _)| *name == "e_skey_sig").unwrap().1;
    let answer = bench.enlist(&changed(&user, "e_skey_sig", Some(&foreign)));
    assert_eq!(answer, Enlisted::Refused("sandbox_bad_signature"));
    let who = bench.world.records().next().unwrap().who.clone();
    assert_eq!((who.user.as_deref(), who.integrator), (Some("alice"), Some(1)));
    assert_eq!(bench.taken_rules(), ["enlist-signature"]);
}

#[test]
fn what_is_no_form_is_called_so_and_only_that() {
    let mut bench = Bench::new();
    for (body, what) in [
        (r#"{"authkey": "x", "token": "y"}"#, "the body is JSON"),
        ("--boundary\r\nContent-Disposition: form-data\r\n", "the body looks like multipart"),
        ("", "the body is empty"),
        ("a=b", "no argument of the API is in it"),
    ] {
        assert_eq!(bench.world.enlist(body.as_bytes(), true, NOW), Enlisted::Refused("sandbox_bad_form"));
        assert_eq!(bench.records(), [("enlist-form", what.to_owned())]);
        bench.taken_rules();
    }
    let user = bench.user("alice");
    let mut twice = user.form(NOW);
    twice.push(("token", "x".to_owned()));
    assert_eq!(bench.enlist(&twice), Enlisted::Refused("sandbox_bad_arguments"));
    assert_eq!(bench.taken_rules(), ["enlist-twice"]);
    // What no document has is noted, and taken.
    assert!(matches!(bench.enlist(&changed(&user, "colour", Some("blue"))), Enlisted::Login(_)));
    assert_eq!(bench.records(), [("enlist-unknown-argument", "has colour".to_owned())]);
}

#[test]
fn a_content_type_that_is_no_forms_is_noted() {
    let mut bench = Bench::new();
    bench.world.judge_content_type(Some("application/x-www-form-urlencoded; charset=utf-8"), NOW);
    assert_eq!(bench.records(), []);
    bench.world.judge_content_type(Some("text/plain"), NOW);
    assert_eq!(bench.records(), [("enlist-content-type", "the content type is text/plain".to_owned())]);
}

/// Tokens with one thing wrong each, and the rule that they break.
fn bad_tokens() -> Vec<(String, &'static str)> {
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = claims("alice", NOW);
        claims[name] = value;
        sign(&header(), &claims)
    };
    let without = |name: &str| {
        let mut claims = claims("alice", NOW);
        claims.as_object_mut().unwrap().remove(name);
        sign(&header(), &claims)
    };
    let headed = |header: serde_json::Value| sign(&header, &claims("alice", NOW));
    let good = token("alice", NOW);
    let (signed, _) = good.rsplit_once('.').unwrap();
    let long = with("more", json!("x".repeat(4096)));
    vec![
        ("not.a.token".to_owned(), "token-form"),
        ("one".to_owned(), "token-form"),
        (headed(json!({ "kid": "key", "alg": "none" })), "token-algorithm"),
        (headed(json!({ "kid": "key", "alg": "HS256" })), "token-algorithm"),
        (headed(json!({ "alg": "RS256" })), "token-kid"),
        (headed(json!({ "kid": "nobody", "alg": "RS256" })), "token-key"),
        (format!("{signed}.{}", "A".repeat(342)), "token-signature"),
        (without("iss"), "token-claims"),
        (without("exp"), "token-claims"),
        (without("sub"), "token-claims"),
        (with("iat", json!("now")), "token-claims"),
        (with("iss", json!("https://other.example")), "token-issuer"),
        (with("aud", json!("https://other.example")), "token-audience"),
        (with("exp", json!(NOW - 61)), "token-life"),
        (sign(&header(), &claims("alice", NOW - 700)), "token-expired"),
        (sign(&header(), &claims("alice", NOW + 61)), "token-early"),
        (with("exp", json!(NOW + 3601)), "token-life"),
        (long, "token-size"),
    ]
}

#[test]
fn each_bad_token_has_a_rule_of_its_own_at_enlistment_and_at_login() {
    let mut bench = Bench::new();
    let mut user = bench.enlisted("alice");
    for (token, rule) in bad_tokens() {
        let mut form = changed(&user, "token", Some(&token));
        form.push(("integrator_id", "1".to_owned()));
        let answer = bench.enlist(&form);
        assert_eq!(answer, Enlisted::Refused("sandbox_bad_token"), "{rule}");
        assert_eq!(bench.taken_rules(), [rule], "{token}");
        let payload = user.client_payload(&token).encode_to_vec();
        let mut line = bench.login(&mut user, &payload);
        if rule == "token-key" {
            // The keys may be older than the token: they are fetched once.
            assert_eq!(bench.world.poll_fetch().map(|integrator| integrator.id), Some(1));
            bench.world.handle_keys(1, Ok(&jwks("key")), NOW);
        }
        let failure = &bench.read(&mut line)[0];
        assert_eq!((failure.tag(), failure.attr_str("reason")), ("failure", Some("401")), "{rule}");
        assert_eq!(bench.taken_rules(), [rule], "{token}");
    }
    for good in [
        sign(&header(), &{
            let mut claims = claims("alice", NOW);
            claims["aud"] = json!(["a", "https://whatsapp.com"]);
            claims
        }),
        sign(&header(), &claims("alice", NOW - 650)),
        sign(&header(), &claims("alice", NOW + 59)),
    ] {
        let payload = user.client_payload(&good).encode_to_vec();
        let mut line = bench.login(&mut user, &payload);
        assert_eq!(bench.read(&mut line)[0].tag(), "success");
    }
    assert_eq!(bench.records(), []);
}

#[test]
fn an_integrator_that_does_not_answer_is_no_bad_token() {
    let mut bench = Bench::new();
    let user = bench.user("alice");
    let token = sign(&json!({ "kid": "new", "alg": "RS256" }), &claims("alice", NOW));
    let form = changed(&user, "token", Some(&token));
    let body = crate::kit::encoded(&form);
    assert_eq!(bench.world.enlist(body.as_bytes(), false, NOW), Enlisted::FetchKeys(1));
    bench.world.handle_keys(1, Err("nobody listens there"), NOW);
    assert_eq!(bench.enlist(&form), Enlisted::Refused("sandbox_keys_unreachable"));
    assert_eq!(bench.taken_rules(), ["token-keys-unreachable"]);
    bench.world.handle_keys(1, Ok(b"<html>"), NOW);
    assert_eq!(bench.enlist(&form), Enlisted::Refused("sandbox_keys_unreachable"));
    bench.taken_rules();
    bench.world.handle_keys(1, Ok(&jwks("new")), NOW);
    assert!(matches!(bench.enlist(&form), Enlisted::Login(_)));
    assert_eq!(bench.records(), []);
}

#[test]
fn each_bad_login_has_a_rule_of_its_own() {
    let mut bench = Bench::new();
    let mut user = bench.enlisted("alice");
    let good = user.client_payload(&token("alice", NOW));
    let changed = |change: fn(&mut ClientPayload)| {
        let mut payload = good.clone();
        change(&mut payload);
        payload.encode_to_vec()
    };
    let other_user = user.client_payload(&token("bob", NOW)).encode_to_vec();
    for (payload, reason, rule) in [
        (b"\xFF\xFF".to_vec(), "401", "login-payload"),
        (changed(|it| it.product = Some(0)), "401", "login-product"),
        (changed(|it| it.product = None), "401", "login-product"),
        (changed(|it| it.interop_data = None), "401", "login-interop-data"),
        (changed(|it| it.interop_data.as_mut().unwrap().token = None), "401", "login-interop-data"),
        (changed(|it| it.interop_data.as_mut().unwrap().account_id = None), "401", "login-interop-data"),
        (
            changed(|it| it.interop_data.as_mut().unwrap().token = Some(Bytes::from_static(b"\xFF"))),
            "401",
            "login-interop-data",
        ),
        (changed(|it| it.interop_data.as_mut().unwrap().account_id = Some(5)), "415", "login-unenlisted"),
        (other_user, "401", "token-subject"),
        (
            changed(|it| {
                let version = it.user_agent.as_mut().unwrap().app_version.as_mut().unwrap();
                version.primary = Some(0);
            }),
            "405",
            "login-version-old",
        ),
    ] {
        let mut line = bench.login(&mut user, &payload);
        let nodes = bench.read(&mut line);
        assert_eq!(nodes[0].attr_str("reason"), Some(reason), "{rule}: {nodes:?}");
        assert_eq!(nodes[1].tag(), "closed");
        assert_eq!(bench.taken_rules(), [rule]);
    }
    let noise = std::mem::replace(&mut user.noise, PrivateKey::generate(&mut bench.rng));
    let mut line = bench.login(&mut user, &good.encode_to_vec());
    assert_eq!(bench.read(&mut line)[0].attr_str("reason"), Some("401"));
    let record = bench.world.records().next().unwrap();
    assert_eq!((record.rule, record.who.user.as_deref()), ("login-static-key", Some("alice")));
    bench.taken_rules();
    user.noise = noise;
    // A version is not demanded, since no document says where it stands.
    let silent = changed(|it| it.user_agent = None);
    let mut line = bench.login(&mut user, &silent);
    assert_eq!(bench.read(&mut line)[0].tag(), "success");
    assert_eq!(bench.taken_rules(), ["login-version"]);
    bench.connect(&mut user);
    assert_eq!(bench.records(), []);
}

#[test]
fn nothing_may_come_before_the_login_is_decided() {
    let mut bench = Bench::new();
    let mut user = bench.enlisted("alice");
    let token = sign(&json!({ "kid": "new", "alg": "RS256" }), &claims("alice", NOW));
    let payload = user.client_payload(&token).encode_to_vec();
    let mut line = bench.login(&mut user, &payload);
    let answers = bench.ask_xml(&mut line, r#"<presence type="available"/>"#);
    assert_eq!(answers, ["<closed/>"]);
    assert_eq!(bench.taken_rules(), ["login-early-stanza"]);
}

#[test]
fn each_fault_of_a_handshake_has_a_rule_of_its_own() {
    let mut bench = Bench::new();
    let frame = |body: &[u8]| wa_noise::frame(body).unwrap();
    let after_prologue = |bytes: &[u8]| [b"WA\x06\x03", bytes].concat();
    let low_order = [&[0x12, 34, 0x0A, 32][..], &[0; 32]].concat();
    for (bytes, rule) in [
        (b"WA\x05\x03".to_vec(), "handshake-prologue"),
        (b"GET / HTTP/1.1\r\n".to_vec(), "handshake-prologue"),
        (after_prologue(&frame(b"nonsense")), "handshake-hello"),
        (after_prologue(&frame(b"")), "handshake-hello"),
        (after_prologue(&frame(&[0x12, 33, 0x0A, 31, 1])), "handshake-hello"),
        (after_prologue(&[0x01, 0, 0]), "handshake-length"),
    ] {
        let id = bench.world.connect(NOW);
        bench.send_raw(id, &bytes);
        assert_eq!(bench.raw_outputs(id), (Vec::new(), true), "{rule}");
        assert_eq!(bench.taken_rules(), [rule]);
    }
    // A weak ephemeral ends the handshake when its secret is used, at the latest in the third message.
    let id = bench.world.connect(NOW);
    bench.send_raw(id, &after_prologue(&frame(&low_order)));
    let (_, is_closed) = bench.raw_outputs(id);
    assert!(is_closed);
    assert_eq!(bench.taken_rules(), ["handshake-hello"]);
    // The third message, sealed with nothing.
    let id = bench.world.connect(NOW);
    bench.send_raw(id, &after_prologue(&frame(&[&[0x12, 34, 0x0A, 32][..], &[9; 32]].concat())));
    assert!(!bench.raw_outputs(id).1);
    let finish = [&[0x22, 68, 0x0A, 48][..], &[1; 48], &[0x12, 16], &[2; 16]].concat();
    bench.send_raw(id, &frame(&finish));
    assert!(bench.raw_outputs(id).1);
    assert_eq!(bench.taken_rules(), ["handshake-finish"]);
}

#[test]
fn each_fault_of_a_frame_has_a_rule_of_its_own() {
    let bomb = {
        let node = wa_binary::Node::new("a").with_bytes(vec![0; 17 << 20]);
        wa_binary::pack(&node, &wa_binary::EncodeOptions::new().with_compress_above(0)).unwrap()
    };
    assert!(bomb.len() < 1 << 16, "it is small on the wire");
    for (body, rule, said) in [
        (&[7_u8, 0xF8, 1, 2][..], "frame-flags", "unknown flags 0x07"),
        (&[2, 1, 2, 3], "frame-zlib", "invalid zlib stream"),
        (&bomb, "frame-inflated", "inflated body is too long"),
        (&[0, 0xF8, 1, 2, 3], "frame-node", "1 byte follows the node at byte 3"),
        (&[0, 241], "frame-node", "at byte 0"),
    ] {
        let mut bench = Bench::new();
        let (_, mut line) = bench.connected("alice");
        bench.send_body(&mut line, body);
        let answers: Vec<String> = bench.read(&mut line).iter().map(ToString::to_string).collect();
        assert_eq!(answers, ["<stream:error><xml-not-well-formed/></stream:error>", "<closed/>"], "{rule}");
        let records = bench.records();
        assert_eq!(records[0].0, rule);
        assert!(records[0].1.contains(said), "{}", records[0].1);
    }
    for (bytes, rule) in [(vec![0, 0, 17, 0], "frame-seal"), (vec![0, 0, 3, 1, 2, 3], "frame-length")] {
        let mut bench = Bench::new();
        let (_, line) = bench.connected("alice");
        let bytes = if rule == "frame-seal" { [&bytes[..3], &[9; 17]].concat() } else { bytes };
        bench.send_raw(line.id, &bytes);
        assert_eq!(bench.taken_rules(), [rule]);
    }
}
