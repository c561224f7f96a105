//! A token is refused, or says what WhatsApp's tokens say and was signed (wa-jwt).
//!
//! An input that begins with a line break is a header and a payload, separated by the next one: they are signed with
//! a key that is made at start, so that what lies behind the signature is reached too. Any other input is a token.
#![no_main]

use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use wa_integrator::{SigningKey, rs256};
use wa_jwt::{ForeignKeySet, TokenVerifier};

/// When the seeds are valid.
const NOW: u64 = 1_688_670_000;

fuzz_target!(|data: &[u8]| {
    static KEY: OnceLock<(SigningKey, ForeignKeySet)> = OnceLock::new();
    let (key, keys) = KEY.get_or_init(key);
    let verifier = TokenVerifier::new("WHATSAPP", "https://integrator.com", Duration::from_secs(3600));
    let parts = data.strip_prefix(b"\n").and_then(|data| {
        let end = data.iter().position(|byte| *byte == b'\n')?;
        data.split_at_checked(end)
    });
    let Some((header, payload)) = parts else {
        if let Ok(token) = std::str::from_utf8(data) {
            assert!(verifier.verify(token, keys, NOW).is_err(), "nobody signed it");
        }
        return;
    };
    let payload = payload.get(1..).unwrap_or_default();
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).expect("a signature"));
    if let Ok(claims) = verifier.verify(&format!("{signed}.{signature}"), keys, NOW) {
        assert_eq!(claims.text("iss"), Some("WHATSAPP"));
        let header: serde_json::Value = serde_json::from_slice(header).expect("it was read");
        assert!(header["alg"] == "RS256" && header["kid"] == "1aXf8" && header.get("crit").is_none());
        let read: serde_json::Value = serde_json::from_slice(payload).expect("it was read");
        let date = |name: &str| read[name].as_f64().expect("a date");
        assert!(date("exp") + 60.0 > NOW as f64 && date("exp").floor() - date("iat").floor() <= 3600.0);
    }
});

fn key() -> (SigningKey, ForeignKeySet) {
    let key = SigningKey::generate().expect("a key");
    let (n, e) = (key.public_key().n(), key.public_key().e());
    let set = format!(r#"{{"keys":[{{"kty":"RSA","kid":"1aXf8","n":"{n}","e":"{e}"}}]}}"#);
    let keys = ForeignKeySet::parse(set.as_bytes(), rs256).expect("a key set");
    (key, keys)
}
