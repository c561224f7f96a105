//! Requests without a pause to a socket that one process after another serves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wa_http::{HttpClient as _, HttpError, HttpLimits, HyperClient, PlainHttp};

/// Load of three kinds: HTTP/1.1 connections that stay until the server says that an answer is the last, HTTP/1.1
/// connections for one request each, and HTTP/2 with four requests at a time.
#[derive(Debug)]
pub struct Succession {
    counting: Arc<Counting>,
    asking: JoinSet<()>,
}

/// How many requests of each kind were answered, and how many were not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Over HTTP/1.1, on connections that stay.
    pub keeping: u64,
    /// Over HTTP/1.1, on a connection each.
    pub opening: u64,
    /// Requests over HTTP/2.
    pub http2: u64,
    /// Over HTTP/2, ended without an answer and asked once more: GOAWAY may cross a request, and those after the one that
    /// it names may be repeated (RFC 9113 §6.8). Browsers do so by themselves; hyper leaves it to its caller.
    pub again: u64,
    /// Not answered, or with another answer.
    pub failed: u64,
    /// What happened to the last of those.
    pub failure: Option<String>,
}

#[derive(Debug, Default)]
struct Counting {
    stop: AtomicBool,
    keeping: AtomicU64,
    opening: AtomicU64,
    http2: AtomicU64,
    again: AtomicU64,
    failed: AtomicU64,
    failure: std::sync::Mutex<Option<String>>,
}

impl Succession {
    /// Begins to ask.
    pub fn begin(target: SocketAddr, path: &'static str) -> Self {
        let counting = Arc::new(Counting::default());
        let mut asking = JoinSet::new();
        for _ in 0..CONNECTIONS {
            asking.spawn(http1(target, path, true, Arc::clone(&counting)));
            asking.spawn(http1(target, path, false, Arc::clone(&counting)));
            let client = HyperClient::new(HttpLimits::default().with_total(PATIENCE))
                .with_plain_http(PlainHttp::Http2PriorKnowledge);
            let url = format!("http://{target}{path}");
            for _ in 0..STREAMS {
                asking.spawn(http2(client.clone(), url.clone(), Arc::clone(&counting)));
            }
        }
        Self { counting, asking }
    }

    /// Lets what is under way end, and counts.
    pub async fn end(mut self) -> Asked {
        self.counting.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.asking.join_next().await {
            if let Err(error) = ended {
                self.counting.note::<()>(&self.counting.keeping, Err(error.to_string()));
            }
        }
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Asked {
            keeping: count(&self.counting.keeping),
            opening: count(&self.counting.opening),
            http2: count(&self.counting.http2),
            again: count(&self.counting.again),
            failed: count(&self.counting.failed),
            failure: self.counting.failure.lock().ok().and_then(|mut failure| failure.take()),
        }
    }
}

impl Counting {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn note<T>(&self, count: &AtomicU64, answer: Result<T, String>) -> Option<T> {
        let count = if answer.is_ok() { count } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
        answer.map_err(|failure| self.failure.lock().map(|mut last| last.replace(failure))).ok()
    }
}

/// Connections of each kind.
const CONNECTIONS: usize = 8;
const STREAMS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(30);

async fn http1(target: SocketAddr, path: &str, keeps: bool, counting: Arc<Counting>) {
    let close = if keeps { "" } else { "connection: close\r\n" };
    let request = format!("GET {path} HTTP/1.1\r\nhost: {target}\r\n{close}\r\n");
    let count = if keeps { &counting.keeping } else { &counting.opening };
    while counting.goes_on() {
        let stream = TcpStream::connect(target).await.map_err(|error| error.to_string());
        let mut stream = match stream {
            Ok(stream) => stream,
            Err(failure) => {
                counting.note::<()>(count, Err(failure));
                continue;
            }
        };
        while counting.goes_on() {
            let answer = tokio::time::timeout(PATIENCE, ask(&mut stream, &request)).await;
            let answer = answer.unwrap_or_else(|_| Err("no answer in time".to_owned()));
            if counting.note(count, answer).is_none_or(|is_last| is_last) {
                break;
            }
        }
    }
}

/// Whether the answer is the last on its connection.
async fn ask(stream: &mut TcpStream, request: &str) -> Result<bool, String> {
    stream.write_all(request.as_bytes()).await.map_err(|error| format!("not sent: {error}"))?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"]}") {
        match stream.read_buf(&mut answer).await {
            Ok(0) => return Err(format!("closed after {} bytes", answer.len())),
            Ok(_) => {}
            Err(error) => return Err(format!("after {} bytes: {error}", answer.len())),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    if !answer.starts_with("HTTP/1.1 200 ") {
        return Err(answer.lines().next().unwrap_or_default().to_owned());
    }
    Ok(answer.contains("connection: close\r\n"))
}

async fn http2(client: HyperClient, url: String, counting: Arc<Counting>) {
    while counting.goes_on() {
        let mut answer = get(&client, &url).await;
        if answer == Err(HttpError::Interrupted) {
            counting.again.fetch_add(1, Ordering::Relaxed);
            answer = get(&client, &url).await;
        }
        let answer = answer.map_err(|error| error.to_string()).and_then(|is_whole| match is_whole {
            true => Ok(()),
            false => Err("another answer over HTTP/2".to_owned()),
        });
        counting.note(&counting.http2, answer);
    }
}

/// Whether the answer is the whole key set.
async fn get(client: &HyperClient, url: &str) -> Result<bool, HttpError> {
    let request = Request::get(url).body(Bytes::new()).map_err(|_| HttpError::Uri)?;
    let answer = client.send(request).await?;
    Ok(answer.status() == StatusCode::OK && answer.body().ends_with(b"]}"))
}
