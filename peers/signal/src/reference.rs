//! The reference's stores, in memory and answering at once, and its calls without a runtime.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use wacore_libsignal::protocol::error::Result;
use wacore_libsignal::protocol::{
    Direction, IdentityChange, IdentityKey, IdentityKeyPair, IdentityKeyStore, PreKeyId, PreKeyRecord,
    PreKeyStore, ProtocolAddress, SenderKeyName, SenderKeyRecord, SenderKeyStore, SessionCheckoutKey,
    SessionCheckoutStoreResult, SessionRecord, SessionStore, SignalProtocolError, SignedPreKeyId,
    SignedPreKeyRecord, SignedPreKeyStore,
};

/// The output of a future that never waits: no store here does.
///
/// # Panics
/// If it waits all the same.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a store in memory never waits"),
    }
}

/// The session with the one peer; taken out while it is worked on, which spares a copy.
#[derive(Default)]
pub struct Sessions(pub Mutex<Option<SessionRecord>>);

#[async_trait]
impl SessionStore for Sessions {
    async fn load_session(&self, _: &ProtocolAddress) -> Result<Option<SessionRecord>> {
        Ok(self.0.lock().expect("unpoisoned").clone())
    }

    fn try_load_session_for_update(
        &self,
        _: &ProtocolAddress,
    ) -> Option<Result<(Option<SessionRecord>, Option<SessionCheckoutKey>)>> {
        let key = SessionCheckoutKey::new(1, NonZeroU64::MIN);
        Some(Ok((self.0.lock().expect("unpoisoned").take(), Some(key))))
    }

    async fn has_session(&self, _: &ProtocolAddress) -> Result<bool> {
        Ok(self.0.lock().expect("unpoisoned").is_some())
    }

    fn try_has_session(&self, _: &ProtocolAddress) -> Option<Result<bool>> {
        Some(Ok(self.0.lock().expect("unpoisoned").is_some()))
    }

    async fn store_session(&mut self, _: &ProtocolAddress, record: SessionRecord) -> Result<()> {
        *self.0.get_mut().expect("unpoisoned") = Some(record);
        Ok(())
    }

    fn try_store_session_from_checkout(
        &mut self,
        _: &ProtocolAddress,
        record: SessionRecord,
        _: Option<SessionCheckoutKey>,
        _: bool,
    ) -> SessionCheckoutStoreResult {
        *self.0.get_mut().expect("unpoisoned") = Some(record);
        SessionCheckoutStoreResult::Stored
    }
}

/// Our own identity, and that of the one peer.
pub struct Identities {
    /// The identity key pair of this end.
    pub ours: IdentityKeyPair,
    /// The peer's, once it is known.
    pub known: Option<IdentityKey>,
}

impl Identities {
    fn save(&mut self, identity: &IdentityKey) -> IdentityChange {
        let changed = self.known.replace(*identity).is_some_and(|known| known != *identity);
        IdentityChange::from_changed(changed)
    }
}

#[async_trait]
impl IdentityKeyStore for Identities {
    async fn get_identity_key_pair(&self) -> Result<IdentityKeyPair> {
        Ok(self.ours.clone())
    }

    async fn get_local_registration_id(&self) -> Result<u32> {
        Ok(7)
    }

    async fn save_identity(&mut self, _: &ProtocolAddress, identity: &IdentityKey) -> Result<IdentityChange> {
        Ok(self.save(identity))
    }

    fn try_save_identity(
        &mut self,
        _: &ProtocolAddress,
        identity: &IdentityKey,
    ) -> Option<Result<IdentityChange>> {
        Some(Ok(self.save(identity)))
    }

    async fn is_trusted_identity(&self, _: &ProtocolAddress, _: &IdentityKey, _: Direction) -> Result<bool> {
        Ok(true)
    }

    fn try_is_trusted_identity(
        &self,
        _: &ProtocolAddress,
        _: &IdentityKey,
        _: Direction,
    ) -> Option<Result<bool>> {
        Some(Ok(true))
    }

    async fn get_identity(&self, _: &ProtocolAddress) -> Result<Option<IdentityKey>> {
        Ok(self.known)
    }
}

/// The one prekey of each kind.
#[derive(Clone)]
pub struct Prekeys {
    /// The signed one.
    pub signed: SignedPreKeyRecord,
    /// The one for one session; it is not removed, so that it serves many measurements.
    pub one_time: PreKeyRecord,
}

#[async_trait]
impl PreKeyStore for Prekeys {
    async fn get_pre_key(&self, _: PreKeyId) -> Result<PreKeyRecord> {
        Ok(self.one_time.clone())
    }

    async fn save_pre_key(&mut self, _: PreKeyId, _: &PreKeyRecord) -> Result<()> {
        Err(SignalProtocolError::InvalidPreKeyId)
    }

    async fn remove_pre_key(&mut self, _: PreKeyId) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl SignedPreKeyStore for Prekeys {
    async fn get_signed_pre_key(&self, _: SignedPreKeyId) -> Result<SignedPreKeyRecord> {
        Ok(self.signed.clone())
    }

    async fn save_signed_pre_key(&mut self, _: SignedPreKeyId, _: &SignedPreKeyRecord) -> Result<()> {
        Err(SignalProtocolError::InvalidSignedPreKeyId)
    }
}

/// Sender keys by name.
#[derive(Default)]
pub struct SenderKeys(HashMap<SenderKeyName, SenderKeyRecord>);

#[async_trait]
impl SenderKeyStore for SenderKeys {
    async fn store_sender_key(&mut self, name: &SenderKeyName, record: SenderKeyRecord) -> Result<()> {
        self.0.insert(name.clone(), record);
        Ok(())
    }

    async fn load_sender_key(&self, name: &SenderKeyName) -> Result<Option<SenderKeyRecord>> {
        Ok(self.0.get(name).cloned())
    }
}
