//! The control interface, version 1: what a test may see and do behind WhatsApp's back. Not part of any protocol.
//!
//! Every route is a row of a table; `openapi.yaml` describes them, and a test holds the two together. Mistakes are
//! answered with problem details (RFC 9457).

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wa_binary::Jid;

use crate::clock::Clock;
use crate::news::News;
use crate::phone::Phone;
use crate::world::World;

mod accounts;
mod chats;
mod phones;
mod problem;
mod server;

pub(crate) use self::phones::{TypingState, written};
pub use self::problem::Problem;

/// What all paths begin with.
pub(crate) const BASE: &str = "/v1/";

/// One request, on its way to what it is about.
pub(crate) struct Call<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) clock: &'a Clock,
    /// What stood in the braces of the path.
    captures: Vec<&'a str>,
    query: &'a str,
    body: &'a [u8],
}

/// What a route does.
pub(crate) type Act = fn(&mut Call<'_>) -> Result<Value, Problem>;

/// Method, path below [`BASE`] and what is done.
pub(crate) type Route = (&'static str, &'static str, Act);

/// The routes that need nothing but the world.
pub(crate) fn routes() -> impl Iterator<Item = &'static Route> {
    server::ROUTES.iter().chain(phones::ROUTES).chain(accounts::ROUTES).chain(chats::ROUTES)
}

/// Method and path of every route of the control interface, with braces where a name stands.
pub fn control_routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_world = routes().map(|(method, path, _)| (*method, *path));
    of_world.chain(crate::service::ROUTES.iter().copied())
}

impl World {
    /// Does what a request of the control interface says: method, path below `/v1/` with its query, body.
    ///
    /// # Errors
    /// A [`Problem`]: the request's fault.
    pub fn control(
        &mut self,
        clock: &Clock,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Value, Problem> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        self.now = clock.now();
        let mut methods = Vec::new();
        for (allowed, pattern, act) in routes() {
            let Some(captures) = captured(pattern, path) else { continue };
            if *allowed == method {
                let done = act(&mut Call { world: self, clock, captures, query, body })?;
                if method != "GET" {
                    self.news.tell(|| News::Changed);
                }
                return Ok(done);
            }
            methods.push(*allowed);
        }
        Err(Problem::no_route(method, path, &methods))
    }
}

/// What stands in a path where the pattern has braces, if it fits.
pub(crate) fn captured<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let (mut patterns, mut parts) = (pattern.split('/'), path.split('/'));
    let mut captures = Vec::new();
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return Some(captures),
            (Some(pattern), Some(part)) if pattern.starts_with('{') && !part.is_empty() => {
                captures.push(part)
            }
            (Some(pattern), Some(part)) if pattern == part => {}
            _ => return None,
        }
    }
}

impl Call<'_> {
    /// The body as JSON; an empty one is an empty object.
    fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        read(self.body)
    }

    fn capture(&self, index: usize) -> &str {
        self.captures.get(index).copied().unwrap_or_default()
    }

    fn query(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// A number that the query names.
    fn query_number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let number = self.query(name).map(|text| text.parse());
        number.transpose().map_err(|_| Problem::bad_request("bad-query", format!("{name} is no number")))
    }

    /// The phone that the path names.
    fn phone(&mut self) -> Result<(String, &mut Phone), Problem> {
        let number = self.capture(0).to_owned();
        match self.world.phones.get_mut(&number) {
            Some(phone) => Ok((number, phone)),
            None => Err(Problem::not_found("unknown-phone", format!("there is no phone {number}"))),
        }
    }

    /// The account that the path names.
    fn account(&self) -> Result<u64, Problem> {
        account(self.world, self.capture(0))
    }
}

/// A body as JSON; an empty one is an empty object.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let at = if matches!(&*path, "." | "?") { String::new() } else { format!("{path}: ") };
        Problem::bad_body(format!("{at}{}", plainly(&error.inner().to_string())))
    })?;
    json.end().map_err(|error| Problem::bad_body(error.to_string()))?;
    Ok(read)
}

/// What is wrong with JSON, without the names of types in Rust.
pub(crate) fn plainly(message: &str) -> String {
    let Some((before, expected)) = message.split_once(", expected ") else { return message.to_owned() };
    let (kind, place) = match expected.split_once(" at line ") {
        Some((kind, place)) => (kind, format!(" at line {place}")),
        None => (expected, String::new()),
    };
    let kind = match kind {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        "a boolean" => "true or false",
        kind if kind.starts_with("struct ") || kind.starts_with("internally tagged enum ") => "an object",
        kind if kind.starts_with("enum ") => "an object with one member",
        kind => kind,
    };
    let found = ["invalid type: ", "invalid value: "].iter().find_map(|word| before.split_once(word));
    match found {
        Some((path, found)) => format!("{path}{found} where {kind} is expected{place}"),
        None => format!("{before}, expected {kind}{place}"),
    }
}

/// The account of a login.
pub(crate) fn account(world: &World, login: &str) -> Result<u64, Problem> {
    let jid = login.parse::<Jid>().ok().and_then(|jid| jid.as_interop());
    let Some((integrator, number)) = jid else {
        return Err(Problem::bad_request(
            "bad-login",
            format!("{login:?} is no login, such as 1-123@interop"),
        ));
    };
    match world.accounts.get(&number) {
        Some(account) if account.integrator == integrator => Ok(number),
        _ => Err(Problem::not_found("unknown-account", format!("{login} is not enlisted"))),
    }
}

/// An answer that says nothing but that it was done.
pub(crate) fn done() -> Result<Value, Problem> {
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No mistake is told in the words of a programming language.
    #[test]
    fn mistakes_are_told_plainly() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Body {
            #[serde(default, rename = "count")]
            _count: u32,
            #[serde(default, rename = "list")]
            _list: Vec<bool>,
        }
        for (body, expected) in [
            (
                r#"{"count": "x"}"#,
                r#"count: string "x" where a whole number is expected at line 1 column 13"#,
            ),
            (r#"{"count": -1}"#, "count: integer `-1` where a whole number is expected at line 1 column 12"),
            (r#"{"list": {}}"#, "list: map where a list is expected at line 1 column 9"),
            (r#"{"list": [1]}"#, "list[0]: integer `1` where true or false is expected at line 1 column 11"),
            ("3", "integer `3` where an object is expected at line 1 column 1"),
            (
                r#"{"other": 1}"#,
                "other: unknown field `other`, expected `count` or `list` at line 1 column 8",
            ),
            ("{", "EOF while parsing an object at line 1 column 1"),
        ] {
            assert_eq!(read::<Body>(body.as_bytes()).unwrap_err().detail, expected, "{body}");
        }
    }

    #[test]
    fn paths_fit_their_patterns() {
        for (pattern, path, captures) in [
            ("phones", "phones", Some(vec![])),
            ("phones/{number}/send", "phones/1415/send", Some(vec!["1415"])),
            ("phones/{number}/send", "phones//send", None),
            ("phones/{number}", "phones/1415/send", None),
            ("phones/{number}/send", "phones/1415", None),
            ("", "", Some(vec![])),
        ] {
            assert_eq!(captured(pattern, path), captures, "{pattern} {path}");
        }
    }
}
