//! The record of one peer device: the current session and those that came before (observed limits).

use std::collections::VecDeque;

use rand_core::CryptoRng;
use wa_keys::{PrivateKey, PublicKey};
use zeroize::Zeroizing;

use crate::key_block::KeyBlocks;
use crate::receiver_chain::Budget;
use crate::session::Session;
use crate::{
    Bundle, Ciphertext, DecryptError, EncryptError, EstablishError, KeyBlockId, LocalIdentity, PreKeyMessage,
    Prekeys, RecordError, SignalMessage, SkipLimits, Trust,
};

pub(crate) mod form;
#[cfg(test)]
mod transcripts;
pub(crate) mod writer;

pub use self::form::MAX_RECORD_BYTES;

/// Earlier sessions that a record keeps for messages still under way; the oldest is dropped.
pub const MAX_ARCHIVED_SESSIONS: usize = 40;

/// Sessions in which a message with a ratchet key that none of them knows is tried: the newest. Each costs an agreement.
pub const MAX_TURNS_TRIED: usize = 8;

/// Seconds after which a session that the peer never answered is no longer used: 30 days.
pub const MAX_UNACKNOWLEDGED_AGE: u64 = 30 * 24 * 60 * 60;

/// Everything between us and one device of a peer. Starts empty; keep it secret and write it before anything leaves
/// that it caused.
///
/// Keys of skipped messages are not in it but in blocks, rows of their own beside it. Before [`decrypt`](Self::decrypt)
/// the caller loads those that [`blocks_for`](Self::blocks_for) names; with the record it writes, in one transaction, what
/// [`take_block_changes`](Self::take_block_changes) gives. A record that came to be before there were blocks is read with
/// its keys, and gives them as changes with the first one.
#[derive(Clone, Debug, Default)]
pub struct SessionRecord {
    current: Option<Session>,
    /// Earlier sessions, the newest first.
    archived: VecDeque<Session>,
    /// Of the blocks, those that are loaded and those that have changed.
    blocks: KeyBlocks,
    limits: SkipLimits,
}

/// A decrypted message and what it means for the rows beside the record: store all of it in one transaction.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decrypted {
    /// The padded plaintext.
    pub plaintext: Vec<u8>,
    /// The sender's identity, now proved.
    pub identity: PublicKey,
    /// The one-time prekey that made this session: delete it.
    pub used_one_time_prekey: Option<u32>,
}

impl SessionRecord {
    /// The record under other limits; they are not stored with it.
    #[must_use]
    pub fn with_limits(mut self, limits: SkipLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Begins a session from a fetched bundle; the current one, if any, is archived.
    ///
    /// Trust and the bundle's signature are checked before anything is computed. `now` is in Unix seconds.
    pub fn establish(
        &mut self,
        identity: &PrivateKey,
        bundle: &Bundle,
        trust: &Trust,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<(), EstablishError> {
        if !trust.accepts(&bundle.identity) || bundle.identity == identity.public_key() {
            return Err(EstablishError::Untrusted);
        }
        // Without this the server could put a prekey of its own there and read what is sent until the peer answers
        // (X3DH §4.5).
        bundle.signed_prekey.verify(&bundle.identity)?;
        let session = Session::initiate(identity, bundle, now, rng)?;
        self.promote(session);
        Ok(())
    }

    /// Encrypts with the current session. `now` is in Unix seconds; randomness is needed where the peer has turned.
    pub fn encrypt(
        &mut self,
        local: &LocalIdentity,
        plaintext: &[u8],
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Ciphertext, EncryptError> {
        let session = self.current.as_mut().filter(|session| session.can_send());
        let session = session.ok_or(EncryptError::NoSession)?;
        if session.is_stale(now) {
            return Err(EncryptError::Stale);
        }
        session.encrypt(local, plaintext, rng)
    }

    /// The blocks of keys that must be loaded before a message is decrypted, those that are loaded already left out: mostly
    /// none, one where messages were overtaken.
    pub fn blocks_for(&self, message: &SignalMessage) -> impl Iterator<Item = KeyBlockId> {
        self.sessions().filter_map(|session| session.block_for(message)).filter(|id| !self.blocks.knows(*id))
    }

    /// Takes in a block as the store has it; `None` where it has none.
    ///
    /// A block that is not there or not whole loses its messages ([`DecryptError::KeysLost`]) and no others, whether the
    /// caller minds this error or not.
    pub fn load_block(&mut self, id: KeyBlockId, stored: Option<&[u8]>) -> Result<(), RecordError> {
        self.blocks.load(id, stored)
    }

    /// The blocks to write, and those to delete, in the same transaction as the record. Whatever was loaded is forgotten.
    #[must_use = "keys that are not written are lost, and keys that are not deleted stay"]
    pub fn take_block_changes(&mut self) -> Vec<(KeyBlockId, Option<Zeroizing<Vec<u8>>>)> {
        let changes = self.blocks.changes().collect();
        self.blocks.clear();
        changes
    }

    /// Decrypts an `<enc type="msg">`. On failure neither the record nor its blocks have changed.
    pub fn decrypt(&mut self, message: &SignalMessage, trust: &Trust) -> Result<Decrypted, DecryptError> {
        if self.current.is_none() && self.archived.is_empty() {
            return Err(DecryptError::NoSession);
        }
        let (mut budget, mut turns, mut verdict) = (Budget::new(self.limits), 0, None);
        for (is_known, position) in attempts(self.archived.len()) {
            let Some(session) = at(&mut self.current, &mut self.archived, position) else { continue };
            if session.receiver(&message.ratchet_key).is_some() != is_known {
                continue;
            }
            turns += usize::from(!is_known);
            if turns > MAX_TURNS_TRIED {
                break;
            }
            match decrypt_trusted(session, message, trust, &mut self.blocks, &mut budget) {
                // A duplicate ends the search: the session that knows the message's ratchet key has answered, and another
                // session's "does not authenticate" must not make a message that comes twice look like one that was lost.
                Err(error) if !is_final(error) => verdict = verdict.or(Some(error)),
                Err(error) => return Err(error),
                Ok(decrypted) => {
                    if let Some(position) = position.filter(|_| trust.promotes(&decrypted.identity)) {
                        self.promote_archived(position);
                    }
                    self.drop_excess_blocks();
                    return Ok(decrypted);
                }
            }
        }
        Err(verdict.unwrap_or(DecryptError::Invalid))
    }

    /// Decrypts an `<enc type="pkmsg">`, beginning a session if none has its base key. On failure neither the record nor
    /// its blocks have changed.
    ///
    /// A one-time prekey that is gone is no error when the session exists already: a first message may come twice.
    pub fn decrypt_prekey(
        &mut self,
        identity: &PrivateKey,
        prekeys: Prekeys<'_>,
        message: &PreKeyMessage,
        trust: &Trust,
    ) -> Result<Decrypted, DecryptError> {
        if self.knows(message) {
            return self.decrypt_known(message, trust);
        }
        if !trust.accepts(&message.identity) || message.identity == identity.public_key() {
            return Err(DecryptError::Untrusted);
        }
        let mut budget = Budget::new(self.limits);
        // A new session stands beside the record until its first message has authenticated: anybody can name a base key, and
        // must not archive the session that is in use by it.
        let mut session = Session::respond(identity, prekeys, message)?;
        let decrypted =
            decrypt_trusted(&mut session, &message.message, trust, &mut self.blocks, &mut budget)?;
        self.promote(session);
        self.drop_excess_blocks();
        Ok(Decrypted { used_one_time_prekey: message.one_time_prekey_id, ..decrypted })
    }

    /// Decrypts an `<enc type="pkmsg">` whose session the record [`knows`](Self::knows): our prekeys, which may be gone by
    /// now, are not needed. On failure neither the record nor its blocks have changed.
    ///
    /// # Errors
    /// As [`decrypt_prekey`](Self::decrypt_prekey); [`DecryptError::NoSession`] for a session that is not known.
    pub fn decrypt_known(
        &mut self,
        message: &PreKeyMessage,
        trust: &Trust,
    ) -> Result<Decrypted, DecryptError> {
        if !trust.accepts(&message.identity) {
            return Err(DecryptError::Untrusted);
        }
        // The base key names the session. X3DH is not run again for a known one: its one-time prekey is gone, and a repeated
        // first message must not begin the session anew with keys that were used (X3DH §4.2).
        let is_named = |session: &Session| session.base_key == message.base_key;
        let mut budget = Budget::new(self.limits);
        let is_current = self.current.as_ref().is_some_and(is_named);
        let position = if is_current { None } else { self.archived.iter().position(is_named) };
        if !is_current && position.is_none() {
            return Err(DecryptError::NoSession);
        }
        let session = at(&mut self.current, &mut self.archived, position).ok_or(DecryptError::NoSession)?;
        let decrypted = decrypt_named(session, message, trust, &mut self.blocks, &mut budget)?;
        if let Some(position) = position.filter(|_| trust.promotes(&decrypted.identity)) {
            self.promote_archived(position);
        }
        self.drop_excess_blocks();
        Ok(decrypted)
    }

    /// Whether a session of this record has the message's base key, so that no prekey is needed for it.
    pub fn knows(&self, message: &PreKeyMessage) -> bool {
        self.sessions().any(|session| session.base_key == message.base_key)
    }

    /// Whether a message can be encrypted at `now` (Unix seconds).
    pub fn can_encrypt(&self, now: u64) -> bool {
        self.current.as_ref().is_some_and(|session| session.can_send() && !session.is_stale(now))
    }

    /// The peer's identity in the newest session, current or archived.
    pub fn identity(&self) -> Option<PublicKey> {
        self.sessions().next().map(|session| session.remote_identity)
    }

    /// The peer's identity in the session that is sent with; none while there is no such session.
    pub fn current_identity(&self) -> Option<PublicKey> {
        self.current.as_ref().map(|session| session.remote_identity)
    }

    /// The peer's registration id in the current session; another one in a retry receipt means a new installation.
    pub fn registration_id(&self) -> Option<u32> {
        self.current.as_ref().map(|session| session.remote_registration_id)
    }

    /// Archives the current session, so that the next message to the peer needs a new bundle.
    pub fn archive_current(&mut self) {
        if let Some(session) = self.current.take() {
            self.archive(session);
        }
    }

    /// Sends nothing in any session before its next turn: the record is out of a backup, and what was sent since it was
    /// made would be encrypted a second time under the same keys. What the peer sends is read as before.
    pub fn receive_only(&mut self) {
        self.current.iter_mut().chain(&mut self.archived).for_each(|session| {
            // A session that is to make a new ratchet key anyway has no chain that was used already.
            session.receive_only = session.sender.is_some();
        });
    }

    fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.current.iter().chain(&self.archived)
    }

    fn promote(&mut self, session: Session) {
        self.archive_current();
        self.current = Some(session);
    }

    fn promote_archived(&mut self, position: usize) {
        if let Some(session) = self.archived.remove(position) {
            self.promote(session);
        }
    }

    fn archive(&mut self, mut session: Session) {
        session.unacknowledged = None;
        self.archived.push_front(session);
        for mut dropped in self.archived.drain(MAX_ARCHIVED_SESSIONS.min(self.archived.len())..) {
            while dropped.drop_oldest_block(&mut self.blocks) {}
        }
    }

    /// Keeps the whole record within its limits: the oldest block of the oldest session goes first.
    fn drop_excess_blocks(&mut self) {
        let blocks: usize = self.sessions().map(Session::blocks).sum();
        for _ in self.limits.blocks_in_record()..blocks {
            let mut oldest_first = self.archived.iter_mut().rev().chain(&mut self.current);
            oldest_first.any(|session| session.drop_oldest_block(&mut self.blocks));
        }
    }
}

/// The sessions in which a message is tried, each as whether it is to know the message's ratchet key and its position.
///
/// First those that know the key: to see whether the message is theirs costs them no agreement. Then the others, of which few
/// are tried. Each time current before archived, newest first: both sides may have begun a session at the same time, or a
/// message may have been under way while a new one began (Sesame). What is decrypted in an old session makes it the current
/// one, so that both sides come to send in the same.
fn attempts(archived: usize) -> impl Iterator<Item = (bool, Option<usize>)> {
    let positions = move || std::iter::once(None).chain((0..archived).map(Some));
    [true, false].into_iter().flat_map(move |is_known| positions().map(move |position| (is_known, position)))
}

/// The current session, or the archived one at a position.
fn at<'s>(
    current: &'s mut Option<Session>,
    archived: &'s mut VecDeque<Session>,
    position: Option<usize>,
) -> Option<&'s mut Session> {
    match position {
        None => current.as_mut(),
        Some(position) => archived.get_mut(position),
    }
}

/// Whether no other session of the record need be asked.
fn is_final(error: DecryptError) -> bool {
    use DecryptError::{Duplicate, KeysLost, KeysNotLoaded, Untrusted};
    matches!(error, Duplicate { .. } | KeysLost(_) | KeysNotLoaded(_) | Untrusted)
}

/// A first message that comes again, or another one of an initiator that was not answered yet.
fn decrypt_named(
    session: &mut Session,
    message: &PreKeyMessage,
    trust: &Trust,
    blocks: &mut KeyBlocks,
    budget: &mut Budget,
) -> Result<Decrypted, DecryptError> {
    if session.remote_identity != message.identity {
        return Err(DecryptError::Invalid);
    }
    decrypt_trusted(session, &message.message, trust, blocks, budget)
}

fn decrypt_trusted(
    session: &mut Session,
    message: &SignalMessage,
    trust: &Trust,
    blocks: &mut KeyBlocks,
    budget: &mut Budget,
) -> Result<Decrypted, DecryptError> {
    if !trust.accepts(&session.remote_identity) {
        return Err(DecryptError::Untrusted);
    }
    let plaintext = session.decrypt(message, blocks, budget)?;
    Ok(Decrypted { plaintext, identity: session.remote_identity, used_one_time_prekey: None })
}
