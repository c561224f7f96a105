//! What runs beside the requests, begun again when it ends: a panic in the sweep of media must not be its last one.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::counter;
use tokio::task::JoinSet;
use tokio::time::Instant;

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tasks that never end by themselves, each with its name.
pub(crate) struct Supervised {
    tasks: Vec<Task>,
    /// Whether one of them ends again and again.
    is_lost: Arc<AtomicBool>,
}

struct Task {
    name: &'static str,
    begin: Box<dyn Fn() -> Running + Send>,
}

/// How soon a task begins again.
const PAUSE: Duration = Duration::from_secs(1);
/// So many ends within the span, and only a new process helps.
const ENDS_MAX: usize = 5;
const SPAN: Duration = Duration::from_secs(60);

impl Supervised {
    pub(crate) fn new() -> Self {
        Self { tasks: Vec::new(), is_lost: Arc::default() }
    }

    /// Adds what runs without end.
    pub(crate) fn add<F>(&mut self, name: &'static str, begin: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        counter!("wa_integrator_task_restarts_total", "task" => name).absolute(0);
        self.tasks.push(Task { name, begin: Box::new(move || Box::pin(begin())) });
    }

    /// Whether every task still runs, or will soon.
    pub(crate) fn health(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let is_lost = Arc::clone(&self.is_lost);
        move || !is_lost.load(Ordering::Relaxed)
    }

    /// Begins all of them; they end when the set is dropped.
    pub(crate) fn begin(self) -> JoinSet<()> {
        let mut set = JoinSet::new();
        for task in self.tasks {
            let is_lost = Arc::clone(&self.is_lost);
            set.spawn(task.keep(is_lost));
        }
        set
    }
}

impl Task {
    async fn keep(self, is_lost: Arc<AtomicBool>) {
        let mut ends = VecDeque::new();
        loop {
            // A task of its own, so that its panic is its own.
            let mut one = JoinSet::new();
            one.spawn((self.begin)());
            let panicked = one.join_next().await.is_some_and(|ended| ended.is_err());
            let name = self.name;
            tracing::error!(name, panicked, "a task of the server ended; it begins again");
            counter!("wa_integrator_task_restarts_total", "task" => name).increment(1);
            let now = Instant::now();
            ends.push_back(now);
            while ends.front().is_some_and(|first| now.duration_since(*first) > SPAN) {
                ends.pop_front();
            }
            if ends.len() >= ENDS_MAX && !is_lost.swap(true, Ordering::Relaxed) {
                tracing::error!(name, "it ends again and again; the server should be started anew");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl fmt::Debug for Supervised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.tasks.iter().map(|task| task.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_begins_again_and_one_that_always_does_is_said() {
        let (begun, mut supervised) = (Arc::new(AtomicUsize::new(0)), Supervised::new());
        let counted = Arc::clone(&begun);
        supervised.add("once", move || {
            let before = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                assert!(before > 0, "as asked for");
                std::future::pending().await
            }
        });
        let is_healthy = supervised.health();
        let tasks = supervised.begin();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(begun.load(Ordering::Relaxed), 2);
        assert!(is_healthy());
        drop(tasks);

        let mut supervised = Supervised::new();
        supervised.add("always", || async { panic!("as asked for") });
        let is_healthy = supervised.health();
        let tasks = supervised.begin();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(!is_healthy());
        drop(tasks);
    }
}
