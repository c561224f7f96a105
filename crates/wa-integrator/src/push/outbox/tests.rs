//! Delivery to sinks that fail as a test says, at times that it chooses.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::*;
use crate::push::{ChannelSink, Counts, DeadLetter, Delivery, NewWakeUp, Put, Selection};
use crate::store::MemoryStore;
use crate::value::UserIdentifier;

const T: u64 = 1_700_000_000;

/// Fails so many times, then takes; keeps whom it was asked to wake.
struct Flaky {
    name: &'static str,
    failures: Mutex<VecDeque<SinkError>>,
    asked: Mutex<Vec<(String, u64)>>,
    while_asked: Option<(Arc<MemoryStore>, Arc<[String]>)>,
}

impl PushSink for Flaky {
    fn name(&self) -> &str {
        self.name
    }

    fn deliver<'a>(&'a self, wake_up: &'a WakeUp) -> Delivery<'a> {
        Delivery::new(async move {
            let first = self.asked.lock().unwrap().is_empty();
            self.asked.lock().unwrap().push((wake_up.user.as_str().to_owned(), wake_up.count));
            if let (true, Some((store, sinks))) = (first, &self.while_asked) {
                store.put_wake_up(push("alice", sinks)).await.unwrap();
            }
            self.failures.lock().unwrap().pop_front().map_or(Ok(()), Err)
        })
    }
}

fn flaky(name: &'static str, failures: usize) -> Flaky {
    let failures = vec![SinkError::Status { status: 503 }; failures].into();
    Flaky { name, failures: Mutex::new(failures), asked: Mutex::default(), while_asked: None }
}

fn push(user: &str, sinks: &Arc<[String]>) -> NewWakeUp {
    NewWakeUp {
        user: UserIdentifier::new(user, 40).unwrap(),
        sinks: Arc::clone(sinks),
        received_at: T,
        due_at: T,
        expires_at: T + 1000,
        for_strangers: true,
    }
}

#[tokio::test]
async fn each_sink_gets_its_own_and_one_failing_does_not_stop_the_other() {
    let store = Arc::new(MemoryStore::new());
    let (good, bad) = (Arc::new(flaky("good", 0)), Arc::new(flaky("bad", 2)));
    let outbox = Outbox::new(
        Arc::<MemoryStore>::clone(&store),
        vec![good.clone(), bad.clone()],
        DeliveryRules::default(),
    );
    store.put_wake_up(push("alice", &outbox.sinks())).await.unwrap();
    assert_eq!(outbox.deliver_due(T).await, Ok(2));
    assert_eq!(store.counts().await.unwrap().waiting, 1);
    assert_eq!(outbox.deliver_due(T).await, Ok(0), "a pause first");
    assert_eq!(outbox.deliver_due(T + 1).await, Ok(1));
    assert_eq!(outbox.deliver_due(T + 3).await, Ok(1));
    assert_eq!(store.counts().await.unwrap().waiting, 0);
    let asked = |sink: &Flaky| sink.asked.lock().unwrap().len();
    assert_eq!((asked(&good), asked(&bad)), (1, 3));
}

#[tokio::test]
async fn a_push_during_a_delivery_is_delivered_again() {
    for failures in [0, 1] {
        let store = Arc::new(MemoryStore::new());
        let names: Arc<[String]> = ["sink".to_owned()].into();
        let mut sink = flaky("sink", failures);
        sink.while_asked = Some((Arc::clone(&store), Arc::clone(&names)));
        let sink = Arc::new(sink);
        let outbox =
            Outbox::new(Arc::<MemoryStore>::clone(&store), vec![sink.clone()], DeliveryRules::default());
        store.put_wake_up(push("alice", &names)).await.unwrap();
        store.put_wake_up(push("alice", &names)).await.unwrap();
        outbox.deliver_due(T).await.unwrap();
        assert_eq!(store.counts().await.unwrap().waiting, 1, "{failures} failures");
        outbox.deliver_due(T).await.unwrap();
        let asked = sink.asked.lock().unwrap().clone();
        assert_eq!(asked, [("alice".to_owned(), 2), ("alice".to_owned(), 3)], "folded, then once more");
        assert_eq!(store.counts().await.unwrap().waiting, 0);
    }
}

#[tokio::test]
async fn what_nobody_takes_is_a_dead_letter_in_the_end() {
    let store = Arc::new(MemoryStore::new());
    let rules = DeliveryRules { attempts_max: 3, ..DeliveryRules::default() };
    let outbox = Outbox::new(Arc::<MemoryStore>::clone(&store), vec![Arc::new(flaky("sink", 9))], rules);
    store.put_wake_up(push("alice", &outbox.sinks())).await.unwrap();
    for (now, waiting, dead) in [(T, 1, 0), (T + 10, 1, 0), (T + 20, 0, 1)] {
        assert_eq!(outbox.deliver_due(now).await, Ok(1));
        let counts = store.counts().await.unwrap();
        assert_eq!((counts.waiting, counts.dead), (waiting, dead));
    }
    assert_eq!(store.sweep(T + 30, T + 20).await, Ok(0));
    assert_eq!(store.sweep(T + 30, T + 21).await, Ok(1), "dead letters are kept for a time");
}

#[tokio::test]
async fn a_wake_up_is_dropped_with_the_mailbox() {
    let store = Arc::new(MemoryStore::new());
    let outbox = Outbox::new(
        Arc::<MemoryStore>::clone(&store),
        vec![Arc::new(flaky("sink", 9))],
        DeliveryRules::default(),
    );
    store.put_wake_up(push("alice", &outbox.sinks())).await.unwrap();
    assert_eq!(store.sweep(T + 999, 0).await, Ok(0));
    assert_eq!(store.sweep(T + 1000, 0).await, Ok(1));
    assert_eq!(outbox.deliver_due(T + 1000).await, Ok(0));
}

#[test]
fn pauses_double_to_a_limit_and_are_spread() {
    let rules = DeliveryRules::default();
    let longest = |failures| rules.pause(failures, 0);
    assert_eq!((longest(0), longest(1), longest(5), longest(10), longest(999)), (1, 2, 32, 900, 900));
    for random in [1, 17, 225, u64::MAX] {
        assert!((450..=900).contains(&rules.pause(20, random)));
        assert!((1..=2).contains(&rules.pause(1, random)));
        assert_eq!(rules.pause(0, random), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn it_runs_by_itself() {
    let start = tokio::time::Instant::now();
    let clock = Clock::from_fn(move || T + start.elapsed().as_secs());
    let store = Arc::new(MemoryStore::new());
    let (channel, mut woken) = ChannelSink::new("channel", 4);
    let hanging = Arc::new(Hanging);
    let sinks: Vec<Arc<dyn PushSink>> = vec![Arc::new(channel), hanging];
    let outbox = Outbox::new(
        Arc::<MemoryStore>::clone(&store),
        sinks,
        DeliveryRules { attempts_max: 2, ..DeliveryRules::default() },
    );
    let running = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.run(clock).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    store.put_wake_up(push("alice", &outbox.sinks())).await.unwrap();
    let put = tokio::time::Instant::now();
    outbox.ring();
    assert_eq!(woken.recv().await.unwrap().user.as_str(), "alice");
    assert!(put.elapsed() < Duration::from_secs(1), "the bell was heard");
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(store.counts().await.unwrap().dead, 1, "a sink that hangs fails");
    running.abort();
}

/// A sink that never answers.
struct Hanging;

impl PushSink for Hanging {
    fn name(&self) -> &str {
        "hanging"
    }

    fn deliver<'a>(&'a self, _: &'a WakeUp) -> Delivery<'a> {
        Delivery::new(std::future::pending())
    }
}

/// Of each 64 one takes nine seconds.
struct SometimesSlow(std::sync::atomic::AtomicUsize);

impl PushSink for SometimesSlow {
    fn name(&self) -> &str {
        "webhook"
    }

    fn deliver<'a>(&'a self, _: &'a WakeUp) -> Delivery<'a> {
        let number = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let millis = if number.is_multiple_of(64) { 9000 } else { 20 };
        Delivery::new(async move {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok(())
        })
    }
}

/// A11: with a barrier after each 64 it would be three minutes.
#[tokio::test(start_paused = true)]
async fn a_slow_delivery_holds_up_nobody_else() {
    let store = Arc::new(MemoryStore::new());
    let sink = Arc::new(SometimesSlow(std::sync::atomic::AtomicUsize::default()));
    let outbox = Outbox::new(Arc::<MemoryStore>::clone(&store), vec![sink], DeliveryRules::default());
    for number in 0..1280 {
        store.put_wake_up(push(&format!("user {number}"), &outbox.sinks())).await.unwrap();
    }
    let start = tokio::time::Instant::now();
    assert_eq!(outbox.deliver_due(T).await, Ok(1280));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

/// A12: the pause is the sink's. While it is away, it is asked now and then for one wake-up, however many wait; and when it
/// is back, they do not wait out pauses of their own.
#[tokio::test(start_paused = true)]
async fn a_sink_that_is_away_is_asked_seldom_and_gets_everything_when_it_is_back() {
    let start = tokio::time::Instant::now();
    let clock = Clock::from_fn(move || T + start.elapsed().as_secs());
    let store = Arc::new(MemoryStore::new());
    let sink = Arc::new(flaky("sink", 16_000));
    let outbox = Outbox::new(Arc::<MemoryStore>::clone(&store), vec![sink.clone()], DeliveryRules::default());
    for number in 0..200 {
        let far = NewWakeUp { expires_at: T + 100_000, ..push(&format!("user {number}"), &outbox.sinks()) };
        store.put_wake_up(far).await.unwrap();
    }
    let running = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.run(clock).await }
    });
    let asked = || sink.asked.lock().unwrap().len();
    tokio::time::sleep(Duration::from_secs(120)).await;
    let in_two_minutes = asked();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let later = asked() - in_two_minutes;
    assert!(later <= 12, "asked {later} times in ten minutes, after {in_two_minutes}");
    sink.failures.lock().unwrap().clear();
    // Pushed again: due now, whatever pause its row had.
    for number in 0..200 {
        let again = NewWakeUp {
            received_at: T + 720,
            due_at: T + 720,
            expires_at: T + 100_000,
            ..push(&format!("user {number}"), &outbox.sinks())
        };
        store.put_wake_up(again).await.unwrap();
    }
    outbox.ring();
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert_eq!(store.counts().await.unwrap().waiting, 0);
    running.abort();
}

/// A store whose first question panics.
struct Broken(MemoryStore, std::sync::atomic::AtomicBool);

#[async_trait::async_trait]
impl OutboxStore for Broken {
    async fn put_wake_up(&self, new: NewWakeUp) -> Result<Put, StoreError> {
        self.0.put_wake_up(new).await
    }

    async fn due_wake_ups(&self, sink: &str, now: u64, limit: usize) -> Result<Vec<WakeUp>, StoreError> {
        assert!(self.1.swap(true, std::sync::atomic::Ordering::Relaxed), "as asked for");
        self.0.due_wake_ups(sink, now, limit).await
    }

    async fn settle(&self, wake_up: WakeUp, outcome: Outcome) -> Result<(), StoreError> {
        self.0.settle(wake_up, outcome).await
    }

    async fn sweep(&self, now: u64, dead_before: u64) -> Result<u64, StoreError> {
        self.0.sweep(now, dead_before).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.0.counts().await
    }

    async fn next_due(&self, sink: &str) -> Result<Option<u64>, StoreError> {
        self.0.next_due(sink).await
    }

    async fn dead_letters(&self, of: Selection, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.0.dead_letters(of, limit).await
    }

    async fn revive(&self, of: Selection, now: u64, expires_at: u64) -> Result<u64, StoreError> {
        self.0.revive(of, now, expires_at).await
    }

    async fn drop_wake_ups(&self, of: Selection, waiting: bool) -> Result<u64, StoreError> {
        self.0.drop_wake_ups(of, waiting).await
    }
}

/// A loop that panics is not the end of deliveries that nobody notices: the outbox ends, and is begun again (A21).
#[tokio::test(start_paused = true)]
async fn a_loop_that_panics_ends_the_outbox_and_the_next_one_delivers() {
    let store = Arc::new(Broken(MemoryStore::new(), std::sync::atomic::AtomicBool::new(false)));
    let sink = Arc::new(flaky("sink", 0));
    let outbox = Outbox::new(store.clone(), vec![sink.clone()], DeliveryRules::default());
    store.put_wake_up(push("alice", &outbox.sinks())).await.unwrap();
    let clock = Clock::from_fn(|| T);
    tokio::time::timeout(Duration::from_secs(60), outbox.run(clock.clone())).await.unwrap();
    let again = tokio::time::timeout(Duration::from_secs(60), outbox.run(clock)).await;
    assert!(again.is_err() && sink.asked.lock().unwrap().len() == 1);
}

/// Counts what is told at `warn` or above.
#[derive(Default)]
struct Loud(std::sync::atomic::AtomicUsize);

impl tracing::Subscriber for Loud {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// A backend that is away is one line, however many wait for it (A24).
#[tokio::test(start_paused = true)]
async fn a_sink_that_is_away_is_said_once_and_not_for_each_wake_up() {
    let loud = Arc::new(Loud::default());
    let _told = tracing::subscriber::set_default(Arc::clone(&loud));
    let store = Arc::new(MemoryStore::new());
    let sink = Arc::new(flaky("sink", usize::from(u16::MAX)));
    let outbox = Outbox::new(store.clone(), vec![sink.clone()], DeliveryRules::default());
    for number in 0..500 {
        store.put_wake_up(push(&format!("user {number}"), &outbox.sinks())).await.unwrap();
    }
    let running = outbox.run(Clock::from_fn(|| T));
    assert!(tokio::time::timeout(Duration::from_secs(30), running).await.is_err());
    let lines = loud.0.load(std::sync::atomic::Ordering::Relaxed);
    assert!(sink.asked.lock().unwrap().len() >= 64 && (1..10).contains(&lines), "{lines} lines");
}
