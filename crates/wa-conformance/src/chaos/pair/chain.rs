//! One text after the other on an existing chain, to count what a client does for each: what runs inside the functions
//! named `measured_…`. The other side and the store stand outside.

use std::time::{Duration, Instant};

use bytes::Bytes;
use wa_interop::chat::{Command, Content, Event, MessageId, Rows, Transaction};

use crate::chaos::pair::{Faults, Pair, Schedule, StorageKind};
use crate::report::failure::{Failure, ensure};
use crate::target::environment::PHONE;

/// A client and a phone that know each other.
pub struct Chain {
    pair: Pair,
    sent: u64,
    elapsed: Duration,
}

impl Chain {
    /// Both have written, so that neither sends prekeys any more.
    ///
    /// # Errors
    /// They do not come to know each other.
    pub fn new() -> Result<Self, Failure> {
        let schedule = Schedule { seed: 0, faults: Faults::Crashes, storage: StorageKind::Memory };
        let mut chain = Self { pair: Pair::new(schedule)?, sent: 0, elapsed: Duration::ZERO };
        chain.pair.phone_does("manners", &serde_json::json!({ "answers": false }))?;
        let pair = &mut chain.pair;
        pair.connect();
        for _ in 0..2 {
            pair.write_text();
            pair.rest()?;
            pair.phone_writes()?;
            pair.rest()?;
        }
        Ok(chain)
    }

    /// How long the client has worked so far, without the store and the other side.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Sends so many texts, none answered.
    ///
    /// # Errors
    /// One does not leave.
    pub fn send(&mut self, count: u64) -> Result<(), Failure> {
        for _ in 0..count {
            self.sent += 1;
            let text = format!("a text of some length, the {}th of its kind", self.sent);
            let frame = self.send_one(text)?;
            ensure("a text leaves", frame.is_some())?;
        }
        Ok(())
    }

    /// Receives so many texts, none answered.
    ///
    /// # Errors
    /// One is not shown.
    pub fn receive(&mut self, count: u64) -> Result<(), Failure> {
        for _ in 0..count {
            self.pair.phone_writes()?;
            let link = self.pair.link.as_mut().ok_or_else(|| Failure::new("no link"))?;
            let bytes = link.to_client.drain(..).collect::<Vec<_>>().concat();
            let shown = self.receive_one(&bytes)?;
            ensure("a text is shown", shown)?;
        }
        Ok(())
    }

    /// From the command to the frame.
    fn send_one(&mut self, text: String) -> Result<Option<Bytes>, Failure> {
        let id = MessageId(format!("chain-{}", self.sent));
        let to = wa_interop::binary::Jid::phone(PHONE)?;
        self.measured_command(Command::Send { to, id, content: Content::text(text) });
        self.settle()?;
        Ok(self.measured_transmit())
    }

    /// From the frame to the event, with receipt and ack.
    fn receive_one(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        self.measured_bytes(bytes);
        self.settle()?;
        while self.measured_transmit().is_some() {}
        let mut shown = false;
        while let Some(event) = self.measured_event() {
            shown |= matches!(event, Event::Message { .. });
        }
        Ok(shown)
    }

    /// Runs the client's transactions; what the store does is not counted.
    fn settle(&mut self) -> Result<(), Failure> {
        while let Some(transaction) = self.measured_transaction() {
            let rows = self.pair.store.apply(&transaction)?;
            self.measured_commit(transaction, rows)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn measured_command(&mut self, command: Command) {
        let start = now();
        self.pair.command(command);
        self.elapsed += start.elapsed();
    }

    #[inline(never)]
    fn measured_bytes(&mut self, bytes: &[u8]) {
        let (pair, start) = (&mut self.pair, now());
        pair.client.handle_bytes(pair.now, bytes, &mut pair.rng);
        self.elapsed += start.elapsed();
    }

    #[inline(never)]
    fn measured_transaction(&mut self) -> Option<Transaction> {
        let start = now();
        let transaction = self.pair.client.poll_transaction();
        self.elapsed += start.elapsed();
        transaction
    }

    #[inline(never)]
    fn measured_commit(&mut self, transaction: Transaction, rows: Rows) -> Result<(), Failure> {
        let (pair, start) = (&mut self.pair, now());
        pair.client.handle_committed(pair.now, rows, &mut pair.rng)?;
        drop(transaction);
        while pair.client.poll_accepted().is_some() {}
        self.elapsed += start.elapsed();
        Ok(())
    }

    #[inline(never)]
    fn measured_transmit(&mut self) -> Option<Bytes> {
        let start = now();
        let bytes = self.pair.client.poll_transmit();
        self.elapsed += start.elapsed();
        bytes
    }

    #[inline(never)]
    fn measured_event(&mut self) -> Option<Event> {
        let start = now();
        let event = self.pair.client.poll_event();
        self.elapsed += start.elapsed();
        event
    }
}

#[expect(clippy::disallowed_methods, reason = "measures how long the client takes")]
fn now() -> Instant {
    Instant::now()
}
