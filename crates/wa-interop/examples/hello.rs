//! The first message: enlists a user, connects, writes to a WhatsApp user and shows the answer.
//!
//! ```text
//! hello ENLISTMENT CHAT ROOT_HEX TOKEN
//! ```
//!
//! The guide `docs/BEGIN.md` runs it against a local WhatsApp.

use std::error::Error;

use wa_interop::binary::Jid;
use wa_interop::chat::{Content, Event, MemoryStore, MessageId};
use wa_interop::http::{HttpLimits, HyperClient, PlainHttp};
use wa_interop::keys::PublicKey;
use wa_interop::noise::TrustRoot;
use wa_interop::profile::Profile;
use wa_interop::{Client, TcpConnector, enlist};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "what it shows is what it is for")]
async fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [url, chat, root, token] =
        given.try_into().map_err(|_| "usage: hello ENLISTMENT CHAT ROOT_HEX TOKEN")?;
    let root: [u8; 32] = hex::decode(root)?.try_into().map_err(|_| "ROOT_HEX has 64 digits")?;
    let mut profile = Profile::default();
    profile.enlistment.url = url;
    // WhatsApp itself is reached over TLS, and its certificates come from `WHATSAPP_ROOT`.
    let http = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
    let root = TrustRoot::new(PublicKey::from_bytes(root));

    // An application keeps its accounts in a file, by `SqliteStore`.
    let store = MemoryStore::default();
    let enlisting = async |keys| enlist(&http, &profile, &keys, 1, "dora", &token).await;
    let opened = Client::open_or_enlist(store, TcpConnector::to(&chat), profile.clone(), root, enlisting);
    let (client, mut events) = opened.await?;

    client.connect(&token).await?;
    client.send(Jid::phone("14155551001")?, MessageId::from("1"), Content::text("hello")).await?;
    loop {
        let event = events.next().await?;
        if let Event::Message { from, content, .. } = &event {
            println!("{from}: {}", content.as_text().unwrap_or_default());
            return Ok(());
        }
        client.confirm_through(&event).await?;
    }
}
