//! The names of rows: a table and what names a row in it, in bytes whose order is the order of the rows.

use std::fmt::{self, Write as _};
use std::sync::{Arc, LazyLock};

use wa_binary::Jid;
use wa_keys::PublicKey;
use wa_signal::KeyBlockId;

/// A row's name. Made in this crate only; a store compares and keeps it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<[u8]>);

/// The tables of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Table {
    /// The account itself: one row.
    Account = 1,
    /// Numbers that only rise: one row.
    Counters = 2,
    /// Sessions, by peer.
    Peer = 3,
    /// One-time prekeys, by id.
    Prekey = 4,
    /// Signed prekeys, by id.
    SignedPrekey = 5,
    /// Events that the application has not confirmed, by number.
    Inbox = 6,
    /// Stanzas that the server has not acked, by number.
    Outbox = 7,
    /// Messages that were decrypted, by peer and id; and sessions that were begun without a one-time prekey.
    Seen = 8,
    /// Messages that were accepted for sending, by peer and id.
    Sent = 9,
    /// Contents that wait for a user's bundles, by user and number.
    Waiting = 10,
    /// Contents of messages that were sent, for a peer that cannot decrypt them, by number.
    Content = 11,
    /// How often a message was asked for again, by device and id.
    Asked = 12,
    /// Read and played receipts that the server has not acked, by user and first id.
    Marked = 13,
    /// The devices of users.
    Devices = 14,
    /// When a session was last made anew at its peer's asking, by device.
    Rebuilt = 15,
    /// Keys of messages that were overtaken, by device and block.
    KeyBlock = 16,
    /// The newest identity keys of peers, by device.
    Identity = 17,
    /// The chat server's key, to resume with: one row.
    Server = 18,
    /// Users with two addresses, by each of the two.
    Names = 19,
}

impl Table {
    /// The table of this number.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        let tables = [
            Table::Account,
            Table::Counters,
            Table::Peer,
            Table::Prekey,
            Table::SignedPrekey,
            Table::Inbox,
            Table::Outbox,
            Table::Seen,
            Table::Sent,
            Table::Waiting,
            Table::Content,
            Table::Asked,
            Table::Marked,
            Table::Devices,
            Table::Rebuilt,
            Table::KeyBlock,
            Table::Identity,
            Table::Server,
            Table::Names,
        ];
        tables.into_iter().find(|&table| table as u8 == number)
    }

    /// Whether a client goes on without a row of it that cannot be read: an event or a stanza is lost, or a session, which is
    /// begun anew. Without any other row it might send something twice, or miss that an identity changed.
    pub(crate) fn may_be_unreadable(self) -> bool {
        matches!(self, Self::Inbox | Self::Outbox | Self::Waiting | Self::Peer)
    }
}

/// The names that every step needs, made once.
static ACCOUNT: LazyLock<Key> = LazyLock::new(|| Key::new(Table::Account, &[]));
static COUNTERS: LazyLock<Key> = LazyLock::new(|| Key::new(Table::Counters, &[]));

impl Key {
    pub(crate) fn account() -> Self {
        ACCOUNT.clone()
    }

    pub(crate) fn counters() -> Self {
        COUNTERS.clone()
    }

    pub(crate) fn peer(peer: &Jid) -> Self {
        Self::new(Table::Peer, &[text(peer).as_bytes()])
    }

    pub(crate) fn prekey(id: u32) -> Self {
        Self::new(Table::Prekey, &[&id.to_be_bytes()])
    }

    pub(crate) fn signed_prekey(id: u32) -> Self {
        Self::new(Table::SignedPrekey, &[&id.to_be_bytes()])
    }

    pub(crate) fn inbox(number: u64) -> Self {
        Self::new(Table::Inbox, &[&number.to_be_bytes()])
    }

    pub(crate) fn outbox(number: u64) -> Self {
        Self::new(Table::Outbox, &[&number.to_be_bytes()])
    }

    pub(crate) fn seen(peer: &Jid, id: &str) -> Self {
        Self::with_peer(Table::Seen, &text(peer), id.as_bytes())
    }

    /// A session that was begun without a one-time prekey, by its base key: under the name of no peer.
    pub(crate) fn begun(base: &PublicKey) -> Self {
        Self::with_peer(Table::Seen, "", base.as_bytes())
    }

    pub(crate) fn sent(peer: &Jid, id: &str) -> Self {
        Self::with_peer(Table::Sent, &text(peer), id.as_bytes())
    }

    pub(crate) fn waiting(peer: &Jid, number: u64) -> Self {
        Self::with_peer(Table::Waiting, &text(peer), &number.to_be_bytes())
    }

    pub(crate) fn content(number: u64) -> Self {
        Self::new(Table::Content, &[&number.to_be_bytes()])
    }

    pub(crate) fn asked(device: &Jid, id: &str) -> Self {
        Self::with_peer(Table::Asked, &text(device), id.as_bytes())
    }

    pub(crate) fn marked(user: &Jid, id: &str) -> Self {
        Self::with_peer(Table::Marked, &text(user), id.as_bytes())
    }

    /// A played receipt: beside the read receipt for the same message, under a name that no id has.
    pub(crate) fn played(user: &Jid, id: &str) -> Self {
        Self::with_peer(Table::Marked, &text(user), &[id.as_bytes(), &[0xFF]].concat())
    }

    pub(crate) fn devices(user: &Jid) -> Self {
        Self::new(Table::Devices, &[text(user).as_bytes()])
    }

    pub(crate) fn rebuilt(device: &Jid) -> Self {
        Self::new(Table::Rebuilt, &[text(device).as_bytes()])
    }

    /// A block of keys beside the session row of this name.
    pub(crate) fn key_block(session: &Self, id: KeyBlockId) -> Self {
        let device = session.0.get(1..).unwrap_or_default();
        let length = u32::try_from(device.len()).unwrap_or(u32::MAX).to_be_bytes();
        Self::new(Table::KeyBlock, &[&length, device, &id.to_bytes()])
    }

    /// The session of a device, and its identity.
    pub(crate) fn of_device(device: &Jid) -> [Self; 2] {
        let device = text(device);
        [Table::Peer, Table::Identity].map(|table| Self::new(table, &[device.as_bytes()]))
    }

    pub(crate) fn names(user: &Jid) -> Self {
        Self::new(Table::Names, &[text(user).as_bytes()])
    }

    pub(crate) fn server() -> Self {
        Self::new(Table::Server, &[])
    }

    /// The rows that wait for a peer's bundle: from the first, to behind the last.
    pub(crate) fn waiting_range(peer: &str) -> (Self, Self) {
        let numbered = |number: &[u8]| Self::with_peer(Table::Waiting, peer, number);
        (numbered(&[]), numbered(&[0xFF; 9]))
    }

    /// Before every row of a table.
    pub(crate) fn start_of(table: Table) -> Self {
        Self::new(table, &[])
    }

    /// Behind every row of a table.
    pub(crate) fn end_of(table: Table) -> Self {
        Self(Arc::new([table as u8 + 1]))
    }

    /// The least key behind this one.
    pub(crate) fn successor(&self) -> Self {
        Self([&self.0, [0].as_slice()].concat().into())
    }

    /// The number that an inbox or outbox row is named by.
    pub(crate) fn number(&self) -> Option<u64> {
        self.0.get(1..)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// The id that a prekey row is named by.
    pub(crate) fn prekey_id(&self) -> Option<u32> {
        self.0.get(1..)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// The peer for whose bundle a row waits.
    pub(crate) fn waiting_peer(&self) -> Option<Jid> {
        let (length, rest) = self.0.get(1..)?.split_first_chunk()?;
        let peer = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        std::str::from_utf8(peer).ok()?.parse().ok()
    }

    /// The table that the row is in; none if the name is not one of ours.
    pub fn table(&self) -> Option<Table> {
        Table::from_number(*self.0.first()?)
    }

    /// The bytes, for a store to keep.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A key that a store has kept.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    fn new(table: Table, parts: &[&[u8]]) -> Self {
        let mut bytes = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
        bytes.push(table as u8);
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        Self(bytes.into())
    }

    /// The peer comes with its length, so that no two names run together.
    fn with_peer(table: Table, peer: &str, rest: &[u8]) -> Self {
        let length = u32::try_from(peer.len()).unwrap_or(u32::MAX).to_be_bytes();
        Self::new(table, &[&length, peer.as_bytes(), rest])
    }
}

/// The text of an address, in one allocation: keys are made for every row of every message.
fn text(address: &Jid) -> String {
    let mut text = String::with_capacity(64);
    // A string takes whatever is written.
    let _ = write!(text, "{address}");
    text
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.table())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_the_order_of_numbers_and_tables() {
        assert!(Key::inbox(255) < Key::inbox(256));
        assert!(Key::inbox(u64::MAX) < Key::end_of(Table::Inbox));
        assert!(Key::start_of(Table::Inbox) < Key::inbox(0));
        assert!(Key::end_of(Table::Inbox) <= Key::start_of(Table::Outbox));
        assert_eq!(Key::inbox(7).number(), Some(7));
    }

    #[test]
    fn peer_and_id_do_not_run_together() {
        let peer = |digits| Jid::phone(digits).unwrap();
        assert_ne!(Key::seen(&peer("1"), "2"), Key::seen(&peer("12"), ""));
        assert_ne!(Key::seen(&peer("1"), "x"), Key::sent(&peer("1"), "x"));
    }

    #[test]
    fn debug_shows_the_table_and_no_name() {
        assert_eq!(format!("{:?}", Key::peer(&Jid::phone("14155551001").unwrap())), "Key(Some(Peer))");
    }
}
