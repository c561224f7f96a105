//! An enlistment form, right or wrong, as anybody could post it (overview §1.2.2).

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode, header};
use serde_json::Value;
use wa_interop::chat::AccountKeys;

use crate::report::failure::{Failure, ensure, expect};
use crate::target::environment::{Environment, INTEGRATOR};
use crate::target::exchange::{Http, send};

const TYPE: &str = "application/x-www-form-urlencoded";

/// Names and values.
#[derive(Clone, Debug)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// A right form, in the spelling of the profile, with the overview's two arguments where the profile has them.
    pub(crate) fn of(environment: &Environment, name: &str, keys: &AccountKeys, token: &str) -> Self {
        let (rules, public) = (environment.profile().enlistment, keys.public());
        let [_, id @ ..] = public.signed.id.to_be_bytes();
        let mut form = Self(Vec::new())
            .with_bytes("authkey", public.noise.as_bytes())
            .with_bytes("e_keytype", &[5])
            .with_bytes("e_regid", &public.registration_id.to_be_bytes())
            .with_bytes("e_ident", public.identity.as_bytes())
            .with_bytes(rules.spelling.prekey_id(), &id)
            .with_bytes(rules.spelling.prekey_value(), public.signed.key.as_bytes())
            .with_bytes(rules.spelling.prekey_signature(), public.signed.signature.as_bytes())
            .with("token", token);
        if rules.identity_arguments {
            form = form.with("integrator_id", &INTEGRATOR.to_string()).with("user_identifier", name);
        }
        form
    }

    /// This form with an argument set, in the place where it stood.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// The same, with bytes in base64url without padding.
    pub(crate) fn with_bytes(self, name: &str, value: &[u8]) -> Self {
        self.with(name, &URL_SAFE_NO_PAD.encode(value))
    }

    /// This form without an argument.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    /// What an argument says.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// As it is posted.
    pub(crate) fn encode(&self) -> String {
        let pairs = self.0.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// Reads a form, in which no name may be twice.
    pub(crate) fn decode(text: &str) -> Result<Self, Failure> {
        let pair = |pair: &str| {
            let (name, value) =
                pair.split_once('=').ok_or_else(|| Failure(format!("{pair:?} is no pair")))?;
            Ok::<_, Failure>((unescaped(name)?, unescaped(value)?))
        };
        let pairs: Vec<(String, String)> = text.split('&').map(pair).collect::<Result<_, _>>()?;
        let mut names = BTreeSet::new();
        match pairs.iter().find(|(name, _)| !names.insert(name)) {
            Some((name, _)) => Err(Failure(format!("{name} is given twice"))),
            None => Ok(Self(pairs)),
        }
    }

    /// Posts it; gives the status and the JSON.
    pub(crate) async fn post(&self, environment: &Environment) -> Result<(StatusCode, Value), Failure> {
        submit(environment, Method::POST, Some(TYPE), self.encode()).await
    }

    /// Posts it and expects a login.
    pub(crate) async fn accepted(&self, environment: &Environment) -> Result<String, Failure> {
        let (status, answer) = self.post(environment).await?;
        expect("status", status, StatusCode::OK)?;
        expect("status in the answer", answer.get("status").and_then(Value::as_str), Some("ok"))?;
        let login = answer.get("login").and_then(Value::as_str);
        login.map(str::to_owned).ok_or_else(|| Failure(format!("no login in {answer}")))
    }

    /// Posts it and expects a refusal with this reason, as the documents say one looks.
    pub(crate) async fn refused(&self, environment: &Environment, reason: &str) -> Result<(), Failure> {
        let (status, answer) = self.post(environment).await?;
        expect("status", status, StatusCode::OK)?;
        ensure(&format!("a login in {answer}"), answer.get("login").is_none())?;
        expect("status in the answer", answer.get("status").and_then(Value::as_str), Some("fail"))?;
        expect("reason", answer.get("reason").and_then(Value::as_str), Some(reason))
    }
}

/// Sends anything to the enlistment API; an answer that is no JSON is `null`.
pub(crate) async fn submit(
    environment: &Environment,
    method: Method,
    content_type: Option<&str>,
    body: String,
) -> Result<(StatusCode, Value), Failure> {
    let mut request = Request::builder().method(method).uri(&environment.sandbox.enlist);
    if let Some(content_type) = content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    let answer = send(Http::One, request.body(Full::new(Bytes::from(body)))?).await?;
    Ok((answer.status(), serde_json::from_slice(answer.body()).unwrap_or_default()))
}

/// Percent-encoding of everything but unreserved characters (RFC 3986 §2.3).
fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn unescaped(text: &str) -> Result<String, Failure> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match (byte, behind) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => {
                bytes.extend(hex::decode([*high, *low])?);
                rest = after;
            }
            (b'%', _) => return Err(Failure(format!("{text:?} ends within an escape"))),
            _ => bytes.push(*byte),
        }
    }
    Ok(String::from_utf8(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let form = Form(Vec::new()).with("a", "ü &=+%").with_bytes("b", &[0xFF, 0xFE]).with("a", "+ 2");
        assert_eq!(form.encode(), "a=%2B%202&b=__4");
        let read = Form::decode(&form.encode()).unwrap();
        assert_eq!((read.get("a"), read.get("b"), read.get("c")), (Some("+ 2"), Some("__4"), None));
        assert_eq!(read.without("a").encode(), "b=__4");
        for wrong in ["a", "a=%zz", "a=%4", "a=1&b=2&a=1"] {
            assert!(Form::decode(wrong).is_err(), "{wrong}");
        }
    }
}
