//! One text after the other on an existing chain, to count what a client does for each; the other side's work stands
//! outside the functions that are counted.

use wa_interop::chat::{Command, Content, MessageId};

use crate::environment::PHONE;
use crate::failure::{Failure, ensure};
use crate::pair::{Faults, Pair, Schedule, StorageKind};

/// A client and a phone that know each other.
pub struct Chain {
    pair: Pair,
    sent: u64,
}

impl Chain {
    /// Both have written, so that neither sends prekeys any more.
    ///
    /// # Errors
    /// They do not come to know each other.
    pub fn new() -> Result<Self, Failure> {
        let schedule = Schedule { seed: 0, faults: Faults::Crashes, storage: StorageKind::Memory };
        let mut chain = Self { pair: Pair::new(schedule)?, sent: 0 };
        chain.pair.phone_does("", &serde_json::json!({ "answers": false }))?;
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

    /// Sends so many texts, none answered.
    ///
    /// # Errors
    /// One does not leave.
    pub fn send(&mut self, count: u64) -> Result<(), Failure> {
        for _ in 0..count {
            self.sent += 1;
            let text = format!("a text of some length, the {}th of its kind", self.sent);
            let bytes = self.measured_send(text)?;
            ensure("a text leaves", !bytes.is_empty())?;
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
            let shown = self.measured_receive(&bytes)?;
            ensure("a text is shown", shown)?;
        }
        Ok(())
    }

    /// From the command to the frame.
    #[inline(never)]
    fn measured_send(&mut self, text: String) -> Result<Vec<u8>, Failure> {
        let pair = &mut self.pair;
        let id = MessageId(format!("chain-{}", self.sent));
        let to = wa_interop::binary::Jid::phone(PHONE)?;
        pair.command(Command::Send { to, id, content: Content::text(text) });
        pair.settle()?;
        Ok(pair.client.poll_transmit().map_or_else(Vec::new, Vec::from))
    }

    /// From the frame to the event, with receipt and ack.
    #[inline(never)]
    fn measured_receive(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        let pair = &mut self.pair;
        pair.client.handle_bytes(pair.now, bytes, &mut pair.rng);
        pair.settle()?;
        while pair.client.poll_transmit().is_some() {}
        let mut shown = false;
        while let Some(event) = pair.client.poll_event() {
            shown |= matches!(event, wa_interop::chat::Event::Message { .. });
        }
        Ok(shown)
    }
}
