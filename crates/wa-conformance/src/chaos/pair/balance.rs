//! Bringing a run to rest, and what must hold then.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use wa_interop::chat::Table;
use wa_sandbox::rules::Place;

use crate::chaos::pair::{Mishap, Pair, Tally};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::environment::PHONE;

/// Rounds without any change after which a run is at rest.
const QUIET: u32 = 8;

/// Rounds after which a run that does not come to rest has failed.
const MAX_ROUNDS: u32 = 3000;

impl Pair {
    /// No more faults: everything that was begun comes to its end.
    pub(super) fn rest(&mut self) -> Result<(), Failure> {
        self.ledger.at_rest = true;
        self.skew = 0;
        let (mut quiet, mut rounds) = (0, 0);
        while quiet < QUIET {
            rounds += 1;
            ensure("it does not come to rest", rounds < MAX_ROUNDS)?;
            self.settle()?;
            self.connect();
            if self.ledger.sent.iter().any(|(_, accepted)| !accepted) {
                self.write_text();
                self.settle()?;
            }
            self.mark();
            let before = self.progress();
            for _ in 0..64 {
                self.transmit();
                self.deliver_to_server();
                self.deliver_to_client();
                self.settle()?;
                self.show()?;
            }
            // On a line that has lost bytes nothing moves before somebody's patience ends.
            self.wait(Duration::from_secs(6));
            quiet = if self.progress() == before { quiet + 1 } else { 0 };
        }
        Ok(())
    }

    /// A number that changes as long as something happens.
    fn progress(&mut self) -> (usize, usize, usize) {
        let wire = self
            .link
            .as_ref()
            .map_or(0, |link| link.to_server.iter().chain(&link.to_client).map(Bytes::len).sum::<usize>());
        let ours = self.ledger.order.len() + self.ledger.confirmed.len() + self.ledger.marked.len();
        (wire, self.at_phone("received").len(), ours + self.ledger.unread.len())
    }

    /// A list that the phone keeps.
    pub(super) fn at_phone(&mut self, list: &str) -> Vec<Value> {
        let phone = self.world.control(&self.clock, "GET", &format!("phones/{PHONE}"), b"").ok();
        phone.and_then(|phone| phone.get(list)?.as_array().cloned()).unwrap_or_default()
    }

    /// Texts that the phone could decrypt.
    pub(super) fn texts_at_phone(&mut self) -> Vec<String> {
        let received = self.at_phone("received");
        let at_first = received.iter().filter(|it| it.get("device") == Some(&json!(0)));
        at_first.filter_map(|it| it.get("text")?.as_str().map(str::to_owned)).collect()
    }

    /// Ids of a kind of receipt that the phone has.
    fn receipts_at_phone(&mut self, kind: &str) -> Vec<String> {
        let receipts = self.at_phone("receipts");
        let of_kind = receipts.iter().filter(|receipt| receipt.get("kind") == Some(&json!(kind)));
        of_kind.filter_map(|receipt| Some(receipt.get("id")?.as_str()?.to_owned())).collect()
    }

    /// One-time prekeys that the server has left.
    pub(super) fn prekeys_left(&mut self) -> Option<u64> {
        let account = self.world.control(&self.clock, "GET", &format!("accounts/{}", self.login), b"").ok();
        account?.get("prekeys")?.as_u64()
    }

    pub(super) fn balance(mut self) -> Result<Tally, Failure> {
        if self.is_restored() {
            self.texts_in_doubt()?;
        } else {
            self.texts()?;
            self.receipts()?;
        }
        let phone = self.world.control(&self.clock, "GET", &format!("phones/{PHONE}"), b"").ok();
        let reused = phone.and_then(|phone| phone.get("reused")?.as_u64());
        expect("messages encrypted with a key that was used", reused, Some(0))?;
        let kept = u64::try_from(self.store.count(Table::Prekey)?)?;
        let left = self.prekeys_left().unwrap_or_default();
        match self.mishap {
            // What was given out since a copy was made is leapt over.
            _ if self.is_restored() => {}
            // A retry receipt gives a prekey that the server never sees.
            Mishap::Spoils => ensure("one-time prekeys: ours are too few", kept >= left)?,
            _ => expect("one-time prekeys: those on the server, and ours", left, kept)?,
        }
        expect("unacked stanzas", self.store.count(Table::Outbox)?, 0)?;
        expect("waiting contents", self.store.count(Table::Waiting)?, 0)?;
        // What a bad line did to frames and handshakes is not the client's.
        let of_stanzas = self.world.records().filter(|record| record.place == Place::Stanza);
        let of_stanzas = of_stanzas.map(|record| format!("{}: {}", record.rule, record.what)).collect();
        expect("deviations and notes", of_stanzas, Vec::<String>::new())?;
        let (sent, received) = (self.ledger.sent.len(), self.ledger.written.len());
        Ok(Tally { sent, received, amid_faults: 0, crashes: self.ledger.crashes })
    }

    /// Nothing is lost or doubled; and where nothing had to be sent again, nothing is out of order.
    fn texts(&mut self) -> Result<(), Failure> {
        let mut at_phone = self.texts_at_phone();
        let mut sent: Vec<String> = self.ledger.sent.iter().map(|(text, _)| text.clone()).collect();
        let shown = self.ledger.order.iter().filter_map(|event| self.ledger.shown.get(event)).cloned();
        let mut shown: Vec<String> = shown.filter(|text| !text.starts_with("echo: ")).collect();
        let mut written: Vec<String> = self.ledger.written.iter().map(|(text, _)| text.clone()).collect();
        if self.mishap != Mishap::None {
            for texts in [&mut at_phone, &mut sent, &mut shown, &mut written] {
                texts.sort();
            }
        }
        expect("texts at the phone", at_phone, sent)?;
        expect("texts at the client", shown, written)
    }

    fn receipts(&mut self) -> Result<(), Failure> {
        let delivered = self.receipts_at_phone("delivery");
        let is_delivered = |id: &Value| id.as_str().is_some_and(|id| delivered.iter().any(|it| it == id));
        ensure("a delivery receipt is missing", self.ledger.written.iter().all(|(_, id)| is_delivered(id)))?;
        let read = self.receipts_at_phone("read");
        let wants_read = self.profile.chat.receipts == wa_interop::profile::Receipts::DeliveryAndRead;
        let is_read = |id: &String| read.contains(id) == wants_read;
        ensure("a read receipt is missing, or too many", self.ledger.marked.iter().all(is_read))
    }
}
