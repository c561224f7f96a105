//! How many downloads are under way, in all and for each address: each holds a file and a piece of it in memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Counts downloads, and lookups that found nothing.
#[derive(Debug)]
pub(super) struct Downloads {
    room: Arc<Semaphore>,
    /// Questions to the index that anybody may cause.
    lookups: Semaphore,
    per_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    per_address_max: usize,
    misses: Mutex<HashMap<IpAddr, Misses>>,
}

/// A download under way, until this is dropped.
#[derive(Debug)]
pub(super) struct Download {
    _room: OwnedSemaphorePermit,
    address: Option<IpAddr>,
    per_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// How often an address asked for what is not there.
#[derive(Clone, Copy, Debug)]
struct Misses {
    since: Instant,
    count: u32,
}

/// How many lookups are under way at a time, of all clients together.
const LOOKUPS_MAX: usize = 64;
/// How often an address may ask for what is not there, in each minute.
const MISSES_MAX: u32 = 300;
const MISSES_TIME: Duration = Duration::from_secs(60);
/// How many addresses are remembered for it.
const ADDRESSES_MAX: usize = 65_536;

impl Downloads {
    pub(super) fn new(at_a_time: usize, per_address_max: usize) -> Self {
        Self {
            room: Arc::new(Semaphore::new(at_a_time)),
            lookups: Semaphore::new(LOOKUPS_MAX),
            per_address: Arc::default(),
            per_address_max,
            misses: Mutex::default(),
        }
    }

    /// One more, if there is room for it in all and for its address.
    pub(super) fn begin(&self, address: Option<IpAddr>) -> Option<Download> {
        let room = Arc::clone(&self.room).try_acquire_owned().ok()?;
        if let Some(address) = address {
            let mut counts = locked(&self.per_address);
            let count = counts.entry(address).or_insert(0);
            if *count >= self.per_address_max {
                return None;
            }
            *count += 1;
        }
        Some(Download { _room: room, address, per_address: Arc::clone(&self.per_address) })
    }

    /// Leave to ask the index, unless too many do or this address has asked for too much that is not there.
    pub(super) async fn lookup<T>(
        &self,
        address: Option<IpAddr>,
        asking: impl Future<Output = T>,
    ) -> Result<T, Busy> {
        if address.is_some_and(|address| self.has_missed_too_often(address)) {
            return Err(Busy::TooOften);
        }
        let Ok(_permit) = self.lookups.try_acquire() else { return Err(Busy::Full) };
        Ok(asking.await)
    }

    /// This address asked for something that is not there.
    pub(super) fn missed(&self, address: Option<IpAddr>) {
        let Some(address) = address else { return };
        let (now, mut misses) = (Instant::now(), locked(&self.misses));
        if misses.len() >= ADDRESSES_MAX && !misses.contains_key(&address) {
            misses.retain(|_, misses| now < misses.since + MISSES_TIME);
            // Somebody has all these addresses, and is not held up by a count for each.
            if misses.len() >= ADDRESSES_MAX {
                misses.clear();
            }
        }
        let misses = misses.entry(address).or_insert(Misses { since: now, count: 0 });
        if now >= misses.since + MISSES_TIME {
            *misses = Misses { since: now, count: 0 };
        }
        misses.count = misses.count.saturating_add(1);
    }

    fn has_missed_too_often(&self, address: IpAddr) -> bool {
        let misses = locked(&self.misses);
        let now = Instant::now();
        misses.get(&address).is_some_and(|it| it.count >= MISSES_MAX && now < it.since + MISSES_TIME)
    }
}

/// Why nobody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Busy {
    /// Too many ask already.
    Full,
    /// This address has asked for too much that is not there.
    TooOften,
}

impl Drop for Download {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut counts = locked(&self.per_address);
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downloads_have_room_in_all_and_for_each_address_and_nothing_is_kept() {
        let downloads = Downloads::new(3, 2);
        let from = |address: &str| downloads.begin(Some(address.parse().unwrap()));
        let (one, two) = (from("10.0.0.1"), from("10.0.0.1"));
        assert!(one.is_some() && two.is_some() && from("10.0.0.1").is_none());
        let other = from("10.0.0.2");
        assert!(other.is_some());
        assert!(from("10.0.0.3").is_none(), "no room in all");
        drop(one);
        assert!(from("10.0.0.3").is_some());
        drop((two, other));
        assert!(downloads.per_address.lock().unwrap().is_empty());
        assert!((0..3).map(|_| downloads.begin(None)).collect::<Vec<_>>().iter().all(Option::is_some));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_for_nothing_asks_nobody_for_a_while() {
        let downloads = Downloads::new(1, 1);
        let address = Some("10.0.0.1".parse().unwrap());
        for _ in 0..MISSES_MAX {
            assert_eq!(downloads.lookup(address, async { 1 }).await, Ok(1));
            downloads.missed(address);
        }
        assert_eq!(downloads.lookup(address, async { 1 }).await, Err(Busy::TooOften));
        let other = Some("10.0.0.2".parse().unwrap());
        assert_eq!(downloads.lookup(other, async { 1 }).await, Ok(1));
        tokio::time::advance(MISSES_TIME).await;
        assert_eq!(downloads.lookup(address, async { 1 }).await, Ok(1));
    }

    #[test]
    fn addresses_that_ask_for_nothing_are_remembered_in_bounded_room() {
        let downloads = Downloads::new(1, 1);
        for address in 0..=u32::try_from(ADDRESSES_MAX).unwrap() {
            downloads.missed(Some(std::net::Ipv4Addr::from_bits(address).into()));
        }
        assert!(downloads.misses.lock().unwrap().len() <= ADDRESSES_MAX);
    }

    /// Questions that anybody may cause leave room for those of others (A16).
    #[tokio::test]
    async fn few_ask_the_index_at_a_time() {
        let downloads = Arc::new(Downloads::new(1, 1));
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..LOOKUPS_MAX {
            let downloads = Arc::clone(&downloads);
            asking.spawn(async move { downloads.lookup(None, std::future::pending::<()>()).await });
        }
        while downloads.lookups.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(downloads.lookup(None, async { 1 }).await, Err(Busy::Full));
        asking.shutdown().await;
        assert_eq!(downloads.lookup(None, async { 1 }).await, Ok(1));
    }
}
