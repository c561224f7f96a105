//! HTTP/2 as it is on the wire: which streams are open, how they move, and how much of it is for nothing (RFC 9113
//! §4.1, §5.1, §10.5).
//!
//! Only the heads of frames are read, in both directions; what is in them is h2's business. h2 ends floods of resets,
//! CONTINUATION and empty DATA by itself; it knows no time, and takes any number of PING, SETTINGS and PRIORITY.

mod allowance;
mod frames;

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use self::{allowance::Allowance, frames::Frames};
use super::pace::earned;

/// The reading of one connection's frames.
#[derive(Debug)]
pub(super) struct Http2 {
    incoming: Frames,
    outgoing: Frames,
    streams: BTreeMap<u32, Stream>,
    highest: u32,
    /// Since when a block of header fields has been begun and is not whole.
    head_since: Option<Instant>,
    allowance: Allowance,
}

/// A request and its answer.
#[derive(Debug, Clone, Copy)]
struct Stream {
    /// Since when the present half has been going on, and with how many bytes.
    since: Instant,
    bytes: u64,
    /// When it moved last.
    moved: Instant,
    /// Whether the request is whole.
    asked: bool,
}

/// Too much that asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flood {
    /// Where the frame begins that is one too many, among the bytes that came; none if it began before them.
    pub(super) at: Option<usize>,
}

/// What is wrong with a connection's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stalled {
    Request,
    Answer,
}

impl Http2 {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            incoming: Frames::after_preface(),
            outgoing: Frames::default(),
            streams: BTreeMap::new(),
            highest: 0,
            head_since: None,
            allowance: Allowance::new(now),
        }
    }

    /// Reads what came.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<(), Flood> {
        let mut incoming = std::mem::take(&mut self.incoming);
        let read = incoming.read(bytes, |frame, at| {
            self.receive_frame(frame, now);
            if self.allowance.is_used_up() { Err(Flood { at }) } else { Ok(()) }
        });
        self.incoming = incoming;
        read
    }

    /// Reads what was sent.
    pub(super) fn send(&mut self, bytes: &[u8], now: Instant) {
        let mut outgoing = std::mem::take(&mut self.outgoing);
        let read = outgoing.read(bytes, |frame, _| {
            self.send_frame(frame, now);
            Ok::<(), std::convert::Infallible>(())
        });
        self.outgoing = outgoing;
        let Ok(()) = read;
    }

    pub(super) const fn head_since(&self) -> Option<Instant> {
        self.head_since
    }

    /// Whether no request is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// A stream that has not moved for too long, or moves too slowly: a request for `pause`, an answer for `answer`.
    pub(super) fn stalled(
        &self,
        now: Instant,
        pause: Duration,
        answer: Duration,
        bytes_a_second: u32,
    ) -> Option<Stalled> {
        self.streams.values().find_map(|stream| {
            let still = now.saturating_duration_since(stream.moved);
            let going = now.saturating_duration_since(stream.since);
            let (limit, what) =
                if stream.asked { (answer, Stalled::Answer) } else { (pause, Stalled::Request) };
            let slow = going >= limit.saturating_add(earned(stream.bytes, bytes_a_second));
            (still >= limit || slow).then_some(what)
        })
    }

    fn receive_frame(&mut self, frame: frames::Head, now: Instant) {
        self.allowance.refill(now);
        match frame.kind {
            frames::DATA => {
                if frame.length == 0 && !frame.ends_stream() {
                    self.allowance.take(1);
                }
                self.allowance.earn(frame.length);
                self.moved(frame, now);
            }
            frames::HEADERS => {
                if frame.stream > self.highest {
                    self.highest = frame.stream;
                    let stream = Stream { since: now, bytes: 0, moved: now, asked: false };
                    self.streams.insert(frame.stream, stream);
                }
                self.moved(frame, now);
                self.head_since = (!frame.ends_headers()).then_some(now);
            }
            frames::CONTINUATION => {
                self.allowance.take(1);
                if frame.ends_headers() {
                    self.head_since = None;
                }
            }
            frames::RST_STREAM => {
                self.allowance.take(1);
                self.streams.remove(&frame.stream);
            }
            // One SETTINGS may have thousands of entries.
            _ => self.allowance.take(1 + frame.length / 64),
        }
    }

    /// Something of the request came.
    fn moved(&mut self, frame: frames::Head, now: Instant) {
        if let Some(stream) = self.streams.get_mut(&frame.stream) {
            stream.moved = now;
            stream.bytes += u64::from(frame.length);
            if frame.ends_stream() {
                *stream = Stream { since: now, bytes: 0, moved: now, asked: true };
            }
        }
    }

    fn send_frame(&mut self, frame: frames::Head, now: Instant) {
        match frame.kind {
            frames::DATA | frames::HEADERS => {
                self.allowance.earn(frame.length);
                if frame.ends_stream() {
                    self.streams.remove(&frame.stream);
                    self.allowance.earn_answer();
                } else if let Some(stream) = self.streams.get_mut(&frame.stream) {
                    stream.moved = now;
                    stream.bytes += u64::from(frame.length);
                }
            }
            frames::RST_STREAM => drop(self.streams.remove(&frame.stream)),
            _ => {}
        }
    }
}

/// What makes h2 end the connection with GOAWAY: a PING without the eight bytes it must have.
pub(super) const POISON: [u8; 9] = [0, 0, 0, 6, 0, 0, 0, 0, 0];

#[cfg(test)]
mod tests;
