//! What a server tells an observer: connections, and requests that it answered for their handlers.

use std::fmt;
use std::sync::Arc;

/// Something that happened to a server. Every label is one of a few fixed texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection was accepted.
    Opened,
    /// A connection is gone, whatever became of it.
    Closed,
    /// A connection was refused before its first request, for this reason.
    Refused(&'static str),
    /// A connection that was served ended, for this reason.
    Ended(&'static str),
    /// One request or answer was given up, for this reason, and its connection went on if it could.
    StreamEnded(&'static str),
    /// A request of this route was answered 503, because its handler took too long.
    TimedOut(&'static str),
    /// A request of this route was answered 500, because its handler panicked.
    Panicked(&'static str),
    /// The certificate's files were read: `changed`, `unchanged` or `failed`.
    CertificateRead(&'static str),
    /// The certificate in use expires at this time, in Unix seconds.
    CertificateExpires(u64),
}

/// Counts what happens.
pub trait Observe: Send + Sync + 'static {
    /// Takes note of an event; must not block.
    fn note(&self, event: Event);
}

/// The observer, shared by its clones.
#[derive(Clone)]
pub(crate) struct Observer(Arc<dyn Observe>);

struct Nobody;

impl Observer {
    pub(crate) fn new(observe: impl Observe) -> Self {
        Self(Arc::new(observe))
    }

    pub(crate) fn note(&self, event: Event) {
        self.0.note(event);
    }
}

impl Default for Observer {
    fn default() -> Self {
        Self(Arc::new(Nobody))
    }
}

impl Observe for Nobody {
    fn note(&self, _: Event) {}
}

impl<O: Observe> Observe for Arc<O> {
    fn note(&self, event: Event) {
        O::note(self, event);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
