//! Plain HTTP as any program would speak it, on the version that a check is about.

use std::fmt::Write;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::report::evidence::{Exchange, record, shown};
use crate::report::failure::{Failure, ensure};

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http {
    /// HTTP/1.1 is spoken.
    One,
    /// HTTP/2 with prior knowledge.
    Two,
}

/// Sends one request and reads the whole answer.
pub(crate) async fn send(http: Http, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Failure> {
    let asked = written(&request);
    let outcome = exchanged(http, request).await;
    let answer = match &outcome {
        Ok(answer) => answered(answer),
        Err(failure) => failure.to_string(),
    };
    record(Exchange { request: asked, answer });
    outcome
}

async fn exchanged(http: Http, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Failure> {
    let mut client = Client::builder(TokioExecutor::new());
    let client = client.http2_only(http == Http::Two).build_http();
    let (parts, body) = client.request(request).await?.into_parts();
    let expected = if http == Http::Two { Version::HTTP_2 } else { Version::HTTP_11 };
    ensure("the answer came in another HTTP version", parts.version == expected)?;
    Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
}

/// A request as reports show it.
fn written(request: &Request<Full<Bytes>>) -> String {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    fields(&mut text, request.headers());
    let _ = write!(text, "\n{} bytes", request.body().size_hint().exact().unwrap_or_default());
    text
}

fn answered(answer: &Response<Bytes>) -> String {
    let mut text = format!("{:?} {}\n", answer.version(), answer.status());
    fields(&mut text, answer.headers());
    let _ = write!(text, "\n{}", shown(answer.body()));
    text
}

/// Header fields, one a line; a credential is not shown.
fn fields(text: &mut String, headers: &HeaderMap) {
    for (name, value) in headers {
        let value = if name == AUTHORIZATION { "…" } else { value.to_str().unwrap_or("(not text)") };
        // Writing to a text does not fail.
        let _ = writeln!(text, "{name}: {value}");
    }
}

/// Gets a URL.
pub(crate) async fn get(http: Http, url: &str) -> Result<Response<Bytes>, Failure> {
    send(http, Request::get(url).body(Full::default())?).await
}

/// Gets a URL's JSON over HTTP/1.1; no report shows it.
pub(crate) async fn get_json(url: &str) -> Result<Value, Failure> {
    json(exchanged(Http::One, Request::get(url).body(Full::default())?).await?)
}

/// Posts JSON over HTTP/1.1 and reads the JSON that comes back; no report shows it.
pub(crate) async fn post_json(url: &str, body: &Value) -> Result<Value, Failure> {
    let body = Full::new(Bytes::from(body.to_string()));
    json(exchanged(Http::One, Request::post(url).body(body)?).await?)
}

fn json(response: Response<Bytes>) -> Result<Value, Failure> {
    if response.status() != StatusCode::OK {
        return Err(Failure(format!("answered {}", response.status())));
    }
    Ok(serde_json::from_slice(response.body())?)
}
