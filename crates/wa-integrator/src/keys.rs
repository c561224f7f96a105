//! The keys at work: what signs now and what is published now, kept in step with the store (seed §1.3).

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use zeroize::Zeroizing;

use crate::{
    Clock, IntegratorError, KeyEntry, KeyError, KeyRules, KeySet, Keyring, KeyringError, MasterKey,
    SigningKey, StoreError,
    store::{KeyTable, Store, StoredKey},
};

/// What signs and what is published; clones show the same.
#[derive(Debug, Clone)]
pub struct Keys(Arc<RwLock<Arc<KeyView>>>);

/// The keys as they were read at one time.
#[derive(Debug)]
struct KeyView {
    key_set: KeySet,
    signer: Result<Arc<SigningKey>, KeyringError>,
    /// Until when it may be acted on; for ever where nothing else knows of the keys.
    good_until: Option<u64>,
}

/// Keeps [`Keys`] in step with the store: rotates on schedule, publishes ahead, takes commands.
///
/// Any number of servers and command lines may do so over one store. Private halves are sealed with the master
/// key, if there is one, and dropped from the store once they sign no more.
pub struct KeyKeeper<S> {
    store: S,
    rules: KeyRules,
    master_key: Option<MasterKey>,
    keys: Keys,
    /// Signing keys that were read from PEM already, by name: reading one costs as much as several signatures.
    read: Mutex<BTreeMap<String, Arc<SigningKey>>>,
}

impl Keys {
    /// One key for ever, for tests and for trying things out: nothing rotates.
    #[must_use]
    pub fn fixed(key: SigningKey) -> Self {
        let key_set = KeySet::new(std::slice::from_ref(key.public_key()));
        let view = KeyView { key_set, signer: Ok(Arc::new(key)), good_until: None };
        Self(Arc::new(RwLock::new(Arc::new(view))))
    }

    /// The published set at `now` in Unix seconds.
    ///
    /// # Errors
    /// [`KeyringError::Stale`] when the keys have not been read for too long.
    pub fn key_set(&self, now: u64) -> Result<KeySet, KeyringError> {
        self.view().at(now).map(|view| view.key_set.clone())
    }

    /// The key that signs at `now` in Unix seconds.
    ///
    /// # Errors
    /// [`KeyringError::Stale`] as above, [`KeyringError::NotRipe`] and [`KeyringError::ClockBack`] while none does.
    pub fn signer(&self, now: u64) -> Result<Arc<SigningKey>, KeyringError> {
        self.view().at(now).and_then(|view| view.signer.clone())
    }

    fn view(&self) -> Arc<KeyView> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn show(&self, view: KeyView) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }
}

impl KeyView {
    fn at(&self, now: u64) -> Result<&Self, KeyringError> {
        match self.good_until {
            Some(until) if now > until => Err(KeyringError::Stale),
            _ => Ok(self),
        }
    }
}

impl<S: Store> KeyKeeper<S> {
    /// A keeper of the keys in `store`; shows none before the first [`refresh`](Self::refresh).
    #[must_use]
    pub fn new(store: S, rules: KeyRules) -> Self {
        let view =
            KeyView { key_set: KeySet::new(&[]), signer: Err(KeyringError::Stale), good_until: Some(0) };
        let keys = Keys(Arc::new(RwLock::new(Arc::new(view))));
        Self { store, rules, master_key: None, keys, read: Mutex::default() }
    }

    /// This keeper, sealing private halves with a master key. Those in the clear are sealed when the keys are
    /// changed next.
    #[must_use]
    pub fn with_master_key(mut self, master_key: MasterKey) -> Self {
        self.master_key = Some(master_key);
        self
    }

    /// What it keeps.
    #[must_use]
    pub fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// Reads the keys and does what is due at `now`; makes the first ones where there are none.
    ///
    /// # Errors
    /// [`IntegratorError`] of the store, the keyring or a key. What was shown stays shown until it is too old.
    pub async fn refresh(&self, now: u64) -> Result<(), IntegratorError> {
        self.change(now, |_| Ok(())).await.map(drop)
    }

    /// Refreshes each `interval`, and when another server says so, for ever, at `clock`'s time. What fails is logged
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
    /// [`IntegratorError`] of the store, the keyring or the key.
    pub async fn check(&self, now: u64) -> Result<usize, IntegratorError> {
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
    pub async fn rotate(&self, now: u64) -> Result<(), IntegratorError> {
        self.change(now, |ring| ring.rotate(now)).await.map(drop)
    }

    /// Takes a key out of the published set and out of use at once.
    ///
    /// # Errors
    /// [`KeyringError::Unknown`], [`KeyringError::Ended`]; others as above.
    pub async fn revoke(&self, kid: &str, now: u64) -> Result<(), IntegratorError> {
        self.change(now, |ring| ring.revoke(kid, now)).await.map(drop)
    }

    /// Adds a key that was made elsewhere: the first of all signs at once, another one is published as the last
    /// to come.
    ///
    /// # Errors
    /// [`KeyringError::Known`], [`KeyringError::Full`]; others as above.
    pub async fn import(&self, key: SigningKey, now: u64) -> Result<(), IntegratorError> {
        let public_key = key.public_key().clone();
        let kid = public_key.kid().to_owned();
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(kid, Arc::new(key));
        self.change(now, |ring| ring.publish(public_key.clone(), now)).await.map(drop)
    }

    /// Imports a key unless the store has, or had, it: what is found in a file at each start.
    ///
    /// # Errors
    /// As [`import`](Self::import).
    pub async fn adopt(&self, key: SigningKey, now: u64) -> Result<(), IntegratorError> {
        match self.import(key, now).await {
            Err(IntegratorError::Keyring(KeyringError::Known)) => Ok(()),
            adopted => adopted,
        }
    }

    /// Does `act` and what is due to the newest state, stores it unless somebody else was first, and shows it.
    async fn change(
        &self,
        now: u64,
        act: impl Fn(&mut Keyring) -> Result<(), KeyringError>,
    ) -> Result<(), IntegratorError> {
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
            let changed = self.table(&table, &ring)?;
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

    async fn publish_wanted(&self, ring: &mut Keyring, now: u64) -> Result<(), IntegratorError> {
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
    fn table(&self, before: &KeyTable, ring: &Keyring) -> Result<KeyTable, KeyError> {
        let entries = ring.entries().iter();
        let keys = entries.map(|entry| {
            let private = entry.signs().then(|| self.private(before, entry)).transpose()?;
            Ok(StoredKey { entry: entry.clone(), private })
        });
        Ok(KeyTable {
            generation: before.generation.saturating_add(1),
            seen_at: ring.seen_at(),
            keys: keys.collect::<Result<_, KeyError>>()?,
        })
    }

    fn private(&self, before: &KeyTable, entry: &KeyEntry) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let kid = entry.public_key.kid();
        let stored = before.keys.iter().find(|key| key.entry.public_key == entry.public_key);
        let stored = stored.and_then(|key| key.private.clone());
        let clear = match stored {
            Some(stored) if MasterKey::is_envelope(&stored) || self.master_key.is_none() => {
                return Ok(stored);
            }
            Some(clear) => clear,
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

    fn show(&self, table: &KeyTable, ring: &Keyring, now: u64) -> Result<(), IntegratorError> {
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
        let good_until = Some(now.saturating_add(self.rules.replica_lag_max.as_secs()));
        self.keys.show(KeyView { key_set, signer, good_until });
        Ok(())
    }

    fn signing_key(&self, table: &KeyTable, kid: &str) -> Result<Arc<SigningKey>, KeyError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = read.get(kid) {
            return Ok(Arc::clone(key));
        }
        let stored = table.keys.iter().find(|key| key.entry.public_key.kid() == kid);
        let private = stored.and_then(|key| key.private.as_ref()).ok_or(KeyError::PrivateMissing)?;
        let key = match (MasterKey::is_envelope(private), &self.master_key) {
            (false, _) => SigningKey::from_pem(private)?,
            (true, Some(master_key)) => SigningKey::from_pem(&master_key.open(kid, private)?)?,
            (true, None) => return Err(KeyError::MasterKeyMissing),
        };
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

impl<S> fmt::Debug for KeyKeeper<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyKeeper")
            .field("rules", &self.rules)
            .field("master_key", &self.master_key)
            .finish_non_exhaustive()
    }
}

/// How often somebody else may be first.
const CONFLICTS_MAX: usize = 16;

#[cfg(test)]
mod tests;
