//! An HTTP proxy that rewrites one thing of what goes through it.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode, Uri, Version, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto;
use regex::bytes::Regex;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::prove::{Rewrite, Struck};
use crate::report::failure::Failure;
use crate::target::serving::{Serving, both_versions};

/// A proxy on a loopback port; it ends with its last clone.
#[derive(Clone, Debug)]
pub(crate) struct Meddler {
    pub(crate) address: String,
    rewrite: Arc<Rewrite>,
    struck: Struck,
    on: Regex,
    said: Option<Regex>,
    client: Client<HttpConnector, Full<Bytes>>,
    state: Arc<Mutex<State>>,
    /// None where it answers.
    _serving: Option<Serving>,
}

#[derive(Debug, Default)]
struct State {
    /// Host and port of what is behind.
    target: Option<String>,
    /// The first answer that was rewritten.
    first: Option<Bytes>,
}

impl Meddler {
    /// Listens; what is behind comes later.
    pub(crate) async fn start(rewrite: &Rewrite, struck: &Struck) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let meddler = Self {
            address: listener.local_addr()?.to_string(),
            on: Regex::new(&rewrite.on)?,
            said: rewrite.said.as_deref().map(Regex::new).transpose()?,
            rewrite: Arc::new(rewrite.clone()),
            struck: struck.clone(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            state: Arc::default(),
            _serving: None,
        };
        let (answering, speaking) = (meddler.clone(), meddler.clone());
        let serving = Serving::http(
            listener,
            move || speaking.versions(),
            move |request| {
                let meddler = answering.clone();
                async move { meddler.answer(request).await }
            },
        );
        Ok(Self { _serving: Some(serving), ..meddler })
    }

    /// What the next connection speaks.
    fn versions(&self) -> auto::Builder<TokioExecutor> {
        let is_old = self.rewrite.only_http1;
        self.struck.note_if(is_old);
        if is_old { both_versions().http1_only() } else { both_versions() }
    }

    /// Forwards from now on to this host and port.
    pub(crate) fn forward_to(&self, target: &str) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).target = Some(target.to_owned());
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (mut head, body) = request.into_parts();
        let mut body = body.collect().await.map(|it| it.to_bytes()).unwrap_or_default();
        let asked = format!("{} {}", head.method, head.uri.path());
        let algorithm = head.headers.get(header::AUTHORIZATION).and_then(algorithm);
        if self.on.is_match(asked.as_bytes()) {
            if let Some(answer) = &self.rewrite.unasked {
                self.struck.note();
                return Response::new(Full::from(answer.clone()));
            }
            self.ask_otherwise(&mut head, &mut body);
        }
        let Ok(mut answer) = self.behind(head, body).await else {
            let mut answer = Response::new(Full::default());
            *answer.status_mut() = StatusCode::BAD_GATEWAY;
            return answer;
        };
        let answered = format!("{asked} {} {}", answer.status().as_u16(), algorithm.unwrap_or_default());
        let is_said = self.said.as_ref().is_none_or(|said| said.is_match(answer.body()));
        if is_said && self.on.is_match(answered.as_bytes()) {
            self.answer_otherwise(&mut answer);
        }
        answer.headers_mut().remove(header::TRANSFER_ENCODING);
        answer.headers_mut().remove(header::CONTENT_LENGTH);
        answer.map(Full::new)
    }

    fn ask_otherwise(&self, head: &mut Parts, body: &mut Bytes) {
        let Rewrite { path, method, asked, .. } = &*self.rewrite;
        if let Some(path) = path {
            let changed = replaced(head.uri.to_string().as_bytes(), path);
            head.uri = Uri::from_maybe_shared(changed).unwrap_or_default();
            self.struck.note();
        }
        if let Some(method) = method {
            head.method = method.parse().unwrap_or_default();
            self.struck.note();
        }
        if let Some(asked) = asked {
            let changed = replaced(body, asked);
            self.struck.note_if(changed != *body);
            *body = changed;
            head.headers.remove(header::CONTENT_LENGTH);
        }
    }

    async fn behind(&self, mut head: Parts, body: Bytes) -> Result<Response<Bytes>, Failure> {
        let target = self.state.lock().unwrap_or_else(PoisonError::into_inner).target.clone();
        let target = target.ok_or_else(|| Failure::new("nothing is behind yet"))?;
        let path = head.uri.path_and_query().map_or("/", |it| it.as_str());
        head.uri = format!("http://{target}{path}").parse::<Uri>()?;
        head.version = Version::HTTP_11;
        let (parts, body) =
            self.client.request(Request::from_parts(head, Full::new(body))).await?.into_parts();
        let mut answer = Response::from_parts(parts, body.collect().await?.to_bytes());
        *answer.version_mut() = Version::HTTP_11;
        Ok(answer)
    }

    fn answer_otherwise(&self, answer: &mut Response<Bytes>) {
        let before = (answer.status(), answer.headers().clone(), answer.body().clone());
        let Rewrite { status, answered, field, claims, first_again, .. } = &*self.rewrite;
        if let Some(status) = status {
            *answer.status_mut() = StatusCode::from_u16(*status).unwrap_or_default();
        }
        if let Some(answered) = answered {
            *answer.body_mut() = replaced(answer.body(), answered);
        }
        if let Some([name, value]) = field
            && let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value))
        {
            answer.headers_mut().remove(&name);
            if !value.is_empty() {
                answer.headers_mut().insert(name, value);
            }
        }
        if !claims.is_empty() {
            let changed = with_claims(answer.body(), &claims.clone().into_iter().collect());
            if let Some(changed) = changed {
                *answer.body_mut() = changed;
            }
        }
        if *first_again {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            *answer.body_mut() = state.first.get_or_insert_with(|| answer.body().clone()).clone();
        }
        self.struck.note_if(before != (answer.status(), answer.headers().clone(), answer.body().clone()));
    }
}

/// Bytes with everything replaced that a regular expression finds.
fn replaced(bytes: &[u8], [from, into]: &[String; 2]) -> Bytes {
    let Ok(from) = Regex::new(from) else { return Bytes::copy_from_slice(bytes) };
    Bytes::from(from.replace_all(bytes, into.as_bytes()).into_owned())
}

/// Changes the claims of the token in an answer, and leaves its signature.
fn with_claims(answer: &[u8], change: &Map<String, Value>) -> Option<Bytes> {
    let said: Value = serde_json::from_slice(answer).ok()?;
    let [head, payload, signature] =
        said.get("token")?.as_str()?.split('.').collect::<Vec<_>>().try_into().ok()?;
    let mut claims: Map<String, Value> =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    for (name, value) in change {
        let sum =
            claims.get(name).and_then(Value::as_i64).zip(value.as_i64()).map(|(was, more)| json!(was + more));
        claims.insert(name.clone(), sum.unwrap_or_else(|| value.clone()));
    }
    let payload = URL_SAFE_NO_PAD.encode(Value::from(claims).to_string());
    Some(Bytes::from(json!({ "token": format!("{head}.{payload}.{signature}") }).to_string()))
}

/// The algorithm that a bearer token names.
fn algorithm(bearer: &HeaderValue) -> Option<String> {
    let head = bearer.to_str().ok()?.strip_prefix("Bearer ")?.split('.').next()?;
    let head: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok()?;
    head.get("alg")?.as_str().map(str::to_owned)
}
