//! A digest of all that a client lets out, to compare two versions of it: what only moves code leaves it equal.

use sha2::{Digest, Sha256};
use wa_interop::chat::{Event, Read, Transaction};

use crate::chaos::pair::{Pair, STEPS, Schedule};
use crate::report::failure::Failure;

/// Everything that came out of a client so far.
#[derive(Default)]
pub(super) struct Trace(Sha256);

impl Schedule {
    /// Runs it and gives the SHA-256 over every transaction, every byte sent and every event of the client, in their order.
    ///
    /// # Errors
    /// What did not balance.
    pub fn digest(self) -> Result<[u8; 32], Failure> {
        let mut pair = Pair::new(self)?;
        for _ in 0..STEPS {
            pair.step()?;
        }
        pair.rest()?;
        Ok(pair.trace.finish())
    }
}

impl Trace {
    /// Rows written and asked for.
    pub(super) fn transaction(&mut self, transaction: &Transaction) {
        self.part(b"transaction");
        self.part(&[u8::from(transaction.erase)]);
        for write in &transaction.writes {
            self.part(write.key.as_bytes());
            self.part(write.value.as_ref().map_or(&[], |value| value.as_bytes()));
            self.part(format!("{:?} {:?}", write.value.is_some(), write.expires).as_bytes());
        }
        for read in &transaction.reads {
            match read {
                Read::One(key) => self.part(key.as_bytes()),
                Read::Page { from, to, limit, .. } => {
                    self.part(from.as_bytes());
                    self.part(to.as_bytes());
                    self.part(&limit.to_be_bytes());
                }
            }
        }
    }

    /// Bytes for the server.
    pub(super) fn transmit(&mut self, bytes: &[u8]) {
        self.part(b"transmit");
        self.part(bytes);
    }

    /// An event for the application.
    pub(super) fn event(&mut self, event: &Event) {
        self.part(b"event");
        self.part(format!("{event:?}").as_bytes());
    }

    pub(super) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// With its length, so that no two parts run together.
    fn part(&mut self, bytes: &[u8]) {
        self.0.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(bytes);
    }
}
