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
use wa_interop::noise::WHATSAPP_ROOT;
use wa_interop::profile::Profile;
use wa_interop::store::{AccountId, Lease, LeaseError, SqliteStore, StoreKey};
use wa_interop::{Client, ClientError, Drained, Events, TcpConnector};

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
    let lease = match store.try_lease(&AccountId::new(user)?, "extension", TERM) {
        // The application is awake.
        Err(LeaseError::Held { .. }) => return Ok(()),
        lease => lease?,
    };
    let profile = Profile::default();
    let chatd = TcpConnector::new(&profile);
    let (client, mut events) = Client::open(lease.account(), chatd, profile, WHATSAPP_ROOT).await?;
    let show = |event: &Event| println!("{event:?}");
    let drained = wake(&client, &mut events, &lease, token, Instant::now() + BUDGET, show).await;
    // Before the process is suspended: neither a lock nor the lease is held then.
    client.close().await;
    lease.release().await;
    store.close().await;
    println!("{:?}", drained?);
    Ok(())
}

/// Takes what waits, and tells whether that was all. What there was no time for, because it is over or because the
/// application wants the account, waits for who comes next.
pub async fn wake(
    client: &Client,
    events: &mut Events,
    lease: &Lease,
    token: String,
    until: Instant,
    mut keep: impl FnMut(&Event),
) -> Result<Drained, ClientError> {
    let taking = async {
        loop {
            let event = events.next().await?;
            keep(&event);
            client.confirm_through(&event).await?;
        }
    };
    let emptying = async {
        match tokio::time::timeout_at(until, client.connect(token)).await {
            Ok(connected) => connected?,
            Err(_) => return Ok(Drained::TimeUp),
        }
        client.drain(until).await
    };
    let drained = tokio::select! {
        ended = taking => ended,
        drained = emptying => drained,
        () = lease.wanted() => Ok(Drained::TimeUp),
    };
    client.disconnect().await?;
    drained
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let bytes = (0..32).map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok());
    bytes.collect::<Option<Vec<u8>>>().filter(|_| text.len() == 64)?.try_into().ok()
}
