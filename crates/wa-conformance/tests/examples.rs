//! The examples of wa-interop, run against a local WhatsApp: their own code, without their command lines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;
use wa_conformance::{Document, INTEGRATOR, PHONE, Playground};
use wa_interop::binary::Jid;
use wa_interop::chat::Event;
use wa_interop::http::{HttpLimits, HyperClient, PlainHttp};
use wa_interop::store::{AccountId, SqliteStore, StoreKey};
use wa_interop::{Client, Drained, Events, NoToken, TcpConnector};

#[path = "../../wa-interop/examples/bridge.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "its command line is not used here")]
mod bridge;
#[path = "../../wa-interop/examples/echo.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "its command line is not used here")]
mod echo;
#[path = "../../wa-interop/examples/enlist.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "its command line is not used here")]
mod enlist;
#[path = "../../wa-interop/examples/wake.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::print_stdout,
    reason = "its command line is not used here"
)]
mod wake;

/// Accounts made by the example `enlist`, each in a store of its own.
struct Stage {
    playground: Playground,
    directory: tempfile::TempDir,
    key: StoreKey,
}

impl Stage {
    async fn new() -> Self {
        let playground = Playground::start(Document::ReferenceOffer).await.unwrap();
        Self { playground, directory: tempfile::tempdir().unwrap(), key: StoreKey::generate() }
    }

    fn path(&self, user: &str) -> PathBuf {
        self.directory.path().join(user)
    }

    async fn enlist(&self, user: &str) -> Jid {
        let http = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
        let token = self.playground.issue(user).await.unwrap();
        let service = enlist::Service { integrator: INTEGRATOR, user: user.to_owned(), token };
        let profile = self.playground.profile();
        enlist::enlist_user(&http, profile, &self.path(user), &self.key, &service).await.unwrap()
    }

    async fn open(&self, user: &str) -> (Client, Events) {
        let store = SqliteStore::open(&self.path(user), &self.key).unwrap();
        let account = store.account(&AccountId::new(user).unwrap()).unwrap();
        let (chatd, root) = (self.playground.chatd(), self.playground.root().unwrap());
        Client::open(account, chatd, self.playground.profile(), root).await.unwrap()
    }

    /// What a push does: a process of its own takes what waits.
    async fn wake(&self, user: &str, until: Instant, keep: impl FnMut(&Event)) -> Drained {
        let token = self.playground.issue(user).await.unwrap();
        self.wake_at(self.playground.chatd(), user, token, until, keep).await
    }

    async fn wake_at(
        &self,
        chatd: TcpConnector,
        user: &str,
        token: String,
        until: Instant,
        keep: impl FnMut(&Event),
    ) -> Drained {
        let store = SqliteStore::open(&self.path(user), &self.key).unwrap();
        let (profile, root) = (self.playground.profile(), self.playground.root().unwrap());
        let whatsapp = wake::WhatsApp { chatd, profile, root };
        wake::wake(&store, &AccountId::new(user).unwrap(), whatsapp, token, until, keep).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn enlist_and_echo() {
    let stage = Stage::new().await;
    let login = stage.enlist("echo").await;
    stage.playground.phone_answers(false).await.unwrap();
    let ((client, events), token) = (stage.open("echo").await, stage.playground.issue("echo").await.unwrap());
    let echoing = async {
        let reason = echo::echo(client, events, move || {
            let token = token.clone();
            async move { Ok::<_, NoToken>(token) }
        });
        reason.await.unwrap_err().to_string()
    };
    let talking = async {
        for text in ["one", "two"] {
            stage.playground.phone_writes(&login, text).await.unwrap();
        }
        stage.playground.phone_has(&login, &["one", "two"]).await.unwrap();
    };
    tokio::select! {
        ended = echoing => panic!("{ended}"),
        () = talking => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn enlist_and_bridge() {
    let stage = Stage::new().await;
    stage.playground.phone_answers(false).await.unwrap();
    let mut ends = Vec::new();
    let mut logins = Vec::new();
    for user in ["a", "b"] {
        logins.push(stage.enlist(user).await);
        let (client, events) = stage.open(user).await;
        client.connect(stage.playground.issue(user).await.unwrap()).await.unwrap();
        ends.push(bridge::End { client, events, peer: Jid::phone(PHONE).unwrap() });
    }
    let [a, b] = <[bridge::End; 2]>::try_from(ends).ok().unwrap();
    let talking = async {
        stage.playground.phone_writes(&logins[0], "to a").await.unwrap();
        stage.playground.phone_has(&logins[1], &["to a"]).await.unwrap();
        stage.playground.phone_writes(&logins[1], "to b").await.unwrap();
        stage.playground.phone_has(&logins[0], &["to b"]).await.unwrap();
    };
    tokio::select! {
        ended = bridge::bridge(a, b) => panic!("{}", ended.unwrap_err()),
        () = talking => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn enlist_and_wake() {
    let stage = Stage::new().await;
    let login = stage.enlist("wake").await;
    let mut shown = 0;
    for waiting in [1, 20, 200, 0] {
        for number in 0..waiting {
            stage.playground.phone_writes(&login, &format!("text {}", shown + number)).await.unwrap();
        }
        let mut told = Vec::new();
        let until = Instant::now() + Duration::from_secs(120);
        let drained = stage.wake("wake", until, |event| told.push(event.clone())).await;
        assert_eq!(drained, Drained::Empty, "{waiting} waiting");
        let texts: Vec<String> = told.iter().filter_map(text).collect();
        let expected: Vec<String> = (shown..shown + waiting).map(|number| format!("text {number}")).collect();
        assert_eq!(texts, expected);
        let end = told.iter().position(|event| matches!(event, Event::MailboxEmpty { .. })).unwrap();
        assert!(told.iter().skip(end).all(|event| text(event).is_none()), "the end comes last");
        shown += waiting;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_extension_leaves_when_the_application_wants_the_account() {
    let stage = Stage::new().await;
    stage.enlist("pair").await;
    // Nobody answers at the other end: the extension would use up its budget.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let chatd = TcpConnector::to(silent.local_addr().unwrap().to_string());
    let until = Instant::now() + Duration::from_secs(3600);
    let extension = stage.wake_at(chatd, "pair", "token".to_owned(), until, |_| {});
    let store = SqliteStore::open(&stage.path("pair"), &stage.key).unwrap();
    let (account, term) = (AccountId::new("pair").unwrap(), Duration::from_secs(10));
    let application = async {
        // By now the extension has the account.
        let _line = silent.accept().await.unwrap();
        store.lease(&account, "app", term).await.unwrap()
    };
    let (drained, lease) = tokio::join!(extension, application);
    assert_eq!(drained, Drained::TimeUp);
    // And while the application has it an extension leaves at once.
    assert_eq!(stage.wake("pair", until, |_| {}).await, Drained::TimeUp);
    lease.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_time_leaves_and_loses_nothing() {
    let stage = Stage::new().await;
    let login = stage.enlist("late").await;
    for number in 0..50 {
        stage.playground.phone_writes(&login, &format!("text {number}")).await.unwrap();
    }
    let mut texts = BTreeSet::new();
    for milliseconds in [0, 50, 100, 200, 60_000] {
        let until = Instant::now() + Duration::from_millis(milliseconds);
        let drained = stage.wake("late", until, |event| texts.extend(text(event))).await;
        if drained == Drained::Empty {
            assert_eq!(texts.len(), 50);
            return;
        }
    }
    panic!("a minute was not enough");
}

fn text(event: &Event) -> Option<String> {
    match event {
        Event::Message { content, .. } => content.as_text().map(str::to_owned),
        _ => None,
    }
}
