//! The crash test at every edge: one conversation, and the process dies at the first, the second, … edge of it, alone and
//! in pairs.

use crate::chaos::pair::{Faults, Pair, Schedule, StorageKind, Tally};
use crate::report::failure::Failure;

/// Rounds of the conversation, which are more than it needs.
const ROUNDS: usize = 40;

impl Pair {
    /// How many edges the conversation has when nothing goes wrong.
    ///
    /// # Errors
    /// It does not balance even so.
    pub fn count_edges(seed: u64) -> Result<usize, Failure> {
        Ok(Self::run_edges(seed, &[])?.1)
    }

    /// Runs the conversation and dies at these edges, counted from 0; a later one may fall away. Gives what it amounted
    /// to and how many edges it had.
    ///
    /// # Errors
    /// What did not balance.
    pub fn run_edges(seed: u64, crashes: &[usize]) -> Result<(Tally, usize), Failure> {
        let storage = StorageKind::Memory;
        // A seed without a mishap: a multiple of eight, plus the document.
        let seed = seed / 2 * 8 + seed % 2;
        let mut pair = Self::new(Schedule { seed, faults: Faults::Crashes, storage })?;
        let mut edges = Edges { crashes, passed: 0 };
        for round in 0..ROUNDS {
            if round % 8 == 0 {
                pair.write_text();
            }
            if round % 8 == 4 && round > 4 {
                pair.phone_writes()?;
            }
            pair.connect();
            for act in ACTS {
                if act(&mut pair)? {
                    edges.pass(&mut pair)?;
                }
            }
        }
        pair.rest()?;
        Ok((pair.balance()?, edges.passed))
    }
}

struct Edges<'a> {
    crashes: &'a [usize],
    passed: usize,
}

impl Edges<'_> {
    fn pass(&mut self, pair: &mut Pair) -> Result<(), Failure> {
        if self.crashes.contains(&self.passed) {
            pair.crash()?;
        }
        self.passed += 1;
        Ok(())
    }
}

/// One thing after which the process may die; says whether it happened.
type Act = fn(&mut Pair) -> Result<bool, Failure>;

/// Sealed, committed, answered, sent, arrived, shown (and confirmed).
const ACTS: [Act; 7] = [
    |pair| {
        let had = pair.transaction.is_some();
        pair.take_transaction()?;
        Ok(!had && pair.transaction.is_some())
    },
    |pair| {
        let runs = pair.transaction.as_ref().is_some_and(|(_, has_run)| !has_run);
        pair.run_transaction()?;
        Ok(runs)
    },
    |pair| {
        let has_run = pair.transaction.as_ref().is_some_and(|(_, has_run)| *has_run);
        pair.tell()?;
        Ok(has_run)
    },
    |pair| {
        let wire = |pair: &Pair| pair.link.as_ref().map_or(0, |link| link.to_server.len());
        let before = wire(pair);
        pair.transmit();
        Ok(wire(pair) > before)
    },
    |pair| {
        let waits = pair.link.as_ref().is_some_and(|link| !link.to_server.is_empty());
        pair.deliver_to_server();
        Ok(waits)
    },
    |pair| {
        let waits = pair.link.as_ref().is_some_and(|link| !link.to_client.is_empty());
        pair.deliver_to_client();
        Ok(waits)
    },
    |pair| {
        let before = (pair.ledger.order.len(), pair.ledger.confirming.len());
        pair.show()?;
        Ok((pair.ledger.order.len(), pair.ledger.confirming.len()) != before)
    },
];
