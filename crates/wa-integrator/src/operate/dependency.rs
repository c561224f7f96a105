//! What this server leans on that others lean on too: whether it is there is told, and takes no replica out of service.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::store::Store;

/// The store, the object store, somebody's keys: each with a name, and whether it answered when it was asked last.
///
/// All replicas share them, so one that is away makes its own routes answer 503 everywhere. A balancer that took every
/// replica out for it would take the other routes away too.
#[derive(Clone, Default)]
pub struct Dependencies(Vec<Dependency>);

#[derive(Clone)]
struct Dependency {
    name: &'static str,
    is_up: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Dependencies {
    /// A list without dependencies.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more, which must answer at once.
    #[must_use]
    pub fn with(mut self, name: &'static str, is_up: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.0.push(Dependency { name, is_up: Arc::new(is_up) });
        self
    }

    /// These, and the store; it is up for as long as what is given back with it [says so](StoreWatch::watch).
    #[must_use]
    pub fn with_store(self) -> (Self, StoreWatch) {
        let watch = StoreWatch(Arc::new(AtomicBool::new(true)));
        let shown = watch.clone();
        (self.with("store", move || shown.0.load(Ordering::Relaxed)), watch)
    }

    /// Every name, and whether it answers.
    pub fn states(&self) -> impl Iterator<Item = (&'static str, bool)> {
        self.0.iter().map(|dependency| (dependency.name, (dependency.is_up)()))
    }

    /// The names of those that are away.
    #[must_use]
    pub fn away(&self) -> Vec<&'static str> {
        self.states().filter(|(_, is_up)| !is_up).map(|(name, _)| name).collect()
    }
}

/// Whether the store answers.
#[derive(Clone, Debug)]
pub struct StoreWatch(Arc<AtomicBool>);

impl StoreWatch {
    /// Asks the store each `interval`, without end.
    pub async fn watch(self, store: Arc<dyn Store>, interval: Duration) {
        loop {
            let answer = store.check().await;
            if let (true, Err(error)) = (self.0.load(Ordering::Relaxed), &answer) {
                tracing::error!(%error, "the store does not answer");
            }
            self.0.store(answer.is_ok(), Ordering::Relaxed);
            tokio::time::sleep(interval).await;
        }
    }
}

impl fmt::Debug for Dependencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dependencies").field("away", &self.away()).finish_non_exhaustive()
    }
}
