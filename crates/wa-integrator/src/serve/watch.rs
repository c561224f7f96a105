//! The eye on one connection: what is under way on it, since when, and whether that has taken too long.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    ConnectionLimits,
    http1::{Ambiguous, Http1},
    http2::{Flood, Http2, POISON, Stalled},
    pace::Pace,
};

/// What is known of one connection; clones look at the same.
#[derive(Debug, Clone)]
pub(super) struct Watch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: ConnectionLimits,
    /// Requests whose answers are not sent whole.
    under_way: AtomicUsize,
    /// Answers say that they are the last.
    closing: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    protocol: Reading,
    reading: Pace,
    writing: Pace,
    /// When the last bytes came.
    received_at: Instant,
    /// Since when nothing is under way, if that is so.
    idle_since: Instant,
}

#[derive(Debug)]
enum Reading {
    Http1(Http1),
    Http2(Http2),
}

/// The version a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Why a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overdue {
    Idle,
    Head,
    Body,
    Answer,
    Writing,
}

/// What is to be given to hyper in place of the rest of the bytes that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replaced {
    /// How many of the bytes stand.
    pub(super) keep: usize,
    /// What comes after them, before the end.
    pub(super) by: &'static [u8],
}

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay(Watch);

impl Watch {
    pub(super) fn new(protocol: Protocol, limits: ConnectionLimits) -> Self {
        let now = Instant::now();
        let reading = match protocol {
            Protocol::Http1 => Reading::Http1(Http1::new()),
            Protocol::Http2 => Reading::Http2(Http2::new(now)),
        };
        Self(Arc::new(Inner {
            limits,
            under_way: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            state: Mutex::new(State {
                protocol: reading,
                reading: Pace::default(),
                writing: Pace::default(),
                received_at: now,
                idle_since: now,
            }),
        }))
    }

    /// A request begins.
    pub(super) fn begin(&self) -> UnderWay {
        if self.0.under_way.fetch_add(1, Ordering::Relaxed) == 0 {
            let mut state = self.state();
            state.writing.restart();
            state.reading.restart();
        }
        UnderWay(self.clone())
    }

    /// From now on, answers say that they are the last.
    pub(super) fn close(&self) {
        self.0.closing.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Relaxed)
    }

    /// When the peer sent something last.
    pub(super) fn received_at(&self) -> Instant {
        self.state().received_at
    }

    /// hyper wants more and there is nothing.
    pub(super) fn reading_waits(&self) {
        let mut state = self.state();
        let in_body = matches!(&state.protocol, Reading::Http1(http1) if http1.is_in_body());
        if in_body && !state.reading.is_waiting() {
            state.reading.wait(Instant::now());
        }
    }

    /// These bytes came.
    pub(super) fn received(&self, bytes: &[u8]) -> Result<(), Replaced> {
        let now = Instant::now();
        let mut state = self.state();
        state.received_at = now;
        state.reading.moved(bytes.len(), now);
        match &mut state.protocol {
            Reading::Http1(http1) => {
                let read = http1.receive(bytes, now);
                let (too_long, in_body) = (http1.is_too_long(), http1.is_in_body());
                // A head must look whole for hyper to read it, and a body must not end.
                let by: &[u8] = if in_body { b"" } else { b"\0\r\n\r\n" };
                read.map_err(|Ambiguous { at }| Replaced { keep: at, by })?;
                if too_long { Err(Replaced { keep: bytes.len(), by: b"" }) } else { Ok(()) }
            }
            Reading::Http2(http2) => {
                let was_busy = !http2.is_idle();
                let read = http2.receive(bytes, now);
                if was_busy && http2.is_idle() {
                    state.idle_since = now;
                }
                read.map_err(|Flood { at }| match at {
                    Some(at) => Replaced { keep: at, by: &POISON },
                    None => Replaced { keep: 0, by: b"" },
                })
            }
        }
    }

    /// The peer takes nothing more for now.
    pub(super) fn writing_waits(&self) {
        let mut state = self.state();
        if !state.writing.is_waiting() {
            state.writing.wait(Instant::now());
        }
    }

    /// These bytes were sent.
    pub(super) fn sent<'b>(&self, pieces: impl Iterator<Item = &'b [u8]>) {
        let now = Instant::now();
        let mut state = self.state();
        for bytes in pieces {
            state.writing.moved(bytes.len(), now);
            if let Reading::Http2(http2) = &mut state.protocol {
                let was_busy = !http2.is_idle();
                http2.send(bytes, now);
                if was_busy && http2.is_idle() {
                    state.idle_since = now;
                }
            }
        }
    }

    /// Nothing is left to be sent.
    pub(super) fn flushed(&self) {
        let mut state = self.state();
        if state.writing.is_waiting() {
            state.writing.moved(0, Instant::now());
        }
    }

    /// Ready when something has taken too long, with what that is.
    pub(super) async fn overdue(&self) -> Overdue {
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
    pub(super) async fn quiet(&self, time: Duration) {
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
        let reading = match &state.protocol {
            Reading::Http1(http1) => http1.head_since().is_some() || http1.is_in_body(),
            Reading::Http2(http2) => http2.head_since().is_some() || !http2.is_idle(),
        };
        !reading && !state.writing.is_waiting() && self.0.under_way.load(Ordering::Relaxed) == 0
    }

    /// What is overdue, or when to look again.
    fn check(&self, now: Instant) -> Result<Instant, Overdue> {
        let limits = &self.0.limits;
        let is_idle = self.is_idle();
        let state = self.state();
        if state.writing.is_overdue(now, limits.write_stall, limits.bytes_a_second) {
            return Err(Overdue::Writing);
        }
        let (head_since, idle) = match &state.protocol {
            Reading::Http1(http1) => {
                if state.reading.is_overdue(now, limits.body_idle, limits.bytes_a_second) {
                    return Err(Overdue::Body);
                }
                let asked = self.0.under_way.load(Ordering::Relaxed) > 0;
                // A head that came early waits for the answer before it.
                let head = http1.head_since().filter(|_| !asked).map(|since| since.max(state.idle_since));
                (head, limits.idle)
            }
            Reading::Http2(http2) => {
                let answer = limits.handler.saturating_add(limits.write_stall);
                match http2.stalled(now, limits.body_idle, answer, limits.bytes_a_second) {
                    Some(Stalled::Request) => return Err(Overdue::Body),
                    Some(Stalled::Answer) => return Err(Overdue::Answer),
                    None => (http2.head_since(), limits.http2_idle),
                }
            }
        };
        if head_since.is_some_and(|since| now >= since + limits.head) {
            return Err(Overdue::Head);
        }
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

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Self(watch) = self;
        if watch.0.under_way.fetch_sub(1, Ordering::Relaxed) == 1 {
            watch.state().idle_since = Instant::now();
        }
    }
}

impl Overdue {
    /// The label of a metric.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Head => "slow_head",
            Self::Body => "slow_body",
            Self::Answer => "slow_answer",
            Self::Writing => "slow_reader",
        }
    }
}
