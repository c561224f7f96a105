//! The life of signing keys: Next, Current, Previous, Retired, and Revoked (overview §1.3; RFC 7517).
//!
//! WhatsApp fetches the published keys "periodically" and nobody says how often, so a key is published for the
//! profile's longest refresh before it signs, and stays published until the last token it signed has expired:
//!
//! ```text
//!  publish ──► Next ──rotation──► Current ──rotation──► Previous ──► Retired
//!              published          signs                 published    gone
//!                    └────────────── revoke ──────────────┘ ──► Revoked (gone at once)
//! ```
//!
//! [`NEXT_KEYS`] keys are always published ahead. One of them was there before the last rotation, so an operator who
//! has to revoke the signing key finds a successor that every copy of the key set already holds. A value
//! without keys' private halves, clock or randomness: time is an argument, in Unix seconds.

use std::time::Duration;

use crate::keys::{KeyringError, PublicKey};

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;

/// The keys that an integrator has and had, in the order in which they were published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyring {
    rules: KeyRules,
    entries: Vec<KeyEntry>,
    seen_at: u64,
}

/// One key of a [`Keyring`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// The public half.
    pub public_key: PublicKey,
    /// Where in its life it stands.
    pub state: KeyState,
    /// When it was published first.
    pub published_at: u64,
    /// From when on it may sign: every copy of the key set holds it by then.
    pub ripe_at: u64,
    /// When it came into its present state.
    pub since: u64,
}

/// Where in its life a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Published, and has not signed yet.
    Next,
    /// Published, and signs.
    Current,
    /// Published for the tokens that it signed.
    Previous,
    /// Not published any more; everything it signed has expired.
    Retired,
    /// Not published any more, whatever it signed.
    Revoked,
}

/// The times that a [`Keyring`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyRules {
    /// How long a key signs before the next one takes over.
    pub period: Duration,
    /// How old somebody's copy of the key set may be (profile: the peer's longest refresh).
    pub peer_refresh_max: Duration,
    /// How long a replica of the server may act on a state that is not the newest.
    pub replica_lag_max: Duration,
    /// How long a token lives.
    pub token_lifetime_max: Duration,
    /// By how much clocks may differ.
    pub skew: Duration,
}

impl KeyRules {
    /// The times for copies of this age and tokens of this life: a new key each 30 days, replicas at most ten
    /// minutes behind, clocks at most one minute apart.
    #[must_use]
    pub const fn new(peer_refresh_max: Duration, token_lifetime_max: Duration) -> Self {
        Self {
            period: Duration::from_secs(30 * 24 * 60 * 60),
            peer_refresh_max,
            replica_lag_max: Duration::from_secs(10 * 60),
            token_lifetime_max,
            skew: Duration::from_secs(60),
        }
    }

    /// These times with another one between scheduled rotations.
    #[must_use]
    pub const fn with_period(mut self, period: Duration) -> Self {
        self.period = period;
        self
    }

    /// These times with another bound on how far a replica may be behind.
    #[must_use]
    pub const fn with_replica_lag_max(mut self, replica_lag_max: Duration) -> Self {
        self.replica_lag_max = replica_lag_max;
        self
    }

    /// How long a key is published before it signs, in seconds.
    #[must_use]
    pub const fn publish_before_sign(&self) -> u64 {
        self.peer_refresh_max.as_secs() + self.replica_lag_max.as_secs() + self.skew.as_secs()
    }

    /// How long a key stays published after the rotation that ended its signing, in seconds.
    #[must_use]
    pub const fn publish_after_sign(&self) -> u64 {
        self.token_lifetime_max.as_secs() + self.replica_lag_max.as_secs() + self.skew.as_secs()
    }
}

impl Keyring {
    /// A ring without keys.
    #[must_use]
    pub const fn new(rules: KeyRules) -> Self {
        Self { rules, entries: Vec::new(), seen_at: 0 }
    }

    /// The ring that was stored as these entries, last changed at `seen_at`.
    #[must_use]
    pub const fn restore(rules: KeyRules, entries: Vec<KeyEntry>, seen_at: u64) -> Self {
        Self { rules, entries, seen_at }
    }

    /// Its keys in the order in which they were published.
    #[must_use]
    pub fn entries(&self) -> &[KeyEntry] {
        &self.entries
    }

    /// The latest time at which it was changed.
    #[must_use]
    pub const fn seen_at(&self) -> u64 {
        self.seen_at
    }

    /// The times that it keeps.
    #[must_use]
    pub const fn rules(&self) -> &KeyRules {
        &self.rules
    }

    /// Does what is due: retires keys whose tokens have all expired, rotates on schedule, and replaces a
    /// signing key that was revoked while no other was ripe. Gives whether anything changed.
    ///
    /// # Errors
    /// [`KeyringError::ClockBack`] when `now` is before a change that was already made.
    pub fn advance(&mut self, now: u64) -> Result<bool, KeyringError> {
        self.check_clock(now)?;
        let before = self.entries.clone();
        let keep = self.rules.publish_after_sign();
        for entry in &mut self.entries {
            if entry.state == KeyState::Previous && now > entry.since.saturating_add(keep) {
                entry.enter(KeyState::Retired, now);
            }
        }
        let due = match self.current() {
            Some(current) => now >= current.since.saturating_add(self.rules.period.as_secs()),
            None => true,
        };
        if due && self.successor(now).is_ok() {
            self.promote(now)?;
        }
        self.forget_old();
        Ok(self.changed(&before, now))
    }

    /// How many new keys to make and [`publish`](Self::publish).
    #[must_use]
    pub fn wanted(&self) -> usize {
        NEXT_KEYS.saturating_sub(self.count(KeyState::Next)) + usize::from(self.entries.is_empty())
    }

    /// Publishes a key. The first of all signs at once, since nobody has a copy of an older key set; so may the
    /// [`NEXT_KEYS`] that are stored together with it. Every other one waits to be known.
    ///
    /// # Errors
    /// [`KeyringError::Known`] for a key that the ring has or had, [`KeyringError::ClockBack`],
    /// [`KeyringError::Full`] beyond [`PUBLISHED_MAX`] published keys.
    pub fn publish(&mut self, public_key: PublicKey, now: u64) -> Result<(), KeyringError> {
        self.check_clock(now)?;
        if self.entries.iter().any(|entry| entry.public_key == public_key) {
            return Err(KeyringError::Known);
        }
        if self.published().count() >= PUBLISHED_MAX {
            return Err(KeyringError::Full);
        }
        let together = self.entries.iter().all(|entry| entry.published_at == now);
        let beginning = together && self.entries.len() <= NEXT_KEYS;
        let wait = if beginning { 0 } else { self.rules.publish_before_sign() };
        let state = if self.entries.is_empty() { KeyState::Current } else { KeyState::Next };
        let ripe_at = now.saturating_add(wait);
        self.entries.push(KeyEntry { public_key, state, published_at: now, ripe_at, since: now });
        self.seen_at = self.seen_at.max(now);
        Ok(())
    }

    /// Makes the oldest ripe Next the Current, and the Current a Previous.
    ///
    /// # Errors
    /// [`KeyringError::NotRipe`] while no Next has been published for long enough,
    /// [`KeyringError::ClockBack`].
    pub fn rotate(&mut self, now: u64) -> Result<(), KeyringError> {
        self.check_clock(now)?;
        self.promote(now)
    }

    /// Takes a key out of the published set now. Was it the signing key, a ripe Next takes over at once; is
    /// there none, nothing signs until one is ripe, see [`signer`](Self::signer).
    ///
    /// # Errors
    /// [`KeyringError::Unknown`] for no such key, [`KeyringError::Ended`] for one that is not published,
    /// [`KeyringError::ClockBack`].
    pub fn revoke(&mut self, kid: &str, now: u64) -> Result<(), KeyringError> {
        self.check_clock(now)?;
        let mut entries = self.entries.iter_mut();
        let entry = entries.find(|entry| entry.public_key.kid() == kid).ok_or(KeyringError::Unknown)?;
        if !entry.is_published() {
            return Err(KeyringError::Ended);
        }
        let signed = entry.state == KeyState::Current;
        entry.enter(KeyState::Revoked, now);
        self.seen_at = self.seen_at.max(now);
        if signed && self.successor(now).is_ok() {
            self.promote(now)?;
        }
        Ok(())
    }

    /// The key that signs at `now`.
    ///
    /// # Errors
    /// [`KeyringError::NotRipe`] when the signing key was revoked and no other has been published for long
    /// enough, [`KeyringError::ClockBack`].
    pub fn signer(&self, now: u64) -> Result<&PublicKey, KeyringError> {
        self.check_clock(now)?;
        match self.current() {
            Some(current) => Ok(&current.public_key),
            None => Err(self.not_ripe()),
        }
    }

    /// The keys to publish, in the order in which they were first.
    pub fn published(&self) -> impl Iterator<Item = &PublicKey> {
        self.entries.iter().filter(|entry| entry.is_published()).map(|entry| &entry.public_key)
    }

    fn current(&self) -> Option<&KeyEntry> {
        self.entries.iter().find(|entry| entry.state == KeyState::Current)
    }

    fn count(&self, state: KeyState) -> usize {
        self.entries.iter().filter(|entry| entry.state == state).count()
    }

    /// The Next that has waited longest, if it has waited long enough.
    fn successor(&self, now: u64) -> Result<usize, KeyringError> {
        let ripe = |entry: &KeyEntry| entry.state == KeyState::Next && entry.ripe_at <= now;
        self.entries.iter().position(ripe).ok_or_else(|| self.not_ripe())
    }

    fn promote(&mut self, now: u64) -> Result<(), KeyringError> {
        let successor = self.successor(now)?;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if index == successor {
                entry.enter(KeyState::Current, now);
            } else if entry.state == KeyState::Current {
                entry.enter(KeyState::Previous, now);
            }
        }
        self.seen_at = self.seen_at.max(now);
        Ok(())
    }

    fn not_ripe(&self) -> KeyringError {
        let next = self.entries.iter().filter(|entry| entry.state == KeyState::Next);
        KeyringError::NotRipe { ripe_at: next.map(|entry| entry.ripe_at).min() }
    }

    fn check_clock(&self, now: u64) -> Result<(), KeyringError> {
        match self.seen_at.checked_sub(now) {
            Some(seconds) if seconds > self.rules.skew.as_secs() => Err(KeyringError::ClockBack { seconds }),
            _ => Ok(()),
        }
    }

    fn changed(&mut self, before: &[KeyEntry], now: u64) -> bool {
        let changed = self.entries != before;
        if changed {
            self.seen_at = self.seen_at.max(now);
        }
        changed
    }

    /// Keeps the newest of those that ended, so that they can be listed.
    fn forget_old(&mut self) {
        let mut surplus = self.entries.iter().filter(|entry| !entry.is_published()).count();
        surplus = surplus.saturating_sub(ENDED_MAX);
        self.entries.retain(|entry| {
            let forget = surplus > 0 && !entry.is_published();
            surplus -= usize::from(forget);
            !forget
        });
    }
}

impl KeyEntry {
    /// Whether the key is in the published set.
    #[must_use]
    pub fn is_published(&self) -> bool {
        matches!(self.state, KeyState::Next | KeyState::Current | KeyState::Previous)
    }

    /// Whether the private half may still be needed.
    #[must_use]
    pub fn signs(&self) -> bool {
        matches!(self.state, KeyState::Next | KeyState::Current)
    }

    fn enter(&mut self, state: KeyState, now: u64) {
        self.state = state;
        self.since = now;
    }
}

impl KeyState {
    /// Every state, in the order of a key's life.
    pub const ALL: [Self; 5] = [Self::Next, Self::Current, Self::Previous, Self::Retired, Self::Revoked];

    /// The state's name: `next`, `current`, `previous`, `retired` or `revoked`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }
}

/// How many keys are published ahead: one to rotate to, and one that was known before that rotation.
pub const NEXT_KEYS: usize = 2;
/// How many keys may be published at a time: some clients read no more from a key set.
pub const PUBLISHED_MAX: usize = 16;
/// How many ended keys stay listed.
const ENDED_MAX: usize = 32;
