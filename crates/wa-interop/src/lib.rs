#![doc = include_str!("../README.md")]

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
