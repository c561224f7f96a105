//! What is measured beside the requests: how much waits, how old keys are, what was fetched. Every metric's name begins
//! with `wa_integrator_`, and every label has few values, whoever asks for whatever.

use std::{sync::Arc, time::Duration};

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};

use crate::{Clock, KeyCacheStatus, KeyState, StoreError, store::Store};

/// Reads the store and the fetched keys now and then, and tells the recorder of metrics.
pub struct Vitals<S> {
    store: S,
    clock: Clock,
    fetched: Vec<Fetched>,
}

/// Somebody's keys by name.
struct Fetched {
    name: &'static str,
    status: Arc<dyn Fn(u64) -> KeyCacheStatus + Send + Sync>,
}

impl<S: Store> Vitals<S> {
    /// Reads this store.
    #[must_use]
    pub const fn new(store: S, clock: Clock) -> Self {
        Self { store, clock, fetched: Vec::new() }
    }

    /// This, and somebody's fetched keys too.
    #[must_use]
    pub fn with_fetched(
        mut self,
        name: &'static str,
        status: impl Fn(u64) -> KeyCacheStatus + Send + Sync + 'static,
    ) -> Self {
        self.fetched.push(Fetched { name, status: Arc::new(status) });
        self
    }

    /// Reads each `interval`, for ever.
    pub async fn run(self, interval: Duration) {
        loop {
            if let Err(error) = self.read().await {
                tracing::debug!(%error, "nothing measured of the store");
            }
            tokio::time::sleep(interval).await;
        }
    }

    /// Reads once.
    ///
    /// # Errors
    /// [`StoreError`]; what was told last stays.
    pub async fn read(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for Fetched { name, status } in &self.fetched {
            fetched(name, status(now));
        }
        let counts = self.store.counts().await?;
        gauge!("wa_integrator_outbox_waiting").set(float(counts.waiting));
        gauge!("wa_integrator_outbox_dead").set(float(counts.dead));
        let late = counts.next_due.map_or(0, |due| now.saturating_sub(due));
        gauge!("wa_integrator_outbox_late_seconds").set(float(late));
        gauge!("wa_integrator_users").set(float(counts.users));
        let keys = self.store.keys().await?;
        for (state, name) in STATES {
            let since: Vec<u64> =
                keys.keys.iter().filter(|key| key.entry.state == state).map(|key| key.entry.since).collect();
            gauge!("wa_integrator_keys", "state" => name).set(float(since.len() as u64));
            let oldest = since.iter().min().map_or(0, |since| now.saturating_sub(*since));
            gauge!("wa_integrator_key_state_seconds", "state" => name).set(float(oldest));
        }
        Ok(())
    }
}

impl<S> std::fmt::Debug for Vitals<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vitals")
    }
}

const STATES: [(KeyState, &str); 3] =
    [(KeyState::Next, "next"), (KeyState::Current, "current"), (KeyState::Previous, "previous")];

fn fetched(name: &'static str, status: KeyCacheStatus) {
    for (result, count) in
        [("fetched", status.fetched), ("not_modified", status.not_modified), ("failed", status.failed)]
    {
        counter!("wa_integrator_key_fetches_total", "from" => name, "result" => result).absolute(count);
    }
    counter!("wa_integrator_unknown_keys_total", "from" => name).absolute(status.unknown);
    gauge!("wa_integrator_fetched_keys", "from" => name).set(float(status.keys as u64));
    if let Some(age) = status.age {
        gauge!("wa_integrator_fetched_keys_age_seconds", "from" => name).set(float(age));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

/// Says to the installed recorder what each metric means.
pub fn describe_metrics() {
    for (name, meaning) in COUNTERS {
        describe_counter!(*name, *meaning);
    }
    for (name, meaning) in GAUGES {
        describe_gauge!(*name, *meaning);
    }
    describe_histogram!("wa_integrator_request_seconds", "Time until a request's answer began, by route");
}

const COUNTERS: &[(&str, &str)] = &[
    ("wa_integrator_requests_total", "Answers by route and status"),
    ("wa_integrator_handler_panics_total", "Requests answered 500 because their handler panicked"),
    ("wa_integrator_handler_timeouts_total", "Requests answered 503 because their handler took too long"),
    ("wa_integrator_connections_total", "Connections accepted"),
    ("wa_integrator_connections_refused_total", "Connections refused before their first request, by reason"),
    ("wa_integrator_connections_ended_total", "Connections that were served, by why they ended"),
    ("wa_integrator_tokens_issued_total", "Identity tokens issued"),
    ("wa_integrator_pushes_total", "WhatsApp's pushes by outcome"),
    ("wa_integrator_media_bytes_total", "Bytes of hosted media by direction"),
    ("wa_integrator_key_fetches_total", "Fetches of somebody's keys by result"),
    ("wa_integrator_unknown_keys_total", "Tokens that name a key which nobody published"),
    ("wa_integrator_certificate_reloads_total", "Readings of the certificate's files by result"),
];

const GAUGES: &[(&str, &str)] = &[
    ("wa_integrator_connections_open", "Connections open now"),
    ("wa_integrator_outbox_waiting", "Wake-ups that wait for their sink"),
    ("wa_integrator_outbox_dead", "Wake-ups that no sink took"),
    ("wa_integrator_outbox_late_seconds", "How long the first of them has been due"),
    ("wa_integrator_users", "Users who have got a token"),
    ("wa_integrator_keys", "Signing keys by state"),
    ("wa_integrator_key_state_seconds", "How long the oldest signing key has been in its state"),
    ("wa_integrator_fetched_keys", "Keys of somebody that can be used"),
    ("wa_integrator_fetched_keys_age_seconds", "Time since somebody's keys were confirmed"),
    ("wa_integrator_certificate_expires_at_seconds", "When the certificate in use expires, in Unix seconds"),
];
