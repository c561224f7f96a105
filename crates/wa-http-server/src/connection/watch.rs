//! The state of one connection while it is served: what is under way on it, and whether it still moves.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{ConnectionLimits, STALLED_ANSWERS_MAX};
use crate::observe::{Event, Observer};
use crate::wire::Pace;

/// The state of one connection; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Watch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    protocol: Protocol,
    limits: ConnectionLimits,
    observer: Observer,
    /// Requests whose answers are not sent whole.
    under_way: AtomicUsize,
    /// Those of them whose handlers have answered.
    answering: AtomicUsize,
    /// Answers that were given up, because nobody took them.
    stalled: AtomicUsize,
    /// Answers say that they are the last.
    closing: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    writing: Pace,
    /// When a request or an answer moved last.
    moved_at: Instant,
    /// Since when nothing is under way, if that is so.
    idle_since: Instant,
    /// Since when a head of HTTP/1.1 has been begun and is not whole.
    head_since: Option<Instant>,
}

/// The version a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Why a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// Nothing was asked for too long.
    Idle,
    /// A head of HTTP/1.1 took too long.
    Head,
    /// The peer takes nothing of what is there for it.
    Writing,
    /// Too many answers were given up.
    Stalled,
}

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay {
    watch: Watch,
    answering: bool,
}

impl Watch {
    pub(crate) fn new(protocol: Protocol, limits: ConnectionLimits, observer: Observer) -> Self {
        let now = Instant::now();
        let state = State { writing: Pace::default(), moved_at: now, idle_since: now, head_since: None };
        Self(Arc::new(Inner {
            protocol,
            limits,
            observer,
            under_way: AtomicUsize::new(0),
            answering: AtomicUsize::new(0),
            stalled: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            state: Mutex::new(state),
        }))
    }

    pub(crate) fn limits(&self) -> &ConnectionLimits {
        &self.0.limits
    }

    pub(crate) fn note(&self, event: Event) {
        self.0.observer.note(event);
    }

    /// A request begins.
    pub(crate) fn begin(&self) -> UnderWay {
        let first = self.0.under_way.fetch_add(1, Ordering::Relaxed) == 0;
        let mut state = self.state();
        if first {
            state.writing.restart();
        }
        state.head_since = None;
        state.moved_at = Instant::now();
        UnderWay { watch: self.clone(), answering: false }
    }

    /// A part of a request was read, or a part of an answer was taken.
    pub(crate) fn moved(&self) {
        self.state().moved_at = Instant::now();
    }

    /// An answer was given up, because nobody took it.
    pub(crate) fn give_up_answer(&self) {
        self.0.stalled.fetch_add(1, Ordering::Relaxed);
        self.note(Event::StreamEnded("slow_answer"));
    }

    /// From now on, answers say that they are the last.
    pub(crate) fn close(&self) {
        self.0.closing.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Relaxed)
    }

    /// Something came from the peer.
    pub(crate) fn received(&self) {
        if self.0.protocol == Protocol::Http1 && self.0.under_way.load(Ordering::Relaxed) == 0 {
            self.state().head_since.get_or_insert_with(Instant::now);
        }
    }

    /// The peer takes nothing more for now.
    pub(crate) fn writing_waits(&self) {
        let mut state = self.state();
        if !state.writing.is_waiting() {
            state.writing.wait(Instant::now());
        }
    }

    /// So many bytes were sent, or nothing is left to be sent.
    pub(crate) fn sent(&self, bytes: usize) {
        let mut state = self.state();
        if bytes > 0 || state.writing.is_waiting() {
            state.writing.moved(bytes, Instant::now());
        }
    }

    /// Ready when something has taken too long, with what that is.
    pub(crate) async fn overdue(&self) -> Overdue {
        let tick = self.0.limits.tick();
        let mut sleep = pin!(tokio::time::sleep(tick));
        poll_fn(|context| {
            loop {
                // Whatever begins wakes the connection's task first, and so comes by here.
                if !self.is_idle() && sleep.deadline() > Instant::now() + tick {
                    sleep.as_mut().reset(Instant::now() + tick);
                }
                if sleep.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                let now = Instant::now();
                match self.check(now) {
                    Ok(again) => sleep.as_mut().reset(again.max(now + Duration::from_millis(1))),
                    Err(overdue) => return Poll::Ready(overdue),
                }
            }
        })
        .await
    }

    /// Ready once nothing has been under way for `time`.
    pub(crate) async fn quiet(&self, time: Duration) {
        let mut since = Instant::now();
        loop {
            tokio::time::sleep_until(since + time).await;
            let now = Instant::now();
            since = if self.is_idle() { self.state().idle_since.max(since) } else { now };
            if self.is_idle() && now >= since + time {
                return;
            }
        }
    }

    /// Whether nothing is under way: no request, no answer, not a byte of either.
    fn is_idle(&self) -> bool {
        let state = self.state();
        let waits = state.head_since.is_some() || state.writing.is_waiting();
        !waits && self.0.under_way.load(Ordering::Relaxed) == 0
    }

    /// What is overdue, or when to look again.
    fn check(&self, now: Instant) -> Result<Instant, Overdue> {
        let limits = &self.0.limits;
        let is_idle = self.is_idle();
        let state = self.state();
        if state.writing.is_overdue(now, limits.write_stall, limits.bytes_a_second) {
            return Err(Overdue::Writing);
        }
        // Every handler has answered, and of no answer anything is taken.
        let answering = self.0.answering.load(Ordering::Relaxed);
        let waits = answering > 0 && answering == self.0.under_way.load(Ordering::Relaxed);
        if waits && now >= state.moved_at + limits.write_stall {
            return Err(Overdue::Writing);
        }
        // On HTTP/1.1 one answer is all there is on the connection.
        let stalled_max = if self.0.protocol == Protocol::Http1 { 1 } else { STALLED_ANSWERS_MAX };
        if self.0.stalled.load(Ordering::Relaxed) >= stalled_max && !self.is_closing() {
            return Err(Overdue::Stalled);
        }
        if state.head_since.is_some_and(|since| now >= since + limits.head) {
            return Err(Overdue::Head);
        }
        let idle = if self.0.protocol == Protocol::Http1 { limits.idle } else { limits.http2_idle };
        match state.idle_since + idle {
            until if is_idle && now >= until => Err(Overdue::Idle),
            until if is_idle => Ok(until),
            _ => Ok(now + limits.tick()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    /// The handler has answered; what is left is that somebody takes the answer.
    pub(crate) fn answer(&mut self) {
        if !self.answering {
            self.answering = true;
            self.watch.0.answering.fetch_add(1, Ordering::Relaxed);
            self.watch.moved();
        }
    }

    /// A part of the answer was taken.
    pub(crate) fn moved(&self) {
        self.watch.moved();
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Self { watch, answering } = self;
        if *answering {
            watch.0.answering.fetch_sub(1, Ordering::Relaxed);
        }
        let last = watch.0.under_way.fetch_sub(1, Ordering::Relaxed) == 1;
        let mut state = watch.state();
        state.moved_at = Instant::now();
        if last {
            state.idle_since = state.moved_at;
        }
    }
}

impl Overdue {
    /// The label of a metric.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Head => "slow_head",
            Self::Writing => "slow_reader",
            Self::Stalled => "slow_answers",
        }
    }
}
