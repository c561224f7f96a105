//! Answers every text with itself, for as long as it runs: the smallest whole client.
//!
//! ```text
//! echo STORE KEY_HEX USER TOKEN_COMMAND
//! ```
//!
//! The store is one that the example `enlist` made.

use std::error::Error;
use std::path::Path;

use wa_interop::chat::{Content, Event, MessageId};
use wa_interop::noise::WHATSAPP_ROOT;
use wa_interop::profile::Profile;
use wa_interop::store::{AccountId, SqliteStore, StoreKey};
use wa_interop::{Client, Events, NoToken, TcpConnector, TokenSource};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [store, key, user, command] =
        given.try_into().map_err(|_| "usage: echo STORE KEY_HEX USER TOKEN_COMMAND")?;
    let key = StoreKey::from_bytes(hex(&key).ok_or("KEY_HEX has 64 hexadecimal digits")?);
    let store = SqliteStore::open(Path::new(&store), &key)?;
    let account = store.account(&AccountId::new(user)?)?;
    let profile = Profile::default();
    let chatd = TcpConnector::new(&profile);
    let (client, events) = Client::open(account, chatd, profile, WHATSAPP_ROOT).await?;
    echo(client, events, move || {
        let output = std::process::Command::new("sh").args(["-c", &command]).output();
        async move { output.ok().and_then(|it| String::from_utf8(it.stdout).ok()).ok_or(NoToken::Later) }
    })
    .await
}

/// Echoes until connecting makes no sense any more.
pub async fn echo(
    client: Client,
    mut events: Events,
    tokens: impl TokenSource,
) -> Result<(), Box<dyn Error>> {
    let staying = client.stay_connected(tokens);
    tokio::pin!(staying);
    loop {
        let event = tokio::select! {
            event = events.next() => event?,
            reason = &mut staying => return Err(reason.into()),
        };
        if let Event::Message { from, id, content: Content::Text(text), .. } = &event {
            // The answer's id follows from the question's: if we die before the confirmation below, the event comes
            // again, and the same answer is not sent twice.
            let answer = MessageId(format!("echo-{}", id.0));
            client.send(from.clone(), answer, Content::text(&*text.body)).await?;
        }
        client.confirm_through(&event).await?;
    }
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let bytes = (0..32).map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok());
    bytes.collect::<Option<Vec<u8>>>().filter(|_| text.len() == 64)?.try_into().ok()
}
