//! The control interface over HTTP: the routes that need more than the world, and all others handed on to it.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{self, HeaderMap};
use serde_json::{Value, json};

use crate::api::{self, Problem, captured};
use crate::demo::users;
use crate::media::{Class, Opening};
use crate::service::{Answer, answered, events, refusal, text};
use crate::shared::Shared;
use crate::transcript::{Filter, to_json_lines, to_xml};

/// Rows of the log that are given at once.
const MAX_ROWS: usize = 500;

const USERS: &str = "demo/users";

const OPENAPI: &str = include_str!("../../openapi.yaml");

/// The routes of the control interface that need more than the world: method, and path below `/v1/`.
pub(crate) const ROUTES: &[(&str, &str)] = &[
    ("GET", ""),
    ("GET", "openapi.yaml"),
    ("GET", "deviations/events"),
    ("GET", "events"),
    ("GET", "transcript"),
    ("GET", "stanzas"),
    ("GET", "exchanges"),
    ("GET", "demo/users"),
    ("POST", "demo/users"),
    ("POST", "demo/users/{login}/send"),
    ("POST", "demo/users/{login}/mark"),
    ("POST", "demo/users/{login}/typing"),
    ("POST", "demo/users/{login}/connect"),
    ("POST", "demo/users/{login}/disconnect"),
    ("GET", "pushes"),
    ("POST", "push-token"),
    ("POST", "push-key"),
    ("POST", "push-key/revoke-older"),
    ("POST", "push-http/{version}"),
    ("POST", "media/open"),
    ("POST", "media/view"),
    ("POST", "media/files"),
];

/// One request of the control interface, by its path and query below `/v1/`.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    method: &str,
    path: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Answer {
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let known =
        ROUTES.iter().find(|(allowed, pattern)| *allowed == method && captured(pattern, bare).is_some());
    let known = known.map(|(_, pattern)| *pattern);
    let wants_events = headers.get(header::ACCEPT).is_some_and(|it| it == "text/event-stream");
    let answer = match known {
        None if wants_events && (method, bare) == ("GET", "deviations") => {
            return events::stream(shared, Some("deviation"));
        }
        None => {
            let answer = shared.with_world(|world, clock| world.control(clock, method, path, body));
            if (method, bare) == ("POST", "reset") {
                shared.forget();
            }
            answer
        }
        Some("openapi.yaml") => return text("application/yaml", OPENAPI.to_owned()),
        Some("events") => return events::stream(shared, None),
        Some("deviations/events") => return events::stream(shared, Some("deviation")),
        Some("transcript") => return transcript(shared, query),
        Some("media/view") => return view(shared, body).await,
        Some(pattern) => of_surroundings(shared, method, (pattern, bare, query), body).await,
    };
    match answer {
        Ok(value) => answered(&value),
        Err(problem) => refusal(&problem),
    }
}

/// What is around the world: addresses, demonstration users, files, pushes, what went over HTTP.
async fn of_surroundings(
    shared: &Arc<Shared>,
    method: &str,
    (pattern, path, query): (&str, &str, &str),
    body: &Bytes,
) -> Result<Value, Problem> {
    match pattern {
        "" => Ok(about(shared)),
        "stanzas" => {
            let filter = filter(query)?;
            let entries = shared.with_world(|world, _| world.transcript.entries());
            let first = entries.first().map(|entry| entry.number);
            // All of them may have to be read.
            let rows = tokio::task::spawn_blocking(move || filter.rows(&entries, MAX_ROWS));
            let rows = rows.await.map_err(|_| Problem::new(500, "cannot-read", "the log cannot be read"))?;
            Ok(json!({ "stanzas": rows, "first": first }))
        }
        "exchanges" => Ok(shared.exchanges()),
        USERS if method == "GET" => Ok(shared.users.list()),
        _ if pattern.starts_with(USERS) => {
            users::control(shared, path.strip_prefix(USERS).unwrap_or_default(), body).await
        }
        "media/open" => shared.open_media(&api::read::<Opening>(body)?).await,
        "media/files" => file(shared, query, body).await,
        _ => shared.with_pushes(|pushes| pushes.control(path, body)),
    }
}

fn about(shared: &Arc<Shared>) -> Value {
    let (strict, stanzas, profile) = shared
        .with_world(|world, _| (world.strict, world.transcript.count(), world.profile.version.to_string()));
    json!({
        "addresses": shared.addresses,
        "version": env!("CARGO_PKG_VERSION"),
        "strict": strict,
        "profile": profile,
        "stanzas": stanzas,
    })
}

/// A file of somebody's own, encrypted and hosted: `?class=image`, `?at=integrator` for a demonstration user's.
async fn file(shared: &Arc<Shared>, query: &str, body: &Bytes) -> Result<Value, Problem> {
    let value = |name| value(query, name);
    let class = value("class").unwrap_or_default();
    let class: Class = serde_json::from_value(json!(class))
        .map_err(|_| Problem::bad_request("bad-query", "class is not image, video, audio or document"))?;
    if body.is_empty() {
        return Err(Problem::bad_body("the body is the file, and it is empty"));
    }
    match value("at").as_deref() {
        None | Some("whatsapp") => Ok(json!(shared.with_world(|world, _| world.host(body, class)))),
        Some("integrator") => Ok(json!(shared.host_at_integrator(body, class).await?)),
        Some(other) => {
            let detail = format!("at is {other:?}, not whatsapp or integrator");
            Err(Problem::bad_request("bad-query", detail))
        }
    }
}

/// A file, decrypted. What it is the browser is not told: the console looks for itself.
async fn view(shared: &Arc<Shared>, body: &Bytes) -> Answer {
    let opened = match api::read::<Opening>(body) {
        Ok(opening) => shared.view_media(&opening).await,
        Err(problem) => Err(problem),
    };
    match opened {
        Ok(plain) => super::bytes("application/octet-stream", plain),
        Err(problem) => refusal(&problem),
    }
}

/// `?format=xml` or `jsonl`, `?login=…`.
fn transcript(shared: &Arc<Shared>, query: &str) -> Answer {
    let login = value(query, "login");
    let entries = shared.with_world(|world, _| world.transcript.entries());
    match value(query, "format").as_deref() {
        None | Some("xml") => text("application/xml", to_xml(&entries, login.as_deref())),
        Some("jsonl") => text("application/jsonl", to_json_lines(&entries, login.as_deref())),
        Some(other) => {
            refusal(&Problem::bad_request("bad-query", format!("format is {other:?}, not xml or jsonl")))
        }
    }
}

fn value(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Which rows of the log are asked for.
fn filter(query: &str) -> Result<Filter, Problem> {
    let bad = |detail: String| Problem::bad_request("bad-query", detail);
    let number = |name: &str, text: &str| text.parse().map_err(|_| bad(format!("{name} is no number")));
    let mut filter = Filter::default();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "before" => filter.before = Some(number(&name, &text)?),
            "after" => filter.after = Some(number(&name, &text)?),
            "limit" => filter.limit = usize::try_from(number(&name, &text)?).ok(),
            "login" => filter.login = Some(text.into_owned()),
            "tag" => filter.tag = Some(text.into_owned()),
            "text" => filter.text = Some(text.into_owned()),
            "by" if matches!(&*text, "client" | "server") => filter.by = Some(text.into_owned()),
            "by" => return Err(bad(format!("by is {text:?}, not client or server"))),
            _ => {
                return Err(bad(format!("{name} is not one of before, after, limit, login, by, tag, text")));
            }
        }
    }
    Ok(filter)
}
