//! What happens, as server-sent events.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{Response, header};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use crate::body::{MAX_EVENTS, SandboxBody};
use crate::shared::Shared;

/// An answer that goes on with each event, or with each of one name, until its reader is gone. One that is too slow misses
/// some, and is told.
pub(super) fn stream(shared: &Arc<Shared>, only: Option<&'static str>) -> Response<SandboxBody> {
    let mut events = shared.events.subscribe();
    let (sender, receiver) = mpsc::channel(MAX_EVENTS);
    tokio::spawn(async move {
        loop {
            let event = match events.recv().await {
                Ok((name, _)) if only.is_some_and(|only| only != name) => continue,
                Ok((name, data)) => format!("event: {name}\ndata: {data}\n\n"),
                Err(RecvError::Lagged(count)) => {
                    format!("event: missed\ndata: {{\"count\":{count}}}\n\n")
                }
                Err(RecvError::Closed) => return,
            };
            if sender.send(Bytes::from(event)).await.is_err() {
                return;
            }
        }
    });
    let mut answer = Response::new(SandboxBody::events(Bytes::from_static(b": events follow\n\n"), receiver));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
