//! Enlistment, and the tokens that it shares with the login (overview §1.1 to §1.3).

use serde_json::{Value, json};

use crate::kit::NOW;
use crate::rules::{Row, Stage, joined, row, told};
use crate::user::{claims, header, jwks, sign, token};

pub(crate) fn rows() -> Vec<Row> {
    [forms(), arguments(), tokens(), dates()].into_iter().flatten().collect()
}

/// The enlistment with one argument changed; without a value it is taken out.
fn with(name: &'static str, value: Option<&'static str>) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        let mut form = stage.user.form(NOW);
        form.retain(|(it, _)| *it != name);
        form.extend(value.map(|value| (name, value.to_owned())));
        stage.enlist(&form)
    }
}

/// The enlistment as the documents have it.
fn good(stage: &mut Stage) -> String {
    let form = stage.user.form(NOW);
    stage.enlist(&form)
}

/// The enlistment with the value of an argument under one more name.
fn again(name: &'static str, other: &'static str) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        let mut form = stage.user.form(NOW);
        let value = form.iter().find(|(it, _)| *it == name).unwrap().1.clone();
        form.push((other, value));
        stage.enlist(&form)
    }
}

fn typed(content_type: &'static str) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        stage.bench.world.judge_content_type(Some(content_type), NOW);
        good(stage)
    }
}

fn forms() -> Vec<Row> {
    vec![
        row("enlist-form", good, |stage| told(stage.bench.world.enlist(br#"{"token": "y"}"#, true, NOW))),
        row("enlist-content-type", typed("application/x-www-form-urlencoded"), typed("text/plain")),
        row("enlist-twice", good, again("token", "token")),
        row("enlist-unknown-argument", good, with("colour", Some("blue"))),
        row("enlist-integrator", with("integrator_id", Some("1")), with("integrator_id", Some("2"))),
        row(
            "enlist-identifier",
            with("user_identifier", Some("alice")),
            with("user_identifier", Some("bob")),
        ),
        row("enlist-version", with("interop_version", Some("1.0.3")), with("interop_version", Some("one"))),
        row(
            "enlist-version-old",
            with("interop_version", Some("1.0.0")),
            with("interop_version", Some("0.9.0")),
        ),
        row("enlist-spellings", again("e_skey_sig", "e_key_sig"), with("e_key_sig", Some("other"))),
    ]
}

fn arguments() -> Vec<Row> {
    vec![
        row("enlist-authkey", good, with("authkey", Some("AAAA="))),
        row("enlist-keytype", with("e_keytype", Some("BQ")), with("e_keytype", Some("BA"))),
        row("enlist-regid", good, with("e_regid", Some("AAAA"))),
        row("enlist-ident", good, with("e_ident", None)),
        row("enlist-skey-id", good, with("e_skey_id", Some("AAAAAA"))),
        row("enlist-skey-val", good, with("e_skey_val", Some("a+b/"))),
        row("enlist-skey-sig", good, with("e_skey_sig", Some("AAAA"))),
        row("enlist-signature", good, |stage| {
            let other = stage.bench.user("bob").form(NOW);
            let mut form = stage.user.form(NOW);
            form[6] = other[6].clone();
            stage.enlist(&form)
        }),
    ]
}

/// A token at the login, with a third party whose key set has one key.
fn presented(token: String) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        let payload = prost::Message::encode_to_vec(&stage.user.client_payload(&token));
        let mut line = stage.bench.login(&mut stage.user, &payload);
        if stage.bench.world.poll_fetch().is_some() {
            stage.bench.world.handle_keys(1, Ok(&jwks("key")), NOW);
        }
        let nodes = stage.bench.read(&mut line);
        let is_in = nodes[0].tag() == "success";
        if is_in { "ok".to_owned() } else { joined(&nodes) }
    }
}

fn headed(header: Value) -> String {
    sign(&header, &claims("alice", NOW))
}

fn claiming(name: &str, value: Option<Value>) -> String {
    let mut claims = claims("alice", NOW);
    match value {
        Some(value) => claims[name] = value,
        None => _ = claims.as_object_mut().unwrap().remove(name),
    }
    sign(&header(), &claims)
}

fn tokens() -> Vec<Row> {
    let good = || token("alice", NOW);
    let signed = good().rsplit_once('.').unwrap().0.to_owned();
    let long = |length: usize| claiming("more", Some(json!("x".repeat(length))));
    vec![
        row("token-missing", self::good, with("token", None)),
        row("token-size", presented(long(2000)), presented(long(4096))),
        row("token-form", presented(good()), presented("one".to_owned())),
        row("token-algorithm", presented(good()), presented(headed(json!({ "kid": "key", "alg": "HS256" })))),
        row("token-kid", presented(good()), presented(headed(json!({ "alg": "RS256" })))),
        row("token-key", presented(good()), presented(headed(json!({ "kid": "new", "alg": "RS256" })))),
        row("token-keys-unreachable", keys_of(Some(jwks("new"))), keys_of(None)),
        row("token-signature", presented(good()), presented(format!("{signed}.{}", "A".repeat(342)))),
        row("token-claims", presented(good()), presented(claiming("sub", None))),
        row(
            "token-issuer",
            presented(good()),
            presented(claiming("iss", Some(json!("https://other.example")))),
        ),
        row(
            "token-audience",
            presented(claiming("aud", Some(json!(["a", "https://whatsapp.com"])))),
            presented(claiming("aud", Some(json!("https://other.example")))),
        ),
        row("token-subject", presented(good()), presented(token("bob", NOW))),
    ]
}

fn dates() -> Vec<Row> {
    let issued = |at: u64| presented(token("alice", at));
    let until = |exp: u64| presented(claiming("exp", Some(json!(exp))));
    vec![
        row("token-expired", issued(NOW - 650), issued(NOW - 700)),
        row("token-early", issued(NOW + 59), issued(NOW + 61)),
        row("token-life", until(NOW + 3600), until(NOW + 3601)),
    ]
}

/// An enlistment with a key that is not known yet, while the third party answers this.
fn keys_of(jwks: Option<Vec<u8>>) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        let token = headed(json!({ "kid": "new", "alg": "RS256" }));
        let mut form = stage.user.form(NOW);
        form.last_mut().unwrap().1 = token;
        let keys = jwks.as_deref().ok_or("nobody listens there");
        stage.bench.world.handle_keys(1, keys, NOW);
        stage.enlist(&form)
    }
}
