//! The examples of wa-interop, run against a local WhatsApp: their own code, without their command lines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use wa_conformance::{Document, INTEGRATOR, PHONE, Playground};
use wa_interop::binary::Jid;
use wa_interop::http::{HyperClient, Limits, PlainHttp};
use wa_interop::store::{AccountId, SqliteStore, StoreKey};
use wa_interop::{Client, NoToken};

#[path = "../../wa-interop/examples/bridge.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "its command line is not used here")]
mod bridge;
#[path = "../../wa-interop/examples/echo.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "its command line is not used here")]
mod echo;
#[path = "../../wa-interop/examples/enlist.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "its command line is not used here")]
mod enlist;

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
        let http = HyperClient::new(Limits::default()).with_plain_http(PlainHttp::Http1);
        let token = self.playground.issue(user).await.unwrap();
        let service = enlist::Service { integrator: INTEGRATOR, user: user.to_owned(), token };
        let profile = self.playground.profile();
        enlist::enlist_user(&http, profile, &self.path(user), &self.key, &service).await.unwrap()
    }

    async fn open(&self, user: &str) -> Client {
        let store = SqliteStore::open(&self.path(user), &self.key).unwrap();
        let account = store.account(&AccountId::new(user).unwrap()).unwrap();
        let (chatd, root) = (self.playground.chatd(), self.playground.root().unwrap());
        Client::open(account, chatd, self.playground.profile(), root).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn enlist_and_echo() {
    let stage = Stage::new().await;
    let login = stage.enlist("echo").await;
    stage.playground.phone_answers(false).await.unwrap();
    let (client, token) = (stage.open("echo").await, stage.playground.issue("echo").await.unwrap());
    let echoing = async {
        let reason = echo::echo(client, move || {
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
        let client = stage.open(user).await;
        client.connect(stage.playground.issue(user).await.unwrap()).await.unwrap();
        ends.push(bridge::End { client, peer: Jid::phone(PHONE).unwrap() });
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
