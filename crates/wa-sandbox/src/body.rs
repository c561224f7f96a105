//! The bodies of the sandbox's answers: whole ones, ones that break off on purpose, and events without an end.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// Events that may wait for a slow reader.
pub(crate) const MAX_EVENTS: usize = 256;

/// A body that may break off, or go on.
#[derive(Debug)]
pub(crate) struct SandboxBody {
    body: Full<Bytes>,
    /// Everything that it says, where that is known before.
    whole: Option<Bytes>,
    then: Then,
}

#[derive(Debug)]
enum Then {
    /// The body has ended.
    End,
    /// It breaks off once what was written before is on its way.
    Break,
    /// It breaks off.
    Broken,
    /// Pieces as they come, without an end of their own.
    Events(mpsc::Receiver<Bytes>),
}

/// It broke off.
#[derive(Debug, thiserror::Error)]
#[error("broken off on purpose")]
pub(crate) struct BrokenOff;

impl SandboxBody {
    /// These bytes, and then the connection breaks.
    pub(crate) fn breaking(bytes: Bytes) -> Self {
        Self { body: Full::new(bytes), whole: None, then: Then::Break }
    }

    /// These bytes, and then each that comes, until nobody sends any more.
    pub(crate) fn events(first: Bytes, events: mpsc::Receiver<Bytes>) -> Self {
        Self { body: Full::new(first), whole: None, then: Then::Events(events) }
    }

    /// Everything that it says, unless it breaks off or goes on.
    pub(crate) fn whole(&self) -> Option<Bytes> {
        self.whole.clone()
    }
}

impl From<Bytes> for SandboxBody {
    fn from(whole: Bytes) -> Self {
        Self { body: Full::new(whole.clone()), whole: Some(whole), then: Then::End }
    }
}

impl Body for SandboxBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Poll::Ready(Some(frame)) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(Some(frame.map_err(|never: Infallible| match never {})));
        }
        match &mut self.then {
            Then::End => Poll::Ready(None),
            Then::Break => {
                // What was written before is to arrive: waiting is when it is sent.
                self.then = Then::Broken;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Then::Broken => Poll::Ready(Some(Err(BrokenOff))),
            Then::Events(events) => {
                events.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
            }
        }
    }

    /// A whole body has a length, which the answer then says (overview §4.1.1).
    fn size_hint(&self) -> SizeHint {
        match self.then {
            Then::End => self.body.size_hint(),
            _ => SizeHint::default(),
        }
    }
}
