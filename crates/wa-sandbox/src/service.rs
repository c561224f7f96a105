//! The sandbox's HTTP service: enlistment, WhatsApp's JWKS, media, control (overview §1.2.1, §3.2.2, §4.1).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::api::{BASE, Problem};
use crate::body::SandboxBody;
use crate::console;
use crate::enlist::Enlisted;
use crate::exchanges::Exchange;
use crate::faults::is_due;
use crate::guard;
use crate::shared::Shared;

mod control;
mod events;

pub(crate) use self::control::ROUTES;

/// Longest body that is read, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Longest file that a phone or a demonstration user is given to send.
const MAX_FILE: usize = 16 << 20;

pub(crate) const ENLIST: &str = "/3p/interop_reg";
pub(crate) const JWKS: &str = "/.well-known/jwks";
/// Files of people's own, for phones and demonstration users to send.
const FILES: &str = "/v1/media/files";
const CONSOLE: &str = "/console/";
const DEVIATIONS: &str = "/deviations";

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
    let most = if path == FILES { MAX_FILE } else { MAX_BODY };
    let Ok(body) = Limited::new(body, most).collect().await else {
        return refusal(&Problem::new(413, "too-long", format!("a body has at most {most} bytes")));
    };
    let body = body.to_bytes();
    if is_control {
        let path = parts.uri.path_and_query().map_or(path, |whole| whole.as_str());
        let below =
            path.strip_prefix(BASE).or_else(|| path.strip_prefix('/').filter(|it| !it.starts_with("v1")));
        let (method, below) = (parts.method.as_str(), below.unwrap_or_default());
        return control::answer(&shared, method, below, &parts.headers, &body).await;
    }
    match (&parts.method, path) {
        (&Method::GET, "/") if console::wants_page(&parts.headers) => {
            console::file("/").unwrap_or_else(|| status(StatusCode::NOT_FOUND))
        }
        (&Method::GET, "/") => text("text/plain; charset=utf-8", WELCOME.to_owned()),
        (&Method::GET, path) if path.starts_with(CONSOLE) => {
            console::file(path).unwrap_or_else(|| status(StatusCode::NOT_FOUND))
        }
        _ => of_whatsapp(&shared, &parts, &body).await,
    }
}

/// What WhatsApp itself answers to anybody, written down.
async fn of_whatsapp(shared: &Arc<Shared>, parts: &Parts, body: &Bytes) -> Answer {
    let path = parts.uri.path();
    let (prefix, hosted) = shared.with_world(|world, _| {
        let media = &world.profile.media;
        // What a third party's files begin with at the media host.
        let hosted = media.interop_direct_path.split('{').next().unwrap_or_default();
        (media.whatsapp_path_prefix.clone(), hosted.to_owned())
    });
    let (about, answer) = match (&parts.method, path) {
        (&Method::POST, ENLIST) => ("enlistment", enlist(shared, &parts.headers, body).await),
        (&Method::GET, JWKS) => {
            let keys = serde_json::from_str(&shared.with_pushes(|it| it.jwks())).unwrap_or_default();
            ("keys", answered(&keys))
        }
        (&Method::GET, path) if path.starts_with(&prefix) || path.starts_with(&hosted) => {
            ("media", media(shared, path, &parts.headers, path.starts_with(&hosted)).await)
        }
        (_, ENLIST | JWKS) => return status(StatusCode::METHOD_NOT_ALLOWED),
        _ => return status(StatusCode::NOT_FOUND),
    };
    let method = if about == "enlistment" { "POST" } else { "GET" };
    let exchange = Exchange::asked(about, method, path);
    let exchange = if about == "enlistment" { exchange.with_form(body) } else { exchange };
    shared.write_down(match answer.body().whole() {
        Some(whole) => exchange.answered(answer.status(), answer.headers(), &whole),
        None => Exchange { status: Some(answer.status().as_u16()), ..exchange },
    });
    answer
}

const WELCOME: &str = "\
This is wa-sandbox, a local WhatsApp for third parties.

POST /3p/interop_reg       the enlistment API
GET  /.well-known/jwks     WhatsApp's keys
GET  /                     in a browser: chats, stanzas, faults
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
        Ok(Ok(fetched)) => fetched,
        Ok(Err(_)) => return status(StatusCode::BAD_GATEWAY),
        Err(problem) => return refusal(&problem),
    };
    let mut answer = Response::new(SandboxBody::from(fetched.body));
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
        Enlisted::Login(login) => return answered(&json!({ "login": login.to_string(), "status": "ok" })),
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
    answered(&refused)
}

fn answered(value: &Value) -> Answer {
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
    let mut answer = Response::new(SandboxBody::from(Bytes::new()));
    *answer.status_mut() = status;
    answer
}

fn text(content_type: &'static str, text: String) -> Answer {
    bytes(content_type, text.into())
}

fn bytes(content_type: &'static str, bytes: Bytes) -> Answer {
    let mut answer = Response::new(SandboxBody::from(bytes));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
