//! The keys at work: what signs now and what is published now, kept in step with the store (overview §1.3).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::keys::{
    KeyEntry, KeyError, KeyRules, KeySet, KeyStore, KeyTable, Keyring, KeyringError, KeysError, MasterKey,
    SigningKey, StoredKey,
};
use crate::value::{Clock, StoreError};

/// How long, in seconds, until private halves are sealed with another master key again.
const SEAL_PAUSE: u64 = 300;
/// How often somebody else may be first.
const CONFLICTS_MAX: usize = 16;

/// What signs and what is published; clones show the same.
#[derive(Clone, Debug)]
pub struct Keys(Arc<RwLock<Arc<KeyView>>>);

/// The keys as they were read at one time.
#[derive(Debug)]
struct KeyView {
    key_set: KeySet,
    signer: Result<Arc<SigningKey>, KeyringError>,
    limits: Option<ViewLimits>,
}

/// Until when a view may be acted on, where somebody else may know better.
#[derive(Clone, Copy, Debug)]
struct ViewLimits {
    /// Nothing is signed after: another server may have ended the key.
    signs_until: u64,
    /// Nothing is published after. Longer: without the store nobody publishes a new key, and a key set that is gone ends
    /// every token at once.
    published_until: u64,
}

/// Keeps [`Keys`] in step with the store: rotates on schedule, publishes ahead, takes commands.
///
/// Any number of servers and command lines may do so over one store. Private halves are sealed with the master
/// key, if there is one, and dropped from the store once they sign no more.
pub struct KeyKeeper {
    store: Arc<dyn KeyStore>,
    rules: KeyRules,
    master_key: Option<MasterKey>,
    /// Opens what another master key than ours has sealed, while they are exchanged.
    also: Option<MasterKey>,
    keys: Keys,
    /// Signing keys that were read from PEM already, by name: reading one costs as much as several signatures.
    read: Mutex<BTreeMap<String, Arc<SigningKey>>>,
    /// When private halves were last sealed with another master key.
    sealed_at: AtomicU64,
}

impl Keys {
    /// One key that is never rotated, for tests and for trying things out.
    #[must_use]
    pub fn fixed(key: SigningKey) -> Self {
        let key_set = KeySet::new(std::slice::from_ref(key.public_key()));
        let view = KeyView { key_set, signer: Ok(Arc::new(key)), limits: None };
        Self(Arc::new(RwLock::new(Arc::new(view))))
    }

    /// The published set at `now` in Unix seconds.
    ///
    /// # Errors
    /// [`KeyringError::Stale`] when the keys have not been read for longer than a copy of them may be held.
    pub fn key_set(&self, now: u64) -> Result<KeySet, KeyringError> {
        let view = self.view();
        match view.limits {
            Some(limits) if now > limits.published_until => Err(KeyringError::Stale),
            _ => Ok(view.key_set.clone()),
        }
    }

    /// The key that signs at `now` in Unix seconds.
    ///
    /// # Errors
    /// [`KeyringError::Stale`] when the keys have not been read for ten minutes; [`KeyringError::NotRipe`] and
    /// [`KeyringError::ClockBack`] while no key signs.
    pub fn signer(&self, now: u64) -> Result<Arc<SigningKey>, KeyringError> {
        let view = self.view();
        match view.limits {
            Some(limits) if now > limits.signs_until => Err(KeyringError::Stale),
            _ => view.signer.clone(),
        }
    }

    fn view(&self) -> Arc<KeyView> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn show(&self, view: KeyView) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }
}

impl KeyKeeper {
    /// A keeper of the keys in `store`; shows none before the first [`refresh`](Self::refresh).
    #[must_use]
    pub fn new(store: Arc<dyn KeyStore>, rules: KeyRules) -> Self {
        let limits = Some(ViewLimits { signs_until: 0, published_until: 0 });
        let view = KeyView { key_set: KeySet::new(&[]), signer: Err(KeyringError::Stale), limits };
        let keys = Keys(Arc::new(RwLock::new(Arc::new(view))));
        Self {
            store,
            rules,
            master_key: None,
            also: None,
            keys,
            read: Mutex::default(),
            sealed_at: AtomicU64::new(0),
        }
    }

    /// This keeper, sealing private halves with a master key. Those in the clear are sealed when the keys are
    /// changed next.
    #[must_use]
    pub fn with_master_key(mut self, master_key: MasterKey) -> Self {
        self.master_key = Some(master_key);
        self
    }

    /// This keeper, opening also what another master key has sealed, and sealing it with its own: one of the two is the
    /// key of yesterday, or of tomorrow.
    #[must_use]
    pub fn with_other_master_key(mut self, also: MasterKey) -> Self {
        self.also = Some(also);
        self
    }

    /// The keys that it keeps.
    #[must_use]
    pub fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// Reads the keys and does what is due at `now`; makes the first ones where there are none.
    ///
    /// # Errors
    /// [`KeysError`] of the store, the keyring or a key. What was shown stays shown until it is too old.
    pub async fn refresh(&self, now: u64) -> Result<(), KeysError> {
        self.change(now, |_| Ok(())).await.map(drop)
    }

    /// Refreshes each `interval`, and when another server says so, without end, at `clock`'s time. What fails is logged
    /// and tried again.
    pub async fn run(&self, clock: Clock, interval: Duration) {
        loop {
            // Several changes at once are read once.
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = self.store.keys_changed() => {}
            }
            let refreshed = match clock.steady() {
                Ok(now) => self.refresh(now).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = refreshed {
                tracing::error!(error, "the signing keys were not refreshed");
            }
        }
    }

    /// Every key, with its state.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self) -> Result<Vec<KeyEntry>, StoreError> {
        Ok(self.store.keys().await?.keys.into_iter().map(|key| key.entry).collect())
    }

    /// Whether there is a key that signs at `now` and can be used; how many keys are published. Changes nothing.
    ///
    /// # Errors
    /// [`KeysError`] of the store, the keyring or the key.
    pub async fn check(&self, now: u64) -> Result<usize, KeysError> {
        let table = self.store.keys().await?;
        if table.keys.is_empty() {
            return Ok(0);
        }
        let entries = table.keys.iter().map(|key| key.entry.clone()).collect();
        let ring = Keyring::restore(self.rules, entries, table.seen_at);
        self.signing_key(&table, ring.signer(now)?.kid())?;
        Ok(ring.published().count())
    }

    /// Lets the next key sign from now on.
    ///
    /// # Errors
    /// [`KeyringError::NotRipe`] while it has not been published for long enough; others as above.
    pub async fn rotate(&self, now: u64) -> Result<(), KeysError> {
        self.change(now, |ring| ring.rotate(now)).await.map(drop)
    }

    /// Takes a key out of the published set and out of use at once.
    ///
    /// # Errors
    /// [`KeyringError::Unknown`], [`KeyringError::Ended`]; others as above.
    pub async fn revoke(&self, kid: &str, now: u64) -> Result<(), KeysError> {
        self.change(now, |ring| ring.revoke(kid, now)).await.map(drop)
    }

    /// Adds a key that was made elsewhere: the first of all signs at once, another one is published as the last
    /// to come.
    ///
    /// # Errors
    /// [`KeyringError::Known`], [`KeyringError::Full`]; others as above.
    pub async fn import(&self, key: SigningKey, now: u64) -> Result<(), KeysError> {
        let public_key = key.public_key().clone();
        let kid = public_key.kid().to_owned();
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(kid, Arc::new(key));
        self.change(now, |ring| ring.publish(public_key.clone(), now)).await.map(drop)
    }

    /// Imports a key unless the store has, or had, it: what is found in a file at each start.
    ///
    /// # Errors
    /// As [`import`](Self::import).
    pub async fn adopt(&self, key: SigningKey, now: u64) -> Result<(), KeysError> {
        match self.import(key, now).await {
            Err(KeysError::Keyring(KeyringError::Known)) => Ok(()),
            adopted => adopted,
        }
    }

    /// Does `act` and what is due to the newest state, stores it unless somebody else was first, and shows it.
    async fn change(
        &self,
        now: u64,
        act: impl Fn(&mut Keyring) -> Result<(), KeyringError>,
    ) -> Result<(), KeysError> {
        for _ in 0..CONFLICTS_MAX {
            let table = self.store.keys().await?;
            let entries = table.keys.iter().map(|key| key.entry.clone()).collect();
            let mut ring = Keyring::restore(self.rules, entries, table.seen_at);
            let acted = act(&mut ring).and_then(|()| ring.advance(now).map(drop));
            if let Err(error) = acted {
                self.show(&table, &ring, now)?;
                return Err(error.into());
            }
            self.publish_wanted(&mut ring, now).await?;
            let changed = self.table(&table, &ring, now)?;
            if changed.keys == table.keys {
                return self.show(&table, &ring, now);
            }
            match self.store.replace_keys(changed.clone()).await {
                Ok(()) => return self.show(&changed, &ring, now),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    async fn publish_wanted(&self, ring: &mut Keyring, now: u64) -> Result<(), KeysError> {
        for _ in 0..ring.wanted() {
            let spare = self.spare(ring);
            let key = match spare {
                Some(key) => key,
                None => Arc::new(
                    tokio::task::spawn_blocking(SigningKey::generate)
                        .await
                        .map_err(|_| KeyError::Generation)??,
                ),
            };
            let public_key = key.public_key().clone();
            tracing::info!(kid = public_key.kid(), "publishing a new signing key");
            let kid = public_key.kid().to_owned();
            self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(kid, key);
            ring.publish(public_key, now)?;
        }
        Ok(())
    }

    /// A key that was made for a change in which somebody else was first.
    fn spare(&self, ring: &Keyring) -> Option<Arc<SigningKey>> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |kid: &str| ring.entries().iter().any(|entry| entry.public_key.kid() == kid);
        read.iter().find(|(kid, _)| !known(kid)).map(|(_, key)| Arc::clone(key))
    }

    /// The table to store: private halves of keys that may still sign, sealed where there is a master key.
    fn table(&self, before: &KeyTable, ring: &Keyring, now: u64) -> Result<KeyTable, KeyError> {
        // Two servers whose master keys are exchanged one after the other must not seal against each other all the time.
        let may_seal = now >= self.sealed_at.load(Ordering::Relaxed).saturating_add(SEAL_PAUSE);
        let entries = ring.entries().iter();
        let keys = entries.map(|entry| {
            let private = entry.signs().then(|| self.private(before, entry, may_seal, now)).transpose()?;
            Ok(StoredKey { entry: entry.clone(), private })
        });
        Ok(KeyTable {
            generation: before.generation.saturating_add(1),
            seen_at: ring.seen_at(),
            keys: keys.collect::<Result<_, KeyError>>()?,
        })
    }

    fn private(
        &self,
        before: &KeyTable,
        entry: &KeyEntry,
        may_seal: bool,
        now: u64,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let kid = entry.public_key.kid();
        let stored = before.keys.iter().find(|key| key.entry.public_key == entry.public_key);
        let stored = stored.and_then(|key| key.private.clone());
        let clear = match stored {
            Some(stored) if !may_seal || self.is_as_it_should_be(kid, &stored) => return Ok(stored),
            Some(stored) => {
                self.sealed_at.store(now, Ordering::Relaxed);
                self.opened(kid, &stored)?
            }
            None => {
                let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
                read.get(kid).ok_or(KeyError::PrivateMissing)?.to_pem()
            }
        };
        match &self.master_key {
            Some(master_key) => master_key.seal(kid, &clear, &mut rand::rng()).map(Zeroizing::new),
            None => Ok(clear),
        }
    }

    /// Whether a private half is in the clear where there is no master key, or sealed with ours. What nobody here can open
    /// stays as it is: it may be another server's.
    fn is_as_it_should_be(&self, kid: &str, stored: &[u8]) -> bool {
        match (MasterKey::is_envelope(stored), &self.master_key) {
            (false, None) => true,
            (false, Some(_)) => false,
            (true, None) => true,
            (true, Some(master_key)) => {
                master_key.open(kid, stored).is_ok() || self.opened(kid, stored).is_err()
            }
        }
    }

    /// A private half in the clear.
    fn opened(&self, kid: &str, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        if !MasterKey::is_envelope(stored) {
            return Ok(Zeroizing::new(stored.to_vec()));
        }
        let mut opened = Err(KeyError::MasterKeyMissing);
        for master_key in self.master_key.iter().chain(&self.also) {
            opened = master_key.open(kid, stored);
            if opened.is_ok() {
                break;
            }
        }
        opened
    }

    fn show(&self, table: &KeyTable, ring: &Keyring, now: u64) -> Result<(), KeysError> {
        let published: Vec<_> = ring.published().cloned().collect();
        if published.is_empty() {
            return Ok(());
        }
        let signer = match ring.signer(now) {
            Ok(public_key) => Ok(self.signing_key(table, public_key.kid())?),
            Err(error) => {
                tracing::error!(%error, "no tokens are signed");
                Err(error)
            }
        };
        self.forget_ended(ring);
        let key_set = KeySet::new(&published).with_refresh_max(self.rules.peer_refresh_max);
        let limits = ViewLimits {
            signs_until: now.saturating_add(self.rules.replica_lag_max.as_secs()),
            published_until: now.saturating_add(self.rules.peer_refresh_max.as_secs()),
        };
        self.keys.show(KeyView { key_set, signer, limits: Some(limits) });
        Ok(())
    }

    fn signing_key(&self, table: &KeyTable, kid: &str) -> Result<Arc<SigningKey>, KeyError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = read.get(kid) {
            return Ok(Arc::clone(key));
        }
        let stored = table.keys.iter().find(|key| key.entry.public_key.kid() == kid);
        let private = stored.and_then(|key| key.private.as_ref()).ok_or(KeyError::PrivateMissing)?;
        let key = SigningKey::from_pem(&self.opened(kid, private)?)?;
        if key.public_key().kid() != kid {
            return Err(KeyError::Sealed);
        }
        let key = Arc::new(key);
        read.insert(kid.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    /// Private halves of keys that sign no more leave the memory too.
    fn forget_ended(&self, ring: &Keyring) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.retain(|kid, _| {
            ring.entries().iter().any(|entry| entry.signs() && entry.public_key.kid() == kid)
        });
    }
}

impl fmt::Debug for KeyKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyKeeper")
            .field("rules", &self.rules)
            .field("master_key", &self.master_key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
