//! How many connections each address has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::client::ClientAddress;

/// A count for each address that has connections, and a limit.
#[derive(Clone, Debug)]
pub(crate) struct PerAddress {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    max: usize,
}

/// A connection of an address, until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    of: PerAddress,
    address: IpAddr,
}

impl PerAddress {
    pub(crate) fn new(max: usize) -> Self {
        Self { counts: Arc::default(), max }
    }

    /// One more of this address, unless it has as many as it may.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Place> {
        let address = ClientAddress(address).network();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_insert(0);
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Place { of: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.of.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_places_and_nothing_is_kept() {
        let per_address = PerAddress::new(2);
        let enter = |address: &str| per_address.enter(address.parse().unwrap());
        let (one, two) = (enter("10.0.0.1"), enter("::ffff:10.0.0.1"));
        assert!(one.is_some() && two.is_some());
        assert!(enter("10.0.0.1").is_none());
        assert!(enter("10.0.0.2").is_some());
        drop(one);
        let again = enter("10.0.0.1");
        assert!(again.is_some());
        let (v6, same) = (enter("2001:db8::1"), enter("2001:db8::ffff"));
        assert!(v6.is_some() && same.is_some() && enter("2001:db8::2").is_none());
        assert!(enter("2001:db8:0:1::1").is_some());
        drop((two, again, v6, same));
        assert!(per_address.counts.lock().unwrap().is_empty());
    }
}
