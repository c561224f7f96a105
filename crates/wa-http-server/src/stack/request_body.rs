//! A request's body as a service reads it: it must come, and at a rate (slow-body attacks); it ends its own request only.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use thiserror::Error;
use tokio::time::{Instant, Sleep};

use crate::connection::Watch;
use crate::observe::Event;
use crate::wire::Pace;

/// The body of a request, paced.
#[derive(Debug)]
pub struct RequestBody {
    body: Incoming,
    watch: Watch,
    pace: Pace,
    progress: Progress,
    /// Runs while the peer is waited for.
    late: Option<Pin<Box<Sleep>>>,
}

/// Why a request's body broke off; the peer's fault, or the network's.
#[derive(Debug, Error)]
pub enum RequestBodyError {
    /// It paused for too long, or came too slowly.
    #[error("the request's body came too slowly")]
    TooSlow,
    /// The connection, or the request, ended before it was whole.
    #[error("the request's body broke off")]
    Broken(#[source] hyper::Error),
}

/// How far a request's body has come, as the one sees it who limits the answer's time; clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// When something of the request came last.
    since: Instant,
    /// Whether the handler waits for the peer.
    waiting: bool,
}

impl RequestBody {
    pub(crate) fn new(body: Incoming, watch: Watch) -> (Self, Progress) {
        let progress = Progress(Arc::new(Mutex::new(State { since: Instant::now(), waiting: false })));
        let shown = progress.clone();
        (Self { body, watch, pace: Pace::default(), progress, late: None }, shown)
    }

    /// Whether the peer, who is waited for, has had its time.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        self.pace.wait(now);
        self.progress.wait();
        let (pause, rate) = (self.watch.limits().body_idle, self.watch.limits().bytes_a_second);
        if self.pace.is_overdue(now, pause, rate) {
            return Poll::Ready(());
        }
        let end = self.pace.deadline(now, pause, rate);
        let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        late.as_mut().reset(end);
        late.as_mut().poll(context)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) else {
            ready!(this.poll_late(context));
            this.watch.note(Event::StreamEnded("slow_body"));
            return Poll::Ready(Some(Err(RequestBodyError::TooSlow)));
        };
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
            _ => 0,
        };
        this.pace.moved(bytes, Instant::now());
        this.progress.moved();
        this.watch.moved();
        Poll::Ready(frame.map(|frame| frame.map_err(RequestBodyError::Broken)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        // Whatever comes from now on, nobody waits for it.
        self.progress.stop();
    }
}

impl Progress {
    /// When the handler's time began: with the last of the request that it was given; `None` while it waits for more.
    pub(crate) fn since(&self) -> Option<Instant> {
        let state = self.state();
        (!state.waiting).then_some(state.since)
    }

    fn wait(&self) {
        self.state().waiting = true;
    }

    fn moved(&self) {
        *self.state() = State { since: Instant::now(), waiting: false };
    }

    fn stop(&self) {
        let mut state = self.state();
        if state.waiting {
            *state = State { since: Instant::now(), waiting: false };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
