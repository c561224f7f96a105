//! Delivery of stored wake-ups to the sinks: retried, folded together, given up in the end (seed §3.2.1).

use std::{fmt, sync::Arc, time::Duration};

use rand::Rng as _;
use tokio::{sync::Notify, task::JoinSet};
use tracing::Instrument as _;

use crate::{Clock, Outcome, PushSink, StoreError, WakeUp, store::Store};

/// Brings wake-ups from the store to the sinks. Clones are one outbox.
pub struct Outbox<S> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    store: S,
    sinks: Vec<Arc<dyn PushSink>>,
    names: Arc<[String]>,
    bells: Vec<Notify>,
    rules: DeliveryRules,
}

/// How long and how often delivery is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryRules {
    /// The pause after the first failure; it doubles with each.
    pub retry_first: Duration,
    /// The longest pause.
    pub retry_max: Duration,
    /// How many failures make a dead letter.
    pub attempts_max: u32,
    /// How long a delivery may take.
    pub timeout: Duration,
    /// How long a dead letter is kept.
    pub dead_kept: Duration,
    /// How many deliveries to one sink are under way at a time.
    pub at_a_time: usize,
}

impl<S: Store + Clone> Outbox<S> {
    /// The outbox in `store` for these sinks, whose names differ.
    #[must_use]
    pub fn new(store: S, sinks: Vec<Arc<dyn PushSink>>, rules: DeliveryRules) -> Self {
        let names = sinks.iter().map(|sink| sink.name().to_owned()).collect();
        let bells = sinks.iter().map(|_| Notify::new()).collect();
        Self { shared: Arc::new(Shared { store, sinks, names, bells, rules }) }
    }

    /// The names of the sinks.
    #[must_use]
    pub fn sinks(&self) -> Arc<[String]> {
        Arc::clone(&self.shared.names)
    }

    /// Says that something was put into the store.
    pub fn ring(&self) {
        self.shared.bells.iter().for_each(Notify::notify_one);
    }

    /// Delivers for ever, at `clock`'s time.
    pub async fn run(&self, clock: Clock) {
        let mut loops = JoinSet::new();
        for number in 0..self.shared.sinks.len() {
            let (shared, clock) = (Arc::clone(&self.shared), clock.clone());
            loops.spawn(async move { shared.serve(number, &clock).await });
        }
        let shared = Arc::clone(&self.shared);
        loops.spawn(async move { shared.hear().await });
        let (shared, sweeping) = (Arc::clone(&self.shared), clock);
        loops.spawn(async move { shared.sweep(&sweeping).await });
        while loops.join_next().await.is_some() {}
    }

    /// Delivers what is due at `now`, once each; how many deliveries were tried.
    ///
    /// # Errors
    /// [`StoreError`]; what was delivered but could not be noted is delivered again.
    pub async fn deliver_due(&self, now: u64) -> Result<usize, StoreError> {
        let mut tried = 0;
        for number in 0..self.shared.sinks.len() {
            tried += self.shared.deliver(number, now).await?;
        }
        Ok(tried)
    }
}

impl<S: Store + Clone> Shared<S> {
    async fn serve(&self, number: usize, clock: &Clock) {
        loop {
            let now = clock.now();
            let pause = match self.deliver(number, now).await {
                Ok(0) => match self.next_due(number).await {
                    Ok(next) => next.map_or(IDLE, |due| due.saturating_sub(now)),
                    Err(_) => 1,
                },
                Ok(_) => continue,
                Err(error) => {
                    tracing::error!(%error, "wake-ups are not delivered");
                    1
                }
            };
            let Some(bell) = self.bells.get(number) else { return };
            let sleep = tokio::time::sleep(Duration::from_secs(pause.clamp(1, IDLE)));
            tokio::select! {
                () = bell.notified() => {}
                () = sleep => {}
            }
        }
    }

    async fn next_due(&self, number: usize) -> Result<Option<u64>, StoreError> {
        match self.sinks.get(number) {
            Some(sink) => self.store.next_due(sink.name()).await,
            None => Ok(None),
        }
    }

    /// Other servers' wake-ups are ours as well.
    async fn hear(&self) {
        loop {
            self.store.woken().await;
            self.bells.iter().for_each(Notify::notify_one);
        }
    }

    async fn sweep(&self, clock: &Clock) {
        loop {
            let now = clock.now();
            match self.store.sweep(now, now.saturating_sub(self.rules.dead_kept.as_secs())).await {
                Ok(0) => {}
                Ok(swept) => tracing::warn!(swept, "wake-ups that nobody took in time were dropped"),
                Err(error) => tracing::error!(%error, "the outbox was not swept"),
            }
            tokio::time::sleep(SWEEP_EVERY).await;
        }
    }

    async fn deliver(&self, number: usize, now: u64) -> Result<usize, StoreError> {
        let Some(sink) = self.sinks.get(number) else { return Ok(0) };
        let due = self.store.due_wake_ups(sink.name(), now, self.rules.at_a_time).await?;
        let tried = due.len();
        let mut deliveries = JoinSet::new();
        for wake_up in due {
            let (sink, store, rules) = (Arc::clone(sink), self.store.clone(), self.rules);
            let span = tracing::info_span!("deliver", sink = sink.name());
            let delivery = async move {
                let outcome = rules.attempt(sink.as_ref(), &wake_up, now).await;
                store.settle(wake_up, outcome).await.map(|()| outcome)
            };
            deliveries.spawn(delivery.instrument(span));
        }
        let (mut settled, mut retried, mut dead) = (Ok(tried), 0, 0);
        while let Some(delivery) = deliveries.join_next().await {
            match delivery.unwrap_or(Err(StoreError::Unavailable)) {
                Ok(Outcome::Delivered) => {}
                Ok(Outcome::Retry { .. }) => retried += 1,
                Ok(Outcome::Dead { .. }) => dead += 1,
                Err(error) => settled = Err(error),
            }
        }
        // One line, however many: a backend that is away is away for all of them.
        if retried + dead > 0 {
            tracing::warn!(sink = sink.name(), retried, dead, "wake-ups were not taken");
        }
        settled
    }
}

impl DeliveryRules {
    /// These rules with another number of failures that make a dead letter.
    #[must_use]
    pub const fn with_attempts_max(mut self, attempts_max: u32) -> Self {
        self.attempts_max = attempts_max;
        self
    }

    /// The pause before the next try after so many failures before, in seconds; `random` spreads it over the
    /// upper half, so that what failed together does not come back together.
    #[must_use]
    pub fn pause(&self, failures: u32, random: u64) -> u64 {
        let factor = 1_u64.checked_shl(failures.min(32)).unwrap_or(u64::MAX);
        let whole =
            self.retry_first.as_secs().saturating_mul(factor).clamp(1, self.retry_max.as_secs().max(1));
        whole - random % (whole / 2 + 1)
    }

    async fn attempt(self, sink: &dyn PushSink, wake_up: &WakeUp, now: u64) -> Outcome {
        let delivered = tokio::time::timeout(self.timeout, sink.deliver(wake_up)).await;
        let error = match delivered {
            Ok(Ok(())) => return Outcome::Delivered,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the sink took too long".to_owned(),
        };
        let dead = wake_up.attempts.saturating_add(1) >= self.attempts_max;
        tracing::warn!(
            sink = sink.name(),
            attempts = wake_up.attempts,
            dead,
            error,
            "a wake-up was not taken"
        );
        if dead {
            return Outcome::Dead { at: now };
        }
        let pause = self.pause(wake_up.attempts, rand::rng().next_u64());
        Outcome::Retry { at: now.saturating_add(pause) }
    }
}

impl Default for DeliveryRules {
    /// One second to a quarter of an hour between tries, a thousand of them (about ten days), ten seconds each;
    /// dead letters are kept for thirty days; 64 deliveries at a time.
    fn default() -> Self {
        Self {
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(15 * 60),
            attempts_max: 1000,
            timeout: Duration::from_secs(10),
            dead_kept: Duration::from_secs(30 * 24 * 60 * 60),
            at_a_time: 64,
        }
    }
}

impl<S> Clone for Outbox<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S> fmt::Debug for Outbox<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("sinks", &self.shared.names)
            .field("rules", &self.shared.rules)
            .finish_non_exhaustive()
    }
}

/// How long an outbox without work sleeps unless the bell rings, in seconds.
const IDLE: u64 = 30;
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests;
