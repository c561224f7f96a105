//! Every claim and every signature, over tokens that another JOSE library signed.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::test_engine::{SigningKey, aws_lc};

const NOW: u64 = 1_688_670_000;
pub(crate) const KID: &str = "1aXf8";

pub(crate) fn signing_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate().unwrap())
}

fn document() -> Value {
    let key = signing_key().public_key();
    json!({"keys": [{"kty": "RSA", "kid": KID, "alg": "RS256", "use": "sig", "n": key.n(), "e": key.e()}]})
}

pub(crate) fn keys() -> &'static ForeignKeySet {
    static KEYS: OnceLock<ForeignKeySet> = OnceLock::new();
    KEYS.get_or_init(|| ForeignKeySet::parse(document().to_string().as_bytes(), aws_lc).unwrap())
}

/// The claims of the published sample.
pub(crate) fn sample() -> Value {
    json!({"iss": "WHATSAPP", "aud": "https://integrator.com", "iat": 1_688_669_232, "exp": 1_688_672_832})
}

pub(crate) fn verifier() -> TokenVerifier {
    TokenVerifier::new("WHATSAPP", "https://integrator.com", Duration::from_secs(3600))
}

fn signed(claims: &Value) -> String {
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(KID.to_owned());
    let key = EncodingKey::from_rsa_pem(&signing_key().to_pem()).unwrap();
    jsonwebtoken::encode(&header, claims, &key).unwrap()
}

/// Signed by us over exactly these bytes.
pub(crate) fn signed_raw(header: &[u8], payload: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(signing_key().sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

fn verify(token: &str) -> Result<VerifiedClaims, TokenRefusal> {
    verifier().verify(token, keys(), NOW)
}

fn with(name: &str, value: Value) -> Option<TokenRefusal> {
    let mut claims = sample();
    claims[name] = value;
    verify(&signed(&claims)).err()
}

fn without(name: &str) -> Option<TokenRefusal> {
    let mut claims = sample();
    claims.as_object_mut().unwrap().remove(name);
    verify(&signed(&claims)).err()
}

#[test]
fn the_published_sample_is_taken() {
    let claims = verify(&signed(&sample())).unwrap();
    assert_eq!(claims.text("iss"), Some("WHATSAPP"));
    let typed = signed_raw(br#"{"kid":"1aXf8","alg":"RS256"}"#, sample().to_string().as_bytes());
    assert!(verify(&typed).is_ok(), "a type may be missing");
}

#[test]
fn the_public_key_is_no_secret() {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let key = signing_key().public_key();
    let secrets = [
        signing_key().public_der(),
        document().to_string().into_bytes(),
        document()["keys"][0].to_string().into_bytes(),
        URL_SAFE_NO_PAD.decode(key.n()).unwrap(),
        key.n().as_bytes().to_vec(),
    ];
    for secret in secrets {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"1aXf8","typ":"JWT"}"#),
            URL_SAFE_NO_PAD.encode(sample().to_string())
        );
        let mac = Hmac::<sha2::Sha256>::new_from_slice(&secret).unwrap().chain_update(&signed).finalize();
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()));
        assert_eq!(verify(&token).err(), Some(TokenRefusal::Algorithm));
    }
}

#[test]
fn a_key_of_the_tokens_own_is_not_used() {
    let stranger = SigningKey::generate().unwrap();
    let jwk = json!({"kty": "RSA", "kid": KID, "n": stranger.public_key().n(), "e": "AQAB"});
    for extra in
        [json!({"jwk": jwk}), json!({"jku": "https://attacker.example/"}), json!({"x5u": "x", "x5c": ["x"]})]
    {
        let mut header = json!({"alg": "RS256", "kid": KID});
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(sample().to_string())
        );
        let signature = stranger.sign(signed.as_bytes()).unwrap();
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        assert_eq!(verify(&token).err(), Some(TokenRefusal::Signature));
    }
}

#[test]
fn names_of_keys_are_opaque() {
    for kid in [
        "../../dev/null",
        "' OR 1=1 --",
        "\u{0}",
        "a\r\nb",
        "https://attacker.example/jwks",
        "1axf8",
        "1aXf8 ",
        "ключ",
    ] {
        let header = json!({"alg": "RS256", "kid": kid}).to_string();
        let token = signed_raw(header.as_bytes(), sample().to_string().as_bytes());
        assert_eq!(verify(&token).err(), Some(TokenRefusal::UnknownKey), "{kid:?}");
    }
}

#[test]
fn issuer_and_audience_are_exact() {
    for issuer in
        [json!("whatsapp"), json!("WHATSAPP "), json!(""), json!(null), json!(["WHATSAPP"]), json!(1)]
    {
        assert_eq!(with("iss", issuer.clone()), Some(TokenRefusal::Issuer), "{issuer}");
    }
    assert_eq!(without("iss"), Some(TokenRefusal::Issuer));
    for audience in [
        json!("https://integrator.com/"),
        json!("https://integrator.com.attacker.example"),
        json!("HTTPS://integrator.com"),
        json!(""),
        json!(null),
        json!([]),
        json!(["https://other.example"]),
        json!(["https://integrator.com", 1]),
        json!([["https://integrator.com"]]),
        json!({"0": "https://integrator.com"}),
    ] {
        assert_eq!(with("aud", audience.clone()), Some(TokenRefusal::Audience), "{audience}");
    }
    assert_eq!(without("aud"), Some(TokenRefusal::Audience));
    for audience in
        [json!(["https://integrator.com"]), json!(["https://x.example", "https://integrator.com"])]
    {
        assert_eq!(with("aud", audience.clone()), None, "{audience}");
    }
}

#[test]
fn dates_are_required_and_bounded_at_the_second() {
    assert_eq!(without("exp"), Some(TokenRefusal::Date));
    assert_eq!(without("iat"), Some(TokenRefusal::Date));
    let at = |now| verifier().verify(&signed(&sample()), keys(), now).err();
    let (issued, expires) = (1_688_669_232, 1_688_672_832);
    for (now, refusal) in [
        (issued - 61, Some(TokenRefusal::NotYetValid)),
        (issued - 60, None),
        (expires - 1, None),
        (expires, None),
        (expires + 59, None),
        (expires + 60, Some(TokenRefusal::Expired)),
        (expires + 61, Some(TokenRefusal::Expired)),
        (u64::MAX, Some(TokenRefusal::Expired)),
        (0, Some(TokenRefusal::NotYetValid)),
    ] {
        assert_eq!(at(now), refusal, "{now}");
    }
    let strict = |now| verifier().with_skew(Duration::ZERO).verify(&signed(&sample()), keys(), now).err();
    assert_eq!((strict(expires - 1), strict(expires)), (None, Some(TokenRefusal::Expired)));
    let lax = verifier().with_skew(Duration::from_secs(9999));
    assert_eq!(lax, verifier().with_skew(Duration::from_secs(300)), "five minutes at most");
    assert_eq!(with("nbf", json!(NOW + 60)), None);
    assert_eq!(with("nbf", json!(NOW + 61)), Some(TokenRefusal::NotYetValid));
    assert_eq!(with("nbf", json!("now")), Some(TokenRefusal::Date));
}

#[test]
fn a_life_is_an_hour_at_most() {
    let life = |iat: u64, exp: u64| {
        let mut claims = sample();
        (claims["iat"], claims["exp"]) = (json!(iat), json!(exp));
        verify(&signed(&claims)).err()
    };
    assert_eq!(life(NOW, NOW + 3600), None);
    assert_eq!(life(NOW, NOW + 3601), Some(TokenRefusal::Lifetime));
    assert_eq!(life(NOW + 10, NOW + 9), Some(TokenRefusal::Lifetime), "it ends before it begins");
    assert_eq!(life(0, 1 << 53), Some(TokenRefusal::Lifetime));
}

#[test]
fn odd_dates_are_refused_and_never_panic() {
    for date in [
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(-1),
        json!(-0.5),
        json!("1688672832"),
        json!(null),
        json!(true),
        json!([1_688_672_832]),
        json!({}),
        json!((1_u64 << 53) + 1),
    ] {
        assert_eq!(with("exp", date.clone()), Some(TokenRefusal::Date), "{date}");
        assert_eq!(with("iat", date.clone()), Some(TokenRefusal::Date), "{date}");
    }
    assert_eq!(with("exp", json!(1_688_672_832.9)), None, "a fraction is dropped");
    assert_eq!(with("iat", json!(1_688_669_232.1)), None);
    assert_eq!(with("iat", json!(0.0)), Some(TokenRefusal::Lifetime));
    let huge = br#"{"iss":"WHATSAPP","aud":"https://integrator.com","iat":1,"exp":1e999}"#;
    assert_eq!(
        verify(&signed_raw(br#"{"alg":"RS256","kid":"1aXf8"}"#, huge)).err(),
        Some(TokenRefusal::Claims)
    );
}

#[test]
fn a_name_twice_is_refused() {
    let header = br#"{"alg":"RS256","kid":"1aXf8"}"#;
    let twice =
        br#"{"iss":"WHATSAPP","aud":"https://integrator.com","iat":1688669232,"exp":1,"exp":1688672832}"#;
    assert_eq!(verify(&signed_raw(header, twice)).err(), Some(TokenRefusal::Claims));
    let nested = format!("{{\"iss\":{}1{}}}", "[".repeat(50), "]".repeat(50));
    assert_eq!(verify(&signed_raw(header, nested.as_bytes())).err(), Some(TokenRefusal::Claims));
    assert_eq!(verify(&signed_raw(header, b"{\"iss\":\"\xff\"}")).err(), Some(TokenRefusal::Claims));
    assert_eq!(verify(&signed_raw(header, b"WHATSAPP")).err(), Some(TokenRefusal::Claims));
}

#[test]
fn types() {
    let typed = |typ: &str| {
        let header = format!(r#"{{"alg":"RS256","kid":"1aXf8","typ":"{typ}"}}"#);
        signed_raw(header.as_bytes(), sample().to_string().as_bytes())
    };
    for (typ, push, access) in
        [("JWT", true, true), ("jwt", true, true), ("at+JWT", false, true), ("x", false, false)]
    {
        assert_eq!(verify(&typed(typ)).err(), (!push).then_some(TokenRefusal::Type), "{typ}");
        let both = verifier().with_access_tokens().verify(&typed(typ), keys(), NOW);
        assert_eq!(both.err(), (!access).then_some(TokenRefusal::Type), "{typ}");
    }
}

#[test]
fn no_changed_byte_verifies() {
    let token = signed(&sample());
    for index in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        assert!(verify(&String::from_utf8(changed).unwrap()).is_err(), "byte {index}");
        assert!(verify(&token[..index]).is_err(), "{index} bytes");
    }
    let mut other = sample();
    other["iat"] = json!(1_688_669_233);
    let other = signed(&other);
    let parts: Vec<&str> = token.split('.').collect();
    let others: Vec<&str> = other.split('.').collect();
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"1aXf8"}"#);
    for (header, payload, signature) in
        [(parts[0], others[1], parts[2]), (parts[0], parts[1], others[2]), (&*header, parts[1], parts[2])]
    {
        let swapped = format!("{header}.{payload}.{signature}");
        assert_eq!(verify(&swapped).err(), Some(TokenRefusal::Signature));
    }
}

/// Any JSON value, numbers of every size among them.
fn any_json() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<f64>().prop_filter("json has no other", |it| it.is_finite()).prop_map(|it| format!("{it:e}")),
        any::<i64>().prop_map(|it| it.to_string()),
        any::<u64>().prop_map(|it| it.to_string()),
        "-?[0-9]{1,400}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?",
        "\"[a-z]{0,9}\"",
        Just("null".to_owned()),
        Just("[]".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_dates_have_an_answer(exp in any_json(), iat in any_json(), nbf in any_json(), now in any::<u64>()) {
        let payload = format!(
            r#"{{"iss":"WHATSAPP","aud":"https://integrator.com","iat":{iat},"exp":{exp},"nbf":{nbf}}}"#
        );
        let token = signed_raw(br#"{"alg":"RS256","kid":"1aXf8"}"#, payload.as_bytes());
        if verifier().verify(&token, keys(), now).is_ok() {
            let exp: f64 = exp.parse().unwrap();
            let iat: f64 = iat.parse().unwrap();
            prop_assert!(exp.floor() - iat.floor() <= 3600.0 && exp >= 0.0);
        }
    }

    #[test]
    fn any_text_has_an_answer(token in ".{0,300}") {
        prop_assert!(verify(&token).is_err());
    }
}
