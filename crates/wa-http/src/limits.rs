//! The limits of one HTTP exchange.

use std::time::Duration;

/// How long an exchange may take and how large its answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpLimits {
    /// How long name lookup, TCP and TLS may take together.
    pub connect: Duration,
    /// How long the whole exchange may take, connecting and the response's body included.
    pub total: Duration,
    /// How long a streamed exchange may go without a byte.
    pub pause: Duration,
    /// How many bytes the response's body may have; enforced while it streams, whatever its headers say.
    pub body_bytes: usize,
}

impl HttpLimits {
    /// These limits with another time for connecting.
    #[must_use]
    pub const fn with_connect(mut self, connect: Duration) -> Self {
        self.connect = connect;
        self
    }

    /// These limits with another time for the whole exchange.
    #[must_use]
    pub const fn with_total(mut self, total: Duration) -> Self {
        self.total = total;
        self
    }

    /// These limits with another longest pause of a streamed exchange.
    #[must_use]
    pub const fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// These limits with another size of the response's body.
    #[must_use]
    pub const fn with_body_bytes(mut self, body_bytes: usize) -> Self {
        self.body_bytes = body_bytes;
        self
    }
}

impl Default for HttpLimits {
    /// 3 s to connect, 10 s in total, 64 KiB of body: enough for key sets and enlistment. Streamed, pauses of 15 s.
    fn default() -> Self {
        let [connect, total, pause] = [3, 10, 15].map(Duration::from_secs);
        Self { connect, total, pause, body_bytes: 64 * 1024 }
    }
}
