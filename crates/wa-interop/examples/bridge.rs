//! Joins two conversations: what one WhatsApp user writes to the first account, another hears from the second.
//!
//! ```text
//! bridge STORE KEY_HEX USER_A PHONE_A USER_B PHONE_B TOKEN_COMMAND
//! ```
//!
//! Both accounts lie in one store, as the example `enlist` makes it; `$TOKEN_COMMAND USER` prints a fresh token.

use std::error::Error;
use std::path::Path;

use wa_interop::binary::Jid;
use wa_interop::chat::{Content, Event, MessageId};
use wa_interop::noise::WHATSAPP_ROOT;
use wa_interop::profile::Profile;
use wa_interop::store::{AccountId, SqliteStore, StoreKey};
use wa_interop::{Client, ClientError, Events, NoToken, TcpConnector, TokenSource};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [path, key, user_a, phone_a, user_b, phone_b, command] = given
        .try_into()
        .map_err(|_| "usage: bridge STORE KEY_HEX USER_A PHONE_A USER_B PHONE_B TOKEN_COMMAND")?;
    let key = StoreKey::from_bytes(hex(&key).ok_or("KEY_HEX has 64 hexadecimal digits")?);
    let store = SqliteStore::open(Path::new(&path), &key)?;
    let mut ends = Vec::new();
    for (user, phone) in [(user_a, phone_a), (user_b, phone_b)] {
        let account = store.account(&AccountId::new(&*user)?)?;
        let profile = Profile::default();
        let chatd = TcpConnector::new(&profile);
        let (client, events) = Client::open(account, chatd, profile, WHATSAPP_ROOT).await?;
        tokio::spawn(client.stay_connected(tokens(format!("{command} {user}"))));
        ends.push(End { client, events, peer: Jid::phone(&phone)? });
    }
    let [a, b] = ends.try_into().map_err(|_| "two ends")?;
    bridge(a, b).await
}

/// One side: an account, and the user whom it talks to.
pub struct End {
    /// The account's client.
    pub client: Client,
    /// What it hears.
    pub events: Events,
    /// The user whom it talks to.
    pub peer: Jid,
}

/// Carries what comes on either side to the other, until a client ends.
pub async fn bridge(mut a: End, mut b: End) -> Result<(), Box<dyn Error>> {
    loop {
        tokio::select! {
            event = a.events.next() => carry(event?, &a, &b).await?,
            event = b.events.next() => carry(event?, &b, &a).await?,
        }
    }
}

/// Durable on the other side first, confirmed here then: a death in between brings the event again, and the same id
/// makes the second time do nothing.
async fn carry(event: Event, from: &End, to: &End) -> Result<(), ClientError> {
    if let Event::Message { from: author, id, content, .. } = &event
        && *author == from.peer
        && let Some(content) = carried(content)
    {
        to.client.send(to.peer.clone(), MessageId(format!("bridge-{}", id.0)), content).await?;
    }
    from.client.confirm_through(&event).await
}

/// What means the same on the other side. Replies, reactions, edits and revokes name messages that have other names
/// there: a real bridge keeps a table of them.
fn carried(content: &Content) -> Option<Content> {
    match content {
        Content::Text(text) => Some(Content::text(&*text.body)),
        _ => None,
    }
}

fn tokens(command: String) -> impl TokenSource {
    move || {
        let output = std::process::Command::new("sh").args(["-c", &command]).output();
        async move { output.ok().and_then(|it| String::from_utf8(it.stdout).ok()).ok_or(NoToken::Later) }
    }
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let bytes = (0..32).map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok());
    bytes.collect::<Option<Vec<u8>>>().filter(|_| text.len() == 64)?.try_into().ok()
}
