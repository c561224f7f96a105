//! The same tokens before this verifier and before `jsonwebtoken`, set up as strictly as it allows: every verdict
//! that differs is listed with its reason, and nothing else may differ.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

use super::tests::{KID, keys, sample, signed_raw, signing_key, verifier};

/// Where the two differ: the token, whether ours takes it, and why.
const DIFFERENT: [(&str, bool, &str); 13] = [
    ("lives two hours", false, "a life is limited here; no library can know by how much"),
    ("issued tomorrow", false, "`iat` is not looked at there"),
    ("iat missing", false, "`iat` cannot be required there"),
    ("iat huge", false, "`iat` is not looked at there"),
    ("ends before it begins", false, "`iat` is not looked at there"),
    ("crit empty", false, "RFC 7515 forbids an empty list; it is ignored there"),
    ("crit known", false, "nothing critical is understood here"),
    ("b64 false", false, "RFC 7797 changes what is signed; it is ignored there"),
    ("zip", false, "a compressed payload is not a JWS's; it is ignored there"),
    ("cty", false, "a nested token is not taken here"),
    ("typ other", false, "the type is not looked at there"),
    ("iss list", false, "an issuer is one text (RFC 7519 §4.1.1); a list with it is taken there"),
    ("deep", false, "nesting is limited here"),
];

fn jsonwebtoken_takes(token: &str) -> bool {
    let Ok(header) = decode_header(token) else { return false };
    if header.kid.as_deref() != Some(KID) {
        return false;
    }
    let key = signing_key().public_key();
    let key = DecodingKey::from_rsa_components(key.n(), key.e()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&["WHATSAPP"]);
    validation.set_audience(&["https://integrator.com"]);
    validation.set_required_spec_claims(&["iss", "aud", "exp"]);
    validation.validate_nbf = true;
    validation.leeway = 60;
    decode::<Value>(token, &key, &validation).is_ok()
}

/// Every token with its name, its dates around `now`.
fn corpus(now: u64) -> Vec<(String, String)> {
    let mut tokens = claims_corpus(now);
    tokens.extend(header_corpus(now));
    let good = token(&json!({}), &dated(now));
    let parts: Vec<&str> = good.split('.').collect();
    for (name, text) in [
        ("empty", String::new()),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{good}.x")),
        ("five parts", format!("{good}.x.y")),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("padded", format!("{good}=")),
        ("newline", format!("{good}\n")),
        ("space", format!(" {good}")),
        ("not url-safe", format!("{}.{}.{}", parts[0], parts[1], parts[2].replace(['-', '_'], "+"))),
        ("cut", good[..good.len() - 1].to_owned()),
    ] {
        tokens.push((name.to_owned(), text));
    }
    for index in (0..good.len()).step_by(7) {
        let mut changed = good.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        tokens.push((format!("byte {index} changed"), String::from_utf8(changed).unwrap()));
    }
    tokens.push(("good".to_owned(), good));
    tokens
}

fn claims_corpus(now: u64) -> Vec<(String, String)> {
    let set = |name: &str, value: Value| {
        let mut claims = dated(now);
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = dated(now);
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let both = |iat: u64, exp: u64| {
        let mut claims = dated(now);
        (claims["iat"], claims["exp"]) = (json!(iat), json!(exp));
        claims
    };
    let table = [
        ("expired", both(now - 3700, now - 100)),
        ("expired within the skew", both(now - 3000, now - 30)),
        ("lives two hours", both(now - 10, now + 7190)),
        ("issued tomorrow", both(now + 86_400, now + 86_500)),
        ("ends before it begins", both(now + 30, now + 20)),
        ("iat missing", without("iat")),
        ("exp missing", without("exp")),
        ("iss missing", without("iss")),
        ("aud missing", without("aud")),
        ("iat huge", set("iat", json!(1e300))),
        ("exp huge", set("exp", json!(1e300))),
        ("exp text", set("exp", json!("1"))),
        ("exp null", set("exp", json!(null))),
        ("exp negative", set("exp", json!(-1))),
        ("exp fraction", set("exp", json!(now as f64 + 1000.5))),
        ("nbf to come", set("nbf", json!(now + 1000))),
        ("nbf past", set("nbf", json!(now - 1000))),
        ("iss other", set("iss", json!("whatsapp"))),
        ("iss list", set("iss", json!(["WHATSAPP"]))),
        ("iss null", set("iss", json!(null))),
        ("aud other", set("aud", json!("https://integrator.com/"))),
        ("aud list", set("aud", json!(["https://integrator.com"]))),
        ("aud list of others", set("aud", json!(["https://other.example"]))),
        ("aud list with ours", set("aud", json!(["https://other.example", "https://integrator.com"]))),
        ("aud empty list", set("aud", json!([]))),
        ("aud null", set("aud", json!(null))),
        ("aud number", set("aud", json!(1))),
        ("further claims", set("x", json!({"y": [1, 2, {"z": null}]}))),
    ];
    table.into_iter().map(|(name, claims)| (name.to_owned(), token(&json!({}), &claims))).collect()
}

fn header_corpus(now: u64) -> Vec<(String, String)> {
    let claims = dated(now);
    let mut tokens: Vec<(String, String)> = [
        ("alg none", json!({"alg": "none"})),
        ("alg lower case", json!({"alg": "rs256"})),
        ("alg HS256", json!({"alg": "HS256"})),
        ("alg RS384", json!({"alg": "RS384"})),
        ("alg PS256", json!({"alg": "PS256"})),
        ("alg null", json!({"alg": null})),
        ("kid other", json!({"kid": "other"})),
        ("kid number", json!({"kid": 1})),
        ("kid null", json!({"kid": null})),
        ("crit empty", json!({"crit": []})),
        ("crit known", json!({"crit": ["exp"], "exp": 1})),
        ("b64 false", json!({"b64": false})),
        ("zip", json!({"zip": "DEF"})),
        ("cty", json!({"cty": "JWT"})),
        ("typ other", json!({"typ": "secevent+jwt"})),
        ("typ lower case", json!({"typ": "jwt"})),
        ("jku", json!({"jku": "https://attacker.example/"})),
        ("x5u", json!({"x5u": "https://attacker.example/"})),
    ]
    .into_iter()
    .map(|(name, header)| (name.to_owned(), token(&header, &claims)))
    .collect();
    let header = format!(r#"{{"alg":"RS256","kid":"{KID}"}}"#);
    let text = claims.to_string();
    let twice = text.replacen('{', r#"{"iss":"other","#, 1);
    let deep = text.replacen('{', &format!("{{\"x\":{}1{},", "[".repeat(20), "]".repeat(20)), 1);
    for (name, header, payload) in [
        ("typ missing", header.clone(), text.clone()),
        ("claim twice", header.clone(), twice),
        ("header twice", header.replacen('{', r#"{"kid":"other","#, 1), text.clone()),
        ("deep", header.clone(), deep),
        ("payload no object", header.clone(), "[1]".to_owned()),
        ("payload no json", header, "foo".to_owned()),
        ("header no object", "[]".to_owned(), text),
    ] {
        tokens.push((name.to_owned(), signed_raw(header.as_bytes(), payload.as_bytes())));
    }
    tokens
}

fn dated(now: u64) -> Value {
    let mut claims = sample();
    (claims["iat"], claims["exp"]) = (json!(now - 60), json!(now + 3000));
    claims
}

fn token(changes: &Value, claims: &Value) -> String {
    let mut header = json!({"alg": "RS256", "kid": KID, "typ": "JWT"});
    header.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    signed_raw(header.to_string().as_bytes(), claims.to_string().as_bytes())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the other library reads the system's clock")]
fn verdicts_differ_only_where_the_list_says_so() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (mut taken, mut both, mut found) = (0, 0, Vec::new());
    for (name, token) in corpus(now) {
        let ours = verifier().verify(&token, keys(), now).is_ok();
        let theirs = jsonwebtoken_takes(&token);
        taken += u32::from(ours);
        both += u32::from(ours == theirs);
        if ours != theirs {
            found.push((name, ours));
        }
    }
    let mut listed: Vec<_> = DIFFERENT.map(|(name, ours, _)| (name.to_owned(), ours)).to_vec();
    found.sort();
    listed.sort();
    assert_eq!(found, listed);
    assert!(taken >= 9 && both > 80, "{taken} taken, {both} agreed");
}
