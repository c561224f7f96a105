//! The record of one peer device: the current session and those that came before (observed limits).

use std::collections::VecDeque;

use rand_core::CryptoRng;
use wa_keys::{PrivateKey, PublicKey};

use crate::session::Session;
use crate::{
    Bundle, Ciphertext, DecryptError, EncryptError, EstablishError, LocalIdentity, PreKeyMessage, Prekeys,
    SignalMessage, Trust,
};

pub(crate) mod form;
#[cfg(test)]
mod transcripts;
pub(crate) mod writer;

pub use self::form::MAX_RECORD_BYTES;

/// Earlier sessions that a record keeps for messages still under way; the oldest is dropped.
pub const MAX_ARCHIVED_SESSIONS: usize = 40;

/// Keys of skipped messages that a whole record keeps; the oldest session's are dropped first.
pub const MAX_SKIPPED_IN_RECORD: usize = 10_000;

/// Seconds after which a session that the peer never answered is no longer used: 30 days.
pub const MAX_UNACKNOWLEDGED_AGE: u64 = 30 * 24 * 60 * 60;

/// Everything between us and one device of a peer. Starts empty; keep it secret and write it before anything leaves
/// that it caused.
#[derive(Clone, Debug, Default)]
pub struct SessionRecord {
    current: Option<Session>,
    /// Newest first.
    archived: VecDeque<Session>,
}

/// A decrypted message and what it means for the rows beside the record: store all of it in one transaction.
#[derive(Debug, PartialEq, Eq)]
pub struct Decrypted {
    /// The padded plaintext.
    pub plaintext: Vec<u8>,
    /// The sender's identity, now proved.
    pub identity: PublicKey,
    /// The one-time prekey that made this session: delete it.
    pub used_one_time_prekey: Option<u32>,
}

impl SessionRecord {
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
        if !trust.accepts(&bundle.identity) {
            return Err(EstablishError::Untrusted);
        }
        // Without this the server could put a prekey of its own there and read what is sent until the peer answers
        // (X3DH §4.5).
        bundle.signed_prekey.verify(&bundle.identity)?;
        let session = Session::initiate(identity, bundle, now, rng)?;
        self.promote(session);
        Ok(())
    }

    /// Encrypts with the current session. `now` is in Unix seconds.
    pub fn encrypt(
        &mut self,
        local: &LocalIdentity,
        plaintext: &[u8],
        now: u64,
    ) -> Result<Ciphertext, EncryptError> {
        let session = self.current.as_mut().ok_or(EncryptError::NoSession)?;
        let since = session.unacknowledged.as_ref().map(|unacknowledged| unacknowledged.since);
        if since.is_some_and(|since| now.saturating_sub(since) > MAX_UNACKNOWLEDGED_AGE) {
            return Err(EncryptError::Stale);
        }
        session.encrypt(local, plaintext)
    }

    /// Decrypts an `<enc type="msg">`. On failure the record has not changed.
    pub fn decrypt(
        &mut self,
        message: &SignalMessage,
        trust: &Trust,
        rng: &mut impl CryptoRng,
    ) -> Result<Decrypted, DecryptError> {
        // The current session first, then those it replaced, newest first: both sides may have begun one at the same time,
        // or a message may have been under way while a new one began (Sesame). What is decrypted in an old session
        // makes it the current one, so that both sides come to send in the same.
        let verdict = match &mut self.current {
            Some(session) => match decrypt_trusted(session, message, trust, rng) {
                Err(error) if !is_final(error) => error,
                done => return self.bounded(done),
            },
            None if self.archived.is_empty() => DecryptError::NoSession,
            None => DecryptError::Invalid,
        };
        // A duplicate ends the search: the session that knows the message's ratchet key has answered, and another session's
        // "does not authenticate" must not make a message that comes twice look like one that was lost.
        for position in 0..self.archived.len() {
            let Some(session) = self.archived.get_mut(position) else { break };
            match decrypt_trusted(session, message, trust, rng) {
                Err(error) if !is_final(error) => {}
                Err(error) => return Err(error),
                Ok(decrypted) => {
                    self.promote_archived(position);
                    return Ok(decrypted);
                }
            }
        }
        Err(verdict)
    }

    /// Decrypts an `<enc type="pkmsg">`, beginning a session if none has its base key. On failure the record has not
    /// changed.
    ///
    /// A one-time prekey that is gone is no error when the session exists already: a first message may come twice.
    pub fn decrypt_prekey(
        &mut self,
        identity: &PrivateKey,
        prekeys: Prekeys<'_>,
        message: &PreKeyMessage,
        trust: &Trust,
        rng: &mut impl CryptoRng,
    ) -> Result<Decrypted, DecryptError> {
        if !trust.accepts(&message.identity) {
            return Err(DecryptError::Untrusted);
        }
        // The base key names the session. X3DH is not run again for a known one: its one-time prekey is gone, and a repeated
        // first message must not begin the session anew with keys that were used (X3DH §4.2).
        let is_named = |session: &Session| session.base_key == message.base_key;
        if let Some(session) = self.current.as_mut().filter(|session| is_named(session)) {
            let decrypted = decrypt_named(session, message, trust, rng);
            return self.bounded(decrypted);
        }
        if let Some(position) = self.archived.iter().position(is_named) {
            let session = self.archived.get_mut(position).ok_or(DecryptError::Invalid)?;
            let decrypted = decrypt_named(session, message, trust, rng)?;
            self.promote_archived(position);
            return Ok(decrypted);
        }
        let mut session = Session::respond(identity, prekeys, message)?;
        let decrypted = decrypt_trusted(&mut session, &message.message, trust, rng)?;
        self.promote(session);
        Ok(Decrypted { used_one_time_prekey: message.one_time_prekey_id, ..decrypted })
    }

    /// Whether a session of this record has the message's base key, so that no prekey is needed for it.
    pub fn knows(&self, message: &PreKeyMessage) -> bool {
        self.sessions().any(|session| session.base_key == message.base_key)
    }

    /// Whether a message can be encrypted at `now` (Unix seconds).
    pub fn can_encrypt(&self, now: u64) -> bool {
        self.current.as_ref().is_some_and(|session| {
            let since = session.unacknowledged.as_ref().map_or(now, |unacknowledged| unacknowledged.since);
            now.saturating_sub(since) <= MAX_UNACKNOWLEDGED_AGE
        })
    }

    /// The peer's identity in the newest session, current or archived.
    pub fn identity(&self) -> Option<PublicKey> {
        self.sessions().next().map(|session| session.remote_identity)
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

    fn archived(&self) -> impl Iterator<Item = &Session> {
        self.archived.iter()
    }

    fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.current.iter().chain(&self.archived)
    }

    fn promote(&mut self, session: Session) {
        self.archive_current();
        self.current = Some(session);
        self.drop_excess_skipped();
    }

    fn promote_archived(&mut self, position: usize) {
        if let Some(session) = self.archived.remove(position) {
            self.promote(session);
        }
    }

    fn archive(&mut self, mut session: Session) {
        session.unacknowledged = None;
        self.archived.push_front(session);
        self.archived.truncate(MAX_ARCHIVED_SESSIONS);
    }

    fn bounded(&mut self, decrypted: Result<Decrypted, DecryptError>) -> Result<Decrypted, DecryptError> {
        self.drop_excess_skipped();
        decrypted
    }

    /// Keeps the whole record within its bound: the oldest keys of the oldest session go first.
    fn drop_excess_skipped(&mut self) {
        let skipped = self.sessions().map(Session::skipped).sum::<usize>();
        let mut excess = skipped.saturating_sub(MAX_SKIPPED_IN_RECORD);
        let oldest_first = self.archived.iter_mut().rev().chain(&mut self.current);
        for chain in oldest_first.flat_map(|session| &mut session.receivers) {
            while excess > 0 && chain.messages.skipped.len() > 0 {
                chain.messages.skipped.drop_oldest();
                excess -= 1;
            }
        }
    }
}

/// Whether no other session of the record need be asked.
fn is_final(error: DecryptError) -> bool {
    matches!(error, DecryptError::Duplicate { .. } | DecryptError::Untrusted)
}

/// A first message that comes again, or another one of an initiator that was not answered yet.
fn decrypt_named(
    session: &mut Session,
    message: &PreKeyMessage,
    trust: &Trust,
    rng: &mut impl CryptoRng,
) -> Result<Decrypted, DecryptError> {
    if session.remote_identity != message.identity {
        return Err(DecryptError::Invalid);
    }
    decrypt_trusted(session, &message.message, trust, rng)
}

fn decrypt_trusted(
    session: &mut Session,
    message: &SignalMessage,
    trust: &Trust,
    rng: &mut impl CryptoRng,
) -> Result<Decrypted, DecryptError> {
    if !trust.accepts(&session.remote_identity) {
        return Err(DecryptError::Untrusted);
    }
    let plaintext = session.decrypt(message, rng)?;
    Ok(Decrypted { plaintext, identity: session.remote_identity, used_one_time_prekey: None })
}
