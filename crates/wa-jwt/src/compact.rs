//! A signed token in its compact form, taken apart before anything in it is believed (RFC 7515 §3.1, §4;
//! RFC 8725).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::error::TokenRefusal;
use crate::json;
use crate::key_set::KID_BYTES_MAX;

/// The three parts of a token with an acceptable header: RS256, a named key, nothing critical.
#[derive(Debug)]
pub(crate) struct CompactToken<'t> {
    /// What the signature is over: the first two parts and the dot between them.
    pub(crate) signed: &'t str,
    /// The key's name, opaque.
    pub(crate) kid: String,
    /// The token's type in lower case.
    pub(crate) typ: Option<String>,
    pub(crate) signature: Vec<u8>,
    payload: &'t str,
}

impl<'t> CompactToken<'t> {
    /// Checks lengths, form and header, in this order; nothing is decoded before its length is known.
    pub(crate) fn parse(text: &'t str) -> Result<Self, TokenRefusal> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenRefusal::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenRefusal::Form)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenRefusal::Form)?;
        if payload.contains('.') || signature.is_empty() {
            return Err(TokenRefusal::Form);
        }
        if header.len() > HEADER_BYTES_MAX || payload.len() > PAYLOAD_BYTES_MAX {
            return Err(TokenRefusal::TooLong);
        }
        let header = json::object(&decode(header)?).ok_or(TokenRefusal::Header)?;
        let kid = key_name(&header)?;
        let typ = media_type(&header)?;
        Ok(Self { signed, kid, typ, signature: decode(signature)?, payload })
    }

    /// The payload's claims; to be asked for once the signature was verified.
    pub(crate) fn claims(&self) -> Result<Map<String, Value>, TokenRefusal> {
        json::object(&decode(self.payload)?).ok_or(TokenRefusal::Claims)
    }
}

/// How long a token may be.
pub(crate) const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// How long its encoded header may be: a kilobyte when decoded.
const HEADER_BYTES_MAX: usize = 1366;
/// How long its encoded payload may be: four kilobytes when decoded.
const PAYLOAD_BYTES_MAX: usize = 5462;
/// The one algorithm. Which is used is decided here; a header only may agree.
const ALGORITHM: &str = "RS256";
/// Header members that change what is signed, how it is read, or what must be understood (RFC 7515 §4.1.11,
/// RFC 7797 §3, RFC 7516 §4.1.3). None is used here, so none is understood.
const CRITICAL: [&str; 5] = ["crit", "b64", "zip", "cty", "enc"];

/// Strict base64url: no padding, no line ends, no second writing of the same bytes.
fn decode(part: &str) -> Result<Vec<u8>, TokenRefusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefusal::Base64)
}

/// Checks the algorithm and what is critical; gives the key's name. `jku`, `x5u`, `jwk` and `x5c` are not looked
/// at: keys come from one place.
fn key_name(header: &Map<String, Value>) -> Result<String, TokenRefusal> {
    if header.get("alg").and_then(Value::as_str) != Some(ALGORITHM) {
        return Err(TokenRefusal::Algorithm);
    }
    if CRITICAL.iter().any(|name| header.contains_key(*name)) {
        return Err(TokenRefusal::Critical);
    }
    match header.get("kid").and_then(Value::as_str) {
        Some(kid) if (1..=KID_BYTES_MAX).contains(&kid.len()) => Ok(kid.to_owned()),
        _ => Err(TokenRefusal::KeyName),
    }
}

fn media_type(header: &Map<String, Value>) -> Result<Option<String>, TokenRefusal> {
    match header.get("typ") {
        None => Ok(None),
        Some(Value::String(typ)) => Ok(Some(typ.to_ascii_lowercase())),
        Some(_) => Err(TokenRefusal::Type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", encode(header), encode("{}"), encode("signature"))
    }

    fn refused(header: &str) -> Option<TokenRefusal> {
        CompactToken::parse(&token(header)).err()
    }

    #[test]
    fn the_header_is_one_that_is_taken() {
        for header in [
            r#"{"alg":"RS256","kid":"1aXf8","typ":"JWT"}"#,
            r#"{"alg":"RS256","kid":"-"}"#,
            r#"{"alg":"RS256","kid":"a","typ":"jwt","jku":"http://a.example","x5u":"x","jwk":{},"x5c":[]}"#,
        ] {
            assert_eq!(refused(header), None, "{header}");
        }
    }

    /// A token whose parts have these lengths when encoded; the header's must be that of a text of 64 bytes or more.
    fn of_lengths(header: usize, payload: usize, signature: usize) -> String {
        let room = header * 3 / 4 - r#"{"alg":"RS256","kid":"a","x":""}"#.len();
        let header = format!(r#"{{"alg":"RS256","kid":"a","x":"{}"}}"#, "x".repeat(room));
        let header = URL_SAFE_NO_PAD.encode(header);
        format!("{header}.{}.{}", "A".repeat(payload), "A".repeat(signature))
    }

    #[test]
    fn a_token_is_as_long_as_it_may_be_and_no_longer() {
        let refused =
            |header, payload, signature| CompactToken::parse(&of_lengths(header, payload, signature)).err();
        let longest = of_lengths(1366, 5462, 1362);
        assert_eq!(longest.len(), 8192);
        assert!(CompactToken::parse(&longest).is_ok());
        for (header, payload, signature) in [(1366, 5462, 1363), (1368, 4, 4), (100, 5463, 4)] {
            assert_eq!(
                refused(header, payload, signature),
                Some(TokenRefusal::TooLong),
                "{header}, {payload}"
            );
        }
    }

    #[test]
    fn every_other_algorithm_is_refused_whatever_its_spelling() {
        // The published sample of a push says HS256 (overview 1.0.0) over an RSA signature.
        for alg in [
            r#""HS256""#,
            r#""none""#,
            r#""None""#,
            r#""nOnE""#,
            r#""NONE""#,
            r#""""#,
            r#""rs256""#,
            r#""RS256 ""#,
            r#""RS384""#,
            r#""RS512""#,
            r#""PS256""#,
            r#""ES256""#,
            r#""EdDSA""#,
            "null",
            "256",
            r#"["RS256"]"#,
            "true",
        ] {
            let header = format!(r#"{{"alg":{alg},"kid":"a","typ":"JWT"}}"#);
            assert_eq!(refused(&header), Some(TokenRefusal::Algorithm), "{alg}");
        }
        assert_eq!(refused(r#"{"kid":"a"}"#), Some(TokenRefusal::Algorithm));
    }

    #[test]
    fn nothing_critical_is_understood() {
        for member in [
            r#""crit":[]"#,
            r#""crit":["exp"]"#,
            r#""crit":["b64"]"#,
            r#""crit":null"#,
            r#""b64":false"#,
            r#""b64":true"#,
            r#""zip":"DEF""#,
            r#""cty":"JWT""#,
            r#""enc":"A128GCM""#,
        ] {
            let header = format!(r#"{{"alg":"RS256","kid":"a",{member}}}"#);
            assert_eq!(refused(&header), Some(TokenRefusal::Critical), "{member}");
        }
    }

    #[test]
    fn a_key_is_named_by_a_short_text() {
        let long = format!(r#""{}""#, "x".repeat(129));
        for kid in ["null", "1", "[]", r#""""#, &long] {
            let header = format!(r#"{{"alg":"RS256","kid":{kid}}}"#);
            assert_eq!(refused(&header), Some(TokenRefusal::KeyName), "{kid}");
        }
        assert_eq!(refused(r#"{"alg":"RS256"}"#), Some(TokenRefusal::KeyName));
        assert_eq!(refused(&format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "x".repeat(128))), None);
    }

    #[test]
    fn other_forms_are_refused() {
        let good = token(r#"{"alg":"RS256","kid":"a"}"#);
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let (header, payload) = signed.split_once('.').unwrap();
        let long = |length: usize| "A".repeat(length);
        for (text, refusal) in [
            (String::new(), TokenRefusal::Form),
            (header.to_owned(), TokenRefusal::Form),
            (signed.to_owned(), TokenRefusal::Form),
            (format!("{signed}."), TokenRefusal::Form),
            (format!("{good}.{signature}"), TokenRefusal::Form),
            (format!("{good}.{signature}.{signature}"), TokenRefusal::Form),
            (format!("{{\"payload\":\"{payload}\"}}"), TokenRefusal::Form),
            (format!("{good}="), TokenRefusal::Base64),
            (format!("{good}\n"), TokenRefusal::Base64),
            (format!(" {good}"), TokenRefusal::Base64),
            (format!("{signed}.{signature}+"), TokenRefusal::Base64),
            (format!("{signed}.{}", signature.replace('l', "=")), TokenRefusal::Base64),
            (format!("{}.{payload}.{signature}", long(1367)), TokenRefusal::TooLong),
            (format!("{header}.{}.{signature}", long(5463)), TokenRefusal::TooLong),
            (format!("{signed}.{}", long(8 * 1024)), TokenRefusal::TooLong),
            (format!(".{payload}.{signature}"), TokenRefusal::Header),
            (format!("bm8.{payload}.{signature}"), TokenRefusal::Header),
            (token(r#"{"alg":"RS256","alg":"RS256","kid":"a"}"#), TokenRefusal::Header),
            (token(r#"{"alg":"RS256","kid":"a","kid":"b"}"#), TokenRefusal::Header),
            (token(r#"["alg"]"#), TokenRefusal::Header),
            (token(r#"{"alg":"RS256","kid":"a","typ":1}"#), TokenRefusal::Type),
        ] {
            assert_eq!(CompactToken::parse(&text).err(), Some(refusal), "{text:.60}");
        }
    }

    #[test]
    fn a_second_writing_of_the_same_bytes_is_refused() {
        let good = token(r#"{"alg":"RS256","kid":"a"}"#);
        // "c2lnbmF0dXJl" ends on a whole byte; "e30" does not: "e31" would decode to the same two bytes.
        assert!(good.contains(".e30."));
        let parsed = good.replace(".e30.", ".e31.");
        assert_eq!(CompactToken::parse(&parsed).unwrap().claims().err(), Some(TokenRefusal::Base64));
    }
}
