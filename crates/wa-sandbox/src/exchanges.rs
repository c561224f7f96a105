//! The HTTP that third parties and the sandbox spoke with each other, to be read afterwards.

use std::borrow::Cow;
use std::collections::VecDeque;

use hyper::StatusCode;
use hyper::header::HeaderMap;
use serde::Serialize;

/// Exchanges that are kept.
const MAX_EXCHANGES: usize = 1000;

/// Bytes of a body that are kept.
const MAX_BODY: usize = 4096;

/// Characters of a field's name that are kept.
const MAX_NAME: usize = 32;

/// How a JWT begins: an object in JSON, in base64.
const JWT: &str = "eyJ";

/// What stands in the place of a token.
const WITHHELD: &str = "(withheld)";

/// A request and its answer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Exchange {
    /// Counts from 1.
    pub(crate) number: u64,
    /// In Unix seconds of the sandbox's clock.
    pub(crate) at: u64,
    /// `in` where the sandbox was asked, `out` where it asked.
    pub(crate) direction: &'static str,
    /// What it was about: `enlistment`, `keys`, `media`.
    pub(crate) about: &'static str,
    pub(crate) method: &'static str,
    pub(crate) url: String,
    /// The body that was sent, as far as it is text; without the token.
    pub(crate) sent: String,
    /// Absent if nobody answered.
    pub(crate) status: Option<u16>,
    /// Why nobody answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
    /// The answer's body, as far as it is text.
    pub(crate) answered: String,
    /// Bytes of the answer's body, where they are known.
    pub(crate) length: Option<u64>,
}

/// The newest exchanges.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    kept: VecDeque<Exchange>,
    count: u64,
}

impl Exchanges {
    /// Keeps an exchange and gives it its number.
    pub(crate) fn push(&mut self, mut exchange: Exchange) -> Exchange {
        self.count += 1;
        exchange.number = self.count;
        if self.kept.len() == MAX_EXCHANGES {
            self.kept.pop_front();
        }
        self.kept.push_back(exchange.clone());
        exchange
    }

    pub(crate) fn kept(&self) -> &VecDeque<Exchange> {
        &self.kept
    }

    pub(crate) fn clear(&mut self) {
        self.kept.clear();
    }
}

impl Exchange {
    /// The sandbox was asked.
    pub(crate) fn asked(about: &'static str, method: &'static str, url: &str) -> Self {
        Self {
            number: 0,
            at: 0,
            direction: "in",
            about,
            method,
            url: url.to_owned(),
            sent: String::new(),
            status: None,
            failure: None,
            answered: String::new(),
            length: None,
        }
    }

    /// The sandbox asked.
    pub(crate) fn made(about: &'static str, url: &str) -> Self {
        Self { direction: "out", ..Self::asked(about, "GET", url) }
    }

    /// With this form in it. What is no form may hold a token anywhere, and a wrong one may have it under another name.
    pub(crate) fn with_form(mut self, form: &[u8]) -> Self {
        let is_token = |name: &str, value: &str| {
            name.to_ascii_lowercase().contains("token") || (value.contains(JWT) && value.contains('.'))
        };
        let is_name = |name: &str| {
            name.len() <= MAX_NAME
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        let pairs = form_urlencoded::parse(form.get(..MAX_BODY).unwrap_or(form));
        let pairs = pairs.map(|(name, value)| match &*name {
            other if !is_name(other) => (Cow::Borrowed(WITHHELD), Cow::Borrowed("")),
            other if is_token(other, &value) => (name, Cow::Borrowed(WITHHELD)),
            _ => (name, value),
        });
        self.sent = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self
    }

    /// Without an answer, for this reason.
    pub(crate) fn failed(mut self, why: &str) -> Self {
        self.failure = Some(why.to_owned());
        self
    }

    /// With this answer; its body where it is text.
    pub(crate) fn answered(mut self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let kind = headers.get(hyper::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        self.status = Some(status.as_u16());
        self.length = u64::try_from(body.len()).ok();
        if kind.is_some_and(|kind| kind.contains("json") || kind.starts_with("text/")) {
            self.answered = String::from_utf8_lossy(body.get(..MAX_BODY).unwrap_or(body)).into_owned();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{CONTENT_TYPE, HeaderValue};

    use super::*;

    #[test]
    fn a_token_is_not_kept() {
        let exchange = Exchange::asked("enlistment", "POST", "/3p").with_form(b"user=a%20b&token=ey.x.y&z=1");
        assert_eq!(exchange.sent, "user=a+b&token=%28withheld%29&z=1");
        let json = Exchange::asked("enlistment", "POST", "/3p").with_form(br#"{"token":"ey.x.y"}"#);
        assert_eq!(json.sent, "%28withheld%29=");
        for (body, kept) in [
            ("Token=ey.x.y&id_token=ey.x.y", "Token=%28withheld%29&id_token=%28withheld%29"),
            ("user=a\r\ntoken=eyJh.eyJp.c2ln", "user=%28withheld%29"),
            ("user=a;token=eyJh.eyJp.c2ln&z=eyJ", "user=%28withheld%29&z=eyJ"),
        ] {
            let exchange = Exchange::asked("enlistment", "POST", "/3p").with_form(body.as_bytes());
            assert_eq!(exchange.sent, kept, "{body}");
        }
        let endless = [&b"a="[..], &[b'a'; 1 << 20]].concat();
        let endless = Exchange::asked("enlistment", "POST", "/3p").with_form(&endless);
        assert_eq!(endless.sent.len(), MAX_BODY);
    }

    #[test]
    fn only_text_is_kept_of_an_answer() {
        let headers = |kind| HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        let json = Exchange::made("keys", "http://a").answered(
            StatusCode::OK,
            &headers("application/json"),
            &[b'{'; MAX_BODY + 1],
        );
        assert_eq!((json.answered.len(), json.length), (MAX_BODY, u64::try_from(MAX_BODY + 1).ok()));
        let file =
            Exchange::made("media", "http://a").answered(StatusCode::OK, &headers("image/png"), b"png");
        assert_eq!((file.answered.as_str(), file.length, file.status), ("", Some(3), Some(200)));
    }

    #[test]
    fn the_newest_are_kept() {
        let mut exchanges = Exchanges::default();
        for _ in 0..MAX_EXCHANGES + 2 {
            exchanges.push(Exchange::made("keys", "http://a"));
        }
        assert_eq!((exchanges.kept().len(), exchanges.kept()[0].number), (MAX_EXCHANGES, 3));
    }
}
