//! The rotation property: whatever happens to the ring, its replicas and the copies of its key set, every token
//! that has not expired and whose key was not revoked verifies against every copy that an honest cache may hold.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::{KeyRules, Keyring};
use crate::keys::PublicKey;

const LIFETIME: u64 = 3600;
const REFRESH: u64 = 24 * 3600;
const LAG: u64 = 600;

/// What may happen next.
#[derive(Clone, Debug)]
enum Act {
    /// Time passes; replicas that may not be behind any more read the newest state first.
    Wait(u64),
    /// Somebody rotates by command.
    Rotate,
    /// Somebody revokes a published key, by its place among them.
    Revoke(usize),
    /// A replica reads the newest state: it restarted, or its time came.
    Refresh(usize),
    /// A replica does what is due and stores it.
    Maintain(usize),
    /// A replica issues a token.
    Issue(usize),
    /// Somebody fetches the key set from a replica.
    Fetch(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => prop_oneof![0..120_u64, 0..LAG, 0..2 * LIFETIME, 0..2 * REFRESH, 0..40 * REFRESH].prop_map(Act::Wait),
        2 => Just(Act::Rotate),
        1 => (0..8_usize).prop_map(Act::Revoke),
        2 => (0..3_usize).prop_map(Act::Refresh),
        3 => (0..3_usize).prop_map(Act::Maintain),
        5 => (0..3_usize).prop_map(Act::Issue),
        5 => (0..3_usize).prop_map(Act::Fetch),
    ]
}

/// A replica acts on the state it has read last.
struct Replica {
    ring: Keyring,
    read_at: u64,
}

struct World {
    now: u64,
    made: u32,
    stored: Keyring,
    replicas: Vec<Replica>,
    /// Key and end of every token.
    tokens: Vec<(PublicKey, u64)>,
    /// Keys and age of every copy.
    copies: Vec<(BTreeSet<String>, u64)>,
    revoked: BTreeSet<String>,
    pairs: u64,
}

impl World {
    fn new() -> Self {
        let rules = KeyRules::new(Duration::from_secs(REFRESH), Duration::from_secs(LIFETIME));
        let rules = rules.with_replica_lag_max(Duration::from_secs(LAG));
        let mut world = Self {
            now: 1_700_000_000,
            made: 0,
            stored: Keyring::new(rules),
            replicas: Vec::new(),
            tokens: Vec::new(),
            copies: Vec::new(),
            revoked: BTreeSet::new(),
            pairs: 0,
        };
        world.fill();
        for _ in 0..3 {
            world.replicas.push(Replica { ring: world.stored.clone(), read_at: world.now });
        }
        world
    }

    fn fill(&mut self) {
        for _ in 0..self.stored.wanted() {
            self.made += 1;
            self.stored.publish(PublicKey::new(&format!("n{}", self.made), "AQAB"), self.now).unwrap();
        }
    }

    fn run(&mut self, act: &Act) -> Result<(), TestCaseError> {
        match *act {
            Act::Wait(seconds) => self.now += seconds,
            // Too early is a refusal that changes nothing.
            Act::Rotate => drop(self.stored.rotate(self.now)),
            Act::Revoke(place) => {
                let kid = self.stored.published().nth(place).map(|key| key.kid().to_owned());
                if let Some(kid) = kid {
                    self.stored.revoke(&kid, self.now).unwrap();
                    self.revoked.insert(kid);
                }
            }
            Act::Refresh(replica) => self.refresh(replica),
            Act::Maintain(replica) => {
                self.stored.advance(self.now).unwrap();
                self.refresh(replica);
            }
            Act::Issue(replica) => return self.issue(replica),
            Act::Fetch(replica) => return self.fetch(replica),
        }
        // A change of the stored ring also publishes what is wanted.
        self.fill();
        Ok(())
    }

    fn refresh(&mut self, replica: usize) {
        self.replicas[replica] = Replica { ring: self.stored.clone(), read_at: self.now };
    }

    /// A replica acts only on a state that is young enough; otherwise it answers "later".
    fn acting(&self, replica: usize) -> Option<&Keyring> {
        let Replica { ring, read_at } = &self.replicas[replica];
        (self.now - read_at <= LAG).then_some(ring)
    }

    fn issue(&mut self, replica: usize) -> Result<(), TestCaseError> {
        let signer = self.acting(replica).and_then(|ring| ring.signer(self.now).ok().cloned());
        let Some(signer) = signer else { return Ok(()) };
        let held = self.copies.iter().filter(|(_, fetched)| self.now - fetched <= REFRESH);
        for (kids, fetched) in held {
            self.pairs += 1;
            prop_assert!(
                self.revoked.contains(signer.kid()) || kids.contains(signer.kid()),
                "a token of {} at {} is unknown to a copy of {fetched}",
                signer.n(),
                self.now
            );
        }
        self.tokens.push((signer, self.now + LIFETIME));
        Ok(())
    }

    fn fetch(&mut self, replica: usize) -> Result<(), TestCaseError> {
        let Some(ring) = self.acting(replica) else { return Ok(()) };
        let kids: BTreeSet<String> = ring.published().map(|key| key.kid().to_owned()).collect();
        prop_assert!(!kids.is_empty());
        for (signer, _) in self.tokens.iter().filter(|(_, end)| self.now <= *end) {
            self.pairs += 1;
            let known = self.revoked.contains(signer.kid()) || kids.contains(signer.kid());
            prop_assert!(known, "an unexpired token of {} is unknown at {}", signer.n(), self.now);
        }
        self.copies.push((kids, self.now));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_token_verifies_against_every_copy_that_may_be_held(acts in prop::collection::vec(act(), 1..250)) {
        let mut world = World::new();
        for act in &acts {
            world.run(act)?;
        }
    }
}

#[test]
fn a_long_life_without_revocation_never_stops_signing() {
    let mut world = World::new();
    for day in 0..2000 {
        world.run(&Act::Wait(24 * 3600)).unwrap();
        world.run(&Act::Maintain(0)).unwrap();
        if day % 3 == 0 {
            world.run(&Act::Rotate).unwrap();
        }
        assert!(world.stored.signer(world.now).is_ok(), "day {day}");
        world.refresh(1);
        world.run(&Act::Fetch(1)).unwrap();
        world.run(&Act::Issue(1)).unwrap();
    }
    assert!(world.pairs > 3900 && world.made > 500, "{} pairs, {} keys", world.pairs, world.made);
}
