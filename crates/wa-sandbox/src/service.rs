//! The sandbox's HTTP service: enlistment, WhatsApp's JWKS, control (seed §1.2.1, §3.2.2).

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode, header};
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use serde_json::{Value, json};

use crate::enlist::Enlisted;
use crate::listen::Shared;
use crate::media::{Opening, SandboxBody};

/// Longest body that is read, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Answers one request.
pub(crate) async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Response<SandboxBody> {
    let prefix = shared.with_world(|world, _| world.profile.media.whatsapp_path_prefix.clone());
    let path = request.uri().path();
    if request.method() == Method::GET && path.starts_with(&prefix) {
        return shared.with_media(|media| media.serve(path, request.headers()));
    }
    answer(shared, request, &prefix).await.map(SandboxBody::from)
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    media_prefix: &str,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let (body, path) = (body.to_bytes(), parts.uri.path());
    let get = match parts.method {
        Method::GET => true,
        Method::POST => false,
        _ => return empty(StatusCode::METHOD_NOT_ALLOWED),
    };
    match (get, path) {
        (false, ENLIST) => json_response(&enlist(&shared, &body).await),
        (true, JWKS) => {
            let jwks = shared.with_pushes(|pushes| pushes.jwks());
            response(StatusCode::OK, Full::new(jwks.into()))
        }
        (get, path) => match path.strip_prefix(CONTROL) {
            Some(path) if path.starts_with("media") => {
                match media(&shared, get, path, &body, media_prefix).await {
                    Some(answer) => json_response(&answer),
                    None => empty(StatusCode::NOT_FOUND),
                }
            }
            Some(path) if path.starts_with("push") => {
                match shared.with_pushes(|pushes| pushes.control(get, path, &body)) {
                    Some(answer) => json_response(&answer),
                    None => empty(StatusCode::NOT_FOUND),
                }
            }
            Some(path) => match shared.with_world(|world, clock| world.control(clock, get, path, &body)) {
                Some(answer) => json_response(&answer),
                None => empty(StatusCode::NOT_FOUND),
            },
            None => empty(StatusCode::NOT_FOUND),
        },
    }
}

pub(crate) const ENLIST: &str = "/3p/interop_reg";
pub(crate) const JWKS: &str = "/.well-known/jwks";
pub(crate) const CONTROL: &str = "/control/";

/// Files of phones, and what phones make of third parties'.
async fn media(shared: &Arc<Shared>, get: bool, path: &str, body: &[u8], prefix: &str) -> Option<Value> {
    match (get, path) {
        (true, "media") => Some(shared.with_media(|media| media.asked())),
        (false, "media") => shared.with_media(|media| media.upload(body, prefix, &mut UnwrapErr(SysRng))),
        (false, "media/open") => shared.open_media(&Opening::read(body)?).await,
        _ => None,
    }
}

/// Enlists, fetching the integrator's keys at most once for it. Every answer is HTTP 200 (seed §1.2.2).
async fn enlist(shared: &Arc<Shared>, form: &[u8]) -> Value {
    let mut answer = shared.with_world(|world, clock| world.enlist(form, false, clock.now()));
    if let Enlisted::FetchKeys(integrator) = answer {
        shared.fetch_keys(integrator).await;
        answer = shared.with_world(|world, clock| world.enlist(form, true, clock.now()));
    }
    match answer {
        Enlisted::Login(login) => json!({ "login": login.to_string(), "status": "ok" }),
        Enlisted::Refused(reason) => json!({ "reason": reason, "status": "fail" }),
        Enlisted::FetchKeys(_) => json!({ "reason": "sandbox_bad_token", "status": "fail" }),
    }
}

fn json_response(value: &Value) -> Response<Full<Bytes>> {
    response(StatusCode::OK, Full::new(value.to_string().into()))
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    response(status, Full::default())
}

fn response(status: StatusCode, body: Full<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
