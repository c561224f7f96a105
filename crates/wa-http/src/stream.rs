//! Bodies that are too large to be whole: uploads and downloads of media (overview §4.1).

use std::future::Future;
use std::io;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use tokio::task::JoinHandle;

use crate::HttpError;

/// Sends a request whose body comes piece by piece, and gives the response before its body has come.
///
/// Like [`HttpClient`](crate::HttpClient) it follows no redirects and retries nothing that may have reached the peer.
/// It bounds no body: the reader of a body counts its bytes.
pub trait StreamingClient: Send + Sync {
    /// Sends `request`, whose URI is absolute.
    ///
    /// # Errors
    /// [`HttpError`]; any HTTP status is a response, not an error.
    fn stream(
        &self,
        request: Request<BodyStream>,
    ) -> impl Future<Output = Result<Response<BodyStream>, HttpError>> + Send;
}

impl<C: StreamingClient> StreamingClient for &C {
    fn stream(
        &self,
        request: Request<BodyStream>,
    ) -> impl Future<Output = Result<Response<BodyStream>, HttpError>> + Send {
        C::stream(self, request)
    }
}

/// A body, piece by piece.
pub struct BodyStream {
    body: UnsyncBoxBody<Bytes, HttpError>,
    /// Pieces that were taken out of it.
    taken: Arc<AtomicU64>,
    /// How long the next piece may take.
    pause: Option<Duration>,
}

impl BodyStream {
    /// What this body gives.
    pub fn new(body: impl Body<Data = Bytes, Error = HttpError> + Send + 'static) -> Self {
        Self { body: body.boxed_unsync(), taken: Arc::default(), pause: None }
    }

    /// A body without bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(Empty::new().map_err(|never| match never {}))
    }

    /// A body of these bytes.
    #[must_use]
    pub fn whole(bytes: Bytes) -> Self {
        Self::new(Full::new(bytes).map_err(|never| match never {}))
    }

    /// The next `length` bytes of what `reader` gives, read off the async threads, a piece at a time.
    pub fn reader(reader: impl Read + Send + 'static, length: u64) -> Self {
        Self::new(Reader { state: State::Ready(Box::new(reader)), left: length })
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`HttpError::Interrupted`] when it broke off, [`HttpError::Timeout`] when it paused for too long.
    pub async fn next_bytes(&mut self) -> Option<Result<Bytes, HttpError>> {
        loop {
            let frame = match self.pause {
                Some(pause) => match tokio::time::timeout(pause, self.body.frame()).await {
                    Ok(frame) => frame,
                    Err(_) => return Some(Err(HttpError::Timeout)),
                },
                None => self.body.frame().await,
            };
            match frame?.map(Frame::into_data) {
                Ok(Ok(bytes)) => return Some(Ok(bytes)),
                Ok(Err(_)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// A count that rises with every piece.
    #[cfg(feature = "hyper")]
    pub(crate) fn taken(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.taken)
    }

    /// This body, whose pieces may each take so long.
    #[cfg(feature = "hyper")]
    pub(crate) fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = Some(pause);
        self
    }
}

impl Body for BodyStream {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_ready() {
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl std::fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BodyStream(..)")
    }
}

/// How much is read at a time.
const PIECE: usize = 256 * 1024;

struct Reader {
    state: State,
    left: u64,
}

enum State {
    Ready(Box<dyn Read + Send>),
    Reading(JoinHandle<io::Result<(Box<dyn Read + Send>, Bytes)>>),
    Failed,
}

impl Body for Reader {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut reading = match std::mem::replace(&mut self.state, State::Failed) {
            State::Ready(reader) => {
                let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE);
                tokio::task::spawn_blocking(move || read(reader, length))
            }
            State::Reading(reading) => reading,
            State::Failed => return Poll::Ready(Some(Err(HttpError::Body))),
        };
        match Pin::new(&mut reading).poll(context) {
            Poll::Pending => {
                self.state = State::Reading(reading);
                Poll::Pending
            }
            Poll::Ready(Ok(Ok((reader, bytes)))) if !bytes.is_empty() => {
                self.left -= bytes.len() as u64;
                self.state = State::Ready(reader);
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Poll::Ready(_) => Poll::Ready(Some(Err(HttpError::Body))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn read(mut reader: Box<dyn Read + Send>, length: usize) -> io::Result<(Box<dyn Read + Send>, Bytes)> {
    let mut bytes = BytesMut::zeroed(length);
    loop {
        match reader.read(&mut bytes) {
            Ok(count) => {
                bytes.truncate(count);
                return Ok((reader, bytes.freeze()));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
