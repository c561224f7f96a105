//! A request's name in logs and answers: the client's own if it is harmless, a new one otherwise.

use http::HeaderValue;
use http::request::Parts;
use rand::Rng as _;

/// What `X-Request-Id` says in an answer, and as an extension of its request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(String);

impl RequestId {
    /// The client's `X-Request-Id` if it is one of 1 to 64 letters, digits, `-`, `_` and `.`; sixteen random
    /// hexadecimal digits otherwise.
    pub(crate) fn of(request: &Parts) -> Self {
        let mut given = request.headers.get_all("x-request-id").iter();
        match (given.next().and_then(|given| given.to_str().ok()), given.next()) {
            (Some(given), None) if is_harmless(given) => Self(given.to_owned()),
            _ => Self(hex::encode(rand::rng().next_u64().to_be_bytes())),
        }
    }

    /// It as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// It as a header's value.
    pub(crate) fn value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

fn is_harmless(given: &str) -> bool {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=BYTES_MAX).contains(&given.len()) && given.bytes().all(harmless)
}

const BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn of(given: &[&[u8]]) -> String {
        let mut request = Request::new(());
        for given in given {
            request.headers_mut().append("x-request-id", HeaderValue::from_bytes(given).unwrap());
        }
        RequestId::of(&request.into_parts().0).as_str().to_owned()
    }

    #[test]
    fn harmless_names_are_kept_and_others_replaced() {
        assert_eq!(of(&[b"a-B_0.9"]), "a-B_0.9");
        assert_eq!(of(&[&[b'x'; 64]]), "x".repeat(64));
        for odd in [
            &[][..],
            &[&b""[..]],
            &[&[b'x'; 65]],
            &[b"a b"],
            &[b"<script>"],
            &[b"a=b"],
            &[b"\xff"],
            &[b"a", b"b"],
        ] {
            let name = of(odd);
            assert!(name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
            assert_ne!(name, of(odd));
        }
    }
}
