//! The cache against a publisher that answers what a test says, at times that the test chooses.

use std::collections::VecDeque;
use std::sync::Mutex as StdMutex;

use serde_json::json;
use wa_http::HttpError;

use super::*;
use crate::error::KeySetError;
use crate::test_engine::{SigningKey, aws_lc};

const T: u64 = 1_700_000_000;
const FIVE_MINUTES: u64 = 300;
const DAY: u64 = 24 * 3600;

type Answer = Result<Response<Bytes>, HttpError>;

/// Gives its answers in order, the last one again and again, and keeps what it was asked.
#[derive(Default)]
struct Publisher {
    answers: StdMutex<VecDeque<Answer>>,
    asked: StdMutex<Vec<Request<Bytes>>>,
}

impl HttpClient for Publisher {
    async fn send(&self, request: Request<Bytes>) -> Answer {
        self.asked.lock().unwrap().push(request);
        // Long enough for everybody else to come and wait.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        let mut answers = self.answers.lock().unwrap();
        let answer = answers.pop_front().unwrap_or(Err(HttpError::Timeout));
        if answers.is_empty() {
            answers.push_back(answer.clone());
        }
        answer
    }
}

impl Publisher {
    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn answers(&self, answers: Vec<Answer>) {
        *self.answers.lock().unwrap() = answers.into();
    }
}

fn cache(answers: Vec<Answer>) -> (KeyCache, Arc<Publisher>) {
    let publisher: Arc<Publisher> = Arc::default();
    publisher.answers(answers);
    let url = Uri::from_static("https://whatsapp.com/.well-known/jwks");
    (KeyCache::new(Arc::clone(&publisher), url, KeyCacheRules::default(), aws_lc), publisher)
}

fn number() -> &'static str {
    static N: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    N.get_or_init(|| SigningKey::generate().unwrap().public_key().n().to_owned())
}

fn set(kids: &[&str]) -> Answer {
    let keys: Vec<_> =
        kids.iter().map(|kid| json!({"kty": "RSA", "kid": kid, "n": number(), "e": "AQAB"})).collect();
    answer(200, &json!({ "keys": keys }).to_string(), &[("content-type", "application/json")])
}

fn answer(status: u16, body: &str, headers: &[(&str, &str)]) -> Answer {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Ok(response.body(Bytes::from(body.to_owned())).unwrap())
}

fn with_headers(answer: Answer, headers: &[(&'static str, &str)]) -> Answer {
    let mut response = answer.unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    Ok(response)
}

async fn finds(cache: &KeyCache, kid: &str, now: u64) -> &'static str {
    match cache.lookup(kid, now).await {
        Lookup::Known(set) => {
            assert!(set.contains(kid));
            "known"
        }
        Lookup::Unknown => "unknown",
        Lookup::Unavailable => "unavailable",
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_used() {
    let (cache, publisher) = cache(vec![set(&["a", "b"])]);
    for kid in ["a", "b", "a"] {
        assert_eq!(finds(&cache, kid, T).await, "known");
    }
    assert_eq!(publisher.asked(), 1);
    let asked = publisher.asked.lock().unwrap().pop().unwrap();
    assert_eq!(asked.uri(), "https://whatsapp.com/.well-known/jwks");
    assert_eq!(asked.headers()[header::ACCEPT], ACCEPT);
    assert!(!asked.headers().contains_key(header::IF_NONE_MATCH));
}

#[tokio::test]
async fn a_thousand_unknown_names_are_one_request() {
    let (cache, publisher) = cache(vec![set(&["a"])]);
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..1000 {
        let cache = cache.clone();
        asking.spawn(async move { finds(&cache, &format!("unknown {number}"), T).await });
    }
    let found = asking.join_all().await;
    assert!(found.iter().all(|found| *found == "unknown"), "{found:?}");
    assert_eq!((publisher.asked(), cache.status(T).unknown), (1, 1000));
    assert_eq!(finds(&cache, "a", T).await, "known");
}

#[tokio::test]
async fn an_unknown_name_causes_one_fetch_in_a_cooldown() {
    let (cache, publisher) = cache(vec![set(&["a"])]);
    for (now, asked) in [(T, 1), (T + 1, 1), (T + 14, 1), (T + 15, 2), (T + 29, 2), (T + 30, 3)] {
        assert_eq!(finds(&cache, "unknown", now).await, "unknown");
        assert_eq!(publisher.asked(), asked, "at {}", now - T);
    }
}

#[tokio::test]
async fn a_new_key_is_found_and_a_removed_one_is_gone() {
    let (cache, _) = cache(vec![set(&["a", "b"]), set(&["b", "c"])]);
    assert_eq!(finds(&cache, "a", T).await, "known");
    assert_eq!(finds(&cache, "c", T + 20).await, "known");
    assert_eq!(finds(&cache, "b", T + 20).await, "known");
    assert_eq!(finds(&cache, "a", T + 20).await, "unknown");
}

#[tokio::test]
async fn failures_are_remembered_also_without_any_keys() {
    let (cache, publisher) = cache(vec![Err(HttpError::Timeout)]);
    for now in [T, T, T + 1, T + 14] {
        assert_eq!(finds(&cache, "a", now).await, "unavailable");
        assert_eq!(publisher.asked(), 1);
    }
    assert_eq!(finds(&cache, "a", T + 15).await, "unavailable");
    assert_eq!(publisher.asked(), 2);
    publisher.answers(vec![set(&["a"])]);
    assert_eq!(finds(&cache, "a", T + 30).await, "known");
    assert_eq!(cache.status(T + 30).failed, 2);
}

#[tokio::test]
async fn no_failure_and_no_bad_set_takes_keys_away() {
    let html = answer(200, "<html>", &[("content-type", "text/html")]);
    let encoded = with_headers(set(&["x"]), &[("content-encoding", "gzip")]);
    let large = answer(200, &" ".repeat(65 * 1024), &[("content-type", "application/json")]);
    // A good set, but not an answer of the kind that is asked for.
    let with_status = |status: u16| {
        let mut response = set(&["x"]).unwrap();
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        Ok(response)
    };
    let (cache, publisher) = cache(vec![set(&["a"])]);
    assert_eq!(finds(&cache, "a", T).await, "known");
    let bad = [
        with_status(201),
        with_status(206),
        with_status(302),
        with_status(404),
        with_status(500),
        Err(HttpError::Certificate),
        answer(500, "", &[]),
        answer(302, "", &[("location", "https://attacker.example/")]),
        answer(201, "{}", &[("content-type", "application/json")]),
        answer(200, "{\"keys\":[]}", &[("content-type", "application/json")]),
        answer(200, "{", &[("content-type", "application/json")]),
        answer(200, "{\"keys\":[]}", &[]),
        html,
        encoded,
        large,
    ];
    let count = bad.len();
    for (number, bad) in bad.into_iter().enumerate() {
        publisher.answers(vec![bad]);
        let now = T + 20 * (u64::try_from(number).unwrap() + 1);
        assert_eq!(finds(&cache, "x", now).await, "unknown");
        assert_eq!(finds(&cache, "a", now).await, "known");
    }
    assert_eq!(usize::try_from(cache.status(T).failed).unwrap(), count);
}

#[tokio::test]
async fn a_304_keeps_the_keys_and_needs_some() {
    let tagged = with_headers(set(&["a"]), &[("etag", "\"one\""), ("cache-control", "max-age=600")]);
    let unchanged = || answer(304, "", &[("cache-control", "max-age=600")]);
    let (cache, publisher) = cache(vec![unchanged(), tagged, unchanged()]);
    assert_eq!(finds(&cache, "a", T).await, "unavailable", "304 of what");
    assert_eq!(finds(&cache, "a", T + 15).await, "known");
    cache.renew(T + 600).await;
    assert_eq!(publisher.asked.lock().unwrap()[2].headers()[header::IF_NONE_MATCH], "\"one\"");
    let status = cache.status(T + 601);
    assert_eq!((status.age, status.fetched, status.not_modified, status.failed), (Some(1), 1, 1, 1));
    assert_eq!(finds(&cache, "a", T + 1199).await, "known");
    assert_eq!(publisher.asked(), 3, "fresh again");
}

#[tokio::test]
async fn freshness_is_bounded_both_ways() {
    for (cache_control, fresh) in [
        ("", FIVE_MINUTES),
        ("max-age=0", FIVE_MINUTES),
        ("no-store", FIVE_MINUTES),
        ("public, max-age=1000", 1000),
        ("max-age=999999999", DAY),
        ("max-age=-1", FIVE_MINUTES),
        ("max-age=99999999999999999999", FIVE_MINUTES),
    ] {
        let answers = with_headers(set(&["a"]), &[("cache-control", cache_control)]);
        let (cache, publisher) = cache(vec![answers, Err(HttpError::Timeout)]);
        assert_eq!(finds(&cache, "a", T).await, "known");
        assert_eq!(finds(&cache, "a", T + fresh - 1).await, "known");
        assert_eq!(publisher.asked(), 1, "{cache_control}");
        let renew_at = cache.0.read().renew_at - T;
        assert!((fresh * 69 / 100..=fresh * 80 / 100).contains(&renew_at), "{renew_at} of {fresh}");
        assert_eq!(finds(&cache, "a", T + fresh).await, "known", "stale while there is an error");
        assert_eq!(publisher.asked(), 2, "{cache_control}");
    }
}

#[tokio::test]
async fn stale_keys_are_used_up_to_a_limit_and_then_nothing_is_believed() {
    let (cache, publisher) = cache(vec![set(&["a"]), Err(HttpError::ConnectTimeout)]);
    assert_eq!(finds(&cache, "a", T).await, "known");
    assert_eq!(finds(&cache, "a", T + FIVE_MINUTES + DAY).await, "known");
    let ready = |now| cache.status(now).ready;
    assert!(ready(T + FIVE_MINUTES + DAY) && !ready(T + FIVE_MINUTES + DAY + 1));
    assert_eq!(finds(&cache, "a", T + FIVE_MINUTES + DAY + 1).await, "unavailable");
    publisher.answers(vec![set(&["a"])]);
    assert_eq!(finds(&cache, "a", T + 2 * DAY).await, "known");
}

#[tokio::test]
async fn readiness_begins_with_grace() {
    let (cache, _) = cache(vec![Err(HttpError::Timeout)]);
    assert!(cache.status(T).ready);
    cache.renew(T).await;
    assert!(cache.status(T + 59).ready);
    let status = cache.status(T + 60);
    assert_eq!((status.ready, status.age, status.keys, status.failed), (false, None, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_background_renews_before_the_keys_are_stale() {
    let start = tokio::time::Instant::now();
    let clock = move || T + start.elapsed().as_secs();
    let (cache, publisher) = cache(vec![set(&["a"])]);
    let running = tokio::spawn({
        let cache = cache.clone();
        async move { cache.run(clock).await }
    });
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(publisher.asked(), 1);
    tokio::time::sleep(Duration::from_secs(99)).await;
    assert_eq!(publisher.asked(), 2, "within five minutes");
    publisher.answers(vec![Err(HttpError::Timeout)]);
    tokio::time::sleep(Duration::from_secs(600)).await;
    let tries = publisher.asked();
    assert!((10..=45).contains(&tries), "{tries}: neither silent nor a storm");
    running.abort();
}

#[test]
fn the_refusals_are_named() {
    let error = FetchError::from(KeySetError::NoneUsable);
    assert_eq!(error.to_string(), "no key of the set can be used");
}

/// A client that hangs up drops the lookup; what it began goes on, and nobody can begin it again.
#[tokio::test]
async fn a_hundred_cancelled_lookups_are_one_fetch() {
    let (cache, publisher) = cache(vec![set(&["a"])]);
    for number in 0..100 {
        let name = format!("unknown {number}");
        let mut lookup = Box::pin(cache.lookup(&name, T));
        let polled = std::future::poll_fn(|context| {
            let pending = lookup.as_mut().poll(context).is_pending();
            std::task::Poll::Ready(pending)
        });
        assert!(polled.await || number > 0, "the first waits for the fetch");
        drop(lookup);
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(publisher.asked(), 1);
    while cache.status(T).fetched == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(finds(&cache, "a", T).await, "known", "what was begun came to its end");
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_keep_old_keys() {
    let decade = 10 * 365 * 24 * 60 * 60;
    let (fetched, publisher) = cache(vec![set(&["a"]), set(&["b"])]);
    assert_eq!(finds(&fetched, "a", T + decade).await, "known");
    assert_eq!(finds(&fetched, "a", T).await, "unknown", "it was withdrawn meanwhile");
    assert_eq!(publisher.asked(), 2);

    let (fetched, _) = cache(vec![set(&["a"]), Err(HttpError::Timeout)]);
    assert_eq!(finds(&fetched, "a", T + decade).await, "known");
    let stale_max = KeyCacheRules::default().stale_max.as_secs();
    assert_eq!(finds(&fetched, "a", T).await, "known", "as long as any set that cannot be renewed");
    assert_eq!(finds(&fetched, "a", T + stale_max + 1).await, "unavailable");
}

#[test]
fn a_set_is_renewed_at_seven_to_eight_tenths_of_its_time_and_not_by_all_at_once() {
    let renewed = |_| {
        let mut state = State::default();
        state.confirm(T, 100_000);
        assert_eq!((state.confirmed_at, state.fresh_until), (T, T + 100_000));
        state.renew_at - T
    };
    let times: Vec<u64> = (0..200).map(renewed).collect();
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(*first >= 70_000 && *last <= 80_000 && last - first > 5_000, "{first} to {last}");
}

#[test]
fn a_minute_ahead_is_still_this_time() {
    let state = State { confirmed_at: T, ..State::default() };
    assert!(!state.is_ahead(T - SKEW_SECONDS) && state.is_ahead(T - SKEW_SECONDS - 1));
}
