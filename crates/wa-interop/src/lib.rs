//! Message WhatsApp users from another service, under the EU's Digital Markets Act (overview §1 to §3).
//!
//! This crate puts the others together. [`enlist()`] asks WhatsApp for a login; a [`Client`] connects with it, sends and
//! receives. Each part stands alone as well: see [`binary`], [`noise`], [`chat`] and the rest.
//!
//! ```no_run
//! use wa_interop::chat::{AccountKeys, Content, MemoryStore, MessageId};
//! use wa_interop::{Client, Connector, TcpConnector, binary::Jid, noise::WHATSAPP_ROOT, profile::Profile};
//!
//! # async fn run(login: Jid, token: String) -> Result<(), Box<dyn std::error::Error>> {
//! # let mut rng = rand_core::UnwrapErr(rand::rngs::SysRng);
//! let profile = Profile::overview();
//! let chatd = TcpConnector::new(&profile);
//!
//! // Once: make an account in a store, enlist its public keys, keep the login.
//! let store = MemoryStore::default();
//! let keys = AccountKeys::generate(&mut rng);
//! Client::create(&store, &keys).await?;
//!
//! let (client, mut events) = Client::open(store, chatd, profile, WHATSAPP_ROOT).await?;
//! client.enlisted(login).await?;
//! client.connect(token).await?;
//! client.send(Jid::phone("14155551001")?, MessageId("1".into()), Content::text("hello")).await?;
//! while let Ok(event) = events.next().await {
//!     println!("{event:?}");
//!     client.confirm_through(&event).await?;
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "client")]
pub use wa_client::{
    Client, ClientError, Connector, Drained, Ended, Events, NoToken, OpenOrEnlistError, TcpConnector,
    TokenSource,
};
#[cfg(feature = "media")]
pub use wa_client::{CredentialSource, MediaServer, MediaTransfer, MediaTransferError, Outgoing, SentFile};
#[cfg(feature = "enlist")]
pub use wa_client::{EnlistmentError, enlist};
#[cfg(feature = "metadata")]
pub use wa_client::{describe, kind_of};

/// The binary token codec.
pub use wa_binary as binary;
/// The chat client as a value.
#[cfg(feature = "client")]
pub use wa_chat as chat;
/// The chat client on tokio.
#[cfg(feature = "client")]
pub use wa_client as client;
/// The enlistment request and its answer.
#[cfg(feature = "enlist")]
pub use wa_enlist as enlist;
/// The HTTP client trait; with the feature `http`, the client.
#[cfg(feature = "enlist")]
pub use wa_http as http;
/// The third party's server.
#[cfg(feature = "integrator")]
pub use wa_integrator as integrator;
/// Somebody else's tokens and keys.
#[cfg(feature = "integrator")]
pub use wa_jwt as jwt;
/// Keys and signatures.
pub use wa_keys as keys;
/// The encryption of files, and their transfers as values.
#[cfg(feature = "media")]
pub use wa_media as media;
/// Handshake and transport.
#[cfg(feature = "client")]
pub use wa_noise as noise;
/// What is not public, in one value.
pub use wa_profile as profile;
/// The contents of messages as protobuf has them.
#[cfg(feature = "client")]
pub use wa_proto as proto;
/// Sessions and their ratchets.
#[cfg(feature = "client")]
pub use wa_signal as signal;
/// The stanzas as types.
#[cfg(feature = "client")]
pub use wa_stanza as stanza;
/// The durable store.
#[cfg(feature = "store")]
pub use wa_store as store;
