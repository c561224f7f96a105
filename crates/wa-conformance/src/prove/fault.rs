//! What saboteurs break, as `data/saboteurs.toml` writes it down.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;
use serde_json::Value;
use wa_interop::profile::Profile;
use wa_sandbox::Lapse;

use crate::report::failure::Failure;
use crate::rules::Document;

/// The table of saboteurs.
const TABLE: &str = include_str!("../../data/saboteurs.toml");

/// Somebody who breaks one thing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Saboteur {
    /// The name of the saboteur.
    pub id: String,
    /// What comes of it, to be read after "as if this were".
    pub what: String,
    /// The checks that must notice.
    pub noticed_by: Vec<String>,
    /// Under which document; the overview, if nothing is said.
    #[serde(default)]
    pub document: Document,
    /// Whether it belongs to the few that are let loose before each merge.
    #[serde(default)]
    pub few: bool,
    /// What they do.
    #[serde(flatten)]
    pub fault: Fault,
}

/// What is broken.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// One thing of HTTP, by a proxy.
    Http(Box<Rewrite>),
    /// Stanzas on their way between client and local WhatsApp, behind the encryption.
    Stanza(Stanzas),
    /// The bytes between client and local WhatsApp, outside of the encryption.
    Wire(WireFault),
    /// One value of the profile by which one party lives, and no other.
    Assumes(Assumption),
    /// What this project's client tells and is told, by a shim around it.
    Client(ClientFault),
    /// The store of this project's client.
    Store(StoreFault),
    /// How this project's server is set up.
    Server(ServerFault),
    /// Something that the local WhatsApp neglects.
    Lapse(Lapse),
}

/// Whose HTTP is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// The third party's server.
    Server,
    /// The local WhatsApp: enlistment, keys, media, and what a check orders and sees behind its back.
    Whatsapp,
}

/// A change of one thing in requests or answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rewrite {
    /// The server at which it happens.
    pub at: Door,
    /// Which ones: a regular expression for `METHOD /path`, and once it is answered `METHOD /path STATUS ALG`, where the last
    /// is the algorithm of the request's token.
    pub on: String,
    /// The request's path: what is found, and what stands there instead.
    #[serde(default)]
    pub path: Option<[String; 2]>,
    /// The request's method.
    #[serde(default)]
    pub method: Option<String>,
    /// The request's body: what is found, and what stands there instead.
    #[serde(default)]
    pub asked: Option<[String; 2]>,
    /// Nobody is asked, and this is the answer.
    #[serde(default)]
    pub unasked: Option<String>,
    /// Only answers in which this is found.
    #[serde(default)]
    pub said: Option<String>,
    /// The answer's status.
    #[serde(default)]
    pub status: Option<u16>,
    /// The answer's body: what is found, and what stands there instead.
    #[serde(default)]
    pub answered: Option<[String; 2]>,
    /// A field of the answer, and its value; an empty one takes it away.
    #[serde(default)]
    pub field: Option<[String; 2]>,
    /// Claims of the token in the answer: numbers are added, anything else is put in the place.
    #[serde(default)]
    pub claims: BTreeMap<String, Value>,
    /// The answer is the first one again.
    #[serde(default)]
    pub first_again: bool,
    /// There is no HTTP/2.
    #[serde(default)]
    pub only_http1: bool,
}

/// A change of stanzas.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stanzas {
    /// The side whose stanzas are changed.
    pub by: Speaker,
    /// Which ones, and what of them: a regular expression for the XML.
    pub from: String,
    /// What stands there instead. Each line of the whole is a stanza; of an empty one none is left.
    pub into: String,
}

/// Who has sent a stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaker {
    /// The client sends it.
    Client,
    /// The local WhatsApp.
    Whatsapp,
}

/// What happens to the bytes of a chat connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WireFault {
    /// The client does not see that the server has closed the connection.
    NeverEnds,
    /// A byte more comes before the connection ends.
    LastWord,
}

/// One party lives by another value than the rules have.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Assumption {
    /// The party that lives by the other value.
    pub who: Side,
    /// The field of the profile, such as `chat.dialect`.
    pub field: String,
    /// Its value, as a file has it.
    pub value: toml::Value,
}

/// A party with a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The third party's client.
    Client,
    /// The third party's server.
    Server,
    /// The local WhatsApp.
    Whatsapp,
}

/// What a shim around the client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientFault {
    /// It sends nothing, and says that it did.
    Mute,
    /// It shows no text.
    Deaf,
    /// It shows each text twice.
    Double,
    /// It shows texts one late.
    Late,
    /// It sends each text in capitals.
    Loud,
    /// It connects never, and says that it did.
    Unconnected,
    /// It connects before it is told.
    Eager,
    /// It says that every login stands.
    Trusting,
    /// It enlists twice.
    EnlistsTwice,
    /// It tells another login.
    OtherLogin,
    /// It blocks nobody, and says that it did.
    BlocksNobody,
    /// It deletes nothing, and says that it did.
    DeletesNothing,
    /// It gives another file.
    OtherFile,
    /// It reads and writes other stanzas.
    OtherStanzas,
    /// It reads bytes that are none.
    ReadsAnything,
    /// It forgets everything when it starts.
    Forgetful,
    /// It does not tell what did not decrypt.
    HidesUndecryptable,
    /// It does not tell what has arrived.
    HidesDelivered,
    /// It never renews the keys of the channel.
    Endless,
    /// It trusts whatever certificate it is shown.
    TrustsAnybody,
    /// It trusts no certificate.
    TrustsNobody,
    /// It takes any padding.
    AnyPadding,
    /// It takes no padding.
    NoPadding,
}

/// What this project's server is set up without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerFault {
    /// The server shows no certificate.
    NoTls,
}

/// What a store does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreFault {
    /// It keeps what is to be deleted.
    Hoards,
    /// It loses events that nobody has confirmed.
    LosesInbox,
    /// It loses the chat server's key.
    LosesServer,
    /// It loses who is waiting for whose keys.
    LosesWaiting,
}

/// Whether a saboteur has found something to break.
#[derive(Clone, Debug, Default)]
pub struct Struck(Arc<AtomicBool>);

impl Struck {
    /// Notes that the fault has struck.
    pub(crate) fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// They have, if this is so.
    pub(crate) fn note_if(&self, has: bool) {
        self.0.fetch_or(has, Ordering::Relaxed);
    }

    /// Whether they have.
    pub(crate) fn has(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Every saboteur.
///
/// # Errors
/// The table is wrong, which a test sees.
pub fn saboteurs() -> Result<Vec<Saboteur>, Failure> {
    #[derive(Deserialize)]
    struct Table {
        saboteur: Vec<Saboteur>,
    }
    Ok(toml::from_str::<Table>(TABLE)?.saboteur)
}

impl Assumption {
    /// The profile with the other value.
    pub(crate) fn applied(&self, profile: &Profile) -> Result<Profile, Failure> {
        let mut whole: toml::Table = toml::from_str(&profile.to_toml())?;
        let mut table = &mut whole;
        let (path, name) = self.field.rsplit_once('.').unwrap_or(("", &self.field));
        for part in path.split('.').filter(|part| !part.is_empty()) {
            let within = table.get_mut(part).and_then(toml::Value::as_table_mut);
            table = within.ok_or_else(|| Failure(format!("a profile has no {}", self.field)))?;
        }
        table.insert(name.to_owned(), self.value.clone());
        Ok(Profile::from_toml(&toml::to_string(&whole)?)?)
    }
}

impl Fault {
    /// Whether it shows that something was found to break; of the others it is clear from where they stand.
    pub(crate) fn shows(&self) -> bool {
        matches!(self, Self::Http(_) | Self::Stanza(_))
    }

    /// The profile as this party has it.
    pub(crate) fn profile_of(
        fault: Option<&Self>,
        side: Side,
        profile: &Profile,
    ) -> Result<Profile, Failure> {
        match fault {
            Some(Self::Assumes(assumption)) if assumption.who == side => assumption.applied(profile),
            _ => Ok(profile.clone()),
        }
    }

    /// What is rewritten at this door.
    pub(crate) fn at(fault: Option<&Self>, door: Door) -> Option<&Rewrite> {
        match fault {
            Some(Self::Http(rewrite)) if rewrite.at == door => Some(rewrite),
            _ => None,
        }
    }
}
