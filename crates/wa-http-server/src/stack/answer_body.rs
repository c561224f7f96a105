//! An answer's body as hyper takes it. A large one is read by a task of its own, piece by piece as the peer takes it: a
//! peer that takes nothing is left with one piece, and whatever the body holds is let go.
//!
//! hyper polls a body before the peer has room for what it gives, and an answer cannot be reset from outside
//! (hyperium/hyper#1628). So a stalled answer cannot be ended here; what it costs can.

use std::error::Error;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tower::BoxError;

use crate::connection::{UnderWay, Watch};
use crate::limits::PIECE_BYTES;
use crate::wire::Pace;

/// The body of an answer, under way until it is dropped.
pub(crate) struct AnswerBody<B> {
    kind: Kind<B>,
    under_way: UnderWay,
}

enum Kind<B> {
    /// Small, and so given as it is.
    Whole(Pin<Box<B>>),
    Fed(Fed),
}

/// The end that hyper takes pieces from.
struct Fed {
    pieces: mpsc::Receiver<Piece>,
    /// One permit for each piece that hyper has room for.
    wanted: Arc<Semaphore>,
    /// Whether a piece was asked for and has not come.
    asked: bool,
    ended: bool,
    size: SizeHint,
}

/// What a feeding task sends: a part of the body, its end, or why it breaks off.
type Piece = Result<Option<Frame<Bytes>>, BoxError>;

/// An answer broke off, because nobody took it for too long.
#[derive(Debug)]
struct GivenUp;

impl<B> AnswerBody<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new(body: B, mut under_way: UnderWay, watch: &Watch) -> Self {
        under_way.answer();
        let small = body.size_hint().upper().is_some_and(|bytes| bytes <= PIECE_BYTES as u64);
        let kind = if small { Kind::Whole(Box::pin(body)) } else { Kind::Fed(Fed::from_body(body, watch)) };
        Self { kind, under_way }
    }
}

impl Fed {
    fn from_body<B>(body: B, watch: &Watch) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (sender, pieces) = mpsc::channel(1);
        let wanted = Arc::new(Semaphore::new(0));
        let size = body.size_hint();
        let feeding =
            Feeding { sender, wanted: Arc::clone(&wanted), pace: Pace::default(), watch: watch.clone() };
        tokio::spawn(feeding.feed(body));
        Self { pieces, wanted, asked: false, ended: false, size }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if !std::mem::replace(&mut self.asked, true) {
            self.wanted.add_permits(1);
        }
        let piece = ready!(self.pieces.poll_recv(context));
        self.asked = false;
        self.ended = !matches!(piece, Some(Ok(Some(_))));
        Poll::Ready(match piece {
            Some(Ok(Some(frame))) => Some(Ok(frame)),
            Some(Ok(None)) => None,
            Some(Err(error)) => Some(Err(error)),
            None => Some(Err(Box::new(GivenUp))),
        })
    }
}

/// The task that reads a body as its pieces are wanted.
struct Feeding {
    sender: mpsc::Sender<Piece>,
    wanted: Arc<Semaphore>,
    pace: Pace,
    watch: Watch,
}

impl Feeding {
    async fn feed<B>(mut self, body: B)
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<BoxError>,
    {
        let mut body = pin!(body);
        loop {
            if !self.is_wanted().await {
                return;
            }
            // What never comes is not waited for without somebody who takes it.
            let read = tokio::select! {
                biased;
                read = body.frame() => read,
                () = self.sender.closed() => return,
            };
            match read.transpose().map_err(Into::into) {
                Ok(Some(frame)) => {
                    if !self.give(frame).await {
                        return;
                    }
                }
                last => {
                    let _ = self.sender.send(last).await;
                    return;
                }
            }
        }
    }

    /// Gives a frame piece by piece; the first is wanted already. Whether to go on.
    async fn give(&mut self, frame: Frame<Bytes>) -> bool {
        let mut data = match frame.into_data() {
            Ok(data) => data,
            Err(trailers) => return self.sender.send(Ok(Some(trailers))).await.is_ok(),
        };
        loop {
            let piece = data.split_to(data.len().min(PIECE_BYTES));
            self.pace.moved(piece.len(), Instant::now());
            if self.sender.send(Ok(Some(Frame::data(piece)))).await.is_err() {
                return false;
            }
            if data.is_empty() {
                return true;
            }
            if !self.is_wanted().await {
                return false;
            }
        }
    }

    /// Waits until a piece is wanted; `false` when the answer is gone, or nobody took it in time.
    async fn is_wanted(&mut self) -> bool {
        let now = Instant::now();
        self.pace.wait(now);
        let limits = self.watch.limits();
        let end = self.pace.deadline(now, limits.write_stall, limits.bytes_a_second);
        tokio::select! {
            biased;
            wanted = self.wanted.acquire() => match wanted {
                Ok(permit) => permit.forget(),
                Err(_) => return false,
            },
            () = self.sender.closed() => return false,
            () = tokio::time::sleep_until(end.max(now + Duration::from_millis(1))) => {
                self.watch.give_up_answer();
                return false;
            }
        }
        self.pace.moved(0, Instant::now());
        true
    }
}

impl<B> Body for AnswerBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let frame = ready!(match &mut this.kind {
            Kind::Whole(body) => {
                body.as_mut().poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            Kind::Fed(fed) => fed.poll_piece(context),
        });
        this.under_way.moved();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole(body) => body.is_end_stream(),
            Kind::Fed(fed) => fed.ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(body) => body.size_hint(),
            Kind::Fed(fed) => fed.size,
        }
    }
}

impl<B> fmt::Debug for AnswerBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerBody(..)")
    }
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer was given up, because nobody took it")
    }
}

impl Error for GivenUp {}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::connection::Protocol;
    use crate::limits::ConnectionLimits;
    use crate::observe::Observer;

    /// A body whose first piece never comes; it holds the sender for as long as it lives.
    struct Never(#[expect(dead_code, reason = "held")] mpsc::Sender<()>);

    impl Body for Never {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_let_go_with_its_answer() {
        let (held, mut let_go) = mpsc::channel(1);
        let watch = Watch::new(Protocol::Http1, ConnectionLimits::default(), Observer::default());
        let mut answer = AnswerBody::new(Never(held), watch.begin(), &watch);
        let asked = poll_fn(|context| Poll::Ready(Pin::new(&mut answer).poll_frame(context).is_pending()));
        assert!(asked.await);
        tokio::task::yield_now().await;
        drop(answer);
        let let_go = tokio::time::timeout(Duration::from_secs(1), let_go.recv()).await;
        assert_eq!(let_go, Ok(None), "the task that reads it ends with the answer");
    }
}
