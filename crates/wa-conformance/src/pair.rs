//! Client and WhatsApp in one thread on a virtual clock, over a link and a process that fail at any moment.
//!
//! A schedule is a seed: it decides what happens next, and where the client is dropped (before a transaction is
//! run, after it was run and before that is told, before something is sent, shown or confirmed). Afterwards all is
//! brought to rest, and the ledger must balance: nothing lost, nothing shown again once confirmed, nothing sent
//! twice, no message key used twice (the phone would not decrypt).

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use wa_interop::binary::Jid;
use wa_interop::chat::{
    AccountKeys, Client, Command, Content, Event, MemoryStore, MessageId, Now, Table, Ticket, Transaction,
};
use wa_interop::noise::TrustRoot;
use wa_interop::profile::Profile;
use wa_sandbox::{Clock, ConnectionId, Integrator, Output, World, WorldConfig};

use crate::environment::{INTEGRATOR, PHONE};
use crate::failure::{Failure, ensure, expect};
use crate::pair::enlisting::{enlist, token_and_jwks};
use crate::pair::ledger::Ledger;

mod enlisting;
mod ledger;
#[cfg(test)]
mod tests;

pub use self::ledger::Tally;

const BASE: &str = "https://integrator.example";
const USER: &str = "alice";

/// Steps of one schedule before everything is brought to rest.
const STEPS: usize = 1200;

/// One run.
pub struct Pair {
    dice: StdRng,
    rng: StdRng,
    now: Now,
    world: World,
    clock: Clock,
    token: String,
    login: Jid,
    store: MemoryStore,
    client: Client,
    /// Handed out and not run, or run and not told of.
    transaction: Option<(Transaction, bool)>,
    link: Option<Link>,
    root: TrustRoot,
    profile: Profile,
    next_ticket: u64,
    waits_for_prekeys: bool,
    ledger: Ledger,
}

#[derive(Debug)]
struct Link {
    id: ConnectionId,
    to_server: VecDeque<Bytes>,
    to_client: VecDeque<Bytes>,
}

impl Pair {
    /// Runs one schedule from start to rest.
    ///
    /// # Errors
    /// What did not balance.
    pub fn run(seed: u64) -> Result<Tally, Failure> {
        let mut pair = Self::new(seed)?;
        for _ in 0..STEPS {
            pair.step()?;
        }
        let amid_faults = pair.at_phone("received").len();
        pair.rest()?;
        Ok(Tally { amid_faults, ..pair.balance()? })
    }

    fn new(seed: u64) -> Result<Self, Failure> {
        let mut rng = StdRng::seed_from_u64(seed);
        let (profile, clock) = (Profile::overview(), Clock::default());
        let integrators = vec![Integrator { id: INTEGRATOR, base_url: BASE.to_owned() }];
        let config = WorldConfig { profile: profile.clone(), integrators, phones: vec![PHONE.to_owned()] };
        let mut world = World::new(config, Box::new(StdRng::seed_from_u64(seed + 1)));
        let now = Now { unix: clock.now(), tick: Duration::ZERO };
        let (token, jwks) = token_and_jwks(now.unix)?;
        world.handle_keys(INTEGRATOR, Some(&jwks), now.unix);
        let keys = AccountKeys::generate(&mut rng);
        let login = enlist(&mut world, &keys, &token, &profile, now.unix)?;
        let store = MemoryStore::default();
        store.apply(&Client::create(&keys));
        let root = TrustRoot::new(wa_interop::keys::PublicKey::from_bytes(world.noise_root()));
        let client = Client::open(profile.clone(), root);
        let dice = StdRng::seed_from_u64(seed ^ 0xD1CE);
        let (transaction, link, ledger) = (None, None, Ledger::default());
        let mut pair = Self {
            dice,
            rng,
            now,
            world,
            clock,
            token,
            login,
            store,
            client,
            transaction,
            link,
            root,
            profile,
            next_ticket: 0,
            waits_for_prekeys: seed.is_multiple_of(2),
            ledger,
        };
        pair.settle()?;
        let login = pair.login.clone();
        pair.command(Command::Enlisted(login));
        pair.settle()?;
        Ok(pair)
    }

    /// One thing happens.
    fn step(&mut self) -> Result<(), Failure> {
        match self.dice.random_range(0..1000u32) {
            0..70 => self.write_text(),
            70..110 => self.phone_writes()?,
            110..240 => self.deliver_to_server(),
            240..370 => self.deliver_to_client(),
            370..520 => self.take_transaction(),
            520..670 => self.run_transaction(),
            670..820 => self.tell()?,
            820..900 => self.transmit(),
            900..940 => self.show()?,
            940..990 => self.connect(),
            990..995 => self.cut(),
            _ => self.crash(),
        }
        Ok(())
    }

    fn command(&mut self, command: Command) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.client.handle_command(self.now, ticket, command, &mut self.rng);
        ticket
    }

    /// The application sends a new text, or one that was not accepted before a crash, under the same id.
    fn write_text(&mut self) {
        if self.client.account().is_none() || !self.client.wants_input() {
            return;
        }
        let is_open = |index: &usize| !self.ledger.sending.values().any(|sending| sending == index);
        let unaccepted = self.ledger.sent.iter().position(|(_, accepted)| !accepted);
        let index = match unaccepted.filter(is_open) {
            Some(index) => index,
            // Order is the application's: it waits for acceptance before the next.
            None if unaccepted.is_some() => return,
            None => {
                self.ledger.sent.push((format!("text {}", self.ledger.sent.len()), false));
                self.ledger.sent.len() - 1
            }
        };
        let Some((text, _)) = self.ledger.sent.get(index).cloned() else { return };
        let Ok(to) = Jid::phone(PHONE) else { return };
        let id = MessageId(format!("id-{index}"));
        let ticket = self.command(Command::Send { to, id, content: Content::text(text) });
        self.ledger.sending.insert(ticket, index);
    }

    /// In every other schedule the phone waits for one-time prekeys before it begins a session.
    fn phone_writes(&mut self) -> Result<(), Failure> {
        if self.waits_for_prekeys && self.ledger.written.is_empty() && self.prekeys_left() == Some(0) {
            return Ok(());
        }
        let text = format!("phone {}", self.ledger.written.len());
        let body = json!({ "to": self.login.to_string(), "text": text }).to_string();
        let path = format!("phones/{PHONE}/send");
        let sent = self.world.control(&self.clock, false, &path, body.as_bytes());
        let id = sent.and_then(|sent| sent.get("id").cloned());
        self.ledger.written.push((text, id.ok_or_else(|| Failure::new("the phone could not write"))?));
        self.take_outputs();
        Ok(())
    }

    /// Some of the bytes on the wire arrive.
    fn deliver_to_server(&mut self) {
        let Some(link) = &mut self.link else { return };
        let Some(bytes) = arriving(&mut link.to_server, &mut self.dice) else { return };
        self.world.handle_bytes(link.id, self.now.unix, &bytes);
        self.take_outputs();
    }

    fn deliver_to_client(&mut self) {
        let Some(link) = &mut self.link else { return };
        if !self.client.wants_input() {
            return;
        }
        let Some(bytes) = arriving(&mut link.to_client, &mut self.dice) else { return };
        self.client.handle_bytes(self.now, &bytes, &mut self.rng);
        if !self.client.is_connected() {
            self.drop_link();
        }
    }

    fn take_outputs(&mut self) {
        while let Some((id, output)) = self.world.poll_output() {
            let Some(link) = self.link.as_mut().filter(|link| link.id == id) else { continue };
            match output {
                Output::Bytes(bytes) => link.to_client.push_back(bytes),
                Output::Close => {}
            }
        }
    }

    fn take_transaction(&mut self) {
        if self.transaction.is_none() {
            self.transaction = self.client.poll_transaction().map(|transaction| (transaction, false));
        }
        self.take_accepted();
    }

    /// The store runs it, perhaps twice.
    fn run_transaction(&mut self) {
        if let Some((transaction, has_run)) = &mut self.transaction {
            self.store.apply(transaction);
            *has_run = true;
        }
    }

    /// The client hears of it.
    fn tell(&mut self) -> Result<(), Failure> {
        if let Some((transaction, _)) = self.transaction.take_if(|(_, has_run)| *has_run) {
            let rows = self.store.apply(&transaction);
            self.client.handle_committed(self.now, rows, &mut self.rng)?;
        }
        self.take_accepted();
        Ok(())
    }

    fn take_accepted(&mut self) {
        while let Some(ticket) = self.client.poll_accepted() {
            if let Some(index) = self.ledger.sending.remove(&ticket)
                && let Some((_, accepted)) = self.ledger.sent.get_mut(index)
            {
                *accepted = true;
            }
            self.ledger.confirmed.extend(self.ledger.confirming.remove(&ticket));
        }
    }

    fn transmit(&mut self) {
        let Some(link) = &mut self.link else { return };
        while let Some(bytes) = self.client.poll_transmit() {
            link.to_server.push_back(bytes);
            if self.dice.random_bool(0.3) {
                break;
            }
        }
    }

    /// The application sees an event, and perhaps confirms it.
    fn show(&mut self) -> Result<(), Failure> {
        let Some(event) = self.client.poll_event() else { return Ok(()) };
        let (event, text) = match event {
            Event::Message { event, content: Content::Text(text), .. } => (event, Some(text.body)),
            Event::Receipt { event, .. } => (event, None),
            Event::Connected | Event::Disconnected(_) => return Ok(()),
            other => return Err(Failure(format!("shown: {other:?}"))),
        };
        ensure("shown again after it was confirmed", !self.ledger.confirmed.contains(&event))?;
        if let Some(text) = text {
            match self.ledger.shown.insert(event, text.clone()) {
                None => self.ledger.order.push(event),
                Some(before) => expect("the same event", text, before)?,
            }
        }
        if self.dice.random_bool(0.7) {
            let ticket = self.command(Command::Confirm(event));
            self.ledger.confirming.insert(ticket, event);
        }
        Ok(())
    }

    fn connect(&mut self) {
        if self.link.is_some() {
            return;
        }
        if self.client.connect(self.now, self.token.clone(), &mut self.rng).is_ok() {
            let id = self.world.connect(self.now.unix);
            self.link = Some(Link { id, to_server: VecDeque::new(), to_client: VecDeque::new() });
        }
    }

    /// The connection breaks; what was under way is gone.
    fn cut(&mut self) {
        self.client.handle_lost(self.now, &mut self.rng);
        self.drop_link();
    }

    fn drop_link(&mut self) {
        if let Some(link) = self.link.take() {
            self.world.disconnect(link.id);
        }
    }

    /// The process dies. A transaction that was handed out may have reached the store or not.
    fn crash(&mut self) {
        if let Some((transaction, _)) = self.transaction.take()
            && self.dice.random_bool(0.5)
        {
            self.store.apply(&transaction);
        }
        self.drop_link();
        self.client = Client::open(self.profile.clone(), self.root);
        self.ledger.sending.clear();
        self.ledger.confirming.clear();
        self.ledger.crashes += 1;
    }

    /// Runs the client's transactions until it has none.
    fn settle(&mut self) -> Result<(), Failure> {
        self.take_transaction();
        while self.transaction.is_some() {
            self.run_transaction();
            self.tell()?;
            self.take_transaction();
        }
        Ok(())
    }

    /// No more faults: everything that was begun comes to its end.
    fn rest(&mut self) -> Result<(), Failure> {
        let mut quiet = 0;
        while quiet < 8 {
            self.settle()?;
            self.connect();
            if self.ledger.sent.iter().any(|(_, accepted)| !accepted) {
                self.write_text();
                self.settle()?;
            }
            let before = self.progress();
            for _ in 0..64 {
                self.transmit();
                self.deliver_to_server();
                self.deliver_to_client();
                self.settle()?;
                self.show()?;
            }
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
        (wire, self.at_phone("received").len(), self.ledger.order.len() + self.ledger.confirmed.len())
    }

    /// A list that the phone keeps.
    fn at_phone(&mut self, list: &str) -> Vec<Value> {
        let phone = self.world.control(&self.clock, true, &format!("phones/{PHONE}"), b"");
        phone.and_then(|phone| phone.get(list)?.as_array().cloned()).unwrap_or_default()
    }

    /// One-time prekeys that the server has left.
    fn prekeys_left(&mut self) -> Option<u64> {
        let account = self.world.control(&self.clock, true, &format!("accounts/{}", self.login), b"");
        account?.get("prekeys")?.as_u64()
    }

    fn balance(mut self) -> Result<Tally, Failure> {
        let at_phone: Vec<Value> =
            self.at_phone("received").iter().map(|it| it.get("text").cloned().unwrap_or_default()).collect();
        let sent: Vec<Value> = self.ledger.sent.iter().map(|(text, _)| json!(text)).collect();
        expect("texts at the phone", at_phone, sent)?;
        let shown = self.ledger.order.iter().filter_map(|event| self.ledger.shown.get(event)).cloned();
        let echoes = |text: &String| !text.starts_with("echo: ");
        let shown: Vec<String> = shown.filter(echoes).collect();
        let written: Vec<String> = self.ledger.written.iter().map(|(text, _)| text.clone()).collect();
        expect("texts at the client", shown, written)?;
        let receipts: Vec<Value> =
            self.at_phone("receipts").iter().filter_map(|receipt| receipt.get("id").cloned()).collect();
        let has_receipt = |(_, id): &(String, Value)| receipts.contains(id);
        ensure("a delivery receipt is missing", self.ledger.written.iter().all(has_receipt))?;
        let kept = u64::try_from(self.store.count(Table::Prekey))?;
        expect("one-time prekeys: those on the server, and ours", self.prekeys_left(), Some(kept))?;
        expect("unacked stanzas", self.store.count(Table::Outbox), 0)?;
        expect("waiting contents", self.store.count(Table::Waiting), 0)?;
        let violations = self.world.control(&self.clock, true, "violations", b"");
        expect("violations", violations, Some(json!({ "violations": [] })))?;
        let received = self.ledger.written.len();
        Ok(Tally { sent: self.ledger.sent.len(), received, amid_faults: 0, crashes: self.ledger.crashes })
    }
}

/// All that is under way, or a piece of it.
fn arriving(wire: &mut VecDeque<Bytes>, dice: &mut StdRng) -> Option<Vec<u8>> {
    let mut bytes = wire.drain(..).collect::<Vec<_>>().concat();
    if bytes.len() > 1 && dice.random_bool(0.3) {
        let rest = bytes.split_off(dice.random_range(1..bytes.len()));
        wire.push_front(rest.into());
    }
    (!bytes.is_empty()).then_some(bytes)
}
