//! What an application does when a push has woken it: take the account, connect, take what waits, leave, within a budget of
//! time. Where the application itself is awake it has the account, and the messages.
//!
//! ```text
//! wake STORE KEY_HEX USER TOKEN
//! ```
//!
//! The store is one that the example `enlist` made. In a notification extension the budget is what the system gives.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;
use wa_interop::chat::Event;
use wa_interop::noise::{TrustRoot, WHATSAPP_ROOT};
use wa_interop::profile::Profile;
use wa_interop::store::{AccountId, LeaseError, SqliteStore, StoreKey};
use wa_interop::{Client, Drained, TcpConnector};

/// How long it may take.
const BUDGET: Duration = Duration::from_secs(25);

/// After how long another process may take the account from one that was stopped.
const TERM: Duration = Duration::from_secs(10);

#[tokio::main]
#[expect(clippy::print_stdout, reason = "what it shows is what it is for")]
async fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [store, key, user, token] = given.try_into().map_err(|_| "usage: wake STORE KEY_HEX USER TOKEN")?;
    let key = StoreKey::from_bytes(hex(&key).ok_or("KEY_HEX has 64 hexadecimal digits")?);
    let store = SqliteStore::open(Path::new(&store), &key)?;
    let profile = Profile::default();
    let whatsapp = WhatsApp { chatd: TcpConnector::new(&profile), profile, root: WHATSAPP_ROOT };
    let show = |event: &Event| println!("{event:?}");
    let drained = wake(&store, &AccountId::new(user)?, whatsapp, token, Instant::now() + BUDGET, show).await;
    store.close().await;
    println!("{:?}", drained?);
    Ok(())
}

/// Where WhatsApp is, and how it is recognised.
pub struct WhatsApp {
    /// The way to its chat server.
    pub chatd: TcpConnector,
    /// How its protocol is spoken.
    pub profile: Profile,
    /// What its certificates begin with.
    pub root: TrustRoot,
}

/// Takes what waits, and tells whether that was all. What there was no time for, because it is over or because the
/// application has or wants the account, waits for who comes next.
pub async fn wake(
    store: &SqliteStore,
    user: &AccountId,
    WhatsApp { chatd, profile, root }: WhatsApp,
    token: String,
    until: Instant,
    keep: impl FnMut(&Event),
) -> Result<Drained, Box<dyn Error>> {
    let lease = match store.try_lease(user, "extension", TERM) {
        // The application is awake.
        Err(LeaseError::Held { .. }) => return Ok(Drained::TimeUp),
        lease => lease?,
    };
    let (client, mut events) = Client::open(lease.account(), chatd, profile, root).await?;
    let drained = tokio::select! {
        drained = client.take_waiting(&mut events, token, until, keep) => drained,
        () = lease.wanted() => Ok(Drained::TimeUp),
    };
    // Before the process is suspended: neither a lock nor the lease is held then.
    client.close().await;
    lease.release().await;
    Ok(drained?)
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let bytes = (0..32).map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok());
    bytes.collect::<Option<Vec<u8>>>().filter(|_| text.len() == 64)?.try_into().ok()
}
