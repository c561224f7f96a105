//! Client and WhatsApp in one thread on a virtual clock, over a link, a process and a store that fail at any moment.
//!
//! A [`Schedule`] is a seed and what may go wrong: it decides what happens next, where the client is dropped (before a
//! transaction is run, after it was run and before that is told, before something is sent, shown or confirmed), and
//! what becomes of bytes on the wire. Afterwards all is brought to rest, and the ledger must balance: nothing lost,
//! nothing shown again once confirmed, nothing sent twice, no message key used twice (the phone would not decrypt).

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use wa_interop::binary::Jid;
use wa_interop::chat::{
    AccountKeys, Client, Command, Content, Event, Mark, MessageId, NoSession, Now, Ticket, Transaction,
};
use wa_interop::noise::TrustRoot;
use wa_interop::profile::Profile;
use wa_sandbox::{Clock, Integrator, World, WorldConfig};

use crate::chaos::pair::backup::Backup;
use crate::chaos::pair::enlisting::{BASE, enlist, token_and_jwks};
use crate::chaos::pair::ledger::Ledger;
use crate::chaos::pair::link::Link;
use crate::chaos::pair::oddity::Oddity;
use crate::chaos::pair::storage::Storage;
use crate::chaos::pair::trace::Trace;
use crate::report::failure::{Failure, ensure, expect};
use crate::target::environment::{INTEGRATOR, PHONE};

mod backup;
mod balance;
mod chain;
mod edges;
pub(crate) mod enlisting;
mod ledger;
mod link;
mod oddity;
mod storage;
#[cfg(test)]
mod tests;
mod trace;

pub use self::chain::Chain;
pub use self::ledger::Tally;
pub use self::storage::StorageKind;

/// When a run begins, in Unix seconds.
const START: u64 = 1_800_000_000;

/// Steps of one schedule before everything is brought to rest.
const STEPS: usize = 1200;

/// What may go wrong in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    /// The process dies, the connection is cut, transactions run twice.
    Crashes,
    /// Bytes on the wire are dropped, changed, doubled, split and delayed.
    Link,
    /// Crashes and a bad line together.
    All,
}

/// One run, which replays from its seed.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Decides everything else.
    pub seed: u64,
    /// What may go wrong.
    pub faults: Faults,
    /// What the client's rows are kept in.
    pub storage: StorageKind,
}

/// What happens to the phone in a run, by its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mishap {
    None,
    /// Some of its messages lose a bit on their way.
    Spoils,
    /// It loses its session once.
    Forgets,
    /// Its application is installed anew once.
    Reinstalls,
}

/// One run of a client and a local WhatsApp on a virtual clock.
pub struct Pair {
    faults: Faults,
    mishap: Mishap,
    oddity: Oddity,
    /// How far the client's clock is from everybody else's, in seconds.
    skew: i64,
    absences: u32,
    backup: Backup,
    steps: usize,
    dice: StdRng,
    rng: StdRng,
    now: Now,
    world: World,
    clock: Clock,
    token: String,
    login: Jid,
    store: Storage,
    client: Client,
    /// Handed out and not run, or run and not told of.
    transaction: Option<(Transaction, bool)>,
    link: Option<Link>,
    root: TrustRoot,
    profile: Profile,
    next_ticket: u64,
    waits_for_prekeys: bool,
    ledger: Ledger,
    trace: Trace,
}

impl Schedule {
    /// Runs from start to rest.
    ///
    /// # Errors
    /// What did not balance.
    pub fn run(self) -> Result<Tally, Failure> {
        let mut pair = Pair::new(self)?;
        for _ in 0..STEPS {
            pair.step()?;
        }
        let amid_faults = pair.texts_at_phone().len();
        pair.rest()?;
        Ok(Tally { amid_faults, ..pair.balance()? })
    }
}

impl Pair {
    #[expect(clippy::too_many_lines, reason = "one line a field")]
    fn new(schedule: Schedule) -> Result<Self, Failure> {
        let Schedule { seed, faults, storage } = schedule;
        let mut rng = StdRng::seed_from_u64(seed);
        let profile =
            if seed.is_multiple_of(2) { Profile::overview() } else { Profile::reference_offer_1_0_3() };
        let clock = Clock::still(START);
        let integrators = vec![Integrator { id: INTEGRATOR, base_url: BASE.to_owned() }];
        let config = WorldConfig {
            profile: profile.clone(),
            integrators,
            phones: vec![PHONE.to_owned()],
            strict: true,
        };
        let mut world = World::new(config, Box::new(StdRng::seed_from_u64(seed + 1)));
        let now = Now { unix: clock.now(), tick: Duration::ZERO };
        let (token, jwks) = token_and_jwks(now.unix, &mut rng)?;
        world.handle_keys(INTEGRATOR, Ok(&jwks), now.unix);
        let keys = AccountKeys::generate(&mut rng);
        let login = enlist(&mut world, &keys, &token, &profile, now.unix)?;
        let store = Storage::new(storage)?;
        store.apply(&Client::create(&keys))?;
        let root = TrustRoot::new(wa_interop::keys::PublicKey::from_bytes(world.noise_root()));
        let client = Client::open(profile.clone(), root);
        let dice = StdRng::seed_from_u64(seed ^ 0xD1CE);
        let (transaction, link, ledger) = (None, None, Ledger::default());
        let mishaps = [Mishap::None, Mishap::Spoils, Mishap::Forgets, Mishap::Reinstalls];
        let mishap = mishaps.into_iter().cycle().nth(usize::try_from(seed / 2 % 4)?);
        let mut pair = Self {
            faults,
            mishap: mishap.unwrap_or(Mishap::None),
            oddity: Oddity::of(seed),
            skew: 0,
            absences: 0,
            backup: Backup::None,
            steps: 0,
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
            waits_for_prekeys: (seed / 8).is_multiple_of(2),
            ledger,
            trace: Trace::default(),
        };
        pair.settle()?;
        let login = pair.login.clone();
        pair.command(Command::Enlisted(login));
        pair.settle()?;
        Ok(pair)
    }

    /// One thing happens.
    fn step(&mut self) -> Result<(), Failure> {
        self.steps += 1;
        match self.dice.random_range(0..1000u32) {
            0..70 => self.write_text(),
            70..110 => self.phone_writes()?,
            110..230 => self.deliver_to_server(),
            230..360 => self.deliver_to_client(),
            360..510 => self.take_transaction()?,
            510..660 => self.run_transaction()?,
            660..810 => self.tell()?,
            810..890 => self.transmit(),
            890..930 if self.is_asleep() => {}
            890..930 => self.show()?,
            930..950 => self.mark(),
            950..965 => {
                let time = Duration::from_secs(self.dice.random_range(0..8));
                self.wait(time);
            }
            965..967 => self.mishap()?,
            967..969 => self.oddity()?,
            969..990 => self.connect(),
            990..995 => self.cut(),
            _ if self.faults == Faults::Link => self.connect(),
            _ => self.crash()?,
        }
        Ok(())
    }

    fn command(&mut self, command: Command) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.client.handle_command(self.client_now(), ticket, command, &mut self.rng);
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

    /// The user reads what was shown last.
    fn mark(&mut self) {
        let unread = self.ledger.unread.pop();
        let (Some(id), Ok(from)) = (unread, Jid::phone(PHONE)) else { return };
        let ids = vec![MessageId(id.clone())];
        let ticket = self.command(Command::Mark { from, ids, mark: Mark::Read });
        self.ledger.marking.insert(ticket, id);
    }

    /// In every other schedule the phone waits for one-time prekeys before it begins a session.
    fn phone_writes(&mut self) -> Result<(), Failure> {
        if self.waits_for_prekeys && self.ledger.written.is_empty() && self.prekeys_left() == Some(0) {
            return Ok(());
        }
        if self.mishap == Mishap::Spoils && self.dice.random_bool(0.1) {
            self.phone_does("spoil", &json!({}))?;
        }
        let text = format!("phone {}", self.ledger.written.len());
        let sent = self.phone_does("send", &json!({ "to": self.login.to_string(), "text": text }))?;
        let id = sent.get("id").cloned().ok_or_else(|| Failure::new("the phone could not write"))?;
        self.ledger.written.push((text, id));
        self.take_outputs();
        Ok(())
    }

    /// What happens once to the phone, when both have written.
    fn mishap(&mut self) -> Result<(), Failure> {
        let is_due =
            !self.ledger.mishap && !self.texts_at_phone().is_empty() && self.ledger.written.len() > 1;
        let what = match self.mishap {
            Mishap::Forgets => "forget",
            Mishap::Reinstalls => "reinstall",
            Mishap::None | Mishap::Spoils => return Ok(()),
        };
        if is_due {
            self.ledger.mishap = true;
            self.phone_does(what, &json!({ "to": self.login.to_string() }))?;
            self.take_outputs();
        }
        Ok(())
    }

    fn phone_does(&mut self, what: &str, body: &Value) -> Result<Value, Failure> {
        let path = format!("phones/{PHONE}/{what}");
        let done = self.world.control(&self.clock, "POST", &path, body.to_string().as_bytes());
        done.map_err(|problem| Failure(format!("the phone could not {what}: {}", problem.detail)))
    }

    fn take_transaction(&mut self) -> Result<(), Failure> {
        if self.transaction.is_none() {
            self.transaction = self.client.poll_transaction().map(|transaction| (transaction, false));
            if let Some((transaction, _)) = &self.transaction {
                self.trace.transaction(transaction);
            }
        }
        self.take_accepted();
        self.nothing_stalls()
    }

    /// Without a transaction under way every input has been dealt with.
    fn nothing_stalls(&self) -> Result<(), Failure> {
        let is_stalled = self.transaction.is_none() && self.client.queued() > 0;
        ensure("inputs wait and nothing will run them", !is_stalled)
    }

    /// The store runs it, perhaps twice.
    fn run_transaction(&mut self) -> Result<(), Failure> {
        if let Some((transaction, has_run)) = &mut self.transaction {
            self.store.apply(transaction)?;
            *has_run = true;
        }
        Ok(())
    }

    /// The client hears of it.
    fn tell(&mut self) -> Result<(), Failure> {
        if let Some((transaction, _)) = self.transaction.take_if(|(_, has_run)| *has_run) {
            let rows = self.store.apply(&transaction)?;
            self.client.handle_committed(self.client_now(), rows, &mut self.rng)?;
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
            self.ledger.marked.extend(self.ledger.marking.remove(&ticket));
        }
    }

    /// The application sees an event, and perhaps confirms it.
    fn show(&mut self) -> Result<(), Failure> {
        let Some(event) = self.client.poll_event() else { return Ok(()) };
        self.trace.event(&event);
        let (event, text) = match event {
            Event::Message { event, id, content: Content::Text(text), .. } => (event, Some((text.body, id))),
            Event::Receipt { event, .. } => (event, None),
            Event::IdentityChanged { event, .. } if self.mishap == Mishap::Reinstalls => (event, None),
            Event::Undecryptable { event, .. } if self.mishap == Mishap::Spoils || self.is_restored() => {
                (event, None)
            }
            Event::DevicesChanged { event, .. } => (event, None),
            // A device that goes and comes is another one.
            Event::IdentityChanged { event, device: 1.., .. } if self.oddity == Oddity::Devices => {
                (event, None)
            }
            // Bytes may be under way for more than a minute on a bad line.
            Event::NoSession { why: NoSession::Unanswered, .. } if self.faults != Faults::Crashes => {
                return Ok(());
            }
            Event::Connected
            | Event::Disconnected(_)
            | Event::MailboxWaits { .. }
            | Event::MailboxEmpty { .. } => return Ok(()),
            other => return Err(Failure(format!("shown: {other:?}"))),
        };
        ensure("shown again after it was confirmed", !self.ledger.confirmed.contains(&event))?;
        if let Some((text, MessageId(id))) = text {
            match self.ledger.shown.insert(event, text.clone()) {
                None => {
                    self.ledger.order.push(event);
                    self.ledger.unread.push(id);
                }
                Some(before) => expect("the same event", text, before)?,
            }
        }
        if self.dice.random_bool(0.7) {
            let ticket = self.command(Command::Confirm(event));
            self.ledger.confirming.insert(ticket, event);
        }
        Ok(())
    }

    /// Time passes, on both sides.
    fn wait(&mut self, time: Duration) {
        self.now.tick += time;
        self.now.unix += time.as_secs();
        self.clock.set_offset(self.now.unix.saturating_sub(START).try_into().unwrap_or(i64::MAX));
        self.client.handle_timeout(self.client_now(), &mut self.rng);
        if !self.client.is_connected() {
            self.drop_link();
        }
    }

    /// The process dies. A transaction that was handed out may have reached the store or not.
    fn crash(&mut self) -> Result<(), Failure> {
        if let Some((transaction, _)) = self.transaction.take()
            && self.dice.random_bool(0.5)
        {
            self.store.apply(&transaction)?;
        }
        self.drop_link();
        self.store.reopen()?;
        self.client = Client::open(self.profile.clone(), self.root);
        self.ledger.sending.clear();
        self.ledger.confirming.clear();
        // What was read and not accepted is unread.
        self.ledger.unread.extend(std::mem::take(&mut self.ledger.marking).into_values());
        self.ledger.crashes += 1;
        Ok(())
    }

    /// Runs the client's transactions until it has none.
    fn settle(&mut self) -> Result<(), Failure> {
        self.take_transaction()?;
        while self.transaction.is_some() {
            self.run_transaction()?;
            self.tell()?;
            self.take_transaction()?;
        }
        Ok(())
    }
}
