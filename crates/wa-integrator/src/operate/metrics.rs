//! What is measured beside the requests: how much waits, how old keys are, what was fetched, what is away. Every metric's name
//! begins with `wa_integrator_`, and every label comes from a fixed set.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use wa_http_server::{Event, Observe};
use wa_jwt::KeyCacheStatus;

use super::admin::COMMIT;
use crate::keys::KeyState;
use crate::operate::{Dependencies, Readiness};
use crate::store::Store;
use crate::value::{Clock, StoreError};

/// Counts what happens to the public server's connections.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerMetrics;

impl Observe for ServerMetrics {
    fn note(&self, event: Event) {
        let open = || gauge!("wa_integrator_connections_open");
        let instead = |route: &'static str, status: &'static str| {
            counter!("wa_integrator_requests_total", "route" => route, "status" => status).increment(1);
        };
        match event {
            Event::Opened => {
                counter!("wa_integrator_connections_total").increment(1);
                open().increment(1);
            }
            Event::Closed => open().decrement(1),
            Event::Refused(reason) => {
                counter!("wa_integrator_connections_refused_total", "reason" => reason).increment(1);
            }
            Event::Ended(reason) => {
                counter!("wa_integrator_connections_ended_total", "reason" => reason).increment(1);
            }
            Event::StreamEnded(reason) => {
                counter!("wa_integrator_streams_ended_total", "reason" => reason).increment(1);
            }
            Event::TimedOut(route) => {
                counter!("wa_integrator_handler_timeouts_total").increment(1);
                instead(route, "503");
            }
            Event::Panicked(route) => {
                counter!("wa_integrator_handler_panics_total").increment(1);
                instead(route, "500");
            }
            Event::CertificateRead(result) => {
                counter!("wa_integrator_certificate_reloads_total", "result" => result).increment(1);
            }
            Event::CertificateExpires(at) => {
                gauge!("wa_integrator_certificate_expires_at_seconds").set(float(at));
            }
            _ => {}
        }
    }
}

/// Reads the store, the fetched keys and the readiness now and then, and tells the recorder of metrics.
pub struct Measure {
    store: Arc<dyn Store>,
    clock: Clock,
    fetched: Vec<Fetched>,
    readiness: Option<Readiness>,
    dependencies: Dependencies,
}

/// Somebody's keys by name.
struct Fetched {
    name: &'static str,
    status: Arc<dyn Fn(u64) -> KeyCacheStatus + Send + Sync>,
}

impl Measure {
    /// Reads this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Clock) -> Self {
        Self { store, clock, fetched: Vec::new(), readiness: None, dependencies: Dependencies::new() }
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

    /// This, and the server's readiness and what it leans on.
    #[must_use]
    pub fn with_readiness(mut self, readiness: Readiness, dependencies: Dependencies) -> Self {
        self.readiness = Some(readiness);
        self.dependencies = dependencies;
        self
    }

    /// Reads each `interval` without end. What costs more the more there is, is read once in a minute.
    pub async fn run(self, interval: Duration) {
        let seldom = u32::try_from(SELDOM.as_secs() / interval.as_secs().max(1)).unwrap_or(1).max(1);
        let (mut round, mut failing) = (0_u32, false);
        loop {
            self.read_here();
            let read = if round % seldom == 0 { self.read().await } else { self.read_keys().await };
            if let (false, Err(error)) = (failing, &read) {
                tracing::warn!(%error, "nothing is measured of the store");
            }
            failing = read.is_err();
            round = round.wrapping_add(1);
            tokio::time::sleep(interval).await;
        }
    }

    /// Reads once.
    ///
    /// # Errors
    /// [`StoreError`]; what was told last stays.
    pub async fn read(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let counts = self.store.counts().await?;
        gauge!("wa_integrator_outbox_waiting").set(float(counts.waiting));
        gauge!("wa_integrator_outbox_dead").set(float(counts.dead));
        let late = counts.next_due.map_or(0, |due| now.saturating_sub(due));
        gauge!("wa_integrator_outbox_late_seconds").set(float(late));
        gauge!("wa_integrator_users").set(float(counts.users));
        self.read_keys().await
    }

    async fn read_keys(&self) -> Result<(), StoreError> {
        let (now, keys) = (self.clock.now(), self.store.keys().await?);
        for (state, name) in STATES {
            let since: Vec<u64> =
                keys.keys.iter().filter(|key| key.entry.state == state).map(|key| key.entry.since).collect();
            gauge!("wa_integrator_keys", "state" => name).set(float(since.len() as u64));
            let oldest = since.iter().min().map_or(0, |since| now.saturating_sub(*since));
            gauge!("wa_integrator_key_state_seconds", "state" => name).set(float(oldest));
        }
        Ok(())
    }

    /// What is known without asking anybody.
    fn read_here(&self) {
        let now = self.clock.now();
        for Fetched { name, status } in &self.fetched {
            fetched(name, status(now));
        }
        for (name, is_up) in self.dependencies.states() {
            gauge!("wa_integrator_dependency_up", "name" => name).set(float(is_up.into()));
        }
        if let Some(readiness) = &self.readiness {
            gauge!("wa_integrator_ready").set(float(readiness.failing().is_empty().into()));
        }
        if let Some((open, in_use)) = self.store.connections() {
            gauge!("wa_integrator_database_connections", "state" => "open").set(float(open as u64));
            gauge!("wa_integrator_database_connections", "state" => "in_use").set(float(in_use as u64));
        }
    }
}

impl fmt::Debug for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Measure")
    }
}

/// How often is read what costs more the more there is.
const SELDOM: Duration = Duration::from_secs(60);

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

/// Says to the installed recorder what each metric means, and lets counters begin at 0, so that the first of a kind is seen.
pub fn describe_metrics() {
    for (name, meaning) in COUNTERS {
        describe_counter!(*name, *meaning);
    }
    for (name, meaning) in GAUGES {
        describe_gauge!(*name, *meaning);
    }
    describe_histogram!("wa_integrator_request_seconds", "Time until a request's answer began, by route");
    describe_histogram!("wa_integrator_delivery_seconds", "Time that a delivery took, by sink");
    for name in PLAIN {
        counter!(*name).absolute(0);
    }
    for (name, label, values) in LABELLED {
        for value in *values {
            counter!(*name, *label => *value).absolute(0);
        }
    }
    for name in FROM_0 {
        gauge!(*name).set(0.0);
    }
    let commit = COMMIT.unwrap_or("unknown");
    gauge!("wa_integrator_build_info", "version" => env!("CARGO_PKG_VERSION"), "commit" => commit).set(1.0);
}

/// Gauges that go up and down.
const FROM_0: &[&str] = &[
    "wa_integrator_connections_open",
    "wa_integrator_tokens_in_work",
    "wa_integrator_media_uploads",
    "wa_integrator_media_unremovable",
];

/// Counters without labels.
const PLAIN: &[&str] = &[
    "wa_integrator_handler_panics_total",
    "wa_integrator_handler_timeouts_total",
    "wa_integrator_connections_total",
    "wa_integrator_tokens_issued_total",
];

/// Counters whose label has few values, all of which are known.
const LABELLED: &[(&str, &str, &[&str])] = &[
    (
        "wa_integrator_connections_refused_total",
        "reason",
        &[
            "per_address",
            "proxy_protocol",
            "proxy_protocol_timeout",
            "handshake",
            "handshake_timeout",
            "operating_system",
        ],
    ),
    (
        "wa_integrator_pushes_total",
        "outcome",
        &[
            "taken",
            "stranger",
            "no_token",
            "malformed_token",
            "refused_token",
            "refused_body",
            "broken_body",
            "too_often",
            "unavailable",
        ],
    ),
    (
        "wa_integrator_connections_ended_total",
        "reason",
        &[
            "closed",
            "error",
            "silent",
            "other_protocol",
            "idle",
            "slow_head",
            "slow_reader",
            "slow_answers",
            "age",
            "drained",
        ],
    ),
    ("wa_integrator_streams_ended_total", "reason", &["slow_body", "slow_answer"]),
    (
        "wa_integrator_tokens_refused_total",
        "reason",
        &[
            "too_long",
            "form",
            "base64",
            "header",
            "algorithm",
            "critical",
            "key_name",
            "type",
            "unknown_key",
            "signature",
            "claims",
            "issuer",
            "audience",
            "date",
            "expired",
            "not_yet_valid",
            "lifetime",
        ],
    ),
    (
        "wa_integrator_credentials_refused_total",
        "reason",
        &[
            "missing",
            "malformed",
            "not_genuine",
            "expired",
            "too_long_lived",
            "user_identifier",
            "not_trusted",
        ],
    ),
    (
        "wa_integrator_media_uploads_total",
        "outcome",
        &[
            "stored",
            "no_length",
            "empty",
            "too_long",
            "no_digest",
            "quota",
            "other_length",
            "other_digest",
            "paused",
            "unavailable",
            "panicked",
        ],
    ),
    ("wa_integrator_media_bytes_total", "direction", &["in", "out"]),
    ("wa_integrator_certificate_reloads_total", "result", &["changed", "unchanged", "failed"]),
];

const COUNTERS: &[(&str, &str)] = &[
    ("wa_integrator_requests_total", "Answers by route and status"),
    ("wa_integrator_handler_panics_total", "Requests answered 500 because their handler panicked"),
    ("wa_integrator_handler_timeouts_total", "Requests answered 503 because their handler took too long"),
    ("wa_integrator_connections_total", "Connections accepted"),
    ("wa_integrator_connections_refused_total", "Connections refused before their first request, by reason"),
    ("wa_integrator_connections_ended_total", "Connections that were served, by why they ended"),
    (
        "wa_integrator_streams_ended_total",
        "Requests and answers given up on a connection that went on, by reason",
    ),
    ("wa_integrator_tokens_issued_total", "Identity tokens issued"),
    ("wa_integrator_credentials_refused_total", "Credentials refused, by the check that failed"),
    ("wa_integrator_tokens_refused_total", "WhatsApp's tokens refused, by the check that failed"),
    ("wa_integrator_pushes_total", "WhatsApp's pushes by outcome"),
    ("wa_integrator_deliveries_total", "Tries to deliver a wake-up, by sink and outcome"),
    ("wa_integrator_media_bytes_total", "Bytes of hosted media by direction"),
    ("wa_integrator_media_uploads_total", "Uploads by outcome"),
    ("wa_integrator_key_fetches_total", "Fetches of somebody's keys by result"),
    ("wa_integrator_unknown_keys_total", "Tokens that name a key which nobody published"),
    ("wa_integrator_certificate_reloads_total", "Readings of the certificate's files by result"),
    (
        "wa_integrator_task_restarts_total",
        "Tasks beside the requests that ended and were begun again, by task",
    ),
];

const GAUGES: &[(&str, &str)] = &[
    ("wa_integrator_build_info", "1, by version and commit"),
    ("wa_integrator_ready", "Whether requests should be sent to this server"),
    ("wa_integrator_dependency_up", "Whether something that all servers share answers, by name"),
    ("wa_integrator_database_connections", "Connections to the database by state"),
    ("wa_integrator_connections_open", "Connections open now"),
    ("wa_integrator_tokens_in_work", "Tokens being signed, or waiting to be"),
    ("wa_integrator_outbox_waiting", "Wake-ups that wait for their sink"),
    ("wa_integrator_outbox_dead", "Wake-ups that no sink took"),
    ("wa_integrator_outbox_late_seconds", "How long the first of them has been due"),
    ("wa_integrator_users", "Users who have got a token"),
    ("wa_integrator_keys", "Signing keys by state"),
    ("wa_integrator_key_state_seconds", "How long the oldest signing key has been in its state"),
    ("wa_integrator_fetched_keys", "Keys of somebody that can be used"),
    ("wa_integrator_fetched_keys_age_seconds", "Time since somebody's keys were confirmed"),
    ("wa_integrator_media_uploads", "Uploads under way"),
    ("wa_integrator_media_unremovable", "Files that the last sweep could not remove"),
    ("wa_integrator_certificate_expires_at_seconds", "When the certificate in use expires, in Unix seconds"),
];
