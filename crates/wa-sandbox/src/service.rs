//! The sandbox's HTTP service: enlistment, WhatsApp's JWKS, media, control (overview §1.2.1, §3.2.2, §4.1).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::api::{self, BASE, Problem, captured};
use crate::body::SandboxBody;
use crate::enlist::Enlisted;
use crate::faults::is_due;
use crate::guard;
use crate::media::Opening;
use crate::shared::Shared;

mod events;

/// Longest body that is read, in bytes.
const MAX_BODY: usize = 1024 * 1024;

pub(crate) const ENLIST: &str = "/3p/interop_reg";
pub(crate) const JWKS: &str = "/.well-known/jwks";
const DEVIATIONS: &str = "/deviations";

const OPENAPI: &str = include_str!("../openapi.yaml");

/// The routes of the control interface that need more than the world: method, and path below `/v1/`.
pub(crate) const ROUTES: &[(&str, &str)] = &[
    ("GET", ""),
    ("GET", "openapi.yaml"),
    ("GET", "deviations/events"),
    ("GET", "transcript"),
    ("GET", "pushes"),
    ("POST", "push-token"),
    ("POST", "push-key"),
    ("POST", "push-key/revoke-older"),
    ("POST", "push-http/{version}"),
    ("POST", "media/open"),
];

type Answer = Response<SandboxBody>;

/// Answers one request.
pub(crate) async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let is_control = path.starts_with(BASE) || path == BASE.trim_end_matches('/') || path == DEVIATIONS;
    if is_control
        && let Err(problem) = guard::admit(&parts.headers, parts.uri.authority(), shared.token.as_deref())
    {
        return refusal(&problem);
    }
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return refusal(&Problem::new(413, "too-long", format!("a body has at most {MAX_BODY} bytes")));
    };
    let body = body.to_bytes();
    if is_control {
        let path = parts.uri.path_and_query().map_or(path, |whole| whole.as_str());
        let below =
            path.strip_prefix(BASE).or_else(|| path.strip_prefix('/').filter(|it| !it.starts_with("v1")));
        return control(&shared, parts.method.as_str(), below.unwrap_or_default(), &parts.headers, &body)
            .await;
    }
    let (prefix, hosted) = shared.with_world(|world, _| {
        let media = &world.profile.media;
        // What a third party's files begin with at the media host.
        let hosted = media.interop_direct_path.split('{').next().unwrap_or_default();
        (media.whatsapp_path_prefix.clone(), hosted.to_owned())
    });
    match (&parts.method, path) {
        (&Method::POST, ENLIST) => enlist(&shared, &parts.headers, &body).await,
        (&Method::GET, JWKS) => {
            json(&serde_json::from_str(&shared.with_pushes(|it| it.jwks())).unwrap_or_default())
        }
        (&Method::GET, "/") => text("text/plain; charset=utf-8", WELCOME.to_owned()),
        (&Method::GET, path) if path.starts_with(&prefix) || path.starts_with(&hosted) => {
            media(&shared, path, &parts.headers, path.starts_with(&hosted)).await
        }
        (_, ENLIST | JWKS) => status(StatusCode::METHOD_NOT_ALLOWED),
        _ => status(StatusCode::NOT_FOUND),
    }
}

const WELCOME: &str = "\
This is wa-sandbox, a local WhatsApp for third parties.

POST /3p/interop_reg       the enlistment API
GET  /.well-known/jwks     WhatsApp's keys
GET  /v1/                  where everything is
GET  /v1/openapi.yaml      the control interface
GET  /deviations           what clients did wrong, and how to mend it
";

/// A file of a phone's, or through the proxy one of a third party's.
async fn media(shared: &Arc<Shared>, path: &str, headers: &HeaderMap, is_hosted: bool) -> Answer {
    let (is_unavailable, delay) =
        shared.with_world(|world, _| (is_due(&mut world.faults.media_unavailable), world.faults.media_delay));
    tokio::time::sleep(Duration::from_millis(delay)).await;
    if is_unavailable {
        return status(StatusCode::SERVICE_UNAVAILABLE);
    }
    if !is_hosted {
        return shared.with_world(|world, _| world.media.serve(path, headers));
    }
    let fetched = match shared.fetch_hosted(path).await {
        Ok(Some(fetched)) => fetched,
        Ok(None) => return status(StatusCode::BAD_GATEWAY),
        Err(problem) => return refusal(&problem),
    };
    let mut answer = Response::new(SandboxBody::from(Full::new(fetched.body)));
    *answer.status_mut() = fetched.status;
    let content_type = fetched.content_type.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    answer
}

/// Enlists, fetching the integrator's keys at most once for it. Every answer is HTTP 200 (overview §1.2.2).
async fn enlist(shared: &Arc<Shared>, headers: &HeaderMap, form: &Bytes) -> Answer {
    if shared.with_world(|world, _| is_due(&mut world.faults.enlistment_unavailable)) {
        return status(StatusCode::SERVICE_UNAVAILABLE);
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let mut answer = shared.with_world(|world, clock| {
        world.judge_content_type(content_type, clock.now());
        world.enlist(form, false, clock.now())
    });
    if let Enlisted::FetchKeys(integrator) = answer {
        shared.fetch_keys(integrator).await;
        answer = shared.with_world(|world, clock| world.enlist(form, true, clock.now()));
    }
    let reason = match answer {
        Enlisted::Login(login) => return json(&json!({ "login": login.to_string(), "status": "ok" })),
        Enlisted::Refused(reason) => reason,
        Enlisted::FetchKeys(_) => "sandbox_bad_token",
    };
    let mut refused = json!({ "reason": reason, "status": "fail" });
    let record = shared.with_world(|world, _| {
        let record = world.records().next_back().map(|record| json!(record));
        record.filter(|_| world.strict)
    });
    if let (Some(record), Some(refused)) = (record, refused.as_object_mut()) {
        refused.insert("deviation".to_owned(), record);
    }
    json(&refused)
}

/// One request of the control interface, by its path and query below `/v1/`.
async fn control(shared: &Arc<Shared>, method: &str, path: &str, headers: &HeaderMap, body: &[u8]) -> Answer {
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let known =
        ROUTES.iter().find(|(allowed, pattern)| *allowed == method && captured(pattern, bare).is_some());
    let answer = match known {
        None => {
            let wants_events = headers.get(header::ACCEPT).is_some_and(|it| it == "text/event-stream");
            if wants_events && (method, bare) == ("GET", "deviations") {
                return events::stream(shared);
            }
            shared.with_world(|world, clock| world.control(clock, method, path, body))
        }
        Some((_, "openapi.yaml")) => return text("application/yaml", OPENAPI.to_owned()),
        Some((_, "deviations/events")) => return events::stream(shared),
        Some((_, "transcript")) => return transcript(shared, query),
        Some((_, "media/open")) => match api::read::<Opening>(body) {
            Ok(opening) => shared.open_media(&opening).await,
            Err(problem) => Err(problem),
        },
        Some((_, "")) => Ok(json!({
            "addresses": shared.addresses,
            "version": env!("CARGO_PKG_VERSION"),
            "strict": shared.with_world(|world, _| world.strict),
        })),
        Some(_) => shared.with_pushes(|pushes| pushes.control(bare, body)),
    };
    match answer {
        Ok(value) => json(&value),
        Err(problem) => refusal(&problem),
    }
}

/// `?format=xml` or `jsonl`, `?login=…`.
fn transcript(shared: &Arc<Shared>, query: &str) -> Answer {
    let value = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let login = value("login");
    match value("format").as_deref() {
        None | Some("xml") => {
            let xml = shared.with_world(|world, _| world.transcript.to_xml(login.as_deref()));
            text("application/xml", xml)
        }
        Some("jsonl") => {
            let lines = shared.with_world(|world, _| world.transcript.to_json_lines(login.as_deref()));
            text("application/jsonl", lines)
        }
        Some(other) => {
            refusal(&Problem::bad_request("bad-query", format!("format is {other:?}, not xml or jsonl")))
        }
    }
}

fn json(value: &Value) -> Answer {
    text("application/json", value.to_string())
}

fn refusal(problem: &Problem) -> Answer {
    let mut answer = text("application/problem+json", problem.to_json().to_string());
    *answer.status_mut() = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
    if let Some(allow) = problem.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok()) {
        answer.headers_mut().insert(header::ALLOW, allow);
    }
    answer
}

fn status(status: StatusCode) -> Answer {
    let mut answer = Response::new(SandboxBody::from(Full::default()));
    *answer.status_mut() = status;
    answer
}

fn text(content_type: &'static str, text: String) -> Answer {
    let mut answer = Response::new(SandboxBody::from(Full::from(text)));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
