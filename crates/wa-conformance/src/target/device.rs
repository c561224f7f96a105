//! A third party's client as the suite drives it: anybody's.
//!
//! A device is told one [`Command`] after the other and gives one [`Answer`] to each. This project's own client hears them
//! in this process; another one hears them as lines of JSON from the suite, through a shim (docs/SHIM.md).

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::report::failure::Failure;

mod own;
mod serve;
mod shim;

pub(crate) use self::own::OwnDevice;
pub use self::serve::serve_shim;
pub use self::shim::ShimProgram;

/// The version of the protocol between suite and shim.
pub const PROTOCOL: u32 = 1;

/// What the suite wants of a device.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Command {
    /// Take these addresses and this directory; the first command. What is kept in the directory is gone on from.
    Open(Box<Place>),
    /// Make keys if there are none, and enlist them.
    Enlist {
        /// The user identifier.
        user: String,
        /// A fresh token for them.
        token: String,
    },
    /// Connect, shake hands and log in; answered once the login stands, or is refused.
    Connect {
        /// A fresh token.
        token: String,
    },
    /// End the connection.
    Disconnect,
    /// Send a text to a WhatsApp user; answered once the client has taken it.
    Send {
        /// The user's phone number.
        to: String,
        /// The message's id.
        id: String,
        /// The text of the message.
        text: String,
    },
    /// Give the next event, waiting for it.
    Next {
        /// For how long, in milliseconds.
        within: u64,
    },
    /// Give the users who are blocked: phone numbers.
    Blocklist,
    /// Block a user.
    Block {
        /// Their phone number.
        user: String,
    },
    /// Unblock a user.
    Unblock {
        /// Their phone number.
        user: String,
    },
    /// Say that messages were read.
    Mark {
        /// The phone number of who wrote them.
        from: String,
        /// The ids of the messages.
        ids: Vec<String>,
    },
    /// Show that the user types.
    Typing {
        /// To whom: a phone number.
        to: String,
    },
    /// Fetch the file of a media message.
    Fetch {
        /// The id of the message, which came in this run of the client.
        id: String,
    },
    /// Have the user's account deleted.
    Delete,
    /// Read a stanza in its binary form.
    Decode {
        /// The bytes, in hexadecimal, without a byte of flags.
        bytes: String,
    },
    /// Write a stanza in its binary form.
    Encode {
        /// The stanza as XML.
        xml: String,
    },
}

/// Where a device finds everything.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// The URL of the enlistment API.
    pub(crate) enlist: String,
    /// Host and port of chatd.
    pub(crate) chat: String,
    /// Origin of the media host.
    pub(crate) media: String,
    /// The root key of chatd's certificates, in hexadecimal.
    pub(crate) noise_root: String,
    /// The id of the third party.
    pub(crate) integrator: u16,
    /// `overview` or `1.0.3`, or the path of a profile in TOML.
    pub(crate) profile: String,
    /// A directory of its own, empty at first.
    pub(crate) state: String,
}

/// What a device says to a command.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// It was done; what came of it.
    Ok(Outcome),
    /// WhatsApp, or the client itself, does not allow it.
    Refused(Refused),
    /// Something else went wrong.
    Failed(String),
}

/// What came of a command; each command fills what is its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Outcome {
    /// Of `enlist`: the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) login: Option<String>,
    /// Of `next`: the event; nothing if none came in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<Happening>,
    /// Of `blocklist`: phone numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) blocked: Option<Vec<String>>,
    /// Of `fetch`: the SHA-256 of the file, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    /// Of `decode`: the stanza.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) xml: Option<String>,
    /// Of `encode`: the bytes, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<String>,
}

/// Why something is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refused {
    /// What kind of refusal it is.
    pub(crate) why: Why,
    /// The client's own words.
    #[serde(default)]
    pub(crate) said: String,
}

/// What kind of refusal something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Why {
    /// The server did not prove itself.
    Certificate,
    /// The server does not take the token, or the key.
    Token,
    /// The account is not enlisted, or not any more.
    NotEnlisted,
    /// The server takes no logins at the moment.
    Busy,
    /// The connection ended.
    Lost,
    /// A reason that no check looks at.
    Other,
}

/// Something that a client tells its application.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Happening {
    /// A text came.
    Text {
        /// The phone number of who wrote it.
        from: String,
        /// The message's id.
        id: String,
        /// What it says.
        text: String,
    },
    /// A media message came.
    Media {
        /// The phone number of who wrote it.
        from: String,
        /// The message's id.
        id: String,
    },
    /// Messages of the user have arrived.
    Delivered {
        /// At whom: a phone number.
        by: String,
        /// The ids of the messages.
        ids: Vec<String>,
    },
    /// Messages of the user were read.
    Read {
        /// By whom: a phone number.
        by: String,
        /// The ids of the messages.
        ids: Vec<String>,
    },
    /// A peer is writing, or has stopped.
    Typing {
        /// Their phone number.
        from: String,
    },
    /// A message does not decrypt; it was asked for again.
    Undecryptable {
        /// The phone number of who wrote it.
        from: String,
        /// The message's id.
        id: String,
    },
    /// The connection has ended.
    Disconnected {
        /// The client's own words.
        said: String,
    },
    /// An event that no check looks at.
    Other {
        /// The client's own words.
        said: String,
    },
}

/// Something that a client may be able to do beside what every one must: a verb of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Block and unblock, and list who is blocked.
    Block,
    /// Say that messages were read.
    Mark,
    /// Show that the user types.
    Typing,
    /// Fetch files of media messages.
    Fetch,
    /// Delete the account.
    Delete,
    /// Read and write the binary form of stanzas.
    Codec,
    /// Go on from the state directory after a new start.
    Keep,
    /// Take a message while there is no connection, and send it with the next.
    Queue,
    /// Ask again for what does not decrypt, and send again what a peer could not decrypt.
    Retry,
}

/// The first line of a shim.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The version of the protocol: [`PROTOCOL`].
    pub hello: u32,
    /// The client's name and version.
    pub name: String,
    /// What it can do beside what every client must.
    pub can: Vec<Verb>,
}

/// A third party's client, of one user.
#[async_trait]
pub(crate) trait Device: fmt::Debug + Send {
    /// Does what a command says.
    async fn ask(&mut self, command: Command) -> Result<Answer, Failure>;

    /// Ends, without any farewell to the server; what was kept stays.
    async fn end(self: Box<Self>);
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Block,
        Self::Mark,
        Self::Typing,
        Self::Fetch,
        Self::Delete,
        Self::Codec,
        Self::Keep,
        Self::Queue,
        Self::Retry,
    ];
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(self).unwrap_or_default();
        f.write_str(name.as_str().unwrap_or_default())
    }
}
