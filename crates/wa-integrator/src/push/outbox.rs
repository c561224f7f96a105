//! Delivery of stored wake-ups to the sinks: retried, folded together, given up in the end (overview §3.2.1).
//!
//! Each sink has a window of deliveries under way; whenever one ends, the next wake-up that is due takes its place, so that a
//! slow one holds up nobody else. A sink that fails again and again is left alone for a while and then tried with one
//! delivery: the pause belongs to the sink, not to the users who wait for it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::push::{OutboxStore, Outcome, PushSink, SinkError, WakeUp};
use crate::value::{Clock, StoreError};

/// How long an outbox without work sleeps unless the bell rings, in seconds.
const IDLE: u64 = 30;
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);
/// How many deliveries must fail in a row before the sink itself is taken to be away.
const FAILURES_IN_A_ROW: u32 = 16;
/// How long a sink that is away is left alone at most, between two tries.
const AWAY_MAX: Duration = Duration::from_secs(60);

/// Brings wake-ups from the store to the sinks. Clones are one outbox.
#[derive(Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn OutboxStore>,
    sinks: Vec<Arc<dyn PushSink>>,
    names: Arc<[String]>,
    bells: Vec<Notify>,
    rules: DeliveryRules,
}

/// How long and how often delivery is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// What became of a delivery.
struct Settled {
    id: i64,
    /// `Err` if that could not be noted in the store.
    noted: Result<(), StoreError>,
    /// Whether it says something of the sink that it failed.
    sink_failed: bool,
    outcome: Outcome,
}

/// The deliveries to one sink that are under way, and how the sink does.
struct Window {
    under_way: JoinSet<Settled>,
    ids: HashSet<i64>,
    /// Not to be taken again.
    done: HashSet<i64>,
    failures: u32,
    /// How often it was left alone in a row.
    pauses: u32,
    /// Until when the sink is left alone.
    away_until: Option<Instant>,
    tried: usize,
    retried: usize,
    dead: usize,
}

impl Outbox {
    /// The outbox in `store` for these sinks, whose names differ.
    #[must_use]
    pub fn new(store: Arc<dyn OutboxStore>, sinks: Vec<Arc<dyn PushSink>>, rules: DeliveryRules) -> Self {
        let names = sinks.iter().map(|sink| sink.name().to_owned()).collect();
        let bells = sinks.iter().map(|_| Notify::new()).collect();
        for sink in &sinks {
            for outcome in ["delivered", "retried", "dead"] {
                deliveries(sink.name(), outcome).absolute(0);
            }
        }
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

    /// Delivers without end, at `clock`'s time. Returns only if one of its tasks has panicked.
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
        let _ = loops.join_next().await;
        tracing::error!("a task of the outbox has ended");
    }

    /// Delivers what is due at `now`, once each; how many deliveries were tried.
    ///
    /// # Errors
    /// [`StoreError`]; what was delivered but could not be noted is delivered again.
    pub async fn deliver_due(&self, now: u64) -> Result<usize, StoreError> {
        let mut tried = 0;
        for number in 0..self.shared.sinks.len() {
            let mut window = Window::new();
            let mut noted = Ok(());
            while self.shared.fill(number, &mut window, now).await? > 0 || !window.ids.is_empty() {
                match self.shared.one_ended(number, &mut window).await {
                    Ok(id) => window.done.extend(id),
                    Err(error) => noted = Err(error),
                }
            }
            noted?;
            tried += window.tried;
        }
        Ok(tried)
    }
}

impl Shared {
    async fn serve(&self, number: usize, clock: &Clock) {
        let (Some(sink), Some(bell)) = (self.sinks.get(number), self.bells.get(number)) else { return };
        let mut window = Window::new();
        loop {
            let filled = self.fill(number, &mut window, clock.now()).await;
            let pause = match filled {
                Ok(_) if window.is_full(&self.rules) => Duration::from_secs(IDLE),
                Ok(_) => self.pause(sink.as_ref(), &window, clock.now()).await,
                Err(error) => {
                    tracing::error!(%error, "wake-ups are not delivered");
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = bell.notified(), if !window.is_full(&self.rules) => {}
                settled = self.one_ended(number, &mut window), if !window.ids.is_empty() => {
                    if let Err(error) = settled {
                        tracing::error!(%error, "what became of a wake-up was not noted");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
                () = tokio::time::sleep(pause) => {}
            }
            if window.ids.is_empty() {
                window.report(sink.name());
            }
        }
    }

    /// How long to wait for something to do.
    async fn pause(&self, sink: &dyn PushSink, window: &Window, now: u64) -> Duration {
        if let Some(until) = window.away_until {
            return until.saturating_duration_since(Instant::now()).max(Duration::from_millis(10));
        }
        let due = self.store.next_due(sink.name()).await;
        let seconds = match due {
            // What is due and not given is under way, or another server's for now.
            Ok(next) => next.map_or(IDLE, |due| due.saturating_sub(now)),
            Err(_) => 1,
        };
        Duration::from_secs(seconds.clamp(1, IDLE))
    }

    /// Takes as many wake-ups as the window has room for; how many are under way that were not.
    async fn fill(&self, number: usize, window: &mut Window, now: u64) -> Result<usize, StoreError> {
        let (Some(sink), room) = (self.sinks.get(number), window.room(&self.rules)) else { return Ok(0) };
        if room == 0 {
            return Ok(0);
        }
        // Those under way are due as well, and come first.
        let limit = room + window.ids.len() + window.done.len();
        let due = self.store.due_wake_ups(sink.name(), now, limit).await?;
        let is_fresh = |it: &WakeUp| !window.ids.contains(&it.id) && !window.done.contains(&it.id);
        let fresh: Vec<WakeUp> = due.into_iter().filter(is_fresh).take(room).collect();
        let count = fresh.len();
        for wake_up in fresh {
            window.ids.insert(wake_up.id);
            window.tried += 1;
            let (sink, store, rules) = (Arc::clone(sink), Arc::clone(&self.store), self.rules);
            let span = tracing::info_span!("deliver", sink = sink.name());
            let delivery = async move {
                let (outcome, sink_failed) = rules.attempt(sink.as_ref(), &wake_up, now).await;
                let id = wake_up.id;
                let noted = store.settle(wake_up, outcome).await;
                Settled { id, noted, sink_failed, outcome }
            };
            window.under_way.spawn(delivery.instrument(span));
        }
        Ok(count)
    }

    /// Waits until a delivery has ended; which it was. Dropped before that, it has done nothing.
    async fn one_ended(&self, number: usize, window: &mut Window) -> Result<Option<i64>, StoreError> {
        let Some(ended) = window.under_way.join_next().await else { return Ok(None) };
        let Ok(settled) = ended else {
            // Its number is not known any more: the rest are found again.
            tracing::error!("a delivery panicked");
            window.ids.clear();
            window.under_way.abort_all();
            return Err(StoreError::Unavailable);
        };
        window.ids.remove(&settled.id);
        let name = self.sinks.get(number).map_or("none", |sink| sink.name());
        window.note(&settled, name);
        // What is not noted is not to be taken again at once, as if it had not been delivered.
        settled.noted.map(|()| Some(settled.id))
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
}

impl Window {
    fn new() -> Self {
        Self {
            under_way: JoinSet::new(),
            ids: HashSet::new(),
            done: HashSet::new(),
            failures: 0,
            pauses: 0,
            away_until: None,
            tried: 0,
            retried: 0,
            dead: 0,
        }
    }

    /// How many more may be under way: one at most while it is not known whether the sink is back.
    fn room(&self, rules: &DeliveryRules) -> usize {
        let most = match self.away_until {
            Some(until) if Instant::now() < until => 0,
            Some(_) => 1,
            None => rules.at_a_time,
        };
        most.saturating_sub(self.ids.len())
    }

    fn is_full(&self, rules: &DeliveryRules) -> bool {
        self.away_until.is_none() && self.room(rules) == 0
    }

    fn note(&mut self, settled: &Settled, sink: &str) {
        let outcome = match settled.outcome {
            Outcome::Delivered => "delivered",
            Outcome::Retry { .. } => "retried",
            Outcome::Dead { .. } => "dead",
        };
        deliveries(sink, outcome).increment(1);
        self.retried += usize::from(outcome == "retried");
        self.dead += usize::from(outcome == "dead");
        if !settled.sink_failed {
            (self.failures, self.pauses) = (0, 0);
            if self.away_until.take().is_some() {
                tracing::info!(sink, "the sink takes wake-ups again");
            }
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let now = Instant::now();
        // Those that were under way together failed for one reason.
        if self.failures < FAILURES_IN_A_ROW || self.away_until.is_some_and(|until| now < until) {
            return;
        }
        if self.away_until.is_none() {
            tracing::error!(sink, "the sink is away");
        }
        self.away_until = Some(now + Duration::from_secs(1_u64 << self.pauses.min(6)).min(AWAY_MAX));
        self.pauses = self.pauses.saturating_add(1);
    }

    /// One line, however many: a backend that is away is away for all of them.
    fn report(&mut self, sink: &str) {
        if self.retried + self.dead > 0 {
            tracing::warn!(sink, retried = self.retried, dead = self.dead, "wake-ups were not taken");
        }
        (self.retried, self.dead) = (0, 0);
    }
}

fn deliveries(sink: &str, outcome: &'static str) -> metrics::Counter {
    metrics::counter!("wa_integrator_deliveries_total", "sink" => sink.to_owned(), "outcome" => outcome)
}

impl DeliveryRules {
    /// The pause before the next try after so many failures before, in seconds; `random` spreads it over the
    /// upper half, so that what failed together does not come back together.
    #[must_use]
    pub fn pause(&self, failures: u32, random: u64) -> u64 {
        let factor = 1_u64.checked_shl(failures.min(32)).unwrap_or(u64::MAX);
        let whole =
            self.retry_first.as_secs().saturating_mul(factor).clamp(1, self.retry_max.as_secs().max(1));
        whole - random % (whole / 2 + 1)
    }

    /// What became of it, and whether the sink itself is to blame.
    async fn attempt(self, sink: &dyn PushSink, wake_up: &WakeUp, now: u64) -> (Outcome, bool) {
        let begun = Instant::now();
        let delivered = tokio::time::timeout(self.timeout, sink.deliver(wake_up)).await;
        metrics::histogram!("wa_integrator_delivery_seconds", "sink" => sink.name().to_owned())
            .record(begun.elapsed());
        let error = match delivered {
            Ok(Ok(())) => return (Outcome::Delivered, false),
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        // A backend that refuses one user's wake-up is there.
        let sink_failed = !matches!(error, Some(SinkError::Status { status: 400..=499 }));
        let dead = wake_up.attempts.saturating_add(1) >= self.attempts_max;
        let reason = error.map_or_else(|| "the sink took too long".to_owned(), |error| error.to_string());
        tracing::debug!(
            sink = sink.name(),
            attempts = wake_up.attempts,
            dead,
            reason,
            "a wake-up was not taken"
        );
        if dead {
            return (Outcome::Dead { at: now }, sink_failed);
        }
        let pause = self.pause(wake_up.attempts, rand::rng().next_u64());
        (Outcome::Retry { at: now.saturating_add(pause) }, sink_failed)
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

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("sinks", &self.shared.names)
            .field("rules", &self.shared.rules)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
