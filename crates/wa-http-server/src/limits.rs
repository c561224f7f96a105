//! The limits of one connection and of all of them together, in one place (RFC 9112 §9.5, RFC 9113 §10.5).

use std::time::Duration;

/// The limits of one connection and of all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// How many connections are served at a time; further ones wait in the operating system's queue.
    pub connections: usize,
    /// How many of them one address may have, or one IPv6 network of 64 bits; further ones are closed at once.
    pub connections_per_address: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a new connection may take to show its first bytes, and a proxy to say for whom it connects.
    pub first_bytes: Duration,
    /// How long a head of HTTP/1.1 may take, from its first byte to its last. On HTTP/2 a head that is not whole lets no
    /// ping be answered, and ends with that.
    pub head: Duration,
    /// How long a request's body may pause, and be slower than its rate; it ends that request only.
    pub body_idle: Duration,
    /// How many bytes a second a body must bring, and a peer must take of an answer.
    pub bytes_a_second: u32,
    /// How long an answer may take, from when its request is whole; waiting for the peer's bytes does not count.
    pub handler: Duration,
    /// How long an answer is kept for a peer that takes nothing of it, or is slower than its rate; and how long a
    /// connection on which nothing at all is taken.
    pub write_stall: Duration,
    /// How long an HTTP/1.1 connection may wait for its next request.
    pub idle: Duration,
    /// How long an HTTP/2 connection may be without a request, even if it answers pings.
    pub http2_idle: Duration,
    /// How long a connection lives before it is asked to end, give or take a tenth.
    pub age: Duration,
    /// How long a connection that was asked to end for its age may take to finish what it has begun.
    pub linger: Duration,
    /// How long connections may take to finish what they have begun when the server ends.
    pub drain: Duration,
    /// Whether a request of HTTP/1.0 must name a host too; health checks of old balancers do not.
    pub host_required: bool,
}

impl ConnectionLimits {
    /// These limits with another number of connections, all of which one address may have.
    #[must_use]
    pub const fn with_connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self.connections_per_address = connections;
        self
    }

    /// How often a busy connection is looked at: often enough for the shortest of its limits.
    pub(crate) fn tick(&self) -> Duration {
        let limits = [self.head, self.body_idle, self.write_stall, self.idle, self.http2_idle];
        let shortest = limits.into_iter().min().unwrap_or_default();
        (shortest / 8).clamp(Duration::from_millis(5), Duration::from_secs(1))
    }
}

impl Default for ConnectionLimits {
    /// 1024 connections, 256 for one address; 10 s for a handshake, the first bytes and a head; bodies pause for at
    /// most 15 s and bring 512 bytes a second; answers take 15 s and are taken within 45 s; 75 s until the next
    /// request, five minutes on HTTP/2; ten minutes of life, up to an hour more for what has begun; 10 s to end.
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_address: 256,
            handshake: Duration::from_secs(10),
            first_bytes: Duration::from_secs(10),
            head: Duration::from_secs(10),
            body_idle: Duration::from_secs(15),
            bytes_a_second: 512,
            handler: Duration::from_secs(15),
            write_stall: Duration::from_secs(45),
            idle: Duration::from_secs(75),
            http2_idle: Duration::from_secs(300),
            age: Duration::from_secs(600),
            linger: Duration::from_secs(3600),
            drain: Duration::from_secs(10),
            host_required: true,
        }
    }
}

/// How many bytes and fields a request's head may have, and how many bytes its target.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;
pub(crate) const HEAD_FIELDS_MAX: usize = 100;
pub(crate) const TARGET_BYTES_MAX: usize = 4 * 1024;
/// HTTP/2: how many requests at a time, and how much reset or unanswered before the connection is closed.
pub(crate) const STREAMS_MAX: u32 = 100;
pub(crate) const RESETS_MAX: usize = 20;
/// HTTP/2: how much a peer may send unasked, in one request and in all; uploads of media are the only long bodies.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 512 * 1024;
/// HTTP/2: how much of an answer is kept for a peer that does not take it.
pub(crate) const SEND_BUFFER_BYTES: usize = 64 * 1024;
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(20);
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// A large answer is given to hyper in pieces of so many bytes: one of them is all that is kept for a peer that takes
/// nothing.
pub(crate) const PIECE_BYTES: usize = 32 * 1024;
/// HTTP/2: how many answers of one connection may be given up before it is asked to end.
pub(crate) const STALLED_ANSWERS_MAX: usize = 32;
/// How long a connection that is asked to end is left open for a request that may be on its way.
pub(crate) const QUIET: Duration = Duration::from_millis(500);
/// How long a connection that was idle for too long may take to say goodbye.
pub(crate) const GOODBYE: Duration = Duration::from_secs(5);
