//! The loop of the README over a full mailbox, on busy processors: each event confirmed before the next is asked for.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use wa_interop::binary::Jid;
use wa_interop::chat::{AccountKeys, Event};
use wa_interop::profile::Profile;
use wa_interop::store::{AccountId, SqliteStore, StoreKey};
use wa_interop::{Client, TcpConnector};

use crate::report::failure::{Failure, ensure};
use crate::rules::Document;
use crate::target::environment::{Environment, INTEGRATOR, PHONE};

/// Texts that wait for the client in each run.
const TEXTS: usize = 200;

/// How long one call of the client may take on busy processors.
const PATIENCE: Duration = Duration::from_secs(15);

const FILE: &str = "store.db";
const USER: &str = "drain";

/// Empties `runs` full mailboxes, by turns on a runtime with one thread and on one with several.
///
/// # Errors
/// A call of the client did not return, or a text is missing.
pub fn drain(runs: u32) -> Result<String, Failure> {
    let servers = Runtime::new()?;
    let environment = servers.block_on(Environment::in_process(Document::ReferenceOffer))?;
    let phone = format!("phones/{PHONE}/manners");
    servers.block_on(environment.control(&phone, json!({ "answers": false })))?;
    let is_over = AtomicBool::new(false);
    let processors = std::thread::available_parallelism()?.get();
    std::thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let outcome = (0..runs).try_for_each(|run| one(&servers, &environment, run));
        is_over.store(true, Ordering::Relaxed);
        outcome
    })?;
    Ok(format!("{runs} mailboxes of {TEXTS} texts were emptied on {processors} busy processors"))
}

fn one(servers: &Runtime, environment: &Environment, run: u32) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let key = StoreKey::generate();
    let store = SqliteStore::create(&directory.path().join(FILE), &key)?;
    let waiting = servers.block_on(fill(environment, &store, run))?;
    let runtime = if run.is_multiple_of(2) {
        Builder::new_current_thread().enable_all().build()?
    } else {
        Builder::new_multi_thread().enable_all().build()?
    };
    let read = runtime.block_on(waiting.empty(directory.path(), &key));
    read.map_err(|failure| Failure(format!("run {run}: {failure}")))
}

/// What a client needs to fetch what waits for it.
struct Waiting {
    chatd: TcpConnector,
    profile: Profile,
    root: wa_interop::noise::TrustRoot,
    token: String,
}

/// A new account, and texts in its mailbox.
async fn fill(environment: &Environment, store: &SqliteStore, run: u32) -> Result<Waiting, Failure> {
    let name = format!("{USER}-{run}");
    let keys = AccountKeys::generate(&mut rand::rng());
    let account = store.account(&AccountId::new(USER)?)?;
    Client::create(&account, &keys).await?;
    let token = environment.issue(&name).await?;
    let login: Jid = environment.enlist(INTEGRATOR, &name, &keys, &token).await??;
    let (profile, root) = (environment.profile(), environment.root()?);
    let chatd = TcpConnector::to(&environment.sandbox.chat);
    let (client, _events) = Client::open(account, chatd.clone(), profile.clone(), root).await?;
    client.enlisted(login.clone()).await?;
    client.close().await;
    for number in 0..TEXTS {
        environment.phone_writes(&login, &format!("{PHONE} writes {number}")).await?;
    }
    Ok(Waiting { chatd, profile, root, token })
}

impl Waiting {
    /// Connects and confirms one event after the other, until all texts were read.
    async fn empty(self, directory: &Path, key: &StoreKey) -> Result<(), Failure> {
        let store = SqliteStore::open(&directory.join(FILE), key)?;
        let account = store.account(&AccountId::new(USER)?)?;
        let (client, mut events) = Client::open(account, self.chatd, self.profile, self.root).await?;
        in_time("connect", 0, client.connect(self.token)).await??;
        let mut read = 0;
        while read < TEXTS {
            let event = in_time("next", read, events.next()).await??;
            if let Event::Message { content, .. } = &event {
                ensure(
                    "a text is out of order",
                    content.as_text() == Some(&format!("{PHONE} writes {read}")),
                )?;
                read += 1;
            }
            if let Some(id) = event.id() {
                in_time("confirm", read, client.confirm(id)).await??;
            }
        }
        client.close().await;
        Ok(())
    }
}

async fn in_time<T>(what: &str, read: usize, call: impl Future<Output = T>) -> Result<T, Failure> {
    let outcome = tokio::time::timeout(PATIENCE, call).await;
    outcome.map_err(|_| Failure(format!("`{what}` did not return after {read} texts")))
}
