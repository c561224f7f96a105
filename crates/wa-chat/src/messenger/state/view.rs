//! What a step sees: the rows loaded so far.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use wa_binary::Jid;
use wa_keys::PrivateKey;
use wa_signal::SessionRecord;

use crate::account::Account;
use crate::key::{Key, Table};
use crate::messenger::state::draft::Draft;
use crate::row::{Counters, Devices, Identity, Names, Row, Sent, Waiting};
use crate::store::{Read, StateError, Value};

/// Bytes of a row's place in the view.
const PLACE: usize = 128;

/// Peers of whom it is known whether anything waits for them.
const MAX_PEERS: usize = 256;

/// The rows loaded so far. A row is there, known to be absent, or not loaded.
#[derive(Debug, Default)]
pub(crate) struct View {
    rows: BTreeMap<Key, Option<Arc<Row>>>,
    /// Bytes that rows and pages hold, about; those that are read in place of others count for both until all are counted.
    bytes: usize,
    /// Contents that wait for a peer's bundle, and prekeys to upload: pages, until a draft changes what is in them.
    waiting: BTreeMap<Jid, Vec<(Key, Waiting)>>,
    /// Whether anything waits for a peer's bundle.
    any_waiting: BTreeMap<Jid, bool>,
    uploads: Option<Vec<(u32, PrivateKey)>>,
    peers_waiting: Option<BTreeSet<String>>,
}

/// Why a step did not give a draft.
#[derive(Debug)]
pub(crate) enum Stop {
    /// These must be loaded first; then the step runs again.
    Missing(BTreeSet<Wanted>),
    /// A row has another type than its table: the store is corrupt.
    Corrupt(StateError),
}

/// Something to load.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wanted {
    Row(Key),
    /// What waits for this peer's bundle.
    Waiting(String),
    /// Whether anything does.
    AnyWaiting(String),
    /// Peers for whose bundles something waits.
    PeersWaiting,
    /// One-time prekeys from this id on.
    Uploads(u32),
}

impl View {
    /// Stops unless all these rows are loaded, so that one transaction loads them together.
    pub(crate) fn need(&self, keys: impl IntoIterator<Item = Key>) -> Result<(), Stop> {
        let missing = keys.into_iter().filter(|key| !self.rows.contains_key(key));
        let missing: BTreeSet<Wanted> = missing.map(Wanted::Row).collect();
        if missing.is_empty() { Ok(()) } else { Err(Stop::Missing(missing)) }
    }

    pub(crate) fn account(&self) -> Result<&Account, Stop> {
        match self.row(&Key::account())? {
            Some(Row::Account(account)) => Ok(account),
            _ => Err(corrupt(Table::Account)),
        }
    }

    pub(crate) fn counters(&self) -> Result<Counters, Stop> {
        match self.row(&Key::counters())? {
            Some(Row::Counters(counters)) => Ok(*counters),
            _ => Err(corrupt(Table::Counters)),
        }
    }

    /// The session record of a peer; an empty one if there is no row.
    pub(crate) fn session(&self, key: &Key) -> Result<SessionRecord, Stop> {
        match self.row(key)? {
            None => Ok(SessionRecord::default()),
            Some(Row::Peer(session)) => Ok((**session).clone()),
            Some(_) => Err(corrupt(Table::Peer)),
        }
    }

    /// A block of keys beside a session.
    pub(crate) fn key_block(&self, key: &Key) -> Result<Option<&Value>, Stop> {
        match self.row(key)? {
            None => Ok(None),
            Some(Row::KeyBlock(block)) => Ok(Some(block)),
            Some(_) => Err(corrupt(Table::KeyBlock)),
        }
    }

    pub(crate) fn prekey(&self, key: &Key) -> Result<Option<&PrivateKey>, Stop> {
        match self.row(key)? {
            None => Ok(None),
            Some(Row::Prekey(private)) => Ok(Some(private)),
            Some(_) => Err(corrupt(Table::Prekey)),
        }
    }

    pub(crate) fn sent(&self, key: &Key) -> Result<Option<Sent>, Stop> {
        match self.row(key)? {
            None => Ok(None),
            Some(Row::Sent(sent)) => Ok(Some(sent.clone())),
            Some(_) => Err(corrupt(Table::Sent)),
        }
    }

    /// The newest identity of a device.
    pub(crate) fn identity(&self, key: &Key) -> Result<Option<Identity>, Stop> {
        match self.row(key)? {
            None => Ok(None),
            Some(Row::Identity(identity)) => Ok(Some(*identity)),
            Some(_) => Err(corrupt(Table::Identity)),
        }
    }

    /// The two addresses of a user.
    pub(crate) fn names(&self, key: &Key) -> Result<Option<Names>, Stop> {
        match self.row(key)? {
            None => Ok(None),
            Some(Row::Names(names)) => Ok(Some(names.clone())),
            Some(_) => Err(corrupt(Table::Names)),
        }
    }

    /// The devices to which messages for a user go; none if the server was not asked yet.
    pub(crate) fn devices(&self, key: &Key) -> Result<Option<Devices>, Stop> {
        match self.row(key)? {
            None => Ok(None),
            Some(Row::Devices(devices)) => Ok(Some(devices.clone())),
            Some(_) => Err(corrupt(Table::Devices)),
        }
    }

    /// The content of a message, as long as it is kept.
    pub(crate) fn content(&self, key: &Key) -> Result<Option<Bytes>, Stop> {
        match self.row(key)? {
            None => Ok(None),
            Some(Row::Content(content)) => Ok(Some(content.clone())),
            Some(_) => Err(corrupt(Table::Content)),
        }
    }

    /// A number or a time.
    pub(crate) fn number(&self, key: &Key) -> Result<Option<u64>, Stop> {
        match self.row(key)? {
            None => Ok(None),
            Some(Row::Number(number)) => Ok(Some(*number)),
            Some(_) => Err(Stop::Corrupt(StateError::Corrupt(key.table()))),
        }
    }

    /// Whether there is such a row.
    pub(crate) fn has(&self, key: &Key) -> Result<bool, Stop> {
        Ok(self.row(key)?.is_some())
    }

    /// What waits for the peer's bundle, in order.
    pub(crate) fn waiting(&self, peer: &Jid) -> Result<&[(Key, Waiting)], Stop> {
        let missing = || Stop::Missing(BTreeSet::from([Wanted::Waiting(peer.to_string())]));
        self.waiting.get(peer).map(Vec::as_slice).ok_or_else(missing)
    }

    /// Stops unless it is known whether anything waits for the peer's bundle, and unless all these rows are loaded.
    pub(crate) fn need_with_waiting(
        &self,
        peer: &Jid,
        keys: impl IntoIterator<Item = Key>,
    ) -> Result<bool, Stop> {
        let rows = self.need(keys);
        let Some(any) = self.any_waiting.get(peer) else {
            let mut missing = if let Err(Stop::Missing(rows)) = rows { rows } else { BTreeSet::new() };
            missing.insert(Wanted::AnyWaiting(peer.to_string()));
            return Err(Stop::Missing(missing));
        };
        rows.map(|()| *any)
    }

    /// One-time prekeys that the server has not confirmed.
    pub(crate) fn uploads(&self, from: u32) -> Result<&[(u32, PrivateKey)], Stop> {
        let missing = || Stop::Missing(BTreeSet::from([Wanted::Uploads(from)]));
        self.uploads.as_deref().ok_or_else(missing)
    }

    /// Peers for whose bundles something waits.
    pub(crate) fn peers_waiting(&self) -> Result<Vec<Jid>, Stop> {
        let missing = || Stop::Missing(BTreeSet::from([Wanted::PeersWaiting]));
        let peers = self.peers_waiting.as_ref().ok_or_else(missing)?;
        Ok(peers.iter().filter_map(|peer| peer.parse().ok()).collect())
    }

    fn row(&self, key: &Key) -> Result<Option<&Row>, Stop> {
        let missing = || Stop::Missing(BTreeSet::from([Wanted::Row(key.clone())]));
        Ok(self.rows.get(key).ok_or_else(missing)?.as_deref())
    }

    /// Takes in a row, or the news that it is absent, unless a draft has already changed it.
    pub(crate) fn load(&mut self, key: Key, row: Option<Row>) {
        let bytes = cost(&key, row.as_ref());
        if let Entry::Vacant(vacant) = self.rows.entry(key) {
            vacant.insert(row.map(Arc::new));
            self.bytes += bytes;
        }
    }

    /// Takes in a page.
    pub(crate) fn load_page(&mut self, wanted: &Wanted, rows: Vec<(Key, Row)>) {
        self.bytes += rows.iter().map(|(key, row)| cost(key, Some(row))).sum::<usize>();
        match wanted {
            Wanted::Row(_) => {}
            Wanted::Waiting(peer) => {
                let waiting = rows.into_iter().filter_map(|(key, row)| match row {
                    Row::Waiting(waiting) => Some((key, waiting)),
                    _ => None,
                });
                if let Ok(peer) = peer.parse() {
                    self.waiting.insert(peer, waiting.collect());
                }
            }
            Wanted::AnyWaiting(peer) => {
                if let Ok(peer) = peer.parse() {
                    self.any_waiting.insert(peer, !rows.is_empty());
                }
            }
            Wanted::PeersWaiting => {
                let peers = rows.into_iter().filter_map(|(key, _)| Some(key.waiting_peer()?.to_string()));
                self.peers_waiting = Some(peers.collect());
            }
            Wanted::Uploads(_) => {
                let prekeys = rows.into_iter().filter_map(|(key, row)| match row {
                    Row::Prekey(private) => Some((key.prekey_id()?, private)),
                    _ => None,
                });
                self.uploads = Some(prekeys.collect());
            }
        }
    }

    /// Shows a draft's writes to the steps that follow. A page with a row that changed is loaded anew by the next step
    /// that needs it.
    pub(crate) fn apply(&mut self, draft: &Draft) {
        for (key, (row, _)) in &draft.writes {
            self.bytes += cost(key, row.as_deref());
            if let Some(old) = self.rows.insert(key.clone(), row.clone()) {
                self.bytes = self.bytes.saturating_sub(cost(key, old.as_deref()));
            }
            match key.table() {
                Some(Table::Waiting) => {
                    self.peers_waiting = None;
                    if let Some(peer) = key.waiting_peer() {
                        self.waiting.remove(&peer);
                        // Whether the row that goes was the last is asked again.
                        match row {
                            Some(_) => self.any_waiting.insert(peer, true),
                            None => self.any_waiting.remove(&peer),
                        };
                    }
                }
                Some(Table::Prekey) => self.uploads = None,
                _ => {}
            }
        }
    }

    /// Rows that are loaded or known to be absent.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes that the rows hold, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets the rows that are not to be kept, and what waits for peers that are not to be kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Key) -> bool, keep_waiting: impl Fn(&Jid) -> bool) {
        self.rows.retain(|key, _| keep(key));
        self.waiting.retain(|peer, _| keep_waiting(peer));
        if self.any_waiting.len() > MAX_PEERS {
            self.any_waiting.clear();
        }
        let rows = self.rows.iter().map(|(key, row)| cost(key, row.as_deref()));
        let waiting = self.waiting.values().flatten();
        let waiting = waiting.map(|(_, waiting)| waiting.content.len() + PLACE + size_of::<Row>());
        let uploads = self.uploads.iter().flatten().map(|_| PLACE);
        self.bytes = rows.sum::<usize>() + waiting.sum::<usize>() + uploads.sum::<usize>();
    }

    /// Forgets everything: an idle client keeps no rows.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Wanted {
    pub(crate) fn read(&self) -> Read {
        let Self::Row(key) = self else {
            let (from, to) = self.range();
            let limit = if matches!(self, Self::AnyWaiting(_)) { 1 } else { u16::MAX };
            return Read::Page { from, to, limit, bytes: usize::MAX };
        };
        Read::One(key.clone())
    }

    /// Whether a draft has changed what a page would show: one that is being read is out of date.
    pub(crate) fn is_overtaken(&self, draft: &Draft) -> bool {
        let (from, to) = self.range();
        !matches!(self, Self::Row(_)) && draft.writes.range(from..to).next().is_some()
    }

    /// Where its rows stand: from here, to before there.
    pub(crate) fn range(&self) -> (Key, Key) {
        match self {
            Self::Row(key) => (key.clone(), key.successor()),
            Self::Waiting(peer) | Self::AnyWaiting(peer) => Key::waiting_range(peer),
            Self::PeersWaiting => (Key::start_of(Table::Waiting), Key::end_of(Table::Waiting)),
            Self::Uploads(from) => (Key::prekey(*from), Key::end_of(Table::Prekey)),
        }
    }
}

/// Bytes of a row with its name and its place.
fn cost(key: &Key, row: Option<&Row>) -> usize {
    PLACE + key.as_bytes().len() + row.map_or(0, Row::bytes)
}

fn corrupt(table: Table) -> Stop {
    Stop::Corrupt(StateError::Corrupt(Some(table)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_overtaken_by_a_change_of_what_is_in_it() {
        let (a, b) = (Jid::phone("1415").unwrap(), Jid::phone("1416").unwrap());
        let writes = |key: Key| {
            let mut draft = Draft::default();
            draft.delete(key);
            draft
        };
        let waiting = Wanted::Waiting(a.to_string());
        assert!(waiting.is_overtaken(&writes(Key::waiting(&a, 7))));
        assert!(!waiting.is_overtaken(&writes(Key::waiting(&b, 7))));
        assert!(Wanted::PeersWaiting.is_overtaken(&writes(Key::waiting(&b, 7))));
        assert!(Wanted::Uploads(5).is_overtaken(&writes(Key::prekey(6))));
        assert!(!Wanted::Uploads(5).is_overtaken(&writes(Key::prekey(4))));
        let row = Wanted::Row(Key::peer(&a));
        assert!(!row.is_overtaken(&writes(Key::peer(&a))), "of a row, what was written counts");
    }
}
