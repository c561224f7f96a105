//! An HTTP proxy that spoils what goes through it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri, header};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::prove::{ApiFault, Fault, ServerFault};

/// A proxy on a loopback port; it ends with the runtime.
#[derive(Clone, Debug)]
pub(crate) struct Meddler {
    pub(crate) address: String,
    fault: Fault,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Host and port of what is behind.
    target: Option<String>,
    /// The first key set, or the first login.
    first: Option<Bytes>,
}

impl Meddler {
    /// Listens; what is behind comes later.
    pub(crate) async fn start(fault: Fault) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let meddler = Self { address: listener.local_addr()?.to_string(), fault, state: Arc::default() };
        let serving = meddler.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let meddler = serving.clone();
                tokio::spawn(async move {
                    let is_old = meddler.fault == Fault::Server(ServerFault::NoHttp2);
                    let service = service_fn(|request| {
                        let meddler = meddler.clone();
                        async move { Ok::<_, Infallible>(meddler.answer(request).await) }
                    });
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let builder = if is_old { builder.http1_only() } else { builder };
                    // Whatever ends a connection is seen at its other end.
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(meddler)
    }

    /// Forwards from now on to this host and port.
    pub(crate) fn forward_to(&self, target: &str) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).target = Some(target.to_owned());
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await.map(|it| it.to_bytes()).unwrap_or_default();
        let (method, mut path) = (head.method.clone(), head.uri.path().to_owned());
        if let Some(answer) = self.before(&path) {
            return answer.map(Full::new);
        }
        if self.fault == Fault::Server(ServerFault::NoBasePath) && path.starts_with("/.well-known") {
            path = format!("/whatsapp{path}");
        }
        if self.fault == Fault::Api(ApiFault::AnyMethod) {
            head.method = Method::POST;
        }
        let bearer = head.headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
        let bearer = bearer.unwrap_or_default().to_owned();
        let Ok(mut answer) = self.behind(head, &path, body).await else {
            return status(StatusCode::BAD_GATEWAY);
        };
        match self.fault {
            Fault::Server(fault) => self.spoil_server(fault, &method, &path, &bearer, &mut answer),
            Fault::Api(fault) => self.spoil_api(fault, &mut answer),
            Fault::Client(_) => {}
        }
        answer.headers_mut().remove(header::TRANSFER_ENCODING);
        answer.headers_mut().remove(header::CONTENT_LENGTH);
        answer.map(Full::new)
    }

    /// What is behind is not even asked.
    fn before(&self, path: &str) -> Option<Response<Bytes>> {
        (self.fault == Fault::Server(ServerFault::SwallowedPushes) && path.ends_with("/push"))
            .then(|| Response::new(Bytes::new()))
    }

    async fn behind(
        &self,
        mut head: hyper::http::request::Parts,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Bytes>, Failure> {
        let target = self.state.lock().unwrap_or_else(PoisonError::into_inner).target.clone();
        let target = target.ok_or_else(|| Failure::new("nothing is behind yet"))?;
        head.uri = format!("http://{target}{path}").parse::<Uri>()?;
        head.version = hyper::Version::HTTP_11;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let (parts, body) = client.request(Request::from_parts(head, Full::new(body))).await?.into_parts();
        let mut answer = Response::from_parts(parts, body.collect().await?.to_bytes());
        *answer.version_mut() = hyper::Version::HTTP_11;
        Ok(answer)
    }

    fn spoil_server(
        &self,
        fault: ServerFault,
        method: &Method,
        path: &str,
        bearer: &str,
        answer: &mut Response<Bytes>,
    ) {
        let (is_keys, is_push) = (path.ends_with("/jwks"), path.ends_with("/push"));
        let is_token = answer.body().starts_with(b"{\"token\"");
        let is_file = method == Method::GET && path.rsplit('/').next().is_some_and(|name| name.len() == 43);
        match fault {
            ServerFault::NoKeys if is_keys => *answer = empty(StatusCode::NOT_FOUND),
            ServerFault::KeysAsHtml if is_keys => {
                answer
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html"));
            }
            ServerFault::PrivateMember if is_keys => each_key(answer, &|key| key["d"] = json!("AQAB")),
            ServerFault::ShortModulus if is_keys => each_key(answer, &|key| {
                let half: String = key["n"].as_str().unwrap_or_default().chars().take(170).collect();
                key["n"] = json!(half);
            }),
            ServerFault::RenamedKeys if is_keys => each_key(answer, &|key| key["kid"] = json!("other")),
            ServerFault::FrozenKeys if is_keys => {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                *answer.body_mut() = state.first.get_or_insert_with(|| answer.body().clone()).clone();
            }
            ServerFault::LongTokens if is_token => claims(answer, &|it| {
                it["exp"] = json!(it["exp"].as_u64().unwrap_or_default() + 7200);
            }),
            ServerFault::OtherUsersTokens if is_token => claims(answer, &|it| it["sub"] = json!("somebody")),
            ServerFault::TokensForAll if answer.status() == StatusCode::UNAUTHORIZED && !is_push => {
                *answer = Response::new(Bytes::from_static(b"{\"token\": \"a.b.c\"}"));
            }
            ServerFault::Pushes204 if is_push => *answer = empty(StatusCode::NO_CONTENT),
            ServerFault::PushesWithBody if is_push => *answer.body_mut() = Bytes::from_static(b"thank you"),
            ServerFault::AnyAlgorithm if is_push && algorithm(bearer) == Some("HS256".to_owned()) => {
                *answer = empty(StatusCode::OK);
            }
            ServerFault::AnyPush if is_push && answer.status() != StatusCode::UNAUTHORIZED => {
                *answer = empty(StatusCode::OK);
            }
            ServerFault::CutFiles if is_file => {
                let length = answer.body().len().saturating_sub(1);
                answer.body_mut().truncate(length);
            }
            ServerFault::UntypedFiles if is_file => drop(answer.headers_mut().remove(header::CONTENT_TYPE)),
            ServerFault::FilesEverywhere if answer.status() == StatusCode::NOT_FOUND => {
                *answer = Response::new(Bytes::from_static(b"a file"));
            }
            _ => {}
        }
    }

    fn spoil_api(&self, fault: ApiFault, answer: &mut Response<Bytes>) {
        let said: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let is_refused = said.get("status") != Some(&json!("ok"));
        let login = json!({ "login": "1-10853634039893@interop", "status": "ok" }).to_string();
        match fault {
            ApiFault::Refusals400 if is_refused => *answer.status_mut() = StatusCode::BAD_REQUEST,
            ApiFault::TakesEverything if is_refused => *answer = Response::new(Bytes::from(login)),
            ApiFault::TakesNothing => {
                let refusal = json!({ "reason": "sandbox_bad_arguments", "status": "fail" });
                *answer = Response::new(Bytes::from(refusal.to_string()));
            }
            ApiFault::OneLogin if !is_refused => {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                *answer.body_mut() = state.first.get_or_insert_with(|| answer.body().clone()).clone();
            }
            _ => {}
        }
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    empty(status).map(Full::new)
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    answer
}

#[expect(clippy::indexing_slicing, reason = "indexing a JSON value does not panic")]
fn each_key(answer: &mut Response<Bytes>, change: &dyn Fn(&mut Value)) {
    let mut set: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    set["keys"].as_array_mut().into_iter().flatten().for_each(change);
    *answer.body_mut() = Bytes::from(set.to_string());
}

/// Changes the claims of the token in an answer, and leaves its signature.
fn claims(answer: &mut Response<Bytes>, change: &dyn Fn(&mut Value)) {
    let said: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let token = said.get("token").and_then(Value::as_str).unwrap_or_default();
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else { return };
    let Ok(payload) = URL_SAFE_NO_PAD.decode(payload) else { return };
    let Ok(mut payload) = serde_json::from_slice::<Value>(&payload) else { return };
    change(&mut payload);
    let token = format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(payload.to_string()));
    *answer.body_mut() = Bytes::from(json!({ "token": token }).to_string());
}

/// The algorithm that a bearer token names.
fn algorithm(bearer: &str) -> Option<String> {
    let header = URL_SAFE_NO_PAD.decode(bearer.strip_prefix("Bearer ")?.split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    header.get("alg")?.as_str().map(str::to_owned)
}
