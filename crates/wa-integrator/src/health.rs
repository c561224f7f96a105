//! Whether the store answers: what readiness tells between two requests (seed §1.3).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::store::Store;

/// Whether the store answered when it was asked last; clones show the same.
#[derive(Debug, Clone)]
pub struct Health(Arc<AtomicBool>);

impl Health {
    /// One that is good until [`watch`](Self::watch) finds otherwise.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Whether the store answered last.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks the store now and then each `interval`, for ever.
    pub async fn watch(self, store: impl Store, interval: Duration) {
        loop {
            let answer = store.check().await;
            if let (true, Err(error)) = (self.is_good(), &answer) {
                tracing::error!(%error, "the store does not answer");
            }
            self.0.store(answer.is_ok(), Ordering::Relaxed);
            tokio::time::sleep(interval).await;
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}
