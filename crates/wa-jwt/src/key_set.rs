//! Somebody else's key set, read key by key: what is odd is passed over, what is good is used (RFC 7517 §5).

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::error::{KeySetError, KeyUnusable};
use crate::json;
use crate::rsa::{MakeKey, VerifyingKey};

/// The RS256 keys of a published key set, by name.
///
/// A set may hold keys of any kind, also of kinds that do not exist yet: RFC 7517 asks to ignore those. Used is
/// what is an RSA key of 2,048 to 8,192 bits, for signatures, by RS256 if it says which, with a name that no
/// other key of the set has, and without a private half.
#[derive(Clone, Default)]
pub struct ForeignKeySet {
    keys: BTreeMap<String, VerifyingKey>,
    passed_over: usize,
}

impl ForeignKeySet {
    /// Reads a JSON document of at most 64 KiB; `engine` makes the keys.
    ///
    /// # Errors
    /// [`KeySetError`]: too large, no key set, more than 64 keys, or none that can be used.
    pub fn parse(document: &[u8], engine: MakeKey) -> Result<Self, KeySetError> {
        if document.len() > DOCUMENT_BYTES_MAX {
            return Err(KeySetError::TooLarge);
        }
        let mut document = json::object(document).ok_or(KeySetError::Malformed)?;
        let Some(Value::Array(members)) = document.remove("keys") else {
            return Err(KeySetError::Malformed);
        };
        if members.len() > KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let set = Self::from_members(&members, engine);
        if set.keys.is_empty() { Err(KeySetError::NoneUsable) } else { Ok(set) }
    }

    /// How many keys can be used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can be used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many members of the set were passed over.
    #[must_use]
    pub const fn passed_over(&self) -> usize {
        self.passed_over
    }

    /// Whether it has a key of exactly this name.
    #[must_use]
    pub fn contains(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    pub(crate) fn key(&self, kid: &str) -> Option<&VerifyingKey> {
        self.keys.get(kid)
    }

    fn from_members(members: &[Value], engine: MakeKey) -> Self {
        let mut set = Self::default();
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for member in members {
            if let Some(kid) = member.get("kid").and_then(Value::as_str) {
                *names.entry(kid).or_default() += 1;
            }
        }
        for member in members {
            match usable(member, engine) {
                // Which of two keys of one name is meant cannot be known: neither.
                Ok((kid, key)) if names.get(kid) == Some(&1) => {
                    set.keys.insert(kid.to_owned(), key);
                }
                Ok(_) => set.passed_over += 1,
                Err(reason) => {
                    tracing::debug!(%reason, "a published key is passed over");
                    set.passed_over += 1;
                }
            }
        }
        set
    }
}

impl fmt::Debug for ForeignKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignKeySet")
            .field("keys", &self.keys.len())
            .field("passed_over", &self.passed_over)
            .finish()
    }
}

const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
const KEYS_MAX: usize = 64;
/// How long a key's name may be, in bytes.
pub(crate) const KID_BYTES_MAX: usize = 128;
/// RFC 7518 §6.3.2: a key that is published with these is no secret any more.
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

fn usable(member: &Value, engine: MakeKey) -> Result<(&str, VerifyingKey), KeyUnusable> {
    let key = member.as_object().ok_or(KeyUnusable::Member)?;
    if text(key, "kty")? != Some("RSA") {
        return Err(KeyUnusable::Kind);
    }
    let for_signatures = matches!(text(key, "use")?, None | Some("sig")) && may_verify(key)?;
    if !for_signatures || !matches!(text(key, "alg")?, None | Some("RS256")) {
        return Err(KeyUnusable::Purpose);
    }
    if PRIVATE_MEMBERS.iter().any(|name| key.contains_key(*name)) {
        return Err(KeyUnusable::Private);
    }
    let kid = text(key, "kid")?.ok_or(KeyUnusable::Name)?;
    if kid.is_empty() || kid.len() > KID_BYTES_MAX {
        return Err(KeyUnusable::Name);
    }
    let number = |name| text(key, name).and_then(|number| number.ok_or(KeyUnusable::Number));
    Ok((kid, VerifyingKey::new(number("n")?, number("e")?, engine)?))
}

/// The member's text; a member of another type spoils the key.
fn text<'k>(key: &'k Map<String, Value>, name: &str) -> Result<Option<&'k str>, KeyUnusable> {
    match key.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyUnusable::Member),
    }
}

fn may_verify(key: &Map<String, Value>) -> Result<bool, KeyUnusable> {
    match key.get("key_ops") {
        None => Ok(true),
        Some(Value::Array(operations)) => Ok(operations.iter().any(|operation| operation == "verify")),
        Some(_) => Err(KeyUnusable::Member),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::test_engine::aws_lc;

    /// RFC 7638 §3.1.
    const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    fn good(kid: &str) -> Value {
        json!({"kty": "RSA", "kid": kid, "alg": "RS256", "use": "sig", "n": N, "e": "AQAB"})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut key = good("bad");
        key[name] = value;
        key
    }

    fn parse(keys: &[Value]) -> Result<ForeignKeySet, KeySetError> {
        ForeignKeySet::parse(json!({ "keys": keys, "further": 1 }).to_string().as_bytes(), aws_lc)
    }

    /// Members that no good client trips over: the five that OpenID's conformance suite adds, and broken ones.
    fn odd() -> Vec<Value> {
        let mut odd = vec![
            json!({"kty": "AKP", "kid": "bad", "alg": "ML-DSA-44", "pub": "AAAA"}),
            json!({"kty": "made-up", "kid": "bad"}),
            with("alg", json!("RS999")),
            json!({"kty": "EC", "kid": "bad", "alg": "ES999", "crv": "P-256", "x": "AA", "y": "AA"}),
            json!({"kty": "EC", "kid": "bad", "alg": "ES256", "crv": "P-999", "x": "AA", "y": "AA"}),
            json!({"kty": "oct", "kid": "bad", "alg": "HS256", "k": "AAAA"}),
            json!({}),
            json!([]),
            json!("key"),
            json!(null),
            json!(1),
        ];
        for (name, value) in [
            ("kty", json!(1)),
            ("kty", json!("rsa")),
            ("alg", json!(1)),
            ("alg", json!(null)),
            ("alg", json!("RS512")),
            ("alg", json!("PS256")),
            ("alg", json!("HS256")),
            ("use", json!("enc")),
            ("use", json!(["sig"])),
            ("key_ops", json!([])),
            ("key_ops", json!(["sign"])),
            ("key_ops", json!("verify")),
            ("d", json!("AQ")),
            ("p", json!("AQ")),
            ("qi", json!("AQ")),
            ("oth", json!([])),
            ("kid", json!(1)),
            ("kid", json!("")),
            ("kid", json!("x".repeat(129))),
            ("n", json!(1)),
            ("n", json!("")),
            ("n", json!("AQAB")),
            ("n", json!(format!("{N}="))),
            ("e", json!(65537)),
            ("e", json!("AQ")),
        ] {
            odd.push(with(name, value));
        }
        for name in ["kty", "kid", "n", "e"] {
            let mut key = good("bad");
            key.as_object_mut().unwrap().remove(name);
            odd.push(key);
        }
        odd
    }

    #[test]
    fn odd_members_do_not_spoil_the_good_key() {
        let odd = odd();
        for member in &odd {
            let set = parse(&[member.clone(), good("good"), member.clone()]).unwrap();
            assert_eq!((set.len(), set.passed_over()), (1, 2), "{member}");
            assert!(set.contains("good") && !set.contains("bad"));
            assert_eq!(parse(std::slice::from_ref(member)).unwrap_err(), KeySetError::NoneUsable);
        }
    }

    #[test]
    fn what_a_key_need_not_say() {
        let minimal = json!({"kty": "RSA", "kid": "a", "n": N, "e": "AQAB"});
        let mut operations = good("b");
        operations["key_ops"] = json!(["verify", "made-up"]);
        let mut certified = good("../../x \u{0}'--");
        certified["x5u"] = json!("http://attacker.example/");
        let set = parse(&[minimal, operations, certified]).unwrap();
        assert_eq!(set.len(), 3);
        assert!(set.contains("../../x \u{0}'--"), "names are opaque");
    }

    #[test]
    fn two_keys_of_one_name_are_none() {
        let set = parse(&[good("a"), good("b"), good("a")]).unwrap();
        assert!(set.contains("b") && !set.contains("a"));
        assert_eq!((set.len(), set.is_empty(), set.passed_over()), (1, false, 2));
        assert!(ForeignKeySet::from_members(&[], aws_lc).is_empty());
        // Also when one of the two could not be used anyway.
        let set = parse(&[good("bad"), with("use", json!("enc")), good("b")]).unwrap();
        assert!(!set.contains("bad"));
    }

    #[test]
    fn a_name_is_as_long_as_it_may_be() {
        assert!(parse(&[good(&"a".repeat(128))]).is_ok());
        assert_eq!(parse(&[good(&"a".repeat(129))]).unwrap_err(), KeySetError::NoneUsable);
    }

    #[test]
    fn documents_that_are_no_key_set() {
        let many: Vec<Value> = (0..65).map(|number| good(&number.to_string())).collect();
        assert_eq!(parse(&many).unwrap_err(), KeySetError::TooMany);
        assert_eq!(parse(&many[..64]).unwrap().len(), 64);
        for document in ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[],\"keys\":[]}", "{\"keys\":null}"] {
            let refused = ForeignKeySet::parse(document.as_bytes(), aws_lc).unwrap_err();
            assert_eq!(refused, KeySetError::Malformed, "{document}");
        }
        assert_eq!(ForeignKeySet::parse(b"{\"keys\":[]}", aws_lc).unwrap_err(), KeySetError::NoneUsable);
        let mut large = json!({ "keys": [good("a")] }).to_string().into_bytes();
        large.resize(64 * 1024, b' ');
        assert!(ForeignKeySet::parse(&large, aws_lc).is_ok());
        large.push(b' ');
        assert_eq!(ForeignKeySet::parse(&large, aws_lc).unwrap_err(), KeySetError::TooLarge);
    }
}
