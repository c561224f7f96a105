//! Plain HTTP as any program would speak it, on the version that a check is about.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::failure::{Failure, ensure};

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http {
    /// HTTP/1.1.
    One,
    /// HTTP/2 with prior knowledge.
    Two,
}

/// Sends one request and reads the whole answer.
pub(crate) async fn send(http: Http, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Failure> {
    let mut client = Client::builder(TokioExecutor::new());
    let client = client.http2_only(http == Http::Two).build_http();
    let (parts, body) = client.request(request).await?.into_parts();
    let expected = if http == Http::Two { Version::HTTP_2 } else { Version::HTTP_11 };
    ensure("the answer came in another HTTP version", parts.version == expected)?;
    Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
}

/// Gets a URL.
pub(crate) async fn get(http: Http, url: &str) -> Result<Response<Bytes>, Failure> {
    send(http, Request::get(url).body(Full::default())?).await
}

/// Gets a URL's JSON over HTTP/1.1.
pub(crate) async fn get_json(url: &str) -> Result<Value, Failure> {
    json(get(Http::One, url).await?)
}

/// Posts JSON over HTTP/1.1 and reads the JSON that comes back.
pub(crate) async fn post_json(url: &str, body: &Value) -> Result<Value, Failure> {
    let body = Full::new(Bytes::from(body.to_string()));
    json(send(Http::One, Request::builder().method(Method::POST).uri(url).body(body)?).await?)
}

fn json(response: Response<Bytes>) -> Result<Value, Failure> {
    if response.status() != StatusCode::OK {
        return Err(Failure(format!("answered {}", response.status())));
    }
    Ok(serde_json::from_slice(response.body())?)
}
