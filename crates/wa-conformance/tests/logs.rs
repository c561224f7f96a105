//! What a client tells the log: what it does, and nothing of whom or what.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing_subscriber::EnvFilter;
use wa_conformance::{Document, INTEGRATOR, PHONE, Playground};
use wa_interop::binary::Jid;
use wa_interop::chat::{Content, Event, MessageId};
use wa_interop::http::{HttpLimits, HyperClient, PlainHttp};
use wa_interop::store::{AccountId, SqliteStore, StoreKey};
use wa_interop::{Client, NoToken, enlist};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const SECRET: &str = "a text that nobody else may read";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_says_what_it_does_and_nothing_of_whom_or_what() {
    let log = Log::default();
    let written = log.clone();
    // The local WhatsApp and the integrator of this process have logs of their own.
    let ours =
        EnvFilter::new("trace,wa_sandbox=off,wa_integrator=off,wa_integrator_server=off,wa_http_server=off");
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_env_filter(ours);
    tracing::subscriber::set_global_default(subscriber.with_writer(move || written.clone()).finish())
        .unwrap();

    let playground = Playground::start(Document::ReferenceOffer).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(&directory.path().join("store"), &StoreKey::generate()).unwrap();
    let account = store.account(&AccountId::new("alice-of-the-log").unwrap()).unwrap();
    let (token, profile) = (playground.issue("alice-of-the-log").await.unwrap(), playground.profile());
    let http = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
    let login = async |keys| enlist(&http, &profile, &keys, INTEGRATOR, "alice-of-the-log", &token).await;
    let opened = Client::open_or_enlist(
        account,
        playground.chatd(),
        profile.clone(),
        playground.root().unwrap(),
        login,
    );
    let (client, mut events) = opened.await.unwrap();
    let login = client.login().await.unwrap().unwrap();
    let fresh = token.clone();
    let staying = tokio::spawn(client.stay_connected(move || {
        let token = fresh.clone();
        async move { Ok::<_, NoToken>(token) }
    }));
    client
        .send(Jid::phone(PHONE).unwrap(), MessageId::from("an-id-of-ours"), Content::text(SECRET))
        .await
        .unwrap();
    playground.phone_has(&login, &[SECRET]).await.unwrap();
    playground.phone_writes(&login, SECRET).await.unwrap();
    loop {
        let event = events.next().await.unwrap();
        client.confirm_through(&event).await.unwrap();
        if let Event::Message { content, .. } = &event
            && content.as_text() == Some(SECRET)
        {
            break;
        }
    }
    client.disconnect().await.unwrap();
    staying.await.unwrap();
    client.close().await;
    while events.next().await.is_ok() {}

    let said = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for expected in [
        "client{number=1}",
        "dialling",
        "the login stands",
        "the connection has ended",
        "the client has ended",
    ] {
        assert!(said.contains(expected), "{expected:?} is not in {said}");
    }
    let (login, user) = (login.to_string(), login.user().unwrap().into_owned());
    for secret in [SECRET, PHONE, "alice-of-the-log", "an-id-of-ours", &login, &user, &token] {
        assert!(!said.contains(secret), "{secret:?} is in {said}");
    }
}
