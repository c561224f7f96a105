//! A store file of this version, with everything in it that a later version must still be able to use.
//!
//! [`write`] is run once for each version whose rows have another form; what it makes is committed under `fixtures/` and
//! opened by the tests of every later version. Beside the file lie the facts that a test needs: messages that were
//! encrypted for this account and never delivered, and the keys of its peers.

use std::path::Path;

use serde::{Deserialize, Serialize};
use wa_interop::binary::{EncodeOptions, Limits, Node, decode, encode};
use wa_interop::chat::{AccountKeys, Command, EventId, Mark, MessageId};
use wa_interop::store::StoreKey;

use crate::chaos::fixture::desk::Desk;
use crate::report::failure::{Failure, ensure};

mod desk;
mod opening;
mod peer;

pub use self::opening::open;
pub(crate) use self::peer::Peer;

const STORE: &str = "store.db";
const FACTS: &str = "facts.json";

/// Messages that are encrypted before the one that is delivered.
const SKIPPED: usize = 70;

/// What a test knows of a store file.
#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    /// The key of the file, in hex.
    key: String,
    /// When it was written, in Unix seconds.
    now: u64,
    /// Events that were shown and not confirmed: texts by number.
    unconfirmed: Vec<(u64, String)>,
    /// Messages whose keys were skipped.
    skipped: Vec<Sealed>,
    /// A message of a session that another one has replaced.
    archived: Sealed,
    /// A message that was received.
    seen: Sealed,
    /// The first message of a stranger, for a one-time prekey that is still there.
    first: Sealed,
    /// A message that the server has not acked: its stanza, and its text.
    unacked: Sealed,
    /// A read receipt that the server has not acked.
    unacked_receipt: String,
    /// A text that waits for the bundle of the second peer.
    waiting: String,
    /// A message that was sent and acked, and its text: it may be asked for again.
    kept: (String, String),
    /// The peer with sessions, and the one without.
    peers: [Peer; 2],
}

/// A stanza, encoded and in hex, and the text in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sealed {
    stanza: String,
    text: String,
}

impl Sealed {
    fn new(stanza: &Node, text: &str) -> Result<Self, Failure> {
        Ok(Self { stanza: to_hex(stanza)?, text: text.to_owned() })
    }

    fn node(&self) -> Result<Node, Failure> {
        from_hex(&self.stanza)
    }
}

fn to_hex(node: &Node) -> Result<String, Failure> {
    Ok(hex::encode(encode(node, &EncodeOptions::new())?))
}

fn from_hex(text: &str) -> Result<Node, Failure> {
    Ok(decode(&hex::decode(text)?.into(), &Limits::new())?)
}

/// Writes a store file and its facts into a directory.
///
/// # Errors
/// The directory cannot be written, or the account does not come to what it should.
#[expect(clippy::too_many_lines, reason = "a story, told in its order")]
pub fn write(directory: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(directory)?;
    let key = StoreKey::generate();
    let keys = AccountKeys::generate(&mut rand::rng());
    let mut desk = Desk::create(&directory.join(STORE), &key, &keys)?;
    desk.link_up()?;
    let (mut a, b, mut c) = (Peer::new("14155551001")?, Peer::new("14155551002")?, Peer::new("14155551003")?);

    a.establish(&keys.public(), Some(desk.take_prekey()?))?;
    let seen = desk.receive(&mut a, "the first")?;
    desk.send("kept", &a, "kept")?;
    ensure("the peer reads", desk.deliver(&mut a)?.is_some())?;
    desk.ack_all()?;

    let mut skipped = Vec::new();
    for number in 0..SKIPPED {
        let text = format!("skipped {number}");
        skipped.push(Sealed::new(&a.encrypt(&text)?, &text)?);
    }
    desk.receive(&mut a, "after the skipped")?;
    let archived = Sealed::new(&a.encrypt("in the old session")?, "in the old session")?;
    a.establish(&keys.public(), Some(desk.take_prekey()?))?;
    desk.receive(&mut a, "in a new session")?;
    let unconfirmed = desk.texts.clone();
    ensure("nothing was confirmed but the first", unconfirmed.len() == 3)?;
    desk.confirm(EventId(unconfirmed.first().map_or(0, |(number, _)| *number)))?;

    let ids = vec![MessageId("1".to_owned())];
    desk.command(Command::Mark { from: a.jid()?, ids, mark: Mark::Read })?;
    let unacked_receipt = desk.last_stanza("receipt")?;
    desk.send("unacked", &a, "not acked")?;
    let unacked = Sealed::new(&desk.last_stanza("message")?, "not acked")?;

    desk.withhold_bundles(true);
    desk.send("waiting", &b, "it waits")?;
    c.establish(&keys.public(), Some(desk.take_prekey()?))?;
    let first = Sealed::new(&c.encrypt("from a stranger")?, "from a stranger")?;

    let facts = Facts {
        key: hex::encode(key.as_bytes()),
        now: desk.now.unix,
        unconfirmed: unconfirmed.into_iter().skip(1).collect(),
        skipped,
        archived,
        seen: Sealed::new(&seen, "the first")?,
        first,
        unacked,
        unacked_receipt: to_hex(&unacked_receipt)?,
        waiting: "it waits".to_owned(),
        kept: ("kept".to_owned(), "kept".to_owned()),
        peers: [a, b],
    };
    desk.close();
    std::fs::write(directory.join(FACTS), serde_json::to_vec_pretty(&facts)?)?;
    Ok(())
}
