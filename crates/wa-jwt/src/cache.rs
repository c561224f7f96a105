//! WhatsApp's published keys, fetched and kept (overview §3.2.2: `https://whatsapp.com/.well-known/jwks`).
//!
//! The sender of a token chooses the key's name in it, so a name must never be a way to make us fetch. There is one fetch
//! at a time, in a task that no request can cancel, and a pause that begins with each fetch, whether it succeeds or not. A
//! set is used until a newer one replaces it; while the publisher cannot be reached, up to a limit, and then no token is
//! believed.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use rand::RngExt as _;
use tokio::sync::{Semaphore, watch};
use wa_http::{HttpClient, HttpError};

use crate::error::FetchError;
use crate::key_set::ForeignKeySet;
use crate::rsa::MakeKey;

/// Somebody's published keys behind one URL; clones are one. Time is an argument, in Unix seconds.
#[derive(Clone)]
pub struct KeyCache(Arc<Inner>);

struct Inner {
    fetch: Box<Fetch>,
    url: Uri,
    rules: KeyCacheRules,
    engine: MakeKey,
    state: RwLock<State>,
    /// The fetch under way, or the last one.
    flight: Mutex<Option<Flight>>,
    waiting: Semaphore,
    counters: Counters,
}

type Fetch = dyn Fn(Request<Bytes>) -> Fetching + Send + Sync;
type Fetching = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send>>;

/// A fetch under way, for those who wait for its end.
#[derive(Clone, Debug)]
struct Flight(watch::Receiver<()>);

/// How long fetched keys are used, and how often they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyCacheRules {
    /// The pause after a fetch, good or bad, before an unknown name may cause another one.
    pub cooldown: Duration,
    /// The least and the most time for which a set is taken for fresh, whatever its headers say.
    pub fresh: (Duration, Duration),
    /// How long a set is used after that while it cannot be renewed.
    pub stale_max: Duration,
    /// How long after its start the cache counts as ready without keys.
    pub grace: Duration,
}

/// The result of looking a key's name up.
#[derive(Clone, Debug)]
pub(crate) enum Lookup {
    /// This set has a key of that name.
    Known(Arc<ForeignKeySet>),
    /// The newest set has none.
    Unknown,
    /// There is no set that may be used, or too many wait for one.
    Unavailable,
}

/// How the cache is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyCacheStatus {
    /// Whether there are usable keys, or the start was a moment ago.
    pub ready: bool,
    /// Seconds since the keys were confirmed last.
    pub age: Option<u64>,
    /// How many keys can be used.
    pub keys: usize,
    /// How often a new set came.
    pub fetched: u64,
    /// How often the set had not changed.
    pub not_modified: u64,
    /// How often there was no usable set.
    pub failed: u64,
    /// How often a name was asked for that no set had.
    pub unknown: u64,
}

#[derive(Debug, Default)]
struct State {
    set: Option<Arc<ForeignKeySet>>,
    etag: Option<HeaderValue>,
    started_at: Option<u64>,
    /// When the set was fetched or confirmed last.
    confirmed_at: u64,
    /// When to renew it, a little before it is not fresh any more.
    renew_at: u64,
    fresh_until: u64,
    /// When a fetch began last, whatever came of it.
    tried_at: Option<u64>,
}

#[derive(Debug, Default)]
struct Counters {
    fetched: AtomicU64,
    not_modified: AtomicU64,
    failed: AtomicU64,
    unknown: AtomicU64,
}

impl KeyCache {
    /// The keys at `url`, made by `engine`; fetching needs a tokio runtime. The client decides which URLs are allowed:
    /// `https` only, no redirects, no private addresses, limits of time and size.
    #[must_use]
    pub fn new(client: impl HttpClient + 'static, url: Uri, rules: KeyCacheRules, engine: MakeKey) -> Self {
        let client = Arc::new(client);
        let fetch = move |request| -> Fetching {
            let client = Arc::clone(&client);
            Box::pin(async move { client.send(request).await })
        };
        Self(Arc::new(Inner {
            fetch: Box::new(fetch),
            url,
            rules,
            engine,
            state: RwLock::default(),
            flight: Mutex::default(),
            waiting: Semaphore::new(WAITING_MAX),
            counters: Counters::default(),
        }))
    }

    /// Fetches the keys now and renews them without end, at the time that `clock` shows.
    pub async fn run(&self, clock: impl Fn() -> u64) {
        loop {
            let now = clock();
            let is_due = {
                let state = self.0.read();
                now >= state.renew_at || state.is_ahead(now)
            };
            if is_due {
                self.renew(now).await;
            }
            let (renew_at, tried_at) = {
                let state = self.0.read();
                (state.renew_at, state.tried_at)
            };
            let pause = renew_at.saturating_sub(now).max(self.0.cooldown_left(tried_at, now)).clamp(1, 60);
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
    }

    /// Fetches the keys unless a fetch began a moment ago, and waits for its end.
    pub async fn renew(&self, now: u64) {
        if let Some(flight) = self.begin(now) {
            flight.ended().await;
        }
    }

    /// How it is doing at `now`.
    #[must_use]
    pub fn status(&self, now: u64) -> KeyCacheStatus {
        let Self(inner) = self;
        let state = inner.read();
        let usable = inner.usable(&state, now);
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let starting = state.started_at.is_none_or(|at| now < at.saturating_add(inner.rules.grace.as_secs()));
        KeyCacheStatus {
            ready: usable.is_some() || starting,
            age: state.set.as_ref().map(|_| now.saturating_sub(state.confirmed_at)),
            keys: usable.map_or(0, |set| set.len()),
            fetched: count(&inner.counters.fetched),
            not_modified: count(&inner.counters.not_modified),
            failed: count(&inner.counters.failed),
            unknown: count(&inner.counters.unknown),
        }
    }

    /// The set that may be used at `now`.
    pub(crate) fn current(&self, now: u64) -> Option<Arc<ForeignKeySet>> {
        let state = self.0.read();
        self.0.usable(&state, now).map(Arc::clone)
    }

    /// The set that has a key of this name. Fetches only when there is reason to and it was not just done; dropping
    /// this ends nothing.
    pub(crate) async fn lookup(&self, kid: &str, now: u64) -> Lookup {
        if let Some(set) = self.0.known(kid, now) {
            // Nobody renews in the background, or could not: the first caller waits for it, the others do not.
            if !self.0.is_overdue(now) {
                return Lookup::Known(set);
            }
        }
        let Ok(_waiting) = self.0.waiting.try_acquire() else { return Lookup::Unavailable };
        if let Some(flight) = self.begin(now) {
            flight.ended().await;
        }
        if let Some(set) = self.0.known(kid, now) {
            return Lookup::Known(set);
        }
        if self.0.usable(&self.0.read(), now).is_none() {
            return Lookup::Unavailable;
        }
        self.0.counters.unknown.fetch_add(1, Ordering::Relaxed);
        Lookup::Unknown
    }

    /// The fetch under way, or a new one unless one began a moment ago.
    fn begin(&self, now: u64) -> Option<Flight> {
        let mut slot = self.0.flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = slot.as_ref().filter(|flight| flight.is_under_way()) {
            return Some(flight.clone());
        }
        {
            let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
            if self.0.cooldown_left(state.tried_at, now) > 0 {
                return None;
            }
            // Before the request goes out: whatever becomes of it, it was tried.
            state.tried_at = Some(now);
            state.started_at.get_or_insert(now);
            if state.is_ahead(now) {
                (state.confirmed_at, state.fresh_until) = (now, now);
            }
        }
        let (landing, landed) = watch::channel(());
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move {
            inner.fetch(now).await;
            drop(landing);
        });
        Some(slot.insert(Flight(landed)).clone())
    }
}

impl Flight {
    fn is_under_way(&self) -> bool {
        self.0.has_changed().is_ok()
    }

    async fn ended(mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

impl Inner {
    fn known(&self, kid: &str, now: u64) -> Option<Arc<ForeignKeySet>> {
        let state = self.read();
        self.usable(&state, now).filter(|set| set.contains(kid)).map(Arc::clone)
    }

    fn is_overdue(&self, now: u64) -> bool {
        let state = self.read();
        (now >= state.fresh_until || state.is_ahead(now)) && self.cooldown_left(state.tried_at, now) == 0
    }

    fn usable<'s>(&self, state: &'s State, now: u64) -> Option<&'s Arc<ForeignKeySet>> {
        let until = state.fresh_until.saturating_add(self.rules.stale_max.as_secs());
        state.set.as_ref().filter(|_| now <= until)
    }

    fn cooldown_left(&self, tried_at: Option<u64>, now: u64) -> u64 {
        // A try that lies ahead was made before the clock was set back.
        let tried_at = tried_at.filter(|at| *at <= now);
        let until = tried_at.map_or(0, |at| at.saturating_add(self.rules.cooldown.as_secs()));
        until.saturating_sub(now)
    }

    /// Fetches the key set and keeps what came, or why nothing did.
    async fn fetch(&self, now: u64) {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = self.url.clone();
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
        if let Some(etag) = &self.read().etag {
            request.headers_mut().insert(header::IF_NONE_MATCH, etag.clone());
        }
        let fetched = match (self.fetch)(request).await {
            Ok(response) => self.take(&response, now),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = fetched {
            self.counters.failed.fetch_add(1, Ordering::Relaxed);
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            state.renew_at = now.saturating_add(self.rules.cooldown.as_secs());
            tracing::error!(%error, kept = state.set.is_some(), "no new keys were fetched");
        }
    }

    fn take(&self, response: &Response<Bytes>, now: u64) -> Result<(), FetchError> {
        let status = response.status();
        let fresh = self.fresh(response.headers());
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if status == StatusCode::NOT_MODIFIED && state.set.is_some() {
            self.counters.not_modified.fetch_add(1, Ordering::Relaxed);
            state.confirm(now, fresh);
            return Ok(());
        }
        if status != StatusCode::OK {
            return Err(FetchError::Status { status: status.as_u16() });
        }
        check_content(response.headers())?;
        let set = ForeignKeySet::parse(response.body(), self.engine)?;
        self.counters.fetched.fetch_add(1, Ordering::Relaxed);
        tracing::info!(keys = set.len(), passed_over = set.passed_over(), "fetched keys");
        state.set = Some(Arc::new(set));
        state.etag =
            response.headers().get(header::ETAG).filter(|etag| etag.len() <= ETAG_BYTES_MAX).cloned();
        state.confirm(now, fresh);
        Ok(())
    }

    /// `max-age`, within bounds; the least without it (RFC 9111 §5.2.2.1).
    fn fresh(&self, headers: &HeaderMap) -> u64 {
        let (least, most) = (self.rules.fresh.0.as_secs(), self.rules.fresh.1.as_secs());
        let values = headers.get_all(header::CACHE_CONTROL).iter();
        let texts = values.filter_map(|value| value.to_str().ok());
        let mut directives = texts.flat_map(|text| text.split(',')).map(str::trim);
        let max_age = directives.find_map(|it| it.strip_prefix("max-age=")?.parse::<u64>().ok());
        max_age.unwrap_or(least).clamp(least, most.max(least))
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the set was confirmed at a time that lies ahead: the clock was set back, and the set's age is not known.
    /// It counts as no longer fresh then.
    fn is_ahead(&self, now: u64) -> bool {
        self.confirmed_at > now.saturating_add(SKEW_SECONDS)
    }

    fn confirm(&mut self, now: u64, fresh: u64) {
        self.confirmed_at = now;
        self.fresh_until = now.saturating_add(fresh);
        // At 70 to 80 % of its time, so that many servers do not ask in the same moment.
        let early = rand::rng().random_range(0..=fresh / 10);
        self.renew_at = now.saturating_add((fresh / 10 * 8).saturating_sub(early));
    }
}

impl Default for KeyCacheRules {
    /// 15 s of pause, fresh for five minutes to a day, used for a day more, a minute of grace.
    fn default() -> Self {
        Self {
            cooldown: Duration::from_secs(15),
            fresh: (Duration::from_secs(5 * 60), Duration::from_secs(24 * 60 * 60)),
            stale_max: Duration::from_secs(24 * 60 * 60),
            grace: Duration::from_secs(60),
        }
    }
}

impl KeyCacheRules {
    /// These rules with another pause.
    #[must_use]
    pub const fn with_cooldown(mut self, cooldown: Duration) -> Self {
        self.cooldown = cooldown;
        self
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(inner) = self;
        f.debug_struct("KeyCache")
            .field("url", &inner.url)
            .field("rules", &inner.rules)
            .finish_non_exhaustive()
    }
}

const ACCEPT: &str = "application/jwk-set+json, application/json";
/// How many may wait for a fetch.
const WAITING_MAX: usize = 1024;
const ETAG_BYTES_MAX: usize = 256;
/// How far apart the clock's readings of two requests may be.
const SKEW_SECONDS: u64 = 60;

/// JSON, as it is: a small encoded answer may be a large one.
fn check_content(headers: &HeaderMap) -> Result<(), FetchError> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase());
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let plain = text(header::CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    match essence {
        "application/json" | "application/jwk-set+json" | "text/json" if plain => Ok(()),
        _ => Err(FetchError::ContentType),
    }
}

#[cfg(test)]
mod tests;
