//! The server's end in two stages: first it says that it leaves and goes on serving, then it ends what has begun.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// How far a server is on its way to its end; clones are one.
#[derive(Clone, Debug)]
pub struct Drain(Arc<watch::Sender<Phase>>);

/// A [`Drain`] as the server's connections see it.
#[derive(Clone, Debug)]
pub(crate) struct Draining(watch::Receiver<Phase>);

/// The way to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Serving,
    /// Not ready any more, though everything is served: balancers take it out. Connections are asked to end.
    Leaving,
    /// Nothing new is taken.
    Ending,
    /// What is left is cut off.
    Over,
}

impl Drain {
    /// A server that serves.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Serving)))
    }

    /// Says that it leaves: it is not ready any more, and asks its connections to end with their next answer. New
    /// ones are still taken.
    pub fn leave(&self) {
        self.reach(Phase::Leaving);
    }

    /// Takes nothing new and waits for what has begun.
    pub fn end(&self) {
        self.reach(Phase::Ending);
    }

    /// Ends every connection now, whatever is under way.
    pub fn cut(&self) {
        self.reach(Phase::Over);
    }

    /// Whether it is on its way to its end.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        *self.0.borrow() >= Phase::Leaving
    }

    pub(crate) fn draining(&self) -> Draining {
        Draining(self.0.subscribe())
    }

    fn reach(&self, phase: Phase) {
        self.0.send_if_modified(|now| std::mem::replace(now, (*now).max(phase)) < phase);
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl Draining {
    /// Resolves once this phase has been reached.
    pub(crate) async fn reached(&mut self, phase: Phase) {
        // A server whose handle is gone goes on.
        if self.0.wait_for(|now| *now >= phase).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether this phase has been reached.
    pub(crate) fn has_reached(&self, phase: Phase) -> bool {
        *self.0.borrow() >= phase
    }

    /// Resolves `time` after this phase was reached.
    pub(crate) async fn quiet(&mut self, phase: Phase, time: Duration) {
        self.reached(phase).await;
        tokio::time::sleep(time).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_is_no_way_back() {
        let drain = Drain::new();
        let mut draining = drain.draining();
        assert!(!drain.is_leaving());
        drain.clone().end();
        drain.leave();
        draining.reached(Phase::Leaving).await;
        draining.reached(Phase::Ending).await;
        let over = tokio::time::timeout(Duration::from_millis(1), draining.reached(Phase::Over));
        assert!(drain.is_leaving() && over.await.is_err());
        drain.cut();
        draining.reached(Phase::Over).await;
    }
}
